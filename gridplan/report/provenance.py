"""Where a report comes from: inputs, code, software, parameters and times, as the dictionary that is also ``manifest.json``.

Nothing in it names the machine, the user or an absolute path.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat

from gridplan.report.parameters import STUDY, Parameter
from gridplan.study import network_files

FORMAT = 1
SOFTWARE = ("gridplan", "pandapower", "pandas", "numpy", "scipy", "numba", "plotly", "papermill", "nbconvert", "ipykernel")
UNKNOWN = "not under version control"


def inputs(notebook: Path, study: Path, *, paths: Mapping[str, Path] | None = None) -> dict[str, Any]:
    """Hash what a run reads: the notebook and every file of the study.

    Parameters
    ----------
    notebook
        Notebook file.
    study
        Study folder or workbook; hidden files of a folder are passed over. Files elsewhere that the study reads, such as its
        network, are hashed too.
    paths
        What :func:`study_paths` gives, where that is known already.

    Returns
    -------
    dict
        `notebook` (name, sha256), `study` (name, path as seen from the working directory, files with name, sha256 and bytes)
        and `code` (commit, clean, note).
    """
    return {
        "notebook": {"name": notebook.name, "sha256": sha256(notebook)},
        "study": {
            "name": study.stem if study.is_file() else study.name,
            "path": shown_path(study),
            "files": _hashes(study_paths(study) if paths is None else paths),
        },
        "code": commit(notebook.parent),
    }


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _hashes(paths: Mapping[str, Path]) -> list[dict[str, Any]]:
    return [{"name": name, "sha256": sha256(f), "bytes": f.stat().st_size} for name, f in paths.items()]


def study_paths(study: Path) -> dict[str, Path]:
    """Return every file that a study holds or reads, by the name under which a report lists it."""
    root = study.parent if study.is_file() else study
    files = [study] if study.is_file() else sorted(f for f in study.rglob("*") if f.is_file())
    named = [(f.relative_to(root), f) for f in files]
    shown = {
        name.as_posix(): f for name, f in named if not any(part.startswith((".", "~$", "__pycache__")) for part in name.parts)
    }
    known = {f.resolve() for f in shown.values()}
    return {**shown, **{shown_path(f): f for f in network_files(study) if f.resolve() not in known}}


def shown_path(path: Path) -> str:
    """Return a path as a report may show it: relative to the working directory where it lies inside, otherwise its name alone."""
    here, path = Path.cwd().resolve(), path.resolve()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) and path != here else path.name


def commit(folder: Path) -> dict[str, Any]:
    """Say which git commit a folder is at and whether its tree is clean.

    Returns
    -------
    dict
        `commit` (None outside version control), `clean` (None likewise) and `note` in words.
    """
    head = _git(folder, "rev-parse", "HEAD")
    if not head:
        return {"commit": None, "clean": None, "note": UNKNOWN}
    changes = _git(folder, "status", "--porcelain")
    clean = None if changes is None else not changes
    note = {
        True: "the tree is clean",
        False: "the tree has uncommitted changes",
        None: "the state of the tree could not be read",
    }[clean]
    return {"commit": head, "clean": clean, "note": note}


def _git(folder: Path, *command: str) -> str | None:
    program = shutil.which("git")
    if program is None:
        return None
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(  # noqa: S603 - git itself, with arguments written here
            [program, "-C", str(folder), *command], capture_output=True, text=True, timeout=30, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):  # a report without a commit is still a report, and says so
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def software() -> dict[str, str]:
    """Return the versions that results depend on; what is not installed is left out."""
    installed = {name: _version(name) for name in SOFTWARE}
    return {name: version for name, version in installed.items() if version}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def parameters(known: Mapping[str, Parameter], given: Mapping[str, Any], study: str) -> list[dict[str, Any]]:
    """List every parameter with value, default and whether it was given another value than the default."""
    changed = changes(known, given)
    return [
        {
            "name": p.name,
            "value": study if p.name == STUDY else _json(given.get(p.name, p.default)),
            "default": _json(p.default),
            "overridden": p.name in changed,
            "description": p.description,
        }
        for p in known.values()
    ]


def changes(known: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values given that differ from the notebook's defaults, in the order of the notebook."""
    return {name: given[name] for name, p in known.items() if name != STUDY and name in given and given[name] != p.default}


def value_words(value: Any) -> str:
    """Write a parameter's value for a reader: ``130``, ``reference``, ``2030, 2040``."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, list):
        return ", ".join(value_words(v) for v in value) or "none"
    return str(value) or "empty"


def tag(changed: Mapping[str, Any], longest: int = 60) -> str:
    """Name a set of changed parameters as a file name can hold it: ``load_percent-130_pv_percent-200``.

    Parameters
    ----------
    changed
        Values by name, of :func:`changes`.
    longest
        Length from which the tag is cut and ends with a hash instead.
    """
    plain = "_".join(f"{name}-{value_words(value)}" for name, value in changed.items())
    safe = re.sub(r"-*, *|[^\w.,-]+", "-", plain).rstrip("-.")
    if safe.replace("-", "") == re.sub(r"[-, ]", "", plain) and len(safe) <= longest:
        return safe
    # Two sets of values must not share a name where it does not hold all of them.
    digest = hashlib.sha256(repr(sorted(changed.items())).encode()).hexdigest()[:8]
    return f"{safe[: longest - 9].rstrip('-._')}-{digest}"


def _json(value: Any) -> Any:
    """Return a literal as JSON can hold it; where it cannot, as it is written."""
    try:
        return value if json.loads(json.dumps(value, allow_nan=False)) == value else repr(value)
    except (TypeError, ValueError):
        return repr(value)


def platform_facts() -> dict[str, str]:
    """Return Python and operating system, without the name of the machine."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}".strip(),
    }


def times(started: datetime, ended: datetime) -> dict[str, Any]:
    """Return start and end in UTC and the seconds between."""
    return {
        "started": started.isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds"),
        "seconds": round((ended - started).total_seconds(), 1),
    }


def warnings_in(notebook: nbformat.NotebookNode) -> int:
    """Count the warnings that the cells wrote to their error stream; the page leaves that stream out."""
    streams = (o.text for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "stream" and o.name == "stderr")
    return sum(len(re.findall(r"Warning:", text)) for text in streams)


def without_paths(notebook: nbformat.NotebookNode, hidden: Iterable[tuple[Path, str]]) -> nbformat.NotebookNode:
    """Return an executed notebook without this machine's paths.

    Parameters
    ----------
    notebook
        Executed notebook; not changed.
    hidden
        Pairs of an absolute path and what is written in its place, the longest first.
    """
    swaps = [(form, shown) for path, shown in hidden for form in _forms(path)]
    notebook = _swapped(notebook, swaps)
    notebook.metadata.get("papermill", {}).update({"input_path": None, "output_path": None})
    return notebook


def _forms(path: Path) -> set[str]:
    plain = str(path)
    # Backslashes are doubled where a path stands in a Python literal.
    return {plain, plain.replace("\\", "\\\\"), path.as_posix()} if len(path.parts) > 1 else set()


def _swapped(node: Any, swaps: list[tuple[str, str]]) -> Any:
    if isinstance(node, str):
        for form, shown in swaps:
            node = re.sub(rf"(?<![\w.-]){re.escape(form)}(?![\w.-])", lambda _, s=shown: s, node) if form in node else node
        return node
    if isinstance(node, list):
        return [_swapped(v, swaps) for v in node]
    if isinstance(node, Mapping):  # images and typed arrays are base64, in which a short path may occur by chance
        kept = {"bdata", "image/png", "image/jpeg", "application/pdf"}
        return type(node)({k: v if k in kept else _swapped(v, swaps) for k, v in node.items()})
    return node
