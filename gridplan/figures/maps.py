"""Maps of the network: plain scatter on real coordinates, no tiles, nothing fetched."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gridplan import tables
from gridplan.figures import theme
from gridplan.figures.outputs import Figure, number

LOADING_CLASSES = (0.0, 20.0, 40.0, 60.0, 80.0, 100.0)
"""Lower ends of the loading classes of a map [%]."""


@dataclass(frozen=True, eq=False)
class Map:
    """Where a network lies; every map of a study is drawn on the same one.

    Parameters
    ----------
    paths
        Line -> points (n, 2) along it [deg], or schematic units.
    points
        Buses: index bus, columns `x`, `y`, in the same units.
    substations
        Buses drawn as substations.
    open_points
        Buses at which a line is held open in the normal state.
    geographic
        False for a schematic, which gets no scale bar.
    """

    paths: Mapping[int, np.ndarray]
    points: pd.DataFrame
    substations: Sequence[int] = ()
    open_points: Sequence[int] = ()
    geographic: bool = True


def areas(where: Map, line_areas: pd.DataFrame, stations: pd.DataFrame) -> Figure:
    """Draw each area in its colour, with stations, substations and open points.

    Parameters
    ----------
    where
        The map.
    line_areas
        `line`, `area`: the area that supplies each line.
    stations
        `bus`, `area`, `name`, `customers`.

    Returns
    -------
    Figure
        One legend entry an area.
    """
    names = sorted(line_areas["area"].unique())
    colours = theme.colour_of(names)
    figure = canvas(where)
    for name in names:
        here = line_areas.loc[line_areas["area"] == name, "line"]
        figure.add_trace(lines_of(where, here, theme.text(name), {"color": colours[name], "width": 2.2}))
    for name, group in stations.groupby("area", sort=True):
        words = [f"{theme.text(n)}<br>{number(c)} customers" for n, c in zip(group["name"], group["customers"], strict=True)]
        size = 4 + 5 * np.sqrt(group["customers"] / max(stations["customers"].max(), 1))
        figure.add_trace(dots(where, group["bus"], words, {"color": colours.get(name, theme.MUTED), "size": size}))
    landmarks(figure, where)
    count = len(names)
    return Figure(
        figure,
        name="map-areas",
        title=f"{count} area{'s supply' if count != 1 else ' supplies'} {number(stations['customers'].sum())} customers",
        caption="Areas (feeders) in the normal switching state. A dot is a station, its size the number of customers; "
        "a cross is an open point.",
        alt="Map of the network with its areas: " + ", ".join(names),
        table=stations,
    )


def loading(where: Map, lines: pd.DataFrame, *, title: str, caption: str) -> Figure:
    """Draw each line in the colour of its loading class.

    Parameters
    ----------
    where
        The map.
    lines
        `line`, `name`, `loading_max_percent` [%].
    title, caption
        Words of the figure.
    """
    figure = canvas(where)
    value = lines["loading_max_percent"]
    upper = (*LOADING_CLASSES[1:], math.inf)
    for low, high, colour in zip(LOADING_CLASSES, upper, theme.HEAT, strict=True):
        here = lines.loc[(value >= low) & (value < high), "line"]
        label = f"{low:.0f}–{high:.0f} %" if math.isfinite(high) else f"{low:.0f} % and more"
        if len(here):
            figure.add_trace(lines_of(where, here, label, {"color": colour, "width": 2.0 + low / 40}))
    failed = lines.loc[value.isna(), "line"]
    if len(failed):
        figure.add_trace(lines_of(where, failed, "no result", {"color": theme.FAINT, "width": 1.5, "dash": "dot"}))
    figure.add_trace(_line_hover(where, lines))
    landmarks(figure, where)
    worst = lines.loc[value.idxmax()] if value.notna().any() else None
    alt = (
        "No line has a result."
        if worst is None
        else f"Highest loading: {worst['name']} with {number(worst['loading_max_percent'], 1)} %."
    )
    return Figure(figure, "map-loading", title, caption, alt, lines)


def voltage(where: Map, buses: pd.DataFrame, column: str, band: tuple[float, float], *, title: str) -> Figure:
    """Draw each bus in the colour of its lowest or highest voltage, on a scale that spans the planning band.

    Parameters
    ----------
    where
        The map.
    buses
        `bus`, `name`, `vm_min_pu`, `vm_max_pu` [pu].
    column
        Which of the two is drawn.
    band
        Lowest and highest voltage allowed [pu]: the ends of the colour scale.
    title
        What the figure says.
    """
    figure = canvas(where)
    figure.add_trace(lines_of(where, where.paths, "", {"color": theme.FAINT, "width": 1.4}, show=False))
    words = [
        f"{theme.text(n)}<br>lowest {number(a, 3)} pu<br>highest {number(b, 3)} pu"
        for n, a, b in zip(buses["name"], buses["vm_min_pu"], buses["vm_max_pu"], strict=True)
    ]
    label = tables.label(column)
    scale = [list(stop) for stop in theme.DIVERGE]
    marker = {
        "color": buses[column],
        "colorscale": scale,
        "cmin": band[0],
        "cmax": band[1],
        "size": 9,
        "colorbar": {**theme.colour_bar(label), "len": 0.75, "tickformat": ".3f"},
    }
    figure.add_trace(dots(where, buses["bus"], words, {**marker, "line": {"width": 0.7, "color": theme.MUTED}}))
    outside = buses.loc[~buses[column].between(*band), "bus"]
    if len(outside):
        ring = {"symbol": "circle-open", "size": 14, "color": theme.INK, "line": {"width": 1.6}}
        figure.add_trace(dots(where, outside, [], ring).update(name="outside the band", showlegend=True, hoverinfo="skip"))
    landmarks(figure, where)
    known = buses.dropna(subset=column)
    alt = "No bus has a voltage."
    if len(known):
        worst = known.loc[known[column].idxmin() if column == "vm_min_pu" else known[column].idxmax()]
        alt = f"{label}: {worst['name']} with {number(worst[column], 3)} pu."
    which = "lowest" if column == "vm_min_pu" else "highest"
    caption = (
        f"The {which} voltage of the year at each bus [pu]; the colours span the planning band, "
        "blue at its lower end, red at its upper."
    )
    return Figure(figure, f"map-{which}-voltage", title, caption, alt, buses)


def canvas(where: Map) -> go.Figure:
    """Return an empty map: no axes, the same scale in both directions."""
    figure = go.Figure()
    hidden = {"visible": False, "showgrid": False}
    middle = where.points["y"].mean()
    ratio = 1 / math.cos(math.radians(middle)) if where.geographic else 1
    figure.update_layout(
        xaxis=hidden,
        yaxis={**hidden, "scaleanchor": "x", "scaleratio": ratio},
        height=560,
        margin={"l": 8, "r": 8, "t": 96, "b": 8},
        dragmode="pan",
    )
    return figure


def lines_of(where: Map, lines: Iterable[int], name: str, line: dict, *, show: bool = True) -> go.Scatter:
    """Return lines of the network in one style."""
    gap = np.array([[np.nan, np.nan]])
    pieces = [np.vstack([where.paths[i], gap]) for i in lines if i in where.paths]
    points = np.vstack(pieces) if pieces else gap
    return go.Scatter(x=points[:, 0], y=points[:, 1], mode="lines", name=name, line=line, hoverinfo="skip", showlegend=show)


def dots(where: Map, buses: pd.Series, words: list[str], marker: dict) -> go.Scatter:
    """Return buses as dots with words to hover over."""
    place = where.points.reindex(buses)
    return go.Scatter(
        x=place["x"],
        y=place["y"],
        mode="markers",
        marker=marker,
        text=words,
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )


def _line_hover(where: Map, lines: pd.DataFrame) -> go.Scatter:
    known = lines[lines["line"].isin(where.paths)]
    middle = np.array([where.paths[line][len(where.paths[line]) // 2] for line in known["line"]]).reshape(-1, 2)
    words = [f"{theme.text(n)}<br>{number(v, 1)} %" for n, v in zip(known["name"], known["loading_max_percent"], strict=True)]
    return go.Scatter(
        x=middle[:, 0],
        y=middle[:, 1],
        mode="markers",
        marker={"size": 12, "opacity": 0},
        text=words,
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )


def landmarks(figure: go.Figure, where: Map) -> None:
    """Add open points, substations and a scale bar."""
    open_points = where.points.reindex(list(where.open_points)).dropna()
    if len(open_points):
        ring = {"symbol": "x-thin-open", "size": 9, "color": theme.INK, "line": {"width": 2}}
        figure.add_trace(
            go.Scatter(x=open_points["x"], y=open_points["y"], mode="markers", marker=ring, name="open point", hoverinfo="skip")
        )
    stations = where.points.reindex(list(where.substations)).dropna()
    if len(stations):
        square = {"symbol": "square", "size": 13, "color": theme.INK, "line": {"width": 2, "color": theme.PAPER}}
        figure.add_trace(
            go.Scatter(x=stations["x"], y=stations["y"], mode="markers", marker=square, name="substation", hoverinfo="skip")
        )
    if where.geographic:
        _scale_bar(figure, where)


def _scale_bar(figure: go.Figure, where: Map) -> None:
    x, y = where.points["x"], where.points["y"]
    km_per_deg = 111.32 * math.cos(math.radians(y.mean()))
    length = _round_length((x.max() - x.min()) * km_per_deg / 5)
    left, base = x.min(), y.min() - 0.03 * (y.max() - y.min())
    right = left + length / km_per_deg
    style = {"color": theme.INK, "width": 2}
    figure.add_trace(go.Scatter(x=[left, right], y=[base, base], mode="lines", line=style, hoverinfo="skip", showlegend=False))
    figure.add_annotation(x=right, y=base, text=f"{length:g} km", showarrow=False, xanchor="left", xshift=6, font={"size": 12})


def _round_length(km: float) -> float:
    step = 10 ** math.floor(math.log10(km)) if km > 0 else 1
    return max(f * step for f in (1, 2, 5) if f * step <= km or f == 1)
