"""Key figures of a run as data: what its cards say, with the plain number behind each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import nbformat
import pandas as pd

from gridplan import figures
from gridplan.report.page import HIDDEN_TAGS

KEYS = ("label", "value", "unit", "note", "status")


def of_notebook(executed: nbformat.NotebookNode) -> list[dict[str, Any]]:
    """Return the cards of an executed notebook in the order of the page.

    Returns
    -------
    list of dict
        `key` (the label, with a number where the page says it more than once), `label`, `value` and `unit` as they are shown,
        `note`, `status`, and `number`, the plain number (None where the card shows a text).
    """
    cards = [{**{k: str(card.get(k) or "") for k in KEYS}, "number": card.get("number")} for card in _cards(executed)]
    seen: Counter[str] = Counter()
    keyed = []
    for card in cards:
        seen[card["label"]] += 1
        count = seen[card["label"]]
        keyed.append({"key": card["label"] + (f" ({count})" if count > 1 else ""), **card})
    return keyed


def _cards(executed: nbformat.NotebookNode) -> Iterator[Mapping[str, Any]]:
    for cell in executed.cells:
        if cell.cell_type != "code" or HIDDEN_TAGS & set(cell.metadata.get("tags", [])):
            continue
        for output in cell.outputs:
            words = output.get("metadata", {}).get("gridplan", {})
            if words.get("kind") == "cards":
                yield from words.get("cards", [])


def pairs(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> Iterable[tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]]:
    """Pair the key figures of two runs by key and unit, in the order of the later run; what is only in one has no partner."""
    old = {(card["key"], card["unit"]): card for card in before}
    new = {(card["key"], card["unit"]): card for card in after}
    return [(old.get(key), new.get(key)) for key in [*new, *(key for key in old if key not in new)]]


def change(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> float | None:
    """Return how much a number rose, in its unit; None where there are not two numbers."""
    if before is None or after is None or before["number"] is None or after["number"] is None:
        return None
    return after["number"] - before["number"]


def changes(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Set the key figures of two runs side by side.

    Returns
    -------
    DataFrame
        One row per key figure: `key_figure`, `unit`, `now` and `last` (as shown), `number_now`, `number_before`, `change` (how
        much the number rose), `change_words`, `status` and `status_before`.
    """
    rows = []
    for old, new in pairs(before, after):
        rise = change(old, new)
        rows.append(
            {
                "key_figure": (new or old)["key"],
                "unit": (new or old)["unit"],
                "now": new["value"] if new else "–",
                "last": old["value"] if old else "–",
                "number_now": new["number"] if new else None,
                "number_before": old["number"] if old else None,
                "change": rise,
                "change_words": _words(old, new, rise),
                "status": new["status"] if new else "",
                "status_before": old["status"] if old else "",
            }
        )
    return pd.DataFrame(rows)


def _words(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, rise: float | None) -> str:
    if old is None or new is None:
        return "new" if old is None else "gone"
    if rise is None:
        return "no change" if old["value"] == new["value"] else "changed"
    if abs(rise) <= 1e-9 * abs(old["number"]):
        return "no change"
    return f"{'+' if rise > 0 else '−'}{figures.number(abs(rise))}"
