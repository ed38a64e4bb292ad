"""The checks of input tables: pandera schemas from the dictionary, and the rules that one column cannot express."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pandera.pandas as pa

from gridplan.errors import Problem, StudyError, suggest
from gridplan.tables._cells import CONVERTERS, KINDS, Words, as_text, blank, grouped, unreadable
from gridplan.tables._dictionary import Spec, known_table, match, names, near, specs

DTYPES = {"float": "float64", "int": "Int64", "bool": "boolean", "datetime": "datetime64[ns]", "str": None}


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
        raise StudyError(f"table '{next(iter(tables))}'" if len(tables) == 1 else "tables", problems)
    return typed


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
        if table in specs():
            typed[table], found[table] = _table(cells, table, places[table])
        else:
            found[table] = [Problem(places[table], f"'{table}' is no table of a study", remedy=near(table, names()))]
    for table in typed:
        found[table] += _reference_problems(typed, table, places[table])
    return {table: _final(part, table) for table, part in typed.items()}, [p for problems in found.values() for p in problems]


def schema(table: str) -> pa.DataFrameSchema:
    """Return the pandera schema of a table, built from the dictionary.

    Whole numbers have the type ``Int64`` and booleans ``boolean``, so that a cell may be empty where the dictionary allows it.

    Raises
    ------
    ParameterError
        The table is not in the dictionary.
    """
    rows = specs()[known_table(table)]
    named = {row.regex if row.pattern else row.column: _schema_column(row) for row in rows}
    keys = [row.column for row in rows if row.key]
    return pa.DataFrameSchema(named, unique=keys or None, report_duplicates="exclude_first", name=table)


def _schema_column(row: Spec) -> pa.Column:
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
        required=row.required == "yes",
        regex=row.pattern,
        title=row.label,
        description=row.description,
    )


def _table(cells: pd.DataFrame, table: str, where: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Return one table with the columns that the dictionary knows, typed, and its problems but for references."""
    heads = pd.Index([str(name) for name in cells.columns])
    problems = _heading_problems(list(heads), table, where)
    kept = [not twice and match(name, table) is not None for name, twice in zip(heads, heads.duplicated(), strict=True)]
    raw = (cells if all(kept) else cells.loc[:, kept]).set_axis(heads[kept], axis=1, copy=False)
    if not (raw.index.is_unique and pd.api.types.is_integer_dtype(raw.index)):
        raw = raw.reset_index(drop=True)
    typed, bad, unread = _typed(raw, table, where)
    problems += unread + _schema_problems(typed, bad, raw, table=table, where=where)
    return typed, problems + _duplicates(typed, table, where) + _step_problems(typed, table, where)


def _heading_problems(found: Sequence[str], table: str, where: str) -> list[Problem]:
    """Return columns that occur twice, are missing or unknown."""
    rows = specs()[table]
    twice = dict.fromkeys(name for name in found if found.count(name) > 1)
    problems = [Problem(where, "occurs twice", row=1, column=name, remedy="rename or delete one of them") for name in twice]
    for row in rows:
        if row.required == "yes" and not any(match(name, table) is row for name in found):
            what = f"is required and missing; {row.description[:1].lower()}{row.description[1:]}"
            problems.append(Problem(where, what, row=1, column=row.column, remedy=f"add a column '{row.column}'"))
    free = [row.column for row in rows if row.column not in found]
    for name in dict.fromkeys(found):
        if match(name, table) is None:
            meant = near(name, free)
            remedy = meant if meant.startswith("did you") else suggest("", (row.column for row in rows))
            problems.append(Problem(where, "is no column of this table", row=1, column=name, remedy=remedy))
    return problems


def _typed(raw: pd.DataFrame, table: str, where: str) -> tuple[pd.DataFrame, pd.DataFrame, list[Problem]]:
    """Return typed columns, which cells could not be read, and the problems of those."""
    series, bad, problems = {}, {}, []
    for name in raw:
        row, cells = match(name, table), raw[name]
        series[name] = CONVERTERS[row.type](cells)
        missing = series[name].isna()
        bad[name] = missing & ~cells.map(blank).astype(bool) if missing.any() else missing

        def words(at: int, row: Spec = row, cells: pd.Series = cells) -> Words:
            return unreadable(row, cells[at])

        problems += grouped(where, raw.index[bad[name]], words, name)
    return pd.DataFrame(series, index=raw.index), pd.DataFrame(bad, index=raw.index), problems


def _schema_problems(typed: pd.DataFrame, bad: pd.DataFrame, raw: pd.DataFrame, *, table: str, where: str) -> list[Problem]:
    """Return what pandera finds in the columns that are there, without the cells that could not be read at all."""
    rules = schema(table).update_columns({name: {"required": False} for name in schema(table).columns})
    rules.unique = None  # reported by _duplicates, which names the row above
    try:
        with warnings.catch_warnings():
            # pandera joins its lists of failures in a way that pandas will change; only their dtype depends on it.
            warnings.filterwarnings("ignore", "The behavior of DataFrame concatenation", FutureWarning)
            rules.validate(typed, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
    else:
        return []
    problems = []
    for (name, rule), rows in cases.groupby(["column", "check"], sort=False):
        row, cells = match(name, table), raw[name]
        labels = pd.Index(rows["index"].astype(int))

        def words(at: int, row: Spec = row, rule: str = rule, cells: pd.Series = cells) -> Words:
            return _value_words(row, rule, cells[at])

        problems += grouped(where, labels[~bad.loc[labels, name].to_numpy()], words, name)
    return problems


def _value_words(row: Spec, rule: str, cell: Any) -> Words:
    """Put one failed rule of the schema into words."""
    found = as_text(cell)
    if rule == "not_nullable":
        wanted = f"one of {', '.join(row.allowed)}" if row.allowed else f"{KINDS[row.type]}{row.in_unit}"
        return "is empty", f"fill in: {wanted}"
    if rule == "allowed":
        return f"'{found}' is not allowed", near(found, row.allowed)
    side, limit = ("below", row.low) if rule == "low" else ("above", row.high)
    return f"{found} is {side} {limit:g}{row.in_unit}", None


def _duplicates(typed: pd.DataFrame, table: str, where: str) -> list[Problem]:
    """Return rows whose key occurred above; keys that are blank or not allowed are reported as such already."""
    rows = [row for row in specs()[table] if row.key]
    keys = [row.column for row in rows]
    if not keys or not set(keys) <= set(typed):
        return []
    filled = typed[keys].dropna()
    for row in rows:
        filled = filled[_fits(filled[row.column], row)]
    twice = filled.index[filled.duplicated()]
    if twice.empty:
        return []
    first = {key: at for at, key in zip(filled.index[::-1], filled[::-1].itertuples(index=False, name=None), strict=True)}

    def words(at: int) -> Words:
        key = next(filled.loc[[at]].itertuples(index=False, name=None))
        said = " and ".join(f"{name} {as_text(value)}" for name, value in zip(keys, key, strict=True))
        return f"{said} stands in row {first[key] + 2} already", "delete or correct one of them"

    return grouped(where, twice, words, keys[-1])


def _fits(values: pd.Series, row: Spec) -> pd.Series:
    """Whether filled cells of a key are allowed and in range."""
    fit = values.isin(row.allowed) if row.allowed else pd.Series(True, index=values.index)
    if row.low is not None:
        fit &= values >= row.low
    return fit & (values <= row.high) if row.high is not None else fit


def _step_problems(typed: pd.DataFrame, table: str, where: str) -> list[Problem]:
    """Return moments of a key that are not in equal steps."""
    problems = []
    for row in specs()[table]:
        if row.type != "datetime" or not row.key or row.column not in typed or len(typed) < 3:
            continue
        steps = typed[row.column].diff().dt.total_seconds() / 60
        usual = steps[steps != 0].mode()
        odd = typed.index[steps.notna() & (steps != 0) & ~steps.isin(usual[:1])]

        def words(at: int, steps: pd.Series = steps, usual: pd.Series = usual) -> Words:
            what = f"comes {steps[at]:g} min after the row above; elsewhere it is {usual[0]:g} min"
            return what, "give equal steps of local standard time, without daylight saving"

        problems += grouped(where, odd, words, row.column)
    return problems


def _targets(typed: Mapping[str, pd.DataFrame], refers_to: str) -> set[str] | None:
    """Return the names that a reference may take; None if the table or column that holds them is absent."""
    table, _, column = refers_to.partition(".")
    if table not in typed:
        return None
    if refers_to == "profiles":
        return {name.removesuffix("_p") for name in typed[table] if name.endswith("_p")}
    return set(typed[table][column].dropna()) if column in typed[table] else None


def _reference_problems(typed: Mapping[str, pd.DataFrame], table: str, where: str) -> list[Problem]:
    """Return names that are not found where they refer to; what is in the network is checked once that is open."""
    problems = []
    for name, cells in typed[table].items():
        refers_to = match(name, table).refers_to
        aim = refers_to.partition(".")[0]
        if aim in ("", "network"):
            continue
        known = _targets(typed, refers_to)
        if known is None:
            if aim not in typed:
                what = f"refers to the table '{aim}', which is absent"
                problems.append(Problem(where, what, column=name, remedy=f"add the table '{aim}'"))
            continue

        def words(at: int, cells: pd.Series = cells, aim: str = aim, known: set[str] = known) -> Words:
            return f"'{cells[at]}' is not in '{aim}'", near(str(cells[at]), sorted(known))

        problems += grouped(where, cells.index[cells.notna() & ~cells.isin(known)], words, name)
    if table == "profiles":
        lone = [name for name in typed[table] if name.endswith("_q") and f"{name[:-2]}_p" not in typed[table]]
        problems += [Problem(where, f"has no '{n[:-2]}_p' beside it", row=1, column=n, remedy="add or rename it") for n in lone]
    return problems


def _final(typed: pd.DataFrame, table: str) -> pd.DataFrame:
    """Plain types where no cell is empty, empty text for no text, and the optional columns that are absent."""
    absent = [row for row in specs()[table] if not row.pattern and row.column not in typed]
    series = dict(typed.items())
    for row in absent:
        series[row.column] = CONVERTERS[row.type](pd.Series([None] * len(typed), index=typed.index, dtype=object))
    for name, column in series.items():
        if column.dtype in ("Int64", "boolean") and not column.isna().any():
            series[name] = column.astype("int64" if column.dtype == "Int64" else "bool")
        elif column.dtype == object:
            series[name] = column.fillna("")
    return pd.DataFrame(series, index=typed.index).reset_index(drop=True)
