"""The checks of input tables: pandera schemas from the dictionary, and the rules that one column cannot express."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import pandera.pandas as pa

from gridplan.errors import ParameterError, Problem, StudyError, suggest
from gridplan.tables._cells import CONVERTERS, KINDS, blank, grouped, text, unreadable
from gridplan.tables._dictionary import Spec, names, spec, specs

DTYPES = {"float": "float64", "int": "Int64", "bool": "boolean", "datetime": "datetime64[ns]", "str": None}


def _pandera_column(row: Spec) -> pa.Column:
    checks = []
    if row.low is not None:
        checks.append(pa.Check.ge(row.low, error="low"))
    if row.high is not None:
        checks.append(pa.Check.le(row.high, error="high"))
    if row.allowed:
        checks.append(pa.Check.isin(row.allowed, error="allowed"))
    return pa.Column(
        DTYPES[row.type],
        checks,
        nullable=row.required == "no",
        required=row.required == "yes" and not row.pattern,  # pandera asks for one match of a pattern only in words of its own
        regex=row.pattern,
        title=row.label,
        description=row.description,
    )


def schema(table: str) -> pa.DataFrameSchema:
    """Return the pandera schema of a table, built from the dictionary.

    Whole numbers have the type ``Int64`` and booleans ``boolean``, so that a cell may be empty where the dictionary allows it.

    Raises
    ------
    ParameterError
        The table is not in the dictionary.
    """
    if table not in specs():
        raise ParameterError("column dictionary", [Problem(f"table '{table}'", "does not exist", remedy=suggest(table, names()))])
    rows = specs()[table]
    named = {_regex(row.column) if row.pattern else row.column: _pandera_column(row) for row in rows}
    keys = [row.column for row in rows if row.key]
    return pa.DataFrameSchema(named, unique=keys or None, report_duplicates="exclude_first", name=table)


def _regex(pattern: str) -> str:
    return f"^{re.escape(pattern).replace(re.escape('*'), '.+')}$"


def _columns_problems(found: Sequence[str], table: str, where: str) -> list[Problem]:
    """Columns that occur twice, are unknown or missing."""
    rows = specs()[table]
    known = [row.column for row in rows]
    problems = [
        Problem(where, "the column occurs twice", row=1, column=name, remedy="rename or delete one of them")
        for name in dict.fromkeys(found)
        if name and list(found).count(name) > 1
    ]
    for row in rows:
        if row.required == "yes" and not any(row.matches(name) for name in found):
            what = f"a required column is missing; it holds: {row.description}"
            problems.append(Problem(where, what, row=1, column=row.column, remedy="add it"))
    free = [name for name in known if name not in found]
    for name in dict.fromkeys(found):
        if name and not any(row.matches(name) for row in rows):
            near = _near(name, free)
            remedy = near if near.startswith("did") else suggest("", known)
            problems.append(Problem(where, "unknown column", row=1, column=name, remedy=remedy))
    return problems


def _near(name: str, known: Iterable[str]) -> str:
    """Suggest a name; capitals do not count."""
    given = list(known)
    lower = {k.lower(): k for k in given}
    return f"did you mean '{lower[name.lower()]}'?" if name.lower() in lower else suggest(name, given)


def _typed(raw: pd.DataFrame, table: str, where: str) -> tuple[pd.DataFrame, pd.DataFrame, list[Problem]]:
    """Return the known columns in their types, where their cells could not be read, and the problems of those."""
    series, bad, problems = {}, {}, []
    for name in raw.columns:
        row = next((s for s in sorted(specs()[table], key=lambda s: s.pattern) if s.matches(name)), None)
        if row is None:
            continue
        cells = raw[name]
        series[name] = CONVERTERS[row.type](cells)
        missing = series[name].isna()
        bad[name] = missing & ~cells.map(blank).astype(bool) if missing.any() else missing
        labels = raw.index[bad[name]]
        problems += grouped(where, labels, lambda at, cells=cells, row=row: unreadable(row, cells.at[at]), name)
    return pd.DataFrame(series, index=raw.index), pd.DataFrame(bad, index=raw.index), problems


def _value_problem(row: Spec, check: str, cell: Any) -> tuple[str, str | None]:
    """Put one failed check of the schema into words."""
    if check == "not_nullable":
        return f"the cell is empty; a {KINDS[row.type]}{row.in_unit} is required", None
    found = as_text(cell)
    if check == "low":
        return f"{found} is below {row.low:g}{row.in_unit}", None
    if check == "high":
        return f"{found} is above {row.high:g}{row.in_unit}", None
    if check == "allowed":
        return f"'{found}' is not allowed", _near(found, row.allowed)
    return f"'{found}' fails the check {check}", None


def _schema_problems(typed: pd.DataFrame, bad: pd.DataFrame, raw: pd.DataFrame, table: str, where: str) -> list[Problem]:
    """What pandera finds in the typed columns, without the cells that could not be read at all."""
    rules = schema(table)
    rules.unique = None if rules.unique is None or not set(rules.unique) <= set(typed) else rules.unique
    for name in [name for name, column in rules.columns.items() if not column.regex and name not in typed]:
        rules = rules.remove_columns([name])
    try:
        rules.validate(typed, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
    else:
        return []
    problems = []
    for (name, check), rows in cases[cases["check"] != "multiple_fields_uniqueness"].groupby(["column", "check"], sort=False):
        labels = [at for at in rows["index"].astype(int) if not bad.at[at, name]]
        row, cells = spec(name, table), raw[name]
        problems += grouped(
            where, labels, lambda at, cells=cells, row=row, check=check: _value_problem(row, check, cells.at[at]), name
        )
    return problems + _duplicates(typed, rules.unique, where)


def _duplicates(typed: pd.DataFrame, keys: Sequence[str] | None, where: str) -> list[Problem]:
    """Rows whose key occurred above; blank keys are reported as such already."""
    if not keys:
        return []
    filled = typed[list(keys)].dropna()
    first = filled.drop_duplicates().reset_index(names="_row").set_index(list(keys))["_row"]

    def words(at: int) -> tuple[str, str | None]:
        key = tuple(filled.loc[at])
        above = first.loc[key if len(keys) > 1 else key[0]]
        said = " and ".join(f"{name} {as_text(value)}" for name, value in zip(keys, key, strict=True))
        return f"{said} is in row {int(above) + 2} already", "delete or correct one of them"

    return grouped(where, filled.index[filled.duplicated()], words, " and ".join(keys) if len(keys) > 1 else keys[0])


def _step_problems(typed: pd.DataFrame, table: str, where: str) -> list[Problem]:
    """Times of a key that are not in equal steps."""
    problems = []
    for row in specs()[table]:
        if row.type != "datetime" or not row.key or row.column not in typed or len(typed) < 3:
            continue
        steps = typed[row.column].diff()
        usual = steps.mode().iloc[0] if steps.notna().any() else pd.Timedelta(0)
        odd = steps.notna() & (steps != usual) & (steps != pd.Timedelta(0))
        problems += grouped(
            where,
            typed.index[odd],
            lambda at, steps=steps, usual=usual: (
                f"comes {_minutes(steps.at[at])} after the row above, elsewhere it is {_minutes(usual)}",
                "give equal steps of local standard time, without daylight saving",
            ),
            row.column,
        )
    return problems


def _minutes(step: pd.Timedelta) -> str:
    return f"{step.total_seconds() / 60:g} min"


def _targets(typed: Mapping[str, pd.DataFrame], refers_to: str) -> set[str] | None:
    """Return the names that a reference may take; None if they are not in these tables."""
    if refers_to == "profiles":
        table = typed.get("profiles")
        return None if table is None else {name[:-2] for name in table if name.endswith("_p")}
    table, _, column = refers_to.partition(".")
    if table == "network" or table not in typed or column not in typed[table]:
        return None
    return set(typed[table][column].dropna())


def _reference_problems(typed: Mapping[str, pd.DataFrame], table: str, where: str) -> list[Problem]:
    """Names that are not found in the table to which they refer."""
    problems = []
    for name in typed[table]:
        row = spec(name, table)
        aim = row.refers_to.partition(".")[0]
        if not aim or aim == "network":
            continue
        known = _targets(typed, row.refers_to)
        if known is None:
            if aim not in typed:
                problems.append(
                    Problem(where, f"refers to the table '{aim}', which is absent", column=name, remedy=f"add '{aim}'")
                )
            continue
        cells = typed[table][name].dropna()
        problems += grouped(
            where,
            cells.index[~cells.isin(known)],
            lambda at, cells=cells, aim=aim, known=known: (
                f"'{cells.at[at]}' is not in '{aim}'",
                _near(cells.at[at], sorted(known)),
            ),
            name,
        )
    if table == "profiles":
        lone = [name for name in typed[table] if name.endswith("_q") and f"{name[:-2]}_p" not in typed[table]]
        problems += [Problem(where, f"has no column '{n[:-2]}_p'", row=1, column=n, remedy=f"add '{n[:-2]}_p'") for n in lone]
    return problems


def _final(typed: pd.DataFrame, table: str) -> pd.DataFrame:
    """Plain types where no cell is empty, blank text for empty text, and the optional columns that are absent."""
    series = {}
    for name in typed:
        column = typed[name]
        if column.dtype in ("Int64", "boolean") and not column.isna().any():
            column = column.astype("int64" if column.dtype == "Int64" else "bool")
        series[name] = column.fillna("") if column.dtype == object else column
    for row in specs()[table]:
        if row.column not in typed and not row.pattern:
            empty = pd.Series([None] * len(typed), index=typed.index, dtype=object)
            series[row.column] = empty.fillna("") if row.type == "str" else CONVERTERS[row.type](empty)
    return pd.DataFrame(series, index=typed.index).reset_index(drop=True)


def convert(
    raw: Mapping[str, pd.DataFrame], where: Mapping[str, str] | None = None
) -> tuple[dict[str, pd.DataFrame], list[Problem]]:
    """Convert tables of cells as found into typed tables, and collect every problem of every table.

    Parameters
    ----------
    raw
        Frames by table name; cells may be text, numbers, booleans or moments. Row label + 2 is the row named in a problem. Not
        changed.
    where
        Name of the file or sheet of each table, for the messages; by default ``<table>.csv``.

    Returns
    -------
    tuple
        The typed tables (fit for use only if there are no problems), and the problems.
    """
    places = {table: (where or {}).get(table, f"{table}.csv") for table in raw}
    typed: dict[str, pd.DataFrame] = {}
    found: dict[str, list[Problem]] = {}
    for table, cells in raw.items():
        place = places[table]
        if table not in specs():
            found[table] = [Problem(place, f"'{table}' is no table of a study", remedy=_near(table, names()))]
            continue
        heads = [str(name) for name in cells.columns]
        found[table] = _columns_problems(heads, table, place)
        kept = ~pd.Index(heads).duplicated()
        unique = cells.loc[:, kept].set_axis(pd.Index(heads)[kept], axis=1)
        if not (unique.index.is_unique and pd.api.types.is_integer_dtype(unique.index)):
            unique = unique.reset_index(drop=True)
        typed[table], bad, problems = _typed(unique, table, place)
        found[table] += problems + _schema_problems(typed[table], bad, unique, table, place)
        found[table] += _step_problems(typed[table], table, place)
    for table in typed:
        found[table] += _reference_problems(typed, table, places[table])
    return {table: _final(part, table) for table, part in typed.items()}, [p for problems in found.values() for p in problems]


def check(tables: Mapping[str, pd.DataFrame], *, where: Mapping[str, str] | None = None) -> dict[str, pd.DataFrame]:
    """Check tables against the dictionary and return them in the types it names.

    Parameters
    ----------
    tables
        Frames by table name, as for :func:`convert`; not changed.
    where
        Name of the file or sheet of each table, for the messages.

    Returns
    -------
    dict
        The tables with typed columns; optional columns that are absent are added empty.

    Raises
    ------
    StudyError
        Anything is wrong; holds every problem of every table.
    """
    typed, problems = convert(tables, where)
    if problems:
        raise StudyError("tables" if len(tables) != 1 else f"table '{next(iter(tables))}'", problems)
    return typed
