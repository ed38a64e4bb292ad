"""The network of a study, and whether the tables of the study fit it."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import NetworkError, Problem, StudyError, suggest
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
        A table names a bus or an element that the network does not have; what is wrong with the network is listed too.
    """
    net = open_network(study.network)
    unknown = [*_unknown_buses(study, net), *_unknown_elements(study, net)]
    try:
        check(net)
    except NetworkError as unfit:
        if not unknown:
            raise
        unknown = [*unfit.problems, *unknown]
    if unknown:
        raise StudyError(f"study {study.name}", unknown)
    return net


def _file(study: Study, table: str) -> str:
    """Name the file that holds a table, or the sheet of a workbook."""
    names = [file.name for file in study.files if file.name.split(".")[0] == table]
    return names[0] if names else f"{study.path.name}, sheet '{table}'"


def _unknown_buses(study: Study, net: pandapowerNet) -> Iterator[Problem]:
    for table, column in BUS_COLUMNS.items():
        if table in study.tables:
            yield from _unknown(_file(study, table), column, study.tables[table][column], net, "bus")


def _unknown_elements(study: Study, net: pandapowerNet) -> Iterator[Problem]:
    table = study.tables.get("assignments")
    if table is None:
        return
    for element in ELEMENTS:
        yield from _unknown(
            _file(study, "assignments"),
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
