"""Amounts by year, and frames of them: the checks that every function of economics asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from gridplan.errors import ParameterError, Problem


def checked(flows: pd.Series, what: str = "flows") -> pd.Series:
    """Return amounts by year in order of the years, as numbers.

    Raises
    ------
    ParameterError
        There is no year, a year is missing or occurs twice, or an amount is not a finite number.
    """
    if len(flows) == 0:
        raise ParameterError(what, [Problem(what, "hold no year", remedy="give at least one year with its amount")])
    years = pd.Index(flows.index)
    values = pd.to_numeric(pd.Series(flows.to_numpy(), index=years), errors="coerce")
    problems = list(_year_problems(years, what))
    bad = [str(year) for year in years[~np.isfinite(values.to_numpy(dtype=float))]]
    if bad:
        problems.append(Problem(what, f"{', '.join(bad[:20])}: the amount is not a number", remedy="give 0 if nothing flows"))
    if problems:
        raise ParameterError(what, problems)
    return values.astype(float).set_axis(years.astype(int)).sort_index()


def _year_problems(years: pd.Index, what: str) -> Iterable[Problem]:
    try:
        found = years.astype(float)
    except (TypeError, ValueError):
        yield Problem(what, f"the index holds {years[0]!r}, which is no year", remedy="index the amounts by year")
        return
    if not (np.isfinite(found) & (found == np.floor(found))).all():
        yield Problem(what, "the index holds what is no whole year", remedy="index the amounts by year")
        return
    if found.has_duplicates:
        twice = sorted({int(year) for year in found[found.duplicated()]})
        yield Problem(what, f"{', '.join(map(str, twice[:20]))} occurs twice", remedy="add the amounts of a year up")
    missing = sorted(set(range(int(found.min()), int(found.max()) + 1)) - set(found.astype(int)))
    if missing:
        said = ", ".join(map(str, missing[:20])) + (", ..." if len(missing) > 20 else "")
        yield Problem(what, f"{said} is missing between the first and the last year", remedy="give 0 if nothing flows")


def need(frame: pd.DataFrame, table: str, columns: Sequence[str], numbers: Sequence[str] = ()) -> None:
    """Refuse a table without columns, or with cells that are no number where numbers are needed.

    Raises
    ------
    ParameterError
        Holds every problem; rows are numbered as a spreadsheet shows them.
    """
    problems = [
        Problem(table, "is missing", column=name, remedy=f"add a column '{name}'")
        for name in (*columns, *numbers)
        if name not in frame
    ]
    for name in numbers:
        if name in frame:
            cells = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)
            rows = np.flatnonzero(~np.isfinite(cells))
            problems += [Problem(table, "is not a number", row=int(at) + 2, column=name) for at in rows[:20]]
    if problems:
        raise ParameterError(f"table '{table}'", problems)


def spread(values: pd.Series, years: Iterable[int]) -> pd.Series:
    """Return amounts for every year given, 0 where there is none."""
    return values.reindex(pd.Index(list(years), name="year"), fill_value=0.0)
