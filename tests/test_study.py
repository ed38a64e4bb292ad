"""Studies read from and written to folders and workbooks."""

import csv
import gzip
import pickle
import shutil
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridplan import study as module
from gridplan.errors import StudyError
from gridplan.study import read_study

# Text as people type it: no control codes, no blanks at the ends, one kind of line break.
TEXT = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=12).filter(
    lambda text: text == text.strip()
)
# A test that takes a folder from a fixture writes to names of its own in it.
LENIENT = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


TINY = ("study.toml", "customers.csv", "assignments.csv", "profiles.csv", "assumptions.csv", "sources.csv")


def problems(path: Path) -> list:
    with pytest.raises(StudyError) as caught:
        read_study(path)
    return list(caught.value.problems)


def places(path: Path) -> list[tuple]:
    return [(p.where, p.row, p.column) for p in problems(path)]


def assert_same(one, other):
    assert set(one.tables) == set(other.tables)
    for key in ("name", "title", "description", "base_year", "currency"):
        assert getattr(one, key) == getattr(other, key)
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, other.tables[name])
    pd.testing.assert_frame_equal(one.assumptions.register, other.assumptions.register)


# --- reading ----------------------------------------------------------------------------------------------------------------


def test_a_study_is_read_with_its_types(tiny):
    study = read_study(tiny())
    assert (study.name, study.base_year, study.currency, study.description) == ("tiny", 2025, "EUR", "")
    assert study.network == "pandapower:mv_oberrhein"
    assert study.table("customers")["customers"].tolist() == [12, 3, 1]
    assert study.table("profiles")["time"].dtype == "datetime64[ns]"
    assert {file.name for file in study.files} == set(TINY)


def test_the_study_file_stands_for_its_folder(tiny):
    folder = tiny()
    assert read_study(folder / "study.toml").path == read_study(folder).path == folder


def test_a_network_file_becomes_an_absolute_path_among_the_files(tiny):
    folder = tiny(study_toml='[study]\nname="t"\ntitle="T"\nnetwork="net.json"\nbase_year=2025\n')
    (folder / "net.json").write_text("{}")
    found = problems(folder)
    assert [str(p) for p in found] == [
        "sources.csv, column 'file': has no row for 'net.json'; add a row with its content, source and licence"
    ]
    with (folder / "sources.csv").open("a") as file:
        file.write("net.json,Network,GIS,CC0-1.0\n")
    study = read_study(folder)
    assert study.network == str(folder / "net.json")
    assert folder / "net.json" in study.files


def test_a_compressed_table_is_read_as_a_plain_one(tiny):
    folder = tiny()
    plain = read_study(folder)
    file = folder / "profiles.csv"
    (folder / "profiles.csv.gz").write_bytes(gzip.compress(file.read_bytes()))
    assert places(folder) == [("profiles.csv.gz", None, None)]  # which of the two is meant?
    file.unlink()
    assert_same(plain, read_study(folder))


def test_tables_come_as_copies_and_unknown_ones_with_a_suggestion(tiny):
    study = read_study(tiny())
    study.table("customers")["customers"] = 0
    assert study.table("customers")["customers"].sum() == 16
    with pytest.raises(StudyError, match="did you mean 'customers'"):
        study.table("custmers")
    with pytest.raises(StudyError, match=r"is not in this study; add areas\.csv"):
        study.table("areas")


def test_a_study_travels_to_another_process(tiny):
    study = read_study(tiny())
    assert_same(study, pickle.loads(pickle.dumps(study)))


def test_a_study_shows_itself_without_running_what_it_holds(tiny):
    toml = "[study]\nname='x'\ntitle='<script>alert(1)</script>'\nnetwork='pandapower:mv_oberrhein'\nbase_year=2025\n"
    study = read_study(tiny(study_toml=toml))
    assert "<script>" not in study._repr_html_()
    assert "&lt;script&gt;" in study._repr_html_()
    assert "customers (3)" in repr(study)


# --- assumptions ------------------------------------------------------------------------------------------------------------


def test_the_study_overrides_a_default_and_the_register_says_so(tiny):
    assumptions = read_study(tiny()).assumptions
    assert assumptions["vm_max_pu"] == 1.06
    assert assumptions["vm_min_pu"] == 0.95
    origin = assumptions.register.set_index("assumption")["origin"]
    assert (origin["vm_max_pu"], origin["vm_min_pu"]) == ("study", "default")
    assert len(assumptions) == len(set(assumptions)) == len(origin)
    assert "vm_min_pu" in assumptions._ipython_key_completions_()
    with pytest.raises(StudyError, match="did you mean 'vm_max_pu'"):
        assumptions["vm_max"]


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [
        ("vm_max_pi,1.06,pu,s,V,", "assumption", "did you mean 'vm_max_pu'"),
        ("vm_max_pu,106,%,s,V,", "unit", "give the value in pu"),
        ("vm_max_pu,106,pu,s,V,", "value", "106 is outside 1 to 1.5"),
        ("vm_max_pu,1.06,pu,s,guess,", "evidence", "'guess' is not allowed"),
        ("vm_max_pu,,pu,s,V,", "value", "is empty"),
    ],
)
def test_an_assumption_that_cannot_be_meant_is_a_problem(tiny, row, column, message):
    found = problems(tiny(assumptions=f"assumption,value,unit,source,evidence,note\n{row}\n"))
    assert [(p.row, p.column) for p in found] == [(2, column)]
    assert message in str(found[0])


def test_a_study_may_have_assumptions_of_its_own(tiny):
    text = "assumption,value,unit,source,evidence,note\nstations_per_engineer,120,1,HR,V,\n"
    assert read_study(tiny(assumptions=text)).assumptions["stations_per_engineer"] == 120


# --- what is wrong, all of it at once ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[study\n", "study.toml: is no valid TOML: .*line 1"),
        ("name = 'x'\n", r"study.toml: has no section \[study\]"),
        ("[studdy]\nname = 'x'\n", r"\[studdy\] is not known; did you mean 'study'"),
        (
            "[study]\nname='x'\ntitle='X'\ndescripton='x'\nnetwork='pandapower:x'\nbase_year=2025\n",
            "key 'descripton', row 4: is no key of a study; did you mean 'description'",
        ),
        (
            "[study]\nname='x'\ntitle='X'\nnetwork='pandapower:x'\nbase_year='soon'\n",
            "key 'base_year', row 5: 'soon' is no whole number",
        ),
        ("[study]\nname='x'\ntitle='X'\nnetwork='pandapower:x'\n", "key 'base_year'.*is required and missing"),
        ("[study]\nname='x'\ntitle=['X']\nnetwork='pandapower:x'\nbase_year=2025\n", "key 'title', row 3: holds neither text"),
        ("[study]\nname='x'\ntitle='X'\nnetwork='net.jsn'\nbase_year=2025\n", "key 'network', row 4: there is no file 'net.jsn'"),
    ],
)
def test_a_fault_in_the_settings_is_named_with_its_line(tiny, toml, message):
    with pytest.raises(StudyError, match=message):
        read_study(tiny(study_toml=toml))


def test_settings_and_tables_are_reported_together(tiny):
    folder = tiny(study_toml="[study\n", customers="bus,customer_class,customers\n1,publik,-3\n", profiles=None)
    assert set(places(folder)) == {
        ("study.toml", None, None),
        ("assignments.csv", None, "profile"),
        ("customers.csv", 2, "customer_class"),
        ("customers.csv", 2, "customers"),
        ("sources.csv", 4, "file"),
    }


def test_a_missing_study_is_answered_with_what_is_there(tiny):
    folder = tiny("oberrhein")
    with pytest.raises(StudyError, match=r"there is no folder 'oberhein' in .*; did you mean 'oberrhein'"):
        read_study(folder.parent / "oberhein")
    with pytest.raises(StudyError, match=r"there is no folder 'oberhein' in .*; did you mean 'oberrhein'"):
        read_study(folder.parent / "oberhein" / "plans" / "2040")


@pytest.mark.parametrize(
    ("name", "remedy"), [("custmers.csv", "did you mean 'customers'?"), ("Areas.xlsx", "save it as areas.csv")]
)
def test_a_file_that_looks_like_a_table_is_a_problem(tiny, name, remedy):
    folder = tiny()
    (folder / name).write_text("x")
    assert (name, remedy) in [(p.where, p.remedy) for p in problems(folder)]


def test_every_file_needs_its_source_and_licence(tiny):
    folder = tiny(sources="file,content,source,licence\ncustomers.csv,Customers,Register,\nassigments.csv,Rules,Rule,CC0-1.0\n")
    (folder / "map.png").write_bytes(b"")
    (folder / "README.md").write_text("")
    said = [str(p) for p in problems(folder)]
    assert "sources.csv, row 2, column 'licence': is empty; fill in: text" in said
    assert [s for s in said if "'assignments.csv'" in s and "a row names 'assigments'" in s]
    assert [s for s in said if "'map.png'" in s]
    assert not [s for s in said if "README" in s]
    assert "sources.csv: is missing" in str(problems(tiny("other", sources=None))[0])


def test_a_source_of_a_file_that_is_not_there_is_a_problem(tiny):
    folder = tiny()
    with (folder / "sources.csv").open("a") as file:
        file.write("areas.csv,Areas,GIS,CC0-1.0\npandapower:mv_oberrhein,Network,pandapower,BSD-3-Clause\nREADME.md,x,x,x\n")
    assert [str(p) for p in problems(folder)] == [
        "sources.csv, row 6, column 'file': 'areas.csv' is not in the folder of the study; add the file, or delete the row"
    ]


def test_documents_beside_the_tables_stay_behind_with_their_rows(tiny, tmp_path):
    folder = tiny()
    (folder / "map.png").write_bytes(b"")
    with (folder / "sources.csv").open("a") as file:
        file.write("map.png,Map,GIS,CC0-1.0\n")
    copy = read_study(module.write_study(read_study(folder), tmp_path / "copy"))
    assert "map.png" not in set(copy.table("sources")["file"])


def hourly(steps: int) -> str:
    time = pd.date_range("2024-01-01", periods=steps, freq="h")
    return pd.DataFrame({"time": time, "house_p": 0.5, "shop_p": 0.5, "pv_p": 0.5}).to_csv(index=False)


@pytest.mark.parametrize(("steps", "says"), [(24, "holds 24 h, not a year"), (8759, "8759 h"), (8760, None), (8784, None)])
def test_profiles_that_are_no_year_are_doubted(tiny, steps, says):
    found = [(p.where, p.what) for p in module.doubts(read_study(tiny(profiles=hourly(steps))))]
    assert len(found) == (says is not None)
    assert not says or (found[0][0] == "profiles.csv" and says in found[0][1])


def test_tables_that_notebooks_need_are_named_if_they_are_missing(tiny):
    sources = "file,content,source,licence\nassumptions.csv,Assumptions,Guide,CC0-1.0\n"
    doubt = module.doubts(read_study(tiny(customers=None, assignments=None, profiles=None, sources=sources)))[-1]
    assert str(doubt) == (
        "study: the tables customers, assignments, profiles are missing; notebooks need them; "
        "add customers.csv, assignments.csv, profiles.csv"
    )


FAULTS = {
    "customers.csv": {
        "bus": ["x", "-1", "1.5"],
        "customer_class": ["residental", ""],
        "customers": ["many", "-2", "", "1e99", "inf"],
    },
    "assignments.csv": {"element": ["lod", ""], "element_id": ["-1", "zero"], "profile": ["hose", ""]},
    "profiles.csv": {"house_p": ["NaN", "", "9", "1_0", "one"], "pv_p": ["-6", '"0,5"'], "time": ["noon", ""]},
}
CELLS = [(file, row, column) for file, columns in FAULTS.items() for column in columns for row in (2, 3, 4)]


@LENIENT
@given(data=st.data(), cells=st.sets(st.sampled_from(CELLS), min_size=1, max_size=8))
def test_every_seeded_fault_is_reported_with_its_row_and_column(tiny, tmp_path, data, cells):
    shutil.rmtree(tmp_path / "tiny", ignore_errors=True)
    folder = tiny()
    for file, row, column in cells:
        lines = (folder / file).read_text().splitlines()
        # A cell with a comma is in quotation marks; none of the good ones has any.
        parts = next(csv.reader([lines[row - 1]]))
        parts[lines[0].split(",").index(column)] = data.draw(st.sampled_from(FAULTS[file][column])).strip('"')
        lines[row - 1] = ",".join(f'"{part}"' for part in parts)
        (folder / file).write_text("\n".join(lines) + "\n")
    assert {place for place in places(folder) if place[2] != "time" or place in cells} == cells


# --- writing ----------------------------------------------------------------------------------------------------------------


@st.composite
def tables(draw):
    """Tables of a study with text and numbers of every kind."""
    buses = draw(st.lists(st.integers(0, 2**40), min_size=1, max_size=5, unique=True))
    steps = draw(st.integers(1, 6))
    shares = st.floats(-5, 5, allow_nan=False)
    names = draw(st.lists(TEXT, min_size=1, max_size=3, unique=True))
    time = pd.date_range("2024-02-28 23:45", periods=steps, freq=draw(st.sampled_from(["15min", "h", "D"])))
    shapes = {f"{name}_p": draw(st.lists(shares, min_size=steps, max_size=steps)) for name in names}
    words = st.lists(TEXT, min_size=4, max_size=4)
    files = ["customers", "assignments", "profiles", "sources"]
    return {
        "customers": pd.DataFrame({"bus": buses, "customer_class": "public", "customers": draw(st.integers(0, 10**6))}),
        "assignments": pd.DataFrame({"element": "load", "element_id": range(len(names)), "profile": names}),
        "profiles": pd.DataFrame({"time": time} | shapes),
        "sources": pd.DataFrame({"file": files} | {c: draw(words) for c in ("content", "source", "licence")}),
    }


@LENIENT
@given(content=tables(), title=TEXT)
def test_folder_and_workbook_give_back_what_was_written(tmp_path, content, title):
    for name in ("one", "two"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
    keys = {"name": "n", "title": title, "network": "pandapower:mv_oberrhein", "base_year": 2024}
    study = read_study(module.scaffold(tmp_path / "one", keys, content))
    assert study.title == title
    for name, table in content.items():
        written = study.tables[name][list(table)]
        pd.testing.assert_frame_equal(written, table.astype(written.dtypes.to_dict()), check_dtype=False)
    assert_same(study, read_study(module.write_study(study, tmp_path / "two")))
    assert_same(study, read_study(module.write_workbook(study, tmp_path / "book.xlsx")))


def test_a_workbook_keeps_formulas_as_text_and_moments_exact(tiny, tmp_path):
    folder = tiny(assumptions="assumption,value,unit,source,evidence,note\nvm_max_pu,1.06,pu,=1+1,V,#N/A\n")
    study = read_study(folder)
    book = module.write_workbook(study, tmp_path / "tiny.xlsx")
    cell = openpyxl.load_workbook(book)["assumptions"]["D2"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")
    assert_same(study, read_study(book))


def test_the_network_file_goes_with_the_folder_and_is_named_by_the_workbook(tiny, tmp_path):
    folder = tiny(study_toml='[study]\nname="t"\ntitle="T"\nnetwork="net.json"\nbase_year=2025\n')
    (folder / "net.json").write_text("{}")
    with (folder / "sources.csv").open("a") as file:
        file.write("net.json,Network,GIS,CC0-1.0\n")
    study = read_study(folder)
    assert read_study(module.write_study(study, tmp_path / "copy")).network == str(tmp_path / "copy" / "net.json")
    assert read_study(module.write_workbook(study, tmp_path / "book.xlsx")).network == study.network


def test_a_fault_in_a_workbook_is_named_with_its_sheet(tiny, tmp_path):
    path = module.write_workbook(read_study(tiny()), tmp_path / "tiny.xlsx")
    book = openpyxl.load_workbook(path)
    book["customers"]["C3"] = "many"
    book["profiles"]["A4"] = "noon"
    book["study"]["B5"] = None
    book["study"]["A3"] = "titel"
    book.create_sheet("custmers")
    book.save(path)
    assert set(places(path)) == {
        ("tiny.xlsx, sheet 'customers'", 3, "customers"),
        ("tiny.xlsx, sheet 'profiles'", 4, "time"),
        ("tiny.xlsx, sheet 'custmers'", None, None),
        ("tiny.xlsx, sheet 'study', key 'titel'", 3, None),
        ("tiny.xlsx, sheet 'study', key 'title'", None, None),
        ("tiny.xlsx, sheet 'study', key 'network'", 5, None),
    }


@pytest.mark.parametrize("content", [b"no workbook", b""])
def test_a_file_that_is_no_workbook_is_refused(tmp_path, content):
    path = tmp_path / "study.xlsx"
    path.write_bytes(content)
    assert "cannot be read as a workbook" in str(problems(path)[0])


def test_nothing_is_overwritten_and_nothing_half_written(tiny, tmp_path):
    study = read_study(tiny())
    with pytest.raises(StudyError, match="exists already"):
        module.write_study(study, study.path)
    (tmp_path / "empty").mkdir()
    assert read_study(module.write_study(study, tmp_path / "empty")).name == "tiny"
    before = sorted(tmp_path.iterdir())
    with pytest.raises(StudyError, match="cannot be written"):
        module.scaffold(tmp_path / "new", {"name": "x"}, {}, files={"net.json": tmp_path / "absent.json"})
    broken = study.tables["sources"].assign(content="\x01")
    with pytest.raises(StudyError, match="row 2, column 'content': a cell of a workbook cannot hold this text"):
        module.write_workbook(module.Study(**{**vars(study), "tables": {"sources": broken}}), tmp_path / "x.xlsx")
    assert sorted(tmp_path.iterdir()) == before


def test_a_long_table_is_written_compressed_and_the_same_each_time(tiny, tmp_path):
    study = read_study(tiny())
    time = pd.date_range("2025-01-01", periods=40_000, freq="15min")
    shapes = pd.DataFrame(np.random.default_rng(1).random((40_000, 3)), columns=["house_p", "shop_p", "pv_p"])
    shapes.insert(0, "time", time)
    whole = module.Study(**{**vars(study), "tables": {**study.tables, "profiles": shapes}})
    one, two = (module.write_study(whole, tmp_path / name) / "profiles.csv.gz" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    pd.testing.assert_frame_equal(read_study(tmp_path / "one").table("profiles"), shapes)
