"""Figures of what applications give: alone, together, by area; from the metrics table."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from gridplan.figures import theme
from gridplan.figures.outputs import Figure, number


def options(table: pd.DataFrame, *, column: str, label: str) -> Figure:
    """Draw a result with each application alone and with all together.

    Parameters
    ----------
    table
        `option` (in words), and the column; the first row is without any, the last with all.
    column, label
        What is drawn, and its axis title with the unit.
    """
    ordered = table[::-1]
    last = len(table) - 1
    colours = [theme.MUTED if i == 0 else theme.CATEGORIES[1] if i == last else theme.ACCENT for i in range(len(table))][::-1]
    text = [number(value, 1) for value in ordered[column]]
    bar = go.Bar(
        y=[theme.text(o) for o in ordered["option"]], x=ordered[column], orientation="h", marker_color=colours, text=text
    )
    figure = go.Figure(bar.update(textposition="outside", cliponaxis=False, hovertemplate="%{y}: %{text}<extra></extra>"))
    figure.update_layout(height=150 + 40 * len(table), bargap=0.35, margin={"r": 64})
    figure.update_xaxes(title_text=label, rangemode="tozero", showgrid=True)
    figure.update_yaxes(showgrid=False)
    none, joint = table[column].iloc[0], table[column].iloc[-1]
    singles = (none - table[column].iloc[1:-1]).sum()
    title = "No application changes anything"
    if none > 0 and none > joint:
        whole, apart = number(100 * (none - joint) / none, 0), number(100 * singles / none, 0)
        what = label.split(" [", maxsplit=1)[0]
        what = what if what.isupper() else f"the {what[:1].lower()}{what[1:]}"
        title = f"Together they save {whole} % of {what}; added up one by one it would look like {apart} %"
    caption = "Each application alone, and all of them at once; simulated, not added up."
    alt = ", ".join(f"{row.option}: {number(getattr(row, column), 2)}" for row in table.itertuples())
    return Figure(figure, f"options-{column.replace('_', '-')}", title, caption, alt, table)


def by_area(table: pd.DataFrame, *, column: str, label: str) -> Figure:
    """Draw what each option gives in each area as a grid of numbers.

    Parameters
    ----------
    table
        `area`, `option` (in words) and the column: a benefit, against none in service.
    column, label
        What is drawn, and what it is called, with the unit.
    """
    grid = table.pivot_table(index="option", columns="area", values=column, dropna=False)
    grid = grid.reindex(list(dict.fromkeys(table["option"])))[::-1]
    words = [[number(value, 1) for value in row] for row in grid.to_numpy()]
    scale = [[i / (len(theme.SEQUENCE) - 1), colour] for i, colour in enumerate(("#ffffff", *theme.SEQUENCE[:-1]))]
    top = max(float(grid.max().max()), 1e-12) if grid.size else 1.0
    heat = go.Heatmap(
        z=grid.to_numpy(),
        x=[theme.text(area) for area in grid.columns],
        y=[theme.text(option) for option in grid.index],
        text=words,
        texttemplate="%{text}",
        colorscale=scale,
        zmin=0,
        zmax=top,
        showscale=False,
        xgap=2,
        ygap=2,
        hovertemplate=f"%{{y}} in %{{x}}: %{{text}} {label}<extra></extra>",
    )
    figure = go.Figure(heat)
    figure.update_layout(height=150 + 38 * len(grid))
    figure.update_xaxes(title_text="Area", side="bottom", type="category")
    best = table.loc[table[column].idxmax()] if len(table) and table[column].notna().any() else None
    title = "No option gives anything in any area"
    if best is not None and best[column] > 0:
        title = f"The largest gain: {best['option']} in {best['area']}, {number(best[column], 1)} {label}"
    alt = "" if best is None else f"Largest: {best['option']} in {best['area']} with {number(best[column], 2)} {label}."
    caption = f"What each option gives in each area [{label}], against nothing of its group in service."
    return Figure(figure, f"by-area-{column.replace('_', '-')}", title, caption, alt, table)


def overlap(table: pd.DataFrame, *, label: str) -> Figure:
    """Draw the sum of what applications give alone against what they give together.

    Parameters
    ----------
    table
        `series` (the group), `singles`, `joint`: benefits in the same unit.
    label
        Axis title, with the unit.
    """
    figure = go.Figure()
    for column, name, colour in (("singles", "alone, added up", theme.FAINT), ("joint", "together", theme.ACCENT)):
        text = [number(value, 1) for value in table[column]]
        bar = go.Bar(x=table["series"], y=table[column], name=name, marker_color=colour, text=text, textposition="outside")
        figure.add_trace(bar.update(cliponaxis=False, hovertemplate=f"%{{x}}, {name}: %{{text}}<extra></extra>"))
    figure.update_layout(barmode="group", bargap=0.4, margin={"t": 92})
    figure.update_yaxes(title_text=label, rangemode="tozero", separatethousands=True)
    lost = (table["singles"] - table["joint"]).sum()
    total = table["singles"].sum()
    title = "The applications do not overlap"
    if total > 0 and abs(lost) > 1e-9 * total:
        words = "count twice" if lost > 0 else "come only from combining them"
        title = f"{number(100 * abs(lost) / total, 0)} % of the gains that applications show alone would {words}"
    alt = ", ".join(
        f"{row.series}: alone {number(row.singles, 1)}, together {number(row.joint, 1)}" for row in table.itertuples()
    )
    caption = "The sum of what each application gives alone, and what all of them give together; the difference is the overlap."
    return Figure(figure, "overlap", title, caption, alt, table)
