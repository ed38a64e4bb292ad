"""Speed of the metrics table: the bundled study as one process tree, and a fleet of SimBench networks on a Dask cluster.

Run with ``python benchmarks/metrics.py bundled`` or ``python benchmarks/metrics.py fleet [networks]`` from the root of the
repository, on a machine with nothing else to do. Parallel efficiency is the time of one worker over twice the time of two.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
from distributed import LocalCluster

from gridplan import assess
from gridplan.network.starter import new_study

CODES = ("1-LV-rural1--0-sw", "1-LV-rural2--0-sw", "1-LV-semiurb4--0-sw", "1-LV-urban6--0-sw")
VOLTAGE = assess.Settings({"voltage": assess.GROUPS["voltage"]}, every=1)


def bundled() -> None:
    """Whole process, three scenarios, base year and every fifth year to 2040, hourly, nothing kept from earlier."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "metrics.csv"
        command = ["gridplan", "metrics", "--study", "data/oberrhein", "--out", str(out), "--fresh", "--workers", "2"]
        start = time.perf_counter()
        subprocess.run(command, check=True)
        print(f"{len(pd.read_csv(out))} rows in {time.perf_counter() - start:.0f} s, target 60 s")


def fleet(count: int = 200) -> None:
    """One study a network, one day of quarter-hours, every option of the voltage group; no two networks have the same loads."""
    with tempfile.TemporaryDirectory() as folder:
        first = [_written(Path(folder) / f"code-{number}", code) for number, code in enumerate(CODES)]
        paths = [_scaled(first[number % len(CODES)], Path(folder) / f"network-{number:03d}", number) for number in range(count)]
        spent, found = {}, {}
        for workers in (1, 2):
            with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
                where = assess.Execution(cluster.scheduler_address)
                assess.fleet(paths[: 2 * workers], settings=VOLTAGE, execution=where)  # loads modules and compiled code
                start = time.perf_counter()
                found[workers] = assess.fleet(paths, settings=VOLTAGE, execution=where)
                spent[workers] = time.perf_counter() - start
        print(f"{count} networks: {spent[1]:.0f} s with one worker, {spent[2]:.0f} s with two")
        print(f"parallel efficiency {spent[1] / spent[2] / 2:.0%}, target 80 %")
        pd.testing.assert_frame_equal(found[1], found[2], check_exact=True)
        some = [str(path) for path in paths[: min(count, 60)]]
        whole = found[2][found[2]["study"].isin(some)].reset_index(drop=True)
        pd.testing.assert_frame_equal(_with_a_kill(some), whole, check_exact=True)
        print("a worker killed in the middle changes nothing")


def _with_a_kill(paths: list[str]) -> pd.DataFrame:
    done_once = threading.Event()
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50) as cluster:

        def kill(done: int, count: int) -> None:
            if done >= count // 2 and not done_once.is_set():
                done_once.set()
                os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

        return assess.fleet(paths, settings=VOLTAGE, execution=assess.Execution(cluster.scheduler_address, on_task=kill))


def _written(folder: Path, code: str) -> Path:
    """Study of a SimBench network on one day of June with its own profiles."""
    new_study(folder, f"simbench:{code}")
    profiles = pd.read_csv(folder / "profiles.csv.gz", parse_dates=["time"])
    profiles[profiles["time"].dt.strftime("%m-%d") == "06-01"].to_csv(folder / "profiles.csv.gz", index=False)
    customers = pd.read_csv(folder / "customers.csv").assign(customer_class="residential", customers=1)
    customers.to_csv(folder / "customers.csv", index=False)
    sources = pd.read_csv(folder / "sources.csv").fillna({"source": "this benchmark", "licence": "CC0-1.0"})
    sources.to_csv(folder / "sources.csv", index=False)
    return folder


def _scaled(source: Path, folder: Path, number: int) -> Path:
    """Copy of a study, the powers scaled by the number, so that no two are the same."""
    shutil.copytree(source, folder)
    profiles = pd.read_csv(folder / "profiles.csv.gz").set_index("time")
    (profiles * (1 + number / 1000)).reset_index().to_csv(folder / "profiles.csv.gz", index=False)
    return folder


if __name__ == "__main__":
    {"bundled": bundled, "fleet": lambda: fleet(*map(int, sys.argv[2:]))}[sys.argv[1]]()
