"""Pages that no notebook made, such as the index of all runs: the same look, from texts, cards, tables and figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import quote

import nbformat
import pandas as pd

from gridplan import tables
from gridplan.report import provenance
from gridplan.report.exporter import PageExporter
from gridplan.report.page import PAIR

Cell = tuple[str, str]
"""A table cell: its class (``number``, ``good``, ...; may be empty) and its HTML."""


@dataclass
class Composer:
    """Gathers the parts of a page in their order.

    Parameters
    ----------
    title
        Heading of the page.
    facts
        What stands below the title, in a few words each.
    origin
        How the page was made, for its appendix.
    """

    title: str
    facts: Sequence[str] = ()
    origin: str = ""
    cells: list[nbformat.NotebookNode] = field(default_factory=list)

    def text(self, markdown: str) -> None:
        """Add prose in Markdown; names in it are to be escaped with :func:`literal`."""
        self.cells.append(nbformat.v4.new_markdown_cell(markdown))

    def show(self, *shown: Any) -> None:
        """Add figures, tables or cards of :mod:`gridplan.figures`, or outputs of a notebook; two stand side by side."""
        outputs = [s if isinstance(s, nbformat.NotebookNode) else _output(*s._repr_mimebundle_()) for s in shown]
        cell = nbformat.v4.new_code_cell("", outputs=outputs)
        cell.metadata["tags"] = [PAIR] if len(shown) > 1 else []
        self.cells.append(cell)

    def table(self, table: LinkTable) -> None:
        """Add a table whose cells hold links or marks."""
        words = {"kind": "table", "name": table.name, "title": table.title, "caption": table.caption}
        self.show(_output({"text/html": table.html(), "text/csv": tables.to_csv(table.data)}, {"gridplan": words}))

    def html(self, *, classification: str = "") -> str:
        """Return the finished page."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"# {literal(self.title)}"), *self.cells])
        manifest = {
            "status": "",
            "classification": classification,
            "facts": list(self.facts),
            "origin": self.origin,
            "software": provenance.software(),
            **provenance.platform_facts(),
        }
        return PageExporter().from_notebook_node(notebook, {"metadata": {"name": self.title}, "manifest": manifest})[0]


@dataclass(frozen=True)
class LinkTable:
    """A table of ready cells, and the same in plain for the CSV."""

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    data: pd.DataFrame
    caption: str = ""

    def html(self) -> str:
        """Return the table; headers are escaped here, cells were when they were made."""
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.head)
        body = "".join(f"<tr>{''.join(_cell(*cell) for cell in row)}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if self.rows else "<p>None.</p>"


def _cell(kind: str, content: str) -> str:
    return f'<td class="{kind}">{content}</td>' if kind else f"<td>{content}</td>"


def _output(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", data=dict(data), metadata=dict(metadata))


def plain(text: object) -> Cell:
    """Return a cell with a text as it is."""
    return "", escape(str(text))


def number(text: str) -> Cell:
    """Return a cell with a number."""
    return "number", escape(text)


def link(path: str, text: str) -> str:
    """Return a link to a file near the page, as HTML."""
    return f'<a href="{escape(quote(path))}">{escape(text)}</a>'


def mark(kind: str, text: str) -> str:
    """Return a word with a sign and a colour: `kind` is ``good``, ``warn``, ``bad`` or nothing."""
    return f'<span class="outcome {kind}">{escape(text)}</span>' if kind else escape(text)


def literal(text: str) -> str:
    """Escape a name for Markdown, so that it shows as it is written."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!|~>$" else c for c in escape(text, quote=False).replace("\n", " "))


def moment(iso: str) -> str:
    """Write a UTC time for a table: ``26 Nov 2026, 05:10``."""
    try:
        return f"{datetime.fromisoformat(iso):%d %b %Y, %H:%M}".removeprefix("0")
    except ValueError:
        return iso or "–"


def now() -> str:
    """Return the time at which a page is made, for its facts."""
    return f"Made {datetime.now(UTC):%d %B %Y, %H:%M} UTC".replace(" 0", " ")


def listed(words: Iterable[str]) -> str:
    """Join words as prose does: ``a, b and c``."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last
