"""Explorers without a browser: set a control, read what is shown."""

import pandas as pd
import pytest

from gridplan import explorers, figures


def model(share: float, kind: str):
    if share > 150:
        raise ValueError("<b>too much</b>")
    return [figures.prose("{kind} at {share:.0f} %", kind=kind, share=share)]


@pytest.fixture
def explorer() -> explorers.Explorer:
    return explorers.Explorer(
        model,
        {"share": explorers.slider("Load", 100, (50, 200), 5, "%"), "kind": explorers.choice("Show", ["voltage", "loading"])},
    )


def test_it_shows_the_first_values_at_once(explorer):
    assert explorer.shown[0].markdown == "voltage at 100 %"


def test_a_released_control_recomputes(explorer):
    explorer.controls["share"].value = 120
    explorer.controls["kind"].value = "loading"
    assert explorer.shown[0].markdown == "loading at 120 %"
    assert explorer._screen.outputs[0]["data"]["text/markdown"] == "loading at 120 %"


def test_a_slider_reports_once_and_names_its_unit(explorer):
    assert explorer.controls["share"].continuous_update is False
    assert explorer.controls["share"].description == "Load [%]"


def test_a_fault_is_an_alert_and_old_results_go(explorer):
    explorer.controls["share"].value = 200
    assert explorer.shown == ()
    assert explorer._screen.outputs == ()
    assert 'role="alert"' in explorer._alert.value
    assert "&lt;b&gt;too much" in explorer._alert.value
    explorer.controls["share"].value = 100
    assert explorer._alert.value == ""


def test_tables_are_shown_too():
    table = figures.Table(pd.DataFrame({"customers": [3]}), "t", "T")
    assert explorers.Explorer(lambda: [table], {}).shown == (table,)


@pytest.mark.parametrize(("step", "shown"), [(5, ".0f"), (0.5, ".1f"), (0.005, ".3f")])
def test_a_slider_shows_as_many_decimals_as_its_step_has(step, shown):
    assert explorers.slider("Voltage", 1, (0, 2), step, "pu").readout_format == shown
