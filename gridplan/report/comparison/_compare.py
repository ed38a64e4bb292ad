"""The tables of a comparison, and the page made of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from gridplan.errors import ReportError
from gridplan.report import folders, keyfigures
from gridplan.report import pdf as printer
from gridplan.report.comparison._page import page
from gridplan.report.comparison._read import Side, read_side, read_text_table, tables_in
from gridplan.report.comparison._tables import COLUMNS, changed_rows, is_roadmap, keys_of, roadmap_changes
from gridplan.report.compose import listed
from gridplan.report.provenance import value_words

MOST_ROWS = 5000
"""Changed cells of one table that are listed; how many there are is always said."""


@dataclass(frozen=True, eq=False)
class Differences:
    """What differs between two runs.

    Parameters
    ----------
    key_figures
        Of :func:`gridplan.report.keyfigures.changes`.
    parameters, versions
        `name`, `before`, `after`, only what differs.
    inputs
        One row per input file: `file`, `standing` (same, changed, added, removed), `cells_changed`, `rows_added`, `rows_removed`,
        `remark`.
    rows
        Of :func:`changed_rows`, with `table`, for every input table that changed.
    roadmap
        Of :func:`roadmap_changes`, with `table`; None where neither run has a roadmap.
    results
        One row per CSV of the report: `result`, `standing`.
    """

    key_figures: pd.DataFrame
    parameters: pd.DataFrame
    versions: pd.DataFrame
    inputs: pd.DataFrame
    rows: pd.DataFrame
    roadmap: pd.DataFrame | None
    results: pd.DataFrame

    def words(self) -> str:
        """Say how much changed."""
        known = len(self.key_figures)
        moved = int((self.key_figures["change_words"] != "no change").sum()) if known else 0
        figures = f"{moved} of {known} key figures changed." if known else "No key figures are on record."
        files = int((self.inputs["standing"] != "same").sum())
        counts = {"input file": files, "parameter": len(self.parameters), "version": len(self.versions)}
        other = [_count(number, noun) for noun, number in counts.items() if number]
        between = f"{listed(other)} differ." if sum(counts.values()) != 1 else f"{listed(other)} differs."
        said = [figures, between if other else "Inputs, parameters and versions are the same."]
        if self.roadmap is not None:
            said.append(f"In the roadmap, {_count(len(self.roadmap), 'project')} moved, came in or fell out.")
        return " ".join(said)


@dataclass(frozen=True, eq=False)
class Comparison:
    """A finished comparison: its page, and its tables.

    Parameters
    ----------
    page
        One offline HTML file.
    pdf
        The same printed, if that was asked for.
    differences
        The tables.
    """

    page: Path
    pdf: Path | None
    differences: Differences

    @property
    def summary(self) -> str:
        """What changed, in a sentence."""
        return self.differences.words()


def compare(before: str | Path, after: str | Path, *, out: str | Path = "reports/compare", pdf: bool = False) -> Comparison:
    """Write a page of what changed between two runs.

    Parameters
    ----------
    before, after
        Each the folder of a run, a page, or an archive.
    out
        Folder of the page.
    pdf
        Print it to a PDF too.

    Raises
    ------
    ParameterError
        There is no such run.
    ReportError
        A run cannot be read, or the page cannot be written.
    """
    sides = read_side(before), read_side(after)
    found = differences(*sides)
    target = Path(out) / f"{_name(sides[0])}--{_name(sides[1])}.html"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folders.replace_text(target, page(*sides, found))
    except OSError as fault:
        raise ReportError(f"the comparison could not be written to {target}: {fault}", fault="write") from fault
    return Comparison(target, _printed(target) if pdf else None, found)


def _printed(page: Path) -> Path:
    return printer.print_page(page, page.with_suffix(".pdf"))


def _name(side: Side) -> str:
    stem, study = Path(side.manifest["notebook"]["name"]).stem, side.manifest["study"]["name"]
    when = re.sub(r"[-:]|\+.*", "", str(side.manifest["started"]))
    return re.sub(r"[^\w.-]+", "-", f"{stem}-{study}-{when}Z")


def differences(before: Side, after: Side) -> Differences:
    """Find what differs between two runs that were read."""
    old, new = before.manifest, after.manifest
    inputs, rows = _inputs(before, after)
    return Differences(
        keyfigures.changes(old.get("key_figures", []), new.get("key_figures", [])),
        _named(dict(_parameters(old)), dict(_parameters(new))),
        _named(dict(_versions(old)), dict(_versions(new))),
        inputs,
        rows,
        _roadmap(before, after),
        _standings(before.results, after.results, "result"),
    )


def _parameters(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for parameter in manifest["parameters"]:
        yield parameter["name"], value_words(parameter["value"])


def _versions(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "notebook", f"{manifest['notebook']['name']} ({manifest['notebook']['sha256'][:12]})"
    code = manifest.get("code", {})
    yield "code", f"{(code.get('commit') or 'no commit')[:12]} ({code.get('note', '')})"
    yield from manifest.get("software", {}).items()
    yield "Python", str(manifest.get("python", ""))
    yield "platform", str(manifest.get("platform", ""))


def _named(old: Mapping[str, str], new: Mapping[str, str]) -> pd.DataFrame:
    names = dict.fromkeys([*old, *new])
    rows = [(n, old.get(n, "–"), new.get(n, "–")) for n in names if old.get(n) != new.get(n)]
    return pd.DataFrame(rows, columns=["name", "before", "after"])


def _standings(old: Mapping[str, Any], new: Mapping[str, Any], what: str) -> pd.DataFrame:
    rows = []
    for name in dict.fromkeys([*old, *new]):
        standing = (
            "removed" if name not in new else "added" if name not in old else "same" if old[name] == new[name] else "changed"
        )
        rows.append((name, standing))
    return pd.DataFrame(rows, columns=[what, "standing"])


def _inputs(before: Side, after: Side) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the study's files by hash, and the tables of those that differ row by row."""
    old, new = ({f["name"]: f["sha256"] for f in s.manifest["study"]["files"]} for s in (before, after))
    files = _standings(old, new, "file")
    found, remarks = {}, {}
    for name in files.loc[files["standing"] == "changed", "file"]:
        found[name], remarks[name] = _file_rows(name, before, after)
    counts = {kind: {n: int((r["change"] == kind).sum()) for n, r in found.items()} for kind in ("changed", "added", "removed")}
    files = files.assign(
        cells_changed=files["file"].map(counts["changed"]).astype("Int64"),
        rows_added=files["file"].map(counts["added"]).astype("Int64"),
        rows_removed=files["file"].map(counts["removed"]).astype("Int64"),
        remark=files["file"].map(remarks).fillna(""),
    )
    rows = [r.groupby("table", sort=False).head(MOST_ROWS) for r in found.values() if len(r)]
    return files, pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["table", *COLUMNS])


def _file_rows(name: str, before: Side, after: Side) -> tuple[pd.DataFrame, str]:
    """Return what differs in the tables of one file, and what is to be said where that cannot be told."""
    none = pd.DataFrame(columns=["table", *COLUMNS])
    if before.inputs is None or after.inputs is None or name not in before.inputs or name not in after.inputs:
        return none, "no copy of it was kept with both runs, so its rows cannot be compared"
    old, new = tables_in(name, before.inputs[name]), tables_in(name, after.inputs[name])
    if not old and not new:
        return none, "no table: compared as a whole"
    empty = pd.DataFrame()
    parts = [(t, changed_rows(old.get(t, empty), new.get(t, empty), keys_of(t))) for t in dict.fromkeys([*old, *new])]
    rows = pd.concat([part.assign(table=table) for table, part in parts], ignore_index=True)[["table", *COLUMNS]]
    most = rows.groupby("table").size().max() if len(rows) else 0
    remark = "no cell differs: only how it is written" if rows.empty else ""
    return rows, f"{most} differences in one table; the first {MOST_ROWS} are listed" if most > MOST_ROWS else remark


def _roadmap(before: Side, after: Side) -> pd.DataFrame | None:
    """Compare every result that is a roadmap, by the name of the result."""
    old, new = ({n: t for n, t in _read_all(side).items() if is_roadmap(t)} for side in (before, after))
    if not old and not new:
        return None
    nothing = pd.DataFrame(columns=["project", "start_year"])
    parts = [roadmap_changes(old.get(n, nothing), new.get(n, nothing)).assign(table=n) for n in dict.fromkeys([*old, *new])]
    return pd.concat(parts, ignore_index=True)


def _read_all(side: Side) -> dict[str, pd.DataFrame]:
    found = {}
    for name, content in side.results.items():
        if b"start_year" in content.partition(b"\n")[0]:
            found[name] = read_text_table(content)
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
