"""What an option is worth against none, by stream and year."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan.errors import ParameterError, Problem, suggest
from gridplan.valuation._discount import capital_recovery
from gridplan.valuation._flows import need
from gridplan.valuation._prices import ROLES, Money, price_paths

NONE = "none"
KEY = ["area", "group", "option", "scenario", "year"]
QUANTITIES = (
    "interruption_cost_keur",
    "load_mwh",
    "losses_mwh",
    "peak_mw",
    "curtailed_mwh",
    "operations",
    "reinforcement_keur",
)
"""Columns of `metrics` that have a value in money; the others are results of their own (SAIDI, hours outside limits)."""

STREAMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "interruption_cost": (("interruption_cost_keur",), ()),
    "losses": (("losses_mwh",), ("loss_energy",)),
    "energy": (("load_mwh",), ("wholesale_energy",)),
    "peak_capacity": (("peak_mw",), ("capacity",)),
    "curtailment": (("curtailed_mwh",), ("curtailed_energy",)),
    "reinforcement": (("reinforcement_keur",), ()),
    "carbon": (("load_mwh", "losses_mwh", "curtailed_mwh"), ("emission_factor", "carbon_value", "carbon_in_energy")),
    "switching": (("operations",), ("switching_operation",)),
    "lost_revenue": (("load_mwh",), ("retail_energy",)),
    "bill_savings": (("load_mwh",), ("retail_energy",)),
}
"""Streams of benefit: the quantities of `metrics` that they need, and the roles of prices."""

TRANSFERS = ("lost_revenue", "bill_savings")
"""Streams that only move money between the utility and its customers; together they are nought."""

_MONEY = ("interruption_cost_keur", "reinforcement_keur")
DEFERRALS = ("annuity", "dated")


@dataclass(frozen=True)
class Capital:
    """How capital that is not needed, or needed later, is valued.

    Parameters
    ----------
    rate
        Constant discount rate [1], real.
    lifetime_yr
        Life of the network measures deferred [yr].
    deferral
        ``annuity``: a year's benefit is the annual cost of the capital that stands deferred at its end: the capital times the
        capital recovery factor of payments in advance, CRF / (1 + rate). Discounted and summed it is exactly the value of
        building the measure, and every later replacement of it, so many years later. It belongs to one year alone, so that an
        option may come into service in any year. ``dated``: a year's benefit is the capital cost that falls away in it,
        negative when it is made up for later: the cash, for a plan whose options are fixed from the first year on.
    """

    rate: float
    lifetime_yr: float
    deferral: str = "annuity"


def capital(assumptions: Mapping[str, float], *, deferral: str = "annuity") -> Capital:
    """Return how deferred capital is valued, from the assumptions of a study.

    Parameters
    ----------
    assumptions
        `discount_rate_percent` [%], `network_lifetime_yr` [yr].
    deferral
        As for :class:`Capital`.
    """
    return Capital(assumptions["discount_rate_percent"] / 100, assumptions["network_lifetime_yr"], deferral)


def benefits(
    metrics: pd.DataFrame,
    prices: pd.DataFrame,
    *,
    money: Money,
    deferred: Capital,
    items: Mapping[str, str | None] | None = None,
    on_failure: str = "raise",
) -> pd.DataFrame:
    """Return what each option is worth against none, by stream, for every year from the first to the last of the metrics.

    Parameters
    ----------
    metrics
        Physical results by `area`, `group`, `option`, `scenario`, `year`, with an option ``none`` of each; the quantities that a
        group has, the others empty.
    prices
        Table `prices`.
    money
        Currency and price level of the answer. Costs of interruptions and reinforcement in `metrics` are in that currency; if
        they are of another price level, `levels` says so.
    deferred
        How deferred reinforcement is valued.
    items
        Items of `prices` by role, where they are not called as their role (``{"carbon_value": "carbon_value EPA 2023 2 %"}``);
        None for a role that is not to be valued: the streams that need it are left out.
    on_failure
        ``raise``, or ``unavailable``: options with a failed result are left out whole (they are worth nothing known, and a
        plan must not choose them), and with a failed ``none`` all options of its area and group; :func:`unavailable` lists them.

    Returns
    -------
    pd.DataFrame
        `area`, `group`, `option`, `scenario`, `year`, `stream`, `benefit_keur` [kEUR/yr]. A cost is negative. Option ``none`` has
        no rows. Between two years of the metrics the quantities are on a straight line, and are then multiplied by the prices
        of the year. `lost_revenue` and `bill_savings` are a transfer and add up to nought; a sum over all streams is that of
        society.

    Raises
    ------
    StudyError
        The table of prices is not as the column dictionary says.
    ParameterError
        A row failed (`failed_h` above 0, or a quantity missing that the group has), there is no row ``none``, an option lacks
        years that ``none`` has, a row occurs twice, or a price is missing.

    Notes
    -----
    Energy saved is worth the wholesale price, energy lost the value of losses, energy not curtailed the value of curtailed
    energy. Energy moved in time (`shifted_mwh`, `stored_mwh`) has no stream of its own: prices here are means of a year.
    Carbon is the emission of all three times the carbon value less the carbon price that the energy prices hold already. Peak
    capacity is the capacity upstream (the charge of the grid above, generation); the network's own is `reinforcement`.

    `lost_revenue` and `bill_savings` take every change of load for a change of what is billed. Where it is not (losses of a
    battery of the utility), leave them out with ``items={"retail_energy": None}``.
    """
    _refuse_choices(deferred, on_failure, money)
    failed = unavailable(metrics)
    if len(failed) and on_failure == "raise":
        raise ParameterError("benefits", _failure_problems(metrics, failed))
    rows = _without(metrics, failed)
    saved = [_yearly(own) for _, own in rows.groupby(["group", "scenario"], sort=False) if (own["option"] != NONE).any()]
    if not saved:
        return pd.DataFrame(columns=[*KEY, "stream", "benefit_keur"])
    quantities = pd.concat(saved, ignore_index=True)
    quantities = quantities.assign(**{name: quantities[name] * money.factor(name) for name in _MONEY if name in quantities})
    price = _prices(quantities, prices, money, items or {})
    parts = [_stream(name, quantities, price, deferred) for name, (_, roles) in STREAMS.items() if set(roles) <= set(price)]
    found = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return found.sort_values([*KEY, "stream"], kind="stable", ignore_index=True)


def _refuse_choices(capital: Capital, on_failure: str, money: Money) -> None:
    problems = [
        Problem(name, f"'{value}' is not known", remedy=suggest(value, allowed))
        for name, value, allowed in (
            ("deferral", capital.deferral, DEFERRALS),
            ("on_failure", on_failure, ("raise", "unavailable")),
        )
        if value not in allowed
    ]
    problems += [
        Problem("levels", f"'{name}' is no amount of money in metrics", remedy=suggest(name, _MONEY))
        for name in money.levels
        if name not in _MONEY
    ]
    if problems:
        raise ParameterError("benefits", problems)


def unavailable(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of metrics whose result is not known.

    A quantity that is empty in every row of a group and scenario is one that the group does not have. A quantity that is empty in
    some of them is a failure there, and so is `failed_h` above 0.

    Parameters
    ----------
    metrics
        As for :func:`benefits`.

    Returns
    -------
    pd.DataFrame
        `area`, `group`, `option`, `scenario`, `year`, `why`; no row if all is known.

    Raises
    ------
    ParameterError
        A column of the key is missing, a cell of it is empty, a row occurs twice, or there is no quantity to value.
    """
    _refuse_metrics(metrics)
    there = [name for name in (*QUANTITIES, "failed_h") if name in metrics]
    filled = metrics[there].notna()
    has = filled.groupby([metrics["group"], metrics["scenario"]]).transform("any")
    lacking = has & ~filled
    hours = metrics["failed_h"].fillna(0.0).astype(float) if "failed_h" in metrics else pd.Series(0.0, metrics.index)
    bad = lacking.any(axis=1) | (hours > 0)
    why = [
        "; ".join(
            [f"{name} is missing" for name in there if lacking.at[at, name]]
            + ([f"{hours[at]:g} h of the year failed"] if hours[at] > 0 else [])
        )
        for at in metrics.index[bad]
    ]
    return metrics.loc[bad, KEY].assign(why=why)


def _refuse_metrics(metrics: pd.DataFrame) -> None:
    need(metrics, "metrics", KEY[:-1], ["year"])
    problems = [Problem("metrics", "has empty cells", column=name) for name in KEY if metrics[name].isna().any()]
    there = [name for name in QUANTITIES if name in metrics]
    if not there:
        problems.append(Problem("metrics", "has nothing that can be valued", remedy=f"add one of {', '.join(QUANTITIES)}"))
    if not metrics.index.is_unique:
        problems.append(Problem("metrics", "has row labels that occur twice", remedy="reset the index"))
    for name in (*there, *(["failed_h"] if "failed_h" in metrics else [])):
        odd = ~np.isfinite(pd.to_numeric(metrics[name], errors="coerce")) & metrics[name].notna()
        problems += [_at(metrics, at, f"{name} {metrics.at[at, name]} is not a number") for at in metrics.index[odd][:20]]
    twice = metrics.index[metrics.duplicated(KEY)]
    problems += [_at(metrics, at, "stands in an earlier row already") for at in twice[:20]]
    if problems:
        raise ParameterError("table 'metrics'", problems)


def _at(metrics: pd.DataFrame, at: object, what: str, remedy: str | None = None) -> Problem:
    """Return a problem that names a row of the metrics by its key."""
    row = metrics.loc[at]
    named = f"area {row['area']}, {row['group']} '{row['option']}', {row['scenario']} {row['year']}"
    return Problem("metrics", f"{named}: {what}", remedy=remedy)


def _failure_problems(metrics: pd.DataFrame, failed: pd.DataFrame) -> Iterator[Problem]:
    remedy = "evaluate the row again, or leave its option out with on_failure='unavailable'"
    for at in failed.index[:20]:
        yield _at(metrics, at, failed.at[at, "why"], remedy)
    if len(failed) > 20:
        yield Problem("metrics", f"{len(failed) - 20} more rows failed")


def _without(metrics: pd.DataFrame, failed: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of options that are known in every year, if `none` is."""
    whole = ["area", "group", "scenario"]
    options = pd.MultiIndex.from_frame(failed[[*whole, "option"]])
    places = pd.MultiIndex.from_frame(failed.loc[failed["option"] == NONE, whole])
    out = pd.MultiIndex.from_frame(metrics[[*whole, "option"]]).isin(options)
    return metrics[~(out | pd.MultiIndex.from_frame(metrics[whole]).isin(places))]


def _yearly(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what each option saves in every year, none less the option; rows are of one group and scenario."""
    problems = _gap_problems(rows)
    if problems:
        raise ParameterError("benefits", problems)
    keys = ["area", "group", "option", "scenario"]
    there = [name for name in QUANTITIES if name in rows and rows[name].notna().any()]
    wide = rows.astype(dict.fromkeys(there, float)).pivot_table(index=keys, columns="year", values=there, aggfunc="first")
    options = wide[wide.index.get_level_values("option") != NONE]
    base = wide.xs(NONE, level="option").reindex(options.index.droplevel("option"))
    saved = pd.DataFrame(base.to_numpy() - options.to_numpy(), index=options.index, columns=wide.columns)
    known = np.sort(rows["year"].unique()).astype(float)
    years = np.arange(int(known[0]), int(known[-1]) + 1)
    weights = np.array([np.interp(years, known, unit) for unit in np.eye(len(known))])
    columns = {name: (saved[name].to_numpy() @ weights).ravel() for name in there}
    frame = options.index.repeat(len(years)).to_frame(index=False)
    return frame.assign(year=np.tile(years, len(options)), **columns)


def _gap_problems(rows: pd.DataFrame) -> list[Problem]:
    """Return which areas have no option none, and which options lack a year that others of the group and scenario have."""
    places = ["area", "group", "scenario"]
    without = rows[
        ~pd.MultiIndex.from_frame(rows[places]).isin(pd.MultiIndex.from_frame(rows.loc[rows["option"] == NONE, places]))
    ]
    problems = [
        Problem("metrics", f"area {row.area}, {row.group}, {row.scenario}: has no option '{NONE}'", remedy="evaluate it as well")
        for row in without[places].drop_duplicates().itertuples()
    ]
    years = set(rows["year"])
    for (area, group, scenario, option), own in rows.groupby(["area", "group", "scenario", "option"], sort=False):
        lacking = sorted(years - set(own["year"]))
        if lacking:
            what = f"area {area}, {group} '{option}', {scenario}: has no row of {', '.join(map(str, lacking))}"
            problems.append(Problem("metrics", what, remedy="evaluate the same years for every option"))
    return problems[:20]


def _prices(
    quantities: pd.DataFrame, prices: pd.DataFrame, money: Money, items: Mapping[str, str | None]
) -> dict[str, pd.Series]:
    """Return the price by year of each role that the quantities need and that is to be valued."""
    unknown = [role for role in items if role not in ROLES]
    if unknown:
        problems = [Problem("items", f"'{role}' is no role of a price", remedy=suggest(role, ROLES)) for role in unknown]
        raise ParameterError("benefits", problems)
    there = {name for name in QUANTITIES if name in quantities}
    roles = dict.fromkeys(role for needs, roles in STREAMS.values() if there & set(needs) for role in roles)
    named = {role: items.get(role, role) for role in roles}
    named = {role: item for role, item in named.items() if item is not None}
    if not named:
        return {}
    paths = price_paths(prices, quantities["year"].unique(), money, items=named)
    return {role: own.set_index("year")["value"] for role, own in paths.groupby("role")}


def _stream(name: str, quantities: pd.DataFrame, price: Mapping[str, pd.Series], capital: Capital) -> pd.DataFrame:
    """Return one stream of benefit."""
    needs = [column for column in STREAMS[name][0] if column in quantities]
    rows = quantities[quantities[needs].notna().any(axis=1)] if needs else quantities.iloc[:0]
    if rows.empty:
        return pd.DataFrame(columns=[*KEY, "stream", "benefit_keur"])
    saved = rows[needs].fillna(0.0).sum(axis=1)  # empty is what a group does not have; what failed was refused before
    paid = {role: rows["year"].map(price[role]) for role in STREAMS[name][1]}
    if name == "interruption_cost":
        worth = saved
    elif name == "reinforcement":
        worth = _reinforcement(rows, saved, capital)
    elif name == "carbon":
        worth = saved * paid["emission_factor"] * (paid["carbon_value"] - paid["carbon_in_energy"]) / 1000
    else:
        sign = -1.0 if name == "lost_revenue" else 1.0
        worth = sign * saved * next(iter(paid.values())) / 1000
    return rows[KEY].assign(stream=name, benefit_keur=worth.to_numpy())


def _reinforcement(rows: pd.DataFrame, saved: pd.Series, capital: Capital) -> pd.Series:
    """Return the value of capital cost deferred; `saved` is the sum deferred at the end of each year."""
    if capital.deferral == "annuity":
        charge = capital_recovery(capital.rate, capital.lifetime_yr) / (1 + capital.rate)
        return saved * charge
    return saved.groupby([rows[name] for name in KEY[:-1]], sort=False).diff().fillna(saved)


def in_service(benefits: pd.DataFrame, chosen: pd.DataFrame, *, scenario: str | None = None) -> pd.DataFrame:
    """Return the benefits of the options that a plan has in service.

    Parameters
    ----------
    benefits
        From :func:`benefits`.
    chosen
        `area`, `group`, `option`, `year`: the one option in service in each year; ``none`` and what is not named earn nothing.
    scenario
        Scenario; not needed if the benefits hold one only.

    Returns
    -------
    pd.DataFrame
        `area`, `group`, `option`, `scenario`, `year`, `stream`, `value_keur`.

    Raises
    ------
    ParameterError
        The scenario is unknown, two options of a group are in service in one area and year, or one has no benefits known.
    """
    need(chosen, "chosen", ["area", "group", "option"], ["year"])
    known = list(benefits["scenario"].unique())
    if scenario is None and len(known) == 1:
        scenario = known[0]
    if scenario not in known:
        raise ParameterError("plan", [Problem("scenario", f"'{scenario}' has no benefits", remedy=suggest(str(scenario), known))])
    own = benefits[benefits["scenario"] == scenario]
    taken = chosen.loc[chosen["option"] != NONE, ["area", "group", "option", "year"]]
    problems = [
        Problem(
            "chosen", f"area {row.area}, {row.group}, {row.year}: two options are in service", remedy="choose one combination"
        )
        for row in taken[taken.duplicated(["area", "group", "year"])].itertuples()
    ]
    there = pd.MultiIndex.from_frame(own[list(taken)])
    for row in taken[~pd.MultiIndex.from_frame(taken).isin(there)].itertuples():
        what = f"area {row.area}, {row.group} '{row.option}', {row.year}: has no benefits in scenario '{scenario}'"
        problems.append(Problem("chosen", what, remedy="evaluate the option, or do not choose it"))
    if problems:
        raise ParameterError("plan", problems[:20])
    found = own.merge(taken, on=list(taken), how="inner").rename(columns={"benefit_keur": "value_keur"})
    return found[[*KEY, "stream", "value_keur"]]


def by_option(benefits: pd.DataFrame, streams: Sequence[str] | None = None, *, scenario: str | None = None) -> pd.DataFrame:
    """Return the benefits of each option and year, the streams added up: what a roadmap counts.

    Parameters
    ----------
    benefits
        From :func:`benefits`.
    streams
        Streams to add up; by default all. Transfers add up to nought.
    scenario
        Scenario to take; by default all.

    Returns
    -------
    pd.DataFrame
        `area`, `group`, `option`, `scenario`, `year`, `benefit_keur` [kEUR/yr]; the option ``none`` of each with 0.

    Raises
    ------
    ParameterError
        A stream or the scenario is not known.
    """
    known = set(benefits["scenario"])
    unknown = [name for name in streams or () if name not in STREAMS]
    problems = [Problem("streams", f"'{name}' is no stream", remedy=suggest(name, STREAMS)) for name in unknown]
    if scenario is not None and scenario not in known:
        problems.append(Problem("scenario", f"'{scenario}' has no benefits", remedy=suggest(scenario, sorted(known))))
    if problems:
        raise ParameterError("benefits", problems)
    taken = benefits if scenario is None else benefits[benefits["scenario"] == scenario]
    own = taken if streams is None else taken[taken["stream"].isin(list(streams))]
    keys = pd.concat([taken[KEY], taken[KEY].assign(option=NONE)]).drop_duplicates()
    found = keys.merge(own.groupby(KEY, sort=False, as_index=False)["benefit_keur"].sum(), on=KEY, how="left")
    return found.fillna({"benefit_keur": 0.0}).sort_values(KEY, kind="stable", ignore_index=True)
