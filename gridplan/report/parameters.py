"""What a notebook can be told: its ``parameters`` cell, read without running it, and the values given for it.

The cell tagged ``parameters`` holds assignments of literals and nothing else::

    study = "../data/oberrhein"      # folder or workbook of the study
    years: list[int] = [2030, 2040]  # years looked at
    limit: float | None = None       # highest loading [%]; None takes the one of the study

The name, the type (annotation, or else the type of the default) and the comment are the parameter. Where the comment of a
number ends with a range, it is checked::

    load_percent = 100.0  # load as a share of the base year [%], 0 to 1000

A value that does not fit is found here, before any kernel starts.
"""

from __future__ import annotations

import ast
import io
import json
import math
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml

from gridplan.errors import ParameterError, Problem, suggest

STUDY = "study"
TAG = "parameters"

_KINDS: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_UNIT = r"\[([^\[\]]+)\]"
_RANGE = re.compile(rf"(?:^|[\s,;:(])({_NUMBER}) to ({_NUMBER})\s*(?:{_UNIT})?[).]*$")
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook.

    Parameters
    ----------
    name
        As the notebook writes it.
    default
        The literal in the notebook.
    kind
        ``str``, ``int``, ``float``, ``bool``, ``list`` or ``dict``.
    item
        What a list holds, if that is known; otherwise empty.
    optional
        Whether None is allowed.
    description
        The comment behind the assignment.
    low, high
        Range of a number, or of each number of a list, in the unit that the comment gives; None for no limit.
    """

    name: str
    default: Any
    kind: str
    item: str = ""
    optional: bool = False
    description: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def unit(self) -> str:
        """The unit in brackets that the comment gives last, ``[%]``; empty where it gives none."""
        units = re.findall(_UNIT, self.description)
        return f"[{units[-1]}]" if units else ""

    @property
    def type(self) -> str:
        """The type as a reader writes it: ``list[int]``, ``float or None``."""
        return self.kind + (f"[{self.item}]" if self.item else "") + (" or None" if self.optional else "")


class _MisfitError(ValueError):
    """A value does not fit its parameter; the text says why."""


def read_parameters(notebook: str | Path | nbformat.NotebookNode) -> dict[str, Parameter]:
    """Read the parameters of a notebook from its cell tagged ``parameters``, without running it.

    Parameters
    ----------
    notebook
        A ``.ipynb`` file or a notebook read from one.

    Returns
    -------
    dict[str, Parameter]
        In the order of the cell.

    Raises
    ------
    ParameterError
        There is no such cell, or it holds something else than assignments of literals; every problem is named.
    """
    where = "notebook" if isinstance(notebook, nbformat.NotebookNode) else Path(notebook).name
    cells = [c for c in read_notebook(notebook).cells if c.cell_type == "code" and TAG in c.metadata.get("tags", [])]
    if len(cells) != 1:
        what = f"{len(cells)} code cells are tagged '{TAG}', one is needed"
        raise ParameterError(
            f"notebook {where}", [Problem(where, what, remedy=f"tag the cell that holds the parameters '{TAG}'")]
        )
    found, problems = _read_source(cells[0].source, where)
    if STUDY not in found and not problems:
        problems.append(Problem(where, f"parameter '{STUDY}' is missing", remedy=f'write {STUDY} = "../data/..." in its cell'))
    if problems:
        raise ParameterError(f"parameters cell of {where}", problems)
    return found


def read_notebook(notebook: str | Path | nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Read a notebook file of any format version.

    Raises
    ------
    ParameterError
        There is no such file, or it is no notebook.
    """
    if isinstance(notebook, nbformat.NotebookNode):
        return notebook
    path = Path(notebook)
    if not path.is_file():
        near = (
            suggest(path.stem, [p.stem for p in path.parent.glob("*.ipynb")])
            if path.parent.is_dir()
            else "the folder does not exist"
        )
        raise ParameterError(f"notebook {path}", [Problem(path.name, f"no such file; {near}")])
    try:
        found = nbformat.reads(path.read_text("utf-8"), as_version=4)
        return nbformat.v4.upgrade(found, from_version=4, from_minor=found.nbformat_minor)
    except (OSError, ValueError, nbformat.ValidationError) as fault:
        raise ParameterError(f"notebook {path}", [Problem(path.name, f"not a notebook: {fault}")]) from fault


def gather(
    notebook: str | Path | nbformat.NotebookNode,
    *,
    texts: Iterable[str] = (),
    file: str | Path | None = None,
    values: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Check values given for a notebook's parameters, from the command line, from a file or from Python.

    Parameters
    ----------
    notebook
        The notebook, or its file.
    texts
        ``name=value`` each; the text is read by the type of the parameter, so ``007`` stays ``007`` where a text is asked.
        Overrides `file`.
    file
        YAML file that maps names to values.
    values
        Python values; override `texts`.

    Returns
    -------
    dict[str, Any]
        The values given, each of its parameter's type; parameters that nothing was given for are not in it.

    Raises
    ------
    ParameterError
        Every unknown name and every value that does not fit, at once.
    """
    known = read_parameters(notebook)
    problems: list[Problem] = []
    given: dict[str, Any] = {}
    if file is not None:
        given |= _from_file(known, Path(file), problems)
    given |= _from_texts(known, texts, problems)
    given |= _fitted(known, {name: (value, "parameters", "") for name, value in (values or {}).items()}, problems)
    if problems:
        raise ParameterError("the set of parameters given", problems)
    return given


# --- the cell ---------------------------------------------------------------------------------------------------------------


def _read_source(source: str, where: str) -> tuple[dict[str, Parameter], list[Problem]]:
    try:
        statements, comments = ast.parse(source).body, _comments(source)
    except (SyntaxError, tokenize.TokenError) as fault:
        return {}, [Problem(where, f"the cell is no Python: {fault}")]
    found: dict[str, Parameter] = {}
    problems: list[Problem] = []
    for statement in statements:
        try:
            parameter = _read_statement(statement, comments.get(statement.end_lineno or 0, ""))
            if parameter.name in found:
                raise _MisfitError(f"'{parameter.name}' is assigned twice")
        except _MisfitError as fault:
            problems.append(Problem(f"{where}, line {statement.lineno} of the cell", str(fault)))
        else:
            found[parameter.name] = parameter
    return found, problems


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}


def _read_statement(statement: ast.stmt, comment: str) -> Parameter:
    annotation = None
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, annotation, value = statement.target, statement.annotation, statement.value
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    else:
        raise _MisfitError("only `name = literal` can stand in this cell; move the rest to the next one")
    if not isinstance(target, ast.Name):
        raise _MisfitError(f"'{ast.unparse(target)}' is no plain name")
    try:
        default = ast.literal_eval(value)
    except (ValueError, TypeError) as fault:
        raise _MisfitError(f"the value of '{target.id}' is no literal; compute it in the next cell") from fault
    return _typed(target.id, default, annotation, comment)


def _typed(name: str, default: Any, annotation: ast.expr | None, comment: str) -> Parameter:
    default = list(default) if isinstance(default, tuple) else default
    kind, item, optional = _annotated(annotation) if annotation is not None else _inferred(name, default)
    low, high = _range(comment) if {"int", "float"} & {kind, item} else (None, None)
    parameter = Parameter(name, default, kind, item, optional, comment, low, high)
    try:
        fit(parameter, default)
    except _MisfitError as fault:
        raise _MisfitError(f"default of '{name}': {fault}") from fault
    return parameter


def _range(comment: str) -> tuple[float | None, float | None]:
    """Read ``LOW to HIGH`` from the end of a comment, before or behind a unit."""
    found = _RANGE.search(comment)
    if found is None:
        return None, None
    low, high = float(found[1]), float(found[2])
    if low > high:
        raise _MisfitError(f"the range '{found[1]} to {found[2]}' of the comment is empty; write the lower limit first")
    return low, high


def _inferred(name: str, default: Any) -> tuple[str, str, bool]:
    if default is None:
        raise _MisfitError(f"'{name} = None' does not tell its type; annotate it, as in `{name}: float | None = None`")
    if type(default).__name__ not in _KINDS:
        raise _MisfitError(f"'{name}' is a {type(default).__name__}; allowed: {', '.join(_KINDS)}")
    items = {type(v).__name__ for v in default} if isinstance(default, list) else set()
    item = "float" if items == {"int", "float"} else items.pop() if len(items) == 1 else ""
    return type(default).__name__, item if item in _KINDS else "", False


def _annotated(annotation: ast.expr) -> tuple[str, str, bool]:
    text = (
        annotation.value
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
        else ast.unparse(annotation)
    )
    parts = [p.strip() for p in re.sub(r"^(?:typing\.)?Optional\[(.*)\]$", r"\1 | None", text).split("|")]
    named = [p for p in parts if p != "None"]
    shape = re.fullmatch(r"(\w+)(?:\[(.+)\])?", named[0]) if len(named) == 1 else None
    if shape is None or shape[1] not in _KINDS:
        raise _MisfitError(
            f"type '{text}' is not supported; allowed: {', '.join(_KINDS)}, list[int] and the like, each with `| None`"
        )
    item = shape[2] if shape[1] == "list" and shape[2] in _KINDS else ""
    return shape[1], item, "None" in parts


# --- values -----------------------------------------------------------------------------------------------------------------


def fit(parameter: Parameter, value: Any) -> Any:
    """Return a Python value as the type of its parameter, or raise a ValueError that says why it does not fit."""
    if value is None:
        if parameter.optional:
            return None
        raise _MisfitError(f"None is not allowed; a {parameter.kind} is needed")
    value = _fit_kind(parameter.kind, value)
    if parameter.item and isinstance(value, list):
        value = [_fit_kind(parameter.item, v) for v in value]
    elif isinstance(value, list | dict):
        _refuse_objects(value)
    _refuse_outside(parameter, value)
    return value


def _fit_kind(kind: str, value: Any) -> Any:
    if kind == "float" and type(value) is int:
        return float(value)
    if kind == "list" and isinstance(value, tuple):
        return list(value)
    if kind == "str" and isinstance(value, Path):
        return value.as_posix()
    if type(value) is not _KINDS[kind]:
        raise _MisfitError(f"{value!r} is a {type(value).__name__}; a {kind} is needed")
    if kind == "float" and not math.isfinite(value):
        raise _MisfitError(f"{value!r} is no finite number")
    return value


def _refuse_outside(parameter: Parameter, value: Any) -> None:
    if parameter.low is None or parameter.high is None:
        return
    outside = [v for v in (value if isinstance(value, list) else [value]) if not parameter.low <= v <= parameter.high]
    if outside:
        given = ", ".join(f"{v:.12g}" for v in outside)
        allowed = f"{parameter.low:.12g} to {parameter.high:.12g} {parameter.unit}".rstrip()
        raise _MisfitError(f"{given} is outside {allowed}")


def _refuse_objects(value: Any) -> None:
    try:
        ast.literal_eval(repr(value))
    except (ValueError, SyntaxError) as fault:
        raise _MisfitError(f"{value!r} holds something else than text, numbers, lists and dicts") from fault


def _fitted(known: Mapping[str, Parameter], given: Mapping[str, tuple[Any, str, str]], problems: list[Problem]) -> dict[str, Any]:
    """Fit values given as ``name -> (value, where, hint)``; what does not fit goes to `problems`."""
    result = {}
    for name, (value, where, hint) in given.items():
        if not _usable(name, known, where, problems):
            continue
        try:
            result[name] = fit(known[name], value)
        except _MisfitError as fault:
            problems.append(Problem(where, f"'{name}': {fault}", remedy=hint or None))
    return result


def _usable(name: str, known: Mapping[str, Parameter], where: str, problems: list[Problem]) -> bool:
    if name == STUDY:
        problems.append(Problem(where, f"'{STUDY}' is given with --study (study= in Python), not as a parameter"))
    elif name not in known:
        problems.append(Problem(where, f"unknown parameter '{name}'; {suggest(name, [k for k in known if k != STUDY])}"))
    return name != STUDY and name in known


# --- text of the command line -----------------------------------------------------------------------------------------------


def _from_texts(known: Mapping[str, Parameter], texts: Iterable[str], problems: list[Problem]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    seen: set[str] = set()
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        where = f"-p {text}"
        if not equals:
            problems.append(Problem(where, "no '='", remedy="write -p name=value"))
        elif name in seen:
            problems.append(Problem(where, f"'{name}' is given twice"))
        elif _usable(name, known, where, problems):
            try:
                result[name] = from_text(known[name], value)
            except _MisfitError as fault:
                problems.append(Problem(where, f"'{name}': {fault}"))
        seen.add(name)
    return result


def from_text(parameter: Parameter, text: str) -> Any:
    """Read a value typed on a command line by the type of its parameter, or raise a ValueError that says why it cannot be."""
    if parameter.optional and text.strip() in ({"None"} if parameter.kind == "str" else {"None", "none", "null", ""}):
        return None
    if parameter.kind in {"list", "dict"}:
        return fit(parameter, _read_collection(parameter, text))
    return fit(parameter, _read_scalar(parameter.kind, text))


def _read_scalar(kind: str, text: str) -> Any:
    plain = text.strip()
    if kind == "str":
        return text
    if kind == "bool" and plain.lower() in _TRUE | _FALSE:
        return plain.lower() in _TRUE
    if kind == "int" and re.fullmatch(r"[+-]?\d+", plain):
        return int(plain)
    if kind == "float" and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", plain):
        return _fit_kind("float", float(plain))
    allowed = {"bool": "true or false", "int": "a whole number", "float": "a number"}[kind]
    raise _MisfitError(f"'{text}' is not {allowed}")


def _read_collection(parameter: Parameter, text: str) -> Any:
    plain = text.strip()
    if plain[:1] in {"[", "{", "("}:
        for read in (json.loads, ast.literal_eval):
            try:
                return read(plain)
            except (ValueError, SyntaxError):
                continue
        raise _MisfitError(f"'{text}' is no {parameter.kind}")
    if parameter.kind == "dict":
        raise _MisfitError(f"""'{text}' is no dict; write it as '{{"name": value}}'""")
    return [_read_scalar(parameter.item or "str", part.strip()) for part in plain.split(",")] if plain else []


# --- YAML file --------------------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key given twice, which the standard loader lets pass with the last value."""


class _RawLoader(yaml.BaseLoader):
    """YAML in which every scalar stays the text that was typed."""


def _unique(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=deep) for key, _ in node.value]
    twice = {str(k) for k in keys if keys.count(k) > 1}
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"given twice: {', '.join(sorted(twice))}", node.start_mark)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=deep)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, lambda loader, node: _unique(loader, node, deep=True))


def _from_file(known: Mapping[str, Parameter], file: Path, problems: list[Problem]) -> dict[str, Any]:
    where = file.name
    try:
        text = file.read_text("utf-8-sig")
        content, raw = yaml.load(text, _Loader), yaml.load(text, _RawLoader)  # noqa: S506 - both construct plain data only
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as fault:
        remedy = _unread(file) if isinstance(fault, OSError) else "write one line 'name: value' for each parameter, in UTF-8"
        problems.append(Problem(where, f"cannot be read: {' '.join(str(fault).split())}", remedy=remedy))
        return {}
    if content is None:
        return {}
    if not isinstance(content, dict):
        problems.append(Problem(where, f"holds a {type(content).__name__}; a line 'name: value' for each parameter is needed"))
        return {}
    given = {}
    for (name, value), typed in zip(content.items(), raw.values(), strict=True):
        if _misread(value, typed):
            problems.append(
                Problem(where, f"'{name}': YAML reads {typed} as {value}", remedy=f"write {value}, or '{typed}' for a text")
            )
        else:
            given[str(name)] = (value, where, _yaml_hint(known.get(str(name)), value, typed))
    return _fitted(known, given, problems)


def _unread(file: Path) -> str:
    """Say what to do about a file that cannot be opened."""
    if file.exists():
        return "give the name of a YAML file that you may read"
    if not file.parent.is_dir():
        return f"there is no folder {file.parent}; give the file's path as seen from the working directory"
    near = [f.name for f in file.parent.iterdir() if f.suffix in {".yaml", ".yml"}]
    return suggest(file.name, near) if near else "give the file's path as seen from the working directory"


def _misread(value: Any, typed: Any) -> bool:
    """Whether YAML took a text for a number in another notation: 012 is octal to it, 1:30 is ninety."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and isinstance(typed, str) and bool(re.match(r"[+-]?0\d|[+-]?0[xob]|.*[:_]", typed))


def _yaml_hint(parameter: Parameter | None, value: Any, typed: Any) -> str:
    """Say how to write a scalar that YAML read as something else than it looks like."""
    if parameter is None or not isinstance(typed, str):
        return ""
    if parameter.kind == "str" and not isinstance(value, str):
        return f"YAML reads {typed or 'nothing'} as {value!r}; quote it: {parameter.name}: '{typed}'"
    if parameter.kind in {"float", "int"} and isinstance(value, str):
        return f"YAML reads {typed} as text; write it without quotes, and with a point and a sign in the exponent: 1.0e-3"
    return ""
