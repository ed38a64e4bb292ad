"""From objectives to projects: the matrix and the table; from the table `traceability` of `planning`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gridplan.figures import theme
from gridplan.figures.economics import amount
from gridplan.figures.outputs import Figure, Table, number

ROW = 24  # height of a row [px]
LONGEST = 46  # characters of a name beside an axis
GAP = 0.9  # space between the two blocks of columns [columns]


def _split(cell: Any) -> list[str]:
    return [name for name in cell.split("|") if name] if isinstance(cell, str) else []


def _short(words: str, most: int = LONGEST) -> str:
    return words if len(words) <= most else words[: most - 1].rsplit(" ", 1)[0].rstrip(",:;") + " …"


def matrix(table: pd.DataFrame, schedule: pd.DataFrame, objectives: Mapping[str, str], labels: Mapping[str, str]) -> Figure:
    """Draw which applications each project of a plan lets run, and which objectives it so serves.

    Parameters
    ----------
    table
        From :func:`gridplan.planning.traceability`.
    schedule
        `Roadmap.schedule`.
    objectives
        Names of the objectives, in order.
    labels
        Names of projects and applications.
    """
    pairs = [(row.objective, row.application, name) for row in table.itertuples() for name in _split(row.projects)]
    long = pd.DataFrame(pairs, columns=["objective", "application", "project"])
    aims = [name for name in objectives if name in set(table["objective"])]
    used = list(dict.fromkeys(name for name in table["application"] if name))
    rows = list(schedule["project"])[::-1]
    figure = go.Figure()
    place = {name: at for at, name in enumerate(aims)} | {name: len(aims) + GAP + at for at, name in enumerate(used)}
    blocks = (("objective", aims, theme.ACCENT, "square"), ("application", used, theme.CATEGORIES[2], "circle"))
    for column, names, colour, symbol in blocks:
        own = long[long[column].isin(names)].drop_duplicates([column, "project"])
        figure.add_traces(_marks(own, column, rows, place, (colour, symbol), {**labels, **objectives}))
    heads = [theme.text(_short({**labels, **objectives}.get(name, name), 32)) for name in place]
    figure.update_xaxes(
        tickvals=list(place.values()),
        ticktext=heads,
        tickangle=-50,
        ticklabeloverflow="allow",
        side="top",
        showgrid=False,
        ticks="",
    )
    names = [theme.text(_short(labels.get(name, name))) for name in rows]
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=names, range=[-0.7, len(rows) - 0.3], ticks="")
    figure.update_xaxes(range=[-0.7, max(place.values(), default=0) + 0.7])
    figure.update_layout(
        height=230 + ROW * max(len(rows), 2), legend={"y": -0.01, "yanchor": "top", "x": 0}, margin={"t": 40, "r": 90}
    )
    title, alt = _matrix_words(schedule, long, objectives)
    caption = "Squares: objectives that a project serves; dots: applications in service that need it or what comes after it."
    return Figure(figure, "traceability-matrix", title, caption, alt, table)


def _marks(
    own: pd.DataFrame, column: str, rows: list[str], place: Mapping[str, float], look: tuple[str, str], labels
) -> list[go.Scatter]:
    """Return the marks of one block of columns, on faint places for all."""
    names = [name for name in place if name in set(own[column])]
    height = {name: at for at, name in enumerate(rows)}
    own = own[own["project"].isin(height)]
    grid = [(place[name], at) for name in names for at in range(len(rows))]
    faint = go.Scatter(x=[x for x, _ in grid], y=[y for _, y in grid], mode="markers", showlegend=False, hoverinfo="skip")
    faint.update(marker={"size": 3, "color": theme.RULE})
    words = [
        f"{theme.text(labels.get(r.project, r.project))}: {theme.text(labels.get(getattr(r, column), ''))}"
        for r in own.itertuples()
    ]
    mark = go.Scatter(x=own[column].map(place), y=own["project"].map(height), mode="markers", hovertext=words, name=f"{column}s")
    mark.update(marker={"size": 11, "color": look[0], "symbol": look[1]}, hovertemplate="%{hovertext}<extra></extra>")
    return [faint, mark]


def _matrix_words(schedule: pd.DataFrame, long: pd.DataFrame, objectives: Mapping[str, str]) -> tuple[str, str]:
    if schedule.empty:
        return "No project is chosen: no objective is served by one", "None."
    traced = schedule["project"].isin(long.loc[long["objective"] != "", "project"])
    bare = [name for name in objectives if name not in set(long["objective"])]
    title = f"{int(traced.sum())} of {len(schedule)} projects lead to an objective"
    title += (
        f"; {len(bare)} of {len(objectives)} objectives are served by none"
        if bare
        else f"; all {len(objectives)} objectives are served"
    )
    per = long[long["objective"] != ""].groupby("objective", sort=False)["project"].nunique()
    return title, "; ".join(f"{objectives.get(name, name)}: {count} projects" for name, count in per.items())


def chain(table: pd.DataFrame, objectives: Mapping[str, str], labels: Mapping[str, str], *, currency: str = "EUR") -> Table:
    """Return how each objective is served, with the benefit that is simulated and declared, as a table.

    Parameters
    ----------
    table
        From :func:`gridplan.planning.traceability`.
    objectives
        Names of the objectives.
    labels
        Names of projects, applications, capabilities and streams.
    currency
        Currency of the amounts.
    """

    def named(cell: Any) -> str:
        return ", ".join(labels.get(name, name) for name in _split(cell))

    shown = pd.DataFrame(
        {
            "objective": [objectives.get(name, name) or "no objective named" for name in table["objective"]],
            "capabilities": [named(cell) for cell in table["capabilities"]],
            "application": [_through(row, labels) for row in table.itertuples()],
            "first_year": pd.array(table["first_year"], dtype="Int64"),
            "projects": [len(_split(cell)) for cell in table["projects"]],
            "last_projects": [_latest(cell, labels) for cell in table["projects"]],
            "streams": [named(cell) for cell in table["streams"]],
            "pv_keur": table["pv_keur"].where(table["application"] != "", np.nan),
            "pv_declared_keur": table["pv_declared_keur"].where(table["pv_declared_keur"] > 0, np.nan),
        }
    )
    total = float(table["pv_keur"].sum())
    title = (
        f"Objectives are traced to {amount(total, currency)} of simulated benefits"
        if total
        else "No simulated benefit is traced to an objective"
    )
    caption = (
        "What combinations of applications bring is shared among them by the Shapley value, so the parts add up. The first year "
        "is that of service in the first area; the project named is the last delivered of those needed, all in the CSV."
    )
    return Table(shown, "traceability", title, caption, {"pv_keur": 0, "pv_declared_keur": 0}, 60)


def _through(row: Any, labels: Mapping[str, str]) -> str:
    """Say by what an objective is served."""
    if row.application:
        return labels.get(row.application, row.application)
    if not row.projects:
        return "nothing in this plan"
    return "the capability itself" if row.objective else "none: mandatory or before others"


def _latest(cell: Any, labels: Mapping[str, str], most: int = 1) -> str:
    names = _split(cell)
    return "; ".join(_short(labels.get(name, name), 40) for name in names[-most:]) or "–"


def applications(shares: pd.DataFrame, labels: Mapping[str, str], *, currency: str = "EUR") -> Figure:
    """Draw what each application in service brings, by stream of benefit.

    Parameters
    ----------
    shares
        From :func:`gridplan.planning.shares`.
    labels
        Names of applications and streams.
    currency
        Currency of the amounts.
    """
    own = shares[~shares["stream"].isin(["lost_revenue", "bill_savings"]) & (shares["pv_keur"].abs() > 0.5)]
    total = own.groupby("application")["pv_keur"].sum().sort_values()
    streams = own.groupby("stream")["pv_keur"].apply(lambda part: part.abs().sum()).sort_values(ascending=False).index
    figure = go.Figure()
    for name, colour in theme.colour_of(list(streams)).items():
        part = own[own["stream"] == name].set_index("application")["pv_keur"].reindex(total.index)
        bar = go.Bar(
            y=[theme.text(labels.get(a, a)) for a in total.index],
            x=part,
            orientation="h",
            name=theme.text(labels.get(name, name)),
        )
        figure.add_trace(bar.update(marker_color=colour, hovertemplate="%{y}: %{x:,.0f}<extra>%{fullData.name}</extra>"))
    ends = own[own["pv_keur"] > 0].groupby("application")["pv_keur"].sum().reindex(total.index).fillna(0.0)
    text = go.Scatter(
        x=ends, y=[theme.text(labels.get(a, a)) for a in total.index], mode="text", text=[f"  {number(v, 0)}" for v in total]
    )
    figure.add_trace(text.update(textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False))
    figure.update_layout(barmode="relative", height=190 + 34 * max(len(total), 2), margin={"r": 70})
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": -0.22, "yanchor": "top"}, bargap=0.35)
    figure.update_xaxes(title_text=f"Present value of simulated benefits [k{currency}]", showgrid=True, separatethousands=True)
    figure.update_yaxes(showgrid=False)
    title, alt = "No application comes into service: nothing is gained", "None."
    if len(total):
        best = total.index[-1]
        title = f"{labels.get(best, best)} brings most: {amount(total.iloc[-1], currency)} of {amount(total.sum(), currency)}"
        alt = "; ".join(f"{labels.get(name, name)}: {number(value, 0)}" for name, value in total[::-1].items())
    caption = "Each application's part of what combinations bring in the areas and years in which it serves, discounted."
    return Figure(figure, "benefits-by-application", title, caption, alt, shares)
