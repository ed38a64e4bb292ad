"""Studies read and checked."""

from __future__ import annotations

import difflib
import html
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import python_calamine

from gridplan import tables
from gridplan.errors import Problem, StudyError, suggest

SUFFIXES = (".csv", ".csv.gz")
NOT_INPUT = ("study", "results")  # of the dictionary: the settings, and the labels of results
NEED_NO_SOURCE = ("study", "sources", "readme", "licence", "licences", "license", "licenses", "dictionary")
NEEDED = ("customers", "assignments", "profiles")  # without these tables notebooks stop
YEAR_H = (8760, 8784)  # hours of a common year and of a leap year
COLLECTED = re.compile(r"[A-Za-z][\w+.-]+:")  # pandapower:, simbench:; one letter before the colon is a drive of Windows


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


def network_files(path: str | Path) -> tuple[Path, ...]:
    """Return the files of a study's network, wherever they are, without reading a table.

    Parameters
    ----------
    path
        As for :func:`read_study`; whatever is wrong there is for that function to tell.

    Returns
    -------
    tuple
        Empty where the network is collected by name, and where none can be found.
    """
    place = Path(path)
    place = place.parent if place.name == "study.toml" else place
    if place.is_dir():
        settings, folder = _read_settings(place / "study.toml")[0], place
    else:
        settings, folder = _workbook_settings(place), place.parent
    source = str(settings.get("network") or "")
    return () if not source or COLLECTED.match(source) else _files_at((folder / source).resolve())


def _workbook_settings(path: Path) -> dict[str, Any]:
    try:
        with python_calamine.CalamineWorkbook.from_path(path) as book:
            name = next((name for name in book.sheet_names if name.strip() == "study"), None)
            sheets = {"study": book.get_sheet_by_name(name).to_python(skip_empty_area=False)} if name else {}
    except (python_calamine.CalamineError, python_calamine.ZipError, python_calamine.PasswordError, OSError):
        return {}
    return _settings_sheet(sheets, path.name)[0]


def _files_at(path: Path) -> tuple[Path, ...]:
    """Return the files of a network: one, or all of a folder; none where there is nothing."""
    if path.is_dir():
        return tuple(sorted(file for file in path.rglob("*") if file.is_file()))
    return (path,) if path.is_file() else ()


def _no_study(place: Path) -> Problem:
    if place.is_file():
        return Problem(str(place), "is neither a study folder nor an .xlsx workbook", remedy="give one of these")
    there = place.absolute()
    while not there.parent.is_dir():
        there = there.parent
    kind = "file" if there.suffix else "folder"
    known = sorted(p.name for p in there.parent.iterdir() if (p.is_dir() or p.suffix == ".xlsx") and not p.name.startswith("."))
    return Problem(str(place), f"there is no {kind} '{there.name}' in {there.parent}", remedy=suggest(there.name, known))


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
    """Return the network's source, its files, and a problem if there is no such file; the source is then empty."""
    source = str(settings.get("network") or "")
    if not source or COLLECTED.match(source):
        return source, (), []
    path = (found.folder / source).resolve()
    if path.is_dir() or path.is_file():
        return str(path), _files_at(path), []
    where, row = found.setting_place["network"]
    near = suggest(source, [file.name for file in found.folder.iterdir() if not file.name.startswith(".")])
    return "", (), [Problem(f"{where}, key 'network'", f"there is no file '{source}' in {found.folder}", row=row, remedy=near)]


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
    problems, meant = [], set()
    for key in sorted(needed.keys() - listed):
        near = difflib.get_close_matches(key, sorted(listed - held.keys()), n=1, cutoff=0.75)
        meant.update(near)
        remedy = f"a row names '{near[0]}': is this meant?" if near else "add a row with its content, source and licence"
        problems.append(Problem(where, f"has no row for '{needed[key]}'", column="file", remedy=remedy))
    return [*problems, *_absent_sources(sources["file"], found, held.keys() | meant)]


def _absent_sources(named: pd.Series, found: _Found, known: Set[str]) -> Iterator[Problem]:
    """Yield the rows that name a file which the folder does not hold; a workbook may name the files it was made from."""
    where = found.where["sources"]
    for row, name in enumerate(named if where.endswith(SUFFIXES) else (), 2):
        if isinstance(name, str) and name and not is_listed(name, known) and not (found.folder / name).exists():
            what = f"'{name}' is not in the folder of the study"
            yield Problem(where, what, row=row, column="file", remedy="add the file, or delete the row")


def is_listed(name: str, known: Iterable[str]) -> bool:
    """Tell whether a row of `sources` names one of the known tables and files, a collection, or a page about the study."""
    key = _table_of(name)
    return key in known or bool(COLLECTED.match(name)) or Path(key).stem.lower() in NEED_NO_SOURCE


def doubts(study: Study) -> tuple[Problem, ...]:
    """Return what is no fault of a study's tables but makes analyses fail or mislead.

    Parameters
    ----------
    study
        Study without problems.

    Returns
    -------
    tuple
        A table `profiles` that does not hold a year; tables without which the notebooks cannot run.
    """
    found = []
    if "profiles" in study.tables and (hours := _hours(study.tables["profiles"]["time"])) is not None:
        remedy = "energy, hours of overload and the peak of the year are those of this time only; give a whole year"
        if not YEAR_H[0] <= hours <= YEAR_H[1]:
            found.append(Problem(place(study, "profiles"), f"holds {hours:g} h, not a year", remedy=remedy))
    missing = [name for name in NEEDED if name not in study.tables]
    if missing:
        tables_of = f"the table{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
        remedy = "add " + ", ".join(f"{name}.csv" if study.path.is_dir() else f"a sheet '{name}'" for name in missing)
        found.append(
            Problem("study", f"{tables_of} {'are' if len(missing) > 1 else 'is'} missing; notebooks need them", remedy=remedy)
        )
    return tuple(found)


def _hours(time: pd.Series) -> float | None:
    """Return the time that equal steps cover [h]; None if one step alone does not tell how long it is."""
    return len(time) * (time.iloc[1] - time.iloc[0]) / pd.Timedelta(hours=1) if len(time) > 1 else None


def place(study: Study, table: str) -> str:
    """Name the file that holds a table of a study, or the sheet of a workbook."""
    names = [file.name for file in study.files if file.name.split(".")[0] == table]
    return names[0] if names else f"{study.path.name}, sheet '{table}'"
