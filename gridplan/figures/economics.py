"""Figures of what a plan costs and brings, and what customers pay for it; from the tables of `planning`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gridplan.figures import theme
from gridplan.figures.outputs import Figure, Table, number

TESTS = {
    "UCT": ("Utility (UCT)", "the utility"),
    "TRC": ("Utility and participants (TRC)", "utility and participants"),
    "SCT": ("Society (SCT)", "society"),
    "RIM": ("Ratepayers (RIM)", "those who pay rates"),
    "PCT": ("Participants (PCT)", "participants"),
}
CLASSES = {
    "comply": "law and safe operation",
    "platform": "shared platform",
    "benefit": "benefits",
    "participant": "paid by participants",
    "": "no class given",
}
PARTS = {
    "depreciation_keur": "depreciation",
    "interest_keur": "interest",
    "equity_return_keur": "return on equity",
    "tax_keur": "tax",
    "opex_keur": "running cost",
}
"""What is collected from customers, in the order of stacking."""

LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"}


def amount(keur: float, currency: str = "EUR") -> str:
    r"""Write thousands of a currency as a reader says them.

    Examples
    --------
    >>> amount(16502.0), amount(-512.3), amount(float("nan"))
    ('16.5 million EUR', '-512\u2009000 EUR', '–')
    """
    if pd.isna(keur):
        return "–"
    if abs(keur) >= 999.5:
        return f"{number(keur / 1000, 1)} million {currency}"
    return f"{number(1000 * round(float(keur)), 0)} {currency}"


def cumulative(table: pd.DataFrame, *, currency: str = "EUR") -> Figure:
    """Draw present values of costs and simulated benefits as they add up, and the gap between them.

    Parameters
    ----------
    table
        From :func:`gridplan.planning.cumulative`.
    currency
        Currency of the amounts.
    """
    figure = go.Figure()
    looks = (("pv_costs_keur", "costs", theme.WARN), ("pv_benefits_keur", "simulated benefits", theme.ACCENT))
    for column, name, colour in looks:
        line = go.Scatter(
            x=table["year"], y=table[column] / 1000, mode="lines+markers", name=name, line={"color": colour, "width": 2.6}
        )
        line.update(marker={"size": 5}, hovertemplate=f"{name} to %{{x}}: %{{y:,.2f}} million<extra></extra>")
        figure.add_trace(line)
        if len(table):
            last = table.iloc[-1]
            words = f"{name} {number(last[column] / 1000, 1)}"
            falls = len(table) > 1 and last[column] < table[column].iloc[-2]
            place = {"x": last["year"], "y": last[column] / 1000, "xanchor": "right", "yshift": -14 if falls else 14}
            figure.add_annotation(**place, text=words, showarrow=False)
    figure.update_annotations(font={"size": 12, "color": theme.INK})
    figure.update_xaxes(title_text="Year", dtick=1, tickformat="d", tickangle=0)
    figure.update_yaxes(title_text=f"Present value [million {currency}]", rangemode="tozero", separatethousands=True)
    figure.update_layout(legend=LEGEND, margin={"t": 84}, height=360, showlegend=False)
    title, alt = _cumulative_words(table, currency)
    caption = "Discounted and added up from the first year; what is left of the projects is taken off the costs of the last year."
    return Figure(figure, "cumulative", title, caption, alt, table)


def _cumulative_words(table: pd.DataFrame, currency: str) -> tuple[str, str]:
    last = table.iloc[-1] if len(table) else None
    if last is None or not (last["pv_costs_keur"] or last["pv_benefits_keur"]):
        return "Nothing is spent, and nothing is gained", "No cost and no benefit."
    cost, gain, year = last["pv_costs_keur"], last["pv_benefits_keur"], int(last["year"])
    title = f"By {year} the plan costs {amount(cost, currency)} and brings {amount(gain, currency)} of simulated benefits"
    above = table[(table["npv_keur"] >= 0) & (table["pv_costs_keur"] > 0)]
    turn = f"Benefits first exceed costs in {int(above['year'].iloc[0])}." if len(above) else "Benefits exceed costs in no year."
    alt = "; ".join(
        f"{r.year}: costs {number(r.pv_costs_keur, 0)}, benefits {number(r.pv_benefits_keur, 0)}" for r in table.itertuples()
    )
    return title, f"{turn} Present values in k{currency}: {alt}"


def tests(table: pd.DataFrame, *, currency: str = "EUR") -> Figure:
    """Draw benefits over costs by each test, with the line at which benefits equal costs.

    Parameters
    ----------
    table
        From :func:`gridplan.planning.cost_tests`.
    currency
        Currency of the amounts.
    """
    shown = table[table["bcr"].notna()][::-1]
    names = [TESTS.get(name, (name, name))[0] for name in shown["test"]]
    bar = go.Bar(y=names, x=shown["bcr"], orientation="h", name="simulated benefits", width=0.56)
    bar.update(marker_color=[theme.GOOD if value >= 1 else theme.WARN for value in shown["bcr"]])
    bar.update(hovertemplate="%{y}: %{x:.2f}<extra></extra>", showlegend=False)
    figure = go.Figure(bar)
    more = shown["bcr_with_declared"] - shown["bcr"]
    apart = go.Bar(
        y=names, x=more.where(more > 1e-9), base=shown["bcr"], orientation="h", name="with declared benefits", width=0.56
    )
    apart.update(
        marker={
            "color": theme.PAPER,
            "line": {"color": theme.MUTED, "width": 1},
            "pattern": {"shape": "/", "fgcolor": theme.MUTED},
        }
    )
    if len(shown) and (more > 1e-9).any():
        figure.add_trace(apart.update(hovertemplate="%{y}: %{x:.2f} declared<extra></extra>"))
    words = [_test_words(row, currency) for row in shown.itertuples()]
    high = max([1.0, *shown["bcr"], *shown["bcr_with_declared"]])
    ends = go.Scatter(
        x=shown[["bcr", "bcr_with_declared"]].max(axis=1), y=names, mode="text", text=words, textposition="middle right"
    )
    figure.add_trace(
        ends.update(showlegend=False, hoverinfo="skip", cliponaxis=False, textfont={"color": theme.MUTED, "size": 12})
    )
    figure.add_vline(x=1, line={"color": theme.BAD, "width": 1.4, "dash": "dash"}, annotation_text="benefits equal costs")
    figure.update_annotations(font={"size": 11, "color": theme.BAD}, yshift=6)
    figure.update_layout(barmode="overlay", height=170 + 46 * max(len(shown), 1), legend={**LEGEND, "y": -0.3, "yanchor": "top"})
    figure.update_xaxes(title_text="Benefits over costs [1]", range=[0, 1.6 * high], showgrid=True)
    figure.update_yaxes(showgrid=False)
    return Figure(figure, "cost-tests", *_tests_words(table, currency), table)


def _test_words(row, currency: str) -> str:
    return f"  {number(row.bcr, 2)}: {number(row.pv_benefits_keur, 0)} over {number(row.pv_costs_keur, 0)} k{currency}"


def _tests_words(table: pd.DataFrame, currency: str) -> tuple[str, str, str]:
    caption = (
        "Present value of simulated benefits over costs, as each test counts them; hatched: with benefits that are declared and "
        "not simulated. A test without costs of its own has no ratio and is left out."
    )
    known = table[table["bcr"].notna()]
    if known.empty:
        return "No test applies: nothing is built", caption, "No test."
    alt = "; ".join(f"{r.test}: {number(r.bcr, 2)}, net {number(r.npv_keur, 0)} k{currency}" for r in table.itertuples())
    passed = [TESTS.get(name, (name, name))[1] for name in known.loc[known["bcr"] >= 1, "test"]]
    if passed:
        title = f"Benefits exceed costs for {len(passed)} of {len(known)} tests: {', '.join(passed)}"
    else:
        best = known.loc[known["bcr"].idxmax()]
        who = TESTS.get(best["test"], (best["test"], best["test"]))[1]
        title = f"By no test do simulated benefits cover the costs; nearest is the view of {who}, with {number(best['bcr'], 2)}"
    return title, caption, alt


def tests_table(table: pd.DataFrame) -> Table:
    """Return the cost tests as a table.

    Parameters
    ----------
    table
        From :func:`gridplan.planning.cost_tests`.
    """
    names = {key: name for key, (name, _) in TESTS.items()}
    columns = ["test", "pv_benefits_keur", "pv_costs_keur", "npv_keur", "bcr", "pv_declared_keur", "bcr_with_declared"]
    shown = table.reindex(columns=columns).assign(test=table["test"].map(lambda name: names.get(name, name)))
    digits = dict.fromkeys(columns[1:4], 0) | {"bcr": 2, "pv_declared_keur": 0, "bcr_with_declared": 2}
    caption = "Present values. Transfers between the utility and its customers cancel where a test sees both sides."
    return Table(shown, "cost-tests-table", "The same money as each side sees it", caption, digits)


def spend(table: pd.DataFrame, *, currency: str = "EUR", labels: Mapping[str, str] | None = None) -> Figure:
    """Draw capital and running cost by year, stacked by class, fund or workstream.

    Parameters
    ----------
    table
        From :func:`gridplan.planning.spend_by`: `kind`, a column to stack by, `year`, `spend_keur`.
    currency
        Currency of the amounts.
    labels
        Names of what is stacked.
    """
    by = next(name for name in table if name not in ("kind", "year", "spend_keur"))
    order = table.groupby(by)["spend_keur"].sum().sort_values(ascending=False).index
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, subplot_titles=["Capital cost", "Running cost"], horizontal_spacing=0.06
    )
    for name, colour in theme.colour_of(list(order)).items():
        said = theme.text((labels or {}).get(name, name))
        for at, kind in enumerate(("capital", "running"), 1):
            own = table[(table[by] == name) & (table["kind"] == kind)]
            bar = go.Bar(x=own["year"], y=own["spend_keur"], name=said, marker_color=colour, legendgroup=name, showlegend=at == 1)
            figure.add_trace(bar.update(hovertemplate="%{x}: %{y:,.0f}<extra>%{fullData.name}</extra>"), row=1, col=at)
    figure.update_annotations(font={"size": 13, "color": theme.INK})
    figure.update_layout(barmode="stack", bargap=0.25, height=400, legend={**LEGEND, "y": -0.2, "yanchor": "top"})
    figure.update_xaxes(dtick=2, tickformat="d", tickangle=0)
    figure.update_yaxes(title_text=f"Cost [k{currency}/yr]", col=1, separatethousands=True, rangemode="tozero")
    title, alt = _spend_words(table, by, labels, currency)
    caption = "By year, replacements at the end of a life included, not discounted, in money of the study's price level."
    return Figure(figure, f"spend-by-{by.replace('_', '-')}", title, caption, alt, table)


def _spend_words(table: pd.DataFrame, by: str, labels: Mapping[str, str] | None, currency: str) -> tuple[str, str]:
    capital = table[table["kind"] == "capital"]
    if table.empty or not table["spend_keur"].sum():
        return "Nothing is spent", "Nothing."
    total = capital["spend_keur"].sum()
    parts = capital.groupby(by)["spend_keur"].sum().sort_values(ascending=False)
    name = (labels or {}).get(parts.index[0], parts.index[0])
    title = (
        f"{amount(total, currency)} of capital; {number(100 * parts.iloc[0] / total, 0)} % of it for {name}"
        if total
        else "No capital is spent"
    )
    alt = "; ".join(f"{(labels or {}).get(key, key)}: {number(value, 0)} k{currency} of capital" for key, value in parts.items())
    return title, alt


def bills(table: pd.DataFrame, *, currency: str = "EUR") -> Figure:
    """Draw what is collected from customers for a plan, what it saves them, and what that is for a mean customer.

    Parameters
    ----------
    table
        From :func:`gridplan.planning.bills`.
    currency
        Currency of the amounts.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.62, 0.38], vertical_spacing=0.1)
    for (column, name), colour in zip(PARTS.items(), theme.CATEGORIES, strict=False):
        bar = go.Bar(x=table["year"], y=table.get(column), name=name, marker_color=colour)
        figure.add_trace(bar.update(hovertemplate="%{x}: %{y:,.0f}<extra>%{fullData.name}</extra>"), row=1, col=1)
    kept = go.Bar(x=table["year"], y=-table["savings_keur"], name="saved, or revenue made up for", marker_color=theme.FAINT)
    figure.add_trace(kept.update(hovertemplate="%{x}: %{y:,.0f}<extra>%{fullData.name}</extra>"), row=1, col=1)
    net = go.Scatter(
        x=table["year"], y=table["net_keur"], name="net", mode="lines+markers", line={"color": theme.INK, "width": 2}
    )
    figure.add_trace(net.update(hovertemplate="%{x}: %{y:,.0f}<extra>net</extra>"), row=1, col=1)
    each = go.Scatter(x=table["year"], y=table["per_customer"], mode="lines+markers", line={"color": theme.ACCENT, "width": 2.4})
    each.update(showlegend=False, hovertemplate="%{x}: %{y:,.2f} a customer<extra></extra>")
    figure.add_trace(each, row=2, col=1)
    figure.update_layout(barmode="relative", bargap=0.25, height=560, legend={**LEGEND, "y": -0.1, "yanchor": "top"})
    figure.update_xaxes(dtick=1, tickformat="d", tickangle=0)
    figure.update_yaxes(
        title_text=f"k{currency}/yr", row=1, col=1, separatethousands=True, zeroline=True, zerolinecolor=theme.FAINT
    )
    figure.update_yaxes(title_text=f"{currency} a customer<br>and year", row=2, col=1, rangemode="tozero")
    title, alt = _bill_words(table, currency)
    caption = (
        "In money of each year: return on and of what is in service, tax and running cost, less costs that the plan saves and "
        "more to make up for sales that fall away. Below, the net for a mean customer."
    )
    return Figure(figure, "bill-impact", title, caption, alt, table)


def _bill_words(table: pd.DataFrame, currency: str) -> tuple[str, str]:
    if table.empty:
        return "Customers pay nothing more: nothing is built", "No change."
    top = table.loc[table["per_customer"].idxmax()]
    share = f", {number(top['change_percent'], 1)} % of the bill" if pd.notna(top.get("change_percent")) else ""
    title = (
        f"A mean customer pays at most {number(top['per_customer'], 0)} {currency} more in a year{share}, in {int(top['year'])}"
    )
    if top["per_customer"] <= 0:
        last = table.iloc[-1]
        title = f"A mean customer pays in no year more; in {int(last['year'])} {number(-last['per_customer'], 0)} {currency} less"
    alt = "; ".join(f"{r.year}: {number(r.per_customer, 2)} {currency}" for r in table.itertuples())
    return title, f"Change for a mean customer by year: {alt}"


def bills_table(table: pd.DataFrame, *, currency: str = "EUR") -> Table:
    """Return what customers pay for a plan by year as a table.

    Parameters
    ----------
    table
        From :func:`gridplan.planning.bills`.
    currency
        Currency of the amounts.
    """
    columns = [
        "year",
        "revenue_requirement_keur",
        "savings_keur",
        "net_keur",
        "per_customer",
        "per_customer_month",
        "change_percent",
    ]
    shown = table[[name for name in columns if name in table]]
    digits = dict.fromkeys(columns[1:4], 0) | {"per_customer": 2, "per_customer_month": 2, "change_percent": 2}
    title = "What the plan adds to what a mean customer pays, by year"
    return Table(
        shown, "bill-table", title, "In money of each year; the change is that of the whole bill.", digits, currency=currency
    )


def considered(table: pd.DataFrame, *, labels: Mapping[str, str], currency: str = "EUR") -> Table:
    """Return the alternatives to a roadmap as a table.

    Parameters
    ----------
    table
        From :func:`gridplan.planning.considered`.
    labels
        Names of applications and plans.
    currency
        Currency of the amounts.
    """

    def named(row) -> str:
        if row.kind == "conventional":
            return "Conventional measures alone, when they are needed"
        return " + ".join(labels.get(name, name) for name in str(row.alternative).split("+"))

    kinds = {"conventional": "conventional plan", "non-wires": "non-wires", "rule": "simple rule", "roadmap": "this plan"}
    shown = table.assign(alternative=[named(row) for row in table.itertuples()], kind=table["kind"].replace(kinds))
    columns = ["kind", "alternative", "projects", "capex_keur", "reinforcement_keur", "npv_keur", "remark"]
    caption = (
        "Capital cost of the projects that each needs, and of the network measures that remain to be built to the last year; the "
        "net present value is that of a whole plan, before network measures other than those deferred."
    )
    digits = {"capex_keur": 0, "reinforcement_keur": 0, "npv_keur": 0}
    return Table(shown[columns], "alternatives", _considered_title(table, currency), caption, digits, 40)


def _considered_title(table: pd.DataFrame, currency: str) -> str:
    cost = table.set_index("kind")["reinforcement_keur"]
    wires = table.loc[table["kind"] == "conventional", "reinforcement_keur"]
    if wires.empty or pd.isna(wires.iloc[0]):
        return f"{len(table)} alternatives were considered"
    other = cost[cost.index == "non-wires"].dropna()
    if other.empty or not wires.iloc[0] > 0:
        return (
            "The scenario asks for no network measure that an alternative could spare"
            if not wires.iloc[0] > 0
            else "No non-wires alternative was simulated"
        )
    spared, whole = amount(wires.iloc[0] - other.min(), currency), amount(wires.iloc[0], currency)
    return f"Non-wires options spare at most {spared} of the {whole} that conventional measures cost"


def history(table: pd.DataFrame, kpis: pd.DataFrame, *, today: float = np.nan) -> Figure:
    """Draw the SAIDI that customers lived through, the model's value today, and the path with and without a plan.

    Parameters
    ----------
    table
        Table `reliability_history`: `year`, `saidi_min`.
    kpis
        `Roadmap.kpis`; those of ``saidi_min`` are drawn, if there are any.
    today
        SAIDI of the model today [min/yr].
    """
    past = table.dropna(subset=["saidi_min"]).sort_values("year")
    figure = go.Figure()
    bar = go.Bar(x=past["year"], y=past["saidi_min"], name="lived through", marker_color=theme.FAINT)
    figure.add_trace(bar.update(hovertemplate="%{x}: %{y:.1f} min<extra></extra>"))
    own = kpis[kpis["kpi"] == "saidi_min"].sort_values("year").drop_duplicates("year")
    looks = (("without", "model, nothing in service", {"color": theme.MUTED, "width": 2, "dash": "dash"}),)
    looks += (("value", "model, this plan", {"color": theme.ACCENT, "width": 2.6}),)
    for column, name, look in looks if len(own) else ():
        figure.add_trace(go.Scatter(x=own["year"], y=own[column], mode="lines", name=name, line=look))
    aims = kpis[(kpis["kpi"] == "saidi_min") & kpis["target"].notna()]
    if len(aims):
        colour = [theme.GOOD if met else theme.BAD for met in aims["met"].fillna(False)]
        mark = go.Scatter(
            x=aims["year"],
            y=aims["target"],
            mode="markers",
            name="target",
            marker={"symbol": "diamond", "size": 11, "color": colour},
        )
        figure.add_trace(mark)
    figure.update_layout(legend={**LEGEND, "y": -0.2, "yanchor": "top"}, bargap=0.25, height=380)
    figure.update_xaxes(title_text="Year", tickformat="d", tickangle=0)
    figure.update_yaxes(title_text="SAIDI [min/yr]", rangemode="tozero")
    mean = past["saidi_min"].tail(10).mean()
    title = (
        f"Customers lost {number(mean, 1)} min a year in the last {min(len(past), 10)} years of the history"
        if len(past)
        else "No history"
    )
    title += f"; the model stands at {number(today, 1)} min" if pd.notna(today) else ""
    alt = "; ".join(f"{int(r.year)}: {number(r.saidi_min, 1)} min" for r in past.itertuples()) or "No history."
    return Figure(
        figure, "reliability-history", title, "Sustained interruptions, as the sources of the history count them.", alt, past
    )
