"""The tables of an architecture: checks, the rows in service, and gridplan's own figures."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from gridplan import tables
from gridplan.errors import Problem, StudyError

DMZ = 3.5
CONTROL = 2.0
OPERATIONS = 3.0
ENTERPRISE = 4.0


def bundled(name: str) -> pd.DataFrame:
    """Return one of gridplan's own tables."""
    return tables.bundled("gridplan.architecture", name)


def levels() -> pd.DataFrame:
    """Return the interoperability levels.

    Returns
    -------
    pd.DataFrame
        `level`, `label`, `statement` (gridplan's wording), `gwac` and `sgimm` (the published levels nearest to it [1]_ [2]_),
        `source`, `evidence`.

    References
    ----------
    .. [1] GridWise Architecture Council, GridWise Interoperability Context-Setting Framework, 2008.
    .. [2] PNNL-20965, Smart Grid Interoperability Maturity Model, beta version, December 2011.
    """
    return bundled("interoperability_levels")


def present(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are in service, with their own row labels."""
    return frame[frame["status"] == "present"]


def register(systems: pd.DataFrame, interfaces: pd.DataFrame, standards: pd.DataFrame, *, checked: bool = False) -> pd.DataFrame:
    """Return the register of the interfaces in service, with what the systems and standards say of them.

    Parameters
    ----------
    systems, interfaces, standards
        Tables of a study; only rows with status ``present`` are taken.
    checked
        Whether the tables hold what they must, so that they are not checked again.

    Returns
    -------
    pd.DataFrame
        One row an interface: the columns of `interfaces`; `family` and `standard_status` of its standard;
        `from_level`, `to_level`, `via_level` (Purdue levels; missing without an intermediary), `from_zone`, `to_zone` (security
        zones), `crosses` (whether it crosses a boundary), `level_statement`. The index is the row label in `interfaces`.

    Raises
    ------
    StudyError
        A system on no zone, an interface to an unknown or planned system, an unknown standard, anything else that the tables do
        not allow. Every problem names the row.
    """
    if not checked:
        check(systems, interfaces, standards)
    own = present(interfaces)
    by = systems.set_index("system")
    kinds = standards.set_index("standard")
    found = own.assign(
        family=own["standard"].map(kinds["family"]),
        standard_status=own["standard"].map(kinds["status"]),
        from_level=own["from_system"].map(by["purdue_level"]).astype(float),
        to_level=own["to_system"].map(by["purdue_level"]).astype(float),
        via_level=own["via"].map(by["purdue_level"]).astype(float),
        from_zone=own["from_system"].map(by["security_zone"]),
        to_zone=own["to_system"].map(by["security_zone"]),
        level_statement=own["interoperability"].map(levels().set_index("level")["statement"]),
    )
    return found.assign(crosses=found["from_zone"] != found["to_zone"])


def problems(systems: pd.DataFrame, interfaces: pd.DataFrame) -> list[Problem]:
    """Return what the dictionary cannot say: interfaces in service between systems that are not, and from a system to itself."""
    return list(_absent_ends(systems, interfaces))


def check(systems: pd.DataFrame, interfaces: pd.DataFrame, standards: pd.DataFrame) -> None:
    """Raise a StudyError with every problem of the three tables."""
    given = {"systems": systems.drop(columns="site", errors="ignore"), "interfaces": interfaces, "standards": standards}
    _, found = tables.convert(given)
    if not found:
        found = problems(systems, interfaces)
    if found:
        raise StudyError("architecture", found)


def _absent_ends(systems: pd.DataFrame, interfaces: pd.DataFrame) -> Iterator[Problem]:
    """Yield interfaces in service between systems that are not, and those from a system to itself."""
    there = set(present(systems)["system"])
    for position, row in present(interfaces).iterrows():
        for column in ("from_system", "to_system", "via"):
            if row[column] and row[column] not in there:
                what = f"interface '{row['interface']}' is in service, but system '{row[column]}' is not"
                remedy = "make the interface planned, or the system present"
                yield Problem("interfaces.csv", what, row=int(position) + 2, column=column, remedy=remedy)
        if row["from_system"] == row["to_system"]:
            what = f"interface '{row['interface']}' goes from '{row['from_system']}' to itself"
            yield Problem("interfaces.csv", what, row=int(position) + 2, column="to_system", remedy="name its other end")
