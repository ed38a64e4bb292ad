"""The commands, as an analyst types them."""

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

import pandapower as pp
import pandas as pd
import pytest
from typer.testing import CliRunner

from gridplan import __version__, cli, network
from gridplan import report as report_module
from gridplan.errors import ParameterError
from gridplan.study import read_study


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object):
        return CliRunner().invoke(cli.app, [str(a) for a in arguments], catch_exceptions=False)

    return call


def test_the_version_is_printed(run):
    assert run("--version").stdout.strip() == f"gridplan {__version__}"


def test_help_answers_without_the_heavy_libraries():
    code = (
        "import sys; from gridplan.cli import app\ntry: app(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('pandapower', 'papermill', 'plotly', 'nbconvert', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    assert "dictionary" in done.stdout


@pytest.mark.parametrize("arguments", [["check"], ["chek", "x"], ["report", "x", "--studdy", "y"], ["new", "x"]])
def test_a_usage_error_exits_with_2(run, arguments):
    assert run(*arguments).exit_code == 2


# --- check --------------------------------------------------------------------------------------------------------------------


def test_a_sound_study_is_taken_stock_of(run, tiny):
    done = run("check", tiny())
    assert done.exit_code == 0
    assert "customers: 3 rows" in done.stdout
    assert "buses, 20 kV: 177" in done.stdout
    assert "No problem found" in done.stdout


def test_a_sound_study_is_warned_of_what_misleads(run, tiny):
    out = run("check", tiny(sources=None, profiles=None, customers=None, assignments=None)).stdout
    assert "sources.csv" in out
    done = run("check", tiny("other"))
    for line in (
        "145 loads (",
        "follow no profile: their power is constant all year",
        "warning: profiles.csv: holds 1 h, not a year",
        "No problem found; 3 warnings.",
    ):
        assert line in done.stdout
    sources = "file,content,source,licence\ncustomers.csv,x,x,x\nprofiles.csv,x,x,x\nassumptions.csv,x,x,x\n"
    done = run("check", tiny("bare", assignments=None, sources=sources))
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].startswith("  warning: study: the table assignments is missing")


def test_equal_findings_are_told_once_and_numbers_that_are_none_never(run, tiny):
    net = network.open("pandapower:mv_oberrhein")
    net.line["max_i_ka"] = 99999.0
    net.line["length_km"] = 1.0
    folder = tiny(study_toml='[study]\nname="t"\ntitle="T"\nnetwork="net.json"\nbase_year=2025\n')
    pp.to_json(net, folder / "net.json")
    with (folder / "sources.csv").open("a") as file:
        file.write("net.json,Network,GIS,CC0-1.0\n")
    out = run("check", folder).stdout
    assert f"{len(net.line)} lines (line {net.line.index[0]}, line " in out
    assert out.count("max_i_ka is empty") == 1
    assert "warning: line: all 181 lines have the same length_km of 1: placeholder lengths" in out
    assert "<NA>" not in out
    net.line.loc[net.line.index[:2], "length_km"] = -1.0
    pp.to_json(net, folder / "net.json")
    out = run("check", folder).stdout
    assert out.count("\nnet.json\n") == 1
    assert "length_km is -1, not above 0" in out
    (folder / "net.json").unlink()
    out = run("check", folder).stdout
    assert "there is no file 'net.json'" in out
    assert "has 2 problems" in out  # and its row in sources.csv


def test_every_problem_of_every_table_is_printed_with_row_and_column(run, tiny):
    folder = tiny(
        customers="bus,customer_class,customers\n58,residental,12\n58,commercial,-3\n", profiles="time,house_p\n2025-01-01,abc\n"
    )
    done = run("check", folder)
    assert done.exit_code == 1
    for line in (
        "row 2, column 'customer_class': 'residental' is not allowed; did you mean 'residential'?",
        "row 3, column 'customers': -3 is below 0",
        "row 2, column 'house_p': 'abc' is no number",
        "row 3, column 'profile': 'shop' is not in 'profiles'; known: house",
    ):
        assert line in done.stdout
    assert "5 problems" in done.stdout


def test_the_problems_of_the_network_stand_beside_those_of_the_tables(run, tiny):
    toml = '[study]\nname = "x"\ntitle = "X"\nnetwork = "pandapower:mv_oberhein"\nbase_year = 2025\n'
    done = run("check", tiny(study_toml=toml, customers="bus,customer_class,customers\n1,public,x\n"))
    assert done.exit_code == 1
    assert "mv_oberrhein" in done.stdout
    assert "'x' is no whole number" in done.stdout


def test_a_bus_that_the_network_does_not_have_is_a_problem(run, tiny):
    done = run("check", tiny(customers="bus,customer_class,customers\n9999,public,1\n"))
    assert done.exit_code == 1
    assert "9999" in done.stdout
    assert "row 2, column 'bus'" in done.stdout


def test_names_are_printed_as_they_are(run, tiny):
    text = "bus,customer_class,customers\n58,[bold]<script>,12\n58,\x1b[31mred,1\n"
    out = run("check", tiny(customers=text)).stdout
    assert "'[bold]<script>' is not allowed" in out
    assert r"'\x1b[31mred' is not allowed" in out
    assert "\x1b" not in out


def test_no_study_is_said_on_the_error_stream_without_a_traceback(run, tmp_path):
    done = run("check", tmp_path / "absent")
    assert done.exit_code == 1
    assert "there is no folder 'absent'" in done.stderr
    assert "Traceback" not in done.output
    assert done.stdout == ""


# --- new ----------------------------------------------------------------------------------------------------------------------


def fill(folder: Path, **cells: object) -> None:
    """Fill every empty cell of the columns, as an analyst would."""
    for file in folder.glob("*.csv"):
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        for column in table:
            kind = column[-2:] if column.endswith(("_p", "_q")) else column
            if kind in cells:
                table[column] = table[column].replace("", str(cells[kind]))
        table.to_csv(file, index=False)


def test_a_new_study_says_what_is_left_to_fill_and_passes_once_it_is_filled(run, tmp_path):
    folder = tmp_path / "Upper Rhine"
    assert run("new", folder, "--network", "pandapower:mv_oberrhein").exit_code == 0
    net = network.open("pandapower:mv_oberrhein")
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert readme.count("\n| ") - 2 == net.load.bus.nunique()
    assert f"| {net.load.bus.iloc[0]} | {net.bus.name.loc[net.load.bus.iloc[0]]} |" in readme
    done = run("check", folder)
    assert done.exit_code == 1
    left = [line for line in done.stdout.splitlines() if line.startswith("  - ")]
    assert all("is empty; fill in" in line or "the same in" in line for line in left)
    fill(folder, customer_class="residential", customers=10, _p=0.5, source="GIS", licence="CC0-1.0")
    done = run("check", folder)
    assert done.exit_code == 0, done.output
    study = read_study(folder)
    assert (study.name, study.title) == ("upper-rhine", "Upper Rhine")
    assert len(study.table("customers")) == 147
    assert len(study.table("assignments")) == 147 + 153
    assert set(study.table("assignments")["profile"]) == {"load", "pv"}


def test_a_simbench_study_brings_its_profiles(run, tmp_path):
    pytest.importorskip("simbench")
    folder = tmp_path / "rural"
    assert run("new", folder, "--network", "simbench:1-MV-rural--0-sw", "--name", "Rural").exit_code == 0
    fill(folder, customer_class="residential", customers=10, source="x", licence="CC0-1.0")
    study = read_study(folder)
    profiles = study.table("profiles")
    assert len(profiles) == 366 * 96
    assert (study.title, study.base_year) == ("Rural", 2016)
    named = set(study.table("assignments")["profile"])
    assert {f"{name}_p" for name in named} == {column for column in profiles if column.endswith("_p")}
    # A load and a generator with SimBench's profile "lv_rural1" follow different shapes.
    assert not profiles["load_lv_rural1_p"].equals(profiles["sgen_lv_rural1_p"])


def test_a_study_that_exists_is_not_touched_and_an_unknown_network_leaves_nothing(run, tiny, tmp_path):
    folder = tiny()
    before = {file: file.read_bytes() for file in folder.iterdir()}
    done = run("new", folder, "--network", "pandapower:mv_oberrhein")
    assert (done.exit_code, {file: file.read_bytes() for file in folder.iterdir()}) == (1, before)
    assert "exists already" in done.stderr
    done = run("new", tmp_path / "other", "--network", "pandapower:mv_oberhein")
    assert done.exit_code == 1
    assert "mv_oberrhein" in done.stderr
    assert list(tmp_path.iterdir()) == [folder]


# --- report -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "90-modernisation-plan.ipynb").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "notebooks"


@pytest.mark.parametrize(
    "name", ["90-modernisation-plan", "90-modernisation-plan.ipynb", "notebooks/90-modernisation-plan.ipynb"]
)
def test_a_notebook_is_found_by_name_or_path(notebooks, name):
    assert cli.find_notebook(name).resolve() == notebooks / "90-modernisation-plan.ipynb"


def test_a_misspelt_notebook_is_answered_with_a_suggestion(notebooks):
    with pytest.raises(ParameterError, match="did you mean '90-modernisation-plan'"):
        cli.find_notebook("90-modernization-plan")


def test_the_options_of_a_report_reach_the_runner(run, notebooks, tmp_path, monkeypatch):
    asked = {}

    def render(notebook, **given):
        asked.update(given, notebook=notebook)
        given["options"].on_cell(1, 2)
        page = tmp_path / "reports" / "page.html"
        return report_module.Run(page.parent, page, page, page, (), page, None, 3.0)

    monkeypatch.setattr(report_module, "render", render)
    monkeypatch.setattr(report_module, "gather", lambda notebook, *, texts, file: {"texts": list(texts), "file": file})
    done = run(
        "report", "90-modernisation-plan", "--study", "data/x", "-p", "a=1", "-p", "b=2", "-f", "p.yml", "--out", "o",
        "--timeout", "60", "--final", "--classification", "Internal",
    )  # fmt: skip
    assert done.exit_code == 0
    assert asked["notebook"].stem == "90-modernisation-plan"
    assert (asked["study"], asked["out"]) == (Path("data/x"), Path("o"))
    assert asked["parameters"] == {"texts": ["a=1", "b=2"], "file": Path("p.yml")}
    options = asked["options"]
    assert (options.status, options.classification, options.timeout_s) == ("FINAL", "Internal", 60)
    assert done.stdout.splitlines()[-1] == str(tmp_path / "reports" / "page.html")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_says_so(run, notebooks, monkeypatch, request, number):
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, inherited))
    cleared = []

    def render(*_, **__):
        try:
            signal.raise_signal(number)
        finally:
            cleared.append(True)

    monkeypatch.setattr(report_module, "render", render)
    monkeypatch.setattr(report_module, "gather", lambda *_, **__: {})
    before = signal.getsignal(signal.SIGTERM)
    done = run("report", "90-modernisation-plan", "--study", "data/x")
    assert (done.exit_code, cleared) == (130, [True])
    assert done.stderr == "Stopped; nothing was published.\n"
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_dictionary_is_printed_as_the_committed_page(run):
    page = Path(__file__).parents[1] / "data" / "DICTIONARY.md"
    assert run("dictionary").stdout == page.read_text(encoding="utf-8")


def test_check_finds_what_only_the_it_ot_tables_together_show():
    base = read_study(Path(__file__).parents[1] / "data" / "oberrhein")
    needs = base.table("needs")
    ring = needs[needs["need"] == "flisr-1"].assign(need="ring", application="remote_control", item="flisr")
    broken = dataclasses.replace(base, tables={**base.tables, "needs": pd.concat([needs, ring], ignore_index=True)})
    assert cli._inventory(base) == ()
    (problem,) = cli._inventory(broken)
    assert "a cycle of applications that need each other: flisr > remote_control > flisr (rows 20, 110)" in str(problem)
