"""Figures of hosting capacity: where there is room, what ends it, and how sure that is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gridplan import tables
from gridplan.figures import maps, theme
from gridplan.figures.outputs import Figure, number

LIMIT_COLOURS = {
    "overvoltage": "#2f5fa8",
    "undervoltage": "#6b4c9a",
    "line loading": "#c77700",
    "transformer loading": "#b8321a",
    "voltage change": "#5f7d1f",
    "reverse flow": "#a8457b",
    "curtailment": "#0b6e6e",
    "upper bound": theme.FAINT,
}
"""The same limit has the same colour in every figure; what is not listed here is drawn grey."""


def capacity_map(where: maps.Map, buses: pd.DataFrame, *, title: str, caption: str) -> Figure:
    """Draw each bus in the colour of its class of hosting capacity; little room is the colour of heat.

    Parameters
    ----------
    where
        The map.
    buses
        `bus`, `name`, `hosting_mw` [MW], `limit`, `element_name`.
    title, caption
        Words of the figure.
    """
    figure = maps.canvas(where)
    figure.add_trace(maps.lines_of(where, where.paths, "", {"color": theme.RULE, "width": 1.4}, show=False))
    known = buses[buses["bus"].isin(where.points.index) & buses["hosting_mw"].notna()]
    for (low, high), colour in zip(_classes(known["hosting_mw"]), reversed(theme.HEAT), strict=False):
        here = known[(known["hosting_mw"] >= low) & (known["hosting_mw"] < high)]
        if not len(here):
            continue
        dots = maps.dots(
            where, here["bus"], _words(here), {"color": colour, "size": 8, "line": {"width": 0.5, "color": theme.MUTED}}
        )
        span = f"{low:g} MW and more" if np.isinf(high) else f"{low:g}–{high:g} MW"
        figure.add_trace(dots.update(name=span, showlegend=True))
    maps.landmarks(figure, where)
    _headroom(figure, 560, legend_rows=2)
    return Figure(figure, "map-hosting-capacity", title, caption, _extremes(buses), buses)


def by_limit(buses: pd.DataFrame, *, title: str, caption: str) -> Figure:
    """Draw, for each area, the capacity of its buses from the most to the least, coloured by what ends it.

    Parameters
    ----------
    buses
        `bus`, `name`, `area`, `hosting_mw` [MW], `limit`, `element_name`; buses without an area are left out.
    title, caption
        Words of the figure.
    """
    known = buses[buses["area"].astype(str) != ""].sort_values(["area", "hosting_mw"], ascending=[True, False], ignore_index=True)
    figure = go.Figure()
    for limit in _ordered(known["limit"]):
        here = known[known["limit"] == limit]
        bars = go.Bar(
            x=here.index,
            y=here["hosting_mw"],
            name=theme.text(limit),
            marker={"color": LIMIT_COLOURS.get(limit, theme.MUTED), "line": {"width": 0}},
            text=_words(here),
            textposition="none",
            hovertemplate="%{text}<extra></extra>",
        )
        figure.add_trace(bars)
    middles = known.reset_index().groupby("area", sort=True)["index"].mean()
    figure.update_layout(bargap=0.0, barmode="overlay")
    figure.update_xaxes(tickvals=middles.to_numpy(), ticktext=[theme.text(a) for a in middles.index], title_text="Buses by area")
    figure.update_yaxes(title_text="Hosting capacity of the bus by itself [MW]", rangemode="tozero")
    _headroom(figure, 420, legend_rows=1 + len(figure.data) // 5)
    counts = known["limit"].value_counts()
    ends = ", ".join(f"{limit} at {n} bus{'es' if n > 1 else ''}" for limit, n in counts.items())
    alt = f"{_extremes(buses)} What ends it: {ends}."
    return Figure(figure, "hosting-by-limit", title, caption, alt, known)


def samples(table: pd.DataFrame, *, column: str = "hosting_mw", title: str, caption: str) -> Figure:
    """Draw, for each area, in which share of the random placements the capacity is at most a value.

    Parameters
    ----------
    table
        `sample`, `area`, `hosting_mw`, `installed_mw` [MW], `limit`: one row a sample.
    column
        Column drawn.
    title, caption
        Words of the figure.
    """
    names = sorted(table["area"].unique())
    figure, medians = go.Figure(), []
    for name, colour in theme.colour_of(names).items():
        values = np.sort(table.loc[table["area"] == name, column].to_numpy(float))
        share = 100.0 * np.arange(1, len(values) + 1) / len(values)
        line = {"color": colour, "shape": "hv", "width": 2}
        hover = f"{theme.text(name)}: at most %{{x:.2f}} MW in %{{y:.0f}} %<extra></extra>"
        figure.add_trace(go.Scatter(x=values, y=share, mode="lines", name=theme.text(name), line=line, hovertemplate=hover))
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
        medians.append(f"{name} {number(middle)} MW (5th to 95th percentile {number(low)} to {number(high)})")
    for level in (5, 50, 95):
        figure.add_hline(y=level, line={"color": theme.FAINT, "width": 1, "dash": "dot"})
    _headroom(figure, 420, legend_rows=1 + len(names) // 6)
    figure.update_xaxes(title_text="Capacity built [MW]", rangemode="tozero")
    figure.update_yaxes(title_text="Share of placements [%]", range=[0, 100])
    return Figure(figure, "hosting-samples", title, caption, "Median by area: " + "; ".join(medians) + ".", table)


def comparison(table: pd.DataFrame, *, title: str, caption: str) -> Figure:
    """Draw the spread of the buses' capacities under several controls or limits side by side.

    Parameters
    ----------
    table
        `series` (what was varied), `bus`, `hosting_mw` [MW].
    title, caption
        Words of the figure.
    """
    names = list(dict.fromkeys(table["series"]))
    figure = go.Figure()
    for name, colour in theme.colour_of(names).items():
        values = table.loc[table["series"] == name, "hosting_mw"]
        figure.add_trace(
            go.Box(y=values, name=theme.text(name), marker={"color": colour}, boxpoints="outliers", showlegend=False)
        )
    figure.update_yaxes(title_text="Hosting capacity of a bus by itself [MW]", rangemode="tozero")
    medians = table.groupby("series", sort=False)["hosting_mw"].median()
    alt = "Median over the buses: " + "; ".join(f"{name} {number(value)} MW" for name, value in medians.items()) + "."
    return Figure(figure, "hosting-comparison", title, caption, alt, table)


def by_control(table: pd.DataFrame, *, title: str, caption: str) -> Figure:
    """Draw the capacity of one bus of each area under several controls, side by side.

    Parameters
    ----------
    table
        `series` (the control), `area`, `name`, `hosting_mw` [MW], `limit`.
    title, caption
        Words of the figure.
    """
    figure = go.Figure()
    for series, colour in theme.colour_of(list(dict.fromkeys(table["series"]))).items():
        here = table[table["series"] == series]
        bar = go.Bar(x=here["area"].map(theme.text), y=here["hosting_mw"], name=theme.text(series), marker_color=colour)
        words = [f"{theme.text(n)}<br>{theme.text(limit)}" for n, limit in zip(here["name"], here["limit"], strict=True)]
        figure.add_trace(bar.update(customdata=words, hovertemplate="%{y:.2f} MW at %{customdata}<extra></extra>"))
    figure.update_layout(barmode="group", bargap=0.3)
    _headroom(figure, 400, legend_rows=2)
    figure.update_yaxes(title_text=tables.label("hosting_mw"), rangemode="tozero")
    rows = zip(table["series"], table["area"], table["hosting_mw"], strict=True)
    alt = "; ".join(f"{area}, {series}: {number(value)} MW" for series, area, value in rows)
    return Figure(figure, "hosting-by-control", title, caption, f"{alt}.", table)


def _headroom(figure: go.Figure, height: int, *, legend_rows: int) -> None:
    """Keep the title clear of a legend of several rows."""
    figure.update_layout(height=height, margin_t=44 + 22 * legend_rows, title={"y": 1 - 14 / height, "yref": "container"})


def _classes(values: pd.Series) -> list[tuple[float, float]]:
    """Six classes with round bounds, the last open."""
    high = values.quantile(0.75) if len(values) else 1.0
    raw = max(float(high), 1e-3) / 5
    size = 10.0 ** np.floor(np.log10(raw))
    step = next(f * size for f in (1, 2, 2.5, 5, 10) if f * size >= raw)
    lower = [round(float(i * step), 6) for i in range(6)]
    return list(zip(lower, [*lower[1:], np.inf], strict=True))


def _words(buses: pd.DataFrame) -> list[str]:
    columns = (buses["name"], buses["hosting_mw"], buses["limit"], buses["element_name"])
    return [
        f"{theme.text(name)}<br>{number(mw, 3)} MW<br>{theme.text(limit)}{': ' + theme.text(element) if element else ''}"
        for name, mw, limit, element in zip(*columns, strict=True)
    ]


def _ordered(limits: pd.Series) -> list[str]:
    present = set(limits)
    return [name for name in LIMIT_COLOURS if name in present] + sorted(present - set(LIMIT_COLOURS))


def _extremes(buses: pd.DataFrame) -> str:
    known = buses.dropna(subset="hosting_mw")
    if not len(known):
        return "No bus has a result."
    least, most = known.loc[known["hosting_mw"].idxmin()], known.loc[known["hosting_mw"].idxmax()]
    return (
        f"Least room: {least['name']} with {number(least['hosting_mw'])} MW ({least['limit']}); "
        f"most: {most['name']} with {number(most['hosting_mw'])} MW; median {number(known['hosting_mw'].median())} MW."
    )
