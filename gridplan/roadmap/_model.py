"""The tables of a portfolio as arrays: start years that are possible, money by start, needs by application, options."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from gridplan.roadmap._choices import Choices
from gridplan.roadmap._portfolio import ALL, Portfolio, applications, edges, parts
from gridplan.roadmap._windows import Limit, Times, affordable, before, latest, windows

Clause = tuple[tuple[int, ...], ...]  # ways, each the projects it takes
NEVER = -1


@dataclass(frozen=True)
class Block:
    """The options of one group in one area; option i asks for the needs `units[i]`."""

    area: str
    group: str
    options: tuple[str, ...]
    units: tuple[frozenset[int], ...]
    ready: np.ndarray  # first year in which an option can run; number of years: never
    benefit: np.ndarray  # option x year [kEUR]
    kpis: dict[str, np.ndarray]  # option x year


@dataclass(frozen=True)
class Asks:
    """Units of needs, and when they can be met."""

    units: tuple[tuple[Clause, ...], ...]
    chain: list[frozenset[int]]
    times: Times
    limits: tuple[Limit, ...]

    @cached_property
    def certain(self) -> list[frozenset[int]]:
        """Projects without which a unit cannot be met, with those before them."""
        return [self._whole(p for clause in unit if len(clause) == 1 for p in clause[0]) for unit in self.units]

    @cached_property
    def ready(self) -> list[int]:
        """First year in which each unit can be met."""
        return [max([self._first(own), *map(self._any, unit)]) for own, unit in zip(self.certain, self.units, strict=True)]

    def earliest(self, units: Iterable[int]) -> int:
        """Return the first year in which units can be met together."""
        together = self._first(frozenset().union(*(self.certain[u] for u in units)))
        return max([together, *(self.ready[u] for u in units)])

    def _any(self, clause: Clause) -> int:
        return min(self._first(self._whole(way)) for way in clause)

    def _whole(self, projects: Iterable[int]) -> frozenset[int]:
        return frozenset().union(*(self.chain[p] for p in projects))

    def _first(self, projects: frozenset[int]) -> int:
        return affordable(projects, self.times, self.limits)


@dataclass(frozen=True)
class Model:
    """A portfolio in arrays; projects and areas in order of their names, years from 0."""

    choices: Choices
    names: tuple[str, ...]
    years: np.ndarray
    factor: np.ndarray
    steps: np.ndarray  # years from start to service
    low: np.ndarray  # first and last possible start; low > high: impossible
    high: np.ndarray
    late: np.ndarray  # latest start that the table allows
    waits: tuple[tuple[int, int, int], ...]  # p starts at least so many years after q
    mandatory: np.ndarray
    sets: tuple[tuple[str, tuple[int, ...]], ...]
    spend: np.ndarray  # project x start x year [kEUR]
    opex: np.ndarray
    cost: np.ndarray  # project x start, present value with residual [kEUR]
    gains: np.ndarray  # declared benefit, project x start x year [kEUR]
    score: np.ndarray
    limits: tuple[Limit, ...]
    units: tuple[tuple[Clause, ...], ...]
    ready: np.ndarray  # first year in which a unit can be met; number of years: never
    blocks: tuple[Block, ...]
    impossible: pd.DataFrame  # area, application, reason
    needs: dict[tuple[str, str], int | None]  # unit of an application in an area, None: cannot run
    targets: pd.DataFrame
    why_not: dict[int, str] = field(default_factory=dict)

    @property
    def horizon(self) -> int:
        """Number of years."""
        return len(self.years)

    def starts(self, project: int) -> range:
        """Possible starts of a project."""
        return range(int(self.low[project]), int(self.high[project]) + 1)


def build(given: Portfolio, choices: Choices, *, elastic: bool = False, tight: bool = True) -> Model:
    """Turn a portfolio into arrays.

    An elastic one lets projects start as late as the plan allows. One that is not tight leaves in starts and options for which
    the limits cannot have paid: for prices of the limits, and where they may give way.
    """
    tight = tight and not elastic
    table = given.projects.sort_values("project", ignore_index=True)
    names = tuple(table["project"])
    at = {name: place for place, name in enumerate(names)}
    years = np.array(choices.years)
    factor = np.array([choices.factor(year) for year in years])
    steps = np.ceil(table["duration_yr"].to_numpy(float) - 1e-9).astype(int)
    waits = _waits(edges(given), at, table["duration_yr"].to_numpy(float), steps)
    spend, opex, residual = _money(table, choices, steps)
    limits = _limits(given, table, choices, spend=spend, opex=opex)
    times, why_not = windows(table, years, steps=steps, waits=waits, limits=limits if tight else (), elastic=elastic)
    chain = before(len(at), waits)
    units, needs, impossible = _needs(given, at, possible=times.low <= times.high, chain=chain)
    asks = Asks(units, chain, times, limits if tight else ())
    blocks = _blocks(given, needs, years, asks)
    return Model(
        choices=choices,
        names=names,
        years=years,
        factor=factor,
        steps=steps,
        low=times.low,
        high=times.high,
        late=latest(table, years),
        waits=waits,
        mandatory=table["mandatory"].fillna(False).to_numpy(bool),
        sets=_sets(given.exclusions, at),
        spend=spend,
        opex=opex,
        cost=(spend + opex) @ factor - residual * choices.factor(choices.last_year + 1),  # taken over the day after the last year
        gains=_declared(given.declared, at, years, steps),
        score=_scores(given.scores, at),
        limits=limits,
        units=units,
        ready=np.array(asks.ready, dtype=int),
        blocks=blocks,
        impossible=impossible,
        needs=needs,
        targets=given.targets[given.targets["year"].isin(years)].reset_index(drop=True),
        why_not=why_not,
    )


def _waits(links: pd.DataFrame, at: dict[str, int], duration: np.ndarray, steps: np.ndarray) -> tuple[tuple[int, int, int], ...]:
    """Return (project, other, years): the project starts at least so many years after the other."""
    found = []
    for row in links.itertuples():
        one, other = at[row.project], at[row.after]
        if row.waits == "delivery":
            offset = steps[other] + int(np.ceil(row.lag_yr - 1e-9)) - steps[one]
        else:
            offset = int(np.ceil(duration[other] + row.lag_yr - 1e-9))
        found.append((one, other, int(offset)))
    return tuple(found)


def _money(table: pd.DataFrame, choices: Choices, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return capital cost and running cost by project, start and year, and the value left after the last year."""
    count, years = len(table), len(choices.years)
    spend, opex, residual = np.zeros((count, years, years)), np.zeros((count, years, years)), np.zeros((count, years))
    for p, row in enumerate(table.itertuples()):
        shares = profile(row.spend_profile, row.duration_yr) * row.capex_keur
        life = None if pd.isna(row.lifetime_yr) else int(np.ceil(row.lifetime_yr))
        for s in range(years):
            built = [s]
            while choices.replace and life and built[-1] + steps[p] + life < years:
                built.append(built[-1] + life)
            for start in built:
                kept = shares[: max(years - start, 0)]
                spend[p, s, start : start + len(kept)] += kept
            opex[p, s, min(s + steps[p], years) :] = row.opex_keur_per_yr
            if choices.residual and life:
                left = life - (years - built[-1] - steps[p])
                residual[p, s] = row.capex_keur * min(max(left, 0), life) / life
    return spend, opex, residual


def profile(shares: str, duration_yr: float) -> np.ndarray:
    """Return the shares of the capital cost by year from the start; even over the duration if none are given."""
    if shares:
        return np.array([float(part) for part in parts(shares)])
    if duration_yr <= 1:
        return np.ones(1)
    whole = np.minimum(np.maximum(duration_yr - np.arange(int(np.ceil(duration_yr - 1e-9))), 0), 1)
    return whole / whole.sum()


def _declared(table: pd.DataFrame, at: dict[str, int], years: np.ndarray, steps: np.ndarray) -> np.ndarray:
    found = np.zeros((len(at), len(years), len(years)))
    for name, part in table.groupby("project"):
        value = _line(part["year"].to_numpy(), part["benefit_keur"].to_numpy(), years)
        for s in range(len(years)):
            service = min(s + steps[at[name]], len(years))
            found[at[name], s, service:] = value[service:]
    return found


def _scores(table: pd.DataFrame, at: dict[str, int]) -> np.ndarray:
    found = np.zeros(len(at))
    found[[at[name] for name in table["project"]]] = table["score"].to_numpy(float)
    return found


def _sets(table: pd.DataFrame, at: dict[str, int]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, tuple(sorted(at[p] for p in part["project"]))) for name, part in table.groupby("set"))


def _limits(given: Portfolio, table: pd.DataFrame, choices: Choices, *, spend: np.ndarray, opex: np.ndarray) -> tuple[Limit, ...]:
    years, found = list(choices.years), []
    budgets = given.budgets.assign(kind=given.budgets["kind"].replace("", "capex"))
    for (kind, fund), part in budgets.groupby(["kind", "fund"]):
        own = np.ones(len(table), bool) if fund == ALL else (table["fund"] == fund).to_numpy()
        amount = part.set_index("year")["budget_keur"].reindex(years).fillna(0.0).to_numpy(float)
        money = np.where(own[:, None, None], opex if kind == "opex" else spend, 0.0)
        found.append(Limit(kind, fund, money, amount, carry=choices.carry_over and kind == "capex"))
    for skill, part in given.staff_limits.groupby("skill"):
        amount = part.set_index("year")["fte"].reindex(years).fillna(0.0).to_numpy(float)
        found.append(Limit("staff", skill, _people(given.staff, skill, table, len(years)), amount))
    return tuple(found)


def _people(staff: pd.DataFrame, skill: str, table: pd.DataFrame, years: int) -> np.ndarray:
    use = np.zeros((len(table), years, years))
    at = {name: place for place, name in enumerate(table["project"])}
    for row in staff[staff["skill"] == skill].itertuples():
        p = at[row.project]
        length = max(int(np.ceil(table["duration_yr"][p] - 1e-9)), 1)
        shifts = range(length) if pd.isna(row.project_year) else [int(row.project_year) - 1]
        for s in range(years):
            for shift in shifts:
                if s + shift < years:
                    use[p, s, s + shift] += row.fte
    return use


def _needs(
    given: Portfolio, at: dict[str, int], *, possible: np.ndarray, chain: list[frozenset[int]]
) -> tuple[tuple[tuple[Clause, ...], ...], dict[tuple[str, str], int | None], pd.DataFrame]:
    """Return the distinct sets of needs, which one an application has in an area, and what cannot run."""
    areas = sorted(set(given.benefits["area"]) | set(given.contributions["area"]) | set(given.closures["area"]) - {""})
    gaps: dict[tuple[str, str], list] = {}
    for key, part in given.closures.groupby(["area", "application", "kind", "item"], sort=True):
        sets = {tuple(sorted({at[p] for p in way["project"]})) for number, way in part.groupby("way") if number > 0}
        ways = tuple(sorted(sets))
        for area in [key[0]] if key[0] else areas:
            gaps.setdefault((area, key[1]), []).append((f"{key[2]} {key[3]}", ways))
    units: dict[tuple[Clause, ...], int] = {(): 0}
    needs: dict[tuple[str, str], int | None] = {}
    bad = []
    for (area, application), found in sorted(gaps.items()):
        reasons = [_why(item, ways, possible, list(at)) for item, ways in found]
        if any(reasons):
            needs[area, application] = None
            bad.append((area, application, "; ".join(dict.fromkeys(filter(None, reasons)))))
            continue
        clauses = _reduced([tuple(way for way in ways if possible[list(way)].all()) for _, ways in found], chain)
        needs[area, application] = units.setdefault(clauses, len(units))
    return tuple(units), needs, pd.DataFrame(bad, columns=["area", "application", "reason"])


def _why(item: str, ways: Clause, possible: np.ndarray, names: list[str]) -> str:
    """Say why a need cannot be met; empty if it can."""
    if not ways:
        return f"no project closes {item}"
    if any(possible[list(way)].all() for way in ways):
        return ""
    late = sorted({names[p] for way in ways for p in way if not possible[p]})
    return f"{item} is closed only by what cannot be delivered in time: {', '.join(late)}"


def _reduced(clauses: list[Clause], chain: list[frozenset[int]]) -> tuple[Clause, ...]:
    """Leave out ways that contain another way, and clauses that another clause implies."""
    short = {tuple(way for way in clause if not any(set(other) < set(way) for other in clause)) for clause in clauses}
    whole = {clause: [frozenset().union(*(chain[p] for p in way)) for way in clause] for clause in short}

    def implied(clause: Clause, other: Clause) -> bool:
        return all(any(set(way) <= full for way in clause) for full in whole[other])

    kept: list[Clause] = []
    ordered = sorted(short)
    for place, clause in enumerate(ordered):
        rest = kept + ordered[place + 1 :]
        if not any(implied(clause, other) for other in rest):
            kept.append(clause)
    return tuple(kept)


def _line(known: np.ndarray, values: np.ndarray, years: np.ndarray) -> np.ndarray:
    order = np.argsort(known)
    return np.interp(years, known[order], values[order])


def _blocks(given: Portfolio, needs: dict[tuple[str, str], int | None], years: np.ndarray, asks: Asks) -> tuple[Block, ...]:
    kpis = given.kpis
    joined = pd.concat([given.benefits, given.contributions]) if len(given.contributions) else given.benefits
    found = []
    for (area, group), part in joined.groupby(["area", "group"]):
        options, wanted, benefit, levels = [], [], [], {kpi: [] for kpi in kpis}
        for option, rows in part.groupby("option"):
            asked = [needs.get((area, name), 0) for name in applications(option)]
            if any(unit is None for unit in asked):
                continue
            options.append(option)
            wanted.append(frozenset(unit for unit in asked if unit))
            benefit.append(_series(rows, "benefit_keur", years))
            for kpi in kpis:
                levels[kpi].append(_series(rows, kpi, years))
        order = sorted(range(len(options)), key=lambda i: (len(applications(options[i])), options[i]))
        found.append(
            Block(
                area,
                group,
                tuple(options[i] for i in order),
                tuple(wanted[i] for i in order),
                np.array([asks.earliest(wanted[i]) for i in order], dtype=int),
                np.array([benefit[i] for i in order]),
                {kpi: np.array([levels[kpi][i] for i in order]) for kpi in kpis},
            )
        )
    return tuple(found)


def _series(rows: pd.DataFrame, column: str, years: np.ndarray) -> np.ndarray:
    values = rows[column].to_numpy(dtype=float)
    known = ~np.isnan(values)
    return _line(rows["year"].to_numpy()[known], values[known], years) if known.any() else np.zeros(len(years))
