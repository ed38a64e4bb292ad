"""What a notebook cell shows: a figure, a table, key-figure cards or a sentence, each with what a report needs.

In JupyterLab an output shows itself; the report's exporter reads the same output's metadata (name, caption, text
alternative) and data (CSV), so a notebook says everything once.
"""

from __future__ import annotations

import html
import json
import math
import numbers
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from gridplan import tables
from gridplan.figures import theme

PLOTLY = "application/vnd.plotly.v1+json"
UNIT_DIGITS = {"pu": 3, "%": 1, "MWh": 0, "MW": 2}
"""Decimals of the numbers in a row that names its unit."""

SHORT = 12
"""Characters of a name that is not broken at its hyphen."""

Bundle = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Figure:
    """A plotly figure with its words and its data.

    Parameters
    ----------
    figure
        What is drawn.
    name
        Short kebab-case name, unique in a notebook; the CSV is called so.
    title
        What the figure says, in a sentence.
    caption
        What is shown, with units, period and source.
    alt
        Text alternative: what a reader who cannot see the figure has to know.
    table
        The data behind the figure, with columns from the dictionary.
    """

    figure: go.Figure
    name: str
    title: str
    caption: str
    alt: str
    table: pd.DataFrame

    def __post_init__(self) -> None:
        layout = {"template": theme.template(), "title": {"text": theme.text(self.title)}}
        object.__setattr__(self, "figure", go.Figure(self.figure).update_layout(layout))

    def renamed(self, name: str, *, title: str = "") -> Figure:
        """Return the same figure under another name, for a page that shows two of a kind, or with another title."""
        return replace(self, name=name, title=title or self.title)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        drawn = json.loads(self.figure.to_json())
        drawn["config"] = theme.CONFIG
        words = {"kind": "figure", "name": self.name, "title": self.title, "caption": self.caption, "alt": self.alt}
        data = {PLOTLY: drawn, "text/csv": tables.to_csv(self.table), "text/plain": f"{self.title} ({self.alt})"}
        return data, {"gridplan": words}


@dataclass(frozen=True, eq=False)
class Table:
    """A table as a reader wants it: labels with units, thin spaces in large numbers, at most as many rows as fit.

    Parameters
    ----------
    frame
        Columns from the dictionary; the index is not shown.
    name, title, caption
        As for :class:`Figure`.
    digits
        Decimals by column; without an entry three significant figures are shown.
    rows
        Rows to show; the CSV holds all of them.
    """

    frame: pd.DataFrame
    name: str
    title: str
    caption: str = ""
    digits: Mapping[str, int] = field(default_factory=dict)
    rows: int = 30
    currency: str = ""

    def html(self) -> str:
        """Return the table as HTML, every cell escaped."""
        if self.frame.empty:
            return "<p>None.</p>"
        shown = self.frame.head(self.rows)
        numeric = [pd.api.types.is_numeric_dtype(t) and not pd.api.types.is_bool_dtype(t) for t in shown.dtypes]
        head = "".join(_cell("th", self._label(c), n, ' scope="col"') for c, n in zip(shown.columns, numeric, strict=True))
        body = "".join(f"<tr>{self._row(row, numeric)}</tr>" for row in shown.to_dict("records"))
        more = len(self.frame) - len(shown)
        foot = f"<p>{more} further row{'s' if more != 1 else ''} in the CSV.</p>" if more > 0 else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{foot}"

    def shortened(self, rows: int) -> Table:
        """Return the same table with fewer rows shown; the CSV keeps all."""
        return replace(self, rows=rows)

    def _label(self, column: str) -> str:
        label = tables.label(column)
        return label.replace("[currency/", f"[{self.currency}/") if self.currency else label

    def _row(self, row: dict[str, Any], numeric: Sequence[bool]) -> str:
        by_unit = UNIT_DIGITS.get(row.get("unit"))
        digits = {c: self.digits.get(c, by_unit if not tables.unit(c) else None) for c in row}
        words = {c: _year(v) if tables.unit(c) == "yr" else number(v, digits[c]) for c, v in row.items()}
        return "".join(_cell("td", word, n) for word, n in zip(words.values(), numeric, strict=True))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        words = {"kind": "table", "name": self.name, "title": self.title, "caption": self.caption}
        data = {"text/html": self.html(), "text/csv": tables.to_csv(self.frame), "text/plain": self.frame.to_string(index=False)}
        return data, {"gridplan": words}


@dataclass(frozen=True)
class Card:
    """One key figure.

    Parameters
    ----------
    label
        What it is.
    value
        Number or short text.
    unit
        Unit of the number.
    note
        What to compare it with.
    status
        ``good``, ``warn``, ``bad`` or nothing.
    digits
        Decimals; without it three significant figures.
    """

    label: str
    value: float | str
    unit: str = ""
    note: str = ""
    status: str = ""
    digits: int | None = None


@dataclass(frozen=True)
class Cards:
    """The key figures of a page, side by side."""

    cards: Sequence[Card]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        shown = [
            {"label": c.label, "value": number(c.value, c.digits), "unit": c.unit, "note": c.note, "status": c.status}
            for c in self.cards
        ]
        plain_numbers = [_plain_number(c.value) for c in self.cards]
        boxes = "".join(_box(**c) for c in shown)
        plain = "\n".join(f"{c['label']}: {c['value']} {c['unit']}  {c['note']}".rstrip() for c in shown)
        page = f'<div style="display:flex;flex-wrap:wrap;gap:12px">{boxes}</div>'
        cards = [{**c, "number": n} for c, n in zip(shown, plain_numbers, strict=True)]
        return {"text/html": page, "text/plain": plain}, {"gridplan": {"kind": "cards", "cards": cards}}


@dataclass(frozen=True)
class Text:
    """Prose in Markdown whose values come from the run."""

    markdown: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        return {"text/markdown": self.markdown, "text/plain": self.markdown}, {"gridplan": {"kind": "text"}}


class _Prose(string.Formatter):
    """Format numbers as asked and names so that neither Markdown nor HTML reads them as its own."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, numbers.Number) and not isinstance(value, bool):
            return number(value) if not format_spec else "not available" if _missing(value) else thin(format(value, format_spec))
        return _literal(format(value, format_spec))


def prose(template: str, /, **values: Any) -> Text:
    r"""Write a sentence whose numbers and names come from the run.

    Parameters
    ----------
    template
        Markdown with replacement fields, ``"The peak is {peak:.1f} MW in {area}."``.
    **values
        Numbers (formatted as asked, else with three significant figures) and names (shown as written).

    Returns
    -------
    Text
        The sentence, to be the last expression of a cell.

    Examples
    --------
    >>> prose("{n:,.0f} stations of *{name}*", n=1470, name="<Rhine>").markdown
    '1\u2009470 stations of *&lt;Rhine&gt;*'
    """
    return Text(_Prose().vformat(template, (), values))


def number(value: object, digits: int | None = None) -> str:
    r"""Write a number for a reader: a thin space between thousands, a dash for what is missing.

    Parameters
    ----------
    value
        Anything; what is no number is written as it is.
    digits
        Decimals; without it whole numbers stay whole and others get three significant figures.

    Examples
    --------
    >>> number(12345.678, 1), number(0.0123456), number(float("nan"))
    ('12\u2009345.7', '0.0123', '–')
    """
    if not isinstance(value, numbers.Number) or isinstance(value, bool):
        return "–" if value is None or value is pd.NA or value is pd.NaT else str(value)
    if _missing(value):
        return "–"
    if digits is not None:
        return thin(f"{value:,.{digits}f}")
    if isinstance(value, numbers.Integral) or value == 0:
        return thin(f"{int(value):,}")
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return thin(f"{value:,.{decimals}f}")


def thin(text: str) -> str:
    """Put a thin space where Python writes a thousands comma."""
    return text.replace(",", "\u2009")


def _missing(value: Any) -> bool:
    return bool(pd.isna(value)) or math.isinf(value)


def _plain_number(value: object) -> float | int | None:
    """Return a card's value as JSON holds it, for those who compare runs; None for a text and for what is missing."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or _missing(value):
        return None
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def _year(value: Any) -> str:
    """Write a year, without a space between its thousands; what is missing as a dash."""
    whole = isinstance(value, numbers.Real) and not _missing(value) and float(value).is_integer()
    return str(int(value)) if whole else number(value)


def _literal(text: str) -> str:
    return re.sub(r"([\\`*_\[\]#|$~!])", r"\\\1", html.escape(text, quote=False))


def _cell(tag: str, value: str, is_number: bool, extra: str = "") -> str:
    kind = ' class="number" style="text-align:right"' if is_number else ' style="text-align:left"'
    if len(value) <= SHORT and " " not in value:
        value = value.replace("-", "\u2011")  # a short name keeps together
    return f"<{tag}{extra}{kind}>{html.escape(value)}</{tag}>"


def _box(*, label: str, value: str, unit: str, note: str, status: str) -> str:
    edge = {"good": theme.GOOD, "warn": theme.WARN, "bad": theme.BAD}.get(status, theme.ACCENT)
    label, value, unit, note = (html.escape(t) for t in (label, value, unit, note))
    return (
        f'<div style="border:1px solid {theme.RULE};border-top:3px solid {edge};padding:10px 14px;min-width:150px">'
        f'<div style="color:{theme.MUTED};font-size:12px">{label}</div><div style="font-size:22px">{value} '
        f'<span style="font-size:13px;color:{theme.MUTED}">{unit}</span></div>'
        f'<div style="color:{theme.MUTED};font-size:12px">{note}</div></div>'
    )
