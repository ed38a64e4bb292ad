"""One file that holds a whole run, and the check that nothing in it was changed since.

An archive is never unpacked here: its files are read one by one, by name, and only after the name was found harmless.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from gridplan.errors import ParameterError, Problem, ReportError
from gridplan.report import folders, inputs

SUMS = "SHA256SUMS"
LIMIT_BYTES = 4 << 30
"""Largest file that is read from an archive [bytes]."""

MANIFEST_BYTES = 64 << 20


class Files(Protocol):
    """The files of a run, in a folder or in an archive."""

    problems: list[Problem]

    def names(self) -> list[str]:
        """Name every file, with ``/`` between folders."""

    def open(self, name: str) -> IO[bytes]:
        """Open a file to read."""


@dataclass
class _Folder:
    root: Path
    problems: list[Problem] = field(default_factory=list)

    def names(self) -> list[str]:
        found = []
        for place, below, files in os.walk(self.root):
            for name in [*below, *files]:
                path = Path(place, name)
                shown = path.relative_to(self.root).as_posix()
                if path.is_symlink():
                    self.problems.append(Problem(shown, "is a link to somewhere else, and was not read"))
                elif path.is_file():
                    found.append(shown)
        return sorted(found)

    def open(self, name: str) -> IO[bytes]:
        return (self.root / name).open("rb")


@dataclass
class _Zip:
    file: zipfile.ZipFile
    problems: list[Problem] = field(default_factory=list)
    entries: dict[str, zipfile.ZipInfo] = field(default_factory=dict)

    def names(self) -> list[str]:
        infos = [i for i in self.file.infolist() if not i.is_dir()]
        tops = {PurePosixPath(i.filename).parts[0] for i in infos if len(PurePosixPath(i.filename).parts) > 1 and not _unsafe(i)}
        top = f"{tops.pop()}/" if len(tops) == 1 and all(_unsafe(i) or "/" in i.filename for i in infos) else ""
        for info in infos:
            what = _unsafe(info) or ("stands in it twice" if info.filename.removeprefix(top) in self.entries else "")
            if what:
                self.problems.append(Problem(ascii(info.filename)[1:-1], what))
            else:
                self.entries[info.filename.removeprefix(top)] = info
        return sorted(self.entries)

    def open(self, name: str) -> IO[bytes]:
        return self.file.open(self.entries[name])


def _unsafe(info: zipfile.ZipInfo) -> str:
    """Say why an entry is not read: its name leads out of the folder, it is a link, encrypted, or too large."""
    name = info.filename
    if name.startswith(("/", "~")) or "\\" in name or ":" in name or ".." in PurePosixPath(name).parts:
        return "has a name that leads out of the folder it is unpacked to, and was not read"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link to somewhere else, and was not read"
    if info.flag_bits & 0x1:
        return "is encrypted, and was not read"
    return f"is larger than {LIMIT_BYTES >> 30} GB, and was not read" if info.file_size > LIMIT_BYTES else ""


@contextlib.contextmanager
def open_run(source: str | Path) -> Iterator[Files]:
    """Open the files of a run: its folder, a file in it, or an archive of it.

    Raises
    ------
    ParameterError
        There is nothing of the kind.
    """
    path = Path(source)
    if path.is_file() and path.suffix != ".zip" and (path.parent / folders.MANIFEST).is_file():
        path = path.parent
    if path.is_dir():
        yield _Folder(path)
        return
    try:
        packed = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as fault:
        remedy = "give the folder of a run (reports/<notebook>/<time>-<study>) or an archive of one (.zip)"
        what = "does not exist" if not path.exists() else f"is neither the folder of a run nor an archive: {fault}"
        raise ParameterError(f"run {source}", [Problem(str(source), what, remedy=remedy)]) from fault
    with packed:
        yield _Zip(packed)


def read_manifest(files: Files) -> dict[str, Any]:
    """Read the record of a run.

    Raises
    ------
    ReportError
        There is none, or it cannot be read.
    """
    try:
        with files.open(folders.MANIFEST) as stream:
            manifest = json.loads(stream.read(MANIFEST_BYTES))
        _ = {**manifest["outputs"]}, manifest["notebook"]["name"], manifest["study"]["name"]
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as fault:
        raise ReportError(
            f"{folders.MANIFEST} is missing or cannot be read ({fault}); what is there is no complete run"
        ) from fault
    return manifest


# --- check ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verification:
    """What a check of a run's files found.

    Parameters
    ----------
    title
        Title of the report.
    files
        Number of files whose content is as the record says.
    problems
        What differs, is missing, is additional or was not read.
    manifest_sha256
        Hash of the record itself. Whoever noted it when the report was made can tell that the record is the same.
    inputs
        Whether the study's files are in it.
    """

    title: str
    files: int
    problems: tuple[Problem, ...]
    manifest_sha256: str
    inputs: bool


def verify(source: str | Path) -> Verification:
    """Compute the hash of every file of a run again and compare it with the run's record.

    Parameters
    ----------
    source
        Archive or folder of a run.

    Raises
    ------
    ParameterError
        There is no such archive or folder.
    ReportError
        It holds no record of a run that can be read.
    """
    with open_run(source) as files:
        names = files.names()
        manifest = read_manifest(files)
        expected = dict(manifest["outputs"])
        kept = manifest.get("kept_inputs")
        if kept and kept["file"] in names:
            expected[kept["file"]] = kept["sha256"]
        known = {*expected, folders.MANIFEST, SUMS}
        missing = [Problem(name, "is missing") for name in expected if name not in names]
        additional = [Problem(name, "is additional: the record does not name it") for name in names if name not in known]
        found = [_differs(files, name, expected[name]) for name in expected if name in names]
        wrong = [p for p in found if p is not None]
        _, own = _hash(files, folders.MANIFEST)
        problems = (*files.problems, *wrong, *missing, *additional)
        return Verification(
            manifest.get("title", ""), len(found) - len(wrong), problems, own, bool(kept) and kept["file"] in names
        )


def _differs(files: Files, name: str, expected: str) -> Problem | None:
    fault, found = _hash(files, name)
    if fault:
        return Problem(name, f"cannot be read: {fault}")
    return None if found == expected else Problem(name, f"differs: its SHA-256 is {found}, the record says {expected}")


def _hash(files: Files, name: str) -> tuple[str, str]:
    try:
        with files.open(name) as stream:
            digest = hashlib.sha256()
            while block := stream.read(1 << 20):
                digest.update(block)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as fault:
        return str(fault), ""
    return "", digest.hexdigest()


# --- pack -------------------------------------------------------------------------------------------------------------------


def pack(run: str | Path, *, target: str | Path | None = None, with_inputs: bool = False) -> Path:
    """Write a run into one zip file: page, PDF if there is one, executed notebook, all CSV files and the record with its hashes.

    Parameters
    ----------
    run
        Folder of the run, or a file in it.
    target
        File to write; by default ``<notebook>-<folder>.zip`` in the folder of the notebook's runs.
    with_inputs
        Put the copy of the study's files in as well. They may hold what must not leave the house.

    Returns
    -------
    Path
        The archive.

    Raises
    ------
    ParameterError
        There is no such run.
    ReportError
        The files are not as the run left them, or the archive cannot be written.
    """
    found = verify(run)
    if found.problems:
        told = "\n".join(f"  - {problem}" for problem in found.problems)
        raise ReportError(f"{run} is not as the run left it; make the report again:\n{told}")
    folder = Path(run) if Path(run).is_dir() else Path(run).parent
    target = Path(target) if target is not None else default_target(folder)
    fresh = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _write(folder, fresh, default_target(folder).stem, with_inputs)
        fresh.replace(target)
    except OSError as fault:
        raise ReportError(f"the archive {target} could not be written: {fault}", fault="write") from fault
    finally:
        fresh.unlink(missing_ok=True)
    return target


def default_target(folder: Path) -> Path:
    """Name the archive of a run where nothing else is asked for."""
    folder = folder.resolve()
    return folder.with_name(f"{folder.parent.name}-{folder.name}.zip")


def _write(folder: Path, target: Path, top: str, with_inputs: bool) -> None:
    names = [n for n in _Folder(folder).names() if with_inputs or n != inputs.FILE]
    sums = []
    with zipfile.ZipFile(target, "w") as packed:
        for name in names:
            content = (folder / name).read_bytes()
            sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
            packed.writestr(inputs.entry(f"{top}/{name}"), content)
        packed.writestr(inputs.entry(f"{top}/{SUMS}"), "".join(sums))
