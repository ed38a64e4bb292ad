"""The network of a study, and whether the tables of the study fit it."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import Problem, StudyError, suggest
from gridplan.network.diagnosis import check
from gridplan.network.sources import open as open_network
from gridplan.study import Study

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
        The network.

    Raises
    ------
    NetworkError
        The network cannot be opened, or is not fit for a power flow.
    StudyError
        A table names a bus or an element that the network does not have.
    """
    net = open_network(study.network)
    check(net)
    problems = [*_unknown_buses(study, net), *_unknown_elements(study, net)]
    if problems:
        raise StudyError(f"study {study.name}", problems)
    return net


def _unknown_buses(study: Study, net: pandapowerNet) -> Iterator[Problem]:
    for table, column in BUS_COLUMNS.items():
        if table in study.tables:
            yield from _unknown(table, column, study.tables[table][column], net, "bus")


def _unknown_elements(study: Study, net: pandapowerNet) -> Iterator[Problem]:
    table = study.tables.get("assignments")
    if table is None:
        return
    for element in ELEMENTS:
        yield from _unknown(
            "assignments", "element_id", table.loc[table.element == element, "element_id"], net, element, table.index
        )


def _unknown(
    table: str, column: str, values: pd.Series, net: pandapowerNet, element: str, rows: pd.Index | None = None
) -> Iterator[Problem]:
    """Yield a problem for every value that is no number of an element; rows are counted as a spreadsheet does."""
    index = values.index if rows is None else rows
    known = net[element].index
    for label, value in values[~values.isin(known)].items():
        row = int(index.get_loc(label)) + 2
        what = f"the network has no {element} {value}"
        yield Problem(table, what, row=row, column=column, remedy=suggest(str(value), map(str, known)))
