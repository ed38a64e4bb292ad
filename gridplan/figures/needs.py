"""Figures of grid needs and of the capital plan that cures them; from the tables of :mod:`gridplan.needs`."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from gridplan.figures import maps, theme
from gridplan.figures.outputs import Figure, Table, number

KINDS = {
    "undervoltage": theme.CATEGORIES[2],
    "overvoltage": theme.CATEGORIES[1],
    "line overload": theme.CATEGORIES[3],
    "transformer overload": theme.CATEGORIES[4],
    "reverse-flow overload": theme.CATEGORIES[6],
    "no supply": theme.CATEGORIES[7],
    "no rating": theme.CATEGORIES[7],
}
"""Kinds of needs that have a place, in the order of legends; ``no solution`` concerns the whole network."""

MEASURES = {
    "tap change": theme.CATEGORIES[7],
    "parallel line": theme.CATEGORIES[0],
    "larger conductor": theme.CATEGORIES[2],
    "new feeder section": theme.CATEGORIES[5],
    "voltage regulator": theme.CATEGORIES[1],
    "transformer exchange": theme.CATEGORIES[4],
    "parallel transformer": theme.CATEGORIES[6],
}
"""Kinds of measures, in the order of legends."""


def map_of_needs(where: maps.Map, needs: pd.DataFrame, trafo_buses: dict[int, int] | None = None) -> Figure:
    """Draw where each need is, in the colour of its kind.

    Parameters
    ----------
    where
        The map.
    needs
        From :func:`gridplan.needs.find`: `element`, `element_id`, `name`, `kind`, `hours`, `worst`, `energy_at_risk_mwh`.
    trafo_buses
        Bus at which each transformer is drawn; transformers without one are in the table only.
    """
    figure = maps.canvas(where)
    figure.add_trace(maps.lines_of(where, where.paths, "", {"color": theme.FAINT, "width": 1.4}, show=False))
    for kind, colour in KINDS.items():
        here = needs[needs["kind"] == kind]
        if len(here):
            _add_needs(figure, where, here, (kind, colour), trafo_buses or {})
    maps.landmarks(figure, where)
    unsolved = needs.loc[needs["kind"] == "no solution", "hours"].sum()
    words = _count_words(needs)
    missing = f" For {number(unsolved, 1)} h there is no power-flow solution; they are not on the map." if unsolved else ""
    return Figure(
        figure,
        "map-needs",
        _needs_title(needs),
        f"Elements outside their limits, by kind; lines in colour are overloaded, dots are buses and transformers.{missing}",
        f"Map of the network with needs: {words}." if words else "Map of the network; nothing is outside its limits.",
        needs,
    )


def map_of_first_years(where: maps.Map, first: pd.DataFrame, trafo_buses: dict[int, int] | None = None) -> Figure:
    """Draw when each element first needs something: the darker, the sooner.

    Parameters
    ----------
    where
        The map.
    first
        From :func:`gridplan.needs.first_years`, of one scenario: `element`, `element_id`, `name`, `kind`, `first_year`.
    trafo_buses
        Bus at which each transformer is drawn.
    """
    figure = maps.canvas(where)
    figure.add_trace(maps.lines_of(where, where.paths, "", {"color": theme.FAINT, "width": 1.4}, show=False))
    soonest = first.sort_values("first_year").drop_duplicates(["element", "element_id"])
    years = sorted(soonest["first_year"].unique())
    for position, year in enumerate(years):
        shade = theme.HEAT[::-1][round(position * (len(theme.HEAT) - 1) / max(len(years) - 1, 1))]
        _add_needs(figure, where, soonest[soonest["first_year"] == year], (str(year), shade), trafo_buses or {})
    maps.landmarks(figure, where)
    counts = ", ".join(
        f"{year}: {number(int(count))}" for year, count in soonest["first_year"].value_counts().sort_index().items()
    )
    title = "No element is outside its limits in any year"
    if years:
        title = f"The first needs come in {years[0]}; by {years[-1]} {number(len(soonest))} elements have one"
    return Figure(
        figure,
        "map-first-years",
        title,
        "Year in which each element is first outside its limits; the warmer the colour, the sooner.",
        f"Elements by first year: {counts}." if counts else "No element is outside its limits.",
        first,
    )


def _add_needs(
    figure: go.Figure, where: maps.Map, here: pd.DataFrame, style: tuple[str, str], trafo_buses: dict[int, int]
) -> None:
    """Draw the lines and the dots of one legend entry."""
    name, colour = style
    lines = here.loc[here["element"] == "line", "element_id"]
    dots = here[here["element"] != "line"]
    buses = dots["element_id"].where(dots["element"] == "bus", dots["element_id"].map(trafo_buses))
    words = [f"{theme.text(n)}<br>{theme.text(k)}" for n, k in zip(dots["name"], dots["kind"], strict=True)]
    if len(lines):
        figure.add_trace(maps.lines_of(where, lines, name, {"color": colour, "width": 4}))
    if len(dots):
        size = [14 if element != "bus" else 8 for element in dots["element"]]
        trace = maps.dots(where, buses, words, {"color": colour, "size": size, "line": {"width": 0.7, "color": theme.PAPER}})
        figure.add_trace(trace.update(name=name, showlegend=not len(lines)))


def by_year(needs: pd.DataFrame) -> Figure:
    """Draw how many elements are outside their limits in each year, by kind.

    Parameters
    ----------
    needs
        Tables of :func:`gridplan.needs.find` of one scenario, one below the other: `year`, `kind`, `element_id`.
    """
    counts = needs.groupby(["year", "kind"], as_index=False).agg(elements=("element_id", "count"), hours=("hours", "max"))
    figure = go.Figure()
    for kind, colour in (KINDS | {"no solution": theme.INK}).items():
        here = counts[counts["kind"] == kind]
        if len(here):
            bar = go.Bar(x=here["year"].astype(str), y=here["elements"], name=kind, marker_color=colour)
            figure.add_trace(bar.update(hovertemplate=f"%{{x}}: %{{y}} {kind}<extra></extra>"))
    figure.update_layout(barmode="stack", margin={"t": 92}, bargap=0.35)
    figure.update_xaxes(title_text="Year", type="category")
    figure.update_yaxes(title_text="Needs [1]", rangemode="tozero")
    total = counts.groupby("year")["elements"].sum()
    alt = ", ".join(f"{year}: {number(int(count))}" for year, count in total.items())
    title = "No need in any year"
    if len(total):
        title = f"{number(int(total.iloc[-1]))} needs in {total.index[-1]}"
        title += f", after {number(int(total.iloc[0]))} in {total.index[0]}" if len(total) > 1 else ""
    return Figure(
        figure, "needs-by-year", title, "Elements outside a limit, counted once a kind.", f"Needs by year: {alt}.", counts
    )


def capital_plan(plan: pd.DataFrame, *, currency: str = "EUR") -> Figure:
    """Draw the cost of each year, stacked by kind of measure.

    Parameters
    ----------
    plan
        From :func:`gridplan.needs.capital_plan`: `year`, `measure`, `number`, `length_km`, `capex_keur`.
    currency
        Currency of the costs.
    """
    figure = go.Figure()
    for kind in [*MEASURES, *sorted(set(plan["measure"]) - set(MEASURES))]:
        here = plan[plan["measure"] == kind]
        if len(here):
            bar = go.Bar(x=here["year"].astype(str), y=here["capex_keur"], name=theme.text(kind), customdata=here["number"])
            words = f"%{{x}}: %{{customdata}} x {theme.text(kind)}, %{{y:,.0f}} k{currency}<extra></extra>"
            figure.add_trace(bar.update(hovertemplate=words, marker_color=MEASURES.get(kind, theme.MUTED)))
    figure.update_layout(barmode="stack", margin={"t": 92}, bargap=0.35)
    figure.update_xaxes(title_text="Year", type="category", categoryorder="category ascending")
    figure.update_yaxes(title_text=f"Capital cost [k{currency}]", rangemode="tozero", separatethousands=True)
    years, total = plan.groupby("year")["capex_keur"].sum(), plan["capex_keur"].sum()
    title = "No conventional reinforcement is needed"
    if len(plan):
        title = f"Conventional reinforcement costs {number(total / 1000)} million {currency}"
        title += f", most of it in {years.idxmax()}" if len(years) > 1 else f", all in {years.index[0]}"
    alt = ", ".join(f"{year}: {number(cost, 0)} k{currency}" for year, cost in years.items())
    caption = "Cost of standard measures in the first year in which their need occurs; not discounted."
    return Figure(figure, "capital-plan", title, caption, f"Cost by year: {alt}." if alt else "No cost in any year.", plan)


def steps_table(steps: pd.DataFrame, *, rows: int = 30) -> Table:
    """Return the measures of a plan as a table.

    Parameters
    ----------
    steps
        `Plan.steps` of :func:`gridplan.needs.reinforce`.
    rows
        Rows to show; the CSV holds all.
    """
    shown = ["step", "year", "name", "area", "measure", "planned", "capex_keur", "needed_for", "evidence"]
    total = steps["capex_keur"].sum()
    title = f"{number(len(steps))} measures for {number(total, 0)} kEUR" if len(steps) else "No measure is needed"
    caption = "In the order in which they are built; without any one of them the violation in the last but one column returns."
    return Table(steps[shown], "measures", title, caption, {"capex_keur": 1, "step": 0}, rows)


def needs_table(needs: pd.DataFrame, *, rows: int = 20) -> Table:
    """Return needs as a table, those with the most energy at risk first.

    Parameters
    ----------
    needs
        From :func:`gridplan.needs.find`.
    rows
        Rows to show; the CSV holds all.
    """
    shown = ["name", "area", "kind", "hours", "events", "worst", "worst_time", "cause", "energy_at_risk_mwh"]
    ordered = needs.sort_values("energy_at_risk_mwh", ascending=False, na_position="first")
    caption = "Worst values in pu (voltages) or % (loadings); energy above the limit, or served at buses outside the band."
    return Table(ordered[shown], "needs", _needs_title(needs), caption, {"hours": 1, "energy_at_risk_mwh": 1}, rows)


def _count_words(needs: pd.DataFrame) -> str:
    counts = needs["kind"].value_counts()
    return ", ".join(f"{number(int(counts[kind]))} {kind}" for kind in [*KINDS, "no solution"] if kind in counts)


def _needs_title(needs: pd.DataFrame) -> str:
    if needs.empty:
        return "Nothing is outside its limits"
    words = _count_words(needs[needs["kind"] != "no solution"])
    if not words:
        return "There is no power-flow solution in some hours"
    unsolved = " and hours without a solution" if (needs["kind"] == "no solution").any() else ""
    return f"Needs: {words}{unsolved}"
