"""Figures of how sure a plan is; from the tables of `robustness`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gridplan import tables
from gridplan.figures import theme
from gridplan.figures.outputs import Figure, Table, number
from gridplan.figures.roadmap import short

BINS = 60
"""Bars of a distribution."""


def tornado(table: pd.DataFrame, *, label: str, rows: int = 15) -> Figure:
    """Draw how far each uncertainty alone moves a result, the largest swing on top.

    Parameters
    ----------
    table
        From :func:`gridplan.robustness.tornado`.
    label
        Axis title of the result, with its unit.
    rows
        Uncertainties to draw; the table holds all.
    """
    shown = table[:rows][::-1]
    names = [theme.text(short(str(name), 48)) for name in shown["uncertainty"]]
    planned = float(table["result_planned"].iloc[0]) if len(table) else 0.0
    figure = go.Figure()
    for end, colour, words in (("low", theme.CATEGORIES[2], "at its low end"), ("high", theme.CATEGORIES[1], "at its high end")):
        way = shown[f"result_{end}"] - planned
        bar = go.Bar(y=names, x=way, base=planned, orientation="h", name=words, marker_color=colour, width=0.62)
        bar.update(customdata=np.stack([shown[f"setting_{end}"], shown[f"result_{end}"].map(number)], axis=1))
        figure.add_trace(bar.update(hovertemplate=f"%{{y}} {words} (%{{customdata[0]}}): %{{customdata[1]}}<extra></extra>"))
        other = shown["result_high" if end == "low" else "result_low"] - planned
        # Where both ends lie on one side, the nearer one's setting stands on the other side of the line.
        inner = (way * other >= 0) & ((way.abs() < other.abs()) | ((way == 0) & (end == "low")))
        left = np.where(inner, other > 0, way < 0)
        text = go.Scatter(x=shown[f"result_{end}"].where(~inner, planned), y=names, mode="text", showlegend=False)
        text.update(text=[f" {theme.text(s)} " for s in shown[f"setting_{end}"]], hoverinfo="skip", cliponaxis=False)
        place = ["middle left" if at else "middle right" for at in left]
        figure.add_trace(text.update(textposition=place, textfont={"size": 11, "color": theme.MUTED}))
    figure.add_vline(x=planned, line={"color": theme.INK, "width": 1.2})
    figure.update_layout(barmode="overlay", height=170 + 28 * len(shown), margin={"t": 92, "r": 40})
    figure.update_xaxes(title_text=label, showgrid=True, separatethousands=True, range=_padded(shown, planned))
    figure.update_yaxes(showgrid=False)
    title, alt = "Nothing is uncertain", "No uncertainty."
    if len(table):
        first = table.iloc[0]
        ends = [number(value, 0) for value in sorted([first["result_low"], first["result_high"]])]
        title = f"{_capital(first['uncertainty'])} moves the result most: from {ends[0]} to {ends[1]}{_unit(label)[1]}"
        alt = f"As planned {number(planned, 0)}. " + ", ".join(
            f"{r.uncertainty}: {number(r.swing, 0)}" for r in table[:8].itertuples()
        )
    more = f" The largest {rows} of {len(table)}." if len(table) > rows else ""
    caption = (
        f"{label} with one uncertainty at a time at its low and its high end (settings beside the bars); line: as planned.{more}"
    )
    return Figure(figure, "tornado", title, caption, alt, table)


def _unit(label: str) -> tuple[str, str]:
    """Return the name and the unit of a label ``Name [unit]``, the unit with a space before it."""
    name, _, rest = label.partition(" [")
    return name, f" {rest.removesuffix(']')}" if rest and rest != "1]" else ""


def _capital(text: object) -> str:
    words = str(text)
    return words[:1].upper() + words[1:]


def _padded(shown: pd.DataFrame, planned: float) -> list[float]:
    """Return an axis range with room for the words beside the bars."""
    ends = np.append(shown[["result_low", "result_high"]].to_numpy(float).ravel(), planned)
    room = 0.16 * max(float(np.ptp(ends)), 1e-9)
    return [float(ends.min()) - room, float(ends.max()) + room]


def samples(values: pd.Series | np.ndarray, *, label: str, target: float = 0.0, at_least: bool = True) -> Figure:
    """Draw how a result is spread over the samples, in the colour of a target that is met or missed.

    Parameters
    ----------
    values
        One result a sample, such as ``Outcome.money["npv_keur"]``.
    label
        Axis title, with the unit.
    target
        Value to reach.
    at_least
        Whether the target asks for at least or at most its value.
    """
    found = np.asarray(values, float)
    counts, edges = np.histogram(found, bins=_edges(found, target))
    share, middle = 100 * counts / max(len(found), 1), (edges[1:] + edges[:-1]) / 2
    good = middle >= target if at_least else middle <= target
    figure = go.Figure()
    for met, colour, words in ((True, theme.ACCENT, "target met"), (False, theme.BAD, "target missed")):
        at = good == met
        bar = go.Bar(
            x=middle[at], y=share[at], width=np.diff(edges)[at], name=words, marker={"color": colour, "line": {"width": 0}}
        )
        figure.add_trace(bar.update(hovertemplate=f"around %{{x:,.0f}}: %{{y:.1f}} % of the samples, {words}<extra></extra>"))
    marks = zip((5, 50, 95), np.percentile(found, (5, 50, 95)), strict=True)
    for percent, value in marks:
        words = f"{'median' if percent == 50 else f'P{percent}'} {number(value, 0)}"
        line = {"color": theme.INK, "width": 1, "dash": "dot"}
        higher = 14 if percent == 50 else 0  # on a phone the three would stand in each other
        figure.add_vline(x=value, line=line, annotation_text=words, annotation_position="top", annotation_yshift=higher)
    figure.update_annotations(font={"size": 11, "color": theme.MUTED})
    figure.update_layout(barmode="overlay", bargap=0, margin={"t": 116}, legend={"y": 1.1})
    figure.update_xaxes(title_text=label, tickformat=",")
    figure.update_yaxes(title_text="Share of the samples [%]", rangemode="tozero")
    chance = 100 * np.mean(found >= target if at_least else found <= target)
    words = "at least" if at_least else "at most"
    title = f"{number(chance, 0)} % of the futures reach {words} {number(target, 0)}{_unit(label)[1]}"
    low, high = (number(value, 0) for value in np.percentile(found, (5, 95)))
    alt = f"Mean {number(found.mean(), 0)}, 5 % below {low}, 5 % above {high}; {title}."
    caption = f"{label} in {number(len(found))} sampled futures; dotted: 5th percentile, median, 95th percentile."
    table = pd.DataFrame({"lowest": edges[:-1], "highest": edges[1:], "share_percent": share})
    return Figure(figure, "distribution", title, caption, alt, table)


def _edges(found: np.ndarray, target: float) -> np.ndarray:
    """Return edges of bars, one of them at the target, so that no bar is both met and missed."""
    low, high = float(found.min()), float(found.max())
    width = max((high - low) / BINS, 1e-9 * max(abs(high), 1.0))
    first = target + width * np.floor((low - target) / width)
    return first + width * np.arange(int(np.ceil((high - first) / width)) + 2)


def band(spread: pd.DataFrame, quantity: str, *, label: str, target: pd.DataFrame | None = None) -> Figure:
    """Draw the path of a KPI over the years with the bands in which it lies.

    Parameters
    ----------
    spread
        From :func:`gridplan.robustness.distribution`.
    quantity
        KPI to draw.
    label
        Axis title, with the unit.
    target
        `year`, `value`: values to reach.
    """
    own = spread[spread["quantity"] == quantity].sort_values("year")
    years = own["year"].astype(int)
    figure = go.Figure()
    for low, high, colour, words in (
        ("p05", "p95", theme.SEQUENCE[0], "90 % of the futures"),
        ("p25", "p75", theme.SEQUENCE[1], "50 %"),
    ):
        area = go.Scatter(x=[*years, *years[::-1]], y=[*own[high], *own[low][::-1]], fill="toself", fillcolor=colour, name=words)
        figure.add_trace(area.update(mode="lines", line={"width": 0}, hoverinfo="skip"))
    middle = go.Scatter(x=years, y=own["p50"], mode="lines+markers", name="median", line={"color": theme.ACCENT, "width": 2.4})
    figure.add_trace(middle.update(hovertemplate="%{x}: %{y:,.2f}<extra></extra>"))
    if target is not None:
        aim = go.Scatter(x=target["year"], y=target["value"], mode="markers", name="target")
        figure.add_trace(aim.update(marker={"symbol": "diamond", "size": 11, "color": theme.BAD}))
    figure.update_xaxes(title_text="Year", dtick=1 if len(years) <= 12 else 2)
    figure.update_yaxes(title_text=label, separatethousands=True)
    figure.update_layout(margin={"t": 92})
    title, alt = f"{label}: no result", "No result."
    if len(own):
        last = own.iloc[-1]
        ends = f"between {number(last['p05'])} and {number(last['p95'])} in 9 of 10 futures"
        name, unit = _unit(label)
        title = f"{name} in {last['year']}: {number(last['p50'])}{unit}, {ends}"
        alt = ", ".join(f"{y}: {number(m)}" for y, m in zip(years, own["p50"], strict=True))
    caption = f"{label}: median and ranges of the sampled futures in each year."
    return Figure(figure, f"band-{quantity.replace('_', '-')}", title, caption, alt, own)


def regret(found: pd.DataFrame, plans: pd.DataFrame, *, label: str) -> Figure:
    """Draw what each plan loses in each future against the best plan of that future, as a grid of numbers.

    Parameters
    ----------
    found, plans
        `Regret.table` and `Regret.plans` of :func:`gridplan.robustness.regret`.
    label
        What the result is, with its unit.
    """
    order = plans["plan"].tolist()
    grid = found.pivot_table(index="plan", columns="future", values="regret", sort=False).reindex(order)[::-1]
    worst = plans.set_index("plan")["regret_max"].reindex(grid.index)
    values = np.column_stack([grid.to_numpy(), worst])
    heads = [*(theme.text(f) for f in grid.columns), "<b>largest</b>"]
    text = [[number(v, 0) for v in row] for row in values]
    scale = [[0.0, "#ffffff"], [0.5, "#f2cda2"], [1.0, "#e0a15e"]]
    heat = go.Heatmap(
        z=values, x=heads, y=[theme.text(p) for p in grid.index], text=text, texttemplate="%{text}", colorscale=scale
    )
    heat.update(zmin=0, zmax=max(float(values.max()) if values.size else 0.0, 1e-9), showscale=False, xgap=2, ygap=2)
    figure = go.Figure(heat.update(hovertemplate="%{y} in %{x}: regret %{text}<extra></extra>"))
    figure.add_vline(x=len(grid.columns) - 0.5, line={"color": theme.INK, "width": 1.5})
    figure.update_layout(height=170 + 42 * len(grid))
    figure.update_xaxes(title_text="Future", type="category")
    figure.update_yaxes(showgrid=False)
    title, alt = "No plan is compared", "No plan."
    if len(plans):
        first = plans.iloc[0]
        most = number(first["regret_max"], 0) + _unit(label)[1]
        title = f"{_capital(first['plan'])} loses at most {most} in any future, the least of all"
        alt = ", ".join(f"{r.plan}: {number(r.regret_max, 0)}" for r in plans.itertuples())
    caption = f"Regret: what the plan of the row loses in the future of the column against the best plan of that future; {label}."
    return Figure(figure, "regret", title, caption, f"Largest regrets: {alt}", found)


def decisions_table(decisions: pd.DataFrame, *, rows: int = 40) -> Table:
    """Return which decisions are the same in every future as a table.

    Parameters
    ----------
    decisions
        From :func:`gridplan.robustness.decisions`.
    rows
        Rows to show; the CSV holds all.
    """
    counts = decisions["decision"].value_counts()
    sure, waits = int(counts.get("start in every future", 0)), int(counts.filter(like="later").sum())
    title = f"{sure} of {len(decisions)} projects start now whatever the future; {waits} can wait"
    caption = "Each future with its own best plan: what all start now is no regret; what only some need, later, can wait and see."
    return Table(decisions, "decisions", title, caption, {}, rows)


def targets_table(probabilities: pd.DataFrame) -> Table:
    """Return how probable it is that each target is met as a table.

    Parameters
    ----------
    probabilities
        From :func:`gridplan.robustness.probabilities`.
    """
    joint = probabilities.loc[probabilities["kpi"] == "all", "probability_percent"]
    title = f"All targets are met together in {number(joint.iloc[-1], 0)} % of the futures" if len(joint) else "No target"
    known = set(tables.columns().query("table == 'results'")["column"])
    names = [tables.label(q, "results") if q in known else q for q in probabilities["kpi"]]
    shown = probabilities.assign(kpi=names, year=probabilities["year"].map(lambda y: "" if pd.isna(y) else str(int(y))))
    caption = "Share of the sampled futures that meet each target, with its standard error."
    return Table(shown, "targets", title, caption, {"probability_percent": 1, "probability_error_percent": 1, "value": 1})
