"""Controls above, outputs below: what every explorer is made of."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

Model = Callable[..., Sequence[Any]]


class Explorer(widgets.VBox):
    """Controls above, the outputs of the model below, a fault as an alert in between.

    Parameters
    ----------
    model
        Called with the value of every control by name; returns what to show.
    controls
        Name -> widget with a `value`.

    Attributes
    ----------
    shown
        What the model returned last; empty after a fault.
    fault
        What went wrong in the last call, or nothing.
    """

    def __init__(self, model: Model, controls: Mapping[str, widgets.ValueWidget]) -> None:
        self.model = model
        self.controls = dict(controls)
        self.shown: tuple[Any, ...] = ()
        self.fault = ""
        self._alert = widgets.HTML()
        self._screen = widgets.Output()
        for control in self.controls.values():
            control.observe(self._redraw, names="value")
        row = widgets.Box(list(self.controls.values()), layout=widgets.Layout(flex_flow="row wrap", grid_gap="4px 24px"))
        super().__init__([row, self._alert, self._screen])
        self._redraw()

    def _redraw(self, _change: object = None) -> None:
        values = {name: control.value for name, control in self.controls.items()}
        try:
            shown = tuple(self.model(**values))
            screen, fault = tuple(_display(output) for output in shown), ""
        except Exception as error:  # noqa: BLE001 - inside observe it would reach the log only, and the reader would see old results
            shown, screen, fault = (), (), f"{type(error).__name__}: {error}"
        self.shown, self.fault = shown, fault
        self._alert.value = (
            f'<div role="alert" style="white-space:pre-wrap">{html.escape(self.fault)}</div>' if self.fault else ""
        )
        self._screen.outputs = screen


def _display(output: Any) -> dict[str, Any]:
    data, metadata = output._repr_mimebundle_()
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def slider(label: str, value: float, bounds: tuple[float, float], step: float, unit: str) -> widgets.FloatSlider:
    """Return a slider that reports once, when it is released.

    Parameters
    ----------
    label
        What is set.
    value
        First value.
    bounds
        Lowest and highest value.
    step
        Step of the slider.
    unit
        Unit of the value, shown after it.
    """
    low, high = bounds
    return widgets.FloatSlider(
        value,
        min=low,
        max=high,
        step=step,
        description=f"{label} [{unit}]",
        continuous_update=False,
        readout_format=f".{max(0, math.ceil(-math.log10(step)))}f",
        style={"description_width": "initial"},
        layout={"width": "380px"},
    )


def choice(label: str, options: Sequence[str]) -> widgets.Dropdown:
    """Return a drop-down list whose first entry is chosen."""
    return widgets.Dropdown(
        options=list(options), description=label, style={"description_width": "initial"}, layout={"width": "380px"}
    )
