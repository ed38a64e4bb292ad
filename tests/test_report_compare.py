"""What changed between two runs: the tables against differences made by hand, and the page."""

import io
import json
import zipfile

import pandas as pd
import pytest

from gridplan import report
from gridplan.errors import ParameterError, ReportError
from gridplan.report import archive, comparison
from gridplan.report.comparison import _read, _tables


@pytest.fixture(scope="module")
def compared(two_runs, tmp_path_factory):
    return report.compare(two_runs[0].folder, two_runs[1].page, out=tmp_path_factory.mktemp("compare"))


def rows(frame: pd.DataFrame) -> list[tuple]:
    return list(frame.itertuples(index=False, name=None))


def test_every_kind_of_change_is_found(compared):
    found = compared.differences
    assert rows(found.parameters) == [("load_mw", "20", "25")]
    assert dict(zip(found.inputs["file"], found.inputs["standing"], strict=True)) == {
        "customers.csv": "changed",
        "roadmap.csv": "changed",
    }
    customers = found.rows[found.rows["table"] == "customers"].drop(columns="table")
    assert rows(customers) == [
        ("changed", "bus North, customer_class residential", "customers", "10", "12"),
        ("changed", "bus <script>window.ran = 2</script>, customer_class residential", "customers", "20", "21"),
        ("removed", "bus =1+1, customer_class public", "", "customers 5", ""),
        ("added", "bus South, customer_class public", "", "", "customers -1"),
    ]
    plan = found.roadmap.drop(columns="table").fillna(0)
    assert rows(plan) == [
        ("ADMS", "later", 2028, 2030, 2),
        ("DERMS", "added", 0, 2031, 0),
        ("Fibre", "dropped", 2030, 0, 0),
    ]
    figures = found.key_figures.set_index("key_figure")
    assert figures.loc["Peak load", "change"] == 5.0
    assert figures.loc["Customers", "change_words"] == "−3"
    assert found.versions.empty
    assert "2 of 3 key figures changed. 2 input files and 1 parameter differ. In the roadmap, 3 projects" in compared.summary


def test_the_page_shows_it_with_figures_side_by_side(compared):
    page = compared.page.read_text("utf-8")
    assert page.count('<div class="pair">') == 1
    assert "Figures that differ: 1. Figures that are the same: 1." in page
    assert "<script>window.ran" not in page
    assert "&lt;script&gt;window.ran = 2" in page
    assert ">Internal<" in page


def test_a_run_compared_with_itself_differs_in_nothing(two_runs, tmp_path):
    packed = archive.pack(two_runs[0].folder, target=tmp_path / "a.zip", with_inputs=True)
    found = report.compare(two_runs[0].latest, packed, out=tmp_path / "out").differences
    assert set(found.inputs["standing"]) == {"same"}
    assert found.parameters.empty
    assert found.rows.empty
    assert found.roadmap.empty
    assert set(found.results["standing"]) == {"same"}
    assert found.words().startswith("0 of 3 key figures changed. Inputs, parameters and versions are the same.")


def test_without_copies_of_the_inputs_it_says_that_rows_cannot_be_compared(two_runs, tmp_path):
    packed = archive.pack(two_runs[0].folder, target=tmp_path / "a.zip")
    found = report.compare(packed, two_runs[1].folder, out=tmp_path / "out").differences
    assert found.inputs["remark"].str.contains("no copy of it was kept").all()
    assert found.rows.empty


def test_a_run_that_was_changed_is_compared_and_said_to_be(two_runs, tmp_path):
    packed = archive.pack(two_runs[0].folder, target=tmp_path / "a.zip")
    with zipfile.ZipFile(packed, "a") as file:
        file.writestr(f"{file.namelist()[0].partition('/')[0]}/<b>extra", "")
    page = report.compare(packed, two_runs[1].folder, out=tmp_path / "out").page.read_text("utf-8")
    assert '<h2 id="s-not-as-recorded">Not as recorded</h2>' in page
    assert "&lt;b&gt;extra: is additional: the record does not name it" in page


@pytest.mark.parametrize("what", ["none", "folder"])
def test_what_is_no_run_is_refused(tmp_path, what):
    (tmp_path / "folder").mkdir()
    with pytest.raises((ParameterError, ReportError), match=r"does not exist|is missing or cannot be read"):
        report.compare(tmp_path / what, tmp_path / what, out=tmp_path / "out")


def test_a_newest_page_whose_run_is_gone_says_so(tmp_path):
    (tmp_path / "x.html").write_text("x")
    with pytest.raises(ReportError, match=r"the run of .*x\.html is not in its folder any more"):
        report.compare(tmp_path / "x.html", tmp_path / "x.html", out=tmp_path / "out")


# --- tables -----------------------------------------------------------------------------------------------------------------


def table(text: str) -> pd.DataFrame:
    return _read.read_text_table(text.encode())


def test_numbers_that_are_only_written_otherwise_are_the_same():
    assert comparison.changed_rows(table("k,v\na,1\nb,x"), table("k,v\na,1.0\nb,x"), ["k"]).empty
    assert comparison.changed_rows(table("k;v\na;1"), table("k,v\na,1"), ["k"]).empty


def test_rows_without_a_key_are_counted():
    found = comparison.changed_rows(table("a,b\n1,2\n1,2\n3,4"), table("a,b\n1,2\n5,6"))
    assert sorted(zip(found["change"], found["before"] + found["after"], strict=True)) == [
        ("added", "a 5, b 6"),
        ("removed", "a 1, b 2"),
        ("removed", "a 3, b 4"),
    ]


def test_a_key_that_is_there_twice_is_none():
    found = comparison.changed_rows(table("k,v\na,1\na,2"), table("k,v\na,1\na,3"), ["k"])
    assert sorted(found["change"]) == ["added", "removed"]


def test_columns_that_come_and_go_are_named():
    found = comparison.changed_rows(table("k,v\na,1"), table("k,w\na,1"), ["k"])
    assert rows(found[["change", "row", "column"]]) == [("removed", "every row", "v"), ("added", "every row", "w")]


def test_a_table_that_comes_or_goes_is_all_added_or_removed():
    found = comparison.changed_rows(pd.DataFrame(), table("k,v\na,1\nb,2"), ["k"])
    assert rows(found[["change", "after"]]) == [("added", "k a, v 1"), ("added", "k b, v 2")]


def test_random_changes_are_all_found_and_nothing_else():
    import numpy as np

    rng = np.random.default_rng(1)
    before = pd.DataFrame({"k": range(200), "a": rng.integers(0, 9, 200), "b": rng.integers(0, 9, 200)}).astype(str)
    after = before.sample(frac=1, random_state=2).iloc[:190].copy()
    changed = after.index[:15]
    after.loc[changed, "a"] = "x"
    after = pd.concat([after, pd.DataFrame({"k": ["900", "901"], "a": "1", "b": "2"})])
    found = comparison.changed_rows(before, after, ["k"])
    assert found["change"].value_counts().to_dict() == {"changed": 15, "removed": 10, "added": 2}
    assert set(found.loc[found["change"] == "changed", "row"]) == {f"k {before.loc[i, 'k']}" for i in changed}


def test_projects_move_by_area_and_a_year_that_is_empty_is_none():
    old = pd.DataFrame({"project": ["p", "p", "q"], "area": ["a", "b", "a"], "start_year": ["2027", "2028", ""]})
    new = pd.DataFrame({"project": ["p", "p", "q"], "area": ["a", "b", "a"], "start_year": ["2026", "2028", "2030"]})
    found = comparison.roadmap_changes(old, new)
    assert rows(found.fillna(0)) == [("p", "a", "earlier", 2027, 2026, -1), ("q", "a", "added", 0, 2030, 0)]


def test_every_kind_of_study_file_is_read_as_tables(tmp_path):
    import gzip

    assert _read.tables_in("a.csv.gz", gzip.compress(b"x,y\n1,2\n"))["a"].to_dict("list") == {"x": ["1"], "y": ["2"]}
    assert rows(_read.tables_in("study.toml", b'[study]\nname = "n"\n')["study.toml"]) == [("study.name", "n")]
    book = io.BytesIO()
    pd.DataFrame({"bus": [1]}).to_excel(book, sheet_name="customers", index=False)
    assert _read.tables_in("s.xlsx", book.getvalue())["customers"]["bus"].tolist() == ["1"]
    for broken in ("a.csv.gz", "a.toml", "a.xlsx", "a.json", "a.pdf"):
        assert _read.tables_in(broken, b"\x00\xff{") == {}


def test_a_network_is_compared_element_by_element(tmp_path):
    import pandapower as pp

    net = pp.create_empty_network()
    for n in range(3):
        pp.create_bus(net, 20.0, name=f"B{n}")
    pp.to_json(net, tmp_path / "a.json")
    net.bus.loc[1, "vn_kv"] = 10.0
    pp.to_json(net, tmp_path / "b.json")
    old, new = (_read.tables_in("net.json", (tmp_path / f).read_bytes()) for f in ("a.json", "b.json"))
    found = comparison.changed_rows(old["net: bus"], new["net: bus"], _tables.keys_of("net: bus"))
    assert rows(found) == [("changed", "index 1", "vn_kv", "20.0", "10.0")]


def test_the_record_of_a_run_holds_its_key_figures_as_numbers(two_runs):
    figures = json.loads(two_runs[1].manifest.read_text("utf-8"))["key_figures"]
    assert [(f["key"], f["number"], f["unit"]) for f in figures][:2] == [("Peak load", 25.0, "MW"), ("Customers", 32, "")]
    assert figures[2]["number"] is None
