"""Figures of systems and interfaces: the diagram by zones and domains, matrix, plane, standards, differences of states."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gridplan.figures import _diagram, theme
from gridplan.figures.outputs import Figure

CLASSES = {
    "current": (theme.CATEGORIES[0], "solid", "square"),
    "legacy": (theme.CATEGORIES[3], "6px,3px", "diamond"),
    "proprietary": (theme.CATEGORIES[1], "2px,2px", "triangle-up"),
}
"""Colour, dash and mark by what a standard is; of several the last one counts."""

SIDES = {"OT": "#d8eceb", "IT": "#dfe8f5", "OT/IT": "#e9e2f2", "external": "#ffffff"}
"""Fill of a system by who runs it."""
SIDE_NAMES = {"OT": "OT system", "IT": "IT system", "OT/IT": "system of both", "external": "system of others"}

ZONES = {name: name.capitalize() for name in _diagram.ZONES} | {"demilitarised": "DMZ"}
BANDS = {"market": "#fafbfc", "enterprise": "#f3f6f9", "demilitarised": "#fbf1e1", "operation": "#f0f6f4", "station": "#fafbfc"}
DOMAINS = {name: name.capitalize() for name in _diagram.DOMAINS} | {"DER": "DER"}


def diagram(
    systems: pd.DataFrame,
    flows: pd.DataFrame,
    *,
    title: str,
    caption: str = "",
    broken: Collection[str] = (),
    new: Collection[str] = (),
) -> Figure:
    """Draw systems by zone (rows) and domain (columns), with their interfaces.

    Parameters
    ----------
    systems
        Systems in service, as in a study.
    flows
        From :func:`gridplan.architecture.register`.
    title, caption
        Words of the figure.
    broken
        Interfaces and systems that break a security rule: marked.
    new
        Systems that are new in this state: marked.

    Returns
    -------
    Figure
        A flow over a bus or the demilitarised zone is drawn as two wires to a bar; several interfaces of the same two ends are
        one wire, in the style of the worst.
    """
    wires = _wires(flows)
    bars = [name for name in systems["system"] if name in set(flows["via"])]
    drawn = _diagram.diagram(systems, wires, bars)
    figure = go.Figure()
    _frame(figure, drawn)
    _systems(figure, drawn, systems.set_index("system"), set(new))
    _flows(figure, drawn, wires)
    _marks(figure, drawn, wires, set(broken))
    _legend(figure, new)
    margin = {"l": 24, "r": 4, "t": 92, "b": 4}
    still = {"orientation": "h", "x": 0, "xanchor": "left", "yanchor": "bottom", "font": {"size": 11}}
    still |= {"itemclick": False, "itemdoubleclick": False, "bgcolor": "rgba(0,0,0,0)"}
    figure.update_layout(
        xaxis={"range": [-1, drawn.width + 1], "visible": False, "fixedrange": True},
        yaxis={"range": [drawn.height, 0], "visible": False, "fixedrange": True},
        height=drawn.height + margin["t"] + margin["b"],
        margin=margin,
        legend={**still, "y": 1 + 44 / drawn.height},
        legend2={**still, "y": 1 + 20 / drawn.height},
        meta={"print_height": min(810, drawn.height + margin["t"] + margin["b"]), "least_width": 640},
    )
    classes = flows["standard_status"].value_counts()
    alt = f"{len(systems)} systems and {len(flows)} interfaces: " + ", ".join(
        f"{classes.get(name, 0)} on a {name} standard" for name in CLASSES
    )
    return Figure(figure, "architecture", title, caption, f"{alt}.", flows[REGISTER])


REGISTER = ["interface", "from_system", "to_system", "via", "flow", "direction", "timing", "standard", "standard_status"]
REGISTER += ["interoperability", "authentication", "encryption", "from_zone", "to_zone", "crosses"]


class _Bundle:
    """Interfaces drawn as one wire."""

    def __init__(self) -> None:
        self.status = "current"
        self.names: list[str] = []
        self.words: list[str] = []
        self.into: set[str] = set()  # ends with an arrow

    def add(self, row: pd.Series, into: Sequence[str]) -> None:
        ranks = list(CLASSES)
        self.status = max(self.status, row["standard_status"], key=ranks.index)
        self.names.append(row["interface"])
        over = f" over {row['via']}" if row["via"] else ""
        ends = f"{row['from_system']} to {row['to_system']}{over}"
        self.words.append(theme.text(f"{ends}: {row['flow']} ({row['standard']})"))
        self.into |= set(into)


def _wires(flows: pd.DataFrame) -> dict[tuple[str, str], _Bundle]:
    """Return the wires by their ends, a bar last."""
    found: dict[tuple[str, str], _Bundle] = {}
    bars = set(flows["via"]) - {""}
    for _, row in flows.iterrows():
        one, other, both = row["from_system"], row["to_system"], row["direction"] == "both ways"
        legs = [(one, row["via"]), (row["via"], other)] if row["via"] else [(one, other)]
        for a, b in legs:
            ends = (a, b) if b in bars or (a not in bars and a < b) else (b, a)
            into = [a, b] if both else [b]
            found.setdefault(ends, _Bundle()).add(row, into)
    return found


def _frame(figure: go.Figure, drawn: _diagram.Diagram) -> None:
    for zone, place in drawn.zones.items():
        fill = BANDS.get(zone, "#f5f7f9")
        _rectangle(figure, place, fillcolor=fill, line={"width": 0})
        label = {"text": ZONES[zone], "textangle": -90, "xanchor": "center", "font": {"size": 11, "color": theme.MUTED}}
        figure.add_annotation(x=0, xshift=-13, y=(place.y0 + place.y1) / 2, showarrow=False, **label)
    edges = list(drawn.domains.values())
    for one, other in itertools.pairwise(edges):
        x = (one.x1 + other.x0) / 2
        figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=drawn.height, layer="below", line={"color": theme.PAPER, "width": 3})
    for domain, place in drawn.domains.items():
        label = {"text": DOMAINS[domain], "yanchor": "bottom", "font": {"size": 12, "color": theme.MUTED}}
        figure.add_annotation(x=(place.x0 + place.x1) / 2, y=0, yshift=1, showarrow=False, **label)


def _rectangle(figure: go.Figure, place: _diagram.Rectangle, **style: object) -> None:
    figure.add_shape(type="rect", x0=place.x0, x1=place.x1, y0=place.y0, y1=place.y1, **({"layer": "below"} | style))


def _systems(figure: go.Figure, drawn: _diagram.Diagram, systems: pd.DataFrame, new: set[str]) -> None:
    for name, place in {**drawn.boxes, **drawn.bars}.items():
        row, bar = systems.loc[name], name in drawn.bars
        dash = "dot" if row["side"] == "external" else "solid"
        line = {"color": theme.ACCENT if name in new else theme.FAINT, "width": 2.5 if name in new else 1, "dash": dash}
        _rectangle(figure, place, fillcolor=SIDES[row["side"]], line=line, layer="above" if bar else "below")
        words = theme.text(row["label"]) if bar else _wrapped(row["label"])
        text = f"<b>{theme.text(name)}</b>" + (": " if bar else "<br>") + f'<span style="font-size:9px">{words}</span>'
        middle = {"x": (place.x0 + place.x1) / 2, "y": (place.y0 + place.y1) / 2}
        figure.add_annotation(**middle, text=text, showarrow=False, font={"size": 11, "color": theme.INK})
    places = pd.DataFrame({name: [(p.x0 + p.x1) / 2, (p.y0 + p.y1) / 2] for name, p in {**drawn.boxes, **drawn.bars}.items()}).T
    words = [_said(systems.loc[name], name) for name in places.index]
    spots = {"mode": "markers", "marker": {"size": 34, "opacity": 0}, "showlegend": False}
    figure.add_trace(go.Scatter(x=places[0], y=places[1], text=words, hovertemplate="%{text}<extra></extra>", **spots))


def _said(row: pd.Series, name: str) -> str:
    up = f"availability {100 * row['availability']:.2f} %{', redundant' if row['redundant'] else ''}"
    return f"<b>{theme.text(name)}</b> {theme.text(row['label'])}<br>{theme.text(row.get('duty', ''))}<br>{up}"


def _wrapped(label: str, width: int = 13, most: int = 2) -> str:
    lines = textwrap.wrap(label, width, break_on_hyphens=False)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1].rstrip(",") + " …"]
    return "<br>".join(theme.text(line) for line in lines)


def _flows(figure: go.Figure, drawn: _diagram.Diagram, wires: Mapping[tuple[str, str], _Bundle]) -> None:
    for status, (colour, dash, _) in CLASSES.items():
        own = [wire for wire in drawn.wires if _of(wire, wires).status == status]
        x = [value for wire in own for value in (*(p[0] for p in wire.points), None)]
        y = [value for wire in own for value in (*(p[1] for p in wire.points), None)]
        line = {"color": colour, "width": 1.6, "dash": dash}
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, name=f"{status} standard", hoverinfo="skip"))
        _heads(figure, own, wires, colour)
    spots = [(_middle(wire.points), "<br>".join(_of(wire, wires).words)) for wire in drawn.wires]
    figure.add_trace(
        go.Scatter(
            x=[spot[0][0] for spot in spots],
            y=[spot[0][1] for spot in spots],
            text=[spot[1] for spot in spots],
            mode="markers",
            marker={"size": 12, "opacity": 0},
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
        )
    )


def _of(wire: _diagram.Wire, wires: Mapping[tuple[str, str], _Bundle]) -> _Bundle:
    return wires[wire.a, wire.b] if (wire.a, wire.b) in wires else wires[wire.b, wire.a]


def _middle(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the middle of the longest piece."""
    pieces = list(itertools.pairwise(points))
    (x0, y0), (x1, y1) = max(pieces, key=lambda piece: abs(piece[0][0] - piece[1][0]) + abs(piece[0][1] - piece[1][1]))
    return (x0 + x1) / 2, (y0 + y1) / 2


def _heads(figure: go.Figure, own: list[_diagram.Wire], wires: Mapping[tuple[str, str], _Bundle], colour: str) -> None:
    """Add arrow heads where data arrive."""
    heads = []
    for wire in own:
        for end, points in ((wire.a, wire.points[::-1]), (wire.b, wire.points)):
            if end in _of(wire, wires).into:
                heads.append((*points[-1], _angle(points[-2], points[-1])))
    x, y, angle = zip(*heads, strict=True) if heads else ((), (), ())
    marker = {"symbol": "triangle-up", "angle": angle, "size": 7, "color": colour, "standoff": 3, "line": {"width": 0}}
    figure.add_trace(go.Scatter(x=x, y=y, mode="markers", marker=marker, hoverinfo="skip", showlegend=False))


def _angle(before: tuple[float, float], at: tuple[float, float]) -> float:
    """Return the clockwise angle of an arrow on a page whose y grows downwards [deg]."""
    if before[0] != at[0]:
        return 90.0 if at[0] > before[0] else -90.0
    return 180.0 if at[1] > before[1] else 0.0


def _marks(figure: go.Figure, drawn: _diagram.Diagram, wires: Mapping[tuple[str, str], _Bundle], broken: set[str]) -> None:
    """Mark wires and systems that break a security rule."""
    spots = [_middle(wire.points) for wire in drawn.wires if broken & set(_of(wire, wires).names)]
    spots += [(place.x1 - 7, place.y0 + 7) for name, place in drawn.boxes.items() if name in broken]
    if spots:
        x, y = zip(*spots, strict=True)
        marker = {"symbol": "x", "size": 9, "color": theme.BAD, "line": {"width": 1, "color": theme.PAPER}}
        figure.add_trace(go.Scatter(x=x, y=y, mode="markers", marker=marker, name="breaks a security rule", hoverinfo="skip"))


def _legend(figure: go.Figure, new: Collection[str]) -> None:
    for side, fill in SIDES.items():
        square = {"symbol": "square", "size": 12, "color": fill, "line": {"width": 1, "color": theme.MUTED}}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", marker=square, name=SIDE_NAMES[side], legend="legend2"))
    if new:
        square = {"symbol": "square", "size": 12, "color": theme.PAPER, "line": {"width": 2.5, "color": theme.ACCENT}}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", marker=square, name="new system", legend="legend2"))


# --- matrix and plane ---------------------------------------------------------------------------------------------------------


def matrix(systems: pd.DataFrame, flows: pd.DataFrame, *, title: str, caption: str = "") -> Figure:
    """Draw the system-by-system (N2) matrix: rows send, columns receive.

    Parameters
    ----------
    systems
        Systems in service.
    flows
        From :func:`gridplan.architecture.register`.
    title, caption
        Words of the figure.
    """
    zone = _diagram.zone_of(systems)
    order = systems.assign(zone=pd.Categorical(zone, _diagram.ZONES)).sort_values(["zone", "domain"], kind="stable")
    names = list(order["system"])
    back = flows[flows["direction"] == "both ways"]
    both = pd.concat([flows, back.rename(columns={"from_system": "to_system", "to_system": "from_system"})])
    figure = go.Figure()
    for status, (colour, _, symbol) in CLASSES.items():
        for over, shape in ((False, symbol), (True, f"{symbol}-open")):
            own = both[(both["standard_status"] == status) & ((both["via"] != "") == over)]
            if own.empty:
                continue
            words = [
                theme.text(f"{r.from_system} to {r.to_system}{f' over {r.via}' if r.via else ''}: {r.flow} ({r.standard})")
                for r in own.itertuples()
            ]
            marker = {"symbol": shape, "size": 10, "color": colour, "line": {"width": 2 if over else 0, "color": colour}}
            label = f"{status} standard" + (", over a bus or the DMZ" if over else "")
            ends = {"x": [names.index(n) for n in own["to_system"]], "y": [names.index(n) for n in own["from_system"]]}
            spots = {"mode": "markers", "marker": marker, "name": label, "text": words}
            figure.add_trace(go.Scatter(**ends, **spots, hovertemplate="%{text}<extra></extra>"))
    _grid(figure, order, len(names))
    ticks = {"tickvals": list(range(len(names))), "ticktext": [theme.text(n) for n in names], "showgrid": False, "ticks": ""}
    ticks |= {"tickfont": {"size": 10}, "range": [-0.6, len(names) - 0.4]}
    height = 150 + 21 * len(names)
    figure.update_layout(
        xaxis={**ticks, "tickangle": -90, "side": "top", "title": {"text": "receives", "standoff": 4}},
        yaxis={**ticks, "range": [len(names) - 0.4, -0.6], "title": {"text": "sends", "standoff": 4}},
        height=height,
        margin={"l": 84, "r": 8, "t": 118, "b": 8},
        legend={"y": 1 + 66 / height, "font": {"size": 11}, "entrywidth": 0},
        meta={"print_height": height, "least_width": 640},
    )
    alt = f"{len(names)} systems; {len(both)} of {len(names) * (len(names) - 1)} directed pairs exchange data."
    return Figure(figure, "system-matrix", title, caption, alt, flows[REGISTER])


def _grid(figure: go.Figure, order: pd.DataFrame, count: int) -> None:
    """Shade the diagonal, and part the zones by lines."""
    for n in range(count):
        figure.add_shape(
            type="rect", x0=n - 0.5, x1=n + 0.5, y0=n - 0.5, y1=n + 0.5, fillcolor=theme.RULE, line_width=0, layer="below"
        )
    starts = [-0.5, *(n - 0.5 for n in range(1, count) if order["zone"].iloc[n] != order["zone"].iloc[n - 1]), count - 0.5]
    faint = {"color": theme.RULE, "width": 0.6}
    for at in np.arange(-0.5, count, 1):
        strong = {"color": theme.FAINT, "width": 1.4} if at in starts else faint
        figure.add_shape(type="line", x0=at, x1=at, y0=-0.5, y1=count - 0.5, line=strong, layer="below")
        figure.add_shape(type="line", y0=at, y1=at, x0=-0.5, x1=count - 0.5, line=strong, layer="below")


def plane(table: pd.DataFrame, *, title: str, caption: str = "") -> Figure:
    """Draw systems on the plane of the smart grid architecture model: domains across, zones up.

    Parameters
    ----------
    table
        From :func:`gridplan.architecture.plane`.
    title, caption
        Words of the figure.
    """
    zones, domains = [*_diagram.ZONES], list(_diagram.DOMAINS)
    zones.remove("demilitarised")
    width = {
        name: max(1, math.ceil(table.loc[table["domain"] == name].groupby("zone").size().max() / 3 or 0))
        if (table["domain"] == name).any()
        else 1
        for name in domains
    }
    left = dict(zip(domains, np.cumsum([0, *width.values()]), strict=False))
    rows = {
        name: max(1, *(math.ceil(n / width[d]) for d, n in table[table["zone"] == name].groupby("domain").size().items()), 1)
        for name in zones
    }
    top = dict(zip(zones, np.cumsum([0, *rows.values()]), strict=False))
    figure = go.Figure()
    for (domain, zone), group in table.groupby(["domain", "zone"], sort=False):
        for n, row in enumerate(group.itertuples()):
            x, y = left[domain] + n % width[domain] + 0.5, top[zone] + n // width[domain] + 0.5
            dash = "dot" if row.side == "external" else "solid"
            edge = {"color": theme.FAINT, "width": 1, "dash": dash}
            place = _diagram.Rectangle(x - 0.44, x + 0.44, y - 0.4, y + 0.4)
            _rectangle(figure, place, fillcolor=SIDES[row.side], line=edge, layer="above")
            text = f"<b>{theme.text(row.system)}</b>"
            figure.add_annotation(x=x, y=y, text=text, showarrow=False, font={"size": 11})
    _cells(figure, left, width, top, rows)
    for side, fill in SIDES.items():
        square = {"symbol": "square", "size": 12, "color": fill, "line": {"width": 1, "color": theme.MUTED}}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", marker=square, name=SIDE_NAMES[side]))
    wide, high = sum(width.values()), sum(rows.values())
    figure.update_layout(
        xaxis={"range": [0, wide], "visible": False, "fixedrange": True},
        yaxis={"range": [high, 0], "visible": False, "fixedrange": True},
        height=100 + 38 * high,
        margin={"l": 84, "r": 4, "t": 88, "b": 8},
        legend={"y": 1 + 30 / (38 * high), "font": {"size": 11}, "itemclick": False, "itemdoubleclick": False},
        meta={"print_height": 100 + 38 * high},
    )
    alt = "; ".join(
        f"{zone}, {domain}: {', '.join(group['system'])}" for (zone, domain), group in table.groupby(["zone", "domain"])
    )
    return Figure(figure, "sgam-plane", title, caption, alt, table)


def _cells(figure: go.Figure, left: Mapping, width: Mapping, top: Mapping, rows: Mapping) -> None:
    wide, high = sum(width.values()), sum(rows.values())
    for name, x in left.items():
        label = {"text": DOMAINS[name], "yanchor": "bottom", "font": {"size": 12, "color": theme.MUTED}}
        figure.add_annotation(x=x + width[name] / 2, y=0, yshift=2, showarrow=False, **label)
        figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=high, line={"color": theme.RULE, "width": 1}, layer="below")
    for number, (name, y) in enumerate(top.items()):
        label = {"text": ZONES[name], "xanchor": "right", "font": {"size": 12, "color": theme.MUTED}}
        figure.add_annotation(x=0, y=y + rows[name] / 2, xshift=-6, showarrow=False, **label)
        fill = "#f5f7f9" if number % 2 else theme.PAPER
        _rectangle(figure, _diagram.Rectangle(0, wide, y, y + rows[name]), fillcolor=fill, line={"color": theme.RULE, "width": 1})
    edge = {"color": theme.RULE, "width": 1}
    figure.add_shape(type="line", x0=wide, x1=wide, y0=0, y1=high, line=edge, layer="below")


# --- standards and states -----------------------------------------------------------------------------------------------------


def coverage(states: Mapping[str, pd.DataFrame], *, title: str, caption: str = "") -> Figure:
    """Draw how many interfaces each family of standards carries, state by state.

    Parameters
    ----------
    states
        By the name of a state, from :func:`gridplan.architecture.coverage`.
    title, caption
        Words of the figure.
    """
    table = pd.concat([part[part["family"] != "all"].assign(state=name) for name, part in states.items()], ignore_index=True)
    families = table.groupby("family")["interfaces"].max().sort_values().index
    figure = make_subplots(cols=len(states), shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=list(states))
    for column, name in enumerate(states, 1):
        own = table[table["state"] == name].set_index("family").reindex(families).fillna(0)
        for status, (colour, _, _) in CLASSES.items():
            pattern = {
                "shape": {"current": "", "legacy": "/", "proprietary": "."}[status],
                "fgcolor": theme.PAPER,
                "size": 5,
                "fillmode": "overlay",
            }
            marker = {"color": colour, "pattern": pattern}
            bars = go.Bar(
                x=own[status], y=[theme.text(n) for n in families], orientation="h", marker=marker, name=f"{status} standard"
            )
            figure.add_trace(bars.update(showlegend=column == 1, legendgroup=status), row=1, col=column)
    most = table["interfaces"].max()
    figure.update_xaxes(range=[0, most + 1], title={"text": "interfaces"}, dtick=5)
    figure.update_yaxes(showgrid=False, ticks="")
    figure.update_layout(
        barmode="stack",
        bargap=0.35,
        height=110 + 22 * len(families),
        margin={"t": 84},
        legend={"y": 1 + 32 / (22 * len(families))},
    )
    share = {name: part.loc[part["family"] == "all", "current_percent"].iloc[0] for name, part in states.items()}
    alt = "On a current standard: " + ", ".join(f"{name} {value:.0f} %" for name, value in share.items()) + "."
    return Figure(figure, "standards-coverage", title, caption, alt, table)


def interoperability(states: Mapping[str, pd.DataFrame], *, title: str, caption: str = "") -> Figure:
    """Draw how many interfaces stand at each level of interoperability, state by state.

    Parameters
    ----------
    states
        By the name of a state, from :func:`gridplan.architecture.interoperability`.
    title, caption
        Words of the figure.
    """
    table = pd.concat([part.assign(state=name) for name, part in states.items()], ignore_index=True)
    figure = go.Figure()
    for name, colour in zip(states, (theme.FAINT, theme.SEQUENCE[2], theme.ACCENT), strict=False):
        own = states[name]
        words = [
            f"{level}<br>{theme.text(label).replace(' ', '<br>')}"
            for level, label in zip(own["level"], own["label"], strict=True)
        ]
        figure.add_trace(
            go.Bar(
                x=words,
                y=own["interfaces"],
                name=name,
                marker_color=colour,
                text=own["interfaces"],
                textposition="outside",
                cliponaxis=False,
            )
        )
    figure.update_layout(
        barmode="group", bargap=0.25, height=340, xaxis={"tickangle": 0}, yaxis={"title": {"text": "interfaces"}}
    )
    means = {name: (own["level"] * own["interfaces"]).sum() / max(own["interfaces"].sum(), 1) for name, own in states.items()}
    alt = "Mean level: " + ", ".join(f"{name} {value:.1f}" for name, value in means.items()) + "."
    return Figure(figure, "interoperability", title, caption, alt, table)


def steps(changes: Sequence[pd.DataFrame], *, title: str, caption: str = "") -> Figure:
    """Draw what comes and what goes from one state to the next.

    Parameters
    ----------
    changes
        Step by step, from :func:`gridplan.gaps.changes`.
    title, caption
        Words of the figure.
    """
    table = pd.concat(changes, ignore_index=True)
    steps_, kinds = list(dict.fromkeys(table["step"])), list(dict.fromkeys(table["kind"]))
    counted = table.groupby(["step", "kind", "state_change"]).size()
    figure = make_subplots(cols=len(steps_), shared_yaxes=True, horizontal_spacing=0.06, subplot_titles=steps_)
    looks = {"new": (theme.ACCENT, 1), "replaced": (theme.WARN, -1), "gone": (theme.FAINT, -1)}
    for column, step in enumerate(steps_, 1):
        for change, (colour, sign) in looks.items():
            numbers = [int(counted.get((step, kind, change), 0)) for kind in kinds]
            bars = go.Bar(
                x=[sign * n for n in numbers],
                y=kinds,
                orientation="h",
                name=change,
                marker_color=colour,
                text=[str(n) if n else "" for n in numbers],
                textposition="auto",
                hovertemplate="%{y}: %{text} " + change + "<extra></extra>",
            )
            figure.add_trace(bars.update(showlegend=column == 1, legendgroup=change), row=1, col=column)
    figure.update_yaxes(showgrid=False, ticks="", autorange="reversed")
    figure.update_xaxes(
        zeroline=True, zerolinecolor=theme.INK, tickformat="d", title={"text": "goes  |  comes"}, showticklabels=False, ticks=""
    )
    figure.update_layout(
        barmode="relative", bargap=0.4, height=130 + 46 * len(kinds), margin={"t": 84}, legend={"y": 1 + 32 / (46 * len(kinds))}
    )
    alt = "; ".join(f"{step}, {kind}: {n} {change}" for (step, kind, change), n in counted.items())
    return Figure(figure, "changes", title, caption, alt, table)
