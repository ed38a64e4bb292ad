"""A tiny study, as the text of its files."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

TINY = {
    "study.toml": '[study]\nname = "tiny"\ntitle = "Tiny"\nnetwork = "pandapower:mv_oberrhein"\nbase_year = 2025\n',
    "customers.csv": "bus,customer_class,customers\n58,residential,12\n58,commercial,3\n39,industrial,1\n",
    "assignments.csv": "element,element_id,profile\nload,0,house\nload,1,shop\nsgen,0,pv\n",
    "profiles.csv": (
        "time,house_p,house_q,shop_p,pv_p\n"
        "2025-01-01 00:00,0.2,0.1,0.3,0\n2025-01-01 00:15,0.25,0.1,0.3,0\n"
        "2025-01-01 00:30,0.3,0.1,0.2,0.5\n2025-01-01 00:45,1,1,1,1\n"
    ),
    "assumptions.csv": 'assumption,value,unit,source,evidence,note\nvm_max_pu,1.06,pu,"Planning guide, page 4",V,\n',
    "sources.csv": (
        "file,content,source,licence\ncustomers.csv,Customers,Register,CC0-1.0\nassignments.csv,Rules,Rule,CC0-1.0\n"
        "profiles.csv,Shapes,Meters,CC0-1.0\nassumptions.csv,Assumptions,Guide,CC0-1.0\n"
    ),
}


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., Path]:
    """Write the tiny study; keywords replace the text of a file (``study_toml=...``) or leave it out (None)."""

    def write(folder: str = "tiny", **changes: str | None) -> Path:
        place = tmp_path / folder
        place.mkdir()
        named = {
            name.replace("_toml", ".toml") if name.endswith("_toml") else f"{name}.csv": text for name, text in changes.items()
        }
        for name, text in (TINY | named).items():
            if text is not None:
                (place / name).write_text(text, encoding="utf-8", newline="")
        return place

    return write


RUNS = Path(__file__).with_name("notebooks") / "batch-run.ipynb"
CUSTOMERS = (
    'bus,customer_class,customers\nNorth,residential,10\n"<script>window.ran = 2</script>",residential,20\n=1+1,public,5\n'
)
ROADMAP = "project,start_year\nADMS,2028\nSCADA,2027\nFibre,2030\n@AMI,2029\n"


@pytest.fixture(scope="session")
def small_study() -> Callable[..., Path]:
    """Write the study that the notebook ``batch-run`` reads."""

    def write(folder: Path, customers: str = CUSTOMERS, roadmap: str = ROADMAP) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "customers.csv").write_text(customers, "utf-8")
        (folder / "roadmap.csv").write_text(roadmap, "utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory, small_study):
    """Two runs of one report, between which rows of the study, a parameter and the roadmap changed; the later has a PDF."""
    from gridplan import report

    root = tmp_path_factory.mktemp("two-runs")
    study = small_study(root / "study")
    before = report.render(RUNS, study=study, out=root / "reports")
    customers = CUSTOMERS.replace("North,residential,10", "North,residential,12").replace("=1+1,public,5", "South,public,-1")
    plan = ROADMAP.replace("ADMS,2028", "ADMS,2030").replace("Fibre,2030", "DERMS,2031")
    small_study(study, customers.replace("residential,20", "residential,21"), plan)
    pdf = report.RunOptions(pdf=shutil.which("chromium") is not None, classification="Internal")
    return before, report.render(RUNS, study=study, out=root / "reports", parameters={"load_mw": 25.0}, options=pdf)
