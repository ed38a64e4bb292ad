"""From the tables of a study to time series per element."""

from __future__ import annotations

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import Problem, StudyError, suggest
from gridplan.powerflow import Profiles
from gridplan.study import Study


def profiles(study: Study, net: pandapowerNet) -> Profiles:
    """Time series of the base year, from the tables ``assignments`` and ``profiles``.

    An element follows its profile as a share of the power it has in the network. A profile without a column ``<name>_q``
    drives the reactive power with the shape of the active power, that is, at a constant power factor.

    Parameters
    ----------
    study
        With the tables ``assignments`` (element, element_id, profile) and ``profiles`` (time, ``<name>_p``, ``<name>_q``).
    net
        Network of the study; not changed.

    Raises
    ------
    StudyError
        An assignment names a profile that does not exist, or an element that is not in the network; every such row is listed.
    ParameterError
        The profiles have gaps or missing values.
    """
    assigned, table = study.table("assignments"), study.table("profiles")
    names = [column.removesuffix("_p") for column in table.columns if column.endswith("_p")]
    problems = [*_unknown_profiles(assigned, names), *_unknown_elements(assigned, net)]
    if problems:
        raise StudyError(f"study {study.name}", problems)
    active = assigned["profile"] + "_p"
    reactive = (assigned["profile"] + "_q").where((assigned["profile"] + "_q").isin(table.columns), active)
    elements = assigned[["element", "element_id"]].assign(shape_p=active, shape_q=reactive)
    used = [column for column in table.columns if column in {*active, *reactive}]
    time = pd.DatetimeIndex(table["time"], name="time")
    return Profiles(time=time, shapes=table[used].set_axis(time, axis=0), elements=elements)


def _unknown_profiles(assigned: pd.DataFrame, names: list[str]) -> list[Problem]:
    unknown = assigned["profile"][~assigned["profile"].isin(names)]
    return [
        Problem("assignments", f"'{name}' is no profile; {suggest(name, names)}", row=row + 2, column="profile")
        for row, name in zip(assigned.index.get_indexer(unknown.index), unknown, strict=True)
    ]


def _unknown_elements(assigned: pd.DataFrame, net: pandapowerNet) -> list[Problem]:
    return [
        Problem("assignments", f"{element} {number} is not in the network", row=row + 2, column="element_id")
        for row, (element, number) in enumerate(zip(assigned["element"], assigned["element_id"], strict=True))
        if element not in net or number not in net[element].index
    ]
