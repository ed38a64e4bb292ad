"""Kernels that are forked from a process with the imports done: each as fresh as any, whatever happens to the others."""

import os
import signal
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from gridplan.errors import ReportError
from gridplan.report import RunOptions, render, warm
from gridplan.report.driver import Driver

pytestmark = pytest.mark.skipif(not warm.is_possible(), reason="kernels are forked on Linux only")

CELLS = [
    ("parameters", 'study = ""  # study folder\nend = ""  # how it ends'),
    ("", "import os, sys\nloaded = 'gridplan.study' in sys.modules"),
    ("", "import gridplan.study\nimport numpy as np\nimport matplotlib"),
    ("", "stained = hasattr(gridplan.study, 'stain')\ngridplan.study.stain = True"),
    ("", "parent, drawn = os.getppid(), np.random.rand()"),
    ("", "os._exit(7) if end == 'die' else None"),
    ("", "import time\nwhile end == 'hang':\n    time.sleep(0.1)"),
    ("", "print(loaded, stained, parent, drawn, 'inline' in matplotlib.get_backend(), os.path.basename(os.getcwd()))"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory, small_study):
    """A notebook that tells about its kernel, and a study."""
    root = tmp_path_factory.mktemp("warm")
    (root / "here").mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for _, source in CELLS])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, root / "here" / "tells.ipynb")
    small_study(root / "study")
    return root


@pytest.fixture(scope="module")
def driver():
    with Driver(keep=True) as kept:
        yield kept


def told(place: Path, driver: Driver | None, end: str = "", **options) -> list[str]:
    arguments = {"study": place / "study", "out": place / "out", "parameters": {"end": end}, "driver": driver}
    run = render(place / "here" / "tells.ipynb", options=RunOptions(**options), **arguments)
    outputs = [output for cell in nbformat.read(run.notebook, 4).cells for output in cell.get("outputs", [])]
    return outputs[-1].text.split()


def test_a_kernel_has_what_it_imports_and_nothing_of_the_one_before(place, driver):
    first, second = told(place, driver), told(place, driver)
    for loaded, stained, _, _, inline, folder in (first, second):
        assert (loaded, stained, inline, folder) == ("True", "False", "True", "here")
    assert first[2] == second[2]  # forked from one process
    assert first[3] != second[3]  # which does not make them draw the same numbers


def test_after_a_kernel_that_died_or_hung_the_next_is_made(place, driver):
    for end, fault, limit in (("die", "kernel", None), ("hang", "timeout", 6.0)):
        with pytest.raises(ReportError) as caught:
            told(place, driver, end, timeout_s=limit)
        assert caught.value.fault == fault
        assert told(place, driver)[:2] == ["True", "False"]


def test_where_the_process_that_imports_is_gone_another_is_started(place, driver):
    before = int(told(place, driver)[2])
    os.kill(before, signal.SIGKILL)
    while psutil.pid_exists(before) and psutil.Process(before).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert int(told(place, driver)[2]) != before


def test_nothing_outlives_its_driver(place):
    with Driver(keep=True) as own:
        parent = psutil.Process(int(told(place, own)[2]))
        family = [parent, *parent.children(recursive=True), parent.parent()]
    assert psutil.wait_procs(family, timeout=10)[1] == []


def test_a_run_alone_has_an_ordinary_kernel(place):
    assert told(place, None)[:2] == ["False", "False"]


def test_a_stand_in_that_finds_no_one_becomes_a_kernel(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(warm.os, "execv", lambda _, command: started.append(command) or exec_ends())
    with pytest.raises(SystemExit):
        warm.stand_in(str(tmp_path / "nobody"), "", ["-f", "kernel.json"])
    assert started[0][1:] == ["-m", "ipykernel_launcher", "-f", "kernel.json"]


def exec_ends() -> None:
    raise SystemExit
