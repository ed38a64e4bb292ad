"""Studies written: a new folder, a copy of a study, a workbook."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from gridplan import tables
from gridplan.errors import Problem, StudyError
from gridplan.study._read import Study, is_listed

SHEET_CELL = 32_767  # characters that a cell of a workbook holds; openpyxl cuts the rest off without a word
LONG = 1_000_000  # characters of CSV text beyond which a table is written compressed
ELSEWHERE = "name a place where you may write"


def scaffold(
    folder: str | Path,
    settings: Mapping[str, Any],
    content: Mapping[str, pd.DataFrame],
    *,
    files: Mapping[str, Path | str] | None = None,
) -> Path:
    """Write a study folder whole or not at all.

    Parameters
    ----------
    folder
        Folder to make; it may exist if it is empty.
    settings
        Keys of ``study.toml``.
    content
        Tables by name; they are written as they are, so that cells may be left to fill.
    files
        Other files by name: text, or a file or folder to copy.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StudyError
        The folder holds something already, or cannot be written.
    """
    target = refuse_existing(folder)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.", suffix=".part") as part:
            whole = Path(part) / "study"
            whole.mkdir()
            _fill(whole, settings, content, files or {})
            if target.exists():
                target.rmdir()
            whole.rename(target)
    except OSError as error:
        raise StudyError(
            f"new study {target}", [Problem(str(target), f"cannot be written: {error}", remedy=ELSEWHERE)]
        ) from error
    return target


def refuse_existing(folder: str | Path) -> Path:
    """Return the path of a folder that may be made; a StudyError says that it holds something already."""
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        what = "exists already and is not empty" if target.is_dir() else "exists already and is no folder"
        remedy = "name a folder that is empty or does not exist yet"
        raise StudyError(f"new study {target}", [Problem(str(target), what, remedy=remedy)])
    return target


def _fill(
    folder: Path, settings: Mapping[str, Any], content: Mapping[str, pd.DataFrame], files: Mapping[str, Path | str]
) -> None:
    lines = [f"{key} = {_toml(value)}" for key, value in settings.items()]
    (folder / "study.toml").write_text("\n".join(["[study]", *lines, ""]), encoding="utf-8", newline="\n")
    for name, frame in content.items():
        text = tables.to_csv(frame)
        if len(text) > LONG:
            (folder / f"{name}.csv.gz").write_bytes(_gzip(text))
        else:
            (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    for name, file in files.items():
        if isinstance(file, str):
            (folder / name).write_text(file, encoding="utf-8", newline="\n")
        elif file.is_dir():
            shutil.copytree(file, folder / name)
        else:
            shutil.copyfile(file, folder / name)


def _gzip(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)  # the same content gives the same file


def _toml(value: Any) -> str:
    """Return a TOML value; JSON's strings and numbers are TOML's, but for DEL."""
    plain = value if isinstance(value, str | int | float) else int(value)
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


def _settings_of(study: Study, network: str) -> dict[str, Any]:
    keys = ("name", "title", "description", "network", "base_year", "currency")
    return {key: getattr(study, key) for key in keys} | {"network": network, "base_year": int(study.base_year)}


def write_study(study: Study, folder: str | Path) -> Path:
    """Write a study as a folder, with its network file.

    Raises
    ------
    StudyError
        The folder holds something already, or cannot be written.
    """
    network = Path(study.network)
    local = network.is_absolute()
    name = network.name if local else study.network
    content = dict(study.tables)
    if "sources" in content:  # documents beside the tables do not go with the copy, nor do their rows
        content["sources"] = content["sources"][[is_listed(row, {*content, name}) for row in content["sources"]["file"]]]
    return scaffold(folder, _settings_of(study, name), content, files={name: network} if local else None)


def write_workbook(study: Study, path: str | Path) -> Path:
    """Write a study as one ``.xlsx`` workbook; a network file stays where it is, the workbook names it.

    Raises
    ------
    StudyError
        A cell cannot stand in a workbook, or the file cannot be written.
    """
    target = Path(path)
    network = Path(study.network)
    source = Path(os.path.relpath(network, target.resolve().parent)).as_posix() if network.is_absolute() else study.network
    settings = _settings_of(study, source)
    sheets = {
        "study": pd.DataFrame({"key": list(settings), "value": pd.Series(list(settings.values()), dtype=object)}),
        **study.tables,
    }
    if problems := [problem for name, frame in sheets.items() for problem in _unfit(name, frame)]:
        raise StudyError(f"workbook {target}", problems)
    book = openpyxl.Workbook(write_only=True)
    part = target.with_name(f".{target.name}.part")
    try:
        for name, frame in sheets.items():
            sheet = book.create_sheet(name)
            for row in [list(frame), *frame.astype(object).where(frame.notna(), None).to_numpy().tolist()]:
                sheet.append([_sheet_cell(sheet, value) for value in row])
        book.save(part)
        part.replace(target)
    except OSError as error:
        raise StudyError(f"workbook {target}", [Problem(target.name, f"cannot be written: {error}", remedy=ELSEWHERE)]) from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _unfit(name: str, frame: pd.DataFrame) -> Iterator[Problem]:
    """Yield the text cells that a workbook cannot hold."""
    for column in frame.select_dtypes(object):
        for row, cell in enumerate(frame[column], 2):
            if isinstance(cell, str) and (len(cell) > SHEET_CELL or ILLEGAL_CHARACTERS_RE.search(cell)):
                what = f"a cell of a workbook cannot hold this text: {cell[:20]!a}"
                yield Problem(
                    f"sheet '{name}'", what, row=row, column=column, remedy="shorten it or leave out control characters"
                )


def _sheet_cell(sheet: Any, value: Any) -> Any:
    """Return a cell; text stays text even where it looks like a formula or an error."""
    if not isinstance(value, str) or not value.startswith(("=", "#")):
        return value
    cell = WriteOnlyCell(sheet, value)
    cell.data_type = "s"
    return cell
