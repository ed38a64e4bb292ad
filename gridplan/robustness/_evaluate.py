"""The value of a plan in every sample, all samples at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np
import pandas as pd

from gridplan.errors import ParameterError, Problem, StudyError
from gridplan.robustness._distributions import Draws, checked
from gridplan.robustness._inputs import NONE, Plan, Terms


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a plan brings in every sample.

    Parameters
    ----------
    money
        `sample`, `npv_keur`, `benefit_keur`, `capex_keur`, `opex_keur`: present values [kEUR].
    kpis
        `sample`, `year`, and one column a KPI: the sum of what the options in service add; without KPIs empty.
    """

    money: pd.DataFrame
    kpis: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Effects:
    """What the draws act on: an array per item, of one value a sample; 1 (or no delay) where nothing acts."""

    rows: pd.DataFrame
    draws: Draws

    def factor(self, kind: str, item: str) -> np.ndarray:
        return np.prod(self._of(kind, item), axis=0, initial=1.0)

    def delay(self, project: str) -> np.ndarray:
        return np.sum(self._of("delay", project), axis=0, initial=0.0)

    def _of(self, kind: str, item: str) -> np.ndarray:
        own = self.rows[(self.rows["kind"] == kind) & self.rows["item"].isin(["", item])]
        columns = self.draws.settings[own["uncertainty"].tolist()].to_numpy(float).T
        return columns if len(columns) else np.empty((0, 1))


def evaluate(plan: Plan, terms: Terms, uncertain: pd.DataFrame | None = None, draws: Draws | None = None) -> Outcome:
    """Value a plan in every sample.

    Benefits are those of the options in service; a late project keeps its successors waiting once their slack is used up, moves
    their spending, running costs and delivery, and an option comes into service when the last of its projects is there (in parts
    of years; until then the option before it stays). Its own delay does not move a project's spending. Capital counts in full,
    less what is left at the end of the horizon where the plan says so (as money of the year after).

    Parameters
    ----------
    plan, terms
        What is valued, in which terms.
    uncertain
        Table `uncertainties`: `kind` says what a variable acts on (``capex`` and ``opex`` of a project, ``delay`` of a project
        [yr], ``benefit`` of a stream, ``kpi`` of a column), `item` on which one (empty: all). Variables on the same item
        multiply; delays add.
    draws
        Samples from :func:`draw` or :func:`planned`; by default one, with the values as planned.

    Returns
    -------
    Outcome

    Raises
    ------
    StudyError
        A benefit that is needed is missing; projects wait for each other in a circle; all problems at once.
    ParameterError
        The draws are not those of the table.
    """
    rows = _EMPTY if uncertain is None else checked(uncertain)
    if draws is None:
        modes = rows.drop_duplicates("uncertainty").set_index("uncertainty")["mode"]
        mix = pd.DataFrame([terms.weights(plan.scenarios)])
        draws = Draws(modes.to_frame().T.reset_index(drop=True), mix)
    _refuse(plan, rows, draws)
    effects = _Effects(rows, draws)
    starts, delivered = _times(plan, effects)
    capex, opex = _costs(plan, terms, effects, starts, delivered)
    benefit, kpis = _gains(plan, terms, effects, delivered)
    size = len(draws.mix)
    money = {"npv_keur": benefit - capex - opex, "benefit_keur": benefit, "capex_keur": capex, "opex_keur": opex}
    spread = {name: np.broadcast_to(value, size) for name, value in money.items()}
    return Outcome(pd.DataFrame({"sample": np.arange(size)} | spread), _kpi_table(plan, kpis, size))


_EMPTY = pd.DataFrame({"uncertainty": [], "kind": [], "item": [], "mode": []})


def _refuse(plan: Plan, rows: pd.DataFrame, draws: Draws) -> None:
    missing = [name for name in dict.fromkeys(rows["uncertainty"]) if name not in draws.settings]
    problems = [Problem("draws", f"hold no samples of '{name}'", remedy="draw from the same table") for name in missing]
    if list(draws.mix.columns) != plan.scenarios:
        problems.append(Problem("draws", f"mix {', '.join(draws.mix.columns)}, not {', '.join(plan.scenarios)}"))
    if (rows["kind"] == "delay").any() and plan.enablers is None:
        problems.append(Problem("plan", "has no enablers, but projects may be late", remedy="give them, or use enablers_of"))
    known = {
        "capex": set(plan.projects["project"]), "opex": set(plan.projects["project"]), "delay": set(plan.projects["project"]),
        "benefit": set(plan.benefits["stream"]), "kpi": set(plan.kpi_names),
    }  # fmt: skip
    strange = [row for row in rows.itertuples() if row.item and row.item not in known[row.kind]]
    problems += [
        Problem("uncertainties", f"'{row.uncertainty}' acts on '{row.item}', which the plan does not have") for row in strange
    ]
    if problems:
        raise ParameterError("evaluate", problems)


def _times(plan: Plan, effects: _Effects) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return by how many years the start of each project moves, and when it is delivered."""
    planned = plan.schedule.set_index("project")[["start_year", "delivered_year"]]
    edges = _edges(plan)
    before = {p: list(edges.loc[edges["project"] == p, "after"]) for p in planned.index}
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError as error:
        circle, remedy = " -> ".join(error.args[1]), "take one of the dependencies out"
        raise StudyError("plan", [Problem("projects", f"wait for each other: {circle}", remedy=remedy)]) from error
    starts, late = {}, {}
    for p in order:
        own = edges[edges["project"] == p]
        starts[p] = _latest(late, own[own["waits"] == "start"], planned, planned.at[p, "start_year"])
        finished = _latest(late, own[own["waits"] == "delivery"], planned, planned.at[p, "delivered_year"])
        late[p] = np.maximum(starts[p] + effects.delay(p), finished)
    return starts, {p: planned.at[p, "delivered_year"] + late[p] for p in order}


def _edges(plan: Plan) -> pd.DataFrame:
    """Return who waits for whom among the scheduled: `project`, `after`, `waits`, `lag_yr`."""
    if plan.dependencies is None:
        text = plan.projects.get("after", pd.Series("", plan.projects.index)).fillna("").astype(str)
        edges = plan.projects[["project"]].assign(after=text.str.split("|")).explode("after")
        edges["after"] = edges["after"].str.strip()
    else:
        edges = plan.dependencies
    lag = edges["lag_yr"].fillna(0.0) if "lag_yr" in edges else 0.0
    waits = edges["waits"].replace("", "start").fillna("start") if "waits" in edges else "start"
    there = edges["project"].isin(plan.schedule["project"]) & edges["after"].isin(plan.schedule["project"])
    return edges[["project", "after"]].assign(waits=waits, lag_yr=lag)[there]


def _latest(late: dict[str, np.ndarray], edges: pd.DataFrame, planned: pd.DataFrame, when: float) -> np.ndarray:
    """Return by how many years the latest predecessor eats up more than its slack before `when`."""
    found = np.zeros(1)
    for row in edges.itertuples():
        slack = max(0.0, when - (planned.at[row.after, "delivered_year"] + row.lag_yr))
        found = np.maximum(found, late[row.after] - slack)
    return found


def _costs(
    plan: Plan, terms: Terms, effects: _Effects, starts: dict[str, np.ndarray], delivered: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the present value of capital and of running costs in each sample."""
    own, years = plan.projects.set_index("project"), plan.years
    residual = own.get("residual_keur", pd.Series(0.0, own.index)).fillna(0.0)
    capex, opex = np.zeros(1), np.zeros(1)
    for project, spent in _spending(plan):
        value = (spent["spend_keur"].to_numpy() * terms.present(spent["year"])).sum()
        moved = (1.0 + terms.discount_rate) ** -starts[project]
        left = residual[project] * terms.present(years[-1] + 1)
        capex = capex + (value * moved - left) * effects.factor("capex", project)
        share = np.clip(years[:, None] + 1 - delivered[project], 0.0, 1.0)
        running = terms.present(years) @ share * own.at[project, "opex_keur_per_yr"]
        opex = opex + running * effects.factor("opex", project)
    return capex, opex


def _spending(plan: Plan) -> Iterator[tuple[str, pd.DataFrame]]:
    capital = plan.projects.set_index("project")["capex_keur"]
    for row in plan.schedule.itertuples():
        if plan.spend is not None:
            yield row.project, plan.spend[plan.spend["project"] == row.project]
        else:
            years = np.arange(row.start_year, max(row.delivered_year, row.start_year + 1))
            yield row.project, pd.DataFrame({"year": years, "spend_keur": capital[row.project] / len(years)})


def _gains(
    plan: Plan, terms: Terms, effects: _Effects, delivered: dict[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the present value of benefits in each sample, and of each KPI an array year x sample."""
    years, mix = plan.years, effects.draws.mix.to_numpy()
    money = _Values(plan.benefits, "stream", ["benefit_keur"], plan)
    kpis = None if plan.kpis is None else _Values(plan.kpis, None, plan.kpi_names, plan)
    present, missing = terms.present(years), []
    total = np.zeros((1, *money.shape))
    width = max(len(when) for when in delivered.values()) if delivered else 1
    paths = None if kpis is None else np.zeros((len(years), width, *kpis.shape))
    for key, share in _service(plan, delivered):
        values = money.of(key, share, missing)
        total = total + np.tensordot(share * present[:, None], values, axes=(0, 0))
        if kpis is not None:
            paths += share[:, :, None, None] * kpis.of(key, share, missing)[:, None]
    if missing:
        raise StudyError("plan", missing)
    factors = np.stack([np.broadcast_to(effects.factor("benefit", s), len(mix)) for s in money.items], axis=1)
    benefit = np.einsum("sjc,sj,sc->s", np.broadcast_to(total, (len(mix), *money.shape)), factors, mix)
    if kpis is None:
        return benefit, {}
    whole = np.broadcast_to(paths, (len(years), len(mix), *kpis.shape))
    blended = np.einsum("tsjc,sc->tsj", whole, mix)
    return benefit, {name: blended[:, :, at] * effects.factor("kpi", name) for at, name in enumerate(kpis.items)}


class _Values:
    """Values of an option by year, item and scenario, looked up by area, group and option."""

    def __init__(self, table: pd.DataFrame, item: str | None, columns: list[str], plan: Plan) -> None:
        self.items = list(dict.fromkeys(table[item])) if item else columns
        self.shape = (len(self.items), len(plan.scenarios))
        self.name = "benefits" if item else "kpis"
        self.years = plan.years
        index = ["area", "group", "option", "year"]
        wide = table.pivot_table(index=index, columns=[*([item] if item else []), "scenario"], values=columns, sort=False)
        order = [(columns[0], i, s) if item else (i, s) for i in self.items for s in plan.scenarios]
        wide = wide.reindex(columns=pd.MultiIndex.from_tuples(order))
        # A stream without a row beside others of its option, scenario and year is nothing; a year without any is between years.
        there = table.assign(there=1.0).pivot_table(index=index, columns="scenario", values="there", sort=False)
        beside = there.reindex(index=wide.index, columns=plan.scenarios).notna().to_numpy()
        wide = wide.mask(wide.isna() & np.tile(beside, (1, len(self.items))), 0.0)
        self.blocks = {key: self._by_year(block.droplevel([0, 1, 2])) for key, block in wide.groupby(level=[0, 1, 2])}

    def _by_year(self, block: pd.DataFrame) -> np.ndarray:
        """Return an array year x item x scenario: straight between the years given, constant outside; NaN without any."""
        columns = [block.iloc[:, at].dropna().sort_index() for at in range(block.shape[1])]
        values = [np.interp(self.years, c.index, c) if len(c) else np.full(len(self.years), np.nan) for c in columns]
        return np.stack(values, axis=1).reshape(len(self.years), *self.shape)

    def of(self, key: tuple[str, str, str], share: np.ndarray, missing: list[Problem]) -> np.ndarray:
        """Return an array year x item x scenario, and note an option that is in service and has no values."""
        block = self.blocks.get(key)
        if block is None and key[2] in NONE:
            return np.zeros((len(self.years), *self.shape))
        if (block is None or np.isnan(block).any()) and (share > 0).any():
            what = f"'{key[2]}' ({key[1]}) in '{key[0]}' is in service and has no values of every scenario"
            missing.append(Problem(self.name, what, remedy="add the rows; nothing is taken as 0"))
        return np.zeros((len(self.years), *self.shape)) if block is None else np.nan_to_num(block)


def _service(plan: Plan, delivered: dict[str, np.ndarray]) -> Iterator[tuple[tuple[str, str, str], np.ndarray]]:
    """Yield area, group and option with its share of each year and sample (one column where nothing is late)."""
    waits = {} if plan.enablers is None else plan.enablers.groupby(["area", "group", "option"])["project"].agg(list).to_dict()
    years = plan.years
    for (area, group), rows in plan.service.sort_values("year").groupby(["area", "group"]):
        runs = rows[rows["option"] != rows["option"].shift()]
        left = np.ones((len(years), 1))
        for row in runs[::-1].itertuples():
            key = (area, group, row.option)
            ready = np.full(1, float(row.year))
            for project in waits.get(key, []):
                ready = np.maximum(ready, delivered[project])
            share = np.minimum(left, np.clip(years[:, None] + 1 - ready, 0.0, 1.0))
            left = left - share
            yield key, share
        if (left > 0).any():  # what was to serve from the first year is late
            yield (area, group, "none"), left


def _kpi_table(plan: Plan, kpis: dict[str, np.ndarray], size: int) -> pd.DataFrame:
    years = plan.years
    if not kpis:
        return pd.DataFrame({"sample": [], "year": []}, dtype=int)
    labels = {"sample": np.tile(np.arange(size), len(years)), "year": np.repeat(years, size)}
    return pd.DataFrame(labels | {name: np.broadcast_to(path, (len(years), size)).ravel() for name, path in kpis.items()})
