"""Tables that come with gridplan."""

from __future__ import annotations

import functools
from importlib import resources

import pandas as pd

from gridplan.errors import ParameterError, Problem, suggest


def bundled(package: str, name: str, *, missing: bool | tuple[str, ...] = False, known: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return a table that comes with gridplan: a copy, to be changed at will.

    Parameters
    ----------
    package
        Package that holds the file: ``gridplan.scoring``.
    name
        Name of the file without its ending.
    missing
        Whether empty cells are missing values, or in which columns they are; elsewhere they are empty text.
    known
        Names to choose from, where a user gives the name.

    Raises
    ------
    ParameterError
        The name is not one of those known.

    Examples
    --------
    >>> bundled("gridplan.capability", "levels")["level"].tolist()
    [0, 1, 2, 3, 4, 5]
    """
    if known and name not in known:
        problem = Problem("name", f"'{name}' does not come with gridplan", remedy=suggest(name, known))
        raise ParameterError("bundled table", [problem])
    return _read(package, name, missing).copy()


@functools.cache
def _read(package: str, name: str, missing: bool | tuple[str, ...]) -> pd.DataFrame:
    empty = {column: [""] for column in missing} if isinstance(missing, tuple) else None
    with resources.files(package).joinpath(f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, keep_default_na=missing is True, na_values=empty)
