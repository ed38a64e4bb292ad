"""Run a notebook on a study and publish its page: everything of a run appears at once, or nothing of it.

Folders under `out`::

    <notebook>-<study>.html               the newest page, replaced in one step by runs with the notebook's own parameters
    <notebook>-<study>-<changes>.html     the newest page with parameters changed in this way
    <notebook>/<UTC time>-<study>/        one run: page, executed notebook, csv/, manifest.json, inputs.zip, PDF if wanted
    <notebook>/failed/<UTC time>-<study>/ what a failed run left: notebook as far as it came, error, kernel's own words
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gridplan.errors import ParameterError, Problem, ReportError, StudyError, suggest
from gridplan.report import folders, inputs, keyfigures, pdf, provenance
from gridplan.report.driver import Driver
from gridplan.report.exporter import PageExporter
from gridplan.report.parameters import STUDY, TAG, Parameter, gather, read_notebook, read_parameters

_OWN_ERRORS = {"GridplanError", "InputError", "StudyError", "NetworkError", "ParameterError", "NotConverged", "ReportError"}


@dataclass(frozen=True)
class RunOptions:
    """How a run is made and what its page says about itself.

    Parameters
    ----------
    status
        ``DRAFT`` or ``FINAL``, shown at the head and on every printed page.
    classification
        Label shown beside it, ``Internal``; empty for none.
    timeout_s
        Limit of the whole run [s]; None for none.
    progress
        Show a progress bar on the terminal's error stream, if it is one.
    pdf
        Print the page to a PDF too; needs Chromium, Chrome or Edge.
    keep_inputs
        Keep a copy of the study's files with the run (``inputs.zip``), for a comparison row by row with a later one.
    on_cell
        Called with (cells done, cells in all) whenever a cell starts, and at the end.
    """

    status: str = "DRAFT"
    classification: str = ""
    timeout_s: float | None = None
    progress: bool = False
    pdf: bool = False
    keep_inputs: bool = True
    on_cell: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.status not in {"DRAFT", "FINAL"}:
            problems.append(Problem("status", f"'{self.status}' is not DRAFT or FINAL"))
        if self.timeout_s is not None and not self.timeout_s > 0:
            problems.append(Problem("timeout_s", f"{self.timeout_s} is not above 0 [s]"))
        if problems:
            raise ParameterError("the set of run options", problems)


@dataclass(frozen=True)
class Run:
    """A finished run: where its files are.

    Parameters
    ----------
    folder
        The run's own folder.
    page
        The report, one offline HTML file in `folder`.
    latest
        The copy of the newest page of this notebook and study, and of these parameters where they are not the notebook's own.
    notebook
        The executed notebook.
    csv
        The data of every figure and table.
    manifest
        ``manifest.json``: inputs, code, software, parameters, times, files.
    started
        UTC.
    seconds
        Duration of the whole run [s].
    """

    folder: Path
    page: Path
    latest: Path
    notebook: Path
    csv: tuple[Path, ...]
    manifest: Path
    started: datetime
    seconds: float


@dataclass(frozen=True)
class _Plan:
    """One run before it starts: everything checked."""

    notebook: Path
    study: Path
    source: nbformat.NotebookNode
    known: Mapping[str, Parameter]
    given: Mapping[str, Any]
    out: Path
    options: RunOptions
    started: datetime

    @property
    def stem(self) -> str:
        return self.notebook.stem

    @property
    def study_name(self) -> str:
        name = self.study.stem if self.study.is_file() else self.study.name
        return re.sub(r"[^\w.-]+", "-", name)

    @property
    def name(self) -> str:
        return f"{self.started:%Y%m%dT%H%M%SZ}-{self.study_name}"

    @property
    def latest(self) -> Path:
        """The newest page; a run with changed parameters never takes the place of one without."""
        changed = provenance.changes(self.known, self.given)
        parts = [self.stem, self.study_name, *([provenance.tag(changed)] if changed else [])]
        return self.out / f"{'-'.join(parts)}.html"


def render(
    notebook: str | Path,
    *,
    study: str | Path,
    parameters: Mapping[str, Any] | None = None,
    out: str | Path = "reports",
    options: RunOptions = RunOptions(),
    driver: Driver | None = None,
) -> Run:
    """Run a notebook on a study in its own process and write its page.

    The notebook runs with its own folder as working directory, as in JupyterLab. Nothing is published unless every cell ran.

    Parameters
    ----------
    notebook
        ``.ipynb`` file with a cell tagged ``parameters`` that names ``study``.
    study
        Study folder or workbook.
    parameters
        Values by name; :func:`gather` makes them from texts or a file.
    out
        Folder of all reports.
    options
        Status line, time limit, progress.
    driver
        Process that runs the notebook, where it is kept for several runs; by default one of its own.

    Returns
    -------
    Run
        The published files.

    Raises
    ------
    ParameterError
        The notebook or a parameter is not as it must be; no kernel was started.
    StudyError
        There is no such study; no kernel was started.
    ReportError
        A cell raised, the kernel died, the time was up, or a file could not be written. The message names the cell and the
        notebook kept.
    """
    plan = _plan(Path(notebook), Path(study), parameters or {}, Path(out), options)
    with _part_folder(plan) as part:
        facts = _inputs(plan, part)
        failure = _execute(plan, part, driver or Driver())
        executed = _collect(plan, part)
        if failure is not None:
            raise _keep_failed(plan, part, facts, failure)
        manifest = _manifest(plan, facts, executed)
        _write_page(plan, part, executed, manifest)
        folder = folders.publish(part, part.parent, plan.name)
    return _published(plan, folder)


def _published(plan: _Plan, folder: Path) -> Run:
    page, executed = folder / f"{plan.stem}.html", folder / f"{plan.stem}.ipynb"
    latest = folders.point_latest(page, plan.latest)
    csv, manifest = tuple(sorted(folder.glob("csv/*.csv"))), folder / folders.MANIFEST
    return Run(folder, page, latest, executed, csv, manifest, plan.started, _since(plan.started))


def identify(notebook: str | Path, study: str | Path, parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Check what :func:`render` would be given, and name the report that it would make; nothing is run or written.

    Returns
    -------
    tuple
        File name of the newest page of its kind, and the values as the notebook takes them.

    Raises
    ------
    ParameterError, StudyError
        As :func:`render`.
    """
    plan = _plan(Path(notebook), Path(study), parameters, Path(), RunOptions())
    return plan.latest.name, dict(plan.given)


# --- before -----------------------------------------------------------------------------------------------------------------


def _plan(notebook: Path, study: Path, parameters: Mapping[str, Any], out: Path, options: RunOptions) -> _Plan:
    if options.pdf:
        pdf.find_browser()
    source = read_notebook(notebook)
    known = read_parameters(notebook)
    given = gather(notebook, values=parameters)
    if not study.exists():
        near = [p.name for p in study.parent.iterdir() if p.is_dir() or p.suffix == ".xlsx"] if study.parent.is_dir() else []
        raise StudyError(f"study {study}", [Problem(str(study), f"no such folder or workbook; {suggest(study.name, near)}")])
    return _Plan(notebook.resolve(), study.resolve(), source, known, given, out.resolve(), options, datetime.now(UTC))


@contextlib.contextmanager
def _part_folder(plan: _Plan) -> Iterator[Path]:
    """Make the folder that a run works in; it goes when the run does not end in a rename, whatever the reason."""
    folders.remove_stale(plan.out / plan.stem)
    try:
        part = folders.make(plan.out / plan.stem, plan.name, ".part")
        folders.write_json(part / folders.OWNER, folders.owner())
    except OSError as fault:
        remedy = "give another folder with --out (out= in Python), or make room and see that you may write there"
        raise ReportError(f"cannot write to {plan.out}: {fault}; {remedy}", fault="write") from fault
    try:
        yield part
    except OSError as fault:
        raise ReportError(
            f"the report could not be written to {plan.out}: {fault}; what was there before is untouched", fault="write"
        ) from fault
    finally:
        shutil.rmtree(part, ignore_errors=True)


# --- the run ----------------------------------------------------------------------------------------------------------------


def _inputs(plan: _Plan, part: Path) -> dict[str, Any]:
    """Hash what the run reads, and keep a copy of it if that is wanted."""
    paths = provenance.study_paths(plan.study)
    facts = provenance.inputs(plan.notebook, plan.study, paths=paths)
    if not plan.options.keep_inputs:
        return facts
    kept = inputs.keep(part / inputs.FILE, paths, facts["study"]["files"])
    return {**facts, "kept_inputs": {"file": inputs.FILE, "sha256": provenance.sha256(kept)}}


def _execute(plan: _Plan, part: Path, driver: Driver) -> dict[str, Any] | None:
    """Run the notebook; return None, or what went wrong."""
    source = part / "source.ipynb"
    source.write_text(nbformat.writes(_injected(plan)), "utf-8")
    job = {
        "source": str(source),
        "target": str(part / f"{plan.stem}.ipynb"),
        "cwd": str(plan.notebook.parent),
        "log": str(part / "kernel.log"),
        "timeout_s": plan.options.timeout_s,
    }
    with _shown(plan.options, len(plan.source.cells) + 1) as on_cell:
        last = driver.run(job, on_cell)
    source.unlink()
    return None if last.get("done") else last


def _injected(plan: _Plan) -> nbformat.NotebookNode:
    """Return the notebook with the given values in a cell behind the defaults, as literals."""
    values = {STUDY: str(plan.study), **plan.given}
    cell = nbformat.v4.new_code_cell("\n".join(f"{name} = {value!r}" for name, value in values.items()))
    cell.metadata["tags"] = ["injected-parameters"]
    cells = [c for c in plan.source.cells if "injected-parameters" not in c.metadata.get("tags", [])]
    place = next(i for i, c in enumerate(cells) if TAG in c.metadata.get("tags", []))
    return nbformat.from_dict(
        {**plan.source, "nbformat": 4, "nbformat_minor": 5, "cells": [*cells[: place + 1], cell, *cells[place + 1 :]]}
    )


@contextlib.contextmanager
def _shown(options: RunOptions, total: int) -> Iterator[Callable[[int, int], None]]:
    """Give the function to call as cells are done; it draws a bar if one is wanted and there is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("running the notebook"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    hook = options.on_cell or (lambda _done, _total: None)
    with Progress(*columns, console=console, transient=True, disable=not (options.progress and console.is_terminal)) as bar:
        task = bar.add_task("", total=total)

        def on_cell(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)
            hook(done, of)

        yield on_cell


# --- after ------------------------------------------------------------------------------------------------------------------


def _collect(plan: _Plan, part: Path) -> nbformat.NotebookNode:
    """Read what the worker wrote, without this machine's paths; what cannot be read is the notebook as it was started."""
    file = part / f"{plan.stem}.ipynb"
    try:
        executed = nbformat.reads(file.read_text("utf-8"), as_version=4)
    except (OSError, ValueError):  # killed before or while writing
        executed = _injected(plan)
    shown = provenance.shown_path(plan.study)
    hidden = [(plan.study, shown), (part, "."), (plan.notebook.parent, "."), (Path.cwd().resolve(), ".")]
    with contextlib.suppress(RuntimeError):  # a user without a home has none to hide
        hidden.append((Path.home(), "~"))
    executed = provenance.without_paths(executed, sorted(hidden, key=lambda pair: -len(str(pair[0]))))
    file.write_text(nbformat.writes(executed), "utf-8")
    return executed


def _manifest(plan: _Plan, facts: dict[str, Any], executed: nbformat.NotebookNode) -> dict[str, Any]:
    return {
        "format": provenance.FORMAT,
        "outcome": "complete",
        "report": plan.latest.name,
        "status": plan.options.status,
        "classification": plan.options.classification,
        **facts,
        "parameters": provenance.parameters(plan.known, plan.given, provenance.shown_path(plan.study)),
        "software": provenance.software(),
        **provenance.platform_facts(),
        **provenance.times(plan.started, datetime.now(UTC)),
        "warnings": provenance.warnings_in(executed),
        "key_figures": keyfigures.of_notebook(executed),
    }


def _write_page(plan: _Plan, part: Path, executed: nbformat.NotebookNode, manifest: dict[str, Any]) -> None:
    page, resources = PageExporter().from_notebook_node(executed, {"metadata": {"name": plan.stem}, "manifest": manifest})
    (part / f"{plan.stem}.html").write_text(page, "utf-8", newline="\n")
    (part / "kernel.log").unlink(missing_ok=True)
    if resources["csv"]:
        (part / "csv").mkdir()
    for name, content in resources["csv"].items():
        (part / "csv" / f"{name}.csv").write_bytes(content)
    if plan.options.pdf:
        pdf.print_page(part / f"{plan.stem}.html", part / f"{plan.stem}.pdf")
    files = sorted(f for f in part.rglob("*") if f.is_file() and f.name not in {folders.OWNER, inputs.FILE})
    outputs = {f.relative_to(part).as_posix(): provenance.sha256(f) for f in files}
    folders.write_json(part / folders.MANIFEST, {**manifest, "title": resources["title"], "outputs": outputs})
    (part / folders.OWNER).unlink()  # last of all: without it nothing says whether this run still lives


def _since(started: datetime) -> float:
    return (datetime.now(UTC) - started).total_seconds()


# --- when it failed ---------------------------------------------------------------------------------------------------------


def _keep_failed(plan: _Plan, part: Path, facts: dict[str, Any], failure: dict[str, Any]) -> ReportError:
    """Move what is left of a failed run aside and return what to tell the analyst."""
    words = _words(plan, failure)
    (part / "error.txt").write_text(words + "\n", "utf-8")
    (part / inputs.FILE).unlink(missing_ok=True)
    facts = {name: fact for name, fact in facts.items() if name != "kept_inputs"}
    record = {"outcome": "failed", "fault": failure["failed"], "message": words, **facts}
    folders.write_json(part / folders.MANIFEST, {**_manifest(plan, facts, plan.source), **record, "key_figures": []})
    (part.parent / "failed").mkdir(exist_ok=True)
    (part / folders.OWNER).unlink()
    kept = folders.publish(part, part.parent / "failed", plan.name)
    rest = f"Nothing was published; earlier reports are untouched. The notebook as far as it came: {kept / plan.notebook.name}"
    return ReportError(f"{words}\n{rest}", fault=failure["failed"], kept=kept)


def _words(plan: _Plan, failure: dict[str, Any]) -> str:
    place = f"{plan.notebook.name}{_place(plan, failure.get('cell'))}"
    ename, evalue = failure["ename"], failure["evalue"]
    if failure["failed"] == "timeout":
        return f"{place}: the run took longer than {plan.options.timeout_s:g} s and was stopped"
    if failure["failed"] == "write":
        return f"{place}: the executed notebook could not be written ({ename}: {evalue.strip()})"
    if failure["failed"] == "kernel":
        return f"{place}: the kernel died ({ename}: {evalue.strip()})"
    if failure["failed"] == "worker":
        return f"{place}: the process that runs the notebook ended without a word ({evalue}); see kernel.log"
    if ename in _OWN_ERRORS:
        return f"{place}: {evalue}"
    return f"{place}: {ename}: {evalue}\n{_short(failure['traceback'])}".rstrip()


def _place(plan: _Plan, index: int | None) -> str:
    """Name a cell by its number in the notebook as the analyst has it, and by its first line."""
    if index is None:
        return ""
    cells = _injected(plan).cells
    if "injected-parameters" in cells[index].metadata.get("tags", []):
        return ", the parameters given"
    number = index + 1 - sum("injected-parameters" in c.metadata.get("tags", []) for c in cells[:index])
    line = next((text.strip() for text in cells[index].source.splitlines() if text.strip()), "")
    return f", cell {number} (`{line}`)"


def _short(traceback: list[str], lines: int = 12) -> str:
    """Return the end of a traceback without terminal colours."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", "\n".join(traceback)).splitlines()
    return "\n".join(f"    {line}" for line in text[-lines:])
