"""Report page, index and comparison in a real Chromium with the network refused, and the same on paper."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_report_page import ALL_DRAWN, ARGUMENTS, CHROMIUM, DRAWN, WIDER, Visit

from gridplan import report
from gridplan.report import batch, history
from gridplan.report.batch import _index, _result

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

PAGES = ["report", "index", "comparison"]
FIGURES = {"report": 2, "index": 0, "comparison": 2}


@pytest.fixture(scope="module")
def pages(two_runs, tmp_path_factory) -> dict[str, Path]:
    out = two_runs[1].latest.parent
    past = history.runs(out)
    job = batch.Job(past[-1].report, Path("batch-run.ipynb"), Path("study"), {"how": "<script>window.ran = 8</script>"}, {})
    lost = batch.Job("lost.html", Path("lost.ipynb"), Path("study"), {}, {})
    made = _result.Result(job, "complete", folder=str(two_runs[1].folder), page=str(two_runs[1].page), attempts=1, seconds=5.0)
    failed = _result.Result(lost, "failed", "cell", "ValueError: <img src=x onerror='window.ran = 7'>", attempts=1)
    now = datetime.now(UTC)
    summary = batch.Summary("Reports <b>of</b> June", now, now, (made, failed), notes=("a <script> in a note",), out=out)
    index = out / "index.html"
    index.write_text(_index.page(summary, past), "utf-8")
    compared = report.compare(*(run.folder for run in two_runs), out=tmp_path_factory.mktemp("compared"))
    return {"report": two_runs[1].page, "index": index, "comparison": compared.page}


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_asks_for_nothing_and_can_be_used_by_everybody(browser, pages, name, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    seen = Visit(browser, pages[name], width=width)
    seen.page.wait_for_selector(ALL_DRAWN if FIGURES[name] else "main")
    assert seen.page.evaluate(DRAWN) == FIGURES[name]
    assert seen.page.evaluate(WIDER) <= 0
    assert seen.page.evaluate("window.ran") is None
    assert seen.page.locator("main script, main img, main iframe, main [onerror]").count() == 0
    found = axe.Axe().run(seen.page).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in {"serious", "critical"}] == []
    assert (seen.requests, seen.errors) == ([], [])
    seen.page.close()


def test_figures_stand_side_by_side_where_there_is_room(browser, pages):
    boxes = "Array.from(document.querySelectorAll('.pair .plot'), p => p.getBoundingClientRect().top)"
    for width, same in ((1440, True), (390, False)):
        seen = Visit(browser, pages["comparison"], width=width)
        seen.page.wait_for_selector(ALL_DRAWN)
        tops = seen.page.evaluate(boxes)
        assert (abs(tops[0] - tops[1]) < 40) == same
        seen.page.close()


def test_links_of_the_index_lead_to_files(browser, pages):
    seen = Visit(browser, pages["index"])
    links = seen.page.evaluate("Array.from(document.querySelectorAll('main a[href]'), a => a.getAttribute('href'))")
    assert links
    assert all((pages["index"].parent / link).exists() for link in links if not link.startswith("#"))
    seen.page.close()


def test_the_data_of_the_index_cannot_become_formulas(pages):
    import base64
    import csv
    import gzip

    from bs4 import BeautifulSoup

    soup = BeautifulSoup(pages["comparison"].read_text("utf-8"), "html.parser")
    packed = [
        gzip.decompress(base64.b64decode(s.get_text())).decode("utf-8-sig")
        for s in soup.select("script[type='application/gzip']")
    ]
    cells = [cell for text in packed for row in csv.reader(io.StringIO(text)) for cell in row]
    assert any(cell.startswith("'@AMI") or "=1+1" in cell for cell in cells)
    assert [c for c in cells if c.startswith(("=", "@", "\t", "\r"))] == []
    assert [c for c in cells if c.startswith(("+", "-")) and not c.lstrip("+-").replace(".", "", 1).isdigit()] == []


# --- paper ------------------------------------------------------------------------------------------------------------------


def test_the_pdf_is_tagged_has_every_figure_and_nothing_outside(two_runs):
    pypdf = pytest.importorskip("pypdf")
    file = two_runs[1].page.with_suffix(".pdf")
    read = pypdf.PdfReader(file)
    root = read.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert root["/Lang"] == "en-GB"
    text = " ".join(" ".join(page.extract_text() for page in read.pages).split())
    for words in (
        "A small report",
        "Peak load",
        "Load by bus",
        "<script>window.ran = 1</script>",
        "Internal",
        "Appendix: provenance",
    ):
        assert words in text, words
    assert text.count("Load [MW]") == 1  # an axis: the figure was drawn
    assert all(round(float(page.mediabox.width)) == 595 for page in read.pages)
    assert json.loads(two_runs[1].manifest.read_text("utf-8"))["outputs"][file.name]
    assert [
        a for p in read.pages for a in p.get("/Annots", []) if a.get_object().get("/A", {}).get("/URI", "").startswith("http")
    ] == []
