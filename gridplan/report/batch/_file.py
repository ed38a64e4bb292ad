"""``runs.toml``: which notebooks to run on which studies with which parameters, checked whole before anything runs."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gridplan.errors import InputError, ParameterError, Problem, ReportError, suggest
from gridplan.report import pdf, provenance, runner
from gridplan.report.parameters import Parameter, read_parameters

Check = Callable[[Any], str]


def _text(value: Any) -> str:
    return "" if isinstance(value, str) and value.strip() else "a text is needed"


def _any_text(value: Any) -> str:
    return "" if isinstance(value, str) else "a text is needed"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false is needed"


def _count(low: int, high: int) -> Check:
    def check(value: Any) -> str:
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return "" if fits else f"a whole number from {low} to {high} is needed"

    return check


def _seconds(value: Any) -> str:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
    return "" if fits else "a number above 0 [s] is needed"


def _status(value: Any) -> str:
    return "" if value in {"DRAFT", "FINAL"} else "'DRAFT' or 'FINAL' is needed"


def _texts(value: Any) -> str:
    many = [value] if isinstance(value, str) else value
    fits = isinstance(many, list) and many and all(isinstance(v, str) and v.strip() for v in many)
    return "" if fits else "a text or a list of texts is needed"


def _command(value: Any) -> str:
    if not (isinstance(value, list) and value and all(isinstance(v, str) for v in value)):
        return 'a list of program and arguments is needed, such as ["notify", "--now"]; there is no shell between'
    return "" if shutil.which(value[0]) else f"there is no program '{value[0]}' on this machine"


def _table(value: Any) -> str:
    return "" if isinstance(value, dict) else "a table of name = value is needed"


EACH: dict[str, tuple[Check, Any]] = {
    "timeout_s": (_seconds, None),
    "retries": (_count(0, 10), 1),
    "keep": (_count(1, 10_000), 12),
    "status": (_status, "DRAFT"),
    "classification": (_any_text, ""),
    "pdf": (_flag, False),
    "archive": (_flag, False),
    "keep_inputs": (_flag, True),
}
"""Keys that ``[batch]`` sets for all runs and ``[[run]]`` for its own; check and default."""

WHOLE: dict[str, tuple[Check, Any]] = {
    "title": (_text, "Reports"),
    "root": (_text, "."),
    "out": (_text, "reports"),
    "workers": (_count(1, 256), 2),
    "on_success": (_command, ()),
    "on_failure": (_command, ()),
}
OF_A_RUN: dict[str, Check] = {"notebook": _texts, "study": _texts, "parameters": _table}


@dataclass(frozen=True)
class Job:
    """One run to make.

    Parameters
    ----------
    report
        File name of the newest page of its kind; what it is known by.
    notebook, study
        Absolute paths.
    parameters
        Values that fit the notebook's parameters.
    choices
        The keys of ``EACH`` with their values.
    """

    report: str
    notebook: Path
    study: Path
    parameters: Mapping[str, Any]
    choices: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What a reader knows it by: the report without its ending."""
        return self.report.removesuffix(".html")


@dataclass(frozen=True)
class Batch:
    """What ``runs.toml`` asks for.

    Parameters
    ----------
    file
        Where it stands.
    title
        Title of the index page.
    out
        Folder of all reports.
    workers
        Processes at once, on this machine.
    jobs
        The runs, in the order of the file.
    on_success, on_failure
        Program and arguments to call at the end; empty for none.
    """

    file: Path
    title: str
    out: Path
    workers: int
    jobs: tuple[Job, ...]
    on_success: Sequence[str] = field(default=())
    on_failure: Sequence[str] = field(default=())


def read_runs(file: str | Path, *, out: str | Path | None = None) -> Batch:
    """Read and check a ``runs.toml``; nothing is run.

    Parameters
    ----------
    file
        The file. Its paths are relative to its key ``root``, which is relative to the folder of the file.
    out
        Folder of all reports, in place of the one in the file.

    Returns
    -------
    Batch
        Lists of notebooks, studies and values are taken apart into single runs.

    Raises
    ------
    ParameterError
        The file cannot be read, or holds what cannot be run; every problem is named.
    """
    path = Path(file)
    content = _read(path)
    problems = [*_unknown(content, {"batch", "run"}, "the file")]
    whole = _section(content.get("batch", {}), "[batch]", {**WHOLE, **EACH}, problems)
    root = (path.resolve().parent / str(whole["root"])).resolve()
    entries = content.get("run", [])
    if not isinstance(entries, list) or not entries:
        problems.append(Problem(path.name, "holds no run", remedy="write [[run]] with notebook = and study = below it"))
        entries = []
    jobs: list[Job] = []
    for number, entry in enumerate(entries, 1):
        jobs += _jobs(entry, f"[[run]] {number}", root, whole, problems)
    problems += [*_clashes(jobs), *_browser(jobs)]
    if problems:
        raise ParameterError(f"{path}", dict.fromkeys(problems))
    place = Path(out).resolve() if out is not None else root / str(whole["out"])
    hooks = (tuple(whole["on_success"]), tuple(whole["on_failure"]))
    return Batch(path.resolve(), whole["title"], place, whole["workers"], tuple(jobs), *hooks)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as fault:
        near = [f.name for f in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        problem = Problem(str(path), f"cannot be read: {fault.strerror or fault}", remedy=suggest(path.name, near))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        problem = Problem(str(path), f"is no TOML: {fault}", remedy="mend that line; texts stand in quotation marks")
    raise ParameterError(f"{path}", [problem])


def _unknown(content: Mapping[str, Any], known: set[str], where: str) -> Iterator[Problem]:
    for key in content:
        if key not in known:
            yield Problem(where, f"unknown key '{key}'; {suggest(key, sorted(known))}")


def _section(content: Any, where: str, known: Mapping[str, tuple[Check, Any]], problems: list[Problem]) -> dict[str, Any]:
    """Return every known key with its value or default; what does not fit goes to `problems`."""
    if not isinstance(content, dict):
        problems.append(Problem(where, "is no table of keys"))
        content = {}
    problems += _unknown(content, set(known), where)
    values = {}
    for key, (check, usual) in known.items():
        fault = check(content[key]) if key in content else ""
        if fault:
            problems.append(Problem(where, f"{key} = {content[key]!r}; {fault}"))
        values[key] = content[key] if key in content and not fault else usual
    return values


def _jobs(entry: Any, where: str, root: Path, whole: Mapping[str, Any], problems: list[Problem]) -> list[Job]:
    """Return the runs of one entry: every notebook on every study with every combination of listed values."""
    before = len(problems)
    own = {key: (check, whole[key]) for key, (check, _) in EACH.items()}
    values = _section(entry, where, {**own, **{key: (check, None) for key, check in OF_A_RUN.items()}}, problems)
    absent = [key for key in ("notebook", "study") if isinstance(entry, dict) and key not in entry]
    problems += [Problem(where, f"{key} is missing", remedy=f'write {key} = "..."') for key in absent]
    if len(problems) > before:
        return []
    choices = {key: values[key] for key in EACH}
    found = []
    for notebook, study in itertools.product(_many(values["notebook"]), _many(values["study"])):
        for parameters in _matrix(root, notebook, values["parameters"] or {}):
            job = _job(where, (_find(root, notebook), root / study), parameters, choices, problems)
            found += [job] if job else []
    return found


def _many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _find(root: Path, notebook: str) -> Path:
    """Return the file of a notebook that is given as a path, or by name if it is in the folder ``notebooks``."""
    candidates = [root / notebook, root / "notebooks" / notebook, root / "notebooks" / f"{notebook}.ipynb"]
    return next(
        (c for c in candidates if c.suffix == ".ipynb" and c.is_file()),
        candidates[-1] if "/" not in notebook else root / notebook,
    )


def _matrix(root: Path, notebook: str, parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every combination: a list stands for its items, unless the parameter itself is a list; then a list of lists does."""
    try:
        known = read_parameters(_find(root, notebook))
    except ParameterError:  # told when the run is checked
        known = {}
    choices = [_variants(known.get(name), value) for name, value in parameters.items()]
    for combination in itertools.product(*choices):
        yield dict(zip(parameters, combination, strict=True))


def _variants(parameter: Parameter | None, value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        return [value]
    if parameter is not None and parameter.kind == "list":
        return value if all(isinstance(v, list) for v in value) else [value]
    return value


def _job(
    where: str, paths: tuple[Path, Path], parameters: Mapping[str, Any], choices: Mapping[str, Any], problems: list[Problem]
) -> Job | None:
    notebook, study = paths
    try:
        report, fitted = runner.identify(notebook, study, parameters)
    except InputError as fault:
        problems += [dataclasses.replace(p, where=f"{where}, {p.where}") for p in fault.problems]
        return None
    return Job(report, notebook.resolve(), study.resolve(), fitted, choices)


def _clashes(jobs: Sequence[Job]) -> Iterator[Problem]:
    """Yield runs that would take each other's place."""
    seen: dict[str, Job] = {}
    for job in jobs:
        first = seen.setdefault(job.report, job)
        if first is job:
            continue
        same = (first.notebook, first.study) == (job.notebook, job.study)
        words = "is asked for twice" if same else f"would be made of {_shown(first)} and of {_shown(job)}"
        remedy = "delete one of them" if same else "give notebooks and studies different file names"
        yield Problem(f"report '{job.name}'", words, remedy=remedy)


def _shown(job: Job) -> str:
    return f"{provenance.shown_path(job.notebook)} on {provenance.shown_path(job.study)}"


def _browser(jobs: Sequence[Job]) -> Iterator[Problem]:
    if any(job.choices["pdf"] for job in jobs):
        try:
            pdf.find_browser()
        except ReportError as fault:
            yield Problem("pdf = true", str(fault).replace("leave --pdf away", "write pdf = false"))
