"""Sentences and cards on interruptions and their restoration; every number comes from the run."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from gridplan.figures.outputs import Card, Table, Text, prose

_UNITS = {"SAIFI": "a year", "SAIDI": "minutes a year"}


def cards(system: pd.Series, cost_k: float, currency: str) -> list[Card]:
    """Return the key figures of a mean year.

    Parameters
    ----------
    system
        `saifi`, `saidi_min`, `caidi_min`, `maifi_e`, `ens_mwh`, `planned_saidi_min`.
    cost_k
        Cost of interruptions [thousands of the currency a year].
    currency
        Currency of the study.
    """
    return [
        Card("SAIDI", system["saidi_min"], "min/yr", f"and {system['planned_saidi_min']:.1f} min/yr planned", digits=1),
        Card("SAIFI", system["saifi"], "1/yr", "sustained interruptions of a customer", digits=2),
        Card("CAIDI", system["caidi_min"], "min", "mean length of an interruption", digits=0),
        Card("MAIFI_E", system["maifi_e"], "1/yr", "events shorter than five minutes", digits=2),
        Card("Energy not supplied", system["ens_mwh"], "MWh/yr", "interruptions of any length", digits=1),
        Card("Cost to customers", cost_k, f"k{currency}/yr", "event by event, planned work not counted", digits=0),
    ]


def calibration(report: pd.DataFrame, factors: Mapping[str, float]) -> Text:
    """Say how far the model had to be scaled.

    Parameters
    ----------
    report
        `quantity`, `model`, `target`, `factor`, `factor_low`, `factor_high`, `plausible`; empty where there is no history.
    factors
        `rates` and `times`: factors used.
    """
    if report.empty:
        return prose("The study brings no history of interruptions: the rates and times of its tables are used as they are.")
    met = [
        prose(
            "{quantity} from {model:.2f} to {target:.2f} {unit}",
            quantity=row.quantity,
            model=row.model,
            target=row.target,
            unit=_UNITS.get(row.quantity, ""),
        ).markdown
        for row in report.itertuples()
    ]
    words = prose(
        "To meet the history, failure rates were multiplied by **{rates:.2f}** and times by **{times:.2f}**: ",
        rates=factors["rates"],
        times=factors["times"],
    ).markdown
    far = report[~report["plausible"].astype(bool)]
    warning = ""
    if len(far):
        low, high = float(far["factor_low"].iloc[0]), float(far["factor_high"].iloc[0])
        warning = prose(
            " **{which} outside {low:g} to {high:g}**: rates, customers or switching of the model differ from the history's "
            "network; look there before relying on single elements.",
            which="Both factors are" if len(far) > 1 else "One factor is",
            low=low,
            high=high,
        ).markdown
    return Text(words + ", ".join(met) + "." + warning)


def major_days(years: pd.DataFrame) -> Text | Table:
    """Return the years of the utility's outage log with and without major event days.

    Parameters
    ----------
    years
        From :func:`gridplan.reliability.yearly_indices`; empty where the study brings no log.
    """
    if years.empty:
        return prose(
            "The study brings no outage log (table `outage_history`); with one, this section shows its years with and without "
            "major event days, by the 2.5 beta method of IEEE 1366."
        )
    columns = ["year", "saifi", "saidi_min", "saifi_without_med", "saidi_without_med_min", "planned_saidi_min"]
    columns += ["major_event_days", "med_threshold_min", "provisional"]
    days, lost = int(years["major_event_days"].sum()), (years["saidi_min"] - years["saidi_without_med_min"]).sum()
    share = 100 * lost / years["saidi_min"].sum() if years["saidi_min"].sum() > 0 else 0.0
    title = f"{days} major event days hold {share:.0f} % of the minutes of {len(years)} years"
    caption = "The utility's outage log; a day above the threshold (2.5 beta method of IEEE 1366) is a major event day."
    digits = {"saifi": 2, "saidi_min": 1, "saifi_without_med": 2, "saidi_without_med_min": 1, "planned_saidi_min": 1}
    return Table(years[columns], "major-event-days", title, caption, digits | {"med_threshold_min": 2}, len(years))


def capacity(ties: pd.DataFrame, states: pd.DataFrame) -> Text:
    """Say how often the capacity of ties binds.

    Parameters
    ----------
    ties
        From :func:`gridplan.reliability.ties`: `name`, `tried`, `full_percent`, `limit`, `element_name`.
    states
        From :func:`gridplan.reliability.bound_by_state`: `state`, `bound_percent`.
    """
    if ties.empty:
        return prose("No transfer is ever asked of a tie: there is none, or none that can be reached.")
    tried = ties["tried"].sum()
    full = float((ties["tried"] * ties["full_percent"]).sum() / tried)
    worst = ties.loc[ties["full_percent"].idxmin()]
    if full >= 99.995:
        words = "The only tie carries" if len(ties) == 1 else f"All {len(ties)} ties carry"
        return prose("{words} everything that is asked, in every fault and loading state.", words=words)
    return prose(
        "Capacity binds in {bound:.1f} % of the transfers asked of {count} ({states}). Most often bound is {name}, "
        "which carries {full:.1f} % of its transfers in full; {limit} at {element} ends the others.",
        states=", ".join(f"{row.bound_percent:.1f} % in the state '{row.state}'" for row in states.itertuples()),
        bound=100 - full,
        count="the only tie" if len(ties) == 1 else f"the {len(ties)} ties",
        name=worst["name"],
        full=worst["full_percent"],
        limit=worst["limit"],
        element=worst["element_name"],
    )


def served(points: pd.DataFrame, cemi: Mapping[int, float]) -> Text:
    """Say how unequally customers are served.

    Parameters
    ----------
    points
        Load points that are served worst.
    cemi
        Share of customers by the number of interruptions that they expect to exceed.
    """
    words = ", ".join(f"{100 * share:.1f} % expect more than {most}" for most, share in cemi.items())
    return prose(
        "Of all customers, {words} sustained interruptions in a year. The worst served tenth is at {count} stations, most of "
        "them in {area}.",
        words=words,
        count=len(points),
        area=points["area"].mode().iloc[0] if points["area"].notna().any() else "no area",
    )


def worst_table(points: pd.DataFrame, *, rows: int = 12) -> Table:
    """Return the stations that are served worst.

    Parameters
    ----------
    points
        From `Reliability.worst_served`.
    rows
        Rows to show; the CSV holds all.
    """
    shown = ["name", "area", "customers", "failures_per_yr", "momentary_per_yr", "interrupted_min", "ens_mwh", "planned_h"]
    digits = {"failures_per_yr": 2, "momentary_per_yr": 2, "interrupted_min": 1, "ens_mwh": 2, "planned_h": 1}
    title = "The stations that are served worst"
    caption = "Expected values of a mean year; together these stations hold a tenth of the customers."
    return Table(points[shown], "worst-stations", title, caption, digits, rows)


def lesson(
    stage: pd.DataFrame, options: pd.DataFrame, curve: pd.DataFrame, currency: str, *, missed: tuple[float, float] | None = None
) -> Text:
    """Say what the interruptions tell the planner.

    Parameters
    ----------
    stage
        From :func:`gridplan.reliability.stage_worth`.
    options
        `option`, `saidi_min`, `interruption_cost_keur`: none first, all last.
    curve
        `k`, `saidi_min`.
    currency
        Currency of the study.
    missed
        Target of SAIDI [min/yr] and the probability that a year misses it.
    """
    best = stage.loc[stage["saved_min"].idxmax()]
    none, joint = options.iloc[0], options.iloc[-1]
    single = options.iloc[1:-1].loc[lambda t: t["saidi_min"].idxmin()] if len(options) > 2 else joint
    whole = curve["saidi_min"].iloc[0] - curve["saidi_min"].min()
    enough = curve.loc[curve["saidi_min"].iloc[0] - curve["saidi_min"] >= 0.8 * whole, "k"].min()
    words = prose(
        "- **Where minutes are lost**: {stage} is worth {saved:.1f} of {saidi:.1f} minutes of SAIDI.\n"
        "- **What gives most back**: alone, {single} brings SAIDI to {alone:.1f} minutes; all applications together to "
        "{joint:.1f} minutes, which saves customers {cost:,.0f} k{currency} a year. The gains overlap and cannot be added up.\n"
        "- **Where to begin**: {enough} switches give four fifths of what {most} give.",
        stage=_small(best["stage"]),
        saved=best["saved_min"],
        saidi=none["saidi_min"],
        single=_small(single["option"]),
        alone=single["saidi_min"],
        joint=joint["saidi_min"],
        cost=none["interruption_cost_keur"] - joint["interruption_cost_keur"],
        currency=currency,
        enough=int(enough),
        most=int(curve["k"].max()),
    )
    if missed is None:
        return words
    sure = prose(
        "\n- **How sure a year is**: as the network stands, {share:.0f} % of the years lose more than {target:.1f} minutes; a "
        "single year says little about the network.",
        target=missed[0],
        share=100 * missed[1],
    )
    return Text(words.markdown + sure.markdown)


def _small(words: str) -> str:
    """Words inside a sentence; abbreviations stay as they are."""
    return words if words[:2].isupper() else words[:1].lower() + words[1:]
