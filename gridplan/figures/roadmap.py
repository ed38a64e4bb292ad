"""Figures of a roadmap: Gantt, spend against budgets, KPI paths, frontier, options, plans compared, what was left out."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gridplan import tables
from gridplan.figures import theme
from gridplan.figures.outputs import Figure, Table

STREAMS = (*theme.CATEGORIES, "#6db1ad", "#8fb0d6", "#e0a15e", "#c9a0dc")
"""Workstreams: more than the categories of a study."""

ARROWS = {"technical": theme.MUTED, "data": theme.CATEGORIES[2], "organisational": theme.CATEGORIES[4]}


def gantt(schedule: pd.DataFrame, dependencies: pd.DataFrame, *, last_year: int) -> Figure:
    """Draw projects from start to service by workstream, with an arrow for each dependency.

    Parameters
    ----------
    schedule
        `project`, `label`, `workstream`, `start_year`, `service_year`, `capex_keur` of :class:`gridplan.roadmap.Roadmap`.
    dependencies
        `project`, `after`, `type` of :func:`gridplan.roadmap.edges`.
    last_year
        Last year of the plan.
    """
    begin = schedule.groupby("workstream")["start_year"].transform("min")
    order = ["begin", "workstream", "start_year", "service_year", "project"]
    rows = schedule.assign(begin=begin).sort_values(order, ignore_index=True).drop(columns="begin")
    colours = {name: STREAMS[n % len(STREAMS)] for n, name in enumerate(rows["workstream"].unique())}
    place = {project: -number for number, project in enumerate(rows["project"])}
    figure = go.Figure()
    for stream, part in rows.groupby("workstream", sort=False):
        figure.add_bar(
            y=[place[p] for p in part["project"]],
            x=(part["service_year"] - part["start_year"]).clip(lower=0.15),
            base=part["start_year"],
            orientation="h",
            marker={"color": colours[stream], "line": {"width": 0}},
            width=0.62,
            name=theme.text(stream),
            customdata=part[["label", "start_year", "service_year", "capex_keur"]].map(theme.text),
            hovertemplate="%{customdata[0]}<br>start %{customdata[1]}, in service from %{customdata[2]}<br>%{customdata[3]} kEUR"
            "<extra></extra>",
        )
    for kind, (x, y) in _arrows(rows, dependencies, place).items():
        line = {"color": ARROWS[kind], "width": 1}
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines+markers",
            line=line,
            marker={"symbol": "arrow", "size": 7, "angleref": "previous", "color": ARROWS[kind], "opacity": _heads(x)},
            name=f"{kind} dependency",
            hoverinfo="skip",
            opacity=0.5,
        )
    figure.update_yaxes(
        tickvals=list(place.values()), ticktext=[theme.text(short(label, 46)) for label in rows["label"]], showgrid=False
    )
    figure.update_yaxes(range=[-len(rows) + 0.4, 0.6], ticks="")
    first = int(rows["start_year"].min()) if len(rows) else last_year
    figure.update_xaxes(range=[first - 0.1, last_year + 1.1], dtick=1, tickformat="d", tickangle=0, showgrid=True, side="top")
    figure.update_layout(height=190 + 21 * len(rows), barmode="overlay", legend={"y": -0.02, "yanchor": "top"}, margin={"t": 84})
    title = f"{len(rows)} projects, the last in service in {rows['service_year'].max()}" if len(rows) else "No project is chosen"
    return Figure(
        figure,
        "roadmap-gantt",
        title,
        "Projects from 1 January of the year of start to 1 January of the first year in service, by workstream. Arrows lead from "
        "the delivery of a project to what waits for it, coloured by the type of the dependency.",
        f"{title}; " + "; ".join(f"{row.label} {row.start_year} to {row.service_year}" for row in rows.head(40).itertuples()),
        rows,
    )


def short(label: str, most: int = 44) -> str:
    """Return a name that fits beside an axis; its end often says where, so the middle is left out.

    Examples
    --------
    >>> short("Remote-controlled switches, indicators and sensors in S2-F2")
    'Remote-controlled … sensors in S2-F2'
    """
    if len(label) <= most:
        return label
    end = label[-(most // 2) :].split(" ", 1)[-1]
    return label[: most - len(end) - 3].rsplit(" ", 1)[0].rstrip(",:") + " … " + end


def _arrows(rows: pd.DataFrame, dependencies: pd.DataFrame, place: dict[str, int]) -> dict[str, tuple[list, list]]:
    """Return the lines of each type of dependency, from the end of one bar to what waits: the start, or the end of another."""
    at = rows.set_index("project")
    found: dict[str, tuple[list, list]] = {}
    for link in dependencies.itertuples():
        if link.project in place and link.after in place:
            x, y = found.setdefault(link.type, ([], []))
            end = at.loc[link.project, "service_year" if link.waits == "delivery" else "start_year"]
            x += [at.loc[link.after, "service_year"], end, None]
            y += [place[link.after], place[link.project], None]
    return found


def _heads(x: list) -> list[float]:
    """Show a marker at the end of each line only."""
    return [1.0 if number % 3 == 1 else 0.0 for number in range(len(x))]


def spend(table: pd.DataFrame) -> Figure:
    """Draw what is used of each capital budget by year, and the budget.

    Parameters
    ----------
    table
        `kind`, `fund`, `year`, `used`, `allowed` of :class:`gridplan.roadmap.Roadmap`; rows of other kinds are left aside.
    """
    rows = table[table["kind"] == "capex"]
    funds = sorted(rows["fund"].unique())
    colours = theme.colour_of(funds)
    figure = make_subplots(
        rows=len(funds), cols=1, shared_xaxes=True, vertical_spacing=0.09, subplot_titles=[*map(theme.text, funds)]
    )
    for number, fund in enumerate(funds, 1):
        part = rows[rows["fund"] == fund]
        hover = "%{x}: %{y:,.0f} kEUR<extra></extra>"
        bars = go.Bar(x=part["year"], y=part["used"], marker_color=colours[fund], showlegend=False, hovertemplate=hover)
        figure.add_trace(bars, row=number, col=1)
        line = {"color": theme.INK, "width": 1.6, "shape": "hvh"}
        budget = go.Scatter(x=part["year"], y=part["allowed"], mode="lines", line=line, name="budget", showlegend=number == 1)
        figure.add_trace(budget.update(hovertemplate="budget " + hover), row=number, col=1)
        figure.update_yaxes(title="kEUR", rangemode="tozero", nticks=4, tickformat=",.0f", row=number, col=1)
    figure.update_annotations(x=0, xanchor="left", font={"size": 13, "color": theme.INK})
    figure.update_xaxes(dtick=1, tickformat="d", tickangle=0)
    figure.update_layout(height=130 + 150 * len(funds), bargap=0.25, legend={"x": 1, "xanchor": "right", "y": 1.04})
    total, given = rows["used"].sum(), rows["allowed"].sum()
    title = f"{total:,.0f} kEUR are spent of {given:,.0f} kEUR" if given > 0 else f"{total:,.0f} kEUR are spent"
    return Figure(
        figure,
        "roadmap-spend",
        title.replace(",", "\u2009"),
        "Capital cost by year and fund [kEUR], in money of the base year, and the budget of each year. Replacements at the end "
        "of a lifetime are included.",
        title,
        rows,
    )


def kpis(table: pd.DataFrame) -> Figure:
    """Draw each KPI over the years, without projects beside it, with its targets and, where there is one, its band.

    Parameters
    ----------
    table
        `kpi`, `year`, `value`, `without`, `sense`, `target`, `met` of :class:`gridplan.roadmap.Roadmap`; `low` and `high` draw a
        band.
    """
    names = list(table["kpi"].unique())
    figure = make_subplots(rows=len(names), cols=1, shared_xaxes=True, vertical_spacing=0.07)
    for number, name in enumerate(names, 1):
        for trace in _path(table[table["kpi"] == name], first=number == 1):
            figure.add_trace(trace, row=number, col=1)
        title = tables.label(name) if name in tables.columns()["column"].to_numpy() else name
        figure.update_yaxes(title=theme.text(title), rangemode="tozero", nticks=5, row=number, col=1)
    figure.update_xaxes(dtick=1, tickformat="d", tickangle=0)
    figure.update_layout(height=150 + 200 * max(len(names), 1), margin={"t": 92}, legend={"y": 1.01})
    aims = table[table["target"].notna()]
    kept = int(aims["met"].fillna(False).astype(bool).sum())
    title = f"{kept} of {len(aims)} targets are met" if len(aims) else "What the roadmap moves"
    alt = "; ".join(
        f"{name}: {part['value'].iloc[0]:,.4g} to {part['value'].iloc[-1]:,.4g}" for name, part in table.groupby("kpi")
    )
    caption = "Each KPI by year with the options in service, and as it would be without any project; diamonds are targets."
    return Figure(figure, "roadmap-kpis", title, caption, f"{title}. {alt}", table)


def _path(part: pd.DataFrame, *, first: bool) -> list[go.Scatter]:
    traces = []
    if {"low", "high"} <= set(part.columns) and part["low"].notna().any():
        edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        traces.append(go.Scatter(x=part["year"], y=part["high"], showlegend=False, **edge))
        fill = {"fill": "tonexty", "fillcolor": "rgba(11,110,110,0.15)"}
        traces.append(go.Scatter(x=part["year"], y=part["low"], name="5 % to 95 %", showlegend=first, **edge, **fill))
    grey, green = {"color": theme.FAINT, "width": 2, "dash": "dash"}, {"color": theme.ACCENT, "width": 2.5}
    traces.append(
        go.Scatter(x=part["year"], y=part["without"], name="without projects", mode="lines", line=grey, showlegend=first)
    )
    traces.append(go.Scatter(x=part["year"], y=part["value"], name="roadmap", mode="lines", line=green, showlegend=first))
    for word, shown, colour in (("target met", True, theme.GOOD), ("target missed", False, theme.BAD)):
        aim = part[part["target"].notna() & (part["met"].fillna(False).astype(bool) == shown)]
        if len(aim):
            mark = {"symbol": "diamond", "size": 11, "color": colour}
            traces.append(go.Scatter(x=aim["year"], y=aim["target"], name=word, mode="markers", marker=mark))
    return traces


def frontier(table: pd.DataFrame, *, quantity: str = "net present value [kEUR]") -> Figure:
    """Draw what the best roadmap is worth against the budget, with the bound, and the budgets with which there is none.

    Parameters
    ----------
    table
        From :func:`gridplan.roadmap.frontier`.
    quantity
        What the value is, with its unit.
    """
    done = table.dropna(subset=["value"]).sort_values("budget_keur")
    figure = go.Figure()
    grey = {"color": theme.FAINT, "width": 1.2, "dash": "dot"}
    figure.add_scatter(
        x=done["budget_keur"], y=done["bound"], mode="lines", line=grey, name="bound: none is better", hoverinfo="skip"
    )
    best = go.Scatter(x=done["budget_keur"], y=done["value"], mode="lines+markers+text", name="best roadmap found")
    best.update(
        text=[f"{share:.0%}".replace("%", " %") for share in done["budget_share"]], textposition="top center", cliponaxis=False
    )
    best.update(line={"color": theme.ACCENT, "width": 2.5}, marker={"size": 9})
    figure.add_trace(best.update(hovertemplate="%{x:,.0f} kEUR: %{y:,.0f}<extra></extra>"))
    for row in table[table["value"].isna()].itertuples():
        words = f"{row.budget_share:.0%}: none".replace("%", " %")
        figure.add_vline(x=row.budget_keur, line={"color": theme.BAD, "width": 1.2, "dash": "dash"}, annotation_text=words)
    figure.update_annotations(font={"size": 11, "color": theme.BAD})
    figure.update_xaxes(title="capital budgets of all years [kEUR]", tickformat=",.0f", rangemode="tozero")
    figure.update_yaxes(title=theme.text(quantity), tickformat=",.0f")
    figure.update_layout(margin={"t": 100}, legend={"y": 1.04})
    title = _frontier_title(done, table[table["value"].isna()], quantity.partition(" [")[2].removesuffix("]"))
    caption = (
        "Value of the best roadmap when every capital budget is multiplied by the share at the point; dotted the proved bound; "
        "red: with this budget no roadmap keeps every rule and target."
    )
    return Figure(figure, "roadmap-frontier", title, caption, title, table)


def _frontier_title(done: pd.DataFrame, none: pd.DataFrame, unit: str) -> str:
    if done.empty:
        return "No budget lets a roadmap be made"
    first, last = done.iloc[0], done.iloc[-1]
    shares = [f"{100 * row['budget_share']:.0f}" for row in (first, last)]
    gain = last["value"] - first["value"]
    if len(none) and len(done) == 1:
        return f"Only with {shares[0]} % of the budgets a roadmap keeps every rule"
    title = f"From {shares[0]} to {shares[1]} % of the budgets the best roadmap gains {_amount(gain)} {unit}"
    if abs(gain) <= 1e-6 * max(abs(first["value"]), 1.0):
        title = f"From {shares[0]} to {shares[1]} % of the budgets the best roadmap stays the same"
    return f"{title}; with less there is none" if len(none) else title


def options(table: pd.DataFrame) -> Figure:
    """Draw how many applications run in each area and group by year.

    Parameters
    ----------
    table
        `area`, `group`, `year`, `option` of :class:`gridplan.roadmap.Roadmap`.
    """
    count = table["option"].map(lambda option: 0 if option == "none" else option.count("+") + 1)
    rows = table.assign(number=count, row=table["group"] + ", " + table["area"]).sort_values(["group", "area", "year"])
    grid = rows.pivot_table(index="row", columns="year", values="number", sort=False)
    words = rows.assign(option=rows["option"].str.replace("+", "<br>").map(str)).pivot_table(
        index="row", columns="year", values="option", aggfunc="first", sort=False
    )
    scale = [
        (0.0, "#eef1f3"),
        *((0.25 + 0.25 * n, colour) for n, colour in enumerate((*theme.SEQUENCE[1:5:2], *theme.SEQUENCE[4:6]))),
    ]
    figure = go.Figure(
        go.Heatmap(
            z=grid,
            x=[str(year) for year in grid.columns],
            y=[theme.text(name) for name in grid.index],
            text=grid.astype(int).replace(0, "").astype(str),
            texttemplate="%{text}",
            customdata=words,
            hovertemplate="%{y}, %{x}<br>%{customdata}<extra></extra>",
            colorscale=scale,
            zmin=0,
            zmax=max(int(rows["number"].max()), 1),
            xgap=2,
            ygap=2,
            showscale=False,
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    figure.update_layout(height=140 + 26 * len(grid))
    last = rows[rows["year"] == rows["year"].max()]
    title = f"{(last['number'] > 0).sum()} of {len(last)} areas and groups have an application in service at the end"
    caption = "Applications in service by area and group (number in the cell; empty: none). One option runs in each cell."
    drawn = rows[["area", "group", "year", "option", "number"]]
    return Figure(figure, "roadmap-options", title, caption, title, drawn)


def plans(table: pd.DataFrame, *, quantity: str = "net present value [kEUR]") -> Figure:
    """Draw the value of the roadmap beside that of plans made without a solver.

    Parameters
    ----------
    table
        `plan`, `value`, `valid` of :class:`gridplan.roadmap.Roadmap`, the roadmap first.
    quantity
        What the value is, with its unit.
    """
    rows = table.iloc[::-1]
    colours = [theme.ACCENT if name == "roadmap" else theme.FAINT for name in rows["plan"]]
    figure = go.Figure(
        go.Bar(
            x=rows["value"],
            y=[row.plan if row.valid else f"{row.plan}<br>(breaks a rule or misses a target)" for row in rows.itertuples()],
            orientation="h",
            marker={"color": colours, "pattern": {"shape": ["" if valid else "/" for valid in rows["valid"]]}},
            text=rows["value"].map(_amount),
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:,.0f}<extra></extra>",
        )
    )
    low, high = min(rows["value"].min(), 0.0), max(rows["value"].max(), 0.0)
    wide = (high - low) * 0.15
    figure.update_xaxes(title=theme.text(quantity), tickformat=",.0f", range=[low - (wide if low < 0 else 0), high + wide])
    figure.update_yaxes(showgrid=False, ticks="")
    figure.update_layout(height=150 + 46 * len(rows))
    unit = f" {quantity.split('[')[1].rstrip(']')}" if "[" in quantity else ""
    others = table[(table["plan"] != "roadmap") & table["valid"]]
    title = "No simple rule makes a plan that keeps every rule and target"
    if len(others):
        title = (
            f"Optimising brings {_amount(table['value'].iloc[0] - others['value'].max())}{unit} more than the best simple rule"
        )
    caption = (
        "Value of the roadmap and of plans made by simple rules with the same budgets; hatched: breaks a rule or misses a target."
    )
    alt = "; ".join(f"{row.plan} {row.value:,.0f}" for row in table.itertuples())
    return Figure(figure, "roadmap-plans", title, caption, alt, table)


def _amount(value: float) -> str:
    return f"{value:,.0f}".replace(",", "\u2009").replace("-", "\u2212")


def left_out(table: pd.DataFrame) -> Table:
    """Show what was not chosen and why.

    Parameters
    ----------
    table
        `label`, `capex_keur`, `reason`, `gain_keur` of :class:`gridplan.roadmap.Roadmap`.
    """
    caption = (
        "What the objective would gain without limits is the best case: the project with all that it needs, without any budget."
    )
    shown = table[["label", "capex_keur", "gain_keur", "reason"]]
    return Table(shown, "roadmap-left-out", "What was not chosen, and why", caption, {"capex_keur": 0, "gain_keur": 0})
