"""Processes of this machine: what they are told, and what is said when none starts."""

import os
import subprocess
import sys

import pytest

from gridplan import workers

SCRIPT = """
from gridplan import workers
with workers.cluster(1, 1):
    pass
"""


def test_a_script_without_a_guard_is_told_what_to_do(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "no process starts" in done.stderr
    assert "if __name__ == '__main__'" in done.stderr.splitlines()[-1]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_workers_have_one_thread_for_linear_algebra_and_this_process_keeps_its_own():
    from distributed import Client

    before = dict(os.environ)
    with workers.cluster(1, 3) as cluster, Client(cluster, set_as_default=False) as client:
        assert len(client.scheduler_info()["workers"]) == 1
        assert client.submit(os.environ.get, "OPENBLAS_NUM_THREADS").result() == "1"
        assert client.submit(lambda: "gridplan.assess" in sys.modules).result() == (workers.warm() == "forkserver")
    assert dict(os.environ) == before
