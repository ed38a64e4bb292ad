"""Cards, tables and sentences about a roadmap; they read right when nothing is chosen, a target is missed, or nothing fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gridplan.figures import theme
from gridplan.figures.outputs import Card, Cards, Figure, Table, Text, number, prose
from gridplan.figures.roadmap import short
from gridplan.figures.sentences import listed

STATUS = {"optimal": "proved best", "time limit": "best found in the time allowed", "infeasible": "no roadmap keeps every rule"}


NONE = "none"
LEGEND = {"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom"}


def _label(name: str, labels: Mapping[str, str] | None) -> str:
    return str((labels or {}).get(name, name))


def short_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return names that fit beside the axis of a figure."""
    return {key: short(name) for key, name in labels.items()}


def cards(found: Any, worth: Mapping[str, float], *, currency: str = "EUR") -> Cards:
    """Return the answer of a roadmap as key figures.

    Parameters
    ----------
    found
        From :func:`gridplan.roadmap.solve`.
    worth
        From :func:`gridplan.planning.break_even`.
    currency
        Currency of the amounts.
    """
    if found.status == "infeasible":
        says = found.relaxations["reading"].iloc[0] if len(found.relaxations) else "no relaxation was found"
        return Cards([Card("Roadmap", "impossible", note=str(says), status="bad")])
    must = int(found.schedule["mandatory"].sum())
    pays = "good" if worth["npv_keur"] >= 0 else "warn"
    made = [
        Card("Projects chosen", len(found.schedule), note=f"{must} of them mandatory, {len(found.not_chosen)} left out"),
        Card("Capital cost", found.money["capex_keur"].sum(), f"k{currency}", "with replacements, not discounted", digits=0),
        Card("Net present value", worth["npv_keur"], f"k{currency}", "simulated benefits less all costs", pays, 0),
        Card("Declared benefits", worth["declared_keur"], f"k{currency}", "present value, in no other figure", digits=0),
        _gap(found),
    ]
    return Cards([*made, *_kpi_card(found.kpis, "saidi_min", "SAIDI", "min/yr"), *_target_card(found.kpis)])


def _gap(found: Any) -> Card:
    note = f"{STATUS[found.status]}, after {number(found.seconds, 0)} s"
    if not np.isfinite(found.gap_percent):
        return Card("Gap", "not known", note=f"no bound was found; {note}", status="warn")
    return Card("Gap", found.gap_percent, "%", note, "good" if found.status == "optimal" else "warn", 2)


def _kpi_card(kpis: pd.DataFrame, name: str, label: str, unit: str) -> list[Card]:
    own = kpis[kpis["kpi"] == name].sort_values("year")
    if own.empty:
        return []
    last = own.iloc[-1]
    return [
        Card(
            f"{label} in {last['year']}",
            float(last["value"]),
            unit,
            f"without any project {number(last['without'], 2)}",
            digits=2,
        )
    ]


def _target_card(kpis: pd.DataFrame) -> list[Card]:
    aims = kpis.dropna(subset=["target"])
    if aims.empty:
        return []
    met = int(aims["met"].fillna(False).astype(bool).sum())
    return [Card("Targets met", f"{met} of {len(aims)}", status="good" if met == len(aims) else "bad")]


def verdict(found: Any, spend_classes: pd.DataFrame, worth: Mapping[str, float], *, currency: str = "EUR") -> Text:
    """Say whether the roadmap pays by simulated benefits, what of it is mandatory, and what would make it pay.

    Parameters
    ----------
    found
        From :func:`gridplan.roadmap.solve`.
    spend_classes
        From :func:`gridplan.planning.by_class`.
    worth
        From :func:`gridplan.planning.break_even`.
    currency
        Currency of the amounts.
    """
    if found.status == "infeasible":
        said = "; ".join(found.relaxations["reading"].astype(str)) or "none was found in the time allowed"
        return prose("No roadmap keeps every rule. The smallest change after which one exists: {said}.", said=said)
    if found.schedule.empty:
        return prose("No project is chosen: by this objective and these limits, leaving everything as it is comes out best.")
    return Text(" ".join([_pays(worth, currency), _classes(spend_classes, currency), _declared(worth, currency)]).strip())


def _pays(worth: Mapping[str, float], currency: str) -> str:
    npv = worth["npv_keur"]
    if npv >= 0:
        return prose(
            "By simulated benefits alone the roadmap is worth {npv:,.0f} k{c} more than it costs.", npv=npv, c=currency
        ).markdown
    text = prose(
        "By simulated benefits alone the roadmap costs {npv:,.0f} k{c} more than it brings.", npv=-npv, c=currency
    ).markdown
    if not np.isfinite(worth["break_even_eur"]):
        return text + " It saves no customer minutes, so no value of a minute would make it pay."
    more = "A customer minute counts {now:.2f} {c} in it; it would pay if one were worth {then:.2f} {c}, all else as it is."
    return text + " " + prose(more, now=worth["value_eur"], then=worth["break_even_eur"], c=currency).markdown


CLASSES = {
    "comply": "law and safe operation (least cost)",
    "platform": "the platform that several applications share (least cost, as one bundle)",
    "benefit": "benefits (benefits over costs)",
    "participant": "those who take part (they pay)",
    "": "no class given",
}


def _classes(table: pd.DataFrame, currency: str) -> str:
    if table.empty:
        return ""
    sums = table.groupby("class_of_spend")["pv_cost_keur"].sum().sort_values(ascending=False)
    parts = [f"{number(value, 0)} k{currency} for {CLASSES.get(name, name)}" for name, value in sums.items()]
    must = table.loc[table["mandatory"], "pv_cost_keur"].sum()
    end = f" {number(must, 0)} k{currency} of it is mandatory." if must > 0 else " None of it is mandatory."
    return f"Present value of the costs by class of spend: {', '.join(parts)}.{end}"


def _declared(worth: Mapping[str, float], currency: str) -> str:
    said = worth["declared_keur"]
    if not said:
        return "No declared benefit comes with it."
    turns = worth["npv_keur"] < 0 <= worth["npv_keur"] + said
    end = ", which would turn the balance" if turns else ", which would not turn the balance" if worth["npv_keur"] < 0 else ""
    return f"Benefits that are declared and not simulated would add {number(said, 0)} k{currency}{end}."


def chosen(schedule: pd.DataFrame, *, rows: int = 40) -> Table:
    """Return the projects of a roadmap by start, as a table."""
    columns = ["project", "label", "workstream", "start_year", "service_year", "capex_keur", "mandatory"]
    shown = schedule[columns].assign(mandatory=schedule["mandatory"].map({True: "yes", False: "no"}))
    title = f"{len(shown)} projects, by start" if len(shown) else "No project is chosen"
    return Table(shown, "roadmap", title, "In service from the start of the year named.", {"capex_keur": 0}, rows)


def routes_table(routes: pd.DataFrame, closeness: pd.DataFrame, *, labels: Mapping[str, str], rows: int = 20) -> Table:
    """Return the ranks of the projects by score, TOPSIS and money side by side.

    Parameters
    ----------
    routes
        `Routes.table` of :func:`gridplan.scoring.routes`.
    closeness
        From :func:`gridplan.scoring.topsis`.
    labels
        Names of the projects.
    rows
        Rows to show.
    """
    other = closeness.rename(columns={"rank": "topsis_rank"})[["project", "closeness", "topsis_rank"]]
    columns = [
        "project",
        "score_points",
        "score_rank",
        "closeness",
        "topsis_rank",
        "benefit_keur",
        "cost_keur",
        "bcr",
        "bcr_rank",
    ]
    shown = routes.merge(other, on="project")[columns]
    shown = shown.assign(project=[labels.get(name, name) for name in shown["project"]])
    pays = int((shown["bcr"] >= 1).sum())
    title = f"{pays} of {len(shown)} projects bring more in money than they cost, each by its share of what it enables"
    caption = "Ranks by weighted score, by closeness to the best (TOPSIS) and by benefit over cost; from the same values."
    shown = shown.rename(columns={"benefit_keur": "pv_benefits_keur", "cost_keur": "pv_cost_keur"})
    digits = {"score_points": 1, "closeness": 2, "pv_benefits_keur": 0, "pv_cost_keur": 0, "bcr": 2}
    return Table(shown, "routes", title, caption, digits, rows)


def binding(
    table: pd.DataFrame,
    *,
    labels: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    currency: str = "EUR",
    quantity: str = "objective",
    rows: int = 12,
) -> Table:
    """Return what binds, and what one more unit would bring, as a table.

    Parameters
    ----------
    table
        `binding` of a :class:`gridplan.roadmap.Roadmap`.
    labels, units
        Names and units of KPIs and funds.
    currency
        Currency of the budgets.
    quantity
        What the roadmap makes the most of, with its unit.
    rows
        Rows to show.
    """
    own = {"capex": f"k{currency}", "opex": f"k{currency}", "staff": "full-time equivalents"}
    shown = table.sort_values("per_unit", ascending=False, kind="stable")
    unit = [own.get(row.kind, (units or {}).get(row.fund, "")) for row in shown.itertuples()]
    shown = shown.assign(unit=unit, fund=[_label(name, labels) for name in shown["fund"]])
    columns = ["kind", "fund", "year", "used", "allowed", "unit", "per_unit"]
    title = f"{len(shown)} limits and targets bind" if len(shown) else "No limit and no target binds"
    aim = quantity[:1].lower() + quantity[1:]
    caption = f"What one more unit would bring to the {aim} is that of the relaxed problem: an estimate."
    return Table(shown[columns], "binding", title, caption, {"used": 1, "allowed": 1, "per_unit": 2}, rows)


def replay_table(table: pd.DataFrame, *, rows: int = 40) -> Table:
    """Return what a roadmap counts beside what its simulation shows, as a table.

    Parameters
    ----------
    table
        From :func:`gridplan.planning.replayed`, or :func:`gridplan.planning.replayed_benefits`.
    rows
        Rows to show; those that differ most come first.
    """
    money = "stream" in table
    name = "replay-benefits" if money else "replay"
    words = replay_words(table).markdown
    if table.empty:
        return Table(table, name, "The roadmap was not replayed", words)
    order = table["error_percent"].abs().fillna(-1.0).sort_values(ascending=False, kind="stable").index
    far = int((table["error_percent"].abs() > 1.0).sum())
    what = "benefits" if money else "KPIs"
    title = f"{len(table) - far} of {len(table)} {what} agree with the simulation of the roadmap within 1 %"
    caption = f"Counted by the roadmap, and simulated with all groups and areas as they stand in that year. {words}"
    digits = {"predicted_keur": 1, "replayed_keur": 1, "error_percent": 2}
    return Table(table.loc[order].reset_index(drop=True), name, title, caption, digits, rows)


def replay(table: pd.DataFrame, *, labels: Mapping[str, str], currency: str = "EUR") -> Figure:
    """Draw the benefits that a roadmap counts beside those that its simulation shows, by stream, in the last year replayed.

    Parameters
    ----------
    table
        From :func:`gridplan.planning.replayed_benefits`.
    labels
        Names of the streams.
    currency
        Currency of the amounts.
    """
    year = table["year"].max()
    own = table[(table["year"] == year) & (table["scenario"] == table["scenario"].iloc[0])] if len(table) else table
    own = own[own[["predicted_keur", "replayed_keur"]].abs().max(axis=1) > 0.05][::-1]
    names = [theme.text(_label(stream, labels)) for stream in own["stream"]]
    bars = [("simulated with all that is in service", "replayed_keur", theme.ACCENT)]
    bars += [("counted by the roadmap", "predicted_keur", theme.MUTED)]
    figure = go.Figure([go.Bar(y=names, x=own[c], name=name, marker_color=colour, orientation="h") for name, c, colour in bars])
    figure.update_traces(hovertemplate="%{y}: %{x:,.1f}<extra>%{data.name}</extra>")
    figure.update_layout(barmode="group", bargap=0.35, height=190 + 56 * max(len(own), 1))
    figure.update_layout(legend={**LEGEND, "traceorder": "reversed"})
    figure.update_xaxes(title_text=f"Benefit of the year [k{currency}/yr]", tickformat=",~r", showgrid=True, zeroline=True)
    alt = "; ".join(
        f"{_label(r.stream, labels)}: {r.predicted_keur:.1f} counted, {r.replayed_keur:.1f} simulated" for r in own.itertuples()
    )
    caption = f"Deferred reinforcement, and what only changes hands, left out. {replay_words(table).markdown}"
    return Figure(figure, "replay-benefits-by-stream", _replay_title(own, currency), caption, alt or "No benefit.", own)


def _replay_title(own: pd.DataFrame, currency: str) -> str:
    if own.empty:
        return "Nothing that a replay could show is in service"
    counted, seen, year = own["predicted_keur"].sum(), own["replayed_keur"].sum(), int(own["year"].iloc[0])
    return f"The roadmap counts {number(counted, 0)} k{currency} of benefits in {year}; its simulation shows {number(seen, 0)}"


def replay_words(table: pd.DataFrame) -> Text:
    """Say how far the counted and the simulated KPIs are apart, and why."""
    if table.empty:
        return prose("The roadmap was not replayed.")
    changed = table[table["error_percent"].notna()]
    if changed.empty:
        return prose("Nothing changes in the years replayed, so there is nothing to compare.")
    far = changed[changed["error_percent"].abs() > 1.0]
    if far.empty:
        return prose(
            "In every scenario and year replayed, what the roadmap counts and what its simulation shows agree within 1 %."
        )
    worst = far.loc[far["error_percent"].abs().idxmax()]
    text = "{n} of {m} results differ by more than 1 % of the change; the most is {e:.1f} % ({kpi}, {scenario} {year}): {reason}."
    name = worst["kpi"] if "kpi" in far else worst["stream"]
    values = {"n": len(far), "m": len(changed), "e": worst["error_percent"], "kpi": name, "scenario": worst["scenario"]}
    return prose(text, **values, year=str(worst["year"]), reason=worst["reason"])


def lesson(found: Any, worth: Mapping[str, float], *, sure: pd.DataFrame, chances: pd.DataFrame, currency: str = "EUR") -> Text:
    """Say what a roadmap tells the planner.

    Parameters
    ----------
    found
        From :func:`gridplan.roadmap.solve`.
    worth
        From :func:`gridplan.planning.break_even`.
    sure
        From :func:`gridplan.robustness.decisions`.
    chances
        From :func:`gridplan.robustness.probabilities`.
    currency
        Currency of the amounts.
    """
    if found.status == "infeasible":
        said = "; ".join(found.relaxations["reading"].astype(str)) or "unknown"
        return prose("- No roadmap keeps every rule; decide first which one gives way: {said}.", said=said)
    lines = [_now(found), _worth_line(worth, currency), _chance_line(chances), _sure_line(sure), _left_line(found)]
    return Text("\n".join(f"- {line}" for line in lines if line))


def _now(found: Any) -> str:
    if found.schedule.empty:
        return "Nothing is to be started."
    first = int(found.schedule["start_year"].min())
    names = list(found.schedule.loc[found.schedule["start_year"] == first, "label"])
    return prose(f"Start in {first}: {{names}}.", names=listed(names, 4)).markdown


def _worth_line(worth: Mapping[str, float], currency: str) -> str:
    return _pays(worth, currency)


def _chance_line(chances: pd.DataFrame) -> str:
    money = chances[chances["kpi"] == "npv_keur"]
    both = chances[chances["kpi"] == "all"]
    if money.empty:
        return ""
    text = f"The plan pays in {number(money['probability_percent'].iloc[0], 0)} % of the sampled futures"
    single = chances[~chances["kpi"].isin(["npv_keur", "all"])]
    if len(single):
        text += f"; the least certain target is met in {number(single['probability_percent'].min(), 0)} %"
    return text + (
        f", all together with paying in {number(both['probability_percent'].iloc[0], 0)} %." if len(single) and len(both) else "."
    )


def _sure_line(sure: pd.DataFrame) -> str:
    now = list(sure.loc[sure["decision"] == "start in every future", "project"])
    wait = int(sure["decision"].str.endswith("later").sum()) if len(sure) else 0
    if not now:
        return f"No decision is due now in every scenario; {wait} can wait." if len(sure) else ""
    return prose("Due now in every scenario: {names}; {n} decisions can wait.", names=listed(now, 5), n=wait).markdown


def _left_line(found: Any) -> str:
    table = found.not_chosen
    if table.empty:
        return ""
    unpaid = int(table["reason"].str.startswith("brings less").sum())
    return f"{len(table)} projects are left out, {unpaid} of them because they bring less than they cost with all that they need."


def in_service(options: pd.DataFrame, *, labels: Mapping[str, str] | None = None) -> Figure:
    """Draw the applications in service in each area and year: one field an application, dark where it serves.

    Parameters
    ----------
    options
        `Roadmap.options`: `area`, `group`, `year`, `option`.
    labels
        Names of the applications.
    """
    each = (
        options[options["option"] != NONE].assign(application=lambda table: table["option"].str.split("+")).explode("application")
    )
    used = each.groupby(["group", "application"], sort=False)["year"].min().sort_values().reset_index()
    areas = sorted(options["area"].unique())
    years = np.sort(options["year"].unique())
    rows = [(r.group, r.application, area) for r in used.itertuples() for area in areas][::-1]
    count = each.groupby(["group", "application", "area", "year"]).size()
    grid = np.array([[float(count.get((*row, year), 0.0)) for year in years] for row in rows]).reshape(len(rows), len(years))
    colours = [[0.0, "#f1f4f6"], [1.0, theme.ACCENT]]
    heat = go.Heatmap(
        z=grid, x=years, y=list(range(len(rows))), colorscale=colours, zmin=0, zmax=1, showscale=False, xgap=2, ygap=2
    )
    words = [[f"{theme.text(_label(a, labels))} in {theme.text(area)}, {year}" for year in years] for _, a, area in rows]
    figure = go.Figure(heat.update(customdata=words, hovertemplate="%{customdata}<extra></extra>"))
    ticks = [
        f"{theme.text(_label(a, labels))} · {theme.text(area)}" if area == areas[0] else theme.text(area) for _, a, area in rows
    ]
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
    net = go.Scatter(
        x=counted.index, y=counted, mode="lines+markers", name="net, without declared", line={"color": theme.INK, "width": 2}
    )
    figure.add_trace(net.update(hovertemplate="%{x}: %{y:,.0f}<extra>net</extra>"))
    figure.update_layout(barmode="relative", legend=LEGEND, margin={"t": 100}, height=480)
    figure.update_xaxes(title_text="Year", dtick=1)
    figure.update_yaxes(title_text=f"Benefits and costs [k{currency}/yr]", separatethousands=True, zeroline=True)
    title, alt = _money_words(own, labels, currency)
    caption = "Simulated benefits above, costs below, not discounted; hatched: declared benefits, in no sum."
    return Figure(figure, "money", title, caption, alt, own)


def _money_words(own: pd.DataFrame, labels: Mapping[str, str] | None, currency: str) -> tuple[str, str]:
    if own.empty:
        return "Nothing is built, nothing is gained", "None."
    last = own[own["year"] == own["year"].max()]
    gain = last.loc[last["kind"] == "simulated", "value_keur"].sum()
    run = -last.loc[last["stream"] == "utility_opex", "value_keur"].sum()
    year = int(last["year"].iloc[0])
    gained, spent = f"{number(gain, 0)} k{currency} of simulated benefits", f"{number(run, 0)} k{currency} of running cost"
    title = f"In {year} the plan brings {gained} against {spent}"
    sums = own.groupby(["kind", "stream"])["value_keur"].sum()
    said = [f"{_label(stream, labels)} ({kind}): {number(value, 0)} k{currency}" for (kind, stream), value in sums.items()]
    return title, "; ".join(said)


OBJECTIVES = {"npv": "Net present value", "benefit": "Present value of benefits", "cost": "Present value of cost, negative"}


def label_of(objective: str, currency: str = "EUR") -> str:
    """Return what an objective of a roadmap is called on an axis, with its unit."""
    if objective in OBJECTIVES:
        return f"{OBJECTIVES[objective]} [k{currency}]"
    return "Sum of scores [points]" if objective == "score" else f"Objective: {objective} [sum over the years]"
