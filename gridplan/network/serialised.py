"""Look into a pandapower JSON file or workbook before it is read.

pandapower rebuilds objects from the module and class named in the file and imports that module to do so. A file from elsewhere
could name any module of the machine, so only the names that pandapower itself writes are let through.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from gridplan.errors import NetworkError, Problem

SAFE_MODULES = ("pandapower", "pandas", "numpy", "networkx", "shapely", "geopandas", "geojson", "builtins")


def refuse_foreign_objects(text: str, name: str) -> None:
    """Raise if a JSON text would make pandapower import something other than its own kinds of object.

    Parameters
    ----------
    text
        Content of the file.
    name
        Name of the file, for the message.

    Raises
    ------
    NetworkError
        The text is no JSON, no pandapower network, or names a module that pandapower does not write.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        remedy = "export the network again with pandapower.to_json"
        raise NetworkError(f"network {name}", [Problem(name, f"is no complete JSON: {error}", remedy=remedy)]) from error
    _refuse(content, name)
    if not isinstance(content, dict) or not ({"bus", "_object"} & content.keys()):
        raise NetworkError(
            f"network {name}", [Problem(name, "is JSON, but no pandapower network", remedy="use pandapower.to_json to write it")]
        )


def refuse_foreign_cells(sheets: Mapping[str, pd.DataFrame], name: str) -> None:
    """Raise if a cell of a workbook would make pandapower import something other than its own kinds of object.

    Parameters
    ----------
    sheets
        Sheets of the workbook; pandapower reads some of their cells as JSON.
    name
        Name of the file, for the message.

    Raises
    ------
    NetworkError
        A cell names a module that pandapower does not write.
    """
    _refuse([frame.select_dtypes("object").to_numpy().tolist() for frame in sheets.values()], name)


def _refuse(content: Any, name: str) -> None:
    remedy = "remove these objects (controllers of your own, functions) and save the network again"
    what = "holds an object of {}, which is not pandapower's own and is not loaded"
    problems = [Problem(name, what.format(kind), remedy=remedy) for kind in sorted(set(_foreign(content)))]
    if problems:
        raise NetworkError(f"network {name}", problems)


def _foreign(content: Any) -> Iterator[str]:
    """Walk nested JSON, strings that hold JSON included, and yield what names a module that is not safe."""
    if isinstance(content, dict):
        if "_module" in content or "_class" in content:
            yield from _judge(content)
        for value in content.values():
            yield from _foreign(value)
    elif isinstance(content, list):
        for value in content:
            yield from _foreign(value)
    elif isinstance(content, str) and content.lstrip()[:1] in {"{", "["}:
        try:
            inner = json.loads(content)
        except ValueError:
            return
        yield from _foreign(inner)


def _judge(entry: dict[str, Any]) -> Iterator[str]:
    module, kind = str(entry.get("_module", "")), str(entry.get("_class", ""))
    root = module.split(".", maxsplit=1)[0]
    stored = entry.get("_object")
    if root not in SAFE_MODULES or (
        root == "builtins" and kind not in {"str", "int", "float", "bool", "list", "dict", "set", "tuple"}
    ):
        yield f"'{module}.{kind}'"
    elif root == "pandas" and isinstance(stored, str) and stored.lstrip()[:1] not in {"{", "["}:
        yield f"'{module}.{kind}' that refers to another file"
