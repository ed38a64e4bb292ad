"""Batch runs: what the file must say, and what happens to the other runs when one of them goes wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from gridplan.errors import ParameterError, ReportError
from gridplan.report import batch, folders, history
from gridplan.report.batch import _lock, _run

NOTEBOOK = Path(__file__).with_name("notebooks") / "batch-run.ipynb"
HOOK = (
    'import os, pathlib; told = [f"{k}={v}" for k, v in os.environ.items() if "GRIDPLAN_" in k]; '
    'pathlib.Path("told.txt").write_text("\\n".join(told))'
)


@pytest.fixture(scope="module")
def place(tmp_path_factory, small_study):
    """A project with a study, a notebook and room for reports."""
    root = tmp_path_factory.mktemp("batch")
    small_study(root / "data" / "study")
    (root / "notebooks").mkdir()
    shutil.copy(NOTEBOOK, root / "notebooks" / "batch-run.ipynb")
    return root


def written(place: Path, text: str, name: str = "runs.toml") -> Path:
    (place / name).write_text(text, "utf-8")
    return place / name


RUN = '[[run]]\nnotebook = "batch-run"\nstudy = "data/study"\n'


def problems(place: Path, text: str) -> str:
    with pytest.raises(ParameterError) as caught:
        batch.read_runs(written(place, text, "wrong.toml"))
    return str(caught.value)


# --- the file ---------------------------------------------------------------------------------------------------------------


def test_lists_are_taken_apart_into_single_runs(place, small_study):
    small_study(place / "data" / "other")
    text = '[[run]]\nnotebook = "batch-run"\nstudy = ["data/study", "data/other"]\nretries = 3\n'
    text += "[run.parameters]\nload_mw = [10, 20.0]\n"
    asked = batch.read_runs(written(place, f"[batch]\nkeep = 2\ntimeout_s = 9\n{text}"))
    assert [job.name for job in asked.jobs] == [
        "batch-run-study-load_mw-10",
        "batch-run-study",
        "batch-run-other-load_mw-10",
        "batch-run-other",
    ]
    assert asked.jobs[0].parameters == {"load_mw": 10.0}
    assert [asked.jobs[0].choices[key] for key in ("keep", "timeout_s", "retries")] == [2, 9, 3]
    assert asked.out == place / "reports"


@pytest.mark.parametrize(
    ("line", "count"),
    [("years = [2031, 2041]", 1), ("years = [[2031], [2041]]", 2), ('how = "fine"', 1), ('how = ["fine", "raise"]', 2)],
)
def test_a_list_is_a_choice_unless_the_parameter_is_a_list(place, line, count):
    assert len(batch.read_runs(written(place, f"{RUN}[run.parameters]\n{line}\n")).jobs) == count


def test_every_problem_is_told_at_once(place):
    text = (
        '[batch]\nworkers = 0\ntimeout = 5\non_failure = "mail me"\n[[run]]\nnotebook = "batch-rum"\nstudy = "data/study"\n'
        '[[run]]\nnotebook = "batch-run"\nstudy = "data/studi"\nretries = true\n[[run]]\nstudy = 5\n'
        f"{RUN}[run.parameters]\nload = 3\nload_mw = 1000\n{RUN}{RUN}"
    )
    said = problems(place, text)
    for words in (
        "[batch]: unknown key 'timeout'; did you mean 'timeout_s'?",
        "[batch]: workers = 0; a whole number from 1 to 256 is needed",
        "on_failure = 'mail me'; a list of program and arguments is needed",
        "[[run]] 1, batch-rum.ipynb: no such file; did you mean 'batch-run'?",
        "[[run]] 2: retries = True; a whole number from 0 to 10 is needed",
        "[[run]] 3: notebook is missing",
        "[[run]] 3: study = 5; a text or a list of texts is needed",
        "unknown parameter 'load'; did you mean 'load_mw'?",
        "1000 is outside 0 to 100 [MW]",
        "report 'batch-run-study': is asked for twice",
    ):
        assert words in said
    assert said.count("\n") == 10


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[batch", "is no TOML"),
        ("[batch]\n", "holds no run"),
        ("run = 3", "holds no run"),
        ('[[run]]\nnotebook = "batch-run"\nstudy = "data/studi"\n', "no such folder or workbook; did you mean 'study'?"),
        (f"{RUN}[runs]\na = 1\n", "unknown key 'runs'; did you mean 'run'?"),
        (f'[batch]\non_success = ["no-such-program-here"]\n{RUN}', "there is no program 'no-such-program-here'"),
    ],
)
def test_a_file_that_cannot_be_run_is_refused(place, text, words):
    assert words in problems(place, text)


def test_two_studies_of_one_name_would_take_each_others_place(place, small_study):
    small_study(place / "more" / "study")
    said = problems(place, f'{RUN}[[run]]\nnotebook = "batch-run"\nstudy = "more/study"\n')
    assert "would be made of" in said


def test_a_file_that_is_not_there_is_suggested(place):
    written(place, RUN)
    with pytest.raises(ParameterError, match=r"did you mean 'runs\.toml'"):
        batch.read_runs(place / "run.toml")


# --- a batch in which much goes wrong ---------------------------------------------------------------------------------------


FAULTS = f"""
[batch]
title = "Reports <script>window.ran = 9</script>"
workers = 2
timeout_s = 60
on_failure = ["{sys.executable}", "-c", '''{HOOK}''']
{RUN}
[[run]]
notebook = "batch-run"
study = "data/study"
retries = 0
[run.parameters]
how = ["raise", "die"]
[[run]]
notebook = "batch-run"
study = "data/study"
[run.parameters]
how = "die once"
[[run]]
notebook = "batch-run"
study = "data/study"
timeout_s = 8
[run.parameters]
how = "hang"
"""


@pytest.fixture(scope="module")
def faulty(place):
    """A batch with runs that raise, die, die once and hang, after a batch that was killed and a run whose record is broken."""
    out = place / "reports"
    broken = out / "batch-run" / "20260101T000000Z-study"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text("{")
    (out / "batch-run-study-how-raise.html").write_text("an earlier report")
    (out / _lock.RECORD).write_text(json.dumps({**folders.owner(), "pid": 2**22 + 1, "started": "2026-01-01T00:00:00+00:00"}))
    (out / "batch-run" / "20260101T000001Z-study.removed").mkdir()
    (out / f".index.html.{2**22 + 1}-1.part").write_text("half")
    lost = []

    def lose_one(kind, job, content):
        if kind == "start" and job.name.endswith("hang") and not lost:
            lost.append(int(content.split()[-1]))
            os.kill(lost[0], signal.SIGKILL)

    return batch.run(batch.read_runs(written(place, FAULTS)), batch.Options(on_event=lose_one))


def test_each_run_ends_on_its_own(faulty):
    ends = {
        r.job.name.removeprefix("batch-run-study").removeprefix("-how-"): (r.outcome, r.fault, r.attempts) for r in faulty.results
    }
    assert ends == {
        "": ("complete", "", 1),
        "raise": ("failed", "cell", 1),
        "die": ("failed", "kernel", 1),
        "die-once": ("complete", "", 2),
        "hang": ("failed", "timeout", 2),  # lost once, made again
    }
    assert faulty.outcome == "failed"
    assert faulty.exit_code == batch.FAILED


def test_earlier_reports_stay_and_new_ones_are_whole(faulty, place):
    out = place / "reports"
    assert (out / "batch-run-study-how-raise.html").read_text() == "an earlier report"
    newest = faulty.results[0]
    assert (out / "batch-run-study.html").read_bytes() == Path(newest.page).read_bytes()
    assert not list(out.rglob("*.part"))
    assert not list(out.rglob("*.removed"))
    assert not [p for p in psutil.Process().children(recursive=True) if "gridplan.report" in " ".join(p.cmdline())]


def test_the_summary_says_it_for_programs(faulty, place):
    summary = json.loads((place / "reports" / "batch.json").read_text("utf-8"))
    assert summary["outcome"] == "failed"
    assert [run["fault"] for run in summary["runs"]] == [None, "cell", "kernel", None, "timeout"]
    assert summary["runs"][0]["page"].startswith("batch-run/2")
    assert summary["runs"][0]["key_figures"][0]["number"] == 20.0
    assert "ZeroDivisionError" in summary["runs"][1]["message"]
    assert any(
        "process 4194305 on" in note and "was killed before its end; its lock was stale" in note for note in summary["notes"]
    )
    assert any("20260101T000000Z-study: its record cannot be read" in note for note in summary["notes"])
    assert str(place) not in json.dumps({k: v for k, v in summary.items() if k != "runs"})


def test_the_index_says_it_for_people(faulty, place):
    page = (place / "reports" / "index.html").read_text("utf-8")
    for words in (
        "the notebook raised an error",
        "the kernel died",
        "the time limit was reached",
        "unreadable",
        "its lock was stale",
    ):
        assert words in page, words
    assert "<script>window.ran" not in page
    assert 'href="batch-run/2' in page


def test_the_command_is_told_through_its_environment(faulty, place):
    told = dict(line.split("=", 1) for line in (place / "told.txt").read_text().splitlines() if line.startswith("GRIDPLAN_"))
    assert told["GRIDPLAN_OUTCOME"] == "failed"
    assert told["GRIDPLAN_FAILED"] == "3"
    assert told["GRIDPLAN_FAILED_REPORTS"].split() == [f"batch-run-study-how-{how}" for how in ("raise", "die", "hang")]
    assert Path(told["GRIDPLAN_INDEX"]).is_file()
    assert faulty.hook_fault == ""


@pytest.fixture(scope="module")
def again(faulty, place, small_study):
    """The same report once more, after the study changed; one complete run is kept, and a notification that fails."""
    small_study(place / "data" / "study", "bus,customer_class,customers\nNorth,residential,45\n")
    (place / "reports" / "batch-run-study-how-die-once.html").write_text("older than its run: killed between the two")
    text = f'[batch]\nkeep = 1\ntitle = "R"\non_success = ["{sys.executable}", "-c", "raise SystemExit(3)"]\n{RUN}'
    return batch.run(batch.read_runs(written(place, text)))


def test_key_figures_are_compared_with_the_run_before(again, faulty, place):
    figures = {figure["key"]: figure for figure in again.results[0].key_figures}
    assert (figures["Customers"]["before"], figures["Customers"]["number"], figures["Customers"]["change"]) == (35, 45, 10)
    assert figures["Peak load"]["change"] == 0
    page = (place / "reports" / "index.html").read_text("utf-8")
    assert '<td class="number">+10</td>' in page
    assert '<td class="number">no change</td>' in page


def test_runs_beyond_those_to_keep_are_removed_but_none_that_cannot_be_read(again, faulty, place):
    assert [folder.name for folder in again.removed] == [Path(faulty.results[0].folder).name]
    assert not Path(faulty.results[0].folder).exists()
    assert (place / "reports" / "batch-run" / "20260101T000000Z-study").is_dir()
    assert Path(faulty.results[3].folder).is_dir()  # another report


def test_a_newest_page_that_was_left_behind_is_mended(again, faulty, place):
    latest = place / "reports" / "batch-run-study-how-die-once.html"
    assert latest.read_bytes() == Path(faulty.results[3].page).read_bytes()
    assert any("was replaced" in note for note in again.notes)


def test_a_notification_that_fails_is_told(again):
    assert again.outcome == "complete"
    assert again.hook_fault.endswith("failed: exit code 3")
    assert again.exit_code == batch.UNTOLD
    assert json.loads(again.file.read_text("utf-8"))["notification"] == again.hook_fault


# --- other faults -----------------------------------------------------------------------------------------------------------


def test_two_batches_at_once_do_not_collide(tmp_path, place):
    with (
        _lock.only_one(tmp_path, ["a"]),
        pytest.raises(ReportError, match=f"another batch runs in .*process {os.getpid()} on") as caught,
    ):
        batch.run(batch.read_runs(written(place, RUN), out=tmp_path))
    assert caught.value.fault == "batch"
    assert not (tmp_path / "batch.json").exists()
    with _lock.only_one(tmp_path, ["a"]) as stale:
        assert stale == ""


def test_a_batch_whose_lock_file_was_deleted_is_not_joined(tmp_path):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        born = psutil.Process(sleeper.pid).create_time()
        record = {**folders.owner(), "pid": sleeper.pid, "born": born, "started": "now"}
        (tmp_path / _lock.RECORD).write_text(json.dumps(record))
        with pytest.raises(ReportError, match="another batch runs"), _lock.only_one(tmp_path, []):
            pass
    finally:
        sleeper.kill()
        sleeper.wait()
    with _lock.only_one(tmp_path, []) as stale:
        assert "was killed before its end" in stale


def test_a_record_that_is_half_written_is_taken_for_a_killed_batch(tmp_path):
    (tmp_path / _lock.RECORD).write_text('{"pid": ')
    with _lock.only_one(tmp_path, []) as stale:
        assert "cannot be read" in stale


def test_a_batch_killed_at_any_moment_leaves_nothing_that_lasts(place, tmp_path):
    text = f'{RUN}[run.parameters]\nhow = "hang"\n'
    command = [sys.executable, "-c", "from gridplan.cli import app; app()", "batch", str(written(place, text, "hang.toml"))]
    process = subprocess.Popen([*command, "--out", str(tmp_path)], stderr=subprocess.PIPE)
    wait_for(lambda: list(tmp_path.glob("batch-run/*.part/source.ipynb")))
    wait_for(lambda: any("kernel.json" in " ".join(p.cmdline()) for p in family(process.pid)))
    alive = family(process.pid)
    process.kill()
    process.wait()
    process.stderr.close()
    psutil.wait_procs(alive, timeout=20)
    assert [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    summary = batch.run(batch.read_runs(written(place, RUN), out=tmp_path))
    assert summary.exit_code == batch.COMPLETE
    assert "was killed before its end" in summary.notes[0]
    assert not list(tmp_path.rglob("*.part"))


def family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def wait_for(condition, limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def test_a_batch_that_is_stopped_says_what_had_not_ended(place, tmp_path):
    def stop(kind, _job, _content):
        if kind == "start":
            raise KeyboardInterrupt

    summary = batch.run(batch.read_runs(written(place, RUN), out=tmp_path), batch.Options(on_event=stop))
    assert [r.outcome for r in summary.results] == ["stopped"]
    assert summary.exit_code == batch.STOPPED
    assert json.loads((tmp_path / "batch.json").read_text("utf-8"))["outcome"] == "stopped"
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.skipif(os.name != "posix", reason="file sizes are limited on posix only")
def test_a_full_disk_fails_the_run_and_leaves_the_earlier_report(place, tmp_path):
    import resource

    (tmp_path / "batch-run-study.html").write_text("an earlier report")
    asked = batch.read_runs(written(place, RUN), out=tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))  # a page has some 5 MB
    try:
        summary = batch.run(asked)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (summary.results[0].outcome, summary.results[0].fault, summary.results[0].attempts) == ("failed", "write", 1)
    assert "File too large" in summary.results[0].message
    assert summary.exit_code == batch.FAILED
    assert (tmp_path / "batch-run-study.html").read_text() == "an earlier report"
    assert "a file could not be written" in (tmp_path / "index.html").read_text("utf-8")
    assert not list(tmp_path.rglob("*.part"))


def test_where_the_index_cannot_be_written_the_old_one_stays_and_the_exit_code_tells(again, tmp_path, monkeypatch, place):
    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "index.html").write_text("old")
    monkeypatch.setattr(folders, "replace_text", full)
    asked = batch.read_runs(written(place, RUN), out=tmp_path)
    summary = _run._written(asked, batch.Summary("t", again.started, again.ended, (), out=tmp_path), [])
    assert summary.exit_code == batch.UNTOLD
    assert sum("No space left" in note for note in summary.notes) == 2
    assert (tmp_path / "index.html").read_text() == "old"


def test_a_folder_that_cannot_be_written_runs_nothing(place, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot write to") as caught:
        batch.run(batch.read_runs(written(place, RUN), out=tmp_path / "file" / "out"))
    assert caught.value.fault == "write"


def test_no_scheduler_is_told(place, tmp_path, monkeypatch):
    monkeypatch.setattr("gridplan.report.batch._places.CONNECT_S", 0.5)
    with pytest.raises(ReportError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        batch.run(batch.read_runs(written(place, RUN), out=tmp_path), batch.Options(scheduler="tcp://127.0.0.1:9"))


CLUSTERED = """
[[run]]
notebook = "batch-run"
study = "data/study"
retries = 5
[run.parameters]
how = ["fine", "tried again"]
[[run]]
notebook = "batch-run"
study = "data/study"
retries = 0
[run.parameters]
how = "tried once"
"""


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # distributed leaves a socket to the garbage collector
def test_a_worker_of_a_cluster_that_is_killed_takes_only_its_own_run_with_it(place, tmp_path):
    import dask
    from distributed import Client, LocalCluster

    at, killed, seen = {}, set(), set()

    def kill_once(kind, job, content):
        seen.add(kind)
        if kind == "start":
            at[job.name] = content
        if kind == "cell" and "tried" in job.name and job.name not in killed:
            killed.add(job.name)
            (process,) = client.run(os.getpid, workers=[at[job.name]]).values()
            os.kill(process, signal.SIGKILL)

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),  # by default Dask itself tries three times
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=60) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        options = batch.Options(scheduler=cluster.scheduler_address, on_event=kill_once)
        summary = batch.run(batch.read_runs(written(place, CLUSTERED, "clustered.toml"), out=tmp_path), options)
    results = {r.job.name.rpartition("how-")[2]: r for r in summary.results}
    assert {name: (r.outcome, r.fault) for name, r in results.items()} == {
        "batch-run-study": ("complete", ""),
        "tried-again": ("complete", ""),
        "tried-once": ("failed", "lost"),
    }
    assert results["tried-once"].attempts == 1
    assert results["tried-again"].attempts >= 2  # more if it waited on the worker that took the other along
    assert {"start", "cell", "end", "retry"} <= seen
    assert summary.exit_code == batch.FAILED
    assert "the process of the run was lost" in (tmp_path / "index.html").read_text("utf-8")
    assert "KilledWorker" in json.loads((tmp_path / "batch.json").read_text("utf-8"))["runs"][2]["message"]
    assert not list(tmp_path.rglob("*.part"))


# --- history ----------------------------------------------------------------------------------------------------------------


def past(number: int, outcome: str = "complete", report: str = "a.html") -> history.Past:
    return history.Past(Path(f"n/{number}"), report, outcome, f"2026-01-{number:02d}")


def test_the_newest_runs_of_each_kind_are_kept():
    runs = [past(1), past(2, "failed"), past(3), past(4, report="b.html"), past(5), past(6, "failed"), past(7, "unreadable")]
    assert [p.name for p in history.superseded(runs, "a.html", 1)] == ["1", "3", "2"]
    assert history.superseded(runs, "a.html", 3) == []
    assert history.previous(runs, runs[4]) == runs[2]
    assert history.previous(runs, runs[0]) is None


def test_a_record_cannot_name_a_page_elsewhere(tmp_path):
    folder = tmp_path / "n" / "20260101T000000Z-x"
    folder.mkdir(parents=True)
    (folder / "n.html").write_text("x")
    record = {"outcome": "complete", "report": "../../evil.html", "started": "2026", "notebook": {"name": "n.ipynb"}}
    (folder / "manifest.json").write_text(json.dumps({**record, "study": {"name": "x"}, "parameters": []}))
    assert history.repair_latest(history.runs(tmp_path), tmp_path) == []
    assert not (tmp_path.parent / "evil.html").exists()
