"""Figures of the communication network: map of media, coverage and failing hops, what is asked and delivered, second paths."""

from __future__ import annotations

import itertools
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
    "misses something": ("diamond", theme.WARN, 9),
    "no path": ("x", theme.BAD, 8),
}
"""Mark and colour of a site by what an application gets there."""

MAP = (
    "Sites and links on the coordinates of the network, media by colour and dash; a short end leads to a place beyond the map. "
    "Hover for the use of a link by all applications at once."
)
"""Caption of a map of media."""

NAMED = ("control centre", "data centre", "substation")
MARGIN = 0.1  # share of the map around the network within which sites are drawn
STUB = 0.07  # length of a link that leaves the map, as a share of its height


def network(
    where: maps.Map, sites: pd.DataFrame, links: pd.DataFrame, media: pd.DataFrame, *, title: str, caption: str = ""
) -> Figure:
    """Draw sites and links on the coordinates of the network, media by colour and dash.

    Parameters
    ----------
    where
        The map.
    sites
        `site`, `label`, `kind`, `longitude`, `latitude`.
    links
        Links in service, as from :func:`gridplan.communications.deliver`.
    media
        `medium`, `label`.
    title, caption
        Words of the figure.

    Returns
    -------
    Figure
        A link to a site beyond the map is a short end in its direction.
    """
    figure = _base(where)
    place = _places(where, sites)
    labels = media.set_index("medium")["label"]
    names = [name for name in MEDIA if name in set(links["medium"])]
    names += [name for name in links["medium"].unique() if name not in MEDIA]
    ends = _ends(place, links)
    for name in names:
        colour, dash, width = _look(name, names)
        line = {"color": colour, "width": width, "dash": dash}
        figure.add_trace(_links(ends[(links["medium"] == name).to_numpy()], theme.text(labels.get(name, name)), line))
    figure.add_trace(_middles(ends, links))
    _sites(figure, sites, place)
    _names(figure, sites, place, ends)
    _finish(figure, where)
    counts = links["medium"].value_counts()
    alt = f"{len(sites)} sites; links: " + ", ".join(f"{counts[name]} {name}" for name in names) + "."
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
    title
        What the figure says.
    """
    figure = _base(where)
    place = _places(where, sites)
    used = {frozenset(pair) for path in flows["path"] if path for pair in _pairs(path)}
    on = links[[frozenset(pair) in used for pair in zip(links["from_site"], links["to_site"], strict=True)]]
    ends = _ends(place, on)
    figure.add_trace(_links(ends, "path in use", {"color": theme.CATEGORIES[2], "width": 1.3}))
    table = _outcome(flows, missed)
    for outcome, (symbol, colour, size) in SERVED.items():
        own = table[table["outcome"] == outcome]
        if own.empty:
            continue
        marker = {"symbol": symbol, "color": colour, "size": size, "line": {"width": 1, "color": theme.PAPER}}
        words = [f"<b>{theme.text(r.site)}</b> {outcome}<br>{theme.text(r.reasons)}" for r in own.itertuples()]
        figure.add_trace(_spots(place.loc[own["site"]], words, marker, f"{outcome} ({len(own)})"))
    along = {name for path in flows["path"] for name in path.split(" > ")} | set(flows["to_site"])
    shown = sites[sites["site"].isin(along) & ~sites["kind"].isin(["station", "switching station"])]
    _sites(figure, shown, place)
    _names(figure, shown, place, ends)
    _hops(figure, missed, links, place)
    _finish(figure, where)
    served = (table["outcome"] == "served").sum()
    alt = f"{served} of {len(table)} sites get all that is asked for."
    caption = (
        "Each site by what the application gets there, the paths in use, and the links and sites at which something asked for is "
        "lost; the ring grows with the number of sites behind. Hover for what is missed."
    )
    return Figure(figure, "coverage-map", title, caption, alt, table)


def _pairs(path: str) -> list[tuple[str, str]]:
    names = path.split(" > ")
    return list(itertools.pairwise(names))


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
    lost = np.where(table["path"] == "", "no path", "misses something")
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
        near = [
            name for name in (ends.loc[hop] if hop in ends.index else [hop]) if name in place.index and not place.at[name, "far"]
        ]
        here = place.loc[near, ["x", "y"]].mean() if near else None
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


def _places(where: maps.Map, sites: pd.DataFrame) -> pd.DataFrame:
    """Return where each site stands, and whether that is beyond the map."""
    x, y = sites["longitude"].to_numpy(float), sites["latitude"].to_numpy(float)
    wide, high = where.points["x"], where.points["y"]
    dx, dy = MARGIN * (wide.max() - wide.min()), MARGIN * (high.max() - high.min())
    far = (x < wide.min() - dx) | (x > wide.max() + dx) | (y < high.min() - dy) | (y > high.max() + dy)
    return pd.DataFrame({"x": x, "y": y, "far": far, "stub": STUB * (high.max() - high.min())}, index=sites["site"])


def _ends(place: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Return the two ends of every link as drawn; `beyond` names an end that is not on the map."""
    one, other = (links[name].to_numpy() for name in ("from_site", "to_site"))
    far = place["far"]
    swap = far.reindex(one).to_numpy(bool) & ~far.reindex(other).to_numpy(bool)
    names = np.where(swap, one, other)
    near, end = (place.reindex(own).reset_index(drop=True) for own in (np.where(swap, other, one), names))
    dx, dy = (end[axis] - near[axis] for axis in "xy")
    short = np.where(end["far"], near["stub"] / np.hypot(dx, dy), 1.0)
    drawn = pd.DataFrame({"x0": near["x"], "y0": near["y"], "x1": near["x"] + short * dx, "y1": near["y"] + short * dy})
    shown = ~near["far"].to_numpy(bool)
    drawn[~shown] = np.nan
    return drawn.assign(beyond=np.where(end["far"] & shown, names, ""))


def _look(name: str, media: list[str]) -> tuple[str, str, float]:
    if name in MEDIA:
        return MEDIA[name]
    at = media.index(name)
    return theme.CATEGORIES[(at + 4) % len(theme.CATEGORIES)], ("7px,2px", "3px,2px")[at % 2], 1.8


def _links(ends: pd.DataFrame, name: str, line: dict) -> go.Scatter:
    gap = np.full(len(ends), np.nan)
    x, y = (np.column_stack([ends[f"{axis}0"], ends[f"{axis}1"], gap]).ravel() for axis in "xy")
    return go.Scatter(x=x, y=y, mode="lines", name=name, line=line, hoverinfo="skip")


def _middles(ends: pd.DataFrame, links: pd.DataFrame) -> go.Scatter:
    words = [
        f"<b>{theme.text(r.link)}</b> {theme.text(r.medium)}, {r.ownership}<br>{number(r.utilisation_percent, 1)} % used, "
        f"{number(r.latency_ms)} ms"
        for r in links.itertuples()
    ]
    middle = pd.DataFrame({axis: (ends[f"{axis}0"] + ends[f"{axis}1"]) / 2 for axis in "xy"})
    return _spots(middle, words, {"size": 9, "opacity": 0}, "").update(showlegend=False)


def _names(figure: go.Figure, sites: pd.DataFrame, place: pd.DataFrame, ends: pd.DataFrame) -> None:
    """Name the main sites, and the places to which links leave the map, where there is room."""
    shown = sites[sites["kind"].isin(NAMED) & ~place["far"].reindex(sites["site"]).to_numpy(bool)]
    words = [(row.longitude, row.latitude, theme.text(row.site), theme.INK) for row in shown.itertuples()]
    out = ends[ends["beyond"] != ""].drop_duplicates("beyond")
    words += [(row.x1, row.y1, f"to {theme.text(row.beyond)}", theme.MUTED) for row in out.itertuples()]
    pixel = place["stub"].iloc[0] / STUB / 480  # a map is about so high
    taken = [(x - 7 * pixel, x + 7 * pixel, y - 6 * pixel, y + 6 * pixel) for x, y, *_ in words[: len(shown)]]
    for x, y, text, colour in words:
        for right, up in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
            box = _box(x, y, text, (right, up), pixel)
            if not any(box[0] < b and a < box[1] and box[2] < d and c < box[3] for a, b, c, d in taken):
                taken.append(box)
                side = {"xanchor": "left" if right > 0 else "right", "xshift": 9 * right, "yshift": 9 * up}
                label = {"text": text, "showarrow": False, "font": {"size": 11, "color": colour}}
                figure.add_annotation(x=x, y=y, **label, **side)
                break


def _box(x: float, y: float, text: str, side: tuple[int, int], pixel: float) -> tuple[float, float, float, float]:
    """Return the room that a word takes beside a point [deg]."""
    wide, right, up = (7 + 6.5 * len(text)) * pixel * 1.5, *side
    low, high = sorted((y + 1 * up * pixel, y + 15 * up * pixel))
    return (x + 8 * pixel, x + wide, low, high) if right > 0 else (x - wide, x - 8 * pixel, low, high)


def _spots(place: pd.DataFrame, words: list[str], marker: dict, name: str) -> go.Scatter:
    return go.Scatter(
        x=place["x"], y=place["y"], mode="markers", marker=marker, text=words, name=name, hovertemplate="%{text}<extra></extra>"
    )


def _sites(figure: go.Figure, sites: pd.DataFrame, place: pd.DataFrame) -> None:
    for kind, (symbol, size, colour) in reversed(KINDS.items()):
        own = sites[(sites["kind"] == kind) & ~place["far"].reindex(sites["site"]).to_numpy(bool)]
        if own.empty:
            continue
        marker = {"symbol": symbol, "size": size, "color": colour, "line": {"width": 1, "color": theme.PAPER}}
        words = [f"<b>{theme.text(r.site)}</b> {theme.text(r.label)}" for r in own.itertuples()]
        figure.add_trace(_spots(place.loc[own["site"]], words, marker, kind))


def _finish(figure: go.Figure, where: maps.Map) -> None:
    side = {"orientation": "v", "x": 1.01, "xanchor": "left", "y": 1, "yanchor": "top", "font": {"size": 12}}
    figure.update_layout(height=620, legend=side, margin={"t": 48, "r": 190}, meta={"print_height": 560})
    if where.geographic:
        maps.landmarks(figure, maps.Map(where.paths, where.points, geographic=True))


# --- asked and delivered ------------------------------------------------------------------------------------------------------


def performance(states: Mapping[str, pd.DataFrame], labels: Mapping[str, str], *, title: str, caption: str = "") -> Figure:
    """Draw latency and time without a path of the worst site of every need, beside what is asked, state by state.

    Parameters
    ----------
    states
        By the name of a state, flows as from :func:`gridplan.communications.deliver`.
    labels
        Name of each application as a reader knows it.
    title, caption
        Words of the figure.
    """
    table = pd.concat([_worst(flows, labels).assign(state=name) for name, flows in states.items()], ignore_index=True)
    needs = list(dict.fromkeys(table["flow"]))[::-1]
    titles = ["Latency [ms]", "No path [min/yr]"]
    figure = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=titles)
    asked = table.drop_duplicates("flow")
    for column, (got, wanted) in enumerate((("latency_ms", "latency_needed_ms"), ("down_min", "down_needed_min")), 1):
        line = {"symbol": "line-ns-open", "size": 15, "color": theme.INK, "line": {"width": 2.5}}
        _dots(figure, column, asked, wanted, line, "asked: at most")
        for name, (symbol, colour) in zip(states, (("circle-open", theme.WARN), ("circle", theme.ACCENT)), strict=False):
            own = table[table["state"] == name]
            marker = {"symbol": symbol, "size": 9, "color": colour, "line": {"width": 2, "color": colour}}
            _dots(figure, column, own, got, marker, name)
        figure.update_xaxes(type="log", showgrid=True, row=1, col=column, dtick=3 - column, tickangle=0, tickfont={"size": 11})
    figure.update_annotations(font_size=13)
    figure.update_yaxes(categoryorder="array", categoryarray=[theme.text(n) for n in needs], showgrid=True, ticks="")
    figure.update_layout(
        height=130 + 23 * len(needs),
        margin={"t": 84},
        legend={"y": 1 + 32 / (23 * len(needs))},
        meta={"print_height": 130 + 20 * len(needs)},
    )
    late = {name: (own["latency_ms"] > own["latency_needed_ms"]).sum() for name, own in table.groupby("state", sort=False)}
    alt = "Flows whose latency is missed at the worst site: " + ", ".join(f"{name} {n}" for name, n in late.items()) + "."
    return Figure(figure, "communication-performance", title, caption, alt, table)


def _worst(flows: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return one row a need: the highest latency and the longest time without a path among the sites that have one."""
    minutes = 8760 * 60
    linked = flows[flows["path"] != ""]
    label = (
        linked["application"].map(lambda name: labels.get(name, name)) + ": " + linked["site_kind"] + " to " + linked["to_system"]
    )
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


def second_paths(gain: pd.DataFrame, labels: Mapping[str, str], *, title: str, caption: str = "") -> Figure:
    """Draw the time without a path in a year, with the first path alone and with a second one.

    Parameters
    ----------
    gain
        From :func:`gridplan.communications.redundancy`.
    labels
        Name of each application as a reader knows it.
    title, caption
        Words of the figure.
    """
    table = gain.groupby("application", sort=False)[["down_single_min", "down_min"]].mean().reset_index()
    table = table.sort_values("down_single_min", ignore_index=True)
    names = [theme.text(labels.get(n, n)) for n in table["application"]]
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
        xaxis={"title": {"text": "mean time of a site without a path [min/yr]"}, "type": "log", "dtick": 1, "showgrid": True},
        yaxis={"showgrid": False, "ticks": ""},
        height=150 + 26 * len(table),
    )
    alt = "; ".join(f"{row.application}: {row.down_single_min:.0f} to {row.down_min:.0f} min/yr" for row in table.itertuples())
    return Figure(figure, "second-paths", title, caption, alt, gain)


def classes(met: pd.DataFrame, media: pd.DataFrame, *, title: str, caption: str = "") -> Figure:
    """Draw which published requirement classes one link of each medium meets.

    Parameters
    ----------
    met
        From :func:`gridplan.communications.meets`.
    media
        `medium`, `label`.
    title, caption
        Words of the figure.
    """
    labels = media.set_index("medium")["label"]
    rank = {"met": 2, "met in part": 1, "missed": 0}
    mark = {"met": "✓", "met in part": "(✓)", "missed": "–"}
    wide = met.pivot_table(
        index=["publication", "requirement_class"], columns="medium", values="verdict", aggfunc="first", sort=False
    )
    order = wide.map(rank.get).sum().sort_values(ascending=False, kind="stable").index
    wide = wide[order]
    lost = met.pivot_table(
        index=["publication", "requirement_class"], columns="medium", values="missed", aggfunc="first", sort=False
    )
    said = lost[order].map(lambda words: f"misses {theme.text(words)}" if words else "misses nothing")
    names = [f"{theme.text(name)} <span style='color:{theme.MUTED}'>({theme.text(by)})</span>" for by, name in wide.index]
    colours = [
        [0, "#f1f4f6"],
        [0.33, "#f1f4f6"],
        [0.33, theme.SEQUENCE[1]],
        [0.67, theme.SEQUENCE[1]],
        [0.67, theme.ACCENT],
        [1, theme.ACCENT],
    ]
    cells = {
        "z": wide.map(rank.get).to_numpy(int),
        "zmin": 0,
        "zmax": 2,
        "colorscale": colours,
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
    }
    figure = go.Figure(
        go.Heatmap(
            x=[theme.text(labels.get(name, name)) for name in order],
            y=names,
            text=wide.map(mark.get).to_numpy(),
            texttemplate="%{text}",
            customdata=said.to_numpy(),
            hovertemplate="<b>%{x}</b>: %{y}<br>%{customdata}<extra></extra>",
            **cells,
        )
    )
    height = 210 + 26 * len(names)
    figure.update_layout(
        xaxis={"side": "top", "tickangle": -90, "ticks": "", "showgrid": False},
        yaxis={"autorange": "reversed", "ticks": "", "showgrid": False},
        height=height,
        margin={"t": 190, "r": 8, "b": 8},
        meta={"print_height": height - 40, "least_width": 640},
    )
    best = met[met["verdict"] == "met"]["medium"].value_counts()
    alt = "Classes met: " + ", ".join(f"{labels.get(name, name)} {n}" for name, n in best.items()) + "."
    return Figure(figure, "requirement-classes", title, caption, alt, met)
