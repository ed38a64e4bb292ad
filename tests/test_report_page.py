"""The report page in a real Chromium with the network refused: what a reader sees, and what cannot happen to them."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from plotly.subplots import make_subplots

from gridplan import report

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

NOTEBOOK = Path(__file__).with_name("notebooks") / "report-page.ipynb"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
FIGURES = 4
DRAWN = "Array.from(document.querySelectorAll('.plot')).filter(p => p.querySelector('.main-svg')).length"
ALL_DRAWN = "html[data-figures=drawn]"
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Neither sight nor idle time draws anything: what is drawn then was drawn for the printer.
ONLY_PRINTING_DRAWS = "window.IntersectionObserver = class { observe() {} unobserve() {} }; window.requestIdleCallback = () => 0"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("page")
    (root / "study").mkdir()
    (root / "study" / "customers.csv").write_text("bus,n\n1,2\n", "utf-8")
    return report.render(NOTEBOOK, study=root / "study", out=root / "reports")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """A page opened with the network refused, and what went wrong on it."""

    def __init__(self, browser, file: Path, *, width: int = 1440, before: str = ""):
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.requests, self.errors = [], []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.on("dialog", lambda d: (self.errors.append(f"dialog {d.message}"), d.dismiss()))
        self.page.route("**/*", self._refuse)
        if before:
            self.page.add_init_script(before)
        self.page.goto(file.resolve().as_uri())

    def _refuse(self, route):
        if route.request.url.startswith(("file:", "data:", "blob:")):
            route.continue_()
        else:
            self.requests.append(route.request.url)
            route.abort()


@pytest.fixture
def visit(browser, run):
    opened = []

    def open_page(file: Path | None = None, **options) -> Visit:
        opened.append(Visit(browser, file or run.page, **options))
        return opened[-1]

    yield open_page
    for one in opened:
        one.page.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_every_figure_is_drawn_and_nothing_is_asked_for(visit, width):
    seen = visit(width=width)
    seen.page.wait_for_selector(ALL_DRAWN)
    assert seen.page.evaluate(DRAWN) == FIGURES
    assert seen.page.evaluate(WIDER) <= 0
    assert (
        seen.page.evaluate(
            "Math.max(...Array.from(document.querySelectorAll('.main-svg'), s => s.getBoundingClientRect().right))"
        )
        <= width
    )
    assert seen.requests == []
    assert seen.errors == []


def test_the_copy_of_the_newest_page_works_alone(visit, run):
    seen = visit(run.latest)
    seen.page.wait_for_selector(ALL_DRAWN)
    assert (seen.page.evaluate(DRAWN), seen.requests, seen.errors) == (FIGURES, [], [])


def test_names_with_markup_show_as_text_and_do_not_run(visit):
    seen = visit()
    seen.page.wait_for_selector(ALL_DRAWN)
    box = seen.page.locator("#figure-1 .main-svg").first.bounding_box()
    seen.page.locator("#figure-1").scroll_into_view_if_needed()
    seen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    seen.page.wait_for_timeout(300)
    assert seen.page.evaluate("window.ran") is None
    assert seen.page.locator("main script, main img, main iframe, main [onerror]").count() == 0
    prose = seen.page.locator(".lead").inner_text()
    assert "<script>window.ran = 1</script>" in prose
    assert "<img src=x" in prose
    assert "<script>window.ran = 4</script>" in seen.page.locator(".cards").inner_text()
    assert seen.errors == []


def test_the_policy_stops_a_script_that_got_in(visit):
    seen = visit()
    seen.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 5\">')")
    seen.page.evaluate(
        "document.body.appendChild(Object.assign(document.createElement('script'), {textContent: 'window.ran = 6'}))"
    )
    reached = "fetch('https://example.invalid/').then(() => true, () => false)"
    assert seen.page.evaluate(reached) is False
    assert seen.page.evaluate("window.ran") is None
    assert seen.requests == []


def test_the_data_of_a_figure_is_a_real_download_without_formulas(visit, run):
    seen = visit()
    with seen.page.expect_download() as waiting:
        seen.page.get_by_role("button", name="Download the data of figure 1 as CSV").click()
    assert waiting.value.suggested_filename == "load-year.csv"
    content = Path(waiting.value.path()).read_bytes()
    assert content == (run.folder / "csv" / "load-year.csv").read_bytes()
    rows = content.decode("utf-8-sig").splitlines()
    assert rows == ["hour,bus,p_mw", '0,"\'=HYPERLINK(""http://x.invalid"")",-1.5', "1,'@cmd,2"]
    assert {f.stem for f in run.csv} == {"load-year", "by-area", "map", "heat", "wide"}


def test_printing_draws_what_was_not_yet_seen(visit, tmp_path):
    seen = visit(before=ONLY_PRINTING_DRAWS)
    assert seen.page.evaluate(DRAWN) == 0
    seen.page.pdf(path=tmp_path / "page.pdf", format="A4", print_background=True, tagged=True)
    assert seen.page.evaluate(DRAWN) == FIGURES
    assert (tmp_path / "page.pdf").stat().st_size > 50_000


def test_figures_fit_the_sheet(visit):
    seen = visit()
    seen.page.wait_for_selector(ALL_DRAWN)
    width = "Math.max(...Array.from(document.querySelectorAll('.main-svg'), s => s.getBoundingClientRect().width))"
    before = seen.page.evaluate(width)
    seen.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert seen.page.evaluate(width) <= 672
    seen.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert seen.page.evaluate(width) == before


def test_two_figures_and_their_words_fit_one_sheet(visit):
    seen = visit()
    seen.page.wait_for_selector(ALL_DRAWN)
    seen.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    heights = "Array.from(document.querySelectorAll('.plot'), p => p.getBoundingClientRect().height)"
    assert max(seen.page.evaluate(heights)) <= 350  # 93 mm, a map
    seen.page.evaluate("window.dispatchEvent(new Event('afterprint'))")


def two_panels():
    two = make_subplots(1, 2, subplot_titles=["Lowest and highest voltage [pu]", "Highest loading of a line [%]"])
    for k in range(4):
        two.add_scatter(x=[2025, 2040], y=[k, k + 1], name=f"scenario number {k}", row=1, col=1)
        two.add_scatter(x=[2025, 2040], y=[k, 90], showlegend=False, row=1, col=2)
    return two.update_layout(height=400, legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"})


BOXES = """selector => Array.from(document.querySelectorAll(selector), e => {
  const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom] })"""


@pytest.fixture(scope="module")
def panels(tmp_path_factory):
    """The page of a figure with two panels side by side, their titles and a legend above them."""
    drawn = json.loads(two_panels().to_json())
    output = nbformat.v4.new_output("display_data", {"application/vnd.plotly.v1+json": drawn})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    file = tmp_path_factory.mktemp("panels") / "panels.html"
    file.write_text(report.PageExporter().from_notebook_node(notebook, {"metadata": {"name": "panels"}})[0], "utf-8")
    return file


@pytest.mark.parametrize("width", [1440, 390])
def test_a_legend_leaves_the_titles_of_panels_free(visit, panels, width):
    seen = visit(panels, width=width)
    seen.page.wait_for_selector(ALL_DRAWN)
    seen.page.wait_for_timeout(300)
    legend = seen.page.evaluate(BOXES, ".legend")[0]
    titles = seen.page.evaluate(BOXES, ".annotation-text")
    assert len(titles) == 2
    assert legend[3] <= min(title[1] for title in titles) + 1
    assert not seen.errors


def test_panels_side_by_side_stand_one_below_the_other_on_a_phone(visit, panels):
    seen = visit(panels, width=390)
    seen.page.wait_for_selector(ALL_DRAWN)
    seen.page.wait_for_timeout(300)
    titles = seen.page.evaluate(BOXES, ".annotation-text")
    assert titles[0][3] < titles[1][1]
    assert all(title[0] >= 0 and title[2] <= 390 for title in titles)


def test_no_figure_offers_to_leave_the_machine(visit):
    seen = visit()
    seen.page.wait_for_selector(ALL_DRAWN)
    titles = seen.page.evaluate("Array.from(document.querySelectorAll('.modebar-btn'), b => b.dataset.title || '')")
    assert titles
    assert not [t for t in titles if any(word in t.lower() for word in ("share", "cloud", "chart studio", "plotly"))]
    assert seen.page.locator(".modebar a[href^=http]").count() == 0


def test_a_figure_can_be_saved_as_a_picture(visit):
    seen = visit()
    seen.page.wait_for_selector(ALL_DRAWN)
    size = "Plotly.toImage(document.getElementById('figure-2'), {format: 'png', width: 400, height: 300}).then(u => u.length)"
    assert seen.page.evaluate(size) > 2000
    assert seen.errors == []


def test_the_contents_lead_to_every_section(visit):
    seen = visit()
    links = seen.page.evaluate(
        "Array.from(document.querySelectorAll('.contents a'), a => [a.textContent, a.getAttribute('href')])"
    )
    assert [text for text, _ in links] == [
        "Key figures",
        "Figures",
        "Over the year",
        "On the map",
        "A wide table",
        "Appendix: provenance",
    ]
    assert all(seen.page.locator(href).count() == 1 for _, href in links)
    seen.page.click("text=A wide table")
    seen.page.wait_for_selector(".contents a[aria-current]:text-is('A wide table')")


def test_the_contents_fold_on_a_phone(visit):
    seen = visit(width=390)
    assert not seen.page.locator(".contents ol").is_visible()
    seen.page.click(".contents summary")
    assert seen.page.locator(".contents ol").is_visible()


def test_the_page_can_be_read_without_seeing_it(visit):
    seen = visit()
    assert seen.page.evaluate("document.documentElement.lang") == "en-GB"
    assert seen.page.locator("h1").count() == 1
    labels = seen.page.evaluate("Array.from(document.querySelectorAll('figure'), f => f.getAttribute('aria-label'))")
    assert [label.split(".")[0] for label in labels] == [*(f"Figure {n + 1}" for n in range(FIGURES)), "Table 1"]
    seen.page.get_by_text("In words").nth(1).click()
    assert seen.page.locator(".tools p").nth(1).inner_text() == "Load by area"
    seen.page.goto(seen.page.url)
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"
