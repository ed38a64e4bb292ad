"""The network of a study, and whether the tables of the study fit it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import NetworkError, Problem, StudyError, suggest
from gridplan.network.diagnosis import check, unrated
from gridplan.network.sources import open as open_network
from gridplan.study import Study, place

#: Columns of study tables that hold a bus of the network.
BUS_COLUMNS = {"customers": "bus", "areas": "bus"}
ELEMENTS = ("load", "sgen", "storage")


def load(study: Study) -> pandapowerNet:
    """Open the network of a study, judge it, and check that the tables of the study fit it.

    Parameters
    ----------
    study
        Study; its `network` is opened with :func:`open`.

    Returns
    -------
    pandapowerNet
        The network; a line whose rating is a placeholder (:func:`unrated`) has none.

    Raises
    ------
    NetworkError
        The network cannot be opened, or is not fit for a power flow.
    StudyError
        A table names a bus or an element that the network does not have; what is wrong with the network is listed too.
    """
    net = open_network(study.network)
    unknown = [*_unknown_buses(study, net), *_unknown_elements(study, net)]
    try:
        check(net)
    except NetworkError as unfit:
        faults = [_in_file(study, problem) for problem in unfit.problems]
        if not unknown:
            raise NetworkError(unfit.subject, faults) from unfit
        unknown = [*faults, *unknown]
    if unknown:
        raise StudyError(f"study {study.name}", unknown)
    return _without_placeholders(net)


def _without_placeholders(net: pandapowerNet) -> pandapowerNet:
    """Take away ratings of lines that stand for "not known", so that no loading is judged by them."""
    missing = unrated(net)
    net.line.loc[missing.loc[missing["element"] == "line", "element_id"], "max_i_ka"] = np.nan
    return net


def unassigned(study: Study, net: pandapowerNet) -> pd.DataFrame:
    """Count the elements that no profile moves: their power is the same in every step.

    Parameters
    ----------
    study
        Study; all elements count if it has no table `assignments`.
    net
        Its network; not changed.

    Returns
    -------
    pd.DataFrame
        Columns `element` (``load``, ``sgen``, ``storage``; ``gen``, which profiles do not reach, always counts), `elements` [1],
        the number of elements in service without an assignment, and `p_mw`, their power [MW]. Tables without any are left out.
    """
    table = study.tables.get("assignments", pd.DataFrame(columns=["element", "element_id"]))
    rows = []
    for element in (*ELEMENTS, "gen"):
        frame = net[element]
        constant = frame[frame.in_service.astype(bool) & ~frame.index.isin(table.loc[table.element == element, "element_id"])]
        power = constant.p_mw * constant.get("scaling", 1.0)
        rows += [(element, len(constant), float(power.sum()))] if len(constant) else []
    return pd.DataFrame(rows, columns=["element", "elements", "p_mw"])


def _in_file(study: Study, problem: Problem) -> Problem:
    """Put the network's file name, or the name in its collection, before the element that is at fault."""
    source = Path(study.network).name if Path(study.network).is_absolute() else study.network
    return dataclasses.replace(problem, where=f"{source}, {problem.where}")


def _unknown_buses(study: Study, net: pandapowerNet) -> Iterator[Problem]:
    for table, column in BUS_COLUMNS.items():
        if table in study.tables:
            yield from _unknown(place(study, table), column, study.tables[table][column], net, "bus")


def _unknown_elements(study: Study, net: pandapowerNet) -> Iterator[Problem]:
    table = study.tables.get("assignments")
    if table is None:
        return
    for element in ELEMENTS:
        yield from _unknown(
            place(study, "assignments"),
            "element_id",
            table.loc[table.element == element, "element_id"],
            net,
            element,
            table.index,
        )


def _unknown(
    where: str, column: str, values: pd.Series, net: pandapowerNet, element: str, rows: pd.Index | None = None
) -> Iterator[Problem]:
    """Yield a problem for every value that is no number of an element; rows are counted as a spreadsheet does."""
    index = values.index if rows is None else rows
    known = net[element].index
    for label, value in values[~values.isin(known)].items():
        row = int(index.get_loc(label)) + 2
        what = f"the network has no {element} {value}"
        yield Problem(where, what, row=row, column=column, remedy=suggest(str(value), map(str, known)))
