"""Ten reports in one batch on two cores against their bare compute, and what a report costs beside its compute.

Run with ``python benchmarks/batch.py [REPORTS]`` from the root of the repository, on a machine that does nothing else.

Bare compute is the code of the notebook in a fresh Python process with IPython's shell and without kernel, papermill or page; it
includes importing what the notebook imports. The batch may take 1.3 times half their sum, plus half of the kernel starts.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import start_new_kernel

from gridplan.report import batch

NOTEBOOK = Path("notebooks/10-network-today.ipynb")
STUDY = Path("data/oberrhein")
CORES = 2
ALLOWED = 1.3

BARE = """
import io, os, sys, time, contextlib
import nbformat
from IPython.core.interactiveshell import InteractiveShell
notebook, study, value = sys.argv[1:]
os.environ["GRIDPLAN_REPORT"] = "1"
cells = [c for c in nbformat.read(notebook, 4).cells if c.cell_type == "code"]
os.chdir(os.path.dirname(notebook))
shell = InteractiveShell.instance()
start = time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()):
    for cell in cells:
        shell.run_cell(cell.source).raise_error()
        if "parameters" in cell.metadata.get("tags", []):
            shell.user_ns.update(study=study, load_percent=float(value))
print(time.perf_counter() - start)
"""


def bare(value: float) -> float:
    """Seconds of the notebook's code alone."""
    arguments = [str(NOTEBOOK.resolve()), str(STUDY.resolve()), str(value)]
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", BARE, *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def kernel_start() -> float:
    """Seconds until a kernel answers, and to end it."""
    start = time.perf_counter()
    manager, client = start_new_kernel(kernel_name="python3")
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    return time.perf_counter() - start


def in_a_batch(values: list[float], folder: Path) -> float:
    """Seconds of the batch, from reading its file to its index."""
    file = folder / "runs.toml"
    text = f'[batch]\nroot = "{Path.cwd().as_posix()}"\nout = "{(folder / "reports").as_posix()}"\nworkers = {CORES}\n'
    run = f'[[run]]\nnotebook = "{NOTEBOOK.as_posix()}"\nstudy = "{STUDY.as_posix()}"\n'
    file.write_text(f"{text}{run}[run.parameters]\nload_percent = {values}\n")
    start = time.perf_counter()
    summary = batch.run(batch.read_runs(file))
    if summary.exit_code:
        raise SystemExit(f"the batch failed: {[r.message for r in summary.results if r.message][:1]}")
    return time.perf_counter() - start


def main(reports: int) -> None:
    values = [90.0 + n for n in range(reports)]
    starts = sum(kernel_start() for _ in range(3)) / 3 * reports
    compute = [bare(value) for value in values]
    with tempfile.TemporaryDirectory() as folder:
        took = in_a_batch(values, Path(folder))
    allowed = ALLOWED * sum(compute) / CORES + starts / CORES
    ratio = (took - starts / CORES) / (sum(compute) / CORES)
    print(f"{reports} reports of {NOTEBOOK.stem}, {CORES} processes")
    print(f"bare compute     {sum(compute):7.1f} s in all, {min(compute):.1f} to {max(compute):.1f} s each")
    print(f"kernel starts    {starts:7.1f} s in all")
    print(f"batch            {took:7.1f} s")
    print(f"allowed          {allowed:7.1f} s = {ALLOWED} x compute / {CORES} + starts / {CORES}")
    print(f"ratio            {ratio:7.2f} of the compute, kernel starts apart ({ALLOWED} allowed)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
