"""The same page on paper: Chromium prints it to a tagged PDF, with every figure drawn and no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from gridplan.errors import ReportError

VARIABLE = "GRIDPLAN_CHROMIUM"
"""Environment variable that names the browser where it is not on the path."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
TIMEOUT_S = 180.0
"""Limit of printing one page [s]."""

ARGUMENTS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-extensions",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no name is looked up, whatever a page asks for
    "--no-pdf-header-footer",
    "--export-tagged-pdf",
    "--generate-pdf-document-outline",
    "--run-all-compositor-stages-before-draw",
    "--window-size=1440,900",
    "--virtual-time-budget=20000",
)


def find_browser() -> Path:
    """Return the Chromium, Chrome or Edge of this machine.

    Raises
    ------
    ReportError
        There is none; the message says what to do.
    """
    named = os.environ.get(VARIABLE)
    candidates = [named] if named else [*filter(None, map(shutil.which, NAMES)), *PLACES]
    found = next((Path(c) for c in candidates if Path(c).is_file()), None)
    if found is not None:
        return found
    tried = f"{VARIABLE} names {named}, which is no file" if named else f"none of {', '.join(NAMES[:4])}, Edge is on the path"
    raise ReportError(
        f"no Chromium to print the PDF with: {tried}; install Chromium, Chrome or Edge, set {VARIABLE} to its program file, "
        "or leave --pdf away: the HTML page prints from any browser"
    )


def print_page(page: Path, target: Path) -> Path:
    """Print an HTML page to a PDF of A4 sheets.

    Parameters
    ----------
    page
        Page that stands alone.
    target
        File to write.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    ReportError
        There is no browser, or it did not print.
    """
    browser = find_browser()
    with tempfile.TemporaryDirectory(prefix="gp-pdf-", ignore_cleanup_errors=True) as profile:
        command = [str(browser), *ARGUMENTS, *_as_root(), f"--user-data-dir={profile}", f"--print-to-pdf={target.resolve()}"]
        try:
            # a browser found on this machine, with arguments written here
            done = subprocess.run(  # noqa: S603
                [*command, page.resolve().as_uri()], capture_output=True, timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as fault:
            raise ReportError(f"{browser} did not print {page.name}: {fault}", fault="write") from fault
    if done.returncode or not target.is_file() or not target.read_bytes().startswith(b"%PDF"):
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[-300:]
        raise ReportError(f"{browser} did not print {page.name} (exit code {done.returncode}): {said}", fault="write")
    return target


def _as_root() -> list[str]:
    # Chromium refuses to run in its sandbox as root; the page is our own and its policy lets nothing foreign run.
    return ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
