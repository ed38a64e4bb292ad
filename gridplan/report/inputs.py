"""Copies of what a run read, so that a later run can be compared with it row by row."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FILE = "inputs.zip"
LIMIT_BYTES = 50_000_000
"""Size from which an input file is on record with its hash only [bytes]."""

PACKED = {".gz", ".xlsx", ".zip", ".parquet"}
EPOCH = (1980, 1, 1, 0, 0, 0)


def keep(target: Path, paths: Mapping[str, Path], listed: Sequence[Mapping[str, Any]]) -> Path:
    """Write the input files of a run into one zip file.

    Parameters
    ----------
    target
        Zip file to write.
    paths
        Input files by the names that `listed` uses.
    listed
        Their `name`, `sha256` and `bytes`. What has another content by now, or is larger than ``LIMIT_BYTES``, is left out.

    Returns
    -------
    Path
        `target`.
    """
    with zipfile.ZipFile(target, "w") as packed:
        for file in listed:
            if file["bytes"] > LIMIT_BYTES:
                continue
            content = paths[file["name"]].read_bytes()
            if hashlib.sha256(content).hexdigest() == file["sha256"]:
                packed.writestr(entry(file["name"]), content)
    return target


def entry(name: str) -> zipfile.ZipInfo:
    """Return a zip entry that is the same whenever it is written."""
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_STORED if Path(name).suffix in PACKED else zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info
