"""A tiny study, as the text of its files."""

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
