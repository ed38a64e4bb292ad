"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

import nbformat
import pandas as pd

from gridplan.report import compose
from gridplan.report.comparison._read import Side
from gridplan.report.compose import Cell, Composer, LinkTable, literal, mark, plain
from gridplan.report.page import HIDDEN_TAGS, PLOTLY, TEXT

if TYPE_CHECKING:
    from gridplan.report.comparison._compare import Differences

SHOWN = 40
"""Rows of a table on the page; its CSV holds all of them."""

SIGNS = {"added": "good", "removed": "bad", "changed": "warn", "dropped": "bad", "later": "warn", "earlier": "warn"}
HEADS = {
    "name": "Name",
    "before": "Before",
    "after": "After",
    "change": "Change",
    "row": "Row",
    "column": "Column",
    "file": "File",
    "result": "Result",
    "standing": "Standing",
    "cells_changed": "Cells changed",
    "rows_added": "Rows added",
    "rows_removed": "Rows removed",
    "remark": "Remark",
    "project": "Project",
    "area": "Area",
    "before_yr": "Start before",
    "after_yr": "Start after",
    "moved_yr": "Later by [yr]",
    "table": "Table",
}


def page(before: Side, after: Side, found: Differences) -> str:
    """Return the page of what differs between two runs."""
    title = after.manifest.get("title") or after.manifest["notebook"]["name"]
    facts = [f"Before {_when(before)}", f"After {_when(after)}", f"Study {after.manifest['study']['name']}"]
    sheet = Composer(
        f"What changed: {title}",
        facts,
        "Written by gridplan compare from the records and files of the two runs; nothing was run again.",
    )
    sheet.text(found.words())
    _notes(sheet, before, after)
    _key_figures(sheet, found.key_figures)
    _roadmap(sheet, found.roadmap)
    _pairs(sheet, "Parameters", "parameters", found.parameters, "Both runs have the same parameters.")
    _inputs(sheet, found)
    _pairs(sheet, "Versions", "versions", found.versions, "Both runs were made with the same notebook, code and versions.")
    _results(sheet, before, after, found)
    label = {before.manifest.get("classification", ""), after.manifest.get("classification", "")} - {""}
    return sheet.html(classification=" / ".join(sorted(label)))


def _when(side: Side) -> str:
    return f"{compose.moment(side.manifest['started'])} UTC"


def _notes(sheet: Composer, before: Side, after: Side) -> None:
    notes = [f"**{which}:** {literal(p)}" for which, side in (("Before", before), ("After", after)) for p in side.problems]
    if before.manifest["notebook"]["name"] != after.manifest["notebook"]["name"]:
        notes.append("The two runs are of different notebooks.")
    if notes:
        sheet.text("## Not as recorded\n\n" + "\n".join(f"- {note}" for note in notes))


def _key_figures(sheet: Composer, table: pd.DataFrame) -> None:
    sheet.text("## Key figures")
    if table.empty:
        sheet.text("Neither run has key figures on record.")
        return
    rows = [_figure_row(r) for r in table.to_dict("records")]
    data = table[["key_figure", "unit", "number_before", "number_now", "change", "status_before", "status"]]
    head = ("Key figure", "Before", "After", "Change", "Change [%]", "Unit", "Standing")
    sheet.table(LinkTable("key-figures", "Key figures before and after", head, rows, data))


def _figure_row(row: Mapping[str, Any]) -> list[Cell]:
    share = row["change"] / abs(row["number_before"]) * 100 if row["number_before"] and pd.notna(row["change"]) else None
    relative = "–" if share is None or pd.isna(share) else f"{share:+.1f}".replace("-", "−")
    words = {"good": "good", "warn": "to watch", "bad": "to act on"}
    standing = mark(row["status"], words[row["status"]]) if row["status"] in words else ""
    if row["status"] != row["status_before"] and row["status_before"] in words:
        standing += f" (was {words[row['status_before']]})"
    numbers = [("number", escape(row[k])) for k in ("last", "now", "change_words")]
    return [plain(row["key_figure"]), *numbers, ("number", relative), plain(row["unit"]), ("", standing)]


def _roadmap(sheet: Composer, table: pd.DataFrame | None) -> None:
    if table is None:
        return
    sheet.text("## Roadmap")
    if table.empty:
        sheet.text("The same projects start in the same years.")
        return
    for name, part in table.groupby("table", sort=False):
        shown = part.drop(columns="table")
        sheet.table(_table(f"roadmap-{name}", f"Projects that moved, came in or fell out: {name}", shown))


def _pairs(sheet: Composer, title: str, name: str, table: pd.DataFrame, same: str) -> None:
    sheet.text(f"## {title}")
    if table.empty:
        sheet.text(same)
    else:
        sheet.table(_table(name, f"{title} that differ", table))


def _inputs(sheet: Composer, found: Differences) -> None:
    sheet.text("## Inputs")
    changed = found.inputs[found.inputs["standing"] != "same"]
    same = len(found.inputs) - len(changed)
    if changed.empty:
        sheet.text(f"All {same} files of the study are the same.")
        return
    caption = f"{same} other files are the same." if same else ""
    sheet.table(_table("input-files", "Files of the study that differ", changed, caption))
    for name, part in found.rows.groupby("table", sort=False):
        title = f"{name}: what differs, row by row"
        shown = part.drop(columns=["table", *(c for c in ("row", "column") if not part[c].any())])
        sheet.table(_table(f"rows-{name}", title, shown))


def _table(name: str, title: str, frame: pd.DataFrame, caption: str = "") -> LinkTable:
    shown = frame.head(SHOWN)
    more = len(frame) - len(shown)
    rows = [[_cell(column, value) for column, value in row.items()] for row in shown.to_dict("records")]
    captions = [caption, f"{more} further rows are in the CSV." if more else ""]
    return LinkTable(name, title, [HEADS.get(c, c) for c in frame.columns], rows, frame, " ".join(filter(None, captions)))


def _cell(column: str, value: Any) -> Cell:
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return "", ""
    if column in {"change", "standing"} and value in SIGNS:
        return "", mark(SIGNS[value], value)
    if column == "moved_yr":
        return "number", f"{value:+d}".replace("-", "−")
    return ("number" if isinstance(value, int) else TEXT), escape(str(value))


# --- results ----------------------------------------------------------------------------------------------------------------


def _results(sheet: Composer, before: Side, after: Side, found: Differences) -> None:
    old, new = dict(_drawings(before)), dict(_drawings(after))
    shared = [name for name in new if name in old]
    changed = [name for name in shared if _drawn(old[name]) != _drawn(new[name])]
    sheet.text(f"## Figures side by side\n\n{_sentence(old, new, changed)}")
    for name in changed:
        sheet.text(f"### {literal(new[name].metadata['gridplan'].get('title') or name)}")
        sheet.show(_labelled(old[name], "Before", before), _labelled(new[name], "After", after))
    differing = found.results[found.results["standing"] != "same"]
    sheet.text("## Data of figures and tables")
    if differing.empty:
        sheet.text("All data of figures and tables are the same.")
    else:
        sheet.table(_table("results", "Data of figures and tables that differ", differing))


def _drawings(side: Side) -> Iterator[tuple[str, nbformat.NotebookNode]]:
    """Yield the figures of an executed notebook by name."""
    for cell in side.notebook.cells:
        if cell.cell_type != "code" or HIDDEN_TAGS & set(cell.metadata.get("tags", [])):
            continue
        for output in cell.outputs:
            if PLOTLY in output.get("data", {}):
                yield output.metadata.get("gridplan", {}).get("name") or f"figure in cell {cell.get('id', '')}", output


def _drawn(output: nbformat.NotebookNode) -> tuple[Any, ...]:
    drawing = output.data[PLOTLY]
    return output.data.get("text/csv"), drawing.get("data"), drawing.get("layout")


def _sentence(old: Mapping[str, Any], new: Mapping[str, Any], changed: list[str]) -> str:
    same = sum(name in old for name in new) - len(changed)
    said = [f"Figures that differ: {len(changed)}. Figures that are the same: {same}."]
    gone, fresh = [literal(n) for n in old if n not in new], [literal(n) for n in new if n not in old]
    said += [f"Only in the earlier run: {compose.listed(gone)}."] if gone else []
    said += [f"Only in the later run: {compose.listed(fresh)}."] if fresh else []
    return " ".join(said)


def _labelled(output: nbformat.NotebookNode, word: str, side: Side) -> nbformat.NotebookNode:
    """Return a figure whose title says of which run it is."""
    words = dict(output.metadata.get("gridplan", {}))
    when = datetime.fromisoformat(side.manifest["started"])
    named = {
        **words,
        "kind": "figure",
        "title": f"{word}, {when:%d %b %Y, %H:%M}",
        "name": f"{words.get('name', 'figure')}-{word.lower()}",
    }
    return nbformat.from_dict({**output, "metadata": {"gridplan": named}})
