"""Figures of the communication network: map of media, coverage and failing hops, what is asked and delivered, second paths."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gridplan.figures import maps, theme
from gridplan.figures.outputs import Figure, number

MEDIA = {
    "fibre": (theme.CATEGORIES[0], "solid", 2.8),
    "microwave": (theme.CATEGORIES[4], "10px,4px", 2.2),
    "copper": (theme.CATEGORIES[1], "8px,3px,2px,3px", 2.2),
    "leased": (theme.CATEGORIES[2], "5px,3px", 1.8),
    "lte450": (theme.CATEGORIES[5], "solid", 1.4),
    "lte_public": (theme.CATEGORIES[2], "1px,3px", 1.2),
    "narrowband": (theme.CATEGORIES[3], "6px,3px", 1.8),
}
"""Colour, dash and width by medium; others take the next colours."""

KINDS = {
    "control centre": ("star", 15, theme.INK),
    "data centre": ("diamond", 12, theme.INK),
    "office": ("pentagon", 10, theme.MUTED),
    "substation": ("square", 12, theme.INK),
    "mast": ("triangle-up", 11, theme.CATEGORIES[5]),
    "operator": ("triangle-down", 10, theme.CATEGORIES[2]),
    "switching station": ("circle", 8, theme.ACCENT),
    "station": ("circle", 4, theme.MUTED),
    "external": ("hexagon", 11, theme.MUTED),
}
"""Mark, size and colour by the kind of a site."""

SERVED = {
    "served": ("circle", theme.ACCENT, 7),
    "connected, but misses something": ("diamond", theme.WARN, 9),
    "no path": ("x", theme.BAD, 8),
}
"""Mark and colour of a site by what an application gets there."""

MARGIN = 0.1  # share of the map around the network within which sites stand where they are


def network(where: maps.Map, sites: pd.DataFrame, links: pd.DataFrame, *, title: str, caption: str = "") -> Figure:
    """Draw sites and links on the coordinates of the network, media by colour and dash.

    Parameters
    ----------
    where
        The map.
    sites
        `site`, `label`, `kind`, `longitude`, `latitude`.
    links
        Links in service: `link`, `from_site`, `to_site`, `medium`, `ownership`, `utilisation_percent`, `latency_ms`.
    title, caption
        Words of the figure.

    Returns
    -------
    Figure
        Sites beyond the map stand at its border, in their direction.
    """
    figure = _base(where)
    place = _places(where, sites)
    media = [name for name in MEDIA if name in set(links["medium"])]
    media += [name for name in links["medium"].unique() if name not in MEDIA]
    for name in media[::-1]:
        colour, dash, width = _look(name, media)
        figure.add_trace(
            _links(place, links[links["medium"] == name], theme.text(name), {"color": colour, "width": width, "dash": dash})
        )
    figure.add_trace(_middles(place, links))
    _sites(figure, sites, place)
    _finish(figure, where)
    counts = links["medium"].value_counts()
    alt = f"{len(sites)} sites; links: " + ", ".join(f"{counts[name]} {name}" for name in media) + "."
    columns = ["link", "from_site", "to_site", "medium", "ownership", "length_km", "capacity_kbps", "data_kbps", "flows"]
    return Figure(figure, "communication-map", title, caption, alt, links[[*columns, "utilisation_percent", "latency_ms"]])


def coverage(
    where: maps.Map,
    sites: pd.DataFrame,
    flows: pd.DataFrame,
    missed: pd.DataFrame,
    links: pd.DataFrame,
    *,
    title: str,
    caption: str = "",
) -> Figure:
    """Draw where an application gets what it asks for, the paths in use, and the hops that fail.

    Parameters
    ----------
    where
        The map.
    sites
        `site`, `label`, `kind`, `longitude`, `latitude`.
    flows
        Flows of the application, as from :func:`gridplan.communications.deliver`.
    missed
        From :func:`gridplan.communications.shortfalls`, of the same flows.
    links
        Links in service: `link`, `from_site`, `to_site`.
    title, caption
        Words of the figure.
    """
    figure = _base(where)
    place = _places(where, sites)
    used = {frozenset(pair) for path in flows["path"] if path for pair in _pairs(path)}
    on = links[[frozenset(pair) in used for pair in zip(links["from_site"], links["to_site"], strict=True)]]
    figure.add_trace(_links(place, on, "path in use", {"color": theme.CATEGORIES[2], "width": 1.3}))
    table = _outcome(flows, missed)
    for outcome, (symbol, colour, size) in SERVED.items():
        own = table[table["outcome"] == outcome]
        if own.empty:
            continue
        marker = {"symbol": symbol, "color": colour, "size": size, "line": {"width": 1, "color": theme.PAPER}}
        words = [f"<b>{theme.text(r.site)}</b> {outcome}<br>{theme.text(r.reasons)}" for r in own.itertuples()]
        figure.add_trace(_spots(place.loc[own["site"]], words, marker, f"{outcome} ({len(own)})"))
    ends = sites[sites["site"].isin(flows["to_site"])]
    _sites(figure, ends, place)
    _hops(figure, missed, links, place)
    _finish(figure, where)
    served = (table["outcome"] == "served").sum()
    alt = f"{served} of {len(table)} sites get all that is asked for."
    return Figure(figure, "coverage-map", title, caption, alt, table)


def _pairs(path: str) -> list[tuple[str, str]]:
    names = path.split(" > ")
    return list(zip(names, names[1:], strict=False))


def _outcome(flows: pd.DataFrame, missed: pd.DataFrame) -> pd.DataFrame:
    """Return one row a site: the outcome, and what is missed."""
    words = [
        f"{row.requirement}: {_value(row.delivered, row.unit)}, needed {_value(row.needed, row.unit)}, at {row.hop}"
        if row.requirement != "path"
        else "no path"
        for row in missed.itertuples()
    ]
    reasons = missed.assign(words=words).groupby("site")["words"].agg(lambda said: "; ".join(dict.fromkeys(said)))
    table = flows.groupby("site", sort=False).agg(path=("path", "first")).reset_index()
    table["reasons"] = table["site"].map(reasons).fillna("")
    lost = np.where(table["path"] == "", "no path", "connected, but misses something")
    return table.assign(outcome=np.where(table["reasons"] == "", "served", lost))[["site", "outcome", "reasons", "path"]]


def _value(value: float, unit: str) -> str:
    return f"{value:.5g}" if unit == "1" else f"{number(value)} {unit}"


def _hops(figure: go.Figure, missed: pd.DataFrame, links: pd.DataFrame, place: pd.DataFrame) -> None:
    """Ring the links and sites at which something asked for is lost; the ring grows with the number of sites behind."""
    own = missed[missed["requirement"] != "path"]
    if own.empty:
        return
    ends = links.set_index("link")[["from_site", "to_site"]]
    behind = own.groupby("hop").agg(count=("site", "nunique"), kinds=("requirement", lambda c: ", ".join(dict.fromkeys(c))))
    points, words, sizes = [], [], []
    for hop, row in behind.iterrows():
        here = place.loc[list(ends.loc[hop])].mean() if hop in ends.index else place.loc[hop] if hop in place.index else None
        if here is not None:
            points.append((here["x"], here["y"]))
            words.append(f"<b>{theme.text(hop)}</b>: {row['kinds']}<br>{row['count']} site(s) behind it")
            sizes.append(11 + 2.5 * np.sqrt(row["count"]))
    ring = {"symbol": "circle-open", "size": sizes, "color": theme.BAD, "line": {"width": 2}}
    table = pd.DataFrame(points, columns=["x", "y"])
    figure.add_trace(_spots(table, words, ring, "hop that fails"))


# --- parts of a map -----------------------------------------------------------------------------------------------------------


def _base(where: maps.Map) -> go.Figure:
    figure = maps.canvas(where)
    figure.add_trace(maps.lines_of(where, where.paths, "power network", {"color": theme.RULE, "width": 1.6}))
    return figure


def _bounds(where: maps.Map) -> tuple[float, float, float, float]:
    x, y = where.points["x"], where.points["y"]
    dx, dy = MARGIN * (x.max() - x.min()), MARGIN * (y.max() - y.min())
    return x.min() - dx, x.max() + dx, y.min() - dy, y.max() + dy


def _places(where: maps.Map, sites: pd.DataFrame) -> pd.DataFrame:
    """Return where each site is drawn: where it is, or at the border in its direction."""
    west, east, south, north = _bounds(where)
    middle = np.array([(west + east) / 2, (south + north) / 2])
    half = np.array([(east - west) / 2, (north - south) / 2])
    offset = sites[["longitude", "latitude"]].to_numpy(float) - middle
    factor = np.maximum(1, np.abs(offset / half).max(axis=1))
    drawn = middle + offset / factor[:, None]
    return pd.DataFrame({"x": drawn[:, 0], "y": drawn[:, 1], "far": factor > 1}, index=sites["site"])


def _look(name: str, media: list[str]) -> tuple[str, str, float]:
    if name in MEDIA:
        return MEDIA[name]
    at = media.index(name)
    return theme.CATEGORIES[(at + 4) % len(theme.CATEGORIES)], ("7px,2px", "3px,2px")[at % 2], 1.8


def _links(place: pd.DataFrame, links: pd.DataFrame, name: str, line: dict) -> go.Scatter:
    one, other = place.reindex(links["from_site"]), place.reindex(links["to_site"])
    gap = np.full(len(links), np.nan)
    x, y = (np.column_stack([one[axis], other[axis], gap]).ravel() for axis in "xy")
    return go.Scatter(x=x, y=y, mode="lines", name=name, line=line, hoverinfo="skip")


def _middles(place: pd.DataFrame, links: pd.DataFrame) -> go.Scatter:
    x, y = (
        (place.reindex(links["from_site"])[axis].to_numpy() + place.reindex(links["to_site"])[axis].to_numpy()) / 2
        for axis in "xy"
    )
    words = [
        f"<b>{theme.text(r.link)}</b> {theme.text(r.medium)}, {r.ownership}<br>{number(r.utilisation_percent, 1)} % used, "
        f"{number(r.latency_ms)} ms"
        for r in links.itertuples()
    ]
    marker = {"size": 9, "opacity": 0}
    return _spots(pd.DataFrame({"x": x, "y": y}), words, marker, "").update(showlegend=False)


def _spots(place: pd.DataFrame, words: list[str], marker: dict, name: str) -> go.Scatter:
    return go.Scatter(
        x=place["x"], y=place["y"], mode="markers", marker=marker, text=words, name=name, hovertemplate="%{text}<extra></extra>"
    )


def _sites(figure: go.Figure, sites: pd.DataFrame, place: pd.DataFrame) -> None:
    for kind, (symbol, size, colour) in reversed(KINDS.items()):
        own = sites[sites["kind"] == kind]
        if own.empty:
            continue
        marker = {"symbol": symbol, "size": size, "color": colour, "line": {"width": 1, "color": theme.PAPER}}
        words = [f"<b>{theme.text(r.site)}</b> {theme.text(r.label)}" for r in own.itertuples()]
        figure.add_trace(_spots(place.loc[own["site"]], words, marker, kind))
    for row in sites[
        sites["kind"].isin(["control centre", "data centre", "substation"]) | place["far"].reindex(sites["site"]).to_numpy()
    ].itertuples():
        here = place.loc[row.site]
        side = (
            {"xanchor": "left", "xshift": 9}
            if not here["far"]
            else {"xanchor": "right" if here["x"] > place["x"].mean() else "left", "yshift": 13}
        )
        text = f"{theme.text(row.site)}{' (beyond the map)' if here['far'] else ''}"
        box = {"bgcolor": "rgba(255,255,255,0.75)", "borderpad": 1}
        figure.add_annotation(
            x=here["x"], y=here["y"], text=text, showarrow=False, font={"size": 11, "color": theme.INK}, **side, **box
        )


def _finish(figure: go.Figure, where: maps.Map) -> None:
    figure.update_layout(height=600, legend={"font": {"size": 11}}, margin={"t": 110})
    if where.geographic:
        maps.landmarks(figure, maps.Map(where.paths, where.points, geographic=True))


# --- asked and delivered ------------------------------------------------------------------------------------------------------


def performance(states: Mapping[str, pd.DataFrame], *, title: str, caption: str = "") -> Figure:
    """Draw latency and time without a path of the worst site of every need, beside what is asked, state by state.

    Parameters
    ----------
    states
        By the name of a state, flows as from :func:`gridplan.communications.deliver`.
    title, caption
        Words of the figure.
    """
    table = pd.concat([_worst(flows).assign(state=name) for name, flows in states.items()], ignore_index=True)
    needs = list(dict.fromkeys(table["flow"]))[::-1]
    titles = ["Latency one way [ms]", "Without a path [min/yr]"]
    figure = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=titles)
    asked = table.drop_duplicates("flow")
    for column, (got, wanted) in enumerate((("latency_ms", "latency_needed_ms"), ("down_min", "down_needed_min")), 1):
        line = {"symbol": "line-ns-open", "size": 15, "color": theme.INK, "line": {"width": 2.5}}
        _dots(figure, column, asked, wanted, line, "asked: at most")
        for name, (symbol, colour) in zip(states, (("circle-open", theme.WARN), ("circle", theme.ACCENT)), strict=False):
            own = table[table["state"] == name]
            marker = {"symbol": symbol, "size": 9, "color": colour, "line": {"width": 2, "color": colour}}
            _dots(figure, column, own, got, marker, name)
        figure.update_xaxes(type="log", showgrid=True, row=1, col=column, dtick=1)
    figure.update_yaxes(categoryorder="array", categoryarray=[theme.text(n) for n in needs], showgrid=True, ticks="")
    figure.update_layout(height=130 + 23 * len(needs), margin={"t": 84}, meta={"print_height": 130 + 20 * len(needs)})
    late = {name: (own["latency_ms"] > own["latency_needed_ms"]).sum() for name, own in table.groupby("state", sort=False)}
    alt = "Flows whose latency is missed at the worst site: " + ", ".join(f"{name} {n}" for name, n in late.items()) + "."
    return Figure(figure, "communication-performance", title, caption, alt, table)


def _worst(flows: pd.DataFrame) -> pd.DataFrame:
    """Return one row a need: the highest latency and the longest time without a path among the sites that have one."""
    minutes = 8760 * 60
    linked = flows[flows["path"] != ""]
    label = linked["application"].str.replace("_", " ") + ": " + linked["kind"] + " to " + linked["to_system"]
    table = linked.assign(
        flow=label,
        down_min=minutes * (1 - linked["availability"]),
        down_needed_min=minutes * (1 - linked["availability_needed"].astype(float)),
    )
    columns = ["latency_ms", "latency_needed_ms", "down_min", "down_needed_min"]
    return table.groupby("flow", sort=False)[columns].max().reset_index()


def _dots(figure: go.Figure, column: int, table: pd.DataFrame, value: str, marker: dict, name: str) -> None:
    shown = table[np.isfinite(table[value].astype(float))]
    figure.add_trace(
        go.Scatter(
            x=shown[value].astype(float),
            y=[theme.text(n) for n in shown["flow"]],
            mode="markers",
            marker=marker,
            name=name,
            legendgroup=name,
            showlegend=column == 1,
        ),
        row=1,
        col=column,
    )


def second_paths(gain: pd.DataFrame, *, title: str, caption: str = "") -> Figure:
    """Draw the time without a path in a year, with the first path alone and with a second one.

    Parameters
    ----------
    gain
        From :func:`gridplan.communications.redundancy`.
    title, caption
        Words of the figure.
    """
    table = gain.groupby("application", sort=False)[["down_single_min", "down_min"]].mean().reset_index()
    table = table.sort_values("down_single_min", ignore_index=True)
    names = [theme.text(n).replace("_", " ") for n in table["application"]]
    figure = go.Figure()
    for row, name in zip(table.itertuples(), names, strict=True):
        line = {"color": theme.FAINT, "width": 3}
        figure.add_trace(
            go.Scatter(
                x=[row.down_min, row.down_single_min], y=[name, name], mode="lines", line=line, showlegend=False, hoverinfo="skip"
            )
        )
    looks = {
        "down_single_min": ("first path alone", "circle-open", theme.WARN),
        "down_min": ("with a second path", "circle", theme.ACCENT),
    }
    for column, (name, symbol, colour) in looks.items():
        marker = {"symbol": symbol, "size": 11, "color": colour, "line": {"width": 2, "color": colour}}
        figure.add_trace(go.Scatter(x=table[column], y=names, mode="markers", marker=marker, name=name))
    figure.update_layout(
        xaxis={"title": {"text": "mean time of a site without a path [min/yr]"}, "rangemode": "tozero", "showgrid": True},
        yaxis={"showgrid": False, "ticks": ""},
        height=150 + 26 * len(table),
    )
    alt = "; ".join(f"{row.application}: {row.down_single_min:.0f} to {row.down_min:.0f} min/yr" for row in table.itertuples())
    return Figure(figure, "second-paths", title, caption, alt, gain)
