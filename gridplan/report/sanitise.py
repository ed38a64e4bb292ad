"""Text from a study into a page: Markdown and HTML are kept to harmless elements, everything else shows as the text it is.

A name such as ``<script>alert(1)</script>`` is shown, not run. The page's content security policy is the second belt.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping

import bleach
import mistune
from bs4 import BeautifulSoup

from gridplan import tables

_TEXT = "h1 h2 h3 h4 h5 h6 p br hr ul ol li dl dt dd strong em b i u s del ins sub sup code pre kbd blockquote a img"
_BOXES = "table caption thead tbody tfoot tr th td colgroup col span div details summary small mark abbr"
TAGS = frozenset(f"{_TEXT} {_BOXES}".split())
PLAIN_ATTRIBUTES = {
    "th": {"colspan", "rowspan", "scope"},
    "td": {"colspan", "rowspan"},
    "ol": {"start"},
    "img": {"alt", "width", "height"},
}
PROTOCOLS = frozenset({"http", "https", "mailto", "data"})

_markdown = mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])


def markdown(source: str, attachments: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """Turn Markdown into harmless HTML.

    Parameters
    ----------
    source
        Markdown; formulas are not set, a ``$`` is a dollar.
    attachments
        Pictures pasted into a notebook cell: name to {MIME type: base64}.
    """
    for name, forms in (attachments or {}).items():
        kind, content = next(iter(forms.items()))
        source = source.replace(f"attachment:{name}", f"data:{kind};base64,{content}")
    return html(str(_markdown(source)))


def html(source: str) -> str:
    """Keep the harmless elements of some HTML; the rest shows as text, and style sheets are dropped."""
    if "<style" in source.lower():
        soup = BeautifulSoup(source, "html.parser")
        for sheet in soup.find_all("style"):
            sheet.decompose()
        source = str(soup)
    # A picture from elsewhere shows as the text it is; without its address it would show as nothing.
    source = re.sub(r"<(?=img\b(?![^>]*\ssrc\s*=\s*[\"']?data:image/))", "&lt;", source, flags=re.IGNORECASE)
    return bleach.clean(source, tags=TAGS, attributes=_allowed, protocols=PROTOCOLS)


def _allowed(tag: str, name: str, value: str) -> bool:
    if name in {"class", "title"} or name in PLAIN_ATTRIBUTES.get(tag, ()):
        return True
    if tag == "a" and name == "href":
        return re.match(r"https?:|mailto:|[^:]*$", value.strip(), re.IGNORECASE) is not None
    # A picture from elsewhere would be a request; one in the page is none.
    return tag == "img" and name == "src" and re.match(r"data:image/(png|jpeg|gif|webp|svg\+xml)[;,]", value) is not None


def json_block(value: object) -> str:
    """Write JSON that can stand inside a script element: no character in it can end the element or start markup."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def css_string(text: str) -> str:
    """Write a text as a CSS string that nothing in it can end."""
    return '"' + re.sub(r"[^\w .,:()·-]", lambda m: f"\\{ord(m[0]):x} ", text) + '"'


def csv_bytes(text: str) -> bytes:
    """Return CSV as the report hands it out: UTF-8 with the mark that spreadsheets need, no cell that becomes a formula."""
    rows = csv.reader(io.StringIO(text, newline=""))
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows([_inert(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def _inert(cell: str) -> str:
    return cell if cell.startswith("'") else tables.escape_formula(cell)  # what has its apostrophe keeps the one
