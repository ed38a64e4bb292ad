"""Figures of a roadmap: when projects run, what they cost, what is in service, what it brings; from the tables of `roadmap`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gridplan.figures import theme
from gridplan.figures.outputs import Figure, number

NONE = "none"
ROW = 25  # height of a row of bars [px]
LEGEND = {"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom"}


def _label(name: str, labels: Mapping[str, str] | None) -> str:
    return str((labels or {}).get(name, name))


def _short(words: str, most: int = 46) -> str:
    """Return a name cut at a word, for an axis."""
    return words if len(words) <= most else words[: most - 1].rsplit(" ", 1)[0].rstrip(",:;") + " …"


def gantt(schedule: pd.DataFrame, links: pd.DataFrame, *, years: tuple[int, int], labels: Mapping[str, str] | None = None) -> Figure:
    """Draw when each project is built and from when it serves, by workstream, with what it waits for.

    Parameters
    ----------
    schedule
        `Roadmap.schedule`.
    links
        From :func:`gridplan.roadmap.edges`: `project`, `after`.
    years
        First and last year of the plan.
    labels
        Names of the projects.
    """
    streams = list(dict.fromkeys(schedule.sort_values(["start_year", "workstream"])["workstream"]))
    order = {name: at for at, name in enumerate(streams)}
    shown = schedule.assign(at=schedule["workstream"].map(order)).sort_values(["at", "start_year", "service_year", "project"])
    row = {name: len(shown) - 1 - at for at, name in enumerate(shown["project"])}
    figure = go.Figure()
    figure.add_traces(_arrows(shown.set_index("project"), links, row))
    for name, colour in theme.colour_of(streams).items():
        figure.add_traces(_bars(shown[shown["workstream"] == name], row, years, (name, colour), labels))
    ticks = {"tickvals": list(row.values()), "ticktext": [theme.text(_short(_label(name, labels))) for name in row]}
    figure.update_yaxes(**ticks, showgrid=False, range=[-0.7, max(len(row), 1) - 0.3])
    figure.update_xaxes(range=[years[0] - 0.1, years[1] + 1.1], dtick=1, title_text="Year (bars end at delivery)", showgrid=True)
    figure.update_layout(barmode="overlay", height=150 + ROW * max(len(row), 3), legend=LEGEND, margin={"t": 96}, bargap=0.25)
    title, alt = "No project is chosen", "No project."
    if len(shown):
        first, last = int(shown["start_year"].min()), int(shown["service_year"].max())
        title = f"{len(shown)} projects from {first}; the last is delivered by the start of {last}"
        alt = "; ".join(f"{_label(r.project, labels)} {r.start_year} to {r.service_year}" for r in shown.itertuples())
    caption = "Dark: being built. Pale: in service to the end of the plan. Arrows: what a start waits for. Outlined: mandatory."
    return Figure(figure, "gantt", title, caption, alt, schedule)


def _bars(own: pd.DataFrame, row: Mapping[str, int], years: tuple[int, int], look: tuple[str, str], labels) -> list[go.Bar]:
    """Return the bars of one workstream: built, then in service."""
    place = [row[name] for name in own["project"]]
    built = go.Bar(y=place, x=own["service_year"] - own["start_year"], base=own["start_year"], orientation="h", name=theme.text(look[0]))
    edge = [1.8 if must else 0 for must in own["mandatory"].astype(bool)]
    built.update(marker={"color": look[1], "line": {"color": theme.INK, "width": edge}}, legendgroup=look[0])
    words = [
        f"{theme.text(_label(r.project, labels))}<br>{r.start_year} to {r.service_year}, {number(r.capex_keur, 0)} k"
        for r in own.itertuples()
    ]
    built.update(hovertext=words, hovertemplate="%{hovertext}<extra></extra>")
    serves = go.Bar(y=place, x=years[1] + 1 - own["service_year"], base=own["service_year"], orientation="h", showlegend=False)
    serves.update(marker={"color": look[1], "opacity": 0.16}, hoverinfo="skip", legendgroup=look[0])
    return [serves, built]


def _arrows(shown: pd.DataFrame, links: pd.DataFrame, row: Mapping[str, int]) -> list[go.Scatter]:
    """Return lines from the delivery of a project to the start of those that wait for it."""
    x, y = [], []
    for link in links.itertuples():
        if link.project in row and link.after in row:
            end = float(shown.at[link.project, "service_year" if link.waits == "delivery" else "start_year"])
            begin = float(shown.at[link.after, "service_year"])
            x += [begin, begin, end, None]
            y += [row[link.after], row[link.project], row[link.project], None]
    line = go.Scatter(x=x, y=y, mode="lines", line={"color": theme.FAINT, "width": 1.1}, name="waits for", hoverinfo="skip")
    return [line] if x else []


def spend(table: pd.DataFrame, *, currency: str = "EUR") -> Figure:
    """Draw the capital spent by year and fund against the budget of each fund.

    Parameters
    ----------
    table
        `Roadmap.spend`: `kind`, `fund`, `year`, `used`, `allowed`.
    currency
        Currency of the amounts.
    """
    own = table[table["kind"] == "capex"]
    funds = list(dict.fromkeys(own["fund"]))
    figure = go.Figure()
    for name, colour in theme.colour_of(funds).items():
        part = own[own["fund"] == name].sort_values("year")
        bar = go.Bar(x=part["year"], y=part["used"], name=f"fund {theme.text(name)}", marker_color=colour, offsetgroup=name)
        figure.add_trace(bar.update(hovertemplate="%{x}: %{y:,.0f}<extra>%{fullData.name}</extra>"))
        if part["allowed"].notna().any():
            limit = go.Scatter(x=part["year"], y=part["allowed"], mode="lines", name=f"budget {theme.text(name)}")
            figure.add_trace(limit.update(line={"color": colour, "width": 2, "dash": "dot", "shape": "hvh"}))
    figure.update_layout(barmode="group", legend=LEGEND, margin={"t": 92})
    figure.update_xaxes(title_text="Year", dtick=1)
    figure.update_yaxes(title_text=f"Capital cost [k{currency}/yr]", rangemode="tozero", separatethousands=True)
    used, allowed = own["used"].sum(), own["allowed"].sum()
    share = f", {number(100 * used / allowed, 0)} % of the budgets" if allowed > 0 else ""
    by_year = own.groupby("year")["used"].sum()
    title = f"{number(used, 0)} k{currency} of capital over the plan{share}" if used > 0 else "Nothing is spent"
    alt = "; ".join(f"{year}: {number(value, 0)}" for year, value in by_year.items())
    return Figure(figure, "spend", title, "Capital cost with replacements by fund and year; dotted: budget of the fund.", alt, own)


def kpi_path(kpis: pd.DataFrame, kpi: str, *, label: str, spread: pd.DataFrame | None = None) -> Figure:
    """Draw a KPI over the years with and without the roadmap, its targets, and the range in which it may lie.

    Parameters
    ----------
    kpis
        `Roadmap.kpis`.
    kpi
        KPI to draw.
    label
        Axis title, with the unit.
    spread
        From :func:`gridplan.robustness.distribution`; without it no bands are drawn.
    """
    own = kpis[kpis["kpi"] == kpi].sort_values("year")
    path, aims = own.drop_duplicates("year"), own.dropna(subset=["target"])
    figure = go.Figure()
    if spread is not None:
        figure.add_traces(_band(spread[spread["quantity"] == kpi]))
    for column, name, look in (
        ("without", "nothing in service", {"color": theme.MUTED, "width": 1.8, "dash": "dash"}),
        ("value", "roadmap", {"color": theme.ACCENT, "width": 2.6}),
    ):
        line = go.Scatter(x=path["year"], y=path[column], mode="lines+markers", name=name, line=look, marker={"size": 5})
        figure.add_trace(line.update(hovertemplate=f"{name} %{{x}}: %{{y:,.3g}}<extra></extra>"))
    if len(aims):
        met = [theme.GOOD if ok else theme.BAD for ok in aims["met"].fillna(False)]
        words = [f"{r.sense} {number(r.target)}" for r in aims.itertuples()]
        mark = go.Scatter(x=aims["year"], y=aims["target"], mode="markers+text", text=words, textposition="bottom center", name="target")
        figure.add_trace(mark.update(marker={"symbol": "diamond", "size": 12, "color": met}, textfont={"size": 11, "color": theme.MUTED}))
    figure.update_xaxes(title_text="Year", dtick=1)
    figure.update_yaxes(title_text=label, rangemode="tozero", separatethousands=True)
    figure.update_layout(legend=LEGEND, margin={"t": 92}, height=400)
    title, alt = _kpi_words(path, aims, label)
    caption = f"{label} by year." + (" Shaded: where the sampled futures lie." if spread is not None else "")
    return Figure(figure, f"kpi-{kpi.replace('_', '-')}", title, caption, alt, own)


def _band(own: pd.DataFrame) -> list[go.Scatter]:
    own = own.sort_values("year")
    years = own["year"].astype(int)
    found = []
    for low, high, colour, words in (("p05", "p95", theme.SEQUENCE[0], "90 % of futures"), ("p25", "p75", theme.SEQUENCE[1], "50 %")):
        area = go.Scatter(x=[*years, *years[::-1]], y=[*own[high], *own[low][::-1]], fill="toself", fillcolor=colour, name=words)
        found.append(area.update(mode="lines", line={"width": 0}, hoverinfo="skip"))
    return found if len(own) else []


def _kpi_words(path: pd.DataFrame, aims: pd.DataFrame, label: str) -> tuple[str, str]:
    if path.empty:
        return f"{label}: no result", "No result."
    name, _, unit = label.partition(" [")
    unit = f" {unit.removesuffix(']')}" if unit and unit != "1]" else ""
    last = path.iloc[-1]
    told = f"{number(last['value'])}{unit} in {last['year']} instead of {number(last['without'])}"
    missed = aims[~aims["met"].fillna(False).astype(bool)]
    end = "" if aims.empty else "; every target is met" if missed.empty else f"; missed in {', '.join(map(str, missed['year']))}"
    if abs(last["value"] - last["without"]) <= 1e-9 * max(abs(last["without"]), 1e-9):
        told = f"{number(last['value'])}{unit} in {last['year']}, as without any project"
    alt = "; ".join(f"{r.year}: {number(r.value)} against {number(r.without)}" for r in path.itertuples())
    return f"{name}: {told}{end}", alt


def in_service(options: pd.DataFrame, *, labels: Mapping[str, str] | None = None, groups: Mapping[str, str] | None = None) -> Figure:
    """Draw the applications in service in each area and year: one field an application, dark where it serves.

    Parameters
    ----------
    options
        `Roadmap.options`: `area`, `group`, `year`, `option`.
    labels
        Names of the applications.
    groups
        Names of the groups.
    """
    each = options[options["option"] != NONE].assign(application=lambda table: table["option"].str.split("+")).explode("application")
    used = each.groupby(["group", "application"], sort=False)["year"].min().sort_values().reset_index()
    areas = sorted(options["area"].unique())
    years = np.sort(options["year"].unique())
    rows = [(r.group, r.application, area) for r in used.itertuples() for area in areas][::-1]
    count = each.groupby(["group", "application", "area", "year"]).size()
    grid = np.array([[float(count.get((*row, year), 0.0)) for year in years] for row in rows]).reshape(len(rows), len(years))
    colours = [[0.0, "#f1f4f6"], [1.0, theme.ACCENT]]
    heat = go.Heatmap(z=grid, x=years, y=list(range(len(rows))), colorscale=colours, zmin=0, zmax=1, showscale=False, xgap=2, ygap=2)
    words = [[f"{theme.text(_label(a, labels))} in {theme.text(area)}, {year}" for year in years] for _, a, area in rows]
    figure = go.Figure(heat.update(customdata=words, hovertemplate="%{customdata}<extra></extra>"))
    ticks = [f"{theme.text(_label(a, labels))} · {theme.text(area)}" if area == areas[0] else theme.text(area) for _, a, area in rows]
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=ticks, showgrid=False)
    figure.update_xaxes(dtick=1, title_text="Year")
    for at in range(len(areas), len(rows), len(areas)):
        figure.add_hline(y=at - 0.5, line={"color": theme.FAINT, "width": 1})
    figure.update_layout(height=150 + 21 * max(len(rows), 3))
    title, alt = "No application comes into service", "None."
    if len(used):
        first, last = int(used["year"].min()), options["year"].max()
        number_of = each.loc[each["year"] == last, "application"].nunique()
        title = f"Applications serve from {first} on; {number_of} of them somewhere in {last}"
        alt = "; ".join(f"{_label(r.application, labels)} from {r.year}" for r in used.itertuples())
    return Figure(figure, "in-service", title, "Dark: in service in the area in that year.", alt, options)


def compared(table: pd.DataFrame, *, label: str, names: Mapping[str, str] | None = None) -> Figure:
    """Draw what the optimised roadmap is worth beside plans made by simpler rules.

    Parameters
    ----------
    table
        `Roadmap.compared`: `plan`, `value`, `capex_keur`, `remark`.
    label
        What the value is, with its unit.
    names
        Names of the plans.
    """
    shown = table[::-1]
    keeps = ~shown["remark"].fillna("").str.contains("misses:|breaks:")
    colour = [theme.ACCENT if plan == "roadmap" else theme.FAINT if ok else theme.WARN for plan, ok in zip(shown["plan"], keeps, strict=True)]
    bar = go.Bar(y=[theme.text(_label(p, names)) for p in shown["plan"]], x=shown["value"], orientation="h", marker_color=colour, width=0.6)
    words = [f"{number(r.value, 0)} · {r.projects} projects, capital {number(r.capex_keur, 0)}" for r in shown.itertuples()]
    figure = go.Figure(bar.update(text=words, textposition="auto", hovertemplate="%{y}: %{x:,.0f}<extra></extra>"))
    figure.update_layout(height=150 + 52 * max(len(shown), 2))
    figure.update_xaxes(title_text=label, zeroline=True, showgrid=True, separatethousands=True)
    figure.update_yaxes(showgrid=False)
    title, alt = _compared_words(table, label, names)
    caption = f"{label} of the optimised roadmap and of plans by simple rules; amber: misses a target or breaks a rule of the plan."
    return Figure(figure, "plans-compared", title, caption, alt, table)


def _compared_words(table: pd.DataFrame, label: str, names) -> tuple[str, str]:
    if table.empty:
        return "No plan keeps every rule", "No plan."
    unit = label.partition(" [")[2].removesuffix("]")
    best = float(table["value"].iloc[0])
    fair = table[1:][~table[1:]["remark"].fillna("").str.contains("misses:|breaks:")]
    alt = "; ".join(f"{_label(r.plan, names)}: {number(r.value, 0)}" for r in table.itertuples())
    if fair.empty:
        return "No simple rule makes a plan that keeps every target and rule; the optimised one does", alt
    rival = fair.loc[fair["value"].idxmax()]
    ahead = best - float(rival["value"])
    if ahead <= 1e-6 * max(abs(best), 1.0):
        return "Optimising brings no more than the best simple rule", alt
    return f"Optimising brings {number(ahead, 0)} {unit} more than the best simple rule ({_label(rival['plan'], names)})", alt


def frontier(table: pd.DataFrame, *, label: str, currency: str = "EUR", share: float = 1.0) -> Figure:
    """Draw what the best roadmap is worth for several budgets, with what the bound still leaves open.

    Parameters
    ----------
    table
        From :func:`gridplan.roadmap.frontier`.
    label
        What the value is, with its unit.
    currency
        Currency of the budgets.
    share
        Budget share of the roadmap shown elsewhere, marked.
    """
    own = table.sort_values("budget_keur")
    known = own[own["status"] != "infeasible"]
    line = go.Scatter(x=known["budget_keur"], y=known["value"], mode="lines+markers+text", name="best roadmap found")
    line.update(text=[f"{number(100 * s, 0)} %" for s in known["budget_share"]], textposition="top center")
    size = [15 if abs(s - share) < 1e-9 else 9 for s in known["budget_share"]]
    line.update(marker={"size": size, "color": theme.ACCENT}, line={"color": theme.ACCENT, "width": 2}, cliponaxis=False)
    bound = go.Scatter(x=known["budget_keur"], y=known["bound"], mode="lines", name="no roadmap is worth more")
    bound.update(line={"color": theme.MUTED, "width": 1.2, "dash": "dot"})
    figure = go.Figure([bound, line])
    out = own[own["status"] == "infeasible"]
    for row in out.itertuples():
        figure.add_vline(x=row.budget_keur, line={"color": theme.BAD, "dash": "dash", "width": 1.2}, annotation_text=f"{number(100 * row.budget_share, 0)} %: impossible")
    figure.update_layout(legend=LEGEND, margin={"t": 92})
    figure.update_xaxes(title_text=f"Capital budgets of all years [k{currency}]", showgrid=True, separatethousands=True)
    figure.update_yaxes(title_text=label, separatethousands=True)
    title, alt = "No budget was tried", "No budget."
    if len(own):
        title = _frontier_title(known, out, label)
        alt = "; ".join(f"{number(100 * r.budget_share, 0)} %: {number(r.value, 0)}" for r in own.itertuples())
    caption = f"{label} of the best roadmap found for each share of the budgets; dotted: proven bound; large: the roadmap of this page."
    return Figure(figure, "frontier", title, caption, alt, table)


def _frontier_title(known: pd.DataFrame, out: pd.DataFrame, label: str) -> str:
    unit = label.partition(" [")[2].removesuffix("]")
    first = f"Below {number(100 * known['budget_share'].min(), 0)} % of the budgets no roadmap keeps every rule" if len(out) and len(known) else ""
    if known.empty:
        return "With none of these budgets a roadmap keeps every rule"
    gain = float(known["value"].iloc[-1] - known["value"].iloc[0])
    low, high = (number(100 * share, 0) for share in (known["budget_share"].iloc[0], known["budget_share"].iloc[-1]))
    if abs(gain) <= 1e-6 * max(known["value"].abs().max(), 1.0):
        rest = f"from {low} to {high} % of the budgets nothing changes"
    else:
        rest = f"from {low} to {high} % of the budgets the best roadmap gains {number(gain, 0)} {unit}"
    return f"{first}; {rest}" if first else rest[0].upper() + rest[1:]


def money(flows: pd.DataFrame, *, labels: Mapping[str, str], currency: str = "EUR", years: tuple[int, int]) -> Figure:
    """Draw simulated benefits and costs of a roadmap by year and stream, declared benefits hatched and apart.

    Parameters
    ----------
    flows
        From :func:`gridplan.planning.cash_flows`: `kind`, `stream`, `year`, `value_keur`.
    labels
        Names of the streams.
    currency
        Currency of the amounts.
    years
        First and last year of the plan; the residual value after it is left out.
    """
    own = flows[flows["year"].between(*years) & ~flows["stream"].isin(["lost_revenue", "bill_savings"])]
    figure = go.Figure()
    names = own.groupby("stream")["value_keur"].apply(lambda v: v.abs().sum()).sort_values(ascending=False).index
    for name, colour in theme.colour_of(list(names)).items():
        for kind in own.loc[own["stream"] == name, "kind"].unique():
            part = own[(own["stream"] == name) & (own["kind"] == kind)].groupby("year")["value_keur"].sum()
            said = " (declared)" if kind == "declared" else ""
            bar = go.Bar(x=part.index, y=part, name=theme.text(_label(name, labels)) + said, marker_color=colour)
            bar.update(marker_pattern_shape="/" if said else "", hovertemplate="%{x}: %{y:,.0f}<extra>%{fullData.name}</extra>")
            figure.add_trace(bar)
    counted = own[own["kind"] != "declared"].groupby("year")["value_keur"].sum()
    net = go.Scatter(x=counted.index, y=counted, mode="lines+markers", name="net, without declared", line={"color": theme.INK, "width": 2})
    figure.add_trace(net.update(hovertemplate="%{x}: %{y:,.0f}<extra>net</extra>"))
    figure.update_layout(barmode="relative", legend=LEGEND, margin={"t": 128}, height=500)
    figure.update_xaxes(title_text="Year", dtick=1)
    figure.update_yaxes(title_text=f"Benefits and costs [k{currency}/yr]", separatethousands=True, zeroline=True)
    title, alt = _money_words(own, currency)
    caption = "Simulated benefits above, costs below, not discounted; hatched: declared benefits, in no sum."
    return Figure(figure, "money", title, caption, alt, own)


def _money_words(own: pd.DataFrame, currency: str) -> tuple[str, str]:
    if own.empty:
        return "Nothing is built, nothing is gained", "None."
    last = own[own["year"] == own["year"].max()]
    gain = last.loc[last["kind"] == "simulated", "value_keur"].sum()
    run = -last.loc[last["stream"] == "utility_opex", "value_keur"].sum()
    year = int(last["year"].iloc[0])
    title = f"In {year} the plan brings {number(gain, 0)} k{currency} of simulated benefits against {number(run, 0)} k{currency} of running cost"
    sums = own.groupby(["kind", "stream"])["value_keur"].sum()
    return title, "; ".join(f"{stream} ({kind}): {number(value, 0)}" for (kind, stream), value in sums.items())


OBJECTIVES = {"npv": "Net present value", "benefit": "Present value of benefits", "cost": "Present value of cost, negative"}


def label_of(objective: str, currency: str = "EUR") -> str:
    """Return what an objective of a roadmap is called on an axis, with its unit."""
    if objective in OBJECTIVES:
        return f"{OBJECTIVES[objective]} [k{currency}]"
    return "Sum of scores [points]" if objective == "score" else f"Objective: {objective} [sum over the years]"
