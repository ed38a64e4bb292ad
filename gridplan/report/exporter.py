"""The nbconvert exporter: an executed notebook becomes one offline HTML file.

Everything stands in the file: plotly.js once, every figure as JSON, every table's data, styles and the page's own script. The
content security policy lets exactly those two scripts run, by their hashes, and lets nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import nbformat
from markupsafe import Markup
from nbconvert.exporters import HTMLExporter, TemplateExporter
from plotly.offline import get_plotlyjs
from traitlets import default

from gridplan.report import page, provenance, sanitise

TEMPLATES = Path(str(files("gridplan.report"))) / "template"


class PageExporter(HTMLExporter):
    """nbconvert's exporter ``gridplan``; in JupyterLab under File > Save and Export Notebook As.

    Through the runner, `resources["manifest"]` says where the page comes from; without it the page says that it was run by hand.
    Of the resources returned, `csv` holds the data of every figure and table by name, and `title` the title.
    """

    export_from_notebook = "gridplan report"

    @default("template_name")
    def _template_name_default(self) -> str:
        return "gridplan"

    @default("extra_template_basedirs")
    def _default_extra_template_basedirs(self) -> list[str]:
        return [str(TEMPLATES)]

    def from_notebook_node(
        self, nb: nbformat.NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """Convert a notebook into the text of a page.

        Parameters
        ----------
        nb
            Executed notebook.
        resources
            `manifest`, if there is one, and what nbconvert puts there.
        **kw
            Passed on to nbconvert.
        """
        # The parent's own method parses the finished page and writes it anew, which would break the hashes of the scripts.
        return TemplateExporter.from_notebook_node(self, nb, resources, **kw)

    def _init_resources(self, resources: dict[str, Any] | None) -> dict[str, Any]:
        resources = super()._init_resources(resources)
        resources.setdefault("manifest", None)

        resources["view"] = _fill
        return resources


def _fill(nb: nbformat.NotebookNode, resources: dict[str, Any]) -> dict[str, Any]:
    """Assemble the page; the template calls this with the resources that the exporter returns, a copy of those it got."""
    made = page.assemble(nb, resources["metadata"]["name"])
    resources.update(csv=made.csv, title=made.title)
    return _view(made, resources["manifest"] or _by_hand())


def _view(made: page.Page, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what the template shows."""
    scripts = [_plotly(), _own("page.js")] if made.figures else [_own("page.js")]
    return {
        "page": made,
        "manifest": manifest,
        "css": Markup(_own("page.css")),  # noqa: S704 - our own file
        "margin": Markup(sanitise.css_string(_running_foot(made.title, manifest))),  # noqa: S704 - escaped for CSS
        "scripts": [Markup(script) for script in scripts],  # noqa: S704 - our own file, and plotly's
        "policy": _policy(scripts),
        "moment": _moment,
        "changed": ", ".join(_change(p) for p in manifest.get("parameters", []) if p["overridden"]),
    }


def _change(parameter: dict[str, Any]) -> str:
    value, usual = provenance.value_words(parameter["value"]), provenance.value_words(parameter["default"])
    return f"{parameter['name']} = {value} (default {usual})"


def _by_hand() -> dict[str, Any]:
    return {
        "outcome": "by hand",
        "status": "DRAFT",
        "classification": "",
        "software": provenance.software(),
        **provenance.platform_facts(),
    }


def _running_foot(title: str, manifest: dict[str, Any]) -> str:
    return " · ".join(filter(None, (manifest["status"], manifest["classification"], title)))


def _moment(text: str, clock: str = "%H:%M") -> str:
    return f"{datetime.fromisoformat(text):%d %B %Y, {clock} UTC}".removeprefix("0")


def _policy(scripts: list[str]) -> str:
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    # blob: is what plotly makes of a figure when the reader saves it as a picture; it never leaves the page.
    return (
        f"default-src 'none'; connect-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _plotly() -> str:
    return get_plotlyjs().replace("\r\n", "\n")


@cache
def _own(name: str) -> str:
    return (TEMPLATES / "gridplan" / name).read_text("utf-8")
