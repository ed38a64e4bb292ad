"""A case that differs from another one in some steps only: these are simulated, the others are taken over."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TypeVar

import numpy as np
import pandas as pd

from gridplan.applications._case import OperatingCase
from gridplan.powerflow import Profiles

Result = TypeVar("Result")
FEW = 0.7
"""Share of the steps up to which it pays to simulate them alone."""


def few(case: OperatingCase, steps: np.ndarray | None) -> bool:
    """Whether some steps of a case are few enough to be simulated alone; None stands for all of them."""
    return steps is not None and len(steps) <= FEW * len(case.profiles.time)


def part(case: OperatingCase, steps: np.ndarray) -> OperatingCase:
    """Case of some of the steps, put one after another; their times are not those of the case."""
    time, shapes = case.profiles.time, case.profiles.shapes.iloc[steps]
    own = pd.date_range(time[0], periods=len(steps), freq=pd.Timedelta(hours=case.profiles.step_h), name=time.name)
    schedule = {control: table.iloc[steps] for control, table in case.schedule.items()}
    return replace(case, profiles=Profiles(own, shapes.set_axis(own), case.profiles.elements), schedule=schedule)


def table(before: pd.DataFrame, after: pd.DataFrame, steps: np.ndarray) -> pd.DataFrame:
    """Table with one row a step, some of them others."""
    if len(before.dtypes.unique()) > 1:
        kept = np.setdiff1d(np.arange(len(before)), steps)
        both = pd.concat([before.iloc[kept], after.set_axis(before.index[steps])])
        return both.iloc[np.argsort(np.r_[kept, steps])]
    values = before.to_numpy(copy=True)
    values[steps] = after.to_numpy()
    return pd.DataFrame(values, index=before.index, columns=before.columns)


def joined(before: Result, after: Result, steps: np.ndarray, count: int) -> Result:
    """Return a result (a dataclass) in which what there is of each of so many steps comes from another one in some steps.

    Tables have one row a step, arrays one column; everything else is kept.
    """
    own = {}
    for field in fields(before):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if isinstance(old, pd.DataFrame) and len(old) == count:
            own[field.name] = table(old, new, steps)
        elif isinstance(old, np.ndarray) and old.ndim == 2 and old.shape[1] == count:
            own[field.name] = old.copy()
            own[field.name][:, steps] = new
    return replace(before, **own)
