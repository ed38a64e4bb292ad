"""Figures of interruptions and of their restoration; from the tables of `reliability`, `placement` and `valuation`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gridplan.figures import maps, theme
from gridplan.figures.outputs import Figure, Table, number

STAGES = {
    "upstream": ("before the fault, back after isolation", theme.CATEGORIES[0]),
    "transfer": ("beyond the fault, back over a tie", theme.CATEGORIES[2]),
    "repair": ("until the repair", theme.CATEGORIES[3]),
}
"""How customers come back, in the order of legends."""
LOST = {
    "upstream": "before the fault, who wait for its isolation",
    "transfer": "beyond the fault, who wait for a tie",
    "repair": "who wait for the repair",
}
"""Whose minutes they are, at the end of a sentence."""

CLASS_LIMITS = (0.2, 0.4, 0.6, 0.8, 0.95)
"""Quantiles of the customers at which the colours of the map of minutes change."""


def minutes_map(where: maps.Map, points: pd.DataFrame) -> Figure:
    """Draw the minutes a year without supply at each station, and how many customers they hit.

    Parameters
    ----------
    where
        The map.
    points
        `bus`, `name`, `area`, `customers`, `failures_per_yr` [1/yr], `interrupted_min` [min/yr].
    """
    figure = maps.canvas(where)
    figure.add_trace(maps.lines_of(where, where.paths, "", {"color": theme.FAINT, "width": 1.4}, show=False))
    edges = np.unique(np.quantile(points["interrupted_min"], CLASS_LIMITS)) if len(points) else np.array([])
    classes = np.digitize(points["interrupted_min"], edges)
    for position in range(len(edges) + 1):
        here = points[classes == position]
        if len(here):
            figure.add_trace(
                _dots(where, here, points["customers"].max(), _shade(position, len(edges)), _between(edges, position))
            )
    maps.landmarks(figure, where)
    worst = points.loc[points["interrupted_min"].idxmax()] if len(points) else None
    title = "No station is ever interrupted"
    if worst is not None and worst["interrupted_min"] > 0:
        name, minutes = _capital(worst["name"]), number(worst["interrupted_min"], 0)
        title = f"{name} is without supply {minutes} minutes in a mean year, the longest of all"
    caption = "Expected minutes of sustained interruption a year at each station; a dot's size is its number of customers."
    alt = "Map of the stations by minutes of interruption a year."
    return Figure(figure, "map-minutes", title, caption, alt, points)


def _dots(where: maps.Map, here: pd.DataFrame, most: float, colour: str, label: str) -> go.Scatter:
    words = [
        f"{theme.text(row.name_)}<br>{number(row.interrupted_min, 1)} min/yr<br>{number(row.failures_per_yr, 3)} interruptions/yr"
        f"<br>{number(row.customers)} customers"
        for row in here.rename(columns={"name": "name_"}).itertuples()
    ]
    size = 5 + 9 * np.sqrt(here["customers"] / max(most, 1))
    trace = maps.dots(where, here["bus"], words, {"color": colour, "size": size, "line": {"width": 0.6, "color": theme.PAPER}})
    return trace.update(name=label, showlegend=True)


def _shade(position: int, edges: int) -> str:
    return theme.HEAT[round(position * (len(theme.HEAT) - 1) / max(edges, 1))]


def _between(edges: np.ndarray, position: int) -> str:
    if not len(edges):
        return "all stations"
    if position == 0:
        return f"below {number(edges[0], 0)} min"
    if position == len(edges):
        return f"{number(edges[-1], 0)} min and more"
    return f"{number(edges[position - 1], 0)}–{number(edges[position], 0)} min"


def stages(table: pd.DataFrame) -> Figure:
    """Draw how many customer minutes each area loses, by the way in which the customers come back.

    Parameters
    ----------
    table
        `area`, `stage`, `customer_minutes` [min/yr]: one row an area (of the customers' fault) and stage.
    """
    figure = go.Figure()
    for stage, (words, colour) in STAGES.items():
        here = table[table["stage"] == stage].sort_values("area", ascending=False)
        bar = go.Bar(y=[theme.text(a) for a in here["area"]], x=here["customer_minutes"], orientation="h", name=words)
        figure.add_trace(
            bar.update(marker_color=colour, hovertemplate=f"%{{y}}: %{{x:,.0f}} customer minutes, {words}<extra></extra>")
        )
    _stack_areas(figure, table)
    figure.update_xaxes(title_text="Customer minutes a year [min/yr]", separatethousands=True, showgrid=True)
    total = table.groupby("stage")["customer_minutes"].sum()
    title = "No customer minutes are lost"
    if total.sum() > 0:
        worst = total.idxmax()
        title = f"{number(100 * total[worst] / total.sum(), 0)} % of the lost minutes are those of customers {LOST[worst]}"
    alt = ", ".join(f"{stage}: {number(value, 0)} customer minutes" for stage, value in total.items())
    caption = "Expected customer minutes of sustained interruptions a year, by the area of the fault and the way back."
    return Figure(figure, "stages", title, caption, alt, table)


def _stack_areas(figure: go.Figure, table: pd.DataFrame) -> None:
    """Stack horizontal bars, one for each area, in order of name from the top."""
    areas = [theme.text(area) for area in sorted(table["area"].unique(), reverse=True)]
    figure.update_layout(barmode="stack", bargap=0.35, height=150 + 46 * len(areas), margin={"t": 92})
    figure.update_yaxes(showgrid=False, categoryorder="array", categoryarray=areas)


def stage_worth(table: pd.DataFrame, *, currency: str = "EUR") -> Figure:
    """Draw how much SAIDI would fall if a stage of the restoration took no time.

    Parameters
    ----------
    table
        `stage` (in words), `saidi_min`, `saved_min` [min/yr]; perhaps `cost_saved_keur` (thousands of the currency a year).
    currency
        Currency of the costs.
    """
    ordered = table.sort_values("saved_min")
    bar = go.Bar(y=ordered["stage"], x=ordered["saved_min"], orientation="h", marker_color=theme.ACCENT)
    text = [f"{number(value, 1)} min" for value in ordered["saved_min"]]
    if "cost_saved_keur" in ordered:
        pairs = zip(text, ordered["cost_saved_keur"], strict=True)
        text = [f"{words}, {number(cost, 1)} k{currency}" for words, cost in pairs]
    figure = go.Figure(
        bar.update(text=text, textposition="outside", cliponaxis=False, hovertemplate="%{y}: %{text}<extra></extra>")
    )
    figure.update_layout(height=150 + 44 * len(table), bargap=0.4, margin={"r": 130})
    figure.update_xaxes(title_text="SAIDI saved [min/yr]", rangemode="tozero", showgrid=True)
    figure.update_yaxes(showgrid=False)
    best = ordered.iloc[-1] if len(ordered) else None
    title = "No stage costs anything"
    if best is not None and best["saved_min"] > 0:
        title = f"{best['stage']} costs most: in no time it would save {number(best['saved_min'], 1)} minutes of SAIDI"
    caption = "What falls if one stage of the restoration takes no time and the others stay as they are; the effects overlap."
    if "cost_saved_keur" in table:
        caption += " Behind the minutes, the cost of interruptions a year."
    alt = ", ".join(f"{row.stage}: {number(row.saved_min, 2)} min" for row in ordered[::-1].itertuples())
    return Figure(figure, "stage-worth", title, caption, alt, table)


def served(points: pd.DataFrame, *, target_min: float | None = None) -> Figure:
    """Draw the customers from the worst to the best served.

    Parameters
    ----------
    points
        `customers`, `interrupted_min` [min/yr], `area`.
    target_min
        A line to compare with [min/yr].
    """
    ordered = points[points["customers"] > 0].sort_values("interrupted_min", ascending=False)
    share = 100 * ordered["customers"].cumsum() / max(ordered["customers"].sum(), 1)
    x, y = np.concatenate([[0], share]), np.concatenate([ordered["interrupted_min"].head(1), ordered["interrupted_min"]])
    line = go.Scatter(x=x, y=y, mode="lines", line={"color": theme.ACCENT, "width": 2.5, "shape": "vh"}, showlegend=False)
    figure = go.Figure(line.update(hovertemplate="%{x:.1f} % of the customers lose %{y:.0f} min or more<extra></extra>"))
    mean = float(np.average(ordered["interrupted_min"], weights=ordered["customers"])) if len(ordered) else 0.0
    figure.add_hline(y=mean, line={"color": theme.MUTED, "dash": "dot"}, annotation_text=f"mean (SAIDI) {number(mean, 1)} min")
    if target_min is not None:
        words = f"target {number(target_min, 1)} min"
        figure.add_hline(
            y=target_min, line={"color": theme.BAD, "dash": "dash"}, annotation_text=words, annotation_position="bottom right"
        )
    figure.update_xaxes(title_text="Share of the customers, worst served first [%]", range=[0, 100])
    figure.update_yaxes(title_text="Interruption a year [min/yr]", rangemode="tozero")
    tenth = ordered.loc[(share <= 10).to_numpy(), "interrupted_min"] if len(ordered) else pd.Series(dtype=float)
    title = "Every customer is served alike"
    if len(tenth) and mean > 0:
        title = f"The worst served tenth of the customers loses at least {number(tenth.min() / mean, 1)} times the mean"
    caption = "Expected minutes of sustained interruption a year, customer by customer."
    return Figure(figure, "worst-served", title, caption, f"Mean {number(mean, 1)} minutes a year.", points)


def automation(curve: pd.DataFrame, *, objective: str) -> Figure:
    """Draw what each further automated switch saves.

    Parameters
    ----------
    curve
        `k`, `saidi_min` [min/yr], `gain` (of the objective, against none), `switch_names`, `series` if there are several.
    objective
        Label of the vertical axis with its unit.
    """
    figure = go.Figure()
    series = curve["series"] if "series" in curve else pd.Series("", index=curve.index)
    for position, (name, here) in enumerate(curve.groupby(series, sort=False)):
        style = {"color": theme.CATEGORIES[position], "width": 2.5}
        trace = go.Scatter(x=here["k"], y=here["saidi_min"], mode="lines+markers", line=style, name=theme.text(name))
        trace.update(
            showlegend=bool(name), hovertemplate=f"%{{x}} switches: %{{y:.2f}} {objective}<extra>{theme.text(name)}</extra>"
        )
        figure.add_trace(trace)
    figure.update_xaxes(title_text="Switches automated [1]", rangemode="tozero")
    figure.update_yaxes(title_text=objective, rangemode="tozero")
    first, last = curve["saidi_min"].iloc[0], curve["saidi_min"].min()
    whole = first - last
    title = "No further switch saves anything"
    if whole > 0:
        enough = curve.loc[first - curve["saidi_min"] >= 0.8 * whole, "k"].min()
        title = f"{number(int(enough))} switches bring four fifths of what {number(int(curve['k'].max()))} bring"
    caption = "The best switches found for each number; every point is computed on the network, with the ties' capacity."
    caption += _proof(curve)
    alt = f"From {number(first, 1)} to {number(last, 1)} {objective}."
    return Figure(figure, "automation-curve", title, caption, alt, curve)


def _proof(curve: pd.DataFrame) -> str:
    """Say how good the choices are at least."""
    known = curve[curve["k"] > 0]
    if "proven_best" not in curve or known.empty or known["gain_bound"].isna().any():
        return ""
    if known["proven_best"].all():
        return " No other choice gains more."
    last = known.iloc[-1]
    share = number(100 - last["gain_gap_percent"], 0)
    return f" The {number(int(last['k']))} switches gain at least {share} % of what any other {number(int(last['k']))} could."


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def years(samples: pd.DataFrame, *, target_min: float | None = None, probability: float | None = None) -> Figure:
    """Draw the distribution of SAIDI over many simulated years.

    Parameters
    ----------
    samples
        `saidi_min` [min/yr], one row a simulated year.
    target_min
        Target [min/yr].
    probability
        Probability of missing it.
    """
    values = samples["saidi_min"]
    end = float(values.quantile(0.995)) or 1.0
    bins = {"start": 0.0, "end": end, "size": end / 50}
    histogram = go.Histogram(x=values, xbins=bins, marker_color=theme.ACCENT, histnorm="percent", showlegend=False)
    figure = go.Figure(histogram.update(hovertemplate="%{x} min: %{y:.1f} % of the years<extra></extra>"))
    words = f"mean {number(values.mean(), 1)} min"
    figure.add_vline(x=values.mean(), line={"color": theme.INK, "dash": "dot"}, annotation_text=words)
    title = (
        f"SAIDI of a single year lies between {number(values.quantile(0.05), 1)} and {number(values.quantile(0.95), 1)} minutes"
    )
    if target_min is not None:
        figure.add_vline(
            x=target_min,
            line={"color": theme.BAD, "dash": "dash"},
            annotation_text=f"target {number(target_min, 1)} min",
            annotation_position="top left",
        )
        if probability is not None:
            title = f"A target of {number(target_min, 1)} minutes is missed in {number(100 * probability, 0)} % of the years"
    figure.update_xaxes(title_text="SAIDI of the year [min/yr]", range=[0, end])
    figure.update_yaxes(title_text="Share of the years [%]")
    caption = f"{number(len(samples))} simulated years, without the worst 0.5 % of them; failures come at random."
    low, high = values.quantile(0.05), values.quantile(0.95)
    alt = f"5 %: {number(low, 2)}, mean: {number(values.mean(), 2)}, 95 %: {number(high, 2)} min."
    return Figure(figure, "saidi-years", title, caption, alt, samples)


def cost_by_class(table: pd.DataFrame, *, currency: str, price_year: int) -> Figure:
    """Draw the expected cost of interruptions by area and class of customer.

    Parameters
    ----------
    table
        `area`, `customer_class`, `interruption_cost_keur` (thousands of the currency a year).
    currency, price_year
        Currency and price level of the costs.
    """
    figure = go.Figure()
    for name, colour in theme.CLASSES.items():
        here = table[table["customer_class"] == name].sort_values("area", ascending=False)
        if len(here):
            bar = go.Bar(y=[theme.text(a) for a in here["area"]], x=here["interruption_cost_keur"], orientation="h", name=name)
            words = f"%{{y}}, {name}: %{{x:,.1f}} k{currency}/yr<extra></extra>"
            figure.add_trace(bar.update(marker_color=colour, hovertemplate=words))
    _stack_areas(figure, table)
    figure.update_xaxes(
        title_text=f"Cost of interruptions [k{currency}/yr, prices of {price_year}]", separatethousands=True, showgrid=True
    )
    by_class = table.groupby("customer_class")["interruption_cost_keur"].sum()
    total = by_class.sum()
    title = "Interruptions cost the customers nothing"
    if total > 0:
        share = number(100 * by_class.max() / total, 0)
        title = f"Interruptions cost the customers {number(total, 0)} k{currency} a year, {share} % of it {by_class.idxmax()}"
    alt = ", ".join(f"{name}: {number(value, 1)} k{currency}/yr" for name, value in by_class.items())
    caption = "Expected cost of interruptions to customers, event by event with their durations."
    return Figure(figure, "interruption-cost", title, caption, alt, table)


def automated_map(where: maps.Map, places: pd.DataFrame) -> Figure:
    """Draw the switches to equip, in the order in which they come in.

    Parameters
    ----------
    where
        The map.
    places
        `name`, `bus`, `k`: the number of switches from which on it is among the best.
    """
    figure = maps.canvas(where)
    figure.add_trace(maps.lines_of(where, where.paths, "", {"color": theme.FAINT, "width": 1.6}, show=False))
    words = [
        f"{theme.text(row.name_)}<br>among the best {row.k}" for row in places.rename(columns={"name": "name_"}).itertuples()
    ]
    marker = {"color": theme.ACCENT, "size": 17, "line": {"width": 1, "color": theme.PAPER}}
    trace = maps.dots(where, places["bus"], words, marker)
    labels = places["k"].astype(str).tolist()
    trace.update(mode="markers+text", customdata=words, hovertemplate="%{customdata}<extra></extra>", text=labels)
    maps.landmarks(figure, where)
    figure.add_trace(trace.update(textfont={"color": theme.PAPER, "size": 10}, name="switch to automate", showlegend=True))
    first = places.sort_values("k")["name"].head(3).tolist()
    title = f"The first to automate: {', '.join(first)}" if first else "No switch is worth automating"
    caption = "Switches that save most minutes; the number says from how many switches on each is among the best."
    return Figure(figure, "map-automation", title, caption, f"Map with {len(places)} switches to automate.", places)


def transfers_table(transfers: pd.DataFrame) -> Table:
    """Return how often the ties' capacity ends a transfer.

    Parameters
    ----------
    transfers
        `name`, `tried`, `full_percent`, `carried_percent`, `limit`, `element_name`.
    """
    bound = (transfers["full_percent"] < 100 - 1e-6).sum()
    title = (
        f"{number(int(bound))} of {number(len(transfers))} ties cannot always carry what is asked of them"
        if len(transfers)
        else "There is no tie"
    )
    caption = "Transfers tried in all faults and loading states; a tie carries what a power flow finds within the limits."
    digits = {"tried": 0, "full_percent": 2, "carried_percent": 2}
    return Table(transfers.drop(columns="tie"), "transfers", title, caption, digits)
