"""Figures of the years to come: adoption, envelopes of load and generation, differences between scenarios."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gridplan import tables
from gridplan.figures import theme
from gridplan.figures.outputs import Figure, Table, number
from gridplan.figures.sentences import listed

BELOW = {"yanchor": "top", "x": 0}
"""Legend under the panels, whose titles need the place above."""

ENVELOPE = (("net_load_max_mw", "highest"), ("net_load_min_mw", "lowest"))


def adoption_curves(shares: pd.DataFrame, labels: Mapping[str, str] | None = None) -> Figure:
    """Draw the S-curves, a panel for each technology and class of customer, a line for each scenario.

    Parameters
    ----------
    shares
        `scenario`, `technology`, `customer_class`, `year`, `adoption_percent` [%].
    labels
        Names of the technologies for the reader.
    """
    pairs = list(shares[["technology", "customer_class"]].drop_duplicates().itertuples(index=False, name=None))
    words = [f"{theme.text((labels or {}).get(name, name))}<br>({theme.text(kind)})" for name, kind in pairs]
    columns = min(3, max(1, len(pairs)))
    rows = -(-len(pairs) // columns) or 1
    panels = make_subplots(rows, columns, shared_yaxes=True, subplot_titles=words, vertical_spacing=0.38 / rows)
    for scenario, colour in theme.colour_of(list(shares["scenario"].unique())).items():
        for i, (name, kind) in enumerate(pairs):
            chosen = (shares["scenario"] == scenario) & (shares["technology"] == name) & (shares["customer_class"] == kind)
            here, line = shares[chosen], {"color": colour, "width": 2.2}
            trace = go.Scatter(x=here["year"], y=here["adoption_percent"], mode="lines", name=theme.text(scenario), line=line)
            trace.update(legendgroup=scenario, showlegend=i == 0)
            trace.update(hovertemplate="%{x}: %{y:.1f} %<extra>" + theme.text(scenario) + "</extra>")
            panels.add_trace(trace, row=i // columns + 1, col=i % columns + 1)
    panels.update_yaxes(range=[0, 100])
    panels.update_yaxes(title_text="Adoption [%]", col=1)
    panels.update_annotations(font={"size": 13, "color": theme.INK})
    panels.update_layout(height=180 + 210 * rows, margin={"t": 112, "b": 84}, legend=BELOW | {"y": -54 / (210 * rows)})
    last = shares[shares["year"] == shares["year"].max()]
    ends = [
        f"{row.technology} of {row.customer_class} customers in {row.scenario} {row.adoption_percent:.0f} %"
        for row in last.itertuples()
    ]
    title = f"Adoption from {shares['year'].min()} to {shares['year'].max()}" if len(shares) else "No adoption is given"
    caption = "Share of what the customers of the class can take; the first year is part of the network as it stands."
    return Figure(panels, "adoption-curves", title, caption, f"In the last year: {', '.join(ends)}.", shares)


def envelope(table: pd.DataFrame) -> Figure:
    """Draw the highest and the lowest net load of each year, a colour for each scenario.

    Parameters
    ----------
    table
        `scenario`, `year`, `net_load_max_mw`, `net_load_min_mw` [MW]; other columns go into the CSV.
    """
    figure = go.Figure()
    for scenario, colour in theme.colour_of(list(table["scenario"].unique())).items():
        here = table[table["scenario"] == scenario]
        for column, word in ENVELOPE:
            line = {"color": colour, "width": 2.2, "dash": "solid" if word == "highest" else "dot"}
            trace = go.Scatter(x=here["year"], y=here[column], mode="lines+markers", line=line, marker={"size": 5})
            trace.update(name=theme.text(scenario), legendgroup=scenario, showlegend=word == "highest")
            trace.update(hovertemplate=f"%{{x}}, {word}: %{{y:.1f}} MW<extra>{theme.text(scenario)}</extra>")
            figure.add_trace(trace)
    figure.add_hline(y=0, line={"color": theme.FAINT, "width": 1})
    figure.update_yaxes(title_text="Net load [MW]")
    figure.update_xaxes(title_text="Year", dtick=5 if table["year"].nunique() > 8 else None)
    figure.update_layout(margin={"t": 92})
    last = table[table["year"] == table["year"].max()]
    ends = [
        f"{row.scenario} between {number(row.net_load_min_mw, 1)} and {number(row.net_load_max_mw, 1)} MW"
        for row in last.itertuples()
    ]
    caption = "Demand less generation, with batteries, without losses: solid the highest, dotted the lowest of the year."
    return Figure(
        figure, "load-envelope", _envelope_title(table), caption, f"In {table['year'].max()}: {', '.join(ends)}.", table
    )


def _envelope_title(table: pd.DataFrame) -> str:
    first, last = table["year"].min(), table["year"].max()
    top = table[table["year"] == last].nlargest(1, "net_load_max_mw").iloc[0]
    start = table.loc[table["year"] == first, "net_load_max_mw"].max()
    words = f"from {number(start, 1)} MW in {first} to {number(top['net_load_max_mw'], 1)} MW in {last}"
    return f"The highest net load goes {words} in the scenario {theme.text(top['scenario'])}"


def added(table: pd.DataFrame, column: str = "peak_mw", labels: Mapping[str, str] | None = None) -> Figure:
    """Draw what is added by technology over the years, a panel for each scenario.

    Parameters
    ----------
    table
        `scenario`, `year`, `technology` and `column`; rows of several classes are added up.
    column
        Column drawn; its label and unit come from the dictionary.
    labels
        Names of the technologies for the reader.
    """
    sums = table.groupby(["scenario", "technology", "year"], sort=False, as_index=False)[column].sum()
    scenarios = list(sums["scenario"].unique())
    panels = make_subplots(1, max(1, len(scenarios)), shared_yaxes=True, subplot_titles=[theme.text(name) for name in scenarios])
    for name, colour in theme.colour_of(list(sums["technology"].unique())).items():
        label = theme.text((labels or {}).get(name, name))
        for i, scenario in enumerate(scenarios):
            here = sums[(sums["scenario"] == scenario) & (sums["technology"] == name)]
            bar = go.Bar(x=here["year"], y=here[column], name=label, marker_color=colour, legendgroup=name, showlegend=i == 0)
            bar.update(hovertemplate="%{x}: %{y:.1f}<extra>" + label + "</extra>")
            panels.add_trace(bar, row=1, col=i + 1)
    panels.update_layout(barmode="stack", margin={"t": 92, "b": 110}, bargap=0.2, height=470, legend=BELOW | {"y": -0.12})
    panels.update_yaxes(title_text=tables.label(column), col=1)
    panels.update_annotations(font={"size": 13, "color": theme.INK})
    last = sums[sums["year"] == sums["year"].max()].groupby("scenario", sort=False)[column].sum()
    ends = ", ".join(f"{scenario} {number(value, 1)}" for scenario, value in last.items())
    caption = "Powers of all units added since the base year; they do not occur at the same time."
    title = f"What is added until {sums['year'].max()}, by technology"
    return Figure(
        panels, f"added-{column.replace('_', '-')}", title, caption, f"{tables.label(column)} at the end: {ends}.", table
    )


def difference(table: pd.DataFrame, a: str, b: str) -> Table:
    """Show how two scenarios differ, a sentence for each row.

    Parameters
    ----------
    table
        `year`, `what`, `unit`, `value_a`, `value_b`, `difference`, `reading`.
    a, b
        Names of the scenarios.
    """
    columns = ["year", "what", "unit", "value_a", "value_b", "difference", "reading"]
    shown = table[columns].astype({"year": str})  # a year is a name here: no space between its thousands
    caption = f"First scenario: {a}; second: {b}. Differences are second less first."
    digits = dict.fromkeys(("value_a", "value_b", "difference"), 1)
    return Table(shown, "difference-of-scenarios", f"How {b} differs from {a}", caption, digits=digits, rows=40)


def outlook(table: pd.DataFrame, band: tuple[float, float], loading: float) -> Figure:
    """Draw how voltage and loading go over the years against their limits, a colour for each scenario.

    Parameters
    ----------
    table
        `scenario`, `year`, `vm_min_pu`, `vm_max_pu` [pu], `line_loading_percent`, `trafo_loading_percent` [%], `outside_h` [h].
    band
        Lowest and highest voltage allowed [pu].
    loading
        Highest loading allowed [%].
    """
    words = ("Lowest and highest voltage [pu]", "Highest loading of a transformer or line [%]")
    panels = make_subplots(1, 2, subplot_titles=words, horizontal_spacing=0.1)
    loads = table.assign(loading=table[["line_loading_percent", "trafo_loading_percent"]].max(axis=1))
    for scenario, colour in theme.colour_of(list(table["scenario"].unique())).items():
        here = loads[loads["scenario"] == scenario]
        style = {"x": here["year"], "mode": "lines+markers", "line": {"color": colour, "width": 2.2}, "marker": {"size": 6}}
        style |= {"name": theme.text(scenario), "legendgroup": scenario}
        for column, shown in (("vm_max_pu", True), ("vm_min_pu", False)):
            panels.add_trace(go.Scatter(y=here[column], showlegend=shown, **style), row=1, col=1)
        panels.add_trace(go.Scatter(y=here["loading"], showlegend=False, **style), row=1, col=2)
    limit = {"line": {"color": theme.BAD, "width": 1, "dash": "dash"}}
    for value in band:
        panels.add_hline(y=value, row=1, col=1, **limit)
    panels.add_hline(y=loading, row=1, col=2, **limit)
    panels.update_xaxes(tickformat="d")
    panels.update_yaxes(tickformat=".2f", col=1)
    panels.update_annotations(font={"size": 13, "color": theme.INK})
    panels.update_layout(height=400, margin={"t": 110}, legend={"y": 1.12})
    caption = "The worst step of each year; dashed: limits."
    return Figure(panels, "outlook", outlook_title(table), caption, outlook_title(table) + ".", table)


def outlook_title(table: pd.DataFrame) -> str:
    """Say in which year each scenario first leaves the limits."""
    out = table[(table["outside_h"] > 0) | (table["failed_h"] > 0)]
    if out.empty:
        return f"The network stays inside its limits until {table['year'].max()}"
    first = out.groupby("scenario", sort=False)["year"].min()
    inside = [name for name in table["scenario"].unique() if name not in first.index]
    if not inside and first.min() == first.max() and len(first) > 1:
        return f"The network leaves its limits in every scenario by {first.iloc[0]}"
    parts = [f"{theme.text(name)} in {year}" for name, year in first.items()]
    rest = f"; {theme.text(listed(inside))} not until {table['year'].max()}" if inside else ""
    return f"The network leaves its limits: {listed(parts, most=4)}{rest}"
