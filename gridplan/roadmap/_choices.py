"""What a planner chooses when a roadmap is solved: years, discount rate, objective, carry-over, limits of the search."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from gridplan.errors import ParameterError, Problem

OBJECTIVES = ("npv", "benefit", "cost", "score")


@dataclass(frozen=True)
class Choices:
    """Choices of the planner for one roadmap.

    Parameters
    ----------
    first_year, last_year
        First and last year of the plan; projects start on 1 January of a year and are delivered by the end of the last year.
    discount_percent
        Discount rate [%/yr], real, since costs and benefits are in money of one year.
    base_year
        Year to which values are discounted; the first year by default. An amount of year t is divided by
        (1 + rate)^(t - base_year).
    objective
        ``npv`` (benefit less cost), ``benefit`` (present value of benefits only), ``cost`` (least present value of cost; with
        targets), ``score`` (sum of the scores of the projects chosen), ``least <kpi>`` or ``most <kpi>`` (sum of a KPI over the
        years of the plan).
    secondary
        Objective among plans within `tolerance_percent` of the best primary value. Whatever is left equal is settled by rule:
        fewer and earlier starts, then names in order of the alphabet.
    tolerance_percent
        How far the primary value may fall below the best found for the sake of the secondary [%].
    per_cost
        Divide the objective by the present value of cost [per kEUR] and seek the highest ratio: customer minutes per euro.
    carry_over
        Whether a budget that is not spent in a year may be spent later.
    replace
        Whether a project is built anew at the end of its lifetime, in the budget of those years.
    residual
        Whether the share of life left after the last year is credited, straight line, as money of the year after it.
    gap_percent
        Gap between the plan and the bound at which the search ends [%].
    time_limit_s
        Time after which the best plan so far is returned with its gap [s].
    threads
        Threads of the solver; with one the search is repeatable unless the time limit ends it. The search of large portfolios
        looks at two nodes side by side whatever this says, and takes the same steps on one core or more.
    """

    first_year: int
    last_year: int
    discount_percent: float
    base_year: int | None = None
    objective: str = "npv"
    secondary: str | None = None
    tolerance_percent: float = 0.5
    per_cost: bool = False
    carry_over: bool = False
    replace: bool = True
    residual: bool = True
    gap_percent: float = 0.01
    time_limit_s: float = 60.0
    threads: int = 1

    @property
    def years(self) -> range:
        """Years of the plan."""
        return range(self.first_year, self.last_year + 1)

    def factor(self, year: int) -> float:
        """Return the discount factor of a year."""
        base = self.first_year if self.base_year is None else self.base_year
        return (1 + self.discount_percent / 100) ** (base - year)


def refuse(choices: Choices, kpis: list[str]) -> None:
    """Raise for choices that make no sense.

    Raises
    ------
    ParameterError
        With every problem.
    """
    problems = [*_numbers(choices), *_objectives(choices, kpis)]
    if problems:
        raise ParameterError("choices of the roadmap", problems)


def _numbers(choices: Choices) -> Iterator[Problem]:
    if choices.last_year < choices.first_year:
        yield Problem("last_year", f"{choices.last_year} is before the first year {choices.first_year}")
    if len(choices.years) > 60:
        yield Problem("last_year", f"{len(choices.years)} years are more than 60", remedy="give a shorter plan")
    if not (math.isfinite(choices.discount_percent) and choices.discount_percent > -100):
        yield Problem("discount_percent", f"{choices.discount_percent} is not a number above -100 [%/yr]")
    for name, low in (("tolerance_percent", 0.0), ("gap_percent", 0.0), ("time_limit_s", 1e-3), ("threads", 1)):
        value = getattr(choices, name)
        if not (math.isfinite(value) and value >= low):
            yield Problem(name, f"{value} is not a number of at least {low:g}")


def _objectives(choices: Choices, kpis: list[str]) -> Iterator[Problem]:
    known = [*OBJECTIVES, *(f"{word} {kpi}" for kpi in kpis for word in ("least", "most"))]
    for name in ("objective", "secondary"):
        value = getattr(choices, name)
        if value not in known and not (name == "secondary" and value is None):
            yield Problem(name, f"'{value}' is no objective", remedy=f"known: {', '.join(known)}")
    if choices.per_cost and choices.objective == "cost":
        yield Problem("per_cost", "cost over cost is always 1", remedy="choose another objective")
