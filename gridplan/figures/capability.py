"""Figures of capability and gaps: heat map of levels, verdicts, gaps by kind, growth of field devices."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gridplan.figures import theme
from gridplan.figures.outputs import Figure

KINDS = {
    "system": theme.CATEGORIES[0],
    "interface": theme.CATEGORIES[2],
    "standard": "#8fb0d6",
    "interoperability": "#c9d6e8",
    "device": theme.CATEGORIES[5],
    "communication": theme.CATEGORIES[1],
    "security": theme.CATEGORIES[3],
    "capability": theme.CATEGORIES[4],
}
"""Colour by the kind of a gap."""

DEVICES = {
    "rc_switch": "Remote-controlled switches",
    "fault_indicator": "Fault indicators",
    "line_sensor": "Line sensors",
    "meter_gateway": "Meter gateways",
    "tap_control": "Tap controls",
    "der_gateway": "DER gateways",
    "storage_unit": "Storage units",
}
"""Devices as a reader knows them; others keep their names."""

TOP = 5


def heat(levels: pd.DataFrame, domains: pd.DataFrame, scale: pd.DataFrame, *, title: str, caption: str = "") -> Figure:
    """Draw the level of every capability today, and what its target adds, by domain.

    Parameters
    ----------
    levels
        From :func:`gridplan.capability.levels`.
    domains, scale
        From :func:`gridplan.capability.domains` and :func:`gridplan.capability.scale`.
    title, caption
        Words of the figure.
    """
    order = {name: number for number, name in enumerate(domains["domain"])}
    table = levels.assign(rank=levels["domain"].map(order)).sort_values("rank", kind="stable", ignore_index=True)
    names = [theme.text(n) for n in table["label"]]
    figure = go.Figure()
    z = [[_state(row, level) for level in range(1, TOP + 1)] for row in table.itertuples()]
    scale_words = [f"{r.level}<br>{theme.text(r.label)}" for r in scale.itertuples() if r.level > 0]
    colours = [[0, "#f1f4f6"], [0.33, "#f1f4f6"], [0.33, "#f0cf9c"], [0.67, "#f0cf9c"], [0.67, theme.ACCENT], [1, theme.ACCENT]]
    said = [[_words(row, level) for level in range(1, TOP + 1)] for row in table.itertuples()]
    cells = {"z": z, "zmin": 0, "zmax": 2, "colorscale": colours, "showscale": False, "xgap": 3, "ygap": 3}
    figure.add_trace(
        go.Heatmap(x=scale_words, y=list(range(len(names))), text=said, hovertemplate="%{text}<extra></extra>", **cells)
    )
    short = [(row.Index, row.level, row.target_level) for row in table.itertuples() if row.gap_levels]
    figure.add_trace(
        go.Scatter(
            x=[scale_words[level] for _, low, high in short for level in range(low, high)],
            y=[at for at, low, high in short for _ in range(low, high)],
            mode="text",
            text=["to reach" for _, low, high in short for _ in range(low, high)],
            textfont={"size": 11, "color": "#6b4300"},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    for name, colour in (("reached", theme.ACCENT), ("target not reached", "#f0cf9c"), ("beyond the target", "#f1f4f6")):
        square = {"symbol": "square", "size": 13, "color": colour, "line": {"width": 1, "color": theme.FAINT}}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", marker=square, name=name))
    _brackets(figure, table, domains)
    height = 130 + 30 * len(names)
    figure.update_layout(
        xaxis={"side": "top", "ticks": "", "showgrid": False, "tickangle": 0, "tickfont": {"size": 11}},
        yaxis={"tickvals": list(range(len(names))), "ticktext": names, "autorange": "reversed", "showgrid": False, "ticks": ""},
        height=height,
        margin={"l": 170, "r": 172, "t": 104, "b": 8},
        legend={"y": 1 + 48 / (height - 112), "entrywidth": 0, "x": -0.2, "itemclick": False, "itemdoubleclick": False},
        meta={"print_height": 110 + 24 * len(names), "least_width": 640},
    )
    alt = "; ".join(f"{row.label}: level {row.level}, target {row.target_level}" for row in table.itertuples()) + "."
    return Figure(figure, "capability-heat-map", title, caption, alt, table.drop(columns="rank"))


def _state(row, level: int) -> int:
    return 2 if level <= row.level else 1 if level <= row.target_level else 0


def _words(row, level: int) -> str:
    said = f"<b>{theme.text(row.label)}</b>: level {row.level}, target {row.target_level}"
    return f"{said}<br>next: {theme.text(row.next_statement)}" if level == row.level + 1 and row.next_statement else said


def _brackets(figure: go.Figure, table: pd.DataFrame, domains: pd.DataFrame) -> None:
    """Name the domain at the right of its capabilities."""
    labels = domains.set_index("domain")["label"]
    for domain, group in table.groupby("domain", sort=False):
        low, high = group.index.min() - 0.42, group.index.max() + 0.42
        edge = {"color": theme.FAINT, "width": 2}
        figure.add_shape(type="line", xref="paper", x0=1.012, x1=1.012, y0=low, y1=high, line=edge)
        text = "<br>".join(textwrap.wrap(theme.text(labels[domain]), 24))
        style = {"xanchor": "left", "align": "left", "font": {"size": 11, "color": theme.MUTED}}
        figure.add_annotation(xref="paper", x=1.02, y=(low + high) / 2, text=text, showarrow=False, **style)


def verdicts(states: Mapping[str, pd.DataFrame], labels: Mapping[str, str], *, title: str, caption: str = "") -> Figure:
    """Draw which applications can run in which area, state by state.

    Parameters
    ----------
    states
        By the name of a state, from :func:`gridplan.gaps.verdicts`.
    labels
        Name of each application as a reader knows it.
    title, caption
        Words of the figure.
    """
    table = pd.concat([part.assign(state=name) for name, part in states.items()], ignore_index=True)
    applications, most = list(dict.fromkeys(table["application"])), max(int(table["gaps"].max()), 1)
    figure = make_subplots(cols=len(states), shared_yaxes=True, horizontal_spacing=0.025, subplot_titles=list(states))
    colours = [[0, theme.ACCENT], [0.5 / most, theme.ACCENT], [0.5 / most, "#fbe9cf"], [1, "#d3661d"]]
    for column, name in enumerate(states, 1):
        own = states[name].pivot_table(index="application", columns="area", values="gaps", aggfunc="first").reindex(applications)
        why = (
            states[name].pivot_table(index="application", columns="area", values="reasons", aggfunc="first").reindex(applications)
        )
        text = [["✓" if n == 0 else f"{n:.0f}" for n in row] for row in own.to_numpy()]
        cells = {"z": own.to_numpy(), "zmin": 0, "zmax": most, "colorscale": colours, "showscale": False, "xgap": 2, "ygap": 2}
        reasons = [["<br>".join(_folded(said or "ready")) for said in row] for row in why.to_numpy()]
        figure.add_trace(
            go.Heatmap(
                x=[theme.text(n) for n in own.columns],
                y=[theme.text(labels.get(n, n)) for n in applications],
                text=text,
                texttemplate="%{text}",
                customdata=reasons,
                hovertemplate="<b>%{y}</b>, %{x}<br>%{customdata}<extra></extra>",
                **cells,
            ),
            row=1,
            col=column,
        )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    figure.update_xaxes(showgrid=False, ticks="", tickangle=0, tickfont={"size": 11})
    figure.update_layout(
        height=110 + 32 * len(applications), margin={"t": 60, "b": 30}, meta={"print_height": 100 + 26 * len(applications)}
    )
    ready = {name: (part["verdict"] == "ready").sum() for name, part in states.items()}
    alt = "Ready: " + ", ".join(f"{name} {n} of {len(states[name])}" for name, n in ready.items()) + " applications by area."
    return Figure(figure, "verdicts", title, caption, alt, table)


def _folded(said: str, width: int = 90) -> list[str]:
    """Return reasons on lines of bearable length."""
    return [theme.text(part if len(part) <= width else part[: width - 1] + "…") for part in said.split("; ")]


def by_kind(found: pd.DataFrame, labels: Mapping[str, str], *, title: str, caption: str = "") -> Figure:
    """Draw the gaps of every application by kind.

    Parameters
    ----------
    found
        From :func:`gridplan.gaps.find`.
    labels
        Name of each application as a reader knows it.
    title, caption
        Words of the figure.
    """
    own = found[found["application"] != ""]
    counted = pd.crosstab(own["application"], own["kind"])
    counted = counted.loc[counted.sum(axis=1).sort_values().index]
    names = [theme.text(labels.get(n, n)) for n in counted.index]
    figure = go.Figure()
    for kind, colour in KINDS.items():
        if kind in counted:
            values = counted[kind]
            text = [str(n) if n else "" for n in values]
            bars = {
                "orientation": "h",
                "marker_color": colour,
                "text": text,
                "textposition": "inside",
                "insidetextanchor": "middle",
            }
            figure.add_trace(go.Bar(x=values, y=names, name=kind, textangle=0, **bars))
    figure.update_layout(
        barmode="stack",
        bargap=0.3,
        height=140 + 28 * len(names),
        xaxis={"title": {"text": "gaps"}, "showgrid": True},
        yaxis={"showgrid": False, "ticks": ""},
        uniformtext={"minsize": 10, "mode": "hide"},
        legend={"traceorder": "normal"},
        meta={"print_height": 130 + 23 * len(names)},
    )
    total = own["kind"].value_counts()
    alt = "Gaps by kind: " + ", ".join(f"{kind} {n}" for kind, n in total.items()) + "."
    return Figure(figure, "gaps-by-kind", title, caption, alt, found)


def growth(table: pd.DataFrame, *, title: str, caption: str = "") -> Figure:
    """Draw field devices by type, area and year, beside today's number.

    Parameters
    ----------
    table
        From :func:`gridplan.gaps.growth`.
    title, caption
        Words of the figure.
    """
    devices, areas = list(dict.fromkeys(table["device"])), sorted(table["area"].unique())
    across = min(4, len(devices)) or 1
    titles = [theme.text(DEVICES.get(name, name)) for name in devices]
    rows = math.ceil(len(devices) / across)
    figure = make_subplots(rows=rows, cols=across, subplot_titles=titles, horizontal_spacing=0.06, vertical_spacing=0.2)
    for number, device in enumerate(devices):
        place = {"row": number // across + 1, "col": number % across + 1}
        own = table[table["device"] == device]
        for area, colour in theme.colour_of(areas).items():
            part = own[own["area"] == area].sort_values("year")
            style = {"name": theme.text(area), "legendgroup": area, "showlegend": number == 0, "stackgroup": "one"}
            line = {"color": colour, "width": 0.5, "shape": "hv"}
            figure.add_trace(go.Scatter(x=part["year"], y=part["number"], line=line, mode="lines", **style), **place)
        today = own.groupby("year")["number_today"].sum()
        dash = {"color": theme.INK, "width": 1.6, "dash": "4px,3px"}
        words = {"name": "as is", "legendgroup": "today", "showlegend": number == 0}
        figure.add_trace(go.Scatter(x=today.index, y=today, mode="lines", line=dash, **words), **place)
    figure.update_annotations(font_size=13)
    figure.update_xaxes(dtick=max(1, (table["year"].max() - table["year"].min()) // 3), tickformat="d")
    figure.update_yaxes(rangemode="tozero", nticks=5)
    figure.update_layout(
        height=120 + 190 * rows,
        margin={"l": 44, "t": 92},
        legend={"y": 1 + 32 / (190 * rows)},
        meta={"print_height": 90 + 170 * rows},
    )
    last = table[table["year"] == table["year"].max()].groupby("device", sort=False)[["number_today", "number"]].sum()
    alt = "; ".join(f"{name}: {row['number_today']:.0f} to {row['number']:.0f}" for name, row in last.iterrows()) + "."
    return Figure(figure, "device-growth", title, caption, alt, table)
