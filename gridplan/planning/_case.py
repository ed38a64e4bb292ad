"""What a study and its metrics say to whoever decides: benefits, KPIs, and what closes the gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from gridplan import gaps, tables, valuation
from gridplan.planning._kpis import contributions
from gridplan.study import Study


@dataclass(frozen=True, eq=False)
class Case:
    """Everything that decisions about a study are made from; made by :func:`case`.

    Parameters
    ----------
    tables
        Tables of the study.
    assumptions
        Its assumptions by name.
    metrics
        From :func:`gridplan.assess.metrics`.
    money
        Currency and price level of every amount.
    benefits
        From :func:`gridplan.valuation.benefits`, of every scenario, without options of which a result is not known.
    contributions
        From :func:`gridplan.planning.contributions`, of the same options.
    closures
        From :func:`gridplan.gaps.closures`.
    unavailable
        What is not valued because a result is not known, and why: options that are left out (see
        :func:`gridplan.valuation.unavailable`), and scenarios without the stream of deferred reinforcement.
    """

    tables: Mapping[str, pd.DataFrame]
    assumptions: Mapping[str, float]
    metrics: pd.DataFrame
    money: valuation.Money
    benefits: pd.DataFrame
    contributions: pd.DataFrame
    closures: pd.DataFrame
    unavailable: pd.DataFrame

    @property
    def scenarios(self) -> list[str]:
        """Scenarios, in order of appearance."""
        return list(dict.fromkeys(self.metrics["scenario"]))

    @property
    def projects(self) -> pd.DataFrame:
        """Table `projects`."""
        return self.tables["projects"]

    @property
    def labels(self) -> dict[str, str]:
        """Names of projects and applications as a reader knows them."""
        named = {row.application: row.label for row in self.tables["applications"].itertuples()}
        return named | {row.project: row.label for row in self.projects.itertuples()}


def money(study: Study, *, price_index: str | None = None) -> valuation.Money:
    """Return the currency and price level in which a study is valued: the latest price year of its prices.

    The costs of interruptions keep the price year of their survey in the metrics; it is named here, so that they are brought to
    the same level. Costs of projects and of network measures are taken to be of that level.

    Parameters
    ----------
    study
        Study with `prices`, and `interruption_costs` if its metrics have them.
    price_index
        Index of prices (table `price_indices`) that moves between years; by default that of the currency in gridplan's table
        `price_levels`.
    """
    price_index = _index(study.currency) if price_index is None else price_index
    level = int(study.table("prices")["price_year"].dropna().max())
    costs = study.tables.get("interruption_costs")
    levels = {} if costs is None else {"interruption_cost_keur": int(costs["price_year"].max())}
    own = {name: study.tables.get(f"{table}") for name, table in (("indices", "price_indices"), ("rates", "exchange_rates"))}
    return valuation.Money(study.currency, level, price_index, levels=levels, **own)


def _index(currency: str) -> str:
    known = tables.bundled("gridplan.planning", "price_levels").set_index("currency")["price_index"]
    return str(known.get(currency, ""))


def case(
    study: Study,
    metrics: pd.DataFrame,
    *,
    price_index: str | None = None,
    items: Mapping[str, str | None] | None = None,
    facts: gaps.Facts | None = None,
) -> Case:
    """Value the metrics of a study in every scenario, and find the projects that close its gaps.

    Parameters
    ----------
    study
        Study with `prices`, `projects` and the tables of :func:`gridplan.gaps.facts`.
    metrics
        From :func:`gridplan.assess.metrics`.
    price_index
        As for :func:`money`.
    items
        Items of the prices by role, as for :func:`gridplan.valuation.benefits`.
    facts
        From :func:`gridplan.gaps.facts`, if they are there already.

    Raises
    ------
    StudyError, ParameterError
        A table is missing or wrong, or a price is.
    """
    valued, unplanned = _planned(metrics)
    failed = pd.concat(
        [part for part in (unplanned, valuation.unavailable(valued)) if len(part)] or [unplanned], ignore_index=True
    )
    level = money(study, price_index=price_index)
    deferred = valuation.capital(study.assumptions)
    worth = valuation.benefits(
        valued, study.table("prices"), money=level, deferred=deferred, items=items, on_failure="unavailable"
    )
    return Case(
        tables=study.tables,
        assumptions=study.assumptions,
        metrics=metrics,
        money=level,
        benefits=worth,
        contributions=_known(contributions(metrics), worth),
        closures=gaps.closures(facts or gaps.facts(study.tables, year=study.base_year)),
        unavailable=failed,
    )


def _planned(metrics: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take the cost of the conventional plan out of scenarios in which it ends with violations even without any application.

    What an option defers is not known there; everything else is.
    """
    columns = ["area", "group", "option", "scenario", "year", "why"]
    if "reinforcement_keur" not in metrics:
        return metrics, pd.DataFrame(columns=columns)
    place = [metrics["group"], metrics["scenario"]]
    has = metrics["reinforcement_keur"].notna().groupby(place).transform("any")
    lacking = metrics["reinforcement_keur"].isna() & (metrics["option"] == "none") & has
    out = lacking.groupby(place).transform("any")
    why = "the conventional plan leaves violations; deferred reinforcement is not valued in this scenario"
    said = metrics.loc[lacking, columns[:-1]].assign(why=why)
    return metrics.assign(reinforcement_keur=metrics["reinforcement_keur"].mask(out)), said


def _known(parts: pd.DataFrame, worth: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of options that have benefits, and of none."""
    key = ["area", "group", "option", "scenario"]
    there = pd.MultiIndex.from_frame(worth[key].drop_duplicates())
    kept = (parts["option"] == "none") | pd.MultiIndex.from_frame(parts[key]).isin(there)
    return parts[kept].reset_index(drop=True)
