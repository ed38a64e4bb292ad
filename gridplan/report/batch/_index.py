"""The index page: how the last batch went, what its key figures are and how they changed, and what earlier runs there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import pandas as pd

from gridplan import figures
from gridplan.report import archive, compose, history, keyfigures
from gridplan.report.batch._result import Result, Summary
from gridplan.report.compose import Cell, Composer, LinkTable, link, literal, mark, plain
from gridplan.report.provenance import value_words

FAULTS = {
    "cell": "the notebook raised an error",
    "timeout": "the time limit was reached",
    "kernel": "the kernel died",
    "worker": "the process around the kernel died",
    "lost": "the process of the run was lost",
    "write": "a file could not be written",
    "input": "parameters or study are not fit",
    "report": "the report could not be made",
    "internal": "an unexpected error",
}
KINDS = {"complete": "good", "failed": "bad", "stopped": "warn", "unreadable": "warn"}
SHOWN = 12
"""Earlier runs that a report lists; more are in its folder."""

LONGEST = 400
"""Characters of a message; the whole of it is in the run's folder and in the summary."""


def page(summary: Summary, past: Sequence[history.Past]) -> str:
    """Return the index page of a folder of reports.

    Parameters
    ----------
    summary
        How the last batch ended.
    past
        Every run that was in the folder when the batch had ended; those in `summary.removed` are gone since, and still what newer
        ones are compared with.
    """
    kept = [p for p in past if p.folder not in summary.removed]
    sheet = Composer(summary.title, (compose.now(), f"{len(kept)} runs kept"), _origin())
    sheet.text(_lead(summary))
    sheet.show(figures.Cards(list(_cards(summary))))
    sheet.text("## The last batch")
    sheet.table(_last(summary))
    if summary.notes:
        sheet.text("### To know\n\n" + "\n".join(f"- {literal(note)}" for note in summary.notes))
    sheet.text("## Reports")
    for result in summary.results:
        _report(sheet, summary, result, past)
    _others(sheet, summary, kept)
    return sheet.html()


def _origin() -> str:
    return (
        "Written by gridplan batch from the records of the runs (manifest.json in the folder of each). "
        "The same facts stand in batch.json."
    )


def _lead(summary: Summary) -> str:
    failed = [r for r in summary.results if r.outcome != "complete"]
    count = len(summary.results)
    if not failed:
        return "The run is complete." if count == 1 else f"All {count} runs are complete."
    names = compose.listed(literal(r.job.name) for r in failed)
    verb = "was stopped before its end" if summary.stopped else "ended"
    return (
        f"The batch {verb} with {count - len(failed)} of {count} runs complete. Not complete: {names}. "
        "Earlier reports of them stand as they were."
    )


def _cards(summary: Summary) -> Iterable[figures.Card]:
    outcomes = [r.outcome for r in summary.results]
    failed = len(outcomes) - outcomes.count("complete")
    minutes = (summary.ended - summary.started).total_seconds() / 60
    yield figures.Card("Runs complete", outcomes.count("complete"), "", f"of {len(outcomes)}", "" if failed else "good")
    yield figures.Card("Runs not complete", failed, "", "", "bad" if failed else "")
    yield figures.Card("Duration", minutes, "min", f"started {summary.started:%d %b %Y, %H:%M} UTC", digits=1)


def _last(summary: Summary) -> LinkTable:
    rows = [_row(summary, r) for r in summary.results]
    data = pd.DataFrame(
        {
            "report": [r.job.name for r in summary.results],
            "outcome": [r.outcome for r in summary.results],
            "fault": [r.fault for r in summary.results],
            "message": [r.message for r in summary.results],
            "attempts": [r.attempts for r in summary.results],
            "seconds": [r.seconds for r in summary.results],
        }
    )
    head = ("Report", "Outcome", "Duration [s]", "Attempts", "Remarks")
    return LinkTable("last-batch", "Runs of the last batch", head, rows, data)


def _row(summary: Summary, result: Result) -> list[Cell]:
    there = result.page is not None
    name = link(_near(summary, result.page), result.job.name) if there else escape(result.job.name)
    said = FAULTS.get(result.fault, "") if result.outcome == "failed" else result.message
    seconds = figures.number(result.seconds, 1) if result.attempts else "–"
    status = mark(KINDS[result.outcome], result.outcome)
    return [("", name), ("", status), ("number", seconds), ("number", str(result.attempts)), plain(said)]


def _near(summary: Summary, path: str | Path | None) -> str:
    return Path(path or "").relative_to(summary.out).as_posix()


# --- one report -------------------------------------------------------------------------------------------------------------


def _report(sheet: Composer, summary: Summary, result: Result, past: Sequence[history.Past]) -> None:
    mine = [p for p in past if p.report == result.job.report]
    newest = next((p for p in reversed(mine) if p.outcome == "complete"), None)
    sheet.text(f"### {literal(result.job.name)}\n\n{_words(result, newest)}")
    if newest is not None and newest.key_figures:
        sheet.table(_figures(result, newest, past))
    if mine:
        sheet.table(_history(summary, result, [p for p in mine if p.folder not in summary.removed]))


def _words(result: Result, newest: history.Past | None) -> str:
    given = ", ".join(f"{name} = {value_words(value)}" for name, value in result.job.parameters.items())
    said = [
        f"{literal(result.job.notebook.stem)} on study {literal(result.job.study.name)}{', ' + literal(given) if given else ''}."
    ]
    if result.outcome != "complete":
        said.append(f"**{FAULTS.get(result.fault, 'Stopped').capitalize()}:** {literal(_cut(result.message))}")
        said.append(
            f"The figures below are those of {compose.moment(newest.started)} UTC." if newest else "No run was ever complete."
        )
    return "\n\n".join(said)


def _cut(text: str) -> str:
    first = text.strip().splitlines()[0] if text.strip() else ""
    return first if len(first) <= LONGEST else f"{first[:LONGEST]} ..."


def _figures(result: Result, newest: history.Past, past: Sequence[history.Past]) -> LinkTable:
    before = history.previous(past, newest)
    table = keyfigures.changes(before.key_figures if before else [], newest.key_figures)
    rows = [
        [
            plain(r.key_figure),
            ("number", r.now),
            ("number", r.last),
            ("number", r.change_words),
            plain(r.unit),
            ("", _standing(r)),
        ]
        for r in table.itertuples()
    ]
    caption = (
        f"Compared with the run of {compose.moment(before.started)} UTC."
        if before
        else "The first complete run: nothing to compare with."
    )
    head = ("Key figure", "Now", "Run before", "Change", "Unit", "Standing")
    name = f"key-figures-{result.job.name}"
    data = table[["key_figure", "unit", "number_now", "number_before", "change", "status"]]
    return LinkTable(name, f"Key figures of {result.job.name}", head, rows, data, caption)


def _standing(row: object) -> str:
    return (
        mark(row.status, {"good": "good", "warn": "to watch", "bad": "to act on"}[row.status])
        if row.status in {"good", "warn", "bad"}
        else ""
    )


def _history(summary: Summary, result: Result, mine: Sequence[history.Past]) -> LinkTable:
    shown = list(reversed(mine))[:SHOWN]
    rows = [
        [
            ("keep", compose.moment(p.started)),
            ("", mark(KINDS[p.outcome], p.outcome)),
            ("keep", _files(summary, p)),
            plain(_cut(p.message)),
        ]
        for p in shown
    ]
    data = pd.DataFrame(
        {"started": [p.started for p in mine], "outcome": [p.outcome for p in mine], "message": [p.message for p in mine]}
    )
    more = len(mine) - len(shown)
    caption = f"{more} earlier runs are in the folder and in the CSV." if more else ""
    head = ("Run [UTC]", "Outcome", "Files", "Remarks")
    return LinkTable(f"runs-{result.job.name}", f"Runs of {result.job.name}", head, rows, data, caption)


def _files(summary: Summary, past: history.Past) -> str:
    """Link what a run left."""
    if past.outcome != "complete":
        return link(_near(summary, past.folder) + "/", "what is left")
    files = {"page": past.page, "PDF": past.page.with_suffix(".pdf"), "archive": archive.default_target(past.folder)}
    return ", ".join(link(_near(summary, file), name) for name, file in files.items() if file.is_file()) or "none left"


def _others(sheet: Composer, summary: Summary, past: Sequence[history.Past]) -> None:
    """List what else is in the folder: reports of other batches or made by hand, and runs whose record cannot be read."""
    mine = {r.job.report for r in summary.results}
    newest = {p.report or p.folder.as_posix(): p for p in past if p.report not in mine}
    if not newest:
        return
    rows = []
    for p in newest.values():
        name = p.report.removesuffix(".html") or _near(summary, p.folder)
        rows.append(
            [
                plain(name),
                ("keep", compose.moment(p.started)),
                ("", mark(KINDS[p.outcome], p.outcome)),
                ("keep", _files(summary, p)),
                plain(_cut(p.message)),
            ]
        )
    data = pd.DataFrame([{"report": p.report, "started": p.started, "outcome": p.outcome} for p in newest.values()])
    sheet.text("## Other reports in this folder\n\nOf other batches, or made by hand: the newest run of each.")
    head = ("Report", "Run [UTC]", "Outcome", "Files", "Remarks")
    sheet.table(LinkTable("other-reports", "Other reports", head, rows, data))
