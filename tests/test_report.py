"""The report runner: what it refuses, what it publishes, and what a failed run leaves."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbconvert.exporters import get_exporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from gridplan import report
from gridplan.errors import ParameterError, ReportError, StudyError
from gridplan.report import folders, page, provenance, sanitise

CELL = """\
study = "../data/x"  # folder of the study
title: str = "a = b"  # title, with an equals sign
years = [2030, 2040]
limit: float | None = None  # highest loading [%]
share = 0.5
steps = 4
fast = False
code = "001"
weights = {"a": 1.0}
"""

HOW = """\
import os, pathlib, time
pathlib.Path(study, "kernel.pid").write_text(str(os.getpid()))
print("study is", study)
"""

ENDS = """\
from gridplan.errors import Problem, StudyError
if how == "raise":
    value = 1 / 0
if how == "study":
    raise StudyError("study x", [Problem("customers.csv", "-1 is below 0", row=4, column="n")])
if how == "exit":
    os._exit(7)
if how == "hang":
    time.sleep(600)
"""


def tagged(source: str, *tags: str) -> nbformat.NotebookNode:
    cell = new_code_cell(source)
    cell.metadata["tags"] = list(tags)
    return cell


def notebook_with(source: str) -> nbformat.NotebookNode:
    return new_notebook(cells=[tagged(source, "parameters")])


@pytest.fixture
def known():
    return notebook_with(CELL)


def problems_of(call) -> str:
    with pytest.raises(ParameterError) as caught:
        call()
    return str(caught.value)


# --- parameters -------------------------------------------------------------------------------------------------------------


def test_parameters_are_read_without_running_the_cell(known):
    found = report.read_parameters(known)
    assert list(found) == ["study", "title", "years", "limit", "share", "steps", "fast", "code", "weights"]
    assert found["title"].default == "a = b"
    assert found["title"].description == "title, with an equals sign"
    assert found["limit"].type == "float or None"
    assert found["years"].type == "list[int]"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("study = 's'\nx = 1\nx = 2", "'x' is assigned twice"),
        ("study = 's'\nx = max(1, 2)", "no literal"),
        ("study = 's'\nimport os", "only `name = literal`"),
        ("study = 's'\nx = None", "annotate it"),
        ("study = 's'\nx = 1e999", "no finite number"),
        ("study = 's'\nx = {1, 2}", "'x' is a set"),
        ("study = 's'\nx: int = 'a'", "a int is needed"),
        ("study = 's'\nx: Path = 'a'", "type 'Path' is not supported"),
        ("x = 1", "parameter 'study' is missing"),
        ("study = ", "no Python"),
    ],
)
def test_a_parameters_cell_that_cannot_be_relied_on_is_refused(source, words):
    assert words in problems_of(lambda: report.read_parameters(notebook_with(source)))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x = 100.0  # load [%], 0 to 1000", (0, 1000, "[%]")),
        ("x = 100.0  # load, 0 to 1000 [%]", (0, 1000, "[%]")),
        ("x: int = 5  # events (1 to 20)", (1, 20, "")),
        ("x: float | None = None  # power factor, -0.5 to 1e3 [MW]", (-0.5, 1000, "[MW]")),
        ("x: list[int] = [2030]  # years, 2025 to 2060", (2025, 2060, "")),
        ("x = 5  # 1 to 20 events of each kind [-]", (None, None, "[-]")),
        ("x = 'a'  # hours from 1 to 24", (None, None, "")),
        ("x = 5  # how many", (None, None, "")),
    ],
)
def test_a_range_is_read_from_the_end_of_a_comment(line, expected):
    found = report.read_parameters(notebook_with(f"study = 's'\n{line}"))["x"]
    assert (found.low, found.high, found.unit) == expected


def test_a_value_outside_its_range_is_refused_with_range_and_unit():
    source = "study = 's'\nload = 100.0  # load [%], 0 to 1000\nyears: list[int] = [2030]  # years, 2025 to 2060"
    cell = notebook_with(source)
    for given in ({"texts": ["load=1001"]}, {"values": {"load": 1001}}):
        message = problems_of(lambda given=given: report.gather(cell, **given))
        assert "the set of parameters given has 1 problem:" in message
        assert "'load': 1001 is outside 0 to 1000 [%]" in message
    assert "2070 is outside 2025 to 2060" in problems_of(lambda: report.gather(cell, texts=["years=2030,2070"]))
    assert report.gather(cell, texts=["load=0", "years=2060"]) == {"load": 0.0, "years": [2060]}


@pytest.mark.parametrize(
    ("line", "words"), [("x = 5  # n, 6 to 9", "5 is outside 6 to 9"), ("x = 5  # n, 9 to 1", "write the lower limit first")]
)
def test_a_range_that_cannot_be_meant_is_refused(line, words):
    assert words in problems_of(lambda: report.read_parameters(notebook_with(f"study = 's'\n{line}")))


def test_a_parameter_file_that_cannot_be_read_says_what_to_do(known, tmp_path):
    (tmp_path / "case.yaml").write_text("steps: 1\n", "utf-8")
    assert "did you mean 'case.yaml'?" in problems_of(lambda: report.gather(known, file=tmp_path / "cases.yaml"))
    assert "there is no folder" in problems_of(lambda: report.gather(known, file=tmp_path / "no" / "case.yaml"))
    assert "a YAML file that you may read" in problems_of(lambda: report.gather(known, file=tmp_path))


def test_a_notebook_without_a_parameters_cell_is_refused():
    assert "tagged 'parameters'" in problems_of(
        lambda: report.read_parameters(new_notebook(cells=[new_code_cell("study = 's'")]))
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("code=007", "007"),
        ("code=NO", "NO"),
        ("code=", ""),
        ("title=a=b", "a=b"),
        ("steps=012", 12),
        ("share=1e-3", 0.001),
        ("share=1", 1.0),
        ("fast=yes", True),
        ("fast=0", False),
        ("limit=none", None),
        ("limit=80", 80.0),
        ("years=2031, 2032", [2031, 2032]),
        ("years=[2031]", [2031]),
        ('weights={"b": 2}', {"b": 2}),
    ],
)
def test_a_text_is_read_by_the_type_of_its_parameter(known, text, value):
    found = report.gather(known, texts=[text])[text.split("=")[0]]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text", ["steps=1.5", "steps=x", "share=nan", "fast=2", "years=2030,x", "years={}", "weights=a", "steps", "steps=None"]
)
def test_a_text_that_does_not_fit_is_refused(known, text):
    problems_of(lambda: report.gather(known, texts=[text]))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("share", 1, 1.0), ("limit", None, None), ("years", (2030,), [2030]), ("years", [], []), ("title", "x", "x")],
)
def test_a_value_that_fits_is_taken(known, name, value, expected):
    assert report.gather(known, values={name: value}) == {name: expected}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", 7),
        ("steps", True),
        ("steps", 1.0),
        ("steps", "4"),
        ("share", True),
        ("share", float("inf")),
        ("fast", 1),
        ("years", "2030"),
        ("years", ["2030"]),
        ("title", None),
        ("weights", {"a": object()}),
    ],
)
def test_a_value_that_does_not_fit_is_refused(known, name, value):
    assert f"'{name}'" in problems_of(lambda: report.gather(known, values={name: value}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("code: NO", "quote it: code: 'NO'"),
        ("code: 007", "YAML reads 007 as 7"),
        ("code: 2026-01-01", "quote it: code: '2026-01-01'"),
        ("steps: 012", "YAML reads 012 as 10"),
        ("steps: 1:30", "YAML reads 1:30 as 90"),
        ("share: 1e-3", "1.0e-3"),
        ("steps: 1\nsteps: 2", "given twice: steps"),
        ("- steps", "holds a list"),
        ("steps: [1", "cannot be read"),
        ("stepz: 1", "did you mean 'steps'?"),
        ("study: x", "--study"),
    ],
)
def test_the_traps_of_a_parameter_file_are_named(known, tmp_path, content, words):
    file = tmp_path / "params.yml"
    file.write_text(content, "utf-8")
    message = problems_of(lambda: report.gather(known, file=file))
    assert words in message
    assert "params.yml" in message


def test_a_parameter_file_is_read_and_the_command_line_wins(known, tmp_path):
    file = tmp_path / "params.yml"
    file.write_text("code: '007'\nsteps: 3\nshare: 1\nlimit: null\nyears: [2031]\n", "utf-8")
    given = report.gather(known, file=file, texts=["steps=5"])
    assert given == {"code": "007", "steps": 5, "share": 1.0, "limit": None, "years": [2031]}


def test_every_problem_is_told_at_once(known, tmp_path):
    file = tmp_path / "params.yml"
    file.write_text("stepz: 1\ncode: NO\n", "utf-8")
    message = problems_of(lambda: report.gather(known, file=file, texts=["yeers=1", "fast=2"], values={"share": "x"}))
    assert "the set of parameters given has 5 problems" in message


# --- runs -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a study and a notebook whose parameter `how` says how its run ends."""
    root = tmp_path_factory.mktemp("project")
    (root / "data" / "x").mkdir(parents=True)
    (root / "data" / "x" / "study.toml").write_text('[study]\nname = "x"\n', "utf-8")
    (root / "notebooks").mkdir()
    cells = [
        new_markdown_cell("# The title of the report\n\nThe answer first."),
        tagged('study = "../data/x"  # folder\nhow = "fine"  # how it ends\n', "parameters"),
        new_code_cell(HOW),
        new_code_cell(ENDS),
        new_code_cell('import warnings\nwarnings.warn("careful")'),
    ]
    nbformat.write(new_notebook(cells=cells), root / "notebooks" / "10-ends.ipynb")
    return root


def run(project: Path, how: str = "fine", **options) -> report.Run:
    return report.render(
        project / "notebooks" / "10-ends.ipynb",
        study=project / "data" / "x",
        parameters={"how": how},
        out=project / "reports",
        options=report.RunOptions(**options),
    )


@pytest.fixture(scope="module")
def published(project):
    return run(project, status="FINAL", classification="Internal")


def everything_below(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file() and "failed" not in f.parts}


def test_a_run_publishes_one_folder_and_the_newest_page(project, published):
    names = {f.name for f in published.folder.iterdir()}
    assert names == {"10-ends.html", "10-ends.ipynb", "manifest.json", "inputs.zip"}
    assert re.fullmatch(r"\d{8}T\d{6}Z-x", published.folder.name)
    assert published.latest == project / "reports" / "10-ends-x.html"
    assert published.latest.read_bytes() == published.page.read_bytes()
    assert not list((project / "reports").rglob("*.part"))


def test_the_manifest_says_where_the_report_comes_from(project, published):
    manifest = json.loads(published.manifest.read_text("utf-8"))
    assert manifest["title"] == "The title of the report"
    assert manifest["notebook"] == {"name": "10-ends.ipynb", "sha256": provenance.sha256(project / "notebooks" / "10-ends.ipynb")}
    assert [f["name"] for f in manifest["study"]["files"]] == ["study.toml"]
    assert manifest["study"]["files"][0]["sha256"] == provenance.sha256(project / "data" / "x" / "study.toml")
    assert [(p["name"], p["value"], p["default"], p["overridden"]) for p in manifest["parameters"]] == [
        ("study", "x", "../data/x", False),
        ("how", "fine", "fine", False),  # given, but it is the default
    ]
    assert manifest["code"] == {"commit": None, "clean": None, "note": "not under version control"}
    assert manifest["warnings"] == 1
    assert manifest["status"] == "FINAL"
    assert manifest["outputs"]["10-ends.html"] == provenance.sha256(published.page)
    assert manifest["started"].endswith("+00:00")


def test_the_page_shows_provenance_and_hides_code_and_machine(project, published):
    text = published.page.read_text("utf-8")
    assert "not under version control" in text
    assert ">overridden<" not in text
    assert "Parameters changed" not in text
    assert "FINAL" in text
    assert "Internal" in text
    assert "study is x" in text
    assert "os.getpid" not in text
    assert "careful" not in text
    for file in (published.page, published.notebook, published.manifest):
        assert str(project) not in file.read_text("utf-8")
        assert str(Path.home()) + "/" not in file.read_text("utf-8")


@pytest.mark.parametrize(
    ("how", "options", "words"),
    [
        ("raise", {}, ["cell 4", "ZeroDivisionError: division by zero", "value = 1 / 0"]),
        ("study", {}, ["cell 4", "customers.csv, row 4, column 'n': -1 is below 0"]),
        ("exit", {}, ["cell 4", "the kernel died"]),
        ("hang", {"timeout_s": 6.0}, ["longer than 6 s"]),
    ],
)
def test_a_failed_run_publishes_nothing_and_keeps_its_notebook(project, published, how, options, words):
    before = everything_below(project / "reports")
    with pytest.raises(ReportError) as caught:
        run(project, how, **options)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\x1b" not in message
    assert ("Traceback" in message or "---->" in message) == (how == "raise")
    kept = Path(message.rsplit(": ", 1)[1])
    assert kept.parent.parent == project / "reports" / "10-ends" / "failed"
    assert nbformat.read(kept, 4).cells
    assert everything_below(project / "reports") == before
    assert not list((project / "reports").rglob("*.part"))
    assert not psutil.pid_exists(int((project / "data" / "x" / "kernel.pid").read_text()))


def test_an_interrupted_run_leaves_nothing(project, published):
    before = everything_below(project / "reports")

    def interrupt(done: int, _total: int) -> None:
        if done == 4:  # the cell before has written the process id of the kernel
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(project, "hang", on_cell=interrupt)
    assert everything_below(project / "reports") == before
    assert not list((project / "reports").rglob("*.part"))
    assert not psutil.pid_exists(int((project / "data" / "x" / "kernel.pid").read_text()))


@pytest.fixture
def no_kernel(monkeypatch):
    """A run that tries to start a process fails the test."""

    def refuse(*_args, **_kwargs):
        pytest.fail("a process was started")

    monkeypatch.setattr("gridplan.report.runner.subprocess.Popen", refuse)


def test_a_run_with_changed_parameters_says_so_and_leaves_the_newest_page_alone(project, published):
    before = published.latest.read_bytes()
    changed = run(project, "otherwise")
    text = changed.page.read_text("utf-8")
    assert "Parameters changed from their defaults:</b> how = otherwise (default fine)" in text
    assert '<span class="mark">overridden</span>' in text
    assert changed.latest == project / "reports" / "10-ends-x-how-otherwise.html"
    assert changed.latest.read_bytes() == changed.page.read_bytes()
    assert published.latest.read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"load_percent": 130.0, "pv_percent": 200.0}, "load_percent-130_pv_percent-200"),
        ({"years": [2030, 2040], "fast": True}, "years-2030-2040_fast-yes"),
        ({"shift": -0.5}, "shift--0.5"),
        ({"code": "../a b/c"}, r"code-\.\.-a-b-c-[0-9a-f]{8}"),
        ({"words": "x" * 200}, r"words-x+-[0-9a-f]{8}"),
    ],
)
def test_the_name_of_a_set_of_parameters_can_stand_in_a_file_name(changed, expected):
    found = provenance.tag(changed)
    assert re.fullmatch(expected, found), found
    assert len(found) <= 60


def test_values_that_look_alike_in_a_file_name_have_different_names():
    assert provenance.tag({"code": "a/b"}) != provenance.tag({"code": "a b"})
    assert provenance.tag({"code": "x" * 100}) != provenance.tag({"code": "x" * 101})


def abandoned(parent: Path, name: str, owner: dict | None, age_s: float = 0.0) -> Path:
    part = parent / f"{name}.part"
    part.mkdir(parents=True)
    if owner is not None:
        (part / "process.json").write_text(json.dumps(owner), "utf-8")
    for path in (*part.iterdir(), part):
        os.utime(path, (time.time() - age_s,) * 2)
    return part


def test_what_killed_runs_left_is_removed_and_what_runs_is_not(tmp_path):
    mine = folders.owner()
    kept = [
        abandoned(tmp_path, "running", mine, 10 * folders.STALE_S),
        abandoned(tmp_path, "elsewhere", {**mine, "host": "another"}),
        abandoned(tmp_path, "no-record", None),
    ]
    gone = [
        abandoned(tmp_path, "ended", {**mine, "pid": 2**22 + 1}),
        abandoned(tmp_path, "number-taken-again", {**mine, "born": 1.0}),
        abandoned(tmp_path, "elsewhere-old", {**mine, "host": "another"}, 2 * folders.STALE_S),
        abandoned(tmp_path, "no-record-old", None, 2 * folders.STALE_S),
    ]
    (tmp_path / "20260101T000000Z-x").mkdir()
    folders.remove_stale(tmp_path)
    assert all(part.is_dir() for part in kept)
    assert not any(part.exists() for part in gone)
    assert (tmp_path / "20260101T000000Z-x").is_dir()


def test_a_network_outside_the_study_folder_is_hashed_too(tmp_path):
    folder, network = tmp_path / "data" / "x", tmp_path / "networks" / "grid.json"
    folder.mkdir(parents=True)
    network.parent.mkdir()
    network.write_text("{}", "utf-8")
    (folder / "study.toml").write_text(
        '[study]\nname = "x"\ntitle = "X"\ndescription = "x"\nnetwork = "../../networks/grid.json"\n'
        'base_year = 2025\ncurrency = "EUR"\n',
        "utf-8",
    )
    rows = ["file,content,source,licence", "study.toml,keys,me,CC0-1.0"]
    (folder / "sources.csv").write_text("\n".join(rows) + "\n", "utf-8")
    pages = tmp_path / "x.ipynb"
    pages.write_text("{}", "utf-8")
    files = provenance.inputs(pages, folder)["study"]["files"]
    assert [f["name"] for f in files] == ["sources.csv", "study.toml", "grid.json"]
    assert files[2]["sha256"] == provenance.sha256(network)


def test_a_misspelt_parameter_never_starts_a_kernel(project, no_kernel, tmp_path):
    notebook, study = project / "notebooks" / "10-ends.ipynb", project / "data" / "x"
    message = problems_of(lambda: report.render(notebook, study=study, parameters={"hwo": "fine"}, out=tmp_path / "out"))
    assert "did you mean 'how'?" in message
    assert not (tmp_path / "out").exists()


def test_a_missing_study_never_starts_a_kernel(project, no_kernel, tmp_path):
    with pytest.raises(StudyError, match="no such folder"):
        report.render(project / "notebooks" / "10-ends.ipynb", study=project / "data" / "xx", out=tmp_path / "out")


def test_a_missing_notebook_is_suggested(project, no_kernel):
    message = problems_of(lambda: report.render(project / "notebooks" / "10-end.ipynb", study=project / "data" / "x"))
    assert "did you mean '10-ends'?" in message


def test_a_place_that_cannot_be_written_is_a_report_error(project, no_kernel, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ReportError, match=r"cannot write.*--out"):
        report.render(project / "notebooks" / "10-ends.ipynb", study=project / "data" / "x", out=tmp_path / "out")


def test_options_are_checked():
    assert "2 problems" in problems_of(lambda: report.RunOptions(status="final", timeout_s=0))


# --- the exporter without a browser -----------------------------------------------------------------------------------------


def exported(*cells: nbformat.NotebookNode) -> str:
    return get_exporter("gridplan")().from_notebook_node(new_notebook(cells=list(cells)))[0]


def shown(data: dict, metadata: dict | None = None) -> nbformat.NotebookNode:
    return new_code_cell("secret = 1", outputs=[new_output("display_data", data=data, metadata=metadata or {})])


def test_the_exporter_stands_in_the_menu_of_jupyterlab():
    assert get_exporter("gridplan") is report.PageExporter
    assert report.PageExporter.export_from_notebook


def test_a_notebook_run_by_hand_says_so():
    text = exported(new_markdown_cell("# By hand"))
    assert "run by hand, not through the runner" in text
    assert "<h1>By hand</h1>" in text


def test_what_no_reader_needs_is_left_out():
    stderr = new_code_cell("", outputs=[new_output("stream", name="stderr", text="noise")])
    widget = shown({"application/vnd.jupyter.widget-view+json": {"model_id": "m"}, "text/plain": "IntSlider"})
    hidden, explorer = shown({"text/plain": "hidden words"}), shown({"text/plain": "explorer words"})
    hidden.metadata["tags"], explorer.metadata["tags"] = ["report-hide"], ["explorer"]
    text = exported(new_markdown_cell("# T"), stderr, widget, hidden, explorer)
    for word in ("noise", "IntSlider", "hidden words", "explorer words", "secret"):
        assert word not in text


def test_an_error_in_a_notebook_run_by_hand_shows():
    broken = new_code_cell(
        "1 / 0", outputs=[new_output("error", ename="ZeroDivisionError", evalue="division by zero", traceback=[])]
    )
    assert "This cell failed." in exported(broken)


EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    "<svg onload=alert(1)>",
    '<a href="jAvascript:1">x</a>',
]


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("kind", ["text/html", "text/markdown", "text/plain"])
def test_markup_in_a_name_is_inert(name, kind):
    made = page.assemble(new_notebook(cells=[new_markdown_cell(f"# {name}\n\n{name}"), shown({kind: f"A {name} B"})]), "t")
    assert not re.search(r"<(script|svg)|<[^>]*(onerror|onload|javascript:)", str(made.body), re.IGNORECASE)


def test_figures_and_tables_are_numbered_and_titled():
    plot = {"application/vnd.plotly.v1+json": {"data": [], "layout": {"title": {"text": "T"}}}, "text/csv": "a\n1\n"}
    words = {"gridplan": {"kind": "figure", "name": "load", "title": "Load <rises>", "caption": "By year.", "alt": "It rises."}}
    head, row = "<tr><th></th><th>p</th></tr>", "<tr><td>a</td><td>1 000.5</td></tr>"
    table = shown({"text/html": f"<table><thead>{head}</thead><tbody>{row}</tbody></table>"}, {"gridplan": {"kind": "table"}})
    made = page.assemble(new_notebook(cells=[shown(plot, words), shown(plot, words), table]), "t")
    assert '<span class="label">Figure 2.</span> By year.' in made.body
    assert '<span class="label">Table 1.</span>' in made.body
    assert "Load &lt;rises&gt;" in made.body
    assert '<td class="number">1 000.5</td>' in made.body
    assert "<th></th>" not in made.body
    assert made.body.count('aria-label="Table 1" class="scroll"') == 1
    assert list(made.csv) == ["load", "load-2"]
    assert '"title"' not in made.figures[0][1]


def test_contents_come_from_the_headings():
    cells = [new_markdown_cell("# T\n\n## Load & voltage\n\n### Load"), shown({"text/markdown": "## Load & voltage"})]
    made = page.assemble(new_notebook(cells=cells), "t")
    assert [(h.level, h.anchor, h.text) for h in made.contents] == [
        (2, "s-load-voltage", "Load & voltage"),
        (3, "s-load", "Load"),
        (2, "s-load-voltage-2", "Load & voltage"),
    ]


@pytest.mark.parametrize("count", range(1, 14))
def test_cards_fill_their_rows(count):
    widths = page._widths(count)
    assert len(widths) == count
    assert sum(widths) % 12 == 0
    assert count == 1 or max(widths) <= 6


def test_csv_cells_cannot_become_formulas():
    text = sanitise.csv_bytes('a,b\n=1+1,-1.5\n+cmd,1e-3\n@x,-2+3\n"\t=1",\'=ok\n"a,=b",-x\n').decode("utf-8-sig")
    assert text.splitlines() == ["a,b", "'=1+1,-1.5", "'+cmd,1e-3", "'@x,'-2+3", "'\t=1,'=ok", '"a,=b",\'-x']


def test_texts_cannot_leave_their_place_in_the_page():
    assert json.loads(sanitise.json_block("</script>&\u2028")) == "</script>&\u2028"
    assert not set("<>&\u2028") & set(sanitise.json_block("</script>&\u2028"))
    assert sanitise.css_string('a"</style>\\') == r'"a\22 \3c \2f style\3e \5c "'


def test_a_notebook_of_an_older_format_is_read(tmp_path):
    cells = [
        {
            "cell_type": "code",
            "metadata": {"tags": ["parameters"]},
            "source": "study = 'x'",
            "outputs": [],
            "execution_count": None,
        }
    ]
    (tmp_path / "old.ipynb").write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}), "utf-8")
    assert list(report.read_parameters(tmp_path / "old.ipynb")) == ["study"]


def test_a_file_that_is_no_notebook_is_refused(tmp_path):
    (tmp_path / "x.ipynb").write_text("{", "utf-8")
    assert "not a notebook" in problems_of(lambda: report.read_parameters(tmp_path / "x.ipynb"))


def test_paths_of_the_machine_are_taken_out_of_an_executed_notebook(tmp_path):
    study, home = tmp_path / "data" / "x", tmp_path
    plot = {"application/vnd.plotly.v1+json": {"data": [{"text": [f"{study}/a.csv"], "bdata": f"A{home}B"}], "layout": {}}}
    text = new_code_cell("", outputs=[new_output("stream", text=f"{study}/a.csv {home}/b {home}x")])
    clean = provenance.without_paths(new_notebook(cells=[text, shown(plot)]), [(study, "data/x"), (home, "~")])
    assert clean.cells[0].outputs[0].text == f"data/x/a.csv ~/b {home}x"
    assert clean.cells[1].outputs[0].data["application/vnd.plotly.v1+json"]["data"][0]["text"] == ["data/x/a.csv"]


def test_the_commit_is_recorded(tmp_path):
    if not shutil.which("git"):
        pytest.skip("no git on this machine")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@x.invalid"]
    (tmp_path / "a").write_text("1")
    for command in (["init", "--quiet"], ["add", "a"], ["commit", "--quiet", "--message", "a"]):
        subprocess.run([*git, *command], check=True)
    assert provenance.commit(tmp_path)["clean"] is True
    (tmp_path / "a").write_text("2")
    found = provenance.commit(tmp_path)
    assert found["clean"] is False
    assert len(found["commit"]) == 40


def test_the_number_stands_in_the_title_where_there_is_no_caption():
    table = shown({"text/html": "<table></table>"}, {"gridplan": {"kind": "table", "title": "Areas"}})
    made = page.assemble(new_notebook(cells=[new_markdown_cell("# Only a title"), table]), "t")
    assert '<span class="label">Table 1.</span> Areas' in made.body
    assert "<figcaption>" not in made.body
    assert "prose" not in made.body
