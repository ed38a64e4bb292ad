"""The options of each group, simulated on one case."""

from __future__ import annotations

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.assess._tasks import Task
from gridplan.study import Study


def evaluate(shared: tuple[Study, pandapowerNet], task: Task) -> pd.DataFrame:
    """Evaluate every option of a task: one row an area and option."""
    raise NotImplementedError
