"""Archives: everything of a run in one file, and what was changed in it since."""

import json
import shutil
import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from gridplan import report
from gridplan.errors import ParameterError, ReportError
from gridplan.report import archive, folders


@pytest.fixture(scope="module")
def packed(two_runs, tmp_path_factory) -> Path:
    return archive.pack(two_runs[1].page, target=tmp_path_factory.mktemp("archive") / "run.zip", with_inputs=True)


def rewritten(packed: Path, target: Path, change) -> Path:
    """Write the archive again, each file as `change` gives it: (name, content), None to leave it out, or a list of several."""
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(target, "w") as new, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a name that is there twice
        for info in old.infolist():
            for entry, content in change(info.filename, old.read(info)):
                new.writestr(entry, content)
    return target


def found(source: Path) -> list[str]:
    return [str(problem) for problem in archive.verify(source).problems]


def test_an_archive_holds_everything_of_a_run_and_is_as_recorded(two_runs, packed):
    run = two_runs[1]
    with zipfile.ZipFile(packed) as file:
        names = {Path(n).relative_to(Path(n).parts[0]).as_posix() for n in file.namelist()}
        assert len({Path(n).parts[0] for n in file.namelist()}) == 1
    assert {"batch-run.html", "batch-run.ipynb", "manifest.json", "SHA256SUMS", "inputs.zip", "csv/load-by-bus.csv"} <= names
    assert ("batch-run.pdf" in names) == (shutil.which("chromium") is not None)
    checked = archive.verify(packed)
    assert checked.problems == ()
    assert checked.files == len(json.loads(run.manifest.read_text("utf-8"))["outputs"]) + 1
    assert archive.verify(run.folder).manifest_sha256 == checked.manifest_sha256


def test_the_same_run_gives_the_same_archive_and_leaves_the_inputs_at_home(two_runs, tmp_path):
    first, second = (archive.pack(two_runs[0].folder, target=tmp_path / name) for name in ("a.zip", "b.zip"))
    assert first.read_bytes() == second.read_bytes()
    assert not any("inputs" in name for name in zipfile.ZipFile(first).namelist())
    assert archive.verify(first).problems == ()
    assert not archive.verify(first).inputs


def test_what_differs_is_missing_or_is_additional_is_named(packed, tmp_path):
    def change(name, content):
        if name.endswith("load-by-bus.csv"):
            return [(name, content + b"x")]
        if name.endswith(".ipynb"):
            return []
        return [(name, content), (f"{Path(name).parts[0]}/extra.txt", b"")] if name.endswith("flat.csv") else [(name, content)]

    words = found(rewritten(packed, tmp_path / "x.zip", change))
    assert len(words) == 3
    assert words[0].startswith("csv/load-by-bus.csv: differs: its SHA-256 is ")
    assert words[1:] == ["batch-run.ipynb: is missing", "extra.txt: is additional: the record does not name it"]


def test_changed_inputs_are_named(packed, tmp_path):
    change = lambda name, content: [(name, content + b" " if name.endswith("inputs.zip") else content)]  # noqa: E731
    assert found(rewritten(packed, tmp_path / "x.zip", change))[0].startswith("inputs.zip: differs")


@pytest.mark.parametrize("name", ["../../evil.txt", "/etc/evil", "C:\\evil", "top/../../evil", "..\\evil", "~/evil"])
def test_a_name_that_leads_out_is_not_read(packed, tmp_path, name):
    def change(there, content):
        return [(there, content), (name, b"evil")] if there.endswith("manifest.json") else [(there, content)]

    words = found(rewritten(packed, tmp_path / "x.zip", change))
    assert any("leads out of the folder" in w for w in words)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.zip"]


def test_a_link_in_an_archive_and_a_name_that_is_there_twice_are_not_read(packed, tmp_path):
    link = zipfile.ZipInfo("batch-run-x/csv/flat.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16

    def change(there, content):
        if there.endswith("flat.csv"):
            link.filename = there
            return [(link, b"/etc/passwd")]
        return [(there, content)] * (2 if there.endswith("load-by-bus.csv") else 1)

    words = found(rewritten(packed, tmp_path / "x.zip", change))
    assert sum("is a link to somewhere else" in w for w in words) == 1
    assert sum("stands in it twice" in w for w in words) == 1
    assert "csv/flat.csv: is missing" in words


def test_a_link_in_a_folder_is_not_followed_or_packed(two_runs, tmp_path):
    folder = Path(shutil.copytree(two_runs[0].folder, tmp_path / "run" / two_runs[0].folder.name))
    (folder / "csv" / "flat.csv").unlink()
    (folder / "csv" / "flat.csv").symlink_to(two_runs[0].page)
    (folder / "outside").symlink_to(tmp_path)
    words = found(folder)
    assert sum("is a link to somewhere else" in w for w in words) == 2
    with pytest.raises(ReportError, match="not as the run left it"):
        archive.pack(folder)
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_damage_is_told_and_not_a_crash(packed, tmp_path):
    whole = packed.read_bytes()
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(whole[:3000] + bytes(b ^ 0xFF for b in whole[3000:3100]) + whole[3100:])
    assert any("cannot be read" in w or "differs" in w for w in found(damaged))
    damaged.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ParameterError, match="neither the folder of a run nor an archive"):
        archive.verify(damaged)
    with pytest.raises(ParameterError, match="does not exist"):
        archive.verify(tmp_path / "none.zip")
    with zipfile.ZipFile(damaged, "w") as empty:
        empty.writestr("x/readme.txt", "x")
    with pytest.raises(ReportError, match=r"manifest\.json is missing"):
        archive.verify(damaged)


def test_an_archive_that_cannot_be_written_leaves_nothing(two_runs, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "_write", full)
    with pytest.raises(ReportError, match="No space left") as caught:
        archive.pack(two_runs[0].folder, target=tmp_path / "x.zip")
    assert caught.value.fault == "write"
    assert list(tmp_path.iterdir()) == []


def test_a_pdf_without_a_browser_says_what_to_do_before_anything_runs(two_runs, monkeypatch, tmp_path):
    monkeypatch.setenv("GRIDPLAN_CHROMIUM", str(tmp_path / "no-browser"))
    with pytest.raises(ReportError, match=r"GRIDPLAN_CHROMIUM names .*no-browser, which is no file.*leave --pdf away"):
        report.render(
            "tests/notebooks/batch-run.ipynb", study=tmp_path, out=tmp_path / "out", options=report.RunOptions(pdf=True)
        )
    assert not (tmp_path / "out").exists()


def test_what_is_kept_of_the_inputs_is_what_was_hashed(two_runs):
    manifest = json.loads((two_runs[1].folder / folders.MANIFEST).read_text("utf-8"))
    with zipfile.ZipFile(two_runs[1].folder / "inputs.zip") as kept:
        assert sorted(kept.namelist()) == sorted(f["name"] for f in manifest["study"]["files"])
