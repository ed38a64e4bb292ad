"""Security rules on zones and conduits: each a small function from the register and the systems to what breaks it.

A rule returns rows with `table`, `label` (row label in it), `item`, `found` and `remedy`; title, severity and source of a rule
stand in ``rules.csv``.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from gridplan.architecture._tables import CONTROL, DMZ, ENTERPRISE, OPERATIONS, bundled, present, register

COLUMNS = ["rule", "title", "severity", "table", "row", "item", "from_system", "to_system", "found", "remedy", "source"]


def rules() -> pd.DataFrame:
    """Return the rules: `rule`, `title`, `severity`, `source`, `evidence`."""
    return bundled("rules")


def violations(
    systems: pd.DataFrame, interfaces: pd.DataFrame, standards: pd.DataFrame, *, year: int, checked: bool = False
) -> pd.DataFrame:
    """Return what breaks the security rules in an architecture.

    Parameters
    ----------
    systems, interfaces, standards
        Tables of a study; only rows with status ``present`` are judged.
    year
        Year in which systems must still be supported.
    checked
        Whether the tables hold what they must, so that they are not checked again.

    Returns
    -------
    pd.DataFrame
        One row a finding: `rule`, `title`, `severity` (error, warning), `table`, `row` (as a spreadsheet shows it), `item` (the
        interface or system), `from_system`, `to_system` (empty for systems), `found`, `remedy`, `source` of the rule. Empty for
        a clean architecture.

    Raises
    ------
    StudyError
        As for :func:`register`.
    """
    flows, own = register(systems, interfaces, standards, checked=checked), present(systems)
    parts = [rule(flows, own, year).assign(rule=name) for name, rule in RULES.items()]
    found = pd.concat([part for part in parts if len(part)] or parts[:1]).merge(rules(), on="rule", how="left")
    found["row"] = found["label"].astype("int64") + 2
    return found[COLUMNS].reset_index(drop=True)


def _of_interfaces(broken: pd.DataFrame, found: str, remedy: str) -> pd.DataFrame:
    """Return findings for interfaces; braces in `found` are filled from the row."""
    words = [found.format(**row) for row in broken.to_dict("records")]
    return pd.DataFrame(
        {
            "table": "interfaces",
            "label": broken.index,
            "item": broken["interface"],
            "from_system": broken["from_system"],
            "to_system": broken["to_system"],
            "found": words,
            "remedy": remedy,
        }
    )


def _spans(flows: pd.DataFrame, low: float, high: float) -> pd.Series:
    """Whether one end is at or below a Purdue level and the other at or above one."""
    ends = flows[["from_level", "to_level"]]
    return (ends.min(axis=1) <= low) & (ends.max(axis=1) >= high)


def enterprise_to_control(flows: pd.DataFrame, _systems: pd.DataFrame, _year: int) -> pd.DataFrame:
    """Allow no direct flow between the enterprise (level 4 and above) and control (level 2 and below)."""
    broken = flows[_spans(flows, CONTROL, ENTERPRISE) & (flows["via_level"] != DMZ)]
    words = "{from_system} (level {from_level:g}) reaches {to_system} (level {to_level:g}) directly"
    return _of_interfaces(broken, words, "lead it through an operations system, and from there through the demilitarised zone")


def ends_in_dmz(flows: pd.DataFrame, _systems: pd.DataFrame, _year: int) -> pd.DataFrame:
    """End every flow between operations and the enterprise in the demilitarised zone; the rule above tells of control."""
    broken = flows[_spans(flows, OPERATIONS, ENTERPRISE) & ~_spans(flows, CONTROL, ENTERPRISE) & (flows["via_level"] != DMZ)]
    words = (
        "{from_system} (level {from_level:g}) and {to_system} (level {to_level:g}) talk without an end in the demilitarised zone"
    )
    return _of_interfaces(broken, words, "end it at a broker or replica in the demilitarised zone (column 'via')")


def legacy_stays_inside(flows: pd.DataFrame, _systems: pd.DataFrame, _year: int) -> pd.DataFrame:
    """Keep a legacy protocol inside its zone or in a protected tunnel."""
    broken = flows[(flows["standard_status"] == "legacy") & flows["crosses"] & ~flows["tunnel"].astype(bool)]
    words = "{standard} crosses from zone '{from_zone}' to '{to_zone}' without a tunnel"
    return _of_interfaces(broken, words, "put it in a TLS or IPsec tunnel, or change to the secured successor")


def authenticated_at_boundary(flows: pd.DataFrame, _systems: pd.DataFrame, _year: int) -> pd.DataFrame:
    """Authenticate both ends where a zone boundary is crossed."""
    broken = flows[flows["crosses"] & (flows["authentication"] == "none")]
    words = "nothing proves who sends from zone '{from_zone}' to '{to_zone}'"
    return _of_interfaces(broken, words, "authenticate both ends: certificates, or the secure authentication of the standard")


def encrypted_at_boundary(flows: pd.DataFrame, _systems: pd.DataFrame, _year: int) -> pd.DataFrame:
    """Encrypt data where a zone boundary is crossed, by the protocol or by a tunnel."""
    broken = flows[flows["crosses"] & ~flows["encryption"].astype(bool) & ~flows["tunnel"].astype(bool)]
    words = "data cross from zone '{from_zone}' to '{to_zone}' in clear"
    return _of_interfaces(broken, words, "encrypt the protocol (IEC 62351, TLS) or put it in a tunnel")


def remote_access(flows: pd.DataFrame, _systems: pd.DataFrame, _year: int) -> pd.DataFrame:
    """End remote access in the demilitarised zone, with more than one factor."""
    ends = (flows["to_level"] == DMZ) | (flows["from_level"] == DMZ) | (flows["via_level"] == DMZ)
    strong = flows["authentication"] == "multi-factor"
    broken = flows[flows["remote_access"].astype(bool) & ~(ends & strong)]
    words = "people reach {to_system} from {from_system} with authentication '{authentication}'"
    return _of_interfaces(broken, words, "end it at a jump host in the demilitarised zone, with more than one factor")


def supported(_flows: pd.DataFrame, systems: pd.DataFrame, year: int) -> pd.DataFrame:
    """Keep only systems in service that still get security updates."""
    until = pd.to_numeric(systems["support_until"], errors="coerce")
    broken = systems[until < year]
    words = [f"security updates ended with {value:.0f}; the year is {year}" for value in until[broken.index]]
    return pd.DataFrame(
        {
            "table": "systems",
            "label": broken.index,
            "item": broken["system"],
            "from_system": "",
            "to_system": "",
            "found": words,
            "remedy": "replace it, or isolate it in a zone of its own until it is replaced",
        }
    )


RULES: dict[str, Callable[[pd.DataFrame, pd.DataFrame, int], pd.DataFrame]] = {
    rule.__name__: rule
    for rule in (
        enterprise_to_control,
        ends_in_dmz,
        legacy_stays_inside,
        authenticated_at_boundary,
        encrypted_at_boundary,
        remote_access,
        supported,
    )
}
