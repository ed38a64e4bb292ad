"""environment.yml, pyproject.toml and the lock files say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))


def bounds(lines: list[str]) -> dict[str, str]:
    return {r.name: str(r.specifier) for r in map(Requirement, lines)}


def locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text("utf-8")
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", text, flags=re.MULTILINE))


def test_conda_bounds_are_those_of_pyproject():
    conda = bounds([d for d in CONDA["dependencies"] if isinstance(d, str) and d != "pip"])
    assert conda.pop("python") == PROJECT["requires-python"]
    assert conda == bounds(PROJECT["dependencies"])


def test_conda_takes_conda_forge_only():
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_lock_meets_the_bounds_and_names_no_host(lock):
    versions = locked(lock)
    wanted = [Requirement(d) for d in PROJECT["dependencies"]]
    assert [r.name for r in wanted if versions.get(r.name) not in r.specifier] == []
    assert "://" not in (ROOT / lock).read_text("utf-8")


def test_the_test_lock_agrees_with_the_report_lock():
    report, test = locked("requirements.lock"), locked("requirements-test.lock")
    assert {n: v for n, v in report.items() if test.get(n) != v} == {}
