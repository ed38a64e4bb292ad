"""Sentences about results that read right whatever the result is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from gridplan.figures.outputs import Card, Text, number, prose


def verdict(key: Any, *, when: str = "") -> Text:
    """Say whether the network stays inside its limits, and what comes nearest.

    Parameters
    ----------
    key
        :class:`gridplan.performance.KeyFigures`.
    when
        Start of the first sentence; the period if not given.
    """
    when = when or ("Over the year" if _span(key) == "the year" else f"Over the {_span(key)} of the time series")
    if key.failed_h == key.hours:
        return prose("{when} **no step has a power-flow solution**: nothing below can be judged.", when=when)
    if key.outside_h:
        first = "{when} the network is **outside its limits for {outside:,.0f} of {hours:,.0f} h** ({share:.1f} %)."
    else:
        first = "{when} the network **stays inside its limits in every hour**" + (
            " that could be solved." if key.failed_h else "."
        )
    voltage = "Voltages lie between {low:.3f} pu at {low_bus} and {high:.3f} pu at {high_bus}."
    lines = " The highest loading of a line is {loading:.0f} % of its rating, at {line}."
    trafo = " The highest loading of a transformer is {trafo_loading:.0f} %, at {trafo}."
    parts = [first, " ", voltage]
    parts += [lines if pd.notna(key.line_loading_percent) else " **No line has a rating: no loading of a line is judged.**"]
    parts += [trafo] if pd.notna(key.trafo_loading_percent) else []
    parts += (
        [" **For {failed:,.1f} h there is no power-flow solution**; they are in no figure and no average."]
        if key.failed_h
        else []
    )
    return prose(
        "".join(parts),
        when=when,
        outside=key.outside_h,
        hours=key.hours,
        share=100 * key.outside_h / key.hours,
        low=key.vm_min_pu,
        low_bus=key.vm_min_bus,
        high=key.vm_max_pu,
        high_bus=key.vm_max_bus,
        line=key.line,
        loading=key.line_loading_percent,
        trafo=key.trafo,
        trafo_loading=key.trafo_loading_percent,
        failed=key.failed_h,
    )


def voltage_lesson(key: Any, events: pd.DataFrame) -> Text:
    """Say when the voltage is lowest and highest.

    Parameters
    ----------
    key
        :class:`gridplan.performance.KeyFigures`.
    events
        `time`, `kind` from :func:`gridplan.powerflow.worst_hours`.
    """
    if pd.isna(key.vm_min_pu):
        return prose("No voltage could be computed.")
    hours = {kind: events.loc[events["kind"] == kind, "time"].dt.hour for kind in ("lowest voltage", "highest voltage")}
    low, high = (f"{hour.min():02d}:00 and {hour.max() + 1:02d}:00" for hour in hours.values())
    return prose(
        "The lowest voltage stands at {low_bus}, the highest at {high_bus}. On the worst days the lowest comes between {low}, "
        "the highest between {high}.",
        low_bus=key.vm_min_bus,
        high_bus=key.vm_max_bus,
        low=low,
        high=high,
    )


def operation_cards(key: Any, bounds: Any) -> list[Card]:
    """Return the key figures of a period of operation.

    Parameters
    ----------
    key
        :class:`gridplan.performance.KeyFigures`.
    bounds
        :class:`gridplan.powerflow.Limits`.
    """
    voltage_ok = bounds.vm_min_pu <= key.vm_min_pu and key.vm_max_pu <= bounds.vm_max_pu
    band = f"band {number(bounds.vm_min_pu, 2)}–{number(bounds.vm_max_pu, 2)} pu"
    spread = f"{number(key.vm_min_pu, 3)}–{number(key.vm_max_pu, 3)}"
    when = f"on {key.peak_time:%d %b, %H:%M}; {number(key.load_mwh / 1000, 1)} GWh in {_span(key)}" if key.load_mwh else ""
    share = 100 * key.generation_mwh / key.load_mwh if key.load_mwh else float("nan")
    judged = "" if not key.failed_h else f", {number(key.failed_h, 1)} h unsolved"
    return [
        Card("Peak load", key.peak_load_mw, "MW", when, digits=1),
        Card(
            "Generation in the network", key.generation_mwh / 1000, "GWh", f"{number(share, 0)} % of the load's energy", digits=1
        ),
        Card("Losses", key.losses_percent, "%", f"{number(key.losses_mwh, 0)} MWh in {_span(key)}", digits=2),
        Card("Voltage", spread, "pu", band, "good" if voltage_ok else "bad"),
        _loading_card(key, bounds),
        Card("Outside limits", key.outside_h, "h", f"of {number(key.hours, 0)} h{judged}", _outside_status(key), digits=0),
    ]


def _loading_card(key: Any, bounds: Any) -> Card:
    """Highest loading of a line and of a transformer; what has no rating is not judged, and has no mark."""
    values = (key.line_loading_percent, key.trafo_loading_percent)
    limits = (bounds.line_loading_max_percent, bounds.trafo_loading_max_percent)
    known = [value for value in values if pd.notna(value)]
    if not known:
        return Card("Loading", "not judged", note="no line or transformer has a rating")
    inside = all(value <= limit for value, limit in zip(values, limits, strict=True) if pd.notna(value))
    names = ("line", "transformer")
    label = " and ".join(name for name, value in zip(names, values, strict=True) if pd.notna(value))
    where = ", ".join(name for name, value in zip((key.line, key.trafo), values, strict=True) if pd.notna(value))
    shown = " / ".join(number(value, 0) for value in known)
    return Card(f"Highest loading, {label}", shown, "%", where, "good" if inside else "bad")


def _outside_status(key: Any) -> str:
    if key.outside_h or key.failed_h:
        return "bad"
    return "good" if pd.notna(key.line_loading_percent) else ""


def _span(key: Any) -> str:
    return "the year" if 8700 <= key.hours <= 8800 else f"{number(key.hours, 0)} h"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Join names for a sentence: ``a, b and c``, or the first ones and how many more.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a', 'a and b', 'a, b, c and 2 more')
    """
    shown = list(names[:most])
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def findings(table: pd.DataFrame) -> Text:
    """Say what a diagnosis found.

    Parameters
    ----------
    table
        `severity` (error, warning, info) and `check`.
    """
    count = table["severity"].value_counts()
    errors, warnings = int(count.get("error", 0)), int(count.get("warning", 0))
    if not errors and not warnings:
        return prose("The network passes every check.")
    kinds = listed(sorted(table.loc[table["severity"] != "info", "check"].unique()))
    many = "{errors} error{s} and {warnings} warning{w}" if errors else "{warnings} warning{w} and no error"
    return prose(
        f"The checks of the network give {many} ({{kinds}}).",
        errors=errors,
        warnings=warnings,
        s="" if errors == 1 else "s",
        w="" if warnings == 1 else "s",
        kinds=kinds,
    )


def study_cards(held: Any) -> list[Card]:
    """Return the key figures of what a study holds.

    Parameters
    ----------
    held
        :class:`gridplan.performance.Inventory`.
    """
    return [
        Card("Areas", held.areas, note="feeders in the normal state"),
        Card("Customers", held.customers, note=f"at {number(held.stations)} stations"),
        Card("Lines", held.length_km, "km", digits=0),
        Card("Load", held.load_mw, "MW", "sum of the stations' peaks", digits=1),
        Card("Generation", held.pv_mw, "MW", "sum of the plants' peaks", digits=1),
        Card("Time series", held.steps, "steps", f"of {number(held.step_min, 0)} minutes"),
    ]


def voltage_title(key: Any, bounds: Any) -> str:
    """Say how near the voltages come to the band."""
    if pd.isna(key.vm_min_pu):
        return "No voltage could be computed"
    spread = f"{number(key.vm_min_pu, 3)} to {number(key.vm_max_pu, 3)} pu"
    inside = bounds.vm_min_pu <= key.vm_min_pu and key.vm_max_pu <= bounds.vm_max_pu
    return f"Voltages stay inside the band: {spread}" if inside else f"Voltages leave the band: {spread}"


def loading_title(lines: pd.DataFrame, bounds: Any) -> str:
    """Say how many lines come near their limit, or beyond it, and how many are not judged.

    Parameters
    ----------
    lines
        `name`, `loading_max_percent` [%].
    bounds
        :class:`gridplan.powerflow.Limits`.
    """
    value, limit = lines["loading_max_percent"], bounds.line_loading_max_percent
    over, half, unknown = int((value > limit).sum()), int((value > limit / 2).sum()), int(value.isna().sum())
    if unknown == len(lines):
        return "No line has a rating: no loading is judged"
    rest = f"; {unknown} of {len(lines)} have no rating and are not judged" if unknown else ""
    if over:
        return f"{over} line{'s exceed' if over != 1 else ' exceeds'} {number(limit, 0)} % of the rating{rest}"
    return f"No line exceeds {number(limit, 0)} % of its rating; {half} of {len(lines)} exceed half of it{rest}"


def trafo_title(key: Any) -> str:
    """Say how far the transformers and lines are used."""
    trafo, line = number(key.trafo_loading_percent, 0), number(key.line_loading_percent, 0)
    if pd.isna(key.trafo_loading_percent):
        return "No loading is judged" if pd.isna(key.line_loading_percent) else f"The most loaded line reaches {line} %"
    rest = "" if pd.isna(key.line_loading_percent) else f", the most loaded line {line} %"
    return f"{key.trafo[0].upper()}{key.trafo[1:]} reaches {trafo} %{rest}"


def exchange_title(power: pd.Series, step_h: float) -> str:
    """Say whether the network feeds back.

    Parameters
    ----------
    power
        Power drawn from the grid above by step [MW].
    step_h
        Length of a step [h].
    """
    if not power.notna().any():
        return "No exchange could be computed"
    back = float((power < 0).sum() * step_h)
    if not back:
        return f"The network draws power in every step, up to {number(power.max(), 1)} MW"
    peaks = f"up to {number(-power.min(), 1)} MW; it draws up to {number(power.max(), 1)} MW"
    return f"The network feeds back for {number(back, 0)} h, {peaks}"


def energy_title(key: Any) -> str:
    """Say what share of the energy is generated in the network, and what is lost."""
    share = 100 * key.generation_mwh / key.load_mwh if key.load_mwh else float("nan")
    return f"Generation in the network covers {number(share, 0)} % of the energy; {number(key.losses_percent, 1)} % is lost"


def operation_lesson(key: Any, areas: pd.DataFrame, bounds: Any) -> Text:
    """Say what a year of operation tells the planner.

    Parameters
    ----------
    key
        :class:`gridplan.performance.KeyFigures`.
    areas
        `area`, `vm_min_pu`, `vm_max_pu`, `line_loading_max_percent`.
    bounds
        :class:`gridplan.powerflow.Limits`.
    """
    if areas["vm_min_pu"].isna().all():
        return prose("Nothing could be judged: mend the network or the time series first.")
    low = areas.loc[areas["vm_min_pu"].idxmin()]
    high = areas.loc[areas["vm_max_pu"].idxmax()]
    rated = areas["line_loading_max_percent"].notna().any()
    loaded = areas.loc[areas["line_loading_max_percent"].idxmax()] if rated else low
    loading = (
        "- **Loading**: {loaded} carries the most loaded line, {loading:.0f} % of its rating in the normal state. "
        "In an open ring half of the rating is what lets one side take over the other.\n"
        if rated
        else "- **Loading**: no line has a rating, so no loading is judged: complete the network data.\n"
    )
    return prose(
        "- **Voltage**: {low_area} has the least room below ({low:.3f} pu, {low_room:.1f} % above the lower limit), "
        "{high_area} the least above ({high:.3f} pu, {high_room:.1f} % below the upper one).\n"
        f"{loading}"
        "- **Losses**: {losses:,.0f} MWh, {share:.1f} % of what is fed in: the most that reducing them can ever save. "
        "What is lost below the network of this study is not in it.",
        low_area=low["area"],
        low=low["vm_min_pu"],
        low_room=100 * (low["vm_min_pu"] - bounds.vm_min_pu),
        high_area=high["area"],
        high=high["vm_max_pu"],
        high_room=100 * (bounds.vm_max_pu - high["vm_max_pu"]),
        loaded=loaded["area"],
        loading=loaded["line_loading_max_percent"],
        losses=key.losses_mwh,
        share=key.losses_percent,
    )


def unassigned(table: pd.DataFrame) -> Text:
    """Say which elements follow no profile.

    Parameters
    ----------
    table
        `element`, `elements`, `p_mw` [MW], from :func:`gridplan.network.unassigned`.
    """
    if table.empty:
        return prose("Every load, generator and storage follows a profile.")
    words = {"load": "loads", "sgen": "static generators", "storage": "storages", "gen": "generators"}
    rows = zip(table["element"], table["elements"], table["p_mw"], strict=True)
    parts = [f"{number(count)} {words.get(element, element)} ({number(power)} MW)" for element, count, power in rows]
    return prose("**{parts} follow no profile**: their power is the same in every step.", parts=listed(parts, most=4))


def trust(diagnosis: pd.DataFrame, profiles: pd.DataFrame, assumptions: pd.DataFrame) -> Text:
    """Say how far the data of a study can be trusted.

    Parameters
    ----------
    diagnosis
        `severity`, `check`.
    profiles
        `profile`, `element`, `full_load_hours`, `at_night`.
    assumptions
        `evidence`: assumptions marked M are general knowledge.
    """
    suns = profiles[(profiles["element"] == "sgen") & (profiles["at_night"] > 0.01)]
    general = int((assumptions["evidence"] == "M").sum())
    night = "no generator produces at night"
    if len(suns):
        night = (
            f"{listed(list(suns['profile']))} produce{'s' if len(suns) == 1 else ''} at night: wind, water or biomass, or a fault"
        )
    return Text(
        "\n".join(
            [
                f"- **Network**: {findings(diagnosis).markdown}",
                prose("- **Time series**: {night}; the full-load hours are in the table above.", night=night).markdown,
                prose(
                    "- **Assumptions**: {general} of {count} are general knowledge (M). "
                    "Replace them before a decision rests on them.",
                    general=general,
                    count=len(assumptions),
                ).markdown,
            ]
        )
    )


def hosting_title(table: pd.DataFrame) -> str:
    """Say how much the stations take, and what mostly ends it.

    Parameters
    ----------
    table
        `hosting_mw` [MW] and `limit` by bus, from :func:`gridplan.hosting.capacity`.
    """
    if table.empty:
        return "No station to judge"
    power, limit = table["hosting_mw"], table["limit"].value_counts()
    if (limit.index[0] == "already violated") and limit.iloc[0] == len(table):
        return "Nothing more can be connected: a limit is violated already"
    share = number(100 * limit.iloc[0] / len(table), 0)
    spread = f"{number(power.min(), 1)} to {number(power.max(), 1)} MW"
    return f"Stations take {spread} each; {limit.index[0]} ends it at {share} % of them"


def hosting_cards(table: pd.DataFrame) -> list[Card]:
    """Return the key figures of the hosting capacity of the stations.

    Parameters
    ----------
    table
        `name`, `hosting_mw` [MW], `limit` by bus, from :func:`gridplan.hosting.capacity`.
    """
    if table.empty:
        return [Card("Stations", 0)]
    power, limits = table["hosting_mw"], table["limit"].value_counts()
    least = table.loc[power.idxmin()]
    return [
        Card("Stations judged", len(table)),
        Card("Median station", power.median(), "MW", "one plant by itself"),
        Card("Weakest station", least["hosting_mw"], "MW", least["name"], "" if least["hosting_mw"] else "bad"),
        Card(f"Ended by {limits.index[0]}", int(limits.iloc[0]), "stations", "the most frequent limit"),
    ]


def control_title(table: pd.DataFrame) -> str:
    """Say which control brings most.

    Parameters
    ----------
    table
        `series` (the control; the first is what the others are compared with), `hosting_mw` [MW].
    """
    total = table.groupby("series", sort=False)["hosting_mw"].sum()
    if not len(total) or total.iloc[0] <= 0:
        return "No control can be compared: the weakest stations take nothing"
    best = total.idxmax()
    if best == total.index[0]:
        return f"No control does better than {best}"
    return f"At the weakest stations, {best} brings {number(100 * (total.max() / total.iloc[0] - 1), 0)} % more"


def placement_title(table: pd.DataFrame) -> str:
    """Say how much the areas take in many small plants.

    Parameters
    ----------
    table
        `area`, `hosting_mw` [MW]: one row a random placement.
    """
    median = table.groupby("area")["hosting_mw"].median()
    low, high = median.idxmin(), median.idxmax()
    if median.max() == 0:
        return "No area takes any more: a limit is violated already"
    return f"In the median, {low} takes {number(median.min(), 1)} MW and {high} {number(median.max(), 1)} MW"


def hosting_lesson(stations: pd.DataFrame, placed: pd.DataFrame) -> Text:
    """Say what the hosting capacity tells the planner.

    Parameters
    ----------
    stations
        `area`, `hosting_mw` [MW], `limit` by station.
    placed
        `area`, `hosting_mw` [MW]: one row a random placement.
    """
    if stations.empty or placed.empty:
        return prose("There is no station to judge.")
    by_area = stations.groupby("area")["hosting_mw"].median()
    limits = stations["limit"].value_counts()
    groups = placed.groupby("area")["hosting_mw"]
    spread = pd.DataFrame({"p05": groups.quantile(0.05), "p95": groups.quantile(0.95)})
    wide = (spread["p95"] - spread["p05"]).idxmax()
    return prose(
        "- **Where**: the median station takes most in {best} ({high:.1f} MW) and least in {worst} ({low:.1f} MW); "
        "these are plants one at a time, and cannot be added up.\n"
        "- **What ends it**: {limit} at {count:,d} of {stations:,d} stations. Only measures against it raise the capacity.\n"
        "- **How sure**: where the plants go matters. In {wide}, 90 % of the random placements end between "
        "{p05:.1f} and {p95:.1f} MW.",
        best=by_area.idxmax(),
        high=by_area.max(),
        worst=by_area.idxmin(),
        low=by_area.min(),
        limit=limits.index[0],
        count=int(limits.iloc[0]),
        stations=len(stations),
        wide=wide,
        p05=spread.loc[wide, "p05"],
        p95=spread.loc[wide, "p95"],
    )


def standards(cost_keur: float, coarser_keur: float, currency: str) -> Text:
    """Compare the plan with one from the next coarser standard equipment.

    Parameters
    ----------
    cost_keur, coarser_keur
        Cost of both [kEUR, or thousands of the currency].
    currency
        Currency of the study.
    """
    if not cost_keur and not coarser_keur:
        return prose("Neither the standard equipment nor the next coarser one has to be bought.")
    extra = coarser_keur - cost_keur
    words = "more" if extra >= 0 else "less: larger steps last longer, which a plan made year by year does not see"
    return prose(
        "With the next coarser standard, which leaves out the smallest size of each kind of equipment, the same needs "
        "would cost {coarser:,.0f} k{currency} in place of {cost:,.0f} k{currency}: {extra:,.0f} k{currency} {words}.",
        coarser=coarser_keur,
        cost=cost_keur,
        extra=abs(extra),
        currency=currency,
        words=words,
    )


def needs_lesson(outlook: pd.DataFrame, first: pd.DataFrame, plan: Any, currency: str) -> Text:
    """Say what the futures tell the planner.

    Parameters
    ----------
    outlook
        `scenario`, `year`, `outside_h`, `failed_h` [h].
    first
        `area`, `kind`, `first_year`, from :func:`gridplan.needs.first_years`.
    plan
        :class:`gridplan.needs.Plan`.
    currency
        Currency of the study.
    """
    last = outlook[outlook["year"] == outlook["year"].max()].set_index("scenario")["outside_h"]
    hours = listed([f"{name} {number(value, 0)} h" for name, value in last.items()], most=6)
    lines = [prose("- **How far the futures differ**: outside limits in the last year: {hours}.", hours=hours)]
    if len(first):
        kinds = first["kind"].value_counts()
        where = listed(sorted(first["area"].dropna().unique()), most=6)
        words = "- **What comes first**: {kind}, from {year} on; areas concerned by {end}: {where}."
        year, end = str(first["first_year"].min()), str(first["last_year"].max())
        lines.append(prose(words, kind=kinds.index[0], year=year, end=end, where=where))
    if len(plan.steps):
        left = "nothing is left" if plan.cured else f"{len(plan.left)} needs are left"
        words = "- **What it costs conventionally**: {cost:,.0f} k{currency} for {count} measures, not discounted; {left}."
        lines.append(prose(words, cost=plan.total_keur, currency=currency, count=len(plan.steps), left=left))
    return Text("\n".join(line.markdown for line in lines))
