"""Figures of scores and of how firm they are; from the tables of `scoring`."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gridplan.figures import theme
from gridplan.figures.outputs import Figure, Table, number

SHORTEST = 4
"""Share of the longest bar [%] from which a part of it is wide enough for its number."""


WIDE = 32
"""Characters of a line of a name beside an axis, of which there are two at most."""


def _plain(keys: pd.Series | pd.Index | list[str], labels: dict[str, str] | None) -> list[str]:
    """Return the names that a reader knows."""
    return [str((labels or {}).get(key, key)) for key in keys]


def _names(keys: pd.Series | pd.Index | list[str], labels: dict[str, str] | None) -> list[str]:
    """Return the names that a reader knows, escaped for what is drawn and broken where they are long."""
    return ["<br>".join(theme.text(line) for line in _lines(name)) for name in _plain(keys, labels)]


def _lines(name: str) -> list[str]:
    """Return a name in two lines at most."""
    return textwrap.wrap(name, WIDE, max_lines=2, placeholder=" …") or [""]


def ranking(contributions: pd.DataFrame, *, labels: dict[str, str] | None = None, rows: int = 40) -> Figure:
    """Draw the score of each project as a bar, made of what each criterion adds, the best on top.

    Parameters
    ----------
    contributions
        From :func:`gridplan.scoring.contributions`: `project`, `criterion`, `contribution_points`.
    labels
        Names of projects and criteria as a reader knows them.
    rows
        Projects to draw; the table holds all.
    """
    total = contributions.groupby("project")["contribution_points"].sum()
    order = total.reset_index().sort_values(["contribution_points", "project"], ascending=[False, True])["project"]
    shown = list(order[:rows])[::-1]
    grid = contributions.pivot_table(index="project", columns="criterion", values="contribution_points", sort=False)
    grid = grid.reindex(shown)
    figure, narrow = go.Figure(), SHORTEST / 100 * max(float(total.max()), 1e-12)
    for name, colour in theme.colour_of(list(grid)).items():
        text = [number(v, 0) if v >= narrow else "" for v in grid[name]]
        bar = go.Bar(y=_names(grid.index, labels), x=grid[name], orientation="h", name=_names([name], labels)[0], text=text)
        bar.update(marker_color=colour, textposition="inside", insidetextanchor="middle", textangle=0)
        figure.add_trace(bar.update(hovertemplate="%{y}: %{x:.1f} points from %{fullData.name}<extra></extra>"))
    ends = go.Scatter(x=total[shown], y=_names(shown, labels), mode="text", text=[f" {number(v, 1)}" for v in total[shown]])
    figure.add_trace(ends.update(textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False))
    figure.update_layout(barmode="relative", bargap=0.3, height=210 + 36 * len(shown), margin={"r": 56, "b": 130})
    figure.update_layout(legend={"yref": "container", "y": 0, "yanchor": "bottom"})
    figure.update_xaxes(title_text="Score [points of 100]", rangemode="tozero", showgrid=True)
    figure.update_yaxes(showgrid=False)
    title, alt = "No project is scored", "No project."
    if len(order):
        best = order.iloc[0]
        title = f"{_plain([best], labels)[0]} scores highest, with {number(total[best], 1)} of 100 points"
        alt = ", ".join(f"{n}: {number(total[p], 1)}" for p, n in zip(order[:10], _plain(order[:10], labels), strict=True))
    more = f" The first {rows} of {len(order)} projects." if len(order) > rows else ""
    caption = (
        f"Weighted sum of the values of each project, by criterion; parts below {SHORTEST} % of the longest bar unnumbered.{more}"
    )
    return Figure(figure, "ranking", title, caption, alt, contributions)


def acceptability(shares: pd.DataFrame, *, labels: dict[str, str] | None = None, ranks: int = 15, rows: int = 30) -> Figure:
    """Draw how often each project comes to each rank when the weights are uncertain, as a grid of numbers.

    Parameters
    ----------
    shares
        From :func:`gridplan.scoring.acceptability`: `project`, `rank`, `share_percent`, in the order of drawing.
    labels
        Names of the projects.
    ranks, rows
        Ranks and projects to draw; the table holds all.
    """
    grid = shares.pivot_table(index="project", columns="rank", values="share_percent", sort=False)
    grid = grid[sorted(grid.columns)[:ranks]].iloc[:rows][::-1]
    words = [[number(v, 0) if v >= 1 else "<1" if v > 0 else "" for v in row] for row in grid.to_numpy()]
    scale = [[i / (len(theme.SEQUENCE) - 1), colour] for i, colour in enumerate(("#ffffff", *theme.SEQUENCE[:-1]))]
    heat = go.Heatmap(z=grid.to_numpy(), x=[str(r) for r in grid.columns], y=_names(grid.index, labels), text=words)
    heat.update(texttemplate="%{text}", colorscale=scale, zmin=0, zmax=100, xgap=2, ygap=2)
    heat.update(colorbar=theme.colour_bar("Share of weights [%]"))
    figure = go.Figure(heat.update(hovertemplate="%{y} has rank %{x} in %{z:.1f} % of the weights<extra></extra>"))
    figure.update_layout(height=150 + 36 * len(grid))
    figure.update_xaxes(title_text="Rank", type="category", side="bottom")
    figure.update_yaxes(showgrid=False)
    first = shares[shares["rank"] == 1].sort_values("share_percent", ascending=False, kind="stable")
    title, alt = "No project is ranked", "No project."
    if len(first):
        top = first.iloc[0]
        title = f"{_plain([top['project']], labels)[0]} comes first in {number(top['share_percent'], 0)} % of the weights"
        named = zip(_plain(first["project"][:5], labels), first["share_percent"][:5], strict=True)
        alt = "First rank: " + ", ".join(f"{name} {number(share, 0)} %" for name, share in named)
    caption = "Share of the sampled weights in which each project has each rank [%]; empty where it never has."
    return Figure(figure, "rank-acceptability", title, caption, alt, shares)


def stability(ranges: pd.DataFrame, *, labels: dict[str, str] | None = None, project: str | None = None) -> Figure:
    """Draw how far each weight can move before the plan changes, or before one project leaves or enters it.

    Parameters
    ----------
    ranges
        From :func:`gridplan.scoring.stability`.
    labels
        Names of projects and criteria.
    project
        Only this project; by default the whole plan: the range in which no project changes.
    """
    own = ranges if project is None else ranges[ranges["project"] == project]
    low = own.loc[own.groupby("criterion", sort=False)["weight_low"].idxmax()].set_index("criterion")[::-1]
    high = own.loc[own.groupby("criterion", sort=False)["weight_high"].idxmin()].set_index("criterion").reindex(low.index)
    names = _names(low.index, labels)
    figure = go.Figure()
    span = go.Bar(y=names, x=high["weight_high"] - low["weight_low"], base=low["weight_low"], orientation="h", width=0.26)
    span.update(
        marker_color=theme.SEQUENCE[1], name="nothing changes", hovertemplate="%{y}: %{base:.3f} to %{x:.3f}<extra></extra>"
    )
    figure.add_trace(span)
    for side, end, line in ((low, "low", "top"), (high, "high", "bottom")):
        words = [_exchange(row, end, labels) for _, row in side.iterrows()]
        here = side[f"weight_{end}"].where([bool(w) for w in words])
        shift = [f"{line} {'left' if place > 0.5 else 'right'}" for place in side[f"weight_{end}"]]
        mark = go.Scatter(x=here, y=names, mode="markers+text", text=words, textposition=shift, showlegend=False)
        mark.update(marker={"symbol": "line-ns", "size": 18, "line": {"width": 2.5, "color": theme.BAD}}, cliponaxis=False)
        figure.add_trace(mark.update(textfont={"size": 11, "color": theme.MUTED}, hoverinfo="skip"))
    dots = go.Scatter(x=low["weight"], y=names, mode="markers", name="weight used", marker={"size": 11, "color": theme.ACCENT})
    figure.add_trace(dots.update(hovertemplate="%{y}: weight %{x:.3f}<extra></extra>"))
    figure.update_layout(height=180 + 58 * len(names), margin={"t": 92, "r": 40}, barmode="overlay")
    figure.update_xaxes(
        title_text="Weight of the criterion, the others in their proportions [1]", range=[-0.02, 1.02], showgrid=True
    )
    figure.update_yaxes(showgrid=False)
    title, alt = _stability_words(own, labels, project)
    caption = "Range of each weight, moved alone, in which the plan holds; at a red mark a project leaves it and another enters."
    return Figure(figure, "weight-stability" if project is None else f"weight-stability-{project}", title, caption, alt, own)


def _exchange(row: pd.Series, end: str, labels: dict[str, str] | None) -> str:
    """Say what happens at an end of a range; blank where it is 0 or 1 and nothing does."""
    rival = row[f"rival_{end}"]
    if not rival:
        return ""
    own, other = (theme.text(name) for name in _plain([row["project"], rival], labels))
    out, into = (own, other) if row["in_plan"] else (other, own)
    return f"{into} for {out}"


def _stability_words(own: pd.DataFrame, labels: dict[str, str] | None, project: str | None) -> tuple[str, str]:
    who = "the plan" if project is None else _plain([project], labels)[0]
    moves = own.dropna(subset=["weight_change"])
    if moves.empty:
        words = f"No single weight, however far it moves, changes {who}"
        return words, words + "."
    nearest = moves.loc[moves["weight_change"].abs().idxmin()]
    criterion = _plain([nearest["criterion"]], labels)[0]
    to = nearest["weight"] + nearest["weight_change"]
    holds = "holds" if project is None else "stays" if nearest["in_plan"] else "stays out"
    weighs = f"weighs {number(to, 2)} instead of {number(nearest['weight'], 2)}"
    title = f"{who[0].upper()}{who[1:]} {holds} until {criterion} {weighs}"
    each = moves.loc[moves.groupby("criterion", sort=False)["weight_change"].apply(lambda move: move.abs().idxmin())]
    said = [f"{n} by {number(m, 3)}" for n, m in zip(_plain(each["criterion"], labels), each["weight_change"], strict=True)]
    return title, "Smallest moves that change it: " + ", ".join(said)


def routes(table: pd.DataFrame, *, labels: dict[str, str] | None = None, currency: str = "EUR") -> Figure:
    """Draw the weighted route against the monetised one: score against benefit over cost.

    Parameters
    ----------
    table
        `Routes.table` of :func:`gridplan.scoring.routes`: `project`, `score_points`, `bcr`, `cost_keur`.
    labels
        Names of the projects.
    currency
        Currency of the costs.
    """
    known = table.dropna(subset=["bcr"])
    names = [theme.text(name) for name in _plain(known["project"], labels)]
    words = [f"{n}<br>cost {number(c, 0)} k{currency}" for n, c in zip(names, known["cost_keur"], strict=True)]
    size = 8 + 22 * (known["cost_keur"] / max(float(known["cost_keur"].max()) if len(known) else 1.0, 1e-12)) ** 0.5
    dots = go.Scatter(x=known["score_points"], y=known["bcr"], mode="markers+text", hovertext=words)
    dots.update(
        text=_apart(known, names), textposition="top center", textfont={"size": 10, "color": theme.MUTED}, cliponaxis=False
    )
    colour = [theme.ACCENT if b >= 1 else theme.WARN for b in known["bcr"]]
    dots.update(marker={"size": size, "color": colour, "opacity": 0.85, "line": {"width": 0.7, "color": theme.PAPER}})
    figure = go.Figure(dots.update(hovertemplate="%{hovertext}<br>%{x:.1f} points, benefit over cost %{y:.2f}<extra></extra>"))
    figure.add_hline(y=1, line={"color": theme.BAD, "width": 1.2, "dash": "dash"}, annotation_text="benefits equal costs")
    figure.update_annotations(font={"size": 11, "color": theme.BAD})
    figure.update_layout(height=480)
    figure.update_xaxes(title_text="Score [points of 100]", showgrid=True)
    figure.update_yaxes(title_text="Benefit over cost [1]", rangemode="tozero")
    paying = int((known["bcr"] >= 1).sum())
    title = f"{paying} of {len(known)} projects bring more in money than they cost" if len(known) else "No project has a cost"
    alt = ", ".join(
        f"{n}: {number(s, 0)} points, {number(b, 2)}" for n, s, b in zip(names, known["score_points"], known["bcr"], strict=True)
    )
    caption = (
        "The weighted and the monetised route from the same data; the larger the dot, the larger the cost. "
        "Names that would overlap are left out; the table has all."
    )
    return Figure(figure, "two-routes", title, caption, alt or title, table)


def _apart(known: pd.DataFrame, names: list[str]) -> list[str]:
    """Return the names that have room beside those already set, the others blank; the projects that pay most first."""
    x, y = (known[c].to_numpy(float) / max(float(known[c].abs().max()), 1e-12) for c in ("score_points", "bcr"))
    placed: list[int] = []
    for i in known["bcr"].reset_index(drop=True).sort_values(ascending=False, kind="stable").index:
        half = [0.003 * (len(names[i]) + len(names[j])) for j in placed]
        free = all(abs(x[i] - x[j]) > h or abs(y[i] - y[j]) > 0.06 for j, h in zip(placed, half, strict=True))
        above = (y - y[i] > 0.015) & (y - y[i] < 0.1) & (np.abs(x - x[i]) < 0.003 * len(names[i]) + 0.015)
        if free and not above.any():
            placed.append(i)
    return [name if i in placed else "" for i, name in enumerate(names)]


SCREENS = {"least_cost": "least cost", "benefit_cost": "benefit over cost", "self_supporting": "self-supporting"}


def screening(screened: pd.DataFrame, *, classes: dict[str, str] | None = None, currency: str = "EUR") -> Figure:
    """Draw what the projects of each class of spend cost and bring, beside the test that applies to the class.

    Parameters
    ----------
    screened
        From :func:`gridplan.scoring.screen`.
    classes
        Names of classes of spend.
    currency
        Currency of the amounts.
    """
    sums = screened.groupby(["class_of_spend", "test"], sort=False, as_index=False).agg(
        projects=("project", "size"), cost_keur=("cost_keur", "sum"), benefit_keur=("benefit_keur", "sum")
    )[::-1]
    names = [
        f"{theme.text(name)}<br>{n} by {SCREENS.get(test, test)}"
        for name, test, n in zip(_plain(sums["class_of_spend"], classes), sums["test"], sums["projects"], strict=True)
    ]
    bars = [("simulated benefits", "benefit_keur", theme.ACCENT), ("cost", "cost_keur", theme.MUTED)]
    figure = go.Figure([_money_bar(sums[column], names, name, colour) for name, column, colour in bars])
    figure.update_layout(barmode="group", bargap=0.35, height=170 + 90 * max(len(sums), 1), margin={"r": 64})
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "reversed"})
    figure.update_xaxes(title_text=f"Present value [k{currency}]", tickformat=",.0f", showgrid=True, rangemode="tozero")
    caption = (
        "All projects of the study by class of spend, and the test that the class asks for: least cost where the need "
        "is given, benefits over costs where the spend is a choice. A project's benefit is its share of what combinations bring."
    )
    amounts = zip(_plain(sums["class_of_spend"], classes), sums["cost_keur"], sums["benefit_keur"], strict=True)
    alt = "; ".join(f"{name}: cost {number(cost, 0)}, benefits {number(gain, 0)} k{currency}" for name, cost, gain in amounts)
    return Figure(figure, "screening-by-class", _screened(screened), caption, alt or "No project.", sums)


def _money_bar(values: pd.Series, names: list[str], name: str, colour: str) -> go.Bar:
    bar = go.Bar(y=names, x=values, name=name, orientation="h", marker_color=colour, text=[number(v, 0) for v in values])
    return bar.update(textposition="outside", cliponaxis=False, hovertemplate="%{y}: %{x:,.0f}<extra>" + name + "</extra>")


def _screened(table: pd.DataFrame) -> str:
    passed, open_ = int(table["passed"].eq(True).sum()), int(table["passed"].isna().sum())
    title = f"{passed} of {len(table)} projects pass the test of their class of spend"
    return title + (f"; {open_} cannot be tested yet" if open_ else "")


def screening_table(screened: pd.DataFrame, *, labels: dict[str, str] | None = None, rows: int = 40) -> Table:
    """Return which test applies to each project, and whether it is passed, as a table.

    Parameters
    ----------
    screened
        From :func:`gridplan.scoring.screen`.
    labels
        Names of projects and classes of spend.
    rows
        Rows to show; the CSV holds all.
    """
    title = _screened(screened)
    words = screened["passed"].map({True: "yes", False: "no"}).astype(object).where(screened["passed"].notna(), "not tested")
    named = {column: _plain(screened[column], labels) for column in ("project", "class_of_spend")}
    shown = screened.assign(passed=words, test=screened["test"].replace(SCREENS), **named)
    caption = "Least cost where the need is given, benefit over cost where the spend is a choice."
    digits = {"cost_keur": 0, "benefit_keur": 0, "bcr": 2}
    return Table(shown, "screening", title, caption, digits, rows)
