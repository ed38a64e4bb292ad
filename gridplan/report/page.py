"""From the cells of an executed notebook to the body of a page: prose, cards, numbered figures and tables, contents, data."""

from __future__ import annotations

import base64
import gzip
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import nbformat
from bs4 import BeautifulSoup, Tag
from markupsafe import Markup

from gridplan.report import sanitise

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
PAIR = "pair"
"""Tag of a cell whose outputs stand side by side where there is room."""

MISSING = {"", "–", "nan", "NaN", "None"}
LONG_NAME = re.compile(r"\S{23}")

TEXT = "text"
"""Class of a cell that stays on the left though it may look like a number."""

HIDDEN_TAGS = {"report-hide", "explorer"}
STATUS_WORDS = {"good": "good", "warn": "to watch", "bad": "to act on"}
PICTURES = ("image/svg+xml", "image/png", "image/jpeg")


@dataclass(frozen=True)
class Heading:
    """An entry of the table of contents: `level` 2 or 3, the anchor and the text."""

    level: int
    anchor: str
    text: str


@dataclass
class Page:
    """A page while it is made.

    Parameters
    ----------
    title
        The first heading of level 1.
    body
        HTML of everything below the title.
    contents
        Headings of level 2 and 3.
    figures
        Anchor and JSON of every plotly figure.
    csv
        Data of figures and tables: file name without ending, and content.
    """

    title: str = ""
    body: Markup = Markup("")  # noqa: RUF009 - immutable
    contents: list[Heading] = field(default_factory=list)
    figures: list[tuple[str, Markup]] = field(default_factory=list)
    csv: dict[str, bytes] = field(default_factory=dict)
    tables: int = 0

    def packed(self) -> list[tuple[str, str]]:
        """Return the CSV files as gzipped base64, as they stand in the page."""
        return [(name, base64.b64encode(gzip.compress(content, mtime=0)).decode()) for name, content in self.csv.items()]


def assemble(notebook: nbformat.NotebookNode, fallback_title: str) -> Page:
    """Make the page of an executed notebook.

    Parameters
    ----------
    notebook
        Executed notebook; code, prompts, error streams, widgets and cells tagged ``report-hide`` or ``explorer`` are left out.
    fallback_title
        Title where no heading of level 1 is.
    """
    page = Page()
    parts = [_cell(cell, page) for cell in notebook.cells if not HIDDEN_TAGS & set(cell.metadata.get("tags", []))]
    soup = BeautifulSoup("\n".join(p for p in parts if p), "html.parser")
    page.title = _take_title(soup) or notebook.metadata.get("title") or fallback_title
    page.contents = _anchor_headings(soup)
    _finish_tables(soup)
    for link in soup.select("a[href^=http]"):
        link["rel"] = "noopener noreferrer"
    page.body = Markup(_kept_together(soup.decode(formatter="minimal")))  # noqa: S704 - every part of it was escaped or sanitised
    return page


def _kept_together(text: str) -> str:
    """Put spaces that do not break between the digits of a number, and between a number and its per cent."""
    return re.sub(r"(?<=\d) %", "\u00a0%", re.sub(r"(?<=\d)\u2009(?=\d)", "\u202f", text))


def _cell(cell: nbformat.NotebookNode, page: Page) -> str:
    if cell.cell_type == "markdown":
        return f'<div class="prose">{sanitise.markdown(cell.source, cell.get("attachments"))}</div>'
    if cell.cell_type == "code":
        shown = "\n".join(filter(None, (_output(output, page) for output in cell.outputs)))
        return f'<div class="pair">{shown}</div>' if PAIR in cell.metadata.get("tags", []) else shown
    return ""


# --- outputs ----------------------------------------------------------------------------------------------------------------


def _output(output: nbformat.NotebookNode, page: Page) -> str:
    if output.output_type == "stream":
        return (
            f'<pre class="output">{escape(_plain(output.text))}</pre>' if output.name == "stdout" and output.text.strip() else ""
        )
    if output.output_type == "error":
        return (
            f'<div class="error" role="alert"><b>This cell failed.</b> {escape(_plain(f"{output.ename}: {output.evalue}"))}</div>'
        )
    words = output.metadata.get("gridplan", {})
    if WIDGET in output.data:
        return ""
    if PLOTLY in output.data:
        return _figure(output.data, words, page)
    kinds: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any], Page], str]] = {"table": _table, "cards": _cards}
    return kinds.get(words.get("kind", ""), _other)(output.data, words, page)


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)


def _figure(data: Mapping[str, Any], words: Mapping[str, Any], page: Page) -> str:
    number = len(page.figures) + 1
    anchor = f"figure-{number}"
    drawn = {**data[PLOTLY], "layout": dict(data[PLOTLY].get("layout", {}))}
    title = words.get("title", "")
    if title:
        drawn["layout"] = _without_title(drawn["layout"])
    block = sanitise.json_block({k: drawn[k] for k in ("data", "layout", "frames") if k in drawn})
    page.figures.append((anchor, Markup(block)))  # noqa: S704 - escaped for a script element
    alt = words.get("alt") or "No description was given."
    plot = f'<div class="plot" id="{anchor}" style="height:{_height(drawn["layout"])}px"></div>'
    head, caption = _words(f"Figure {number}.", title, words.get("caption", ""))
    tools = _tools(_keep_csv(data, words, anchor, page), f"figure {number}", alt)
    return (
        f'<figure role="group" aria-label="{escape(f"Figure {number}. {title}".strip())}">{head}{plot}{caption}{tools}</figure>'
    )


def _without_title(layout: Mapping[str, Any]) -> dict[str, Any]:
    """Leave the title to the page, where it can wrap; the drawing keeps room for its legend and annotations only."""
    top = 36 if layout.get("annotations") else 16
    return {**{k: v for k, v in layout.items() if k != "title"}, "margin": {**layout.get("margin", {}), "t": top}}


def _height(layout: Mapping[str, Any]) -> int:
    template = layout.get("template", {}).get("layout", {})
    return int(layout.get("height") or template.get("height") or 420)


def _table(data: Mapping[str, Any], words: Mapping[str, Any], page: Page) -> str:
    page.tables += 1
    title = words.get("title", "")
    head, caption = _words(f"Table {page.tables}.", title, words.get("caption", ""))
    tools = _tools(_keep_csv(data, words, f"table-{page.tables}", page), f"table {page.tables}")
    label = escape(f"Table {page.tables}. {title}".strip())
    body = sanitise.html(data["text/html"])
    return f'<figure class="table" role="group" aria-label="{label}">{head}{caption}{body}{tools}</figure>'


def _words(number: str, title: str, caption: str) -> tuple[str, str]:
    """Return title and caption of a figure or table; the number stands before the caption, or the title where there is none."""
    label = f'<span class="label">{number}</span> '
    in_title = label if title and not caption else ""
    head = f'<p class="figure-title">{in_title}{escape(title)}</p>' if title else ""
    return head, "" if in_title else f"<figcaption>{label}{escape(caption)}</figcaption>"


def _tools(csv: str, what: str, alt: str = "") -> str:
    button = (
        f'<button type="button" class="download" data-csv="{escape(csv)}" aria-label="Download the data of {what} as CSV">'
        "Data (CSV)</button>"
        if csv
        else ""
    )
    details = f"<details><summary>In words</summary><p>{escape(alt)}</p></details>" if alt else ""
    return f'<div class="tools">{details}{button}</div>' if button or details else ""


def _keep_csv(data: Mapping[str, Any], words: Mapping[str, Any], fallback: str, page: Page) -> str:
    """Put the data of an output into the page; return the name it got."""
    if not data.get("text/csv"):
        return ""
    stem = re.sub(r"[^\w-]+", "-", words.get("name") or fallback).strip("-") or fallback
    name, n = stem, 1
    while name in page.csv:
        n += 1
        name = f"{stem}-{n}"
    page.csv[name] = sanitise.csv_bytes(data["text/csv"])
    return name


def _cards(_data: Mapping[str, Any], words: Mapping[str, Any], _page: Page) -> str:
    cards = words.get("cards", [])
    return f'<ul class="cards">{"".join(_card(c, w) for c, w in zip(cards, _widths(len(cards)), strict=True))}</ul>'


def _widths(count: int) -> list[int]:
    """Spread cards over rows of at most four so that no row is left with a single one; return the twelfths each takes."""
    rows = math.ceil(count / 4)
    sizes = [count // rows + (r < count % rows) for r in range(rows)]
    return [12 // size for size in sizes for _ in range(size)]


def _card(card: Mapping[str, Any], width: int) -> str:
    label, value, unit, note = (escape(str(card.get(key) or "")) for key in ("label", "value", "unit", "note"))
    status = card.get("status") or ""
    mark = f' <span class="mark">{STATUS_WORDS[status]}</span>' if status in STATUS_WORDS else ""
    kind = f' class="w{width} {status if mark else ""}"'
    unit = f' <span class="unit">{unit}</span>' if unit else ""
    note = f'<span class="note">{note}</span>' if note else ""
    return f'<li{kind}><span class="name">{label}{mark}</span><span class="value">{value}{unit}</span>{note}</li>'


def _other(data: Mapping[str, Any], words: Mapping[str, Any], _page: Page) -> str:
    if "text/html" in data:
        return f'<div class="output">{sanitise.html(data["text/html"])}</div>'
    if "text/markdown" in data:
        return f'<div class="prose">{sanitise.markdown(data["text/markdown"])}</div>'
    for kind in PICTURES:
        if kind in data:
            return _picture(kind, data[kind], words.get("alt", "Picture without description"))
    text = data.get("text/plain", "")
    return f'<pre class="output">{escape(_plain(text))}</pre>' if text.strip() else ""


def _picture(kind: str, content: str, alt: str) -> str:
    # As a picture, an SVG cannot run what is in it.
    coded = base64.b64encode(content.encode()).decode() if kind == "image/svg+xml" else "".join(content.split())
    return f'<p><img src="data:{kind};base64,{escape(coded)}" alt="{escape(alt)}"></p>'


# --- the whole body ---------------------------------------------------------------------------------------------------------


def _take_title(soup: BeautifulSoup) -> str:
    """Take the first heading of level 1 out of the body; the paragraph behind it leads."""
    heading = soup.find("h1")
    if heading is None:
        return ""
    following = heading.find_next_sibling()
    if following is not None and following.name == "p":
        following["class"] = "lead"
    cell = heading.parent
    heading.extract()
    if cell is not None and cell.find(True) is None and not cell.get_text(strip=True):
        cell.extract()
    return " ".join(heading.get_text().split())


def _anchor_headings(soup: BeautifulSoup) -> list[Heading]:
    found: list[Heading] = []
    used: set[str] = set()
    for tag in soup.find_all(["h1", "h2", "h3"]):
        tag.name = "h2" if tag.name == "h1" else tag.name
        text = " ".join(tag.get_text().split())
        stem = re.sub(r"[^\w]+", "-", text.lower()).strip("-") or "section"
        # The prefix keeps a heading from taking the name of something else in the page.
        anchor = next(a for a in (f"s-{stem}", *(f"s-{stem}-{n}" for n in range(2, 10_000))) if a not in used)
        used.add(anchor)
        tag["id"] = anchor
        found.append(Heading(int(tag.name[1]), anchor, text))
    return found


def _finish_tables(soup: BeautifulSoup) -> None:
    """Let wide tables scroll inside themselves, set numbers right, let long names break, and leave no header cell empty."""
    for number, table in enumerate(soup.find_all("table"), 1):
        for cell in table.find_all("th"):
            if not cell.get_text(strip=True):
                cell.name = "td"
        for column in _columns(table):
            _align_numbers(column)
        _align_headers(table)
        _let_names_break(soup, table)
        attributes = {"class": "scroll", "role": "region", "tabindex": "0", "aria-label": _table_label(table, number)}
        table.wrap(soup.new_tag("div", attrs=attributes))


def _columns(table: Tag) -> list[list[Tag]]:
    """Return the cells of the body column by column; none where cells span several."""
    if table.select_one("td[colspan], td[rowspan], th[rowspan]") is not None:
        return [[cell] for cell in table.select("tbody td")]
    rows = [row.find_all(["td", "th"]) for row in table.select("tbody > tr")]
    return [[row[n] for row in rows if n < len(row)] for n in range(max(map(len, rows), default=0))]


def _align_numbers(column: Sequence[Tag]) -> None:
    """Mark the cells of a column that holds numbers and nothing else as numbers."""
    cells = [cell for cell in column if cell.name == "td" and TEXT not in _classes(cell)]
    filled = [cell for cell in cells if cell.get_text(strip=True) not in MISSING]
    if filled and all(_is_number(cell.get_text(strip=True)) for cell in filled):
        for cell in cells:
            cell["class"] = list(dict.fromkeys([*_classes(cell), "number"]))


def _let_names_break(soup: BeautifulSoup, table: Tag) -> None:
    """Let names such as those of files break at their signs, so that no column is as wide as its longest name."""
    for text in table.find_all(string=LONG_NAME):
        parts = re.split(r"(?<=[_./:,;-])(?=\w)", str(text))
        pieces = [piece for part in parts for piece in (part, soup.new_tag("wbr"))][:-1]
        text.replace_with(*pieces)


def _table_label(table: Tag, number: int) -> str:
    """Name the box that a table scrolls in, each differently, for those who move from box to box."""
    figure = table.find_parent("figure")
    return str(figure["aria-label"]).rstrip(".") if figure is not None else f"Table {number} of the page"


def _align_headers(table: Tag) -> None:
    """Set the header of a column of numbers right, where the table has one plain header row."""
    rows = table.select("thead > tr")
    first = table.select_one("tbody > tr")
    if len(rows) != 1 or first is None:
        return
    heads, cells = rows[0].find_all(["th", "td"]), first.find_all(["th", "td"])
    for head, cell in zip(heads, cells, strict=False):
        if "number" in _classes(cell) and "number" not in _classes(head):
            head["class"] = [*_classes(head), "number"]


def _classes(tag: Tag) -> Sequence[str]:
    return tag.get_attribute_list("class") if tag.has_attr("class") else []


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+\-−]?[\d,.\u2009\u202f ]*\d[\d,.\u2009\u202f ]*(e[+-]?\d+)?( ?%)?", text) is not None
