"""One visual language for every figure: colours, type, spacing, number formats.

Colours keep apart for the colour-blind (deuteranopia and protanopia) and on grey paper; text on white has a contrast
of at least 4.5.
"""

from __future__ import annotations

import html

import plotly.graph_objects as go

INK = "#1b2733"
MUTED = "#5b6b7a"
RULE = "#d9e0e6"
PAPER = "#ffffff"
FAINT = "#aab6c1"

ACCENT = "#0b6e6e"
GOOD = "#2d7d46"
WARN = "#c77700"
BAD = "#b8321a"

CATEGORIES = ("#0b6e6e", "#c77700", "#2f5fa8", "#b8321a", "#6b4c9a", "#5f7d1f", "#a8457b", "#5b6b7a")
"""Areas, classes, scenarios: in this order, in every figure of a study."""

CLASSES = {
    "residential": CATEGORIES[0],
    "commercial": CATEGORIES[1],
    "industrial": CATEGORIES[4],
    "agricultural": CATEGORIES[5],
    "public": CATEGORIES[7],
}
"""Customer classes, from the largest to the smallest."""

SEQUENCE = ("#dcebea", "#a9d0cd", "#6db1ad", "#2f8f8b", "#0b6e6e", "#06494a")
"""From little to much, where much is not bad in itself."""

HEAT = ("#a9bac6", "#6fa3b8", "#2f7d95", "#e0a52f", "#d3661d", "#b8321a")
"""From idle to overloaded, six classes: blue below the middle, amber and red above."""

DIVERGE = ((0.0, "#2f5fa8"), (0.25, "#8fb0d6"), (0.5, "#eef1f3"), (0.75, "#e0a15e"), (1.0, "#b8321a"))
"""From too low to too high around a middle that is right."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"

CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}
"""What every figure is drawn with: nothing in it leaves the machine."""


def template() -> go.layout.Template:
    """Return the plotly template of gridplan; it is never set globally."""
    axis = {
        "gridcolor": RULE,
        "linecolor": FAINT,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": FAINT,
        "ticklen": 4,
        "title": {"font": {"size": 13, "color": MUTED}, "standoff": 10},
        "tickfont": {"size": 12, "color": MUTED},
        "automargin": True,
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": INK},
            "title": {
                "font": {"size": 16, "color": INK},
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "y": 1,
                "yref": "container",
                "yanchor": "top",
                "pad": {"t": 14},
            },
            "colorway": list(CATEGORIES),
            "paper_bgcolor": PAPER,
            "plot_bgcolor": PAPER,
            "margin": {"l": 64, "r": 24, "t": 56, "b": 56},
            "xaxis": {**axis, "showgrid": False},
            "yaxis": axis,
            "legend": {
                "orientation": "h",
                "traceorder": "normal",  # in the order of the parts; plotly turns it round for stacked bars
                "x": 0,
                "y": 1.02,
                "xanchor": "left",
                "yanchor": "bottom",
                "font": {"size": 12},
            },
            "hoverlabel": {"bgcolor": PAPER, "bordercolor": FAINT, "font": {"family": FONT, "size": 12, "color": INK}},
            "hovermode": "closest",
            "separators": ".\u2009",
            "height": 420,
        }
    )


def text(value: object) -> str:
    """Escape a name from the study for use in a figure, so that ``<b>`` shows as written.

    Examples
    --------
    >>> text("Station <b>")
    'Station &lt;b&gt;'
    """
    return html.escape(str(value), quote=False)


def colour_of(names: list[str]) -> dict[str, str]:
    """Give each name its colour, the same in every figure that gets the names in this order."""
    return {name: CATEGORIES[i % len(CATEGORIES)] for i, name in enumerate(names)}


def colour_bar(title: str) -> dict:
    """Return the settings of a colour bar: its title stands beside it, where it touches no number."""
    return {"title": {"text": title, "side": "right", "font": {"size": 12}}, "thickness": 12, "outlinewidth": 0}
