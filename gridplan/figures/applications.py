"""Figures of what applications give: alone, together, by area; from the metrics table."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gridplan import tables
from gridplan.figures import theme
from gridplan.figures.outputs import Figure, Table, Text, number, prose


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
    lost = table["singles"] - table["joint"]
    title = "The applications do not overlap"
    if len(table) and lost.abs().max() > 1e-9:
        worst = table.loc[lost.abs().idxmax()]
        apart, together = number(worst["singles"], 0), number(worst["joint"], 0)
        title = f"{worst['series']}: added up it would look like {apart} %, together it is {together} %"
    alt = ", ".join(
        f"{row.series}: alone {number(row.singles, 1)}, together {number(row.joint, 1)}" for row in table.itertuples()
    )
    caption = "The sum of what each application gives alone, and what all of them give together; the difference is the overlap."
    return Figure(figure, "overlap", title, caption, alt, table)


def saved(table: pd.DataFrame, *, column: str, label: str) -> Figure:
    """Draw what options save in the whole network.

    Parameters
    ----------
    table
        `area`, `option` (in words) and the column: what is saved, by area.
    column, label
        What is drawn, and its axis title with the unit.
    """
    whole = table.groupby("option", sort=False)[column].sum().reset_index()[::-1]
    colours = [theme.CATEGORIES[1], *[theme.ACCENT] * (len(whole) - 1)]
    text = [number(value, 0) for value in whole[column]]
    bar = go.Bar(y=[theme.text(option) for option in whole["option"]], x=whole[column], orientation="h", marker_color=colours)
    bar.update(text=text, textposition="outside", cliponaxis=False, hovertemplate="%{y}: %{text}<extra></extra>")
    figure = go.Figure(bar).update_layout(height=150 + 40 * len(whole), bargap=0.35, margin={"r": 64})
    figure.update_xaxes(title_text=label, rangemode="tozero", separatethousands=True, showgrid=True)
    figure.update_yaxes(showgrid=False)
    best = whole.iloc[1:].loc[lambda rows: rows[column].idxmax()] if len(whole) > 1 else whole.iloc[0]
    unit = label.partition("[")[2].rstrip("]")
    title = (
        f"{best['option']} alone saves {number(best[column], 0)} {unit}, all together {number(whole[column].iloc[0], 0)} {unit}"
    )
    alt = ", ".join(f"{row.option}: {number(getattr(row, column), 0)}" for row in whole.itertuples())
    caption = "Each application alone, and all of them at once, against nothing of their group in service."
    return Figure(figure, f"saved-{column.replace('_', '-')}", title, caption, alt, whole[::-1])


def paths(table: pd.DataFrame) -> Figure:
    """Draw what all applications of a group give together, over the years and in every scenario.

    Parameters
    ----------
    table
        `scenario`, `year`, `series` (what is gained, with its unit), `gain`.
    """
    names, scenarios = list(dict.fromkeys(table["series"])), list(dict.fromkeys(table["scenario"]))
    figure = make_subplots(rows=1, cols=len(names), subplot_titles=[theme.text(name) for name in names], horizontal_spacing=0.07)
    for place, name in enumerate(names, 1):
        for colour, scenario in zip(theme.CATEGORIES, scenarios, strict=False):
            rows = table[(table["series"] == name) & (table["scenario"] == scenario)]
            line = go.Scatter(x=rows["year"], y=rows["gain"], name=theme.text(scenario), legendgroup=scenario)
            line.update(mode="lines+markers", line_color=colour, showlegend=place == 1)
            figure.add_trace(line.update(hovertemplate="%{fullData.name}, %{x}: %{y:,.3g}<extra></extra>"), row=1, col=place)
    figure.update_layout(height=430, margin={"t": 140}, legend={"y": 1.32, "yanchor": "top"})
    figure.update_annotations(font_size=12)
    figure.update_xaxes(tickformat="d", dtick=5)
    figure.update_yaxes(rangemode="tozero", separatethousands=True)
    last = table[table["year"] == table["year"].max()]
    words = "; ".join(f"{row.scenario}: {row.series} {number(row.gain)}" for row in last.itertuples())
    years = f"{table['year'].min()} to {table['year'].max()}"
    title = f"What each group gives changes with the future, {years}"
    caption = "All applications of a group in service in every area, against none of them in the same year and scenario."
    return Figure(figure, "gains-over-years", title, caption, f"In the last year: {words}.", table)


def cvr(found: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """Draw CVR factors found in the areas against published ranges.

    Parameters
    ----------
    found
        `area`, `cvr_factor`, `expected_cvr`, `vm_reduction_percent`; the last row is the network.
    published
        `name`, `cvr_low`, `cvr_high`, `source`.
    """
    figure = go.Figure()
    for row in published.itertuples():
        low, high = (row.cvr_low, row.cvr_high) if row.cvr_high > row.cvr_low else (row.cvr_low - 0.005, row.cvr_high + 0.005)
        bar = go.Bar(y=[theme.text(row.name)], x=[high - low], base=[low], orientation="h", marker_color=theme.FAINT, width=0.5)
        span = number(row.cvr_low, 1) if row.cvr_low == row.cvr_high else f"{row.cvr_low:.1f} to {row.cvr_high:.1f}"
        figure.add_trace(bar.update(showlegend=False, hovertemplate=f"%{{y}}: {span}<extra></extra>"))
    labels = [f"{area.capitalize() if area == 'network' else area}, found" for area in found["area"]]
    for column, name, colour, symbol in (
        ("expected_cvr", "2 z + i of the load model", theme.CATEGORIES[1], "line-ns-open"),
        ("cvr_factor", "found by simulation", theme.ACCENT, "circle"),
    ):
        dots = go.Scatter(x=found[column], y=[theme.text(label) for label in labels], mode="markers", name=name)
        dots.update(marker={"color": colour, "symbol": symbol, "size": 14, "line_width": 3 if symbol != "circle" else 0})
        figure.add_trace(dots.update(hovertemplate="%{y}, " + name + ": %{x:.2f}<extra></extra>"))
    figure.update_layout(height=150 + 42 * (len(published) + len(found)), margin={"t": 92})
    figure.update_xaxes(title_text="CVR factor: energy saved [%] for one per cent of voltage", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    whole = found.iloc[-1]
    title = f"One per cent less voltage saves {number(whole['cvr_factor'], 2)} % of what is consumed"
    lowered = number(whole["vm_reduction_percent"], 1)
    caption = (
        f"Volt-var optimisation lowers the mean voltage by {lowered} %. Grey: published. The factor found follows from the "
        "shares of constant impedance and current in the loads; 2 z + i is that of the same small change in every hour. It is "
        "lower where the voltage can be lowered least when most is drawn."
    )
    alt = "; ".join(f"{row.area}: {number(row.cvr_factor, 2)}" for row in found.itertuples())
    return Figure(figure, "cvr-factors", title, caption, f"CVR factors found: {alt}.", found)


def sensors(curve: pd.DataFrame, margin_pu: float) -> Figure:
    """Draw the error of the estimated voltage against the number of stations with a meter.

    Parameters
    ----------
    curve
        `sensors_added`, `vm_error_pu`, `vm_sd_pu`, `share_percent`.
    margin_pu
        Margin that volt-var optimisation keeps by default [pu].
    """
    figure = go.Figure()
    for column, name, colour in (
        ("vm_error_pu", "worst bus, 95 %", theme.ACCENT),
        ("vm_sd_pu", "all buses, root mean square of the standard deviation", theme.CATEGORIES[1]),
    ):
        line = go.Scatter(x=curve["sensors_added"], y=curve[column], name=name, mode="lines+markers", line_color=colour)
        figure.add_trace(line.update(hovertemplate="%{x} stations: %{y:.4f} pu<extra></extra>"))
    figure.add_hline(margin_pu, line_dash="dot", line_color=theme.MUTED, annotation_text="margin usual without monitoring")
    figure.update_layout(margin={"t": 92})
    figure.update_xaxes(title_text="Stations with a voltage meter, the most useful first")
    figure.update_yaxes(title_text="Voltage error [pu]", rangemode="tozero", tickformat=".3f")
    first, last = curve.iloc[0], curve.iloc[-1]
    title = (
        f"{int(last['sensors_added'])} meters bring the largest voltage error from {100 * first['vm_error_pu']:.1f} % "
        f"to {100 * last['vm_error_pu']:.1f} %"
    )
    caption = "Error of the state estimation not exceeded with 95 % confidence, at the highest and lowest load of the year."
    alt = f"{number(last['share_percent'], 0)} % of the stations have a meter then."
    return Figure(figure, "voltage-error", title, caption, alt, curve)


def relied_on(table: pd.DataFrame) -> Table:
    """List what voltages and loadings can be relied on, by area.

    Parameters
    ----------
    table
        `series`, `area`, `margin_pu`, `lines`, `known_percent`, `loading_error_percent`.
    """
    words = {"today": "Sensors of today", "monitoring": "With monitoring"}
    shown = table.assign(series=table["series"].map(words))
    means = table.groupby("series")["known_percent"].mean()
    title = f"The loading of {means['monitoring']:.0f} % of the line sections is known well enough for a transfer"
    caption = (
        "The margin is what volt-var optimisation keeps from the limits; a transfer by FLISR can rely on the loading of the "
        f"sections known within a tenth of their rating. With the sensors of today it is {means['today']:.0f} %."
    )
    return Table(shown, "relied-on", title, caption, {"margin_pu": 4, "known_percent": 0, "loading_error_percent": 1})


def losses(table: pd.DataFrame) -> Figure:
    """Draw the losses that another topology saves, over the years and in every scenario.

    Parameters
    ----------
    table
        `scenario`, `year`, `losses_mwh` (with nothing in service) and `losses_saved_mwh`.
    """
    figure = go.Figure()
    for colour, (scenario, rows) in zip(theme.CATEGORIES, table.groupby("scenario", sort=False), strict=False):
        text = [number(value, 0) for value in rows["losses_saved_mwh"]]
        bar = go.Bar(
            x=rows["year"].astype(str), y=rows["losses_saved_mwh"], name=theme.text(scenario), marker_color=colour, text=text
        )
        figure.add_trace(bar.update(textposition="outside", cliponaxis=False))
    figure.update_layout(barmode="group", bargap=0.55, margin={"t": 92})
    figure.update_xaxes(title_text="Year", type="category")
    figure.update_yaxes(title_text="Losses saved [MWh/yr]", rangemode="tozero", separatethousands=True)
    share = 100 * table["losses_saved_mwh"] / table["losses_mwh"]
    none = int((table["losses_saved_mwh"].abs() < 1e-6).sum())
    title = f"Another topology saves up to {number(share.max(), 1)} % of the losses"
    caption = (
        f"One radial topology a year against that of today. In {none} of {len(table)} futures no better one keeps the limits."
    )
    alt = "; ".join(f"{row.scenario} {row.year}: {number(row.losses_saved_mwh, 0)} MWh" for row in table.itertuples())
    return Figure(figure, "losses-saved", title, caption, alt, table)


def flexibility(table: pd.DataFrame, currency: str) -> Table:
    """List what the options of the flexibility group do.

    Parameters
    ----------
    table
        `option` (in words), `outside_h`, `net_peak_mw`, `curtailed_mwh`, `shifted_mwh`, `stored_mwh`, `reinforcement_keur`,
        `avoided_keur`; nothing in service first.
    currency
        Currency of the study.
    """
    best = table.loc[table["avoided_keur"].idxmax()] if table["avoided_keur"].notna().any() else None
    title = "No option avoids reinforcement"
    if best is not None and best["avoided_keur"] > 0:
        title = f"{best['option']} avoids or defers {number(best['avoided_keur'], 0)} k{currency} of reinforcement"
    caption = "Sums over the areas; the conventional plan is that of the years up to this one, not discounted."
    names = ("outside_h", "curtailed_mwh", "shifted_mwh", "stored_mwh", "reinforcement_keur", "avoided_keur")
    return Table(table, "flexibility", title, caption, dict.fromkeys(names, 0) | {"net_peak_mw": 1})


def additivity(table: pd.DataFrame) -> Table:
    """List how far adding up groups, and taking areas as independent, is from what is simulated.

    Parameters
    ----------
    table
        `check`, `group`, `quantity`, `none`, `added`, `joint`, `error`, `error_percent`: the network.
    """
    shown = table.assign(quantity=[tables.label(name, "metrics") for name in table["quantity"]])
    known = shown.dropna(subset=["error_percent"])
    groups = known[known["check"] == "groups"]
    worst = groups.loc[groups["error_percent"].abs().idxmax()] if len(groups) else None
    title = "Groups add up: nothing that is compared changes"
    if worst is not None:
        quantity = worst["quantity"].partition(" [")[0]
        title = f"Adding up the groups errs most for '{quantity}', by {abs(worst['error_percent']):.0f} % of the change"
    caption = (
        "Groups: everything in service at once, against the sum of what each group changes; an error of -100 % counts a gain "
        "twice that two groups share. Areas: each area alone in service, against its row in the table, where all areas are. "
        "Sums over the areas, SAIDI weighted by customers. Errors are shares of the change."
    )
    return Table(shown, "additivity", title, caption, {"error_percent": 1})


def ticked(today: pd.DataFrame, after: pd.DataFrame) -> Figure:
    """Draw SAIDI, energy taken and hours outside limits by area, as today and with applications in service.

    Parameters
    ----------
    today, after
        Rows of the metrics table, one an area and group.
    """
    shown = {"restoration": ("saidi_min", "SAIDI [min/yr]"), "voltage": ("losses_mwh", "Losses [MWh/yr]")}
    shown |= {"flexibility": ("outside_h", "Outside limits [h/yr]")}
    shown = {group: what for group, what in shown.items() if group in set(after["group"])}
    figure = make_subplots(
        rows=1, cols=len(shown), subplot_titles=[label for _, label in shown.values()], horizontal_spacing=0.08
    )
    for place, (group, (column, _)) in enumerate(shown.items(), 1):
        for table, name, colour in ((today, "as today", theme.FAINT), (after, "in service", theme.ACCENT)):
            rows = table[table["group"] == group]
            bar = go.Bar(x=rows["area"], y=rows[column], name=name, marker_color=colour, showlegend=place == 1, legendgroup=name)
            figure.add_trace(bar.update(hovertemplate="%{x}: %{y:,.3g}<extra></extra>"), row=1, col=place)
    figure.update_layout(barmode="group", height=410, margin={"t": 140}, legend={"y": 1.36, "yanchor": "top"})
    figure.update_annotations(font_size=12)
    figure.update_xaxes(type="category")
    alt = "; ".join(f"{row.area}: {row.option}" for row in after.itertuples())
    title = "What is ticked changes each area by itself"
    caption = "Each area as its row of the metrics table has it; the effects of groups add up."
    return Figure(figure, "ticked", title, caption, alt, after)


def lesson(shares: pd.DataFrame, found: pd.DataFrame, flexible: pd.DataFrame, errors: pd.DataFrame, currency: str) -> Text:
    """Say what the applications tell the planner.

    Parameters
    ----------
    shares
        Of :func:`overlap`.
    found
        Of :func:`cvr`.
    flexible
        Of :func:`flexibility`.
    errors
        Of :func:`additivity`.
    currency
        Currency of the study.
    """
    best = shares.loc[shares["joint"].idxmax()]
    whole, last = found.iloc[-1], flexible.iloc[-1]
    groups = errors[errors["check"] == "groups"].set_index("quantity")["error_percent"].abs()
    return prose(
        "- **What gives most**: {series} falls by {joint:.0f} % with all applications of its group; added up one by one it would "
        "look like {singles:.0f} %.\n"
        "- **Conservation voltage reduction**: {lower:.1f} % less voltage saves {saved:.1f} % of the energy, a factor of "
        "{cvr:.2f}. It follows from the load model; measure it on a feeder before it is promised.\n"
        "- **Flexibility**: all options together cut {cut:,.0f} MWh a year and avoid or defer {avoided:,.0f} k{currency} of "
        "reinforcement.\n"
        "- **How far numbers can be added**: between groups the error is largest for '{quantity}', {error:.0f} % of the change.",
        series=best["series"],
        joint=best["joint"],
        singles=best["singles"],
        lower=whole["vm_reduction_percent"],
        saved=whole["energy_saved_percent"],
        cvr=whole["cvr_factor"],
        cut=last["curtailed_mwh"],
        avoided=last["avoided_keur"],
        currency=currency,
        error=groups.max(),
        quantity=tables.label(groups.idxmax(), "metrics").partition(" [")[0],
    )
