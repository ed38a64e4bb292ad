"""Choices of the voltage group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

import pandas as pd

from gridplan.errors import ParameterError, Problem, suggest
from gridplan.hosting import Control

OBJECTIVES = ("energy", "losses", "peak")


@cache
def _table() -> pd.DataFrame:
    with resources.files("gridplan.applications.voltvar").joinpath("settings.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


def defaults() -> pd.DataFrame:
    """Default settings with their sources.

    Returns
    -------
    pd.DataFrame
        ``parameter``, ``value``, ``unit``, ``source``, ``evidence``, ``note``.
    """
    return _table().copy()


def published() -> pd.DataFrame:
    """Return published CVR factors.

    Returns
    -------
    pd.DataFrame
        ``name``, ``cvr_low``, ``cvr_high`` [% of energy for 1 % of voltage], ``source``, ``evidence``, ``note``.
    """
    with resources.files("gridplan.applications.voltvar").joinpath("published.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


def default(parameter: str) -> float:
    """Value of one default setting."""
    return float(_table().set_index("parameter").at[parameter, "value"])


@dataclass(frozen=True)
class Settings:
    """What the voltage group does where.

    Parameters
    ----------
    areas
        Areas covered; None: all. A transformer is controlled when it feeds a covered area; the limits hold for all buses that it
        feeds, the objective counts the covered areas and what no area holds (bus bar, transformer).
    taps
        Volt-var optimisation: tap changers and capacitor banks follow a schedule.
    inverters
        Curves that the generation in the covered areas follows; None: it stays as it is.
    objective
        ``energy`` taken (load and losses), ``losses``, or ``peak`` power (then energy).
    margin_pu
        Distance [pu] that the schedule keeps from the voltage limits of the case.
    operations_per_day
        Most changes of position a day [1] of each transformer and capacitor bank; None: no limit.
    transformers, shunts
        Elements that may be controlled. None: the transformers with a tap range whose primary side has the highest voltage of
        the network (or those with `oltc` set, if any), and the shunts with several steps.
    """

    areas: tuple[str, ...] | None = None
    taps: bool = True
    inverters: Control | None = None
    objective: Literal["energy", "losses", "peak"] = "energy"
    margin_pu: float = default("margin_pu")
    operations_per_day: int | None = int(default("operations_per_day"))
    transformers: tuple[int, ...] | None = None
    shunts: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.objective not in OBJECTIVES:
            problems.append(Problem("objective", f"{self.objective!r} is unknown; {suggest(self.objective, OBJECTIVES)}"))
        if not 0 <= self.margin_pu < 0.5:
            problems.append(Problem("margin_pu", f"{self.margin_pu} is not from 0 to 0.5 [pu]"))
        if self.operations_per_day is not None and not (self.operations_per_day >= 0 and self.operations_per_day % 1 == 0):
            problems.append(Problem("operations_per_day", f"{self.operations_per_day} is no whole number from 0 on"))
        if self.inverters is not None and not self.inverters.follows_voltage:
            problems.append(Problem("inverters", "the control has neither volt_var nor volt_watt", remedy="give a curve"))
        if problems:
            raise ParameterError("voltvar settings", problems)

    def covers(self, areas: Iterable[str]) -> list[str]:
        """Areas covered, of those that there are.

        Raises
        ------
        ParameterError
            An area named does not exist.
        """
        known = sorted(set(areas))
        unknown = [name for name in self.areas or () if name not in known]
        if unknown:
            raise ParameterError(
                "voltvar settings", [Problem("areas", f"'{n}' is no area; {suggest(n, known)}") for n in unknown]
            )
        return known if self.areas is None else [name for name in known if name in self.areas]
