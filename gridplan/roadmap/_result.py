"""The answer: tables of a plan for the reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gridplan.roadmap import _plan
from gridplan.roadmap._choices import Choices
from gridplan.roadmap._explain import binding, left_out
from gridplan.roadmap._greedy import PLANS
from gridplan.roadmap._model import NEVER, Model
from gridplan.roadmap._objective import weights
from gridplan.roadmap._portfolio import Portfolio

if TYPE_CHECKING:
    from gridplan.roadmap._solve import Found


_COMPARED = ["plan", "value", "npv_keur", "capex_keur", "projects", "valid", "remark"]


@dataclass(frozen=True)
class Roadmap:
    """A solved roadmap.

    Attributes
    ----------
    choices
        With which it was solved.
    status
        ``optimal`` (proved within the gap asked for), ``time limit`` (without a value: nothing was found) or ``infeasible``.
    value, bound, gap_percent
        Value of the objective, value that no roadmap exceeds, and their distance [% of the value]. With a secondary objective
        the value may be below the best by the tolerance.
    seconds
        Time of the search [s].
    schedule
        One row a project chosen, by start: `project`, `label`, `workstream`, `fund`, `start_year`, `service_year` (first year in
        service), `capex_keur`, `mandatory`, `score`.
    money
        One row a year: `year`, `capex_keur`, `opex_keur`, `benefit_keur`, `net_keur`, `discounted_net_keur`, `cumulative_keur`
        (discounted; the residual value, discounted from the year after the last one, stands in the last year).
    spend
        One row a limit and year: `year`, `kind` (capex, opex, staff), `fund` (or skill), `used`, `allowed` [kEUR or full-time
        equivalents]; without a limit `allowed` is missing.
    options
        One row an area, group and year: `area`, `group`, `year`, `option`, `benefit_keur`.
    kpis
        One row a KPI and year: `kpi`, `year`, `value`, `without` (no project), `sense`, `target`, `met`.
    binding
        Limits and targets that bind, see :func:`~gridplan.roadmap.solve`: `kind`, `fund`, `year`, `used`, `allowed`,
        `per_unit` (what one more unit would bring by the relaxation), `reading`.
    not_chosen
        Projects left out, and why: `project`, `label`, `capex_keur`, `reason`, `gain_keur`.
    compared
        The plans without a solver beside this one: `plan`, `value`, `share_of_best_percent`, `npv_keur`, `capex_keur`,
        `projects`, `valid` (keeps every rule and target), `remark`.
    impossible
        Applications that no set of projects lets run: `area`, `application`, `reason`.
    relaxations
        Of an infeasible problem the smallest relaxation, see :func:`relaxation`; else empty.
    """

    choices: Choices
    status: str
    value: float
    bound: float
    gap_percent: float
    seconds: float
    schedule: pd.DataFrame
    money: pd.DataFrame
    spend: pd.DataFrame
    options: pd.DataFrame
    kpis: pd.DataFrame
    binding: pd.DataFrame
    not_chosen: pd.DataFrame
    compared: pd.DataFrame
    impossible: pd.DataFrame
    relaxations: pd.DataFrame

    def summary(self) -> str:
        """Return the answer in one or two sentences."""
        if np.isnan(self.value) and self.status == "time limit":
            return "No roadmap was found in the time allowed, though one exists: give the search more time."
        if self.status == "infeasible":
            return "No roadmap keeps every rule. The smallest relaxation: " + "; ".join(self.relaxations["reading"]) + "."
        proof = "proved best" if self.gap_percent < 1e-4 else f"at most {self.gap_percent:.2g} % below the best"
        forced = self.schedule.loc[self.schedule["mandatory"], "capex_keur"].sum() / max(self.schedule["capex_keur"].sum(), 1e-9)
        return (
            f"{len(self.schedule)} of {len(self.schedule) + len(self.not_chosen)} projects, capital cost "
            f"{self.schedule['capex_keur'].sum():,.0f} kEUR of which {forced:.0%} mandatory; {self.choices.objective} "
            f"{self.value:,.6g}, {proof} ({self.status}, {self.seconds:.1f} s)."
        )


def answer(given: Portfolio, model: Model, found: Found, greedy: dict[str, np.ndarray], *, seconds: float) -> Roadmap:
    """Put the tables of a plan together."""
    gap = 100 * found.gap
    proved = gap <= max(model.choices.gap_percent, model.choices.tolerance_percent if model.choices.secondary else 0.0) + 1e-6
    return Roadmap(
        choices=model.choices,
        status="optimal" if proved else "time limit",
        value=found.value,
        bound=found.bound,
        gap_percent=gap,
        seconds=seconds,
        schedule=schedule(given, model, found.starts),
        money=money(model, found.starts, found.options),
        spend=spend(given, model, found.starts),
        options=options(model, found.options),
        kpis=kpis(model, found.options),
        binding=binding(given, model, found.starts, found.options),
        not_chosen=left_out(given, model, found.starts),
        compared=compared(model, found, greedy),
        impossible=model.impossible,
        relaxations=pd.DataFrame(columns=["kind", "item", "year", "allowed", "needed", "difference", "reading"]),
    )


def no_answer(given: Portfolio, model: Model, relaxations: pd.DataFrame, *, seconds: float) -> Roadmap:
    """Return what can be said when no roadmap keeps every rule."""
    idle = np.full(len(model.names), NEVER)
    none = [np.zeros(model.horizon, int) for _ in model.blocks]
    return Roadmap(
        choices=model.choices,
        status="infeasible" if len(relaxations) else "time limit",
        value=np.nan,
        bound=np.nan,
        gap_percent=np.nan,
        seconds=seconds,
        schedule=schedule(given, model, idle),
        money=money(model, idle, none),
        spend=spend(given, model, idle),
        options=options(model, none),
        kpis=kpis(model, none),
        binding=pd.DataFrame(columns=["kind", "fund", "year", "used", "allowed", "per_unit", "reading"]),
        not_chosen=pd.DataFrame(columns=["project", "label", "capex_keur", "reason", "gain_keur"]),
        compared=pd.DataFrame(columns=[*_COMPARED, "share_of_best_percent"]),
        impossible=model.impossible,
        relaxations=relaxations,
    )


def schedule(given: Portfolio, model: Model, starts: np.ndarray) -> pd.DataFrame:
    """Return the projects of a plan by start."""
    table = given.projects.sort_values("project", ignore_index=True)
    on = np.flatnonzero(starts != NEVER)
    rows = table.loc[on, ["project", "label", "workstream", "fund", "capex_keur"]].assign(
        start_year=model.years[0] + starts[on],
        service_year=model.years[0] + starts[on] + model.steps[on],
        mandatory=model.mandatory[on],
        score=model.score[on],
    )
    order = ["project", "label", "workstream", "fund", "start_year", "service_year", "capex_keur", "mandatory", "score"]
    return rows[order].sort_values(["start_year", "service_year", "project"], ignore_index=True)


def money(model: Model, starts: np.ndarray, options: list[np.ndarray]) -> pd.DataFrame:
    """Return money by year; the discounted sum over all years is the net present value."""
    on, years = np.flatnonzero(starts != NEVER), np.arange(model.horizon)
    capex, opex = model.spend[on, starts[on]].sum(axis=0), model.opex[on, starts[on]].sum(axis=0)
    benefit = sum(
        (block.benefit[picked, years] for block, picked in zip(model.blocks, options, strict=True)), np.zeros(len(years))
    )
    benefit = benefit + model.gains[on, starts[on]].sum(axis=0)
    net = benefit - capex - opex
    left = np.zeros(model.horizon)
    left[-1] = ((model.spend + model.opex) @ model.factor - model.cost)[on, starts[on]].sum()
    discounted = net * model.factor + left
    return pd.DataFrame(
        {
            "year": model.years,
            "capex_keur": capex,
            "opex_keur": opex,
            "benefit_keur": benefit,
            "net_keur": net,
            "discounted_net_keur": discounted,
            "cumulative_keur": np.cumsum(discounted),
        }
    )


def spend(given: Portfolio, model: Model, starts: np.ndarray) -> pd.DataFrame:
    """Return what is used of each limit, and capital cost of funds without one."""
    parts = [
        pd.DataFrame({"year": model.years, "kind": limit.kind, "fund": limit.name, "used": used, "allowed": limit.amount})
        for limit, used in zip(model.limits, _plan.used(model, starts), strict=True)
    ]
    named = {limit.name for limit in model.limits if limit.kind == "capex"}
    funds = given.projects.sort_values("project")["fund"].to_numpy()
    for fund in sorted(set(funds) - named):
        on = np.flatnonzero((starts != NEVER) & (funds == fund))
        used = model.spend[on, starts[on]].sum(axis=0)
        parts.append(pd.DataFrame({"year": model.years, "kind": "capex", "fund": fund, "used": used, "allowed": np.nan}))
    return pd.concat(parts, ignore_index=True)[["kind", "fund", "year", "used", "allowed"]]


def options(model: Model, picked: list[np.ndarray]) -> pd.DataFrame:
    """Return the option of each area, group and year."""
    years = np.arange(model.horizon)
    parts = [
        pd.DataFrame(
            {
                "area": block.area,
                "group": block.group,
                "year": model.years,
                "option": [block.options[o] for o in chosen],
                "benefit_keur": block.benefit[chosen, years],
            }
        )
        for block, chosen in zip(model.blocks, picked, strict=True)
    ]
    return (
        pd.concat(parts, ignore_index=True)
        if parts
        else pd.DataFrame(columns=["area", "group", "year", "option", "benefit_keur"])
    )


def kpis(model: Model, picked: list[np.ndarray]) -> pd.DataFrame:
    """Return each KPI by year, without any project beside it, and its targets."""
    names = sorted(model.blocks[0].kpis) if model.blocks else []
    none = [np.zeros(model.horizon, int) for _ in model.blocks]
    parts = [
        pd.DataFrame(
            {
                "kpi": name,
                "year": model.years,
                "value": _plan.kpi_path(model, picked, name),
                "without": _plan.kpi_path(model, none, name),
            }
        )
        for name in names
    ]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["kpi", "year", "value", "without"])
    aims = model.targets.rename(columns={"value": "target"})[["kpi", "year", "sense", "target"]]
    joined = table.astype({"year": int}).merge(aims.astype({"year": int}), on=["kpi", "year"], how="left")
    slack = _plan.EPS * joined["target"].abs().clip(lower=1.0)
    kept = np.where(
        joined["sense"] == "at least", joined["value"] >= joined["target"] - slack, joined["value"] <= joined["target"] + slack
    )
    return joined.assign(met=pd.array(np.where(joined["target"].notna(), kept, None), dtype="boolean"))


def compared(model: Model, found: Found, greedy: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return the plans without a solver beside the roadmap."""
    rows = [_row(model, "roadmap", found.starts, found.options, True, "optimised")]
    weight = weights(model, model.choices.objective)
    for name, starts in greedy.items():
        picked = _plan.choose(model, starts, weight)
        rows.append(_row(model, name, starts, picked, *_remark(model, name, starts, picked)))
    table = pd.DataFrame(rows)
    best = table["value"].iloc[0]
    return table.assign(share_of_best_percent=100 * table["value"] / best if best > 0 else np.nan)


def _remark(model: Model, name: str, starts: np.ndarray, picked: list[np.ndarray]) -> tuple[bool, str]:
    """Return whether a plan keeps every rule, and its own rule with what it breaks or misses."""
    faults, met = _plan.broken(model, starts), _plan.targets_met(model, picked)
    missed = [f"{row.kpi} {row.year}" for row, kept in zip(model.targets.itertuples(), met, strict=True) if not kept]
    said = {"breaks: ": faults, "misses: ": missed}
    words = [PLANS[name], *(head + ", ".join(found) for head, found in said.items() if found)]
    return not (faults or missed), "; ".join(words)


def _row(model: Model, name: str, starts: np.ndarray, picked: list[np.ndarray], valid: bool, remark: str) -> dict:
    on = np.flatnonzero(starts != NEVER)
    return {
        "plan": name,
        "value": _plan.value(model, starts, picked, weights(model, model.choices.objective)),
        "npv_keur": _plan.value(model, starts, picked, weights(model, "npv")),
        "capex_keur": model.spend[on, starts[on]].sum(),
        "projects": len(on),
        "valid": valid,
        "remark": remark,
    }
