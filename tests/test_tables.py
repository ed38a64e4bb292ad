"""The column dictionary, the checks of tables, and CSV text."""

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridplan import tables
from gridplan.errors import ParameterError, StudyError
from gridplan.tables import _dictionary

CUSTOMERS = pd.DataFrame({"bus": ["1", "2"], "customer_class": ["residential", "public"], "customers": ["12", "3"]})


def problems(raw: dict[str, pd.DataFrame]) -> list[tuple]:
    """Row, column, what and remedy of every problem."""
    with pytest.raises(StudyError) as caught:
        tables.check(raw)
    return [(p.row, p.column, p.what, p.remedy) for p in caught.value.problems]


def customers(column: str, *cells: object) -> dict[str, pd.DataFrame]:
    frame = pd.DataFrame({"bus": range(len(cells)), "customer_class": "public", "customers": 1})
    return {"customers": frame.assign(**{column: pd.Series(cells, dtype=object)})}


def profiles(*times: str, **columns: list) -> dict[str, pd.DataFrame]:
    return {"profiles": pd.DataFrame({"time": times} | (columns or {"a_p": ["1"] * len(times)}))}


# --- the dictionary ---------------------------------------------------------------------------------------------------------


def test_every_row_of_the_dictionary_is_complete():
    rows = tables.columns()
    assert not rows.duplicated(["table", "column"]).any()
    assert set(rows["type"]) <= {"str", "int", "float", "bool", "datetime"}
    assert set(rows["required"]) <= {"yes", "no", "filled"}
    assert set(rows["key"]) <= {"yes", "no"}
    assert (rows[["label", "description"]] != "").all(axis=None)
    rows = rows[rows["table"] != "results"]  # labels of what the code computes
    assert (
        rows.loc[rows["type"].isin(["int", "float"]) & ~rows["column"].str.contains("bus|_id|value|^switch$"), "unit"] != ""
    ).all()


def test_the_dictionary_page_in_the_repository_is_current():
    page = Path(__file__).parents[1] / "data" / "DICTIONARY.md"
    assert page.read_text(encoding="utf-8") == tables.dictionary_markdown(), "run: gridplan dictionary > data/DICTIONARY.md"


def test_labels_carry_their_unit_and_profiles_their_name():
    assert tables.label("customers", "customers") == "Customers"
    assert tables.label("base_year") == "Base year [yr]"
    assert tables.label("house_p", "profiles") == "Active power of profile house"
    assert tables.unit("house_p", "profiles") == "1"


@pytest.mark.parametrize("call", [lambda: tables.label("custmers", "customers"), lambda: tables.schema("custmers")])
def test_an_unknown_name_is_answered_with_the_nearest(call):
    with pytest.raises(ParameterError, match="did you mean 'customers'"):
        call()


def test_callers_cannot_change_the_dictionary():
    mine = tables.columns()
    mine["label"] = "x"
    assert "x" not in set(tables.columns()["label"])


def test_the_schema_of_a_table_is_a_pandera_schema_that_refuses_what_the_dictionary_forbids():
    typed = tables.check({"customers": CUSTOMERS})["customers"].astype({"bus": "Int64", "customers": "Int64"})
    tables.schema("customers").validate(typed)
    with pytest.raises(pa.errors.SchemaError):
        tables.schema("customers").validate(typed.assign(customers=pd.array([-1, 1], dtype="Int64")))


# --- cells ------------------------------------------------------------------------------------------------------------------


def test_cells_become_the_types_of_the_dictionary_and_the_input_stays():
    before = CUSTOMERS.copy()
    typed = tables.check({"customers": CUSTOMERS})["customers"]
    assert typed["bus"].dtype == "int64"
    assert typed["customers"].tolist() == [12, 3]
    pd.testing.assert_frame_equal(CUSTOMERS, before)


@pytest.mark.parametrize(
    ("cell", "what", "remedy"),
    [
        ("abc", "'abc' is no whole number", None),
        ("1.5", "'1.5' is no whole number", None),
        ("1,5", "'1,5' is no whole number", "write 1.5 with a decimal point"),
        ("1,500", "'1,500' is no whole number", "write 1500, or a decimal point if a fraction is meant"),
        ("1 500", "'1 500' is no whole number", "leave out thousands separators and write a decimal point"),
        ("1_500", "'1_500' is no whole number", None),
        ("١٢", "'١٢' is no whole number", None),
        ("NaN", "'NaN' is no whole number", "give a finite number"),
        ("inf", "'inf' is no whole number", "give a finite number"),
        ("", "is empty", "fill in: whole number"),
        ("  ", "is empty", "fill in: whole number"),
        (None, "is empty", "fill in: whole number"),
        (np.nan, "is empty", "fill in: whole number"),
        (np.inf, "'inf' is no whole number", "give a finite number"),
        (True, "'true' is no whole number", None),
        ("1e300", "'1e300' is no whole number", None),
        (-1, "-1 is below 0", None),
    ],
)
def test_a_cell_that_is_no_number_is_quoted_as_found(cell, what, remedy):
    assert problems(customers("customers", 1, cell)) == [(3, "customers", what, remedy)]


def test_a_value_out_of_range_is_named_with_its_limit_and_unit():
    frame = pd.DataFrame({"name": ["x"], "title": ["X"], "network": ["n"], "base_year": ["1066"]})
    assert problems({"study": frame}) == [(2, "base_year", "1066 is below 1990 [yr]", None)]


@pytest.mark.parametrize(
    ("cell", "remedy"), [("residental", "did you mean 'residential'?"), ("PUBLIC", "did you mean 'public'?")]
)
def test_a_misspelt_category_is_answered_with_a_suggestion(cell, remedy):
    assert problems(customers("customer_class", "public", cell)) == [(3, "customer_class", f"'{cell}' is not allowed", remedy)]


def test_many_equal_problems_are_counted_not_listed():
    found = problems(customers("customers", 1, *["abc"] * 1000))
    assert [row for row, *_ in found] == [3, 4, 5, 6]
    assert found[-1][2] == "the same in 997 more rows, the last of them row 1002"


def test_booleans_are_read_as_people_write_them(monkeypatch):
    row = _dictionary.Spec("t", "on", "bool", "", False, "yes", None, None, (), "", "On", "Whether it is on")
    monkeypatch.setattr("gridplan.tables._checks.specs", lambda: {"t": (row,)})
    monkeypatch.setattr(_dictionary, "specs", lambda: {"t": (row,)})
    typed = tables.check({"t": pd.DataFrame({"on": ["yes", "FALSE", "1", True]})})["t"]
    assert typed["on"].tolist() == [True, False, True, True]
    assert typed["on"].dtype == bool
    assert problems({"t": pd.DataFrame({"on": ["perhaps"]})}) == [
        (2, "on", "'perhaps' is neither yes nor no", "write true or false")
    ]


# --- columns, keys, times, references ---------------------------------------------------------------------------------------


def test_missing_unknown_and_repeated_columns_are_named():
    frame = pd.DataFrame([["1", "1", "public", "5"]], columns=["bus", "bus", "custmer_class", "customers"])
    found = problems({"customers": frame})
    assert (1, "bus", "occurs twice", "rename or delete one of them") in found
    assert (1, "custmer_class", "is no column of this table", "did you mean 'customer_class'?") in found
    assert (1, "customer_class", "is required and missing; class of customer", "add a column 'customer_class'") in found
    assert len(found) == 3


def test_an_unknown_table_is_answered_with_a_suggestion():
    assert problems({"custmers": CUSTOMERS})[0][2:] == ("'custmers' is no table of a study", "did you mean 'customers'?")


def test_a_repeated_key_names_the_row_above():
    frame = pd.concat([CUSTOMERS, CUSTOMERS.iloc[:1]], ignore_index=True)
    what = "bus 1 and customer_class residential stands in row 2 already"
    assert problems({"customers": frame}) == [(4, "customer_class", what, "delete or correct one of them")]


def test_times_must_be_in_equal_steps_of_standard_time():
    found = problems(profiles("2025-03-30 00:00", "2025-03-30 01:00", "2025-03-30 03:00", "2025-03-30 04:00"))
    assert [(row, column) for row, column, *_ in found] == [(4, "time")]
    assert found[0][2] == "comes 120 min after the row above; elsewhere it is 60 min"


@pytest.mark.parametrize("cell", ["31.12.2025 00:15", "2025-02-30 00:15", "2025-01-01 00:15+01:00", "2025-01-01T00:15Z", "soon"])
def test_a_time_that_cannot_be_read_is_quoted(cell):
    found = problems(profiles("2025-01-01 00:00", cell))
    assert found == [
        (3, "time", f"'{cell}' is no date and time", "write local standard time as 2026-01-31 13:45, without a zone")
    ]


def test_a_profile_column_has_no_gap_and_reactive_power_needs_its_active_power():
    found = problems(profiles("2025-01-01", "2025-01-02", a_p=["1", ""], a_q=["", "1"], b_q=["1", "1"]))
    assert [(row, column) for row, column, *_ in found] == [(3, "a_p"), (2, "a_q"), (1, "b_q")]


def test_profiles_without_a_profile_miss_a_column():
    assert problems({"profiles": pd.DataFrame({"time": ["2025-01-01"]})})[0][:2] == (1, "*_p")


def test_references_between_tables_are_checked():
    assigned = pd.DataFrame({"element": ["load", "load"], "element_id": [0, 1], "profile": ["hose", "house"]})
    shapes = profiles("2025-01-01", house_p=["1"])
    assert problems({"assignments": assigned} | shapes) == [
        (2, "profile", "'hose' is not in 'profiles'", "did you mean 'house'?")
    ]
    assert problems({"assignments": assigned}) == [
        (None, "profile", "refers to the table 'profiles', which is absent", "add the table 'profiles'")
    ]


def test_absent_optional_columns_are_added_empty():
    frame = pd.DataFrame({"file": ["a.csv"], "content": ["A"], "source": ["B"], "licence": ["CC0-1.0"]})
    assert tables.check({"sources": frame})["sources"]["derivation"].tolist() == [""]


def test_the_problems_of_all_tables_come_at_once():
    found = problems(customers("bus", "x") | profiles("2025-01-01", a_p=["9"]))
    assert [(row, column) for row, column, *_ in found] == [(2, "bus"), (2, "a_p")]


# --- CSV files --------------------------------------------------------------------------------------------------------------


def read(tmp_path: Path, content: bytes, table: str = "profiles") -> tuple:
    file = tmp_path / f"{table}.csv"
    file.write_bytes(content)
    cells, found = tables.read_csv(file, table)
    return cells, [(p.row, p.column, p.what) for p in found]


def test_a_german_export_is_read(tmp_path):
    cells, found = read(tmp_path, "\ufefftime;a_p\r\n2025-01-01;0,123\r\n2025-01-02;-1,5\r\n".encode())
    assert not found
    assert tables.check({"profiles": cells})["profiles"]["a_p"].tolist() == [0.123, -1.5]


def test_commas_that_may_be_thousands_separators_are_not_guessed(tmp_path):
    cells, _ = read(tmp_path, b"time;a_p\n2025-01-01;1,234\n")
    assert problems({"profiles": cells})[0][2] == "'1,234' is no number"


def test_two_decimal_signs_in_one_file_are_a_problem(tmp_path):
    _, found = read(tmp_path, b"time;a_p\n2025-01-01;0,5\n2025-01-02;1.234\n")
    assert found == [(3, "a_p", "'1.234' has a decimal point where other cells of the file have a decimal comma")]


def test_empty_lines_do_not_shift_the_rows(tmp_path):
    cells, found = read(tmp_path, b'file,content,source,licence\n\n"a\nb",x,y,z\n,,,\n,x,y,z\n', "sources")
    assert not found
    assert problems({"sources": cells})[0][:2] == (5, "file")


@pytest.mark.parametrize(
    ("content", "row", "what"),
    [
        (b"time,a_p\n2025-01-01,1\n2025-01-02,1,7\n", 3, "has more cells than the 2 of the heading"),
        (b"time,a_p,\n2025-01-01,1,\n", None, None),
        (b"time,,a_p\n2025-01-01,3,1\n", 1, "column 2 has no heading"),
        (b"", None, "has no heading in row 1"),
        ("time,a_p\n\xe4".encode("latin-1"), 2, "is not UTF-8 text: byte 0xE4"),
        (b'time,a_p\n"2025', 2, "cannot be read: unexpected end of data"),
    ],
)
def test_a_file_of_the_wrong_shape_is_described(tmp_path, content, row, what):
    _, found = read(tmp_path, content)
    assert [(at, said) for at, _, said in found] == ([(row, what)] if what else [])


def test_a_damaged_archive_is_described(tmp_path):
    file = tmp_path / "profiles.csv.gz"
    file.write_bytes(b"\x1f\x8b no gzip")
    cells, found = tables.read_csv(file, "profiles")
    assert cells is None
    assert "cannot be read" in found[0].what


# --- CSV text ---------------------------------------------------------------------------------------------------------------


def test_text_that_a_spreadsheet_would_run_is_neutralised_and_numbers_are_not():
    frame = pd.DataFrame(
        {"=a": ["=1+1", "+x", "-x", "@x", "\tx", "\rx"], "n": [-1.5, 2, 3, 4, 5, 6], "t": ["-1.5", "-", "a", "", None, 7]}
    )
    rows = list(csv.reader(io.StringIO(tables.to_csv(frame), newline="")))
    assert rows[0] == ["'=a", "n", "t"]
    assert [row[0] for row in rows[1:]] == ["'=1+1", "'+x", "'-x", "'@x", "'\tx", "'\nx"]
    assert [row[1] for row in rows[1:3]] == ["-1.5", "2.0"]
    assert [row[2] for row in rows[1:]] == ["-1.5", "-", "a", "", "", "7"]


@given(st.text())
def test_no_text_is_left_that_runs_and_none_is_lost(text):
    safe = tables.escape_formula(text)
    assert tables.unescape_formula(safe) == text
    assert not safe.startswith(("=", "@", "\t", "\r"))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive_csv_text_exactly(number):
    frame = pd.DataFrame({"time": ["2025-01-01"], "a_p": [number]})
    _, rows = csv.reader(io.StringIO(tables.to_csv(frame)))
    typed, _ = tables.convert({"profiles": pd.DataFrame([rows], columns=["time", "a_p"])})
    assert typed["profiles"]["a_p"][0] == number


def test_keys_that_are_not_allowed_are_not_reported_as_duplicates_too():
    cells = {"element": ["lod", "lod"], "element_id": ["0", "0"], "profile": ["a", "a"]}
    _, problems = tables.convert({"assignments": pd.DataFrame(cells)})
    assert {(problem.row, problem.column) for problem in problems if problem.column != "profile"} == {
        (2, "element"),
        (3, "element"),
    }
