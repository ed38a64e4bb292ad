"""What projects cost: spend by year, replacement, residual value, present value and equivalent annual cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from gridplan.errors import ParameterError, Problem, suggest
from gridplan.valuation._appraisal import present_value
from gridplan.valuation._discount import Discount, annuity_factor, discount_factors
from gridplan.valuation._flows import checked, need

RESIDUALS = ("straight_line", "annuity", "none")
"""How an asset that outlives the horizon is valued: by the share of its life that is left, by the annuities left, or not."""

COSTS = ("utility_capex", "utility_opex", "residual_value")
"""Streams of cost of a project."""

_NUMBERS = ["capex_keur", "opex_keur_per_yr", "duration_yr"]


def asset_flows(
    capex_keur: float,
    lifetime_yr: float,
    *,
    service_year: int,
    last_year: int,
    residual: str = "straight_line",
    rate: float | None = None,
) -> pd.DataFrame:
    """Return what an asset costs over a horizon: bought, replaced at the end of its life, and worth something at the end.

    Parameters
    ----------
    capex_keur
        Capital cost, the same at each replacement (real) [kEUR].
    lifetime_yr
        Years of service, rounded up to whole ones [yr].
    service_year
        First year in service; the asset is paid then.
    last_year
        Last year of the horizon.
    residual
        ``straight_line``: the capital cost times the share of the life that is left. ``annuity``: the present value of the equal
        annual costs that are left; with it the cost within the horizon is the equivalent annual cost of an endless chain of
        replacements, so that plans of different lives compare. ``none``: nothing.
    rate
        Constant discount rate [1] for ``annuity``.

    Returns
    -------
    pd.DataFrame
        `stream` (``utility_capex`` or ``residual_value``), `year`, `value_keur` (costs negative). The residual value stands in
        the year after the last one, the day on which somebody else would take the asset over.

    Raises
    ------
    ParameterError
        A lifetime of nothing, a horizon that ends before the service begins, an unknown residual or a rate that is missing.
    """
    _refuse(capex_keur, lifetime_yr, last_year - service_year + 1, residual, rate)
    life = math.ceil(lifetime_yr)
    bought = range(service_year, last_year + 1, life)
    rows = [("utility_capex", year, -capex_keur) for year in bought]
    left = bought[-1] + life - 1 - last_year
    if left and residual != "none":
        rows.append(("residual_value", last_year + 1, capex_keur * _left(left, life, residual, rate)))
    return pd.DataFrame(rows, columns=["stream", "year", "value_keur"])


def _refuse(capex: float, life: float, years: int, residual: str, rate: float | None) -> None:
    problems = []
    if not (math.isfinite(capex) and capex >= 0):
        problems.append(Problem("capex_keur", f"{capex} is not a number of at least 0 [kEUR]"))
    if not (math.isfinite(life) and life > 0):
        problems.append(Problem("lifetime_yr", f"{life} is not above 0 [yr]"))
    if years < 1:
        what = "the horizon ends before the first year in service"
        problems.append(Problem("last_year", what, remedy="give a later last year, or leave the project out"))
    if residual not in RESIDUALS:
        problems.append(Problem("residual", f"'{residual}' is not known", remedy=suggest(residual, RESIDUALS)))
    elif residual == "annuity" and rate is None:
        problems.append(Problem("rate", "is missing", remedy="give a constant rate for a residual value by annuities"))
    if problems:
        raise ParameterError("asset", problems)


def _left(left: int, life: int, residual: str, rate: float | None) -> float:
    """Return the share of the capital cost that is left."""
    return left / life if residual == "straight_line" else annuity_factor(rate, left) / annuity_factor(rate, life)


def project_flows(
    projects: pd.DataFrame,
    *,
    last_year: int,
    starts: int | Mapping[str, int],
    residual: str = "straight_line",
    rate: float | None = None,
) -> pd.DataFrame:
    """Return what projects cost by year.

    Parameters
    ----------
    projects
        `project`, `capex_keur` [kEUR], `opex_keur_per_yr` [kEUR/yr], `duration_yr`, `lifetime_yr` [yr] (empty: it outlasts the
        plan and has no residual value); `spend_profile`, if it is there: shares of the capital cost by year, separated by ``|``.
    last_year
        Last year of the horizon.
    starts
        Year in which each project starts, or one for all. Projects that a mapping does not name are not built.
    residual, rate
        As for :func:`asset_flows`.

    Returns
    -------
    pd.DataFrame
        `project`, `stream` (one of :data:`COSTS`), `year`, `value_keur` (costs negative). The capital cost is spent from the
        start on as its profile says, evenly over the duration without one. From the first whole year after the duration on the
        project is in service and has its running cost. If its life ends within the horizon it is bought again in time, with
        the same profile.

    Raises
    ------
    ParameterError
        A column is missing, a cell is no number, a lifetime is nothing, or a project is not in service before the horizon ends.
    """
    need(projects, "projects", ["project", "lifetime_yr"], _NUMBERS)
    if not isinstance(starts, Mapping):
        starts = dict.fromkeys(projects["project"], int(starts))
    unknown = [name for name in starts if name not in set(projects["project"])]
    problems = [Problem("starts", f"'{name}' is no project", remedy=suggest(name, projects["project"])) for name in unknown]
    chosen = projects[projects["project"].isin(list(starts))]
    chosen, wrong = _with_lifetimes(chosen)
    problems += [*wrong, *_project_problems(chosen, starts, last_year)]
    if problems:
        raise ParameterError("cost of projects", problems)
    parts = [
        _flows_of(row, int(starts[row.project]), last_year, residual=residual, rate=rate).assign(project=row.project)
        for row in chosen.itertuples()
    ]
    columns = ["project", "stream", "year", "value_keur"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _with_lifetimes(projects: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the projects with lifetimes as numbers or missing; and what is wrong with them or given twice."""
    raw = projects["lifetime_yr"]
    life = pd.to_numeric(raw, errors="coerce")
    odd = raw.index[life.isna() & raw.notna() & (raw.astype(str).str.strip() != "")]
    problems = [Problem("projects", f"'{raw[at]}' is not a number [yr]", row=int(at) + 2, column="lifetime_yr") for at in odd]
    twice = projects.index[projects["project"].duplicated()]
    problems += [
        Problem("projects", f"'{projects.at[at, 'project']}' stands in an earlier row already", row=int(at) + 2, column="project")
        for at in twice
    ]
    return projects.assign(lifetime_yr=life.astype(float)), problems


def _project_problems(projects: pd.DataFrame, starts: Mapping[str, int], last_year: int) -> Iterator[Problem]:
    for row in projects.itertuples():
        at = int(row.Index) + 2
        if row.lifetime_yr <= 0:  # empty passes
            yield Problem("projects", f"{row.lifetime_yr:g} is not above 0 [yr]", row=at, column="lifetime_yr")
        for name in ("capex_keur", "opex_keur_per_yr", "duration_yr"):
            if getattr(row, name) < 0:
                yield Problem("projects", f"{getattr(row, name):g} is below 0", row=at, column=name)
        if said := _wrong_profile(getattr(row, "spend_profile", "")):
            yield Problem("projects", said, row=at, column="spend_profile")
        first = int(starts[row.project]) + math.ceil(max(row.duration_yr, 0))
        if first > last_year:
            what = f"'{row.project}' is in service from {first} on, after the last year {last_year}"
            yield Problem("starts", what, remedy="start it earlier, or give a later last year")


def _flows_of(row, start: int, last_year: int, *, residual: str, rate: float | None) -> pd.DataFrame:
    """Return the flows of one project."""
    service = start + math.ceil(row.duration_yr)
    shares = _shares(getattr(row, "spend_profile", ""), row.duration_yr)
    life = None if math.isnan(row.lifetime_yr) else math.ceil(row.lifetime_yr)
    _refuse(row.capex_keur, life or 1, last_year - service + 1, residual, rate)
    bought = list(range(service, last_year + 1, life)) if life else [service]
    spent = np.arange(start, start + len(shares))
    parts = [_rows("utility_capex", spent + again - service, -row.capex_keur * shares) for again in bought]
    left = bought[-1] + life - 1 - last_year if life else 0
    if left and residual != "none":
        parts.append(_rows("residual_value", np.array([last_year + 1]), row.capex_keur * _left(left, life, residual, rate)))
    parts.append(_rows("utility_opex", np.arange(service, last_year + 1), -row.opex_keur_per_yr))
    return pd.concat(parts, ignore_index=True)


def _shares(profile: object, duration: float) -> np.ndarray:
    """Return the shares of the capital cost by year from the start."""
    if isinstance(profile, str) and profile:
        return np.array([float(part) for part in profile.split("|")])
    if not duration:
        return np.array([1.0])
    ends = np.minimum(np.arange(1, math.ceil(duration) + 1), duration)
    return np.diff(ends, prepend=0.0) / duration


def _wrong_profile(profile: object) -> str:
    """Return what is wrong with a spend profile, or nothing."""
    if not isinstance(profile, str) or not profile:
        return ""
    try:
        shares = [float(part) for part in profile.split("|")]
    except ValueError:
        return f"'{profile}' is no list of numbers"
    fits = all(share >= 0 for share in shares) and abs(sum(shares) - 1) < 1e-6
    return "" if fits else f"the shares of '{profile}' add up to {sum(shares):g}, or one is below 0; they must add up to 1"


def _rows(stream: str, years: np.ndarray, values: np.ndarray | float) -> pd.DataFrame:
    return pd.DataFrame({"stream": stream, "year": years, "value_keur": values})


def project_economics(
    projects: pd.DataFrame,
    discount: Discount,
    *,
    last_year: int,
    starts: int | Mapping[str, int] | None = None,
    residual: str = "straight_line",
) -> pd.DataFrame:
    """Return what each project costs over its life in the plan: present value and equivalent annual cost.

    Parameters
    ----------
    projects
        As for :func:`project_flows`; `class_of_spend` is passed on if it is there.
    discount
        Discounting.
    last_year
        Last year of the horizon.
    starts
        As for :func:`project_flows`; by default all start in the base year.
    residual
        As for :func:`asset_flows`; ``annuity`` needs a constant rate.

    Returns
    -------
    pd.DataFrame
        One row a project: `project`, `class_of_spend`, `start_year`, `service_year`, `capex_keur`, `pv_capex_keur` (with
        replacements), `pv_opex_keur`, `pv_residual_keur`, `pv_cost_keur` [kEUR], `annual_cost_keur_per_yr` (the equal amount in
        each year of service within the horizon that has the same present value) [kEUR/yr].

    Raises
    ------
    ParameterError
        As for :func:`project_flows`, or a project starts before the base year.
    """
    starts = discount.base_year if starts is None else starts
    rate = discount.bands[0][1] if len(discount.bands) == 1 else None
    flows = project_flows(projects, last_year=last_year, starts=starts, residual=residual, rate=rate)
    factors = discount_factors(range(discount.base_year, max(last_year + 1, int(flows["year"].max())) + 1), discount)
    early = sorted(flows.loc[flows["year"] < discount.base_year, "project"].unique())
    if early:
        what = f"{', '.join(early[:20])}: starts before the base year {discount.base_year}"
        raise ParameterError("cost of projects", [Problem("starts", what, remedy="start in the base year or later")])
    present = flows.assign(pv=flows["value_keur"] * flows["year"].map(factors))
    pv = -present.pivot_table(index="project", columns="stream", values="pv", aggfunc="sum", fill_value=0.0)
    rows = [
        _economics(row, pv.loc[row.project], starts, factors.loc[:last_year])
        for row in projects.itertuples()
        if row.project in pv.index
    ]
    return pd.DataFrame(rows)


def _economics(row, pv: pd.Series, starts: int | Mapping[str, int], factors: pd.Series) -> dict[str, object]:
    """Return the row of one project."""
    start = int(starts[row.project] if isinstance(starts, Mapping) else starts)
    service = start + math.ceil(row.duration_yr)
    parts = {name: float(pv.get(name, 0.0)) for name in COSTS}
    total = sum(parts.values())
    return {
        "project": row.project,
        "class_of_spend": getattr(row, "class_of_spend", ""),
        "start_year": start,
        "service_year": service,
        "capex_keur": row.capex_keur,
        "pv_capex_keur": parts["utility_capex"],
        "pv_opex_keur": parts["utility_opex"],
        "pv_residual_keur": -parts["residual_value"],
        "pv_cost_keur": total,
        "annual_cost_keur_per_yr": total / float(factors.loc[service:].sum()),
    }


def plant_additions(projects: pd.DataFrame, *, last_year: int, starts: int | Mapping[str, int]) -> pd.DataFrame:
    """Return what goes into the rate base when, for :func:`revenue_requirement`.

    Parameters
    ----------
    projects, last_year, starts
        As for :func:`project_flows`; every project needs a lifetime, over which it is depreciated.

    Returns
    -------
    pd.DataFrame
        `project`, `year` (the first in service, and of each replacement), `capex_keur` [kEUR], `lifetime_yr` [yr].

    Raises
    ------
    ParameterError
        As for :func:`project_flows`, or a lifetime is empty.
    """
    project_flows(projects, last_year=last_year, starts=starts)  # refuses what is wrong
    rows, problems = [], []
    for row in _with_lifetimes(projects)[0].itertuples():
        if isinstance(starts, Mapping) and row.project not in starts:
            continue
        if pd.isna(row.lifetime_yr):
            problems.append(Problem("projects", "is empty", row=int(row.Index) + 2, column="lifetime_yr", remedy="give its life"))
            continue
        start = int(starts[row.project] if isinstance(starts, Mapping) else starts)
        service = range(start + math.ceil(row.duration_yr), last_year + 1, math.ceil(row.lifetime_yr))
        rows += [(row.project, year, row.capex_keur, row.lifetime_yr) for year in service]
    if problems:
        raise ParameterError("rate base", problems)
    return pd.DataFrame(rows, columns=["project", "year", "capex_keur", "lifetime_yr"])


def total_by_year(flows: pd.DataFrame) -> pd.Series:
    """Return the sum of long flows by year, every year from the first to the last.

    Parameters
    ----------
    flows
        `year`, `value_keur`.

    Raises
    ------
    ParameterError
        There is no row, or a cell is no number.
    """
    need(flows, "flows", [], ["year", "value_keur"])
    total = flows.groupby("year")["value_keur"].sum()
    if total.empty:
        return checked(total)
    return total.reindex(range(int(total.index.min()), int(total.index.max()) + 1), fill_value=0.0).rename_axis("year")


def present_by(flows: pd.DataFrame, discount: Discount, by: str = "stream") -> pd.Series:
    """Return the present value of long flows by the cells of a column.

    Parameters
    ----------
    flows
        `year`, `value_keur` and the column of `by`.
    discount
        Discounting.
    by
        Column to tell apart by.

    Returns
    -------
    pd.Series
        Present value [kEUR] by cell, in the order in which they occur.

    Raises
    ------
    ParameterError
        A column is missing, a cell is no number, or a year lies before the base year.
    """
    need(flows, "flows", [by], ["year", "value_keur"])
    return pd.Series(
        {name: present_value(total_by_year(own), discount) for name, own in flows.groupby(by, sort=False)}, dtype=float
    )
