"""Figures of a year of operation: voltage, loading, energy and losses by area and over time."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gridplan import tables
from gridplan.figures import theme
from gridplan.figures.outputs import Figure, number

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def voltage_band(daily: pd.DataFrame, band: tuple[float, float], *, title: str) -> Figure:
    """Draw the lowest and highest voltage of each day, a panel for each area.

    Parameters
    ----------
    daily
        `area`, `day`, `vm_min_pu`, `vm_max_pu` [pu].
    band
        Lowest and highest voltage allowed [pu].
    title
        What the figure says.
    """
    names = sorted(daily["area"].unique())
    rows = -(-len(names) // 2)
    panels = make_subplots(
        rows, min(2, len(names)), shared_xaxes=True, shared_yaxes=True, subplot_titles=[theme.text(n) for n in names]
    )
    panels.update_layout(height=110 + 190 * rows, showlegend=False, margin={"t": 76})
    colours = theme.colour_of(names)
    for i, name in enumerate(names):
        here, cell = daily[daily["area"] == name], {"row": i // 2 + 1, "col": i % 2 + 1}
        edge = {"x": here["day"], "mode": "lines", "line": {"color": colours[name], "width": 1}}
        panels.add_trace(
            go.Scatter(y=here["vm_max_pu"], hovertemplate="%{x|%d %b} highest %{y:.3f} pu<extra></extra>", **edge), **cell
        )
        low = go.Scatter(
            y=here["vm_min_pu"], fill="tonexty", hovertemplate="%{x|%d %b} lowest %{y:.3f} pu<extra></extra>", **edge
        )
        panels.add_trace(low, **cell)
        for limit in band:
            panels.add_hline(y=limit, line={"color": theme.BAD, "width": 1, "dash": "dash"}, **cell)
    panels.update_yaxes(title_text="Voltage [pu]", col=1, tickformat=".2f")
    panels.update_xaxes(tickformat="%b", showgrid=False)
    panels.update_annotations(font={"size": 13, "color": theme.INK})
    low, high = daily["vm_min_pu"].min(), daily["vm_max_pu"].max()
    return Figure(
        panels,
        name="voltage-by-area",
        title=title,
        caption="Lowest and highest voltage of any bus of the area, by day [pu]; dashed: planning band.",
        alt=f"Voltages lie between {number(low, 3)} and {number(high, 3)} pu over the year.",
        table=daily,
    )


def carpet(hourly: pd.DataFrame, column: str, *, name: str, title: str, caption: str) -> Figure:
    """Draw a year as a carpet: days across, hours up, colour for the value.

    Parameters
    ----------
    hourly
        `day`, `hour` and `column`.
    column
        Column drawn; its label and unit come from the dictionary.
    name, title, caption
        Words of the figure.
    """
    grid = hourly.pivot_table(index="hour", columns="day", values=column)
    negative = bool((grid.min() < 0).any())
    scale = [list(stop) for stop in theme.DIVERGE] if negative else [[i / 5, c] for i, c in enumerate(theme.SEQUENCE)]
    bar = theme.colour_bar(tables.label(column))
    heat = go.Heatmap(
        x=grid.columns, y=grid.index, z=grid.to_numpy(), colorscale=scale, colorbar=bar, zmid=0 if negative else None
    )
    heat.hovertemplate = "%{x|%d %b}, hour %{y}: %{z:.1f}<extra></extra>"
    figure = go.Figure(heat)
    figure.update_xaxes(tickformat="%b", dtick="M1")
    figure.update_yaxes(title_text="Hour of the day", dtick=6)
    peak = hourly.loc[hourly[column].idxmax()]
    hour = int(peak["hour"])
    alt = f"Highest value {number(peak[column], 1)} on {peak['day']:%d %B}, {hour:02d}:00 to {hour + 1:02d}:00."
    return Figure(figure, name, title, caption, alt, hourly)


def duration(curves: pd.DataFrame, column: str, *, name: str, title: str, caption: str) -> Figure:
    """Draw duration curves: for which share of the year a value is reached or exceeded.

    Parameters
    ----------
    curves
        `series`, `share_percent` [%] and `column`.
    column
        Column drawn; its label and unit come from the dictionary.
    name, title, caption
        Words of the figure.
    """
    figure = go.Figure()
    names = list(curves["series"].unique())
    for series, colour in theme.colour_of(names).items():
        here = curves[curves["series"] == series]
        figure.add_trace(
            go.Scatter(
                x=here["share_percent"],
                y=here[column],
                mode="lines",
                name=theme.text(series),
                line={"color": colour, "width": 2.2},
                hovertemplate="%{x:.1f} % of the year: %{y:.1f}<extra>" + theme.text(series) + "</extra>",
            )
        )
    figure.update_xaxes(title_text="Share of the year [%]", range=[0, 100], ticksuffix="")
    figure.update_yaxes(title_text=tables.label(column), rangemode="tozero")
    figure.update_layout(margin={"t": 92}, hovermode="x unified" if len(names) > 1 else "closest")
    tops = ", ".join(f"{n} {number(curves.loc[curves['series'] == n, column].max(), 1)}" for n in names)
    return Figure(figure, name, title, caption, f"Highest values: {tops}.", curves)


def monthly(months: pd.DataFrame, *, title: str) -> Figure:
    """Draw where the energy of each month comes from, and what is lost.

    Parameters
    ----------
    months
        `month` (1-12), `import_mwh`, `generation_mwh`, `export_mwh`, `losses_mwh` [MWh].
    title
        What the figure says.
    """
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.08)
    ticks = [MONTHS[m - 1] for m in months["month"]]
    parts = (
        ("import_mwh", 1, theme.CATEGORIES[2]),
        ("generation_mwh", 1, theme.CATEGORIES[1]),
        ("export_mwh", -1, theme.CATEGORIES[4]),
    )
    for column, sign, colour in parts:
        label = tables.label(column).removesuffix(" [MWh]")
        words = f"%{{x}}: %{{customdata:.0f}} MWh<extra>{label}</extra>"
        bar = {"x": ticks, "y": sign * months[column] / 1000, "customdata": months[column], "marker_color": colour}
        figure.add_trace(go.Bar(**bar, name=label, hovertemplate=words), row=1, col=1)
    lost = go.Bar(x=ticks, y=months["losses_mwh"], marker_color=theme.FAINT, showlegend=False)
    lost.hovertemplate = "%{x}: %{y:.0f} MWh lost<extra></extra>"
    figure.add_trace(lost, row=2, col=1)
    figure.update_layout(barmode="relative", height=460, margin={"t": 92}, bargap=0.25)
    figure.update_yaxes(title_text="Energy [GWh]", row=1, col=1)
    figure.update_yaxes(title_text="Losses [MWh]", row=2, col=1)
    total = months[["import_mwh", "generation_mwh", "export_mwh", "losses_mwh"]].sum()
    alt = ", ".join(f"{tables.label(c)} {number(v, 0)}" for c, v in total.items())
    return Figure(
        figure,
        "energy-by-month",
        title,
        "Energy from the grid above, from generation in the network, and back to it; losses below.",
        f"Over the year: {alt}.",
        months,
    )


def mean_day(days: pd.DataFrame, *, title: str) -> Figure:
    """Draw the mean day of load and generation, winter beside summer.

    Parameters
    ----------
    days
        `season`, `series`, `hour`, `p_mw` [MW].
    title
        What the figure says.
    """
    seasons = ["winter", "summer"]
    panels = make_subplots(
        1, 2, shared_yaxes=True, subplot_titles=["Winter (Dec–Feb)", "Summer (Jun–Aug)"], horizontal_spacing=0.04
    )
    colours = {"load": theme.CATEGORIES[2], "generation": theme.CATEGORIES[1]}
    for column, season in enumerate(seasons, start=1):
        for series, colour in colours.items():
            here = days[(days["season"] == season) & (days["series"] == series)]
            trace = go.Scatter(x=here["hour"], y=here["p_mw"], name=series, mode="lines", line={"color": colour, "width": 2.2})
            trace.update(showlegend=column == 1, hovertemplate=f"%{{x:.2f}} h: %{{y:.1f}} MW<extra>{series}</extra>")
            panels.add_trace(trace, row=1, col=column)
    panels.update_xaxes(title_text="Hour of the day", dtick=6, range=[0, 24])
    panels.update_yaxes(rangemode="tozero")
    panels.update_yaxes(title_text="Power [MW]", col=1)
    panels.update_layout(height=380, margin={"t": 104}, legend={"y": 1.1})
    panels.update_annotations(font={"size": 13, "color": theme.INK})
    tops = days.groupby(["season", "series"])["p_mw"].max()
    alt = ", ".join(f"{series} in {season} up to {number(value, 1)} MW" for (season, series), value in tops.items())
    return Figure(panels, "mean-day", title, "Mean day of all stations and all generators together [MW].", f"{alt}.", days)


def customers(table: pd.DataFrame) -> Figure:
    """Draw the customers of each area by class.

    Parameters
    ----------
    table
        `area`, `customer_class`, `customers`.
    """
    figure = go.Figure()
    for kind, colour in theme.CLASSES.items():
        here = table[table["customer_class"] == kind]
        if len(here):
            bar = go.Bar(y=here["area"].map(theme.text), x=here["customers"], name=kind, orientation="h", marker_color=colour)
            figure.add_trace(bar.update(hovertemplate=f"%{{y}}: %{{x:,.0f}} {kind}<extra></extra>"))
    areas = table["area"].nunique()
    figure.update_layout(barmode="stack", height=150 + 44 * areas, margin={"t": 92}, legend={"traceorder": "normal"}, bargap=0.35)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title_text="Customers", showgrid=True, separatethousands=True)
    total, kinds = table.groupby("area")["customers"].sum(), table.groupby("customer_class")["customers"].sum()
    title = "No customers are given"
    if total.sum():
        share = number(100 * kinds.max() / kinds.sum(), 0)
        title = f"{theme.text(total.idxmax())} supplies the most customers; {share} % of all are {kinds.idxmax()}"
    alt = ", ".join(f"{name} {number(count)}" for name, count in total.items())
    return Figure(figure, "customers-by-area", title, "Customers by area and class.", f"{alt}.", table)


def week(table: pd.DataFrame, *, title: str, caption: str) -> Figure:
    """Draw profiles over some days.

    Parameters
    ----------
    table
        `time` and one column of factors [1] a profile.
    title, caption
        Words of the figure.
    """
    figure = go.Figure()
    names = [c for c in table.columns if c != "time"]
    for name, colour in theme.colour_of(names).items():
        line = {"color": colour, "width": 1.8}
        figure.add_trace(go.Scatter(x=table["time"], y=table[name], name=theme.text(name), mode="lines", line=line))
    figure.update_yaxes(title_text="Share of the element's power [1]", rangemode="tozero")
    figure.update_xaxes(tickformat="%a %d %b")
    figure.update_layout(margin={"t": 92}, showlegend=True, hovermode="x unified")
    alt = ", ".join(f"{name} up to {number(table[name].max())}" for name in names)
    return Figure(figure, "profiles", title, caption, f"{alt}.", table)
