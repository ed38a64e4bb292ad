"""The shipped examples of schedules do what they say."""

import importlib.util
import re
import subprocess
import sys
import types
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from gridplan.report import batch

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "data" / "schedules"
WINDOWS = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def load(name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, PLACE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_of_runs_can_be_run():
    asked = batch.read_runs(PLACE / "runs.toml")
    assert asked.out == ROOT / "reports"
    assert [job.name for job in asked.jobs] == [
        "90-modernisation-plan-oberrhein",
        "00-start-here-oberrhein",
        "10-network-today-oberrhein",
        "40-reliability-and-restoration-oberrhein",
        "10-network-today-oberrhein-load_percent-110",
        "10-network-today-oberrhein-load_percent-130",
    ]


def test_every_key_is_documented():
    page = (PLACE / "README.md").read_text("utf-8")
    assert [key for key in {**batch.WHOLE, **batch.EACH} if f"`{key}`" not in page] == []
    codes = re.findall(r"^\| (\d+) \|", page, flags=re.MULTILINE)
    known = (batch.COMPLETE, batch.NOT_STARTED, batch.BUSY, batch.FAILED, batch.UNTOLD, batch.STOPPED)
    assert [int(code) for code in codes if code != "2"] == list(known)


def test_every_schedule_calls_the_command():
    for name in ("gridplan-reports.service", "crontab", "windows-task.xml"):
        assert re.search(r"gridplan(\.exe)?(</Command>\s*<Arguments>| )batch \S*runs\.toml", (PLACE / name).read_text("utf-8")), (
            name
        )
    task = ET.parse(PLACE / "windows-task.xml").getroot()
    assert len(task.find(f".//{WINDOWS}Months")) == 12
    assert task.find(f".//{WINDOWS}MultipleInstancesPolicy").text == "IgnoreNew"


class Told(Exception):  # noqa: N818 - stands for the exceptions of Airflow
    pass


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, None), (1, "AirflowFailException"), (3, "AirflowSkipException"), (4, "AirflowException"), (5, "AirflowException")],
)
def test_the_airflow_example_reads_the_exit_code(monkeypatch, code, expected):
    names = ("AirflowException", "AirflowFailException", "AirflowSkipException")
    exceptions = types.SimpleNamespace(**{name: type(name, (Told,), {}) for name in names})
    tasks = []
    sdk = types.SimpleNamespace(dag=lambda **_: lambda f: f, task=lambda f: lambda: tasks.append(f))
    for name, module in (("airflow", types.ModuleType("airflow")), ("airflow.exceptions", exceptions), ("airflow.sdk", sdk)):
        monkeypatch.setitem(sys.modules, name, module)
    called = []

    def run(command, **given):
        called.append((command, given.get("shell", False)))
        return subprocess.CompletedProcess(command, code, stderr="")

    module = load("airflow_dag")
    monkeypatch.setattr(module.subprocess, "run", run)
    if expected is None:
        tasks[0]()
    else:
        with pytest.raises(Told) as caught:
            tasks[0]()
        assert type(caught.value).__name__ == expected
    assert called == [([module.GRIDPLAN, "batch", module.RUNS], False)]


def test_the_mail_holds_texts_as_they_are():
    told = {
        "FAILED": "1",
        "RUNS": "2",
        "TITLE": "Reports\nBcc: all@x.invalid",
        "OUTCOME": "failed",
        "MESSAGE": "a: $(rm) <b>",
        "INDEX": "/i",
    }
    mail = load("notify").message({f"GRIDPLAN_{name}": value for name, value in told.items()})
    assert mail["Subject"] == "Reports Bcc: all@x.invalid: failed, 1 of 2 runs not complete"
    assert mail["Bcc"] is None
    assert "a: $(rm) <b>" in mail.get_content()
