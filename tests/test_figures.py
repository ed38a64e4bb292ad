"""What a notebook shows: words, numbers and pictures that a reader can rely on."""

import doctest
import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from gridplan import figures
from gridplan.figures import maps, operation, outputs, theme

PLOTLY = outputs.PLOTLY


def bundle(output) -> tuple[dict, dict]:
    return output._repr_mimebundle_()


@pytest.fixture
def where() -> maps.Map:
    points = pd.DataFrame({"x": [7.0, 7.1, 7.2], "y": [48.0, 48.05, 48.0]}, index=[10, 11, 12])
    paths = {1: points.loc[[10, 11]].to_numpy(), 2: points.loc[[11, 12]].to_numpy()}
    return maps.Map(paths, points, substations=[10], open_points=[12])


def lines(values: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"line": [1, 2], "name": ["Line 1", "<script>alert(1)</script>"], "loading_max_percent": values})


@pytest.mark.parametrize("module", [outputs, theme])
def test_examples_in_docstrings_hold(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def test_a_figure_brings_its_words_and_its_data():
    frame = pd.DataFrame({"area": ["A"], "vm_min_pu": [0.97]})
    figure = figures.Figure(
        go.Figure(go.Bar(x=["A"], y=[0.97])), "lowest", "It sags in A", "Lowest voltage [pu].", "A: 0.97 pu", frame
    )
    data, meta = bundle(figure)
    assert meta["gridplan"] == {
        "kind": "figure",
        "name": "lowest",
        "title": "It sags in A",
        "caption": "Lowest voltage [pu].",
        "alt": "A: 0.97 pu",
    }
    assert data["text/csv"].splitlines()[1] == "A,0.97"
    assert data[PLOTLY]["layout"]["title"]["text"] == "It sags in A"
    json.dumps(data)


def test_nothing_a_figure_is_drawn_with_leaves_the_machine():
    assert theme.CONFIG["showSendToCloud"] is False
    assert theme.CONFIG["plotlyServerURL"] == ""
    assert theme.CONFIG["displaylogo"] is False


def test_a_name_that_is_script_shows_as_text(where):
    figure = maps.loading(where, lines([10.0, 120.0]), title="Loading", caption="")
    data, _ = bundle(figure)
    assert "<script>" not in json.dumps(data[PLOTLY])
    assert "&lt;script&gt;" in json.dumps(data[PLOTLY])


def test_a_table_escapes_its_cells():
    table = figures.Table(pd.DataFrame({"name": ["<b>x</b>"], "customers": [1234]}), "t", "T")
    html = bundle(table)[0]["text/html"]
    assert "<b>" not in html
    assert "&lt;b&gt;x&lt;/b&gt;" in html
    assert "1\u2009234" in html


def test_a_long_table_says_how_many_rows_it_leaves_out_and_gives_all_in_the_csv():
    frame = pd.DataFrame({"customers": np.arange(100)})
    data, _ = bundle(figures.Table(frame, "t", "T", rows=10))
    assert "90 further rows" in data["text/html"]
    assert len(data["text/csv"].splitlines()) == 101


def test_prose_shows_names_as_written_and_missing_numbers_as_such():
    text = figures.prose("{name}: {value:.1f} MW, {whole:,.0f}", name="*<i>*", value=float("nan"), whole=35040).markdown
    assert text == "\\*&lt;i&gt;\\*: not available MW, 35\u2009040"


def test_cards_carry_numbers_with_units():
    cards = figures.Cards([figures.Card("Peak", 31.256, "MW", "of 50 MVA", "good", digits=1)])
    data, meta = bundle(cards)
    shown = {"label": "Peak", "value": "31.3", "unit": "MW", "note": "of 50 MVA", "status": "good"}
    assert meta["gridplan"]["cards"] == [{**shown, "number": 31.256}]
    assert "31.3" in data["text/html"]


def test_lines_fall_into_their_loading_classes_and_missing_results_are_shown(where):
    names = [t.name for t in maps.loading(where, lines([100.0, float("nan")]), title="", caption="").figure.data]
    assert "100 % and more" in names
    assert "no result" in names


def test_a_map_asks_for_no_tiles_and_keeps_the_shape_of_the_country(where):
    buses = pd.DataFrame({"bus": [11], "name": ["B"], "vm_min_pu": [0.98], "vm_max_pu": [1.01]})
    figure = maps.voltage(where, buses, "vm_max_pu", (0.95, 1.05), title="").figure
    assert {t.type for t in figure.data} == {"scatter"}
    assert figure.layout.yaxis.scaleratio == pytest.approx(1 / np.cos(np.radians(48.0167)), rel=1e-4)


def test_a_duration_curve_says_its_highest_values():
    curves = pd.DataFrame({"series": ["load"] * 2, "share_percent": [0.0, 100.0], "p_mw": [20.0, 5.0]})
    figure = operation.duration(curves, "p_mw", name="load", title="", caption="")
    assert "20" in figure.alt
    assert list(figure.figure.data[0].y) == [20.0, 5.0]


def test_a_year_is_a_name_and_a_value_has_the_decimals_of_its_unit():
    table = figures.Table(pd.DataFrame({"year": [2030], "value": [1.0464], "unit": ["pu"], "elements": [27]}), "t", "T")
    html = bundle(table)[0]["text/html"]
    assert ">2030<" in html
    assert ">1.046<" in html
    assert ">27<" in html
