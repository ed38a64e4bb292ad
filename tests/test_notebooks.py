"""Every notebook through the report runner: on the bundled study, and on a small one whose names are script."""

import itertools
import json
import re
import shutil
from pathlib import Path

import nbformat
import pandapower as pp
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from gridplan import assess, errors, report

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SCRIPT = "<script>alert(1)</script>"
STEPS = 96


def name(path: Path) -> str:
    return path.stem


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """A feeder of three stations for one day, without coordinates, with script for a name, and a formula for a profile."""
    folder = tmp_path_factory.mktemp("study") / "hostile"
    folder.mkdir()
    net = pp.create_empty_network()
    buses = [pp.create_bus(net, 20.0, name=f"{SCRIPT} {n}") for n in range(4)]
    pp.create_ext_grid(net, buses[0])
    for n in range(3):
        pp.create_line_from_parameters(net, n, n + 1, 1.0, 0.2, 0.1, 0, 0.3, name="=1+1")
        pp.create_load(net, n + 1, 0.5, 0.1)
    pp.to_json(net, folder / "net.json")
    (folder / "study.toml").write_text(f'[study]\nname = "hostile"\ntitle = "{SCRIPT}"\nnetwork = "net.json"\nbase_year = 2025\n')
    time = pd.date_range("2025-01-01", periods=STEPS, freq="15min")
    pd.DataFrame({"time": time, "@sum_p": [0.5 + n / 200 for n in range(STEPS)]}).to_csv(folder / "profiles.csv", index=False)
    pd.DataFrame({"element": "load", "element_id": range(3), "profile": "@sum"}).to_csv(folder / "assignments.csv", index=False)
    pd.DataFrame({"bus": [1, 2], "customer_class": "residential", "customers": [10, 20]}).to_csv(
        folder / "customers.csv", index=False
    )
    files = ["net.json", "profiles.csv", "assignments.csv", "customers.csv"]
    rows = {"file": files, "content": SCRIPT, "source": "=HYPERLINK(1)", "licence": "CC0-1.0"}
    pd.DataFrame(rows).to_csv(folder / "sources.csv", index=False)
    return folder


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_notebook_keeps_the_rules_of_the_house(path):
    nb = nbformat.read(path, as_version=4)
    code = [c for c in nb.cells if c.cell_type == "code"]
    assert 15 <= len(nb.cells) <= (110 if path.stem == "90-modernisation-plan" else 35)  # the report follows a long outline
    assert nb.metadata.kernelspec.name == "python3"
    assert [c for c in code if c.outputs or c.execution_count] == []
    assert [c.source for c in code if "def " in c.source or "lambda" in c.source] == []
    assert max(len(c.source.splitlines()) for c in code) <= 8
    assert any("## What this tells the planner" in c.source for c in nb.cells)
    assert "study" in report.read_parameters(path)


ANY_STUDY = {"00-start-here": {}, "10-network-today": {}, "30-hosting-capacity": {"profile": "@sum"}, "90-modernisation-plan": {}}
"""Notebooks that report on any study, and the parameters that the small one needs."""


@pytest.mark.parametrize("stem", ANY_STUDY)
def test_it_reports_on_a_study_whose_names_are_script_and_formulas(stem, hostile, tmp_path):
    run = report.render(ROOT / "notebooks" / f"{stem}.ipynb", study=hostile, parameters=ANY_STUDY[stem], out=tmp_path)
    page = run.page.read_text("utf-8")
    assert SCRIPT not in page
    assert "&lt;script&gt;" in page
    cells = [cell for file in run.csv for line in file.read_text("utf-8-sig").splitlines()[1:] for cell in line.split(",")]
    assert [cell for cell in cells if cell.startswith(("=", "@", "+"))] == []


def test_futures_need_scenarios_and_say_so(hostile, tmp_path):
    with pytest.raises(errors.ReportError, match="scenarios"):
        report.render(ROOT / "notebooks" / "20-futures-and-needs.ipynb", study=hostile, out=tmp_path)
    assert list(tmp_path.glob("*.html")) == []


def test_futures_and_needs_of_the_bundled_study(tmp_path):
    run = report.render(
        ROOT / "notebooks" / "20-futures-and-needs.ipynb",
        study=ROOT / "data" / "oberrhein",
        parameters={"every": 15},
        out=tmp_path,
    )
    outlook = pd.read_csv(run.folder / "csv" / "outlook.csv")
    assert outlook.groupby("scenario")["year"].apply(list).to_dict() == {
        name: [2025, 2040] for name in ("slow", "reference", "fast")
    }
    assert outlook.loc[outlook["year"] == 2025, "outside_h"].tolist() == [0, 0, 0]
    assert pd.read_csv(run.folder / "csv" / "left.csv").empty
    assert pd.read_csv(run.folder / "csv" / "measures.csv")["needed_for"].notna().all()


def test_reliability_needs_its_tables_and_says_so(hostile, tmp_path):
    with pytest.raises(errors.ReportError, match="outage_rates"):
        report.render(ROOT / "notebooks" / "40-reliability-and-restoration.ipynb", study=hostile, out=tmp_path)
    assert list(tmp_path.glob("*.html")) == []


def test_reliability_of_the_bundled_study(tmp_path):
    run = report.render(
        ROOT / "notebooks" / "40-reliability-and-restoration.ipynb",
        study=ROOT / "data" / "oberrhein",
        parameters={"switches": 2, "years": 500},
        out=tmp_path,
    )
    options = pd.read_csv(run.folder / "csv" / "options-saidi-min.csv").set_index("option")["saidi_min"]
    assert options.idxmax() == "As today"
    assert options["All together"] < options.drop("All together").min()
    stages = pd.read_csv(run.folder / "csv" / "stages.csv")["customer_minutes"].sum()
    points = pd.read_csv(run.folder / "csv" / "map-minutes.csv")
    assert stages == pytest.approx((points["customers"] * points["interrupted_min"]).sum(), rel=1e-6)
    assert stages / points["customers"].sum() == pytest.approx(options["As today"], rel=1e-6)
    assert pd.read_csv(run.folder / "csv" / "automation-curve.csv")["saidi_min"].is_monotonic_decreasing


@pytest.mark.parametrize("stem", ["60-it-ot-architecture", "70-capability-and-gaps"])
def test_the_it_ot_half_needs_its_tables_and_says_so(stem, hostile, tmp_path):
    with pytest.raises(errors.ReportError, match="add the table 'systems'"):
        report.render(ROOT / "notebooks" / f"{stem}.ipynb", study=hostile, out=tmp_path)
    assert list(tmp_path.glob("*.html")) == []


def test_architecture_and_communications_of_the_bundled_study(tmp_path):
    run = report.render(ROOT / "notebooks" / "60-it-ot-architecture.ipynb", study=ROOT / "data" / "oberrhein", out=tmp_path)
    found = {file.stem: pd.read_csv(file) for file in run.csv}
    assert len(found["architecture-target"]) > len(found["architecture"])
    assert {"EAM-SAS-remote", "OMS1"} <= set(found["security-findings"]["item"])
    assert found["security-rules"]["number"].sum() == len(found["security-findings"])
    assert found["standards-coverage"].query("state == 'Target'")["legacy"].sum() == 0
    assert found["chains"]["availability"].between(0.9, 0.9999).all()
    assert found["coverage-map"]["outcome"].isin(["no path", "misses something"]).all()
    assert found["coverage-map-target"]["outcome"].eq("served").all()
    target = found["communication-performance"].query("state == 'Target'")
    assert (target["latency_ms"] <= target["latency_needed_ms"]).all()
    assert found["second-paths"]["gain_min"].max() > 600


def test_capability_and_gaps_of_the_bundled_study(tmp_path):
    run = report.render(ROOT / "notebooks" / "70-capability-and-gaps.ipynb", study=ROOT / "data" / "oberrhein", out=tmp_path)
    found = {file.stem: pd.read_csv(file) for file in run.csv}
    assert found["gaps-by-kind"]["closed_by"].ne("no project").all()
    by_state = found["verdicts"].groupby("state")["verdict"].agg(lambda said: said.eq("ready").mean())
    assert (by_state["As is"], by_state["Target"]) == (0, 1)
    ways = found["shortest-ways"].set_index("application")["projects"]
    assert ways["Predictive maintenance"] == ways.min()
    assert len(found["shortest-way-to-all"]) >= ways.max()
    devices = found["device-growth"].groupby("year")["number"].sum()
    assert devices.is_monotonic_increasing
    assert devices.iloc[0] == found["device-growth"].query("year == year.min()")["number_today"].sum()


def test_applications_of_the_bundled_study(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = report.render(
        ROOT / "notebooks" / "50-adms-applications.ipynb",
        study=ROOT / "data" / "oberrhein",
        parameters={"all_futures": False, "year": 2030, "every": 92},  # a step a day, each at another hour
        out=tmp_path,
    )
    minutes = pd.read_csv(run.folder / "csv" / "options-saidi-min.csv").set_index("option")["saidi_min"]
    assert minutes.idxmax() == "As today"
    assert minutes["All together"] == minutes.min()
    shares = pd.read_csv(run.folder / "csv" / "overlap.csv").set_index("series")
    assert (shares["joint"] <= 100).all()
    factors = pd.read_csv(run.folder / "csv" / "cvr-factors.csv").set_index("area")
    assert factors.loc["network", "cvr_factor"] == pytest.approx(factors.loc["network", "expected_cvr"], rel=0.2)
    assert set(pd.read_csv(run.folder / "csv" / "additivity.csv")["check"]) == {"groups", "areas"}
    known = pd.read_csv(run.folder / "csv" / "relied-on.csv").groupby("series")["known_percent"].mean()
    assert known["With monitoring"] >= known["Sensors of today"]


@pytest.fixture(scope="module")
def with_metrics(tmp_path_factory) -> Path:
    """The bundled study with a table of metrics of its own, so that nothing is simulated: every application saves its share."""
    folder = tmp_path_factory.mktemp("with-metrics") / "oberrhein"
    shutil.copytree(ROOT / "data" / "oberrhein", folder)
    areas = {"S1-F1": 5000, "S1-F2": 5500, "S2-F1": 4000, "S2-F2": 6477}
    rows = []
    for scenario, area, year in itertools.product(("slow", "reference", "fast"), areas, (2025, 2040)):
        key, growth = {"area": area, "scenario": scenario, "year": year}, 1 + (year - 2025) / 50
        for option in assess.options("restoration", ["fault_indicators", "remote_control", "flisr"]):
            left = 0.7 ** len(assess.members(option))
            row = {"customers": areas[area], "saifi": 0.3, "saidi_min": 13 * left, "maifi_e": 0.1, "ens_mwh": 0.7 * left}
            rows.append(key | row | {"group": "restoration", "option": option, "interruption_cost_keur": 9 * growth * left})
        for option in assess.options("voltage", ["voltvar"]):
            saved = 0.97 if "voltvar" in option else 1.0
            row = {"load_mwh": 27500 * growth * saved, "losses_mwh": 340 * growth, "peak_mw": 8 * growth, "outside_h": 0.0}
            rows.append(
                key | row | {"group": "voltage", "option": option, "failed_h": 0.0, "operations": 0, "curtailed_mwh": 0.0}
            )
    pd.DataFrame(rows).to_csv(folder / "metrics.csv", index=False)
    with (folder / "sources.csv").open("a", encoding="utf-8") as file:
        file.write("metrics.csv,Results,test,CC0-1.0,Made up\n")
    return folder


def roadmap_of(folder: Path, out: Path, **more: object) -> tuple[report.Run, dict[str, pd.DataFrame]]:
    given = {"time_limit_s": 5.0, "replay_scenarios": [], **more}
    run = report.render(ROOT / "notebooks" / "80-roadmap.ipynb", study=folder, parameters=given, out=out)
    return run, {file.stem: pd.read_csv(file) for file in run.csv}


def test_the_roadmap_of_the_bundled_study(with_metrics, tmp_path):
    run, found = roadmap_of(with_metrics, tmp_path)
    schedule = found["roadmap-gantt"].set_index("project")
    assert {"ot_dmz", "scada_upgrade", "security_programme"} <= set(schedule.index)  # mandatory
    spent = found["roadmap-spend"]
    assert (spent["used"] <= spent["allowed"] + 1e-6).all()
    saidi = found["roadmap-kpis"].query("kpi == 'saidi_min'").dropna(subset=["target"])
    assert (saidi["value"] <= saidi["target"] + 1e-9).all()
    assert len(schedule) + len(found["roadmap-left-out"]) == 39
    money = found["money"]
    assert set(money.loc[money["stream"] == "operating_saving", "kind"]) <= {"declared"}
    assert "The roadmap was not replayed" in run.page.read_text("utf-8")


def test_a_roadmap_without_money_says_what_would_have_to_give(with_metrics, tmp_path):
    run, found = roadmap_of(with_metrics, tmp_path, budget_percent=20.0)
    page = run.page.read_text("utf-8")
    assert "No roadmap keeps every rule" in page
    assert "raise the budget" in page
    assert found["roadmap-gantt"].empty


@pytest.fixture(scope="module")
def nothing_asked(with_metrics, tmp_path_factory) -> Path:
    """The same study with nothing mandatory and no target."""
    folder = tmp_path_factory.mktemp("nothing-asked") / "oberrhein"
    shutil.copytree(with_metrics, folder, ignore=shutil.ignore_patterns("targets.csv"))
    projects = pd.read_csv(folder / "projects.csv").assign(mandatory=False)
    projects.to_csv(folder / "projects.csv", index=False)
    sources = pd.read_csv(folder / "sources.csv")
    sources[sources["file"] != "targets.csv"].to_csv(folder / "sources.csv", index=False)
    return folder


def test_a_roadmap_in_which_nothing_can_be_afforded_says_so(nothing_asked, tmp_path):
    run, found = roadmap_of(nothing_asked, tmp_path, budget_percent=0.0)
    page = run.page.read_text("utf-8")
    assert "No project is chosen: by this objective and these limits, leaving everything as it is comes out best." in page
    assert found["roadmap-gantt"].empty
    assert len(found["roadmap-left-out"]) == 39
    assert not found["roadmap-left-out"]["reason"].str.contains(r"\b(?:flisr|voltvar|ot_dmz)\b").any()
    assert len(found["screening"]) == 39  # each project is tested, chosen or not


def test_a_plan_in_which_nothing_can_be_afforded_still_reads_right(nothing_asked, tmp_path):
    given = {"every": 96, "time_limit_s": 5.0, "budget_percent": 0.0}
    run = report.render(ROOT / "notebooks" / "90-modernisation-plan.ipynb", study=nothing_asked, parameters=given, out=tmp_path)
    page = run.page.read_text("utf-8")
    assert "No project is chosen: by this objective" in page
    text = BeautifulSoup(page, "html.parser").find("main").get_text(" ")
    assert not re.search(r"\b(?:nan|None|inf)\b(?!\.)", text)  # an empty table says "None."


@pytest.fixture(scope="module")
def plan(with_metrics, tmp_path_factory) -> report.Run:
    out = tmp_path_factory.mktemp("plan")
    small = {"every": 96, "time_limit_s": 5.0}
    return report.render(ROOT / "notebooks" / "90-modernisation-plan.ipynb", study=with_metrics, parameters=small, out=out)


OUTLINE = {
    "drivers": ["objectives"],
    "current state": ["areas", "map-areas", "map-loading", "reliability-history", "map-minutes", "architecture"],
    "people": ["capability-heat-map"],
    "futures and needs": ["outlook", "hosting-samples", "gaps-by-kind", "verdicts"],
    "architecture": ["states", "architecture-plan", "architecture-target", "standards-coverage", "communication-map"],
    "alternatives": ["alternatives", "roadmap-plans", "roadmap-left-out"],
    "roadmap": ["roadmap-gantt", "binding"],
    "cost": ["spend-by-class-of-spend", "roadmap-spend"],
    "benefits": ["money", "benefits-by-application", "cost-tests", "cumulative"],
    "scores": ["ranking", "rank-acceptability"],
    "risk": ["npv-samples", "tornado", "targets", "decisions"],
    "metrics": ["performance-metrics", "roadmap-kpis"],
    "customers": ["bill-impact", "bill-table"],
    "traceability": ["traceability", "traceability-matrix"],
    "appendices": ["assumptions", "sources"],
}
"""Sections of the report, and what a reader looks for in each."""


def test_the_plan_report_holds_what_a_reader_relies_on(plan):
    found = {file.stem: pd.read_csv(file) for file in plan.csv}
    assert {section: set(names) - set(found) for section, names in OUTLINE.items() if set(names) - set(found)} == {}
    assert len(found["areas"]) == 4
    assert found["areas"]["customers"].sum() == 20977
    assert json.loads(plan.manifest.read_text("utf-8"))["outcome"] == "complete"


def test_the_plan_report_says_one_number_for_one_thing(plan):
    """Present value, capital, benefit and SAIDI are the same in every section, and in the prose at the head of the page."""
    found = {file.stem: pd.read_csv(file) for file in plan.csv}
    last = found["cumulative"].iloc[-1]
    society = found["cost-tests"].set_index("test").loc["SCT"]
    roadmap_value = found["alternatives"].query("kind == 'this plan'")["npv_keur"].item()
    assert last["npv_keur"] == pytest.approx(society["npv_keur"])
    assert last["npv_keur"] == pytest.approx(roadmap_value)
    shared = found["benefits-by-application"]["pv_keur"].sum()
    assert last["pv_benefits_keur"] == pytest.approx(shared)
    capital = found["spend-by-class-of-spend"].query("kind == 'capital'")["spend_keur"].sum()
    assert capital == pytest.approx(found["roadmap-spend"].query("kind == 'capex'")["used"].sum())
    named = set("|".join(found["traceability-matrix"]["projects"].dropna()).split("|"))
    assert named == set(found["roadmap-gantt"]["project"])
    text = plan.page.read_text("utf-8").replace("\u2009", "")
    assert f"Approval is asked for {len(found['roadmap-gantt'])} projects with {capital / 1000:.1f} million EUR" in text
    assert f"{found['bill-impact']['per_customer'].max():.0f} EUR more in a year" in text


def test_the_plan_report_opens_offline_with_every_figure_drawn(plan):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or pytest.skip("no Chromium on this machine")
    asked, errors = [], []
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.on("request", lambda r: asked.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None)
        page.goto(plan.page.resolve().as_uri())
        page.wait_for_selector("html[data-figures=drawn]", timeout=60_000)
        present = page.locator(".plot").count()
        drawn = page.locator(".plot .main-svg").count()
        browser.close()
    assert (asked, errors) == ([], [])
    assert present >= 6
    assert drawn >= present
