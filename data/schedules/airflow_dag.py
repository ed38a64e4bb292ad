"""Reports of gridplan as an Airflow DAG (Airflow 3): put this file into the folder of DAGs and change the two paths.

Airflow and gridplan stay apart: the task calls the command in gridplan's own environment and reads its exit code.
"""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta

from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk import dag, task

GRIDPLAN = "/srv/gridplan/.venv/bin/gridplan"
RUNS = "/srv/gridplan/runs.toml"
NOT_STARTED, BUSY = 1, 3


@dag(
    schedule="0 5 1 * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(minutes=30), "execution_timeout": timedelta(hours=6)},
)
def gridplan_reports():
    """Make the reports of the month."""

    @task
    def batch() -> None:
        done = subprocess.run([GRIDPLAN, "batch", RUNS], check=False, stderr=subprocess.PIPE, text=True)
        print(done.stderr)
        if done.returncode == BUSY:
            raise AirflowSkipException("another batch runs in the same folder")
        if done.returncode == NOT_STARTED:  # trying again would change nothing
            raise AirflowFailException("runs.toml or the folder of the reports is not fit")
        if done.returncode:
            raise AirflowException(f"at least one run is not complete (exit code {done.returncode})")

    batch()


gridplan_reports()
