"""Earlier runs in a folder of reports: what they found, which of them are to go, which page is the newest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gridplan.report import folders, provenance

FAILED = "failed"
_NAME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-")


@dataclass(frozen=True)
class Past:
    """One earlier run.

    Parameters
    ----------
    folder
        Where its files are.
    report
        File name of the newest page of its kind: the same for every run of the same notebook, study and parameters.
    outcome
        ``complete``, ``failed`` or ``unreadable``.
    started
        UTC, ISO 8601.
    message
        Why it failed, or what is wrong with its record.
    manifest
        Its ``manifest.json``; empty where that cannot be read.
    """

    folder: Path
    report: str
    outcome: str
    started: str
    message: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def page(self) -> Path:
        """The run's page; of a failed one, where it would be."""
        return self.folder / f"{Path(self.manifest['notebook']['name']).stem}.html"

    @property
    def key_figures(self) -> Sequence[Mapping[str, Any]]:
        """Its key figures; none where the run is from before they were recorded."""
        return self.manifest.get("key_figures", [])


def runs(out: Path) -> list[Past]:
    """Read every run below a folder of reports, the earliest first; what cannot be read is among them and says why."""
    places = [f for f in out.glob("*/*") if _is_run(f)] + [f for f in out.glob(f"*/{FAILED}/*") if _is_run(f)]
    return sorted((read(folder) for folder in places), key=lambda past: (past.started, past.folder.name))


def _is_run(folder: Path) -> bool:
    finished = not folder.name.endswith((".part", folders.REMOVED))
    return bool(_NAME.match(folder.name)) and finished and folder.is_dir() and not folder.is_symlink()


def read(folder: Path) -> Past:
    """Read the record of one run."""
    try:
        manifest = json.loads((folder / folders.MANIFEST).read_text("utf-8"))
        report, outcome = manifest.get("report") or _report(manifest), manifest["outcome"]
        started, _ = manifest["started"], manifest["notebook"]["name"]
        _ = manifest["study"]["name"], manifest["parameters"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        why = f"no {folders.MANIFEST}" if isinstance(fault, FileNotFoundError) else f"{type(fault).__name__}: {fault}"
        return Past(
            folder, "", "unreadable", _time_in(folder.name), f"its record cannot be read ({why}); delete the folder or restore it"
        )
    return Past(folder, report, outcome, started, str(manifest.get("message", "")), manifest)


def _report(manifest: Mapping[str, Any]) -> str:
    """Name the newest page of a run that was made before the record named it."""
    changed = {p["name"]: p["value"] for p in manifest["parameters"] if p["overridden"]}
    stem, study = Path(manifest["notebook"]["name"]).stem, re.sub(r"[^\w.-]+", "-", manifest["study"]["name"])
    return "-".join([stem, study, *([provenance.tag(changed)] if changed else [])]) + ".html"


def _time_in(name: str) -> str:
    found = _NAME.match(name)
    return "{}-{}-{}T{}:{}:{}+00:00".format(*found.groups()) if found else ""


def previous(past: Iterable[Past], run: Past) -> Past | None:
    """Return the last complete run of the same report before a run."""
    earlier = [p for p in past if p.report == run.report and p.outcome == "complete" and p.folder != run.folder]
    before = [p for p in earlier if (p.started, p.folder.name) < (run.started, run.folder.name)]
    return before[-1] if before else None


def superseded(past: Iterable[Past], report: str, keep: int) -> list[Path]:
    """Return the folders of a report beyond the newest `keep` complete and the newest `keep` failed runs.

    A run whose record cannot be read is never among them: somebody should look at it.
    """
    mine = [p for p in past if p.report == report]
    kinds = [[p.folder for p in mine if p.outcome == outcome] for outcome in ("complete", "failed")]
    return [folder for kind in kinds for folder in kind[: max(0, len(kind) - keep)]]


def repair_latest(past: Iterable[Past], out: Path) -> list[Path]:
    """Make each newest page that of the newest complete run, where a run was killed between the two; return what was mended."""
    newest = {p.report: p for p in past if p.outcome == "complete" and p.page.is_file()}
    mended = []
    for report, run in newest.items():
        if not _is_name(report):
            continue
        latest = out / report
        if not latest.is_file() or provenance.sha256(latest) != provenance.sha256(run.page):
            mended.append(folders.point_latest(run.page, latest))
    return mended


def _is_name(report: str) -> bool:
    """Whether a record names a plain file, and not one elsewhere."""
    return Path(report).name == report and report.endswith(".html") and not report.startswith(".")
