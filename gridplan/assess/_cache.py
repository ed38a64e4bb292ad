"""Results on disk, by the content that they were made from."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pandas as pd
import platformdirs


def default() -> Path:
    """Return the folder in which results are kept for this user."""
    return Path(platformdirs.user_cache_dir("gridplan", appauthor=False)) / "metrics"


def load(folder: Path | None, key: str) -> pd.DataFrame | None:
    """Return a stored result, or nothing if there is none that can be read."""
    if folder is None:
        return None
    try:
        return pd.read_csv(folder / f"{key}.csv", float_precision="round_trip", keep_default_na=False, na_values=[""])
    except (OSError, ValueError):  # none, or one that something else has damaged: it is made again
        return None


def store(folder: Path | None, key: str, table: pd.DataFrame) -> None:
    """Store a result at once or not at all: whoever reads at the same time, or after a crash, finds a whole file or none."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            table.to_csv(file, index=False)
        Path(name).replace(folder / f"{key}.csv")
    finally:
        Path(name).unlink(missing_ok=True)
