"""Studies: everything an analysis needs, in a folder or in one workbook; read, checked, written.

A folder holds ``study.toml`` and tables ``<table>.csv`` or ``<table>.csv.gz``; a workbook ``.xlsx`` holds the same tables as
sheets, and the keys of ``study.toml`` as rows `key`, `value` of a sheet ``study``. The same content gives the same
:class:`Study`. The table ``sources`` says for every other file or sheet where it comes from and under which licence.
"""

from __future__ import annotations

import difflib
import gzip
import html
import json
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import python_calamine
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from gridplan import tables
from gridplan.errors import Problem, StudyError, suggest

SUFFIXES = (".csv", ".csv.gz")
NOT_INPUT = ("study", "results")  # of the dictionary: the settings, and the labels of results
NEED_NO_SOURCE = ("study", "sources", "readme", "licence", "licences", "license", "licenses", "dictionary")
SHEET_CELL = 32_767  # characters that a cell of a workbook holds; openpyxl cuts the rest off without a word
LONG = 1_000_000  # characters of CSV text beyond which a table is written compressed


@dataclass(frozen=True, eq=False)
class Assumptions(Mapping[str, float]):
    """The assumptions of a study by name: its own before gridplan's defaults.

    Parameters
    ----------
    register
        `assumption`, `value`, `unit`, `source`, `evidence`, `note`, `origin` (``study`` or ``default``): what a report prints.
    """

    register: pd.DataFrame

    def __getitem__(self, name: str) -> float:
        """Return the value of an assumption in the unit of the register; a StudyError suggests the nearest name."""
        found = self.register.loc[self.register["assumption"] == name, "value"]
        if found.empty:
            raise StudyError("assumptions", [Problem(f"assumption '{name}'", "is not known", remedy=tables.near(name, self))])
        return float(found.iloc[0])

    def __contains__(self, name: object) -> bool:
        return name in set(self.register["assumption"])

    def __iter__(self) -> Iterator[str]:
        return iter(self.register["assumption"])

    def __len__(self) -> int:
        return len(self.register)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _repr_html_(self) -> str:
        return self.register.to_html(index=False, escape=True)


@dataclass(frozen=True, eq=False)
class Study:
    """Everything an analysis needs, checked.

    Parameters
    ----------
    path
        Folder or workbook that was read.
    name, title, description
        How the study is called in files, in reports, and what it is about.
    network
        Source for `network.open`: an absolute path where it is a file, else a name such as ``pandapower:mv_oberrhein``.
    base_year
        Year that the network and the profiles stand for.
    currency
        Currency of all costs.
    assumptions
        Values by name, with their register.
    tables
        Checked tables by name; :meth:`table` gives a copy.
    files
        All files that were read, and the network's.
    """

    path: Path
    name: str
    title: str
    description: str
    network: str
    base_year: int
    currency: str
    assumptions: Assumptions
    tables: Mapping[str, pd.DataFrame]
    files: tuple[Path, ...]

    def table(self, name: str) -> pd.DataFrame:
        """Return a copy of a table.

        Raises
        ------
        StudyError
            The study has no such table; the message suggests a name, or says which file to add.
        """
        if name in self.tables:
            return self.tables[name].copy()
        known = name in inputs()
        remedy = f"add {name}.csv or a sheet '{name}'" if known else tables.near(name, inputs())
        what = "is not in this study" if known else "is no table of a study"
        raise StudyError(f"study {self.name}", [Problem(f"table '{name}'", what, remedy=remedy)])

    def __repr__(self) -> str:
        held = ", ".join(f"{name} ({len(table)})" for name, table in self.tables.items())
        return f"Study({self.name!r}, base year {self.base_year}, network {_shown(self.network)}, tables: {held})"

    def _repr_html_(self) -> str:
        facts = {"Network": _shown(self.network), "Base year": self.base_year, "Currency": self.currency}
        facts |= {f"Table {name}": f"{len(table)} rows" for name, table in self.tables.items()}
        rows = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(str(v))}</td></tr>" for k, v in facts.items())
        return f"<p><b>{html.escape(self.title)}</b><br>{html.escape(self.description)}</p><table>{rows}</table>"


def inputs() -> list[str]:
    """Return the names of the tables that a study may hold."""
    return [name for name in tables.names() if name not in NOT_INPUT]


def _shown(network: str) -> str:
    return Path(network).name if Path(network).is_absolute() else network


# --- reading ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Found:
    """What a folder or workbook holds, before it is checked: settings and tables as cells, and the problems so far."""

    folder: Path
    settings: Mapping[str, Any]
    setting_place: Mapping[str, tuple[str, int | None]]  # key -> file or sheet, row; "" -> the whole
    cells: Mapping[str, pd.DataFrame]
    where: Mapping[str, str]
    read: tuple[Path, ...]
    other: tuple[str, ...]  # files beside the tables, by name
    problems: tuple[Problem, ...]


def read_study(path: str | Path) -> Study:
    """Read and check a study.

    Parameters
    ----------
    path
        Study folder (or its ``study.toml``), or ``.xlsx`` workbook.

    Returns
    -------
    Study
        Settings, assumptions and tables, all checked. The network is named, not opened.

    Raises
    ------
    StudyError
        Anything is wrong; holds every problem of the settings and of all tables.
    """
    found, problems = examine(path)
    if problems:
        raise StudyError(f"study {path}", problems)
    return found


def examine(path: str | Path) -> tuple[Study, tuple[Problem, ...]]:
    """Read as much of a study as can be read, and collect every problem.

    Parameters
    ----------
    path
        As for :func:`read_study`.

    Returns
    -------
    tuple
        The study, which holds only tables without problems, so that it is fit for further checks; the problems.

    Raises
    ------
    StudyError
        There is no study at `path`, or its workbook cannot be opened.
    """
    place = Path(path)
    place = place.parent if place.name == "study.toml" else place
    if place.is_dir():
        return _study(place, _read_folder(place))
    if place.is_file() and place.suffix.lower() in (".xlsx", ".xlsm"):
        return _study(place, _read_workbook(place))
    raise StudyError(f"study {path}", [_no_study(place)])


def _no_study(place: Path) -> Problem:
    if place.is_file():
        return Problem(str(place), "is neither a study folder nor an .xlsx workbook", remedy="give one of these")
    beside = place.parent.iterdir() if place.parent.is_dir() else ()
    known = sorted(p.name for p in beside if p.is_dir() or p.suffix == ".xlsx")
    return Problem(str(place), "does not exist", remedy=suggest(place.name, known))


def _study(path: Path, found: _Found) -> tuple[Study, tuple[Problem, ...]]:
    """Check what was found and put it together."""
    settings, wrong = _settings(found)
    network, files, missing = _network(settings, found)
    typed, faults = tables.convert(found.cells, found.where)
    register, overridden = _register(typed.get("assumptions"), found.where.get("assumptions", "assumptions.csv"))
    unsourced = _source_problems(typed.get("sources"), found, files)
    problems = (*found.problems, *wrong, *missing, *faults, *overridden, *unsourced)
    faulty = {problem.where for problem in problems}
    study = Study(
        path=path.resolve(),
        network=network,
        assumptions=Assumptions(register),
        tables={table: frame for table, frame in typed.items() if found.where[table] not in faulty},
        files=(*found.read, *files),
        currency=settings.get("currency") or "EUR",
        **{key: settings.get(key) for key in ("name", "title", "description", "base_year")},
    )
    return study, problems


def _table_of(file: str) -> str:
    """Return the table that a file name stands for: the name without suffix."""
    return re.sub(r"\.(csv|csv\.gz)$", "", file, flags=re.IGNORECASE)


def _read_folder(folder: Path) -> _Found:
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and not file.name.startswith((".", "~$"))]
    settings, places, problems = _read_settings(folder / "study.toml")
    cells, where, read = {}, {}, [folder / "study.toml"]
    for file in files:
        table = _table_of(file.name)
        if table not in inputs() or table == file.name:
            problems += _misnamed(file.name)
        elif table in where:
            problems.append(Problem(file.name, f"the table is in {where[table]} too", remedy="delete one of the files"))
        else:
            frame, wrong = tables.read_csv(file, table)
            problems += wrong
            where[table] = file.name
            read.append(file)
            if frame is not None:
                cells[table] = frame
    other = tuple(file.name for file in files if file not in read)
    return _Found(folder, settings, places, cells, where, tuple(f.resolve() for f in read if f.exists()), other, tuple(problems))


def _misnamed(file: str) -> list[Problem]:
    """Return a problem if a file looks like a table but is none."""
    stem, suffix = re.sub(r"(?i)(\.gz)$", "", file).rpartition(".")[::2]
    if stem.lower() in inputs() and suffix.lower() in ("csv", "xlsx", "xls", "ods", "txt", "tsv", "parquet"):
        return [Problem(file, "is not read as a table", remedy=f"save it as {stem.lower()}.csv")]
    near = difflib.get_close_matches(stem.lower(), inputs(), n=1, cutoff=0.75)
    if suffix.lower() == "csv" and near:
        return [Problem(file, f"'{stem}' is no table of a study", remedy=f"did you mean '{near[0]}'?")]
    return []


def _read_settings(file: Path) -> tuple[dict[str, Any], dict[str, tuple[str, int | None]], list[Problem]]:
    """Return the keys of ``[study]``, the line of each, and problems of the file itself."""
    places: dict[str, tuple[str, int | None]] = {"": ("study.toml", None)}
    try:
        text = file.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text)
    except FileNotFoundError:
        return {}, {}, [Problem("study.toml", "is missing", remedy="add it, or start with 'gridplan new'")]
    except tomllib.TOMLDecodeError as error:
        return {}, {}, [Problem("study.toml", f"is no valid TOML: {error}")]
    except (OSError, UnicodeDecodeError) as error:
        return {}, {}, [Problem("study.toml", f"cannot be read: {error}", remedy="save it as UTF-8 text")]
    for number, line in enumerate(text.splitlines(), 1):
        if key := re.match(r"\s*[\"']?([\w-]+)[\"']?\s*=", line):
            places.setdefault(key[1], ("study.toml", number))
    problems = [
        Problem("study.toml", f"[{key}] is not known", remedy=suggest(key, ["study"])) for key in content if key != "study"
    ]
    settings = content.get("study")
    if not isinstance(settings, dict):
        return {}, {}, [*problems, Problem("study.toml", "has no section [study]", remedy="add it")]
    return settings, places, problems


def _read_workbook(path: Path) -> _Found:
    try:
        with python_calamine.CalamineWorkbook.from_path(path) as book:
            sheets = {name.strip(): book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    except (python_calamine.CalamineError, python_calamine.ZipError, python_calamine.PasswordError, OSError) as error:
        problem = Problem(path.name, f"cannot be read as a workbook: {error}", remedy="save it as .xlsx without a password")
        raise StudyError(f"study {path}", [problem]) from error
    places = {name: f"{path.name}, sheet '{name}'" for name in sheets}
    settings, setting_place, problems = _settings_sheet(sheets, path.name)
    cells = {}
    for name, rows in sheets.items():
        if name in inputs():
            frame, wrong = tables.frame(rows, places[name])
            problems += wrong
            cells |= {name: frame} if frame is not None else {}
        elif name != "study" and (near := difflib.get_close_matches(name.lower(), ["study", *inputs()], n=1, cutoff=0.75)):
            problems.append(Problem(places[name], "is no table of a study", remedy=f"did you mean '{near[0]}'?"))
    return _Found(path.parent, settings, setting_place, cells, places, (path.resolve(),), (), tuple(problems))


def _settings_sheet(
    sheets: Mapping[str, list[list[Any]]], book: str
) -> tuple[dict[str, Any], dict[str, tuple[str, int | None]], list[Problem]]:
    """Return what :func:`_read_settings` returns, from the sheet of keys and values."""
    where = f"{book}, sheet 'study'"
    rows = sheets.get("study", [])
    if not rows or [str(cell).strip().lower() for cell in rows[0][:2]] != ["key", "value"]:
        remedy = "add it with the columns 'key' and 'value'"
        return {}, {}, [Problem(where, "is missing" if not rows else "has no heading 'key', 'value'", remedy=remedy)]
    settings: dict[str, Any] = {}
    places: dict[str, tuple[str, int | None]] = {"": (where, None)}
    problems = []
    for number, (key, value, *_) in enumerate(rows[1:], 2):
        name = str(key).strip()
        if name in settings:
            problems.append(Problem(where, f"'{name}' is given twice", row=number, remedy="delete one of the rows"))
        elif name:
            settings[name], places[name] = value, (where, number)
    return settings, places, problems


# --- checking -----------------------------------------------------------------------------------------------------------------


def _settings(found: _Found) -> tuple[dict[str, Any], list[Problem]]:
    """Return the settings in their types; they are checked as a table of one row, `study` in the dictionary."""
    if not found.setting_place:  # there is no study.toml or sheet to speak of, which has been said
        return {"network": ""}, []
    simple = {key: value for key, value in found.settings.items() if isinstance(value, str | int | float)}
    frame = pd.DataFrame({key: pd.Series([value], dtype=object) for key, value in simple.items()}, index=[0])
    typed, wrong = tables.convert({"study": frame})
    problems = []
    for problem in wrong:
        where, row = found.setting_place.get(problem.column, found.setting_place[""])
        what = problem.what.replace("column of this table", "key of a study")
        remedy = problem.remedy and problem.remedy.replace("column", "key")
        problems.append(Problem(f"{where}, key '{problem.column}'", what, row=row, remedy=remedy))
    for key in found.settings.keys() - simple.keys():
        where, row = found.setting_place.get(key, found.setting_place[""])
        problems.append(Problem(f"{where}, key '{key}'", "holds neither text nor a number", row=row, remedy="give one value"))
    return typed["study"].iloc[0].to_dict(), problems


def _network(settings: Mapping[str, Any], found: _Found) -> tuple[str, tuple[Path, ...], list[Problem]]:
    """Return the network's source, its files, and a problem if there is no such file."""
    source = str(settings.get("network") or "")
    # One letter before the colon is a drive of Windows.
    if not source or re.match(r"[A-Za-z][\w+.-]+:", source):
        return source, (), []
    path = (found.folder / source).resolve()
    if path.is_dir():
        return str(path), tuple(sorted(file for file in path.rglob("*") if file.is_file())), []
    if path.is_file():
        return str(path), (path,), []
    where, row = found.setting_place["network"]
    near = suggest(source, [file.name for file in found.folder.iterdir() if not file.name.startswith(".")])
    return (
        source,
        (),
        [Problem(f"{where}, key 'network'", f"there is no file '{source}' in {found.folder}", row=row, remedy=near)],
    )


def _register(own: pd.DataFrame | None, where: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Join the study's assumptions with the defaults it does not override, and check the overrides."""
    base = tables.assumptions()
    shown = ["assumption", "value", "unit", "source", "evidence", "note"]
    usual = base[shown].assign(origin="default")
    if own is None or not set(shown) <= set(own):
        return usual, []
    given = own[shown].assign(origin="study")
    known = base.set_index("assumption")
    problems = []
    for at, row in enumerate(given.itertuples(index=False)):
        problems += [
            Problem(where, what, row=at + 2, column=column, remedy=remedy) for what, column, remedy in _override(row, known)
        ]
    rest = usual[~usual["assumption"].isin(given["assumption"])]
    return pd.concat([given, rest], ignore_index=True), problems


def _override(row: Any, known: pd.DataFrame) -> Iterator[tuple[str, str, str | None]]:
    """Say what is wrong with a study's value for an assumption of gridplan; its own assumptions it may call as it likes."""
    if row.assumption not in known.index:
        if near := difflib.get_close_matches(row.assumption, known.index, n=1, cutoff=0.8):
            yield f"'{row.assumption}' is no assumption of gridplan", "assumption", f"did you mean '{near[0]}'?"
        return
    usual = known.loc[row.assumption]
    if row.unit != usual["unit"]:
        yield f"'{row.unit}' is not the unit of {row.assumption}", "unit", f"give the value in {usual['unit']}"
    elif row.value < usual["low"] or row.value > usual["high"]:
        what = f"{row.value:g} is outside {usual['low']:g} to {usual['high']:g} [{row.unit}]"
        yield what, "value", None


def _source_problems(sources: pd.DataFrame | None, found: _Found, network: tuple[Path, ...]) -> list[Problem]:
    """Return files and sheets of the study for which no source and licence is given."""
    where = found.where.get("sources", "sources.csv")
    if sources is None:
        if "sources" in found.where:
            return []  # it could not be read, which has been said
        return [Problem(where, "is missing", remedy="add a row for every file of the study: file, content, source, licence")]
    if "file" not in sources:
        return []
    beside = [file.name for file in network if file.parent == found.folder.resolve()]
    held = {_table_of(name): name for name in (*found.other, *beside)}
    held |= {table: found.where[table] if found.where[table].endswith(SUFFIXES) else table for table in found.cells}
    needed = {key: name for key, name in held.items() if Path(key).stem.lower() not in NEED_NO_SOURCE}
    listed = {_table_of(str(name)) for name in sources["file"]}
    problems = []
    for key in sorted(needed.keys() - listed):
        near = difflib.get_close_matches(key, sorted(listed - held.keys()), n=1, cutoff=0.75)
        remedy = f"a row names '{near[0]}': is this meant?" if near else "add a row with its content, source and licence"
        problems.append(Problem(where, f"has no row for '{needed[key]}'", column="file", remedy=remedy))
    return problems


# --- writing ------------------------------------------------------------------------------------------------------------------


def scaffold(
    folder: str | Path,
    settings: Mapping[str, Any],
    content: Mapping[str, pd.DataFrame],
    *,
    files: Mapping[str, Path | str] | None = None,
) -> Path:
    """Write a study folder whole or not at all.

    Parameters
    ----------
    folder
        Folder to make; it may exist if it is empty.
    settings
        Keys of ``study.toml``.
    content
        Tables by name; they are written as they are, so that cells may be left to fill.
    files
        Other files by name: text, or a file or folder to copy.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StudyError
        The folder holds something already, or cannot be written.
    """
    target = refuse_existing(folder)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.", suffix=".part") as part:
            whole = Path(part) / "study"
            whole.mkdir()
            _fill(whole, settings, content, files or {})
            if target.exists():
                target.rmdir()
            whole.rename(target)
    except OSError as error:
        raise StudyError(f"new study {target}", [Problem(str(target), f"cannot be written: {error}")]) from error
    return target


def refuse_existing(folder: str | Path) -> Path:
    """Return the path of a folder that may be made; a StudyError says that it holds something already."""
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        remedy = "name a folder that does not exist yet"
        raise StudyError(f"new study {target}", [Problem(str(target), "exists already", remedy=remedy)])
    return target


def _fill(
    folder: Path, settings: Mapping[str, Any], content: Mapping[str, pd.DataFrame], files: Mapping[str, Path | str]
) -> None:
    lines = [f"{key} = {_toml(value)}" for key, value in settings.items()]
    (folder / "study.toml").write_text("\n".join(["[study]", *lines, ""]), encoding="utf-8", newline="\n")
    for name, frame in content.items():
        text = tables.to_csv(frame)
        if len(text) > LONG:
            (folder / f"{name}.csv.gz").write_bytes(_gzip(text))
        else:
            (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    for name, file in files.items():
        if isinstance(file, str):
            (folder / name).write_text(file, encoding="utf-8", newline="\n")
        elif file.is_dir():
            shutil.copytree(file, folder / name)
        else:
            shutil.copyfile(file, folder / name)


def _gzip(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)  # the same content gives the same file


def _toml(value: Any) -> str:
    """Return a TOML value; JSON's strings and numbers are TOML's, but for DEL."""
    plain = value if isinstance(value, str | int | float) else int(value)
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


def _settings_of(study: Study, network: str) -> dict[str, Any]:
    keys = ("name", "title", "description", "network", "base_year", "currency")
    return {key: getattr(study, key) for key in keys} | {"network": network, "base_year": int(study.base_year)}


def write_study(study: Study, folder: str | Path) -> Path:
    """Write a study as a folder, with its network file.

    Raises
    ------
    StudyError
        The folder holds something already, or cannot be written.
    """
    network = Path(study.network)
    local = network.is_absolute()
    name = network.name if local else study.network
    return scaffold(folder, _settings_of(study, name), study.tables, files={name: network} if local else None)


def write_workbook(study: Study, path: str | Path) -> Path:
    """Write a study as one ``.xlsx`` workbook; a network file stays where it is, the workbook names it.

    Raises
    ------
    StudyError
        A cell cannot stand in a workbook, or the file cannot be written.
    """
    target = Path(path)
    network = Path(study.network)
    source = Path(os.path.relpath(network, target.resolve().parent)).as_posix() if network.is_absolute() else study.network
    settings = _settings_of(study, source)
    sheets = {
        "study": pd.DataFrame({"key": list(settings), "value": pd.Series(list(settings.values()), dtype=object)}),
        **study.tables,
    }
    if problems := [problem for name, frame in sheets.items() for problem in _unfit(name, frame)]:
        raise StudyError(f"workbook {target}", problems)
    book = openpyxl.Workbook(write_only=True)
    part = target.with_name(f".{target.name}.part")
    try:
        for name, frame in sheets.items():
            sheet = book.create_sheet(name)
            for row in [list(frame), *frame.astype(object).where(frame.notna(), None).to_numpy().tolist()]:
                sheet.append([_sheet_cell(sheet, value) for value in row])
        book.save(part)
        part.replace(target)
    except OSError as error:
        raise StudyError(f"workbook {target}", [Problem(target.name, f"cannot be written: {error}")]) from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _unfit(name: str, frame: pd.DataFrame) -> Iterator[Problem]:
    """Yield the text cells that a workbook cannot hold."""
    for column in frame.select_dtypes(object):
        for row, cell in enumerate(frame[column], 2):
            if isinstance(cell, str) and (len(cell) > SHEET_CELL or ILLEGAL_CHARACTERS_RE.search(cell)):
                what = f"a cell of a workbook cannot hold this text: {cell[:20]!a}"
                yield Problem(
                    f"sheet '{name}'", what, row=row, column=column, remedy="shorten it or leave out control characters"
                )


def _sheet_cell(sheet: Any, value: Any) -> Any:
    """Return a cell; text stays text even where it looks like a formula or an error."""
    if not isinstance(value, str) or not value.startswith(("=", "#")):
        return value
    cell = WriteOnlyCell(sheet, value)
    cell.data_type = "s"
    return cell
