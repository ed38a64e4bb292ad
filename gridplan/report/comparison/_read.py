"""One of the two runs to compare: its record, executed notebook, results and, if they were kept, its inputs."""

from __future__ import annotations

import gzip
import io
import json
import tomllib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat
import pandas as pd
from python_calamine import CalamineError

from gridplan.errors import ReportError
from gridplan.report import archive, folders, history, inputs, provenance

MEMBER_BYTES = 1 << 30
"""Largest file that is unpacked to be compared [bytes]."""


@dataclass(frozen=True)
class Side:
    """A run as it is read.

    Parameters
    ----------
    manifest
        Its record.
    notebook
        The executed notebook.
    results
        Its CSV files by name without folder and ending.
    inputs
        The study's files by name; None where no copy was kept.
    problems
        What is not as the record says.
    """

    manifest: Mapping[str, Any]
    notebook: nbformat.NotebookNode
    results: Mapping[str, bytes]
    inputs: Mapping[str, bytes] | None
    problems: tuple[str, ...]


def read_side(source: str | Path) -> Side:
    """Read a run.

    Parameters
    ----------
    source
        Its folder, a file in it, an archive, or a newest page (``reports/<notebook>-<study>.html``).

    Raises
    ------
    ParameterError
        There is no such run.
    ReportError
        It has no record or notebook that can be read.
    """
    place = _run_of(Path(source))
    checked = archive.verify(place)
    with archive.open_run(place) as files:
        names = files.names()
        manifest = archive.read_manifest(files)
        executed = f"{Path(manifest['notebook']['name']).stem}.ipynb"
        try:
            notebook = nbformat.reads(_content(files, executed).decode("utf-8"), as_version=4)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as fault:
            raise ReportError(f"{source}: {executed} cannot be read: {fault}") from fault
        results = {PurePosixPath(n).stem: _content(files, n) for n in names if n.startswith("csv/") and n.endswith(".csv")}
        kept = _unpacked(_content(files, inputs.FILE)) if inputs.FILE in names else None
    return Side(manifest, notebook, results, kept, tuple(map(str, checked.problems)))


def _run_of(path: Path) -> Path:
    """Return the folder of the run whose page a newest page is a copy of; any other path as it is."""
    if not path.is_file() or path.suffix != ".html" or (path.parent / folders.MANIFEST).is_file():
        return path
    digest = provenance.sha256(path)
    runs = [p for p in history.runs(path.parent) if digest in p.manifest.get("outputs", {}).values()]
    if not runs:
        raise ReportError(f"the run of {path} is not in its folder any more; give the folder or the archive of a run")
    return runs[-1].folder


def _content(files: archive.Files, name: str) -> bytes:
    with files.open(name) as stream:
        return stream.read(MEMBER_BYTES)


def _unpacked(content: bytes) -> dict[str, bytes] | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return {i.filename: packed.read(i) for i in packed.infolist() if i.file_size < MEMBER_BYTES}
    except (zipfile.BadZipFile, OSError, zlib.error):
        return None


# --- tables of an input file ------------------------------------------------------------------------------------------------


def tables_in(name: str, content: bytes) -> dict[str, pd.DataFrame]:
    """Return the tables that an input file holds, every cell a text; none where it is no table, or cannot be read.

    CSV files (also ``.csv.gz``) hold one, workbooks one a sheet, a TOML file its keys, a pandapower network one for each kind of
    element.
    """
    try:
        return dict(_tables(PurePosixPath(name), content))
    except (ValueError, OSError, EOFError, KeyError, TypeError, zlib.error, CalamineError, pd.errors.ParserError):
        return {}


def _tables(path: PurePosixPath, content: bytes) -> Iterator[tuple[str, pd.DataFrame]]:
    kind = path.suffix
    if kind == ".gz":
        path, content, kind = path.with_suffix(""), gzip.decompress(content), path.with_suffix("").suffix
    if kind == ".csv":
        yield path.stem, read_text_table(content)
    elif kind == ".toml":
        rows = list(_flat(tomllib.loads(content.decode("utf-8-sig"))))
        yield path.name, pd.DataFrame(rows, columns=["key", "value"])
    elif kind == ".xlsx":
        for sheet, frame in pd.read_excel(io.BytesIO(content), sheet_name=None, engine="calamine", dtype=str).items():
            yield str(sheet), frame.fillna("")
    elif kind == ".json":
        for element, table in json.loads(content)["_object"].items():
            if isinstance(table, dict) and table.get("_class") == "DataFrame":
                yield f"{path.stem}: {element}", _element(table["_object"])


def read_text_table(content: bytes) -> pd.DataFrame:
    """Read CSV whose cells are separated by comma, semicolon or tab, whichever its first line has most of."""
    text = content.decode("utf-8-sig")
    separator = max(",;\t", key=text.partition("\n")[0].count)
    return pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False)


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", str(value)


def _element(packed: Any) -> pd.DataFrame:
    table = json.loads(packed) if isinstance(packed, str) else packed
    frame = pd.DataFrame(table["data"], columns=table["columns"], index=table["index"], dtype=object)
    return frame.map(lambda v: "" if v is None else str(v)).rename_axis("index").reset_index().astype(str)
