"""Judge whether a network is fit for a power flow, and whether its results can be trusted.

Each check is a small function that yields findings; `CHECKS` is the list of them. ``error`` means that a power flow is
impossible or its results are wrong, ``warning`` that some results are missing or doubtful, ``info`` that a reader should know.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import networkx as nx
import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import NetworkError, Problem
from gridplan.network.inventory import display_name
from gridplan.network.places import coordinates
from gridplan.network.topology import ENDS, SWITCH_LETTER, graph, source_buses, supplied

SEVERITIES = ("error", "warning", "info")
COLUMNS = ["severity", "check", "element", "element_id", "found", "remedy"]

#: Tables of elements that stand at one bus.
AT_BUS = ("load", "sgen", "gen", "storage", "shunt", "ext_grid", "ward", "xward", "motor", "asymmetric_load", "asymmetric_sgen")
#: Columns without which a power flow is not defined.
ESSENTIAL = {
    "load": ("p_mw", "q_mvar", "scaling"),
    "sgen": ("p_mw", "q_mvar", "scaling"),
    "storage": ("p_mw", "q_mvar", "scaling"),
    "gen": ("p_mw", "vm_pu"),
    "shunt": ("p_mw", "q_mvar", "vn_kv", "step"),
    "ext_grid": ("vm_pu", "va_degree"),
    "line": ("length_km", "r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "parallel"),
    "impedance": ("rft_pu", "xft_pu", "rtf_pu", "xtf_pu", "sn_mva"),
    "trafo": ("sn_mva", "vn_hv_kv", "vn_lv_kv", "vk_percent", "vkr_percent", "pfe_kw", "i0_percent", "shift_degree", "parallel"),
    "trafo3w": (
        "sn_hv_mva",
        "sn_mv_mva",
        "sn_lv_mva",
        "vn_hv_kv",
        "vn_mv_kv",
        "vn_lv_kv",
        "vk_hv_percent",
        "vk_mv_percent",
        "vk_lv_percent",
    ),
}
TAP_COLUMNS = ("tap_pos", "tap_neutral", "tap_min", "tap_max", "tap_step_percent")
#: Columns that the checks take as numbers.
NUMERIC = {
    **ESSENTIAL,
    "bus": ("vn_kv",),
    "line": (*ESSENTIAL["line"], "max_i_ka"),
    "trafo": (*ESSENTIAL["trafo"], *TAP_COLUMNS),
    "trafo3w": (*ESSENTIAL["trafo3w"], "vkr_hv_percent", "vkr_mv_percent", "vkr_lv_percent", *TAP_COLUMNS),
}
#: Line impedance [ohm] below which a line is a switch in disguise. Newton-Raphson then stops short of its tolerance.
TINY_OHM = 1e-6
#: Ratings from here on [kA, MVA] are placeholders for "not known".
PLACEHOLDER = 9999.0
#: Columns that hold ratings.
RATINGS = {"line": ("max_i_ka",), "trafo": ("sn_mva",), "trafo3w": ("sn_hv_mva", "sn_mv_mva", "sn_lv_mva")}
#: Rated voltages of a transformer may differ from those of its buses by this share (taps, old nominal voltages).
VOLTAGE_SHARE = 0.15


class Finding(NamedTuple):
    """One thing to know about one element; the columns of the result."""

    severity: str
    check: str
    element: str
    element_id: int | None
    found: str
    remedy: str


def diagnose(net: pandapowerNet) -> pd.DataFrame:
    """Judge a network before it is used.

    Parameters
    ----------
    net
        Network; not changed, and not solved.

    Returns
    -------
    pd.DataFrame
        One row per finding, worst first: `severity` (``error``, ``warning``, ``info``), `check`, `element` (table),
        `element_id` (its number; missing where the finding is about the whole network), `found`, `remedy`.
    """
    findings = [finding for check_part in STRUCTURE for finding in check_part(net)]
    # The other checks follow references; where these dangle they have no meaning.
    if not findings:
        findings += missing_values(net)
        clean = _numbers(net)
        findings += [finding for check_part in CHECKS for finding in check_part(clean)]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return pd.DataFrame(findings, columns=COLUMNS).astype({"element_id": "Int64"})


def check(net: pandapowerNet) -> None:
    """Raise if a network is not fit for a power flow.

    Parameters
    ----------
    net
        Network.

    Raises
    ------
    NetworkError
        With every finding of severity ``error``.
    """
    found = diagnose(net)
    errors = found[found.severity == "error"]
    if len(errors):
        raise NetworkError(f"network {net.get('name') or ''}".strip(), [_problem(net, row) for row in errors.itertuples()])


def unrated(net: pandapowerNet) -> pd.DataFrame:
    """List the lines and transformers whose loading cannot be judged.

    Parameters
    ----------
    net
        Network; not changed.

    Returns
    -------
    pd.DataFrame
        Columns `element` (``line``, ``trafo``, ``trafo3w``) and `element_id`: one row per element in service whose rating is
        empty or a placeholder, from 9999 [kA, MVA] on.
    """
    rows = []
    for table, columns in RATINGS.items():
        frame = _active(net, table)
        values = frame.reindex(columns=list(columns)).apply(pd.to_numeric, errors="coerce")
        rows += [(table, int(number)) for number in frame.index[~(values < PLACEHOLDER).all(axis=1)]]
    return pd.DataFrame(rows, columns=["element", "element_id"])


def _problem(net: pandapowerNet, row: Finding) -> Problem:
    where = row.element if pd.isna(row.element_id) else display_name(net, row.element, int(row.element_id))
    return Problem(where, row.found, remedy=row.remedy)


def _active(net: pandapowerNet, table: str) -> pd.DataFrame:
    """Rows of a table that are in service."""
    frame = net.get(table)
    if not isinstance(frame, pd.DataFrame) or not len(frame):
        return pd.DataFrame()
    return frame[frame.in_service.astype(bool)]


def _numbers(net: pandapowerNet) -> pandapowerNet:
    """Copy a network with numbers where numbers must be; what is none becomes NaN, which `missing_values` has reported."""
    result = copy.copy(net)
    for table, columns in NUMERIC.items():
        if isinstance(net.get(table), pd.DataFrame):
            present = [c for c in columns if c in net[table]]
            result[table] = net[table].assign(**{c: pd.to_numeric(net[table][c], errors="coerce").astype(float) for c in present})
    return result


def _each(severity: str, name: str, table: str, rows: pd.Series, say: Callable[[object], str], remedy: str) -> Iterator[Finding]:
    """One finding per row of a series (index: element, value: what `say` turns into words)."""
    for element, value in rows.items():
        yield Finding(severity, name, table, int(element), say(value), remedy)


# ---- references: what is named exists ----


def dangling_buses(net: pandapowerNet) -> Iterator[Finding]:
    """Elements at buses that do not exist."""
    ends = {**dict.fromkeys(AT_BUS, ("bus",)), **ENDS}
    for table, columns in ends.items():
        frame = net.get(table)
        for column in columns if isinstance(frame, pd.DataFrame) and len(frame) else ():
            bad = frame.loc[~frame[column].isin(net.bus.index), column]
            remedy = "give a number of the bus table, or remove the element"
            yield from _each(
                "error", "dangling bus", table, bad, lambda bus, c=column: f"{c} is {bus}, and there is no such bus", remedy
            )


def dangling_switches(net: pandapowerNet) -> Iterator[Finding]:
    """Switches at buses or elements that do not exist, or at a bus where their element does not end."""
    remedy = "mend the switch's bus, element or kind (et), or remove it"
    tables = {"b": "bus", **{letter: table for table, letter in SWITCH_LETTER.items()}}
    for number, bus, element, kind in net.switch[["bus", "element", "et"]].itertuples(name=None):
        table = tables.get(kind)
        if table is None:
            found = f"kind '{kind}' is unknown; allowed: {', '.join(tables)}"
        elif bus not in net.bus.index:
            found = f"stands at bus {bus}, which does not exist"
        elif element not in net[table].index:
            found = f"belongs to {table} {element}, which does not exist"
        elif table != "bus" and bus not in net[table].loc[element, list(ENDS[table])].to_numpy():
            found = f"stands at bus {bus}, where {table} {element} does not end"
        else:
            continue
        yield Finding("error", "dangling switch", "switch", int(number), found, remedy)


def repeated_numbers(net: pandapowerNet) -> Iterator[Finding]:
    """Element numbers that stand twice in a table."""
    for table in ("bus", "switch", *AT_BUS, *ENDS):
        frame = net.get(table)
        if isinstance(frame, pd.DataFrame):
            for number in frame.index[frame.index.duplicated()].unique():
                yield Finding(
                    "error", "repeated number", table, int(number), "the number stands more than once", "number the rows anew"
                )


def absent_states(net: pandapowerNet) -> Iterator[Finding]:
    """Elements of which it is not said whether they are in service, switches without a state."""
    for table in ("bus", *AT_BUS, *ENDS):
        frame = net.get(table)
        if isinstance(frame, pd.DataFrame) and len(frame):
            bad = frame.loc[frame.in_service.isna(), "in_service"]
            yield from _each("error", "no state", table, bad, lambda _: "in_service is empty", "give True or False")
    bad = net.switch.loc[net.switch.closed.isna(), "closed"]
    yield from _each("error", "no state", "switch", bad, lambda _: "closed is empty", "give True or False")


# ---- sources and supply ----


def external_grids(net: pandapowerNet) -> Iterator[Finding]:
    """No source at all, or two at one bus."""
    if not source_buses(net):
        yield Finding(
            "error", "no source", "ext_grid", None, "no external grid in service at a bus in service", "add one at the supply bus"
        )
    active = _active(net, "ext_grid")
    if len(active):
        bad = active.loc[active.bus.duplicated(), "bus"]
        remedy = "keep one; if there are two infeeds, give them buses of their own"
        yield from _each("error", "duplicate source", "ext_grid", bad, lambda bus: f"bus {bus} has another external grid", remedy)


def islands(net: pandapowerNet) -> Iterator[Finding]:
    """Buses in service without a path to a source."""
    if not source_buses(net):
        return
    connected = graph(net)
    parts = nx.connected_components(connected.subgraph(set(connected) - set(supplied(net))))
    for part in sorted(parts, key=min):
        first = min(part)
        size = (
            f"{len(part)} bus{'es' if len(part) > 1 else ''} without supply: "
            + ", ".join(map(str, sorted(part)[:8]))
            + (", ..." if len(part) > 8 else "")
        )
        remedy = "close a switch or add the missing line; set the buses out of service if that is meant"
        yield Finding("error", "island", "bus", first, size, remedy)


def dead_loads(net: pandapowerNet) -> Iterator[Finding]:
    """Elements in service at buses out of service: their power is silently left out."""
    dead = net.bus.index[~net.bus.in_service.astype(bool)]
    for table in AT_BUS:
        frame = _active(net, table)
        if len(frame):
            bad = frame.loc[frame.bus.isin(dead), "bus"]
            severity = "error" if table in {"load", "asymmetric_load", "ext_grid"} else "warning"
            remedy = "put the bus in service, move the element, or set it out of service too"
            yield from _each(
                severity, "dead bus", table, bad, lambda bus: f"in service at bus {bus}, which is out of service", remedy
            )


def meshes(net: pandapowerNet) -> Iterator[Finding]:
    """Find closed loops: normal in some networks, an open point forgotten in others."""
    connected = graph(net)
    connected.remove_edges_from([(u, v, key) for u, v, key in connected.edges(keys=True) if key[0] in {"trafo", "trafo3w"}])
    loops = connected.number_of_edges() - connected.number_of_nodes() + nx.number_connected_components(connected)
    if loops > 0:
        found = f"{loops} closed loop{'s' if loops > 1 else ''} of lines and switches in the normal state"
        yield Finding(
            "info",
            "meshed operation",
            "line",
            None,
            found,
            "if the network is run radially, open the switches at its open points",
        )


# ---- voltage levels ----


def voltage_levels(net: pandapowerNet) -> Iterator[Finding]:
    """Buses without a voltage level."""
    bad = net.bus.loc[~(net.bus.vn_kv > 0), "vn_kv"]
    yield from _each(
        "error", "voltage level", "bus", bad, lambda kv: f"vn_kv is {kv:g}", "give the nominal voltage in kV, above 0"
    )


def line_voltages(net: pandapowerNet) -> Iterator[Finding]:
    """Lines and bus-bus switches between buses of different voltage levels."""
    kv = net.bus.vn_kv
    closed = net.switch[(net.switch.et == "b") & net.switch.closed.astype(bool)]
    couplers = closed.rename(columns={"bus": "from_bus", "element": "to_bus"})
    for table, frame in (("line", _active(net, "line")), ("switch", couplers)):
        for number, start, end in frame[["from_bus", "to_bus"]].itertuples(name=None) if len(frame) else ():
            if not np.isclose(kv.loc[start], kv.loc[end], rtol=1e-3):
                found = f"joins bus {start} at {kv.loc[start]:g} kV and bus {end} at {kv.loc[end]:g} kV"
                yield Finding(
                    "error",
                    "voltage level",
                    table,
                    int(number),
                    found,
                    "mend the buses' vn_kv, or put a transformer between them",
                )


def transformer_voltages(net: pandapowerNet) -> Iterator[Finding]:
    """Rated voltages of transformers far from the levels of their buses; sides exchanged."""
    for table, sides in (("trafo", ("hv", "lv")), ("trafo3w", ("hv", "mv", "lv"))):
        frame = _active(net, table)
        for side in sides if len(frame) else ():
            rated, level = frame[f"vn_{side}_kv"], frame[f"{side}_bus"].map(net.bus.vn_kv)
            far = (rated / level - 1).abs() > VOLTAGE_SHARE
            for number in frame.index[far & (level > 0)]:
                found = f"vn_{side}_kv is {rated.loc[number]:g} at a bus of {level.loc[number]:g} kV"
                remedy = f"mend vn_{side}_kv, the bus's vn_kv, or exchange the sides"
                yield Finding("error", "voltage level", table, int(number), found, remedy)


# ---- values ----


def missing_values(net: pandapowerNet) -> Iterator[Finding]:
    """Empty or infinite values without which a power flow is not defined."""
    for table, columns in ESSENTIAL.items():
        frame = _active(net, table)
        for column in columns if len(frame) else ():
            if column in frame:
                values = pd.to_numeric(frame[column], errors="coerce").astype(float)
                bad = frame.loc[~np.isfinite(values), column]
                remedy = f"give a number for {column}"
                yield from _each("error", "missing value", table, bad, lambda value, c=column: f"{c} is {value}", remedy)
            else:
                yield Finding("error", "missing value", table, None, f"the table has no column {column}", f"add {column}")


def line_lengths(net: pandapowerNet) -> Iterator[Finding]:
    """Negative lengths and lengths of zero."""
    length = _active(net, "line").get("length_km", pd.Series(dtype=float))
    remedy = "give the length in km; for a connection without length use a switch between the buses"
    yield from _each("error", "line length", "line", length[length <= 0], lambda km: f"length_km is {km:g}, not above 0", remedy)


def placeholder_lengths(net: pandapowerNet) -> Iterator[Finding]:
    """Lengths that were not known when the network was made: all of them 1 km."""
    lines = _active(net, "line")
    if len(lines) >= 3 and (lines.length_km == 1.0).all():
        found = f"all {len(lines)} lines have the same length_km of 1: placeholder lengths"
        yield Finding("warning", "line length", "line", None, found, "give the lengths, else costs by length are wrong")


def line_impedances(net: pandapowerNet) -> Iterator[Finding]:
    """Negative resistances, impedances of zero and next to zero."""
    lines = _active(net, "line")
    if not len(lines):
        return
    parallel = lines.parallel.where(lines.parallel > 0)
    ohm = np.hypot(lines.r_ohm_per_km, lines.x_ohm_per_km) * lines.length_km / parallel
    switch = "use a switch between the buses, or give the impedance"
    yield from _each("error", "zero impedance", "line", ohm[ohm == 0], lambda _: "its impedance is 0 ohm", switch)
    tiny = ohm[(ohm > 0) & (ohm < TINY_OHM)]
    yield from _each(
        "warning", "tiny impedance", "line", tiny, lambda z: f"its impedance is {z:.1e} ohm, too small to converge well", switch
    )
    for column in ("r_ohm_per_km", "c_nf_per_km"):
        bad = lines.loc[lines[column] < 0, column]
        remedy = f"give {column} of 0 or more, unless the line stands for an equivalent network"
        yield from _each("warning", "negative value", "line", bad, lambda v, c=column: f"{c} is {v:g}", remedy)
    bad = lines.loc[lines.parallel < 1, "parallel"]
    yield from _each(
        "error", "negative value", "line", bad, lambda v: f"parallel is {v:g}", "give the number of parallel systems, 1 or more"
    )


def transformer_impedances(net: pandapowerNet) -> Iterator[Finding]:
    """Short-circuit voltages of zero, or smaller than their resistive part; ratings not above zero."""
    for table, sides in {"trafo": ("",), "trafo3w": ("_hv", "_mv", "_lv")}.items():
        frame = _active(net, table)
        for side in sides if len(frame) else ():
            vk, vkr = frame[f"vk{side}_percent"], frame[f"vkr{side}_percent"]
            say = f"vk{side}_percent"
            remedy = f"give {say} from the rating plate, in percent"
            yield from _each("error", "zero impedance", table, vk[vk == 0], lambda _, s=say: f"{s} is 0", remedy)
            low = vk[(vk != 0) & (vkr.abs() > vk.abs() * (1 + 1e-9))]
            yield from _each(
                "error", "impedance", table, low, lambda v, s=say: f"{s} of {v:g} is below its resistive part", remedy
            )
            power = frame[f"sn{side}_mva"]
            bad = power[power <= 0]
            yield from _each(
                "error", "rating", table, bad, lambda v, s=side: f"sn{s}_mva is {v:g}, not above 0", "give the rated power in MVA"
            )


def ratings(net: pandapowerNet) -> Iterator[Finding]:
    """Lines and transformers whose loading cannot be judged."""
    for table, column in ((table, column) for table, columns in RATINGS.items() for column in columns):
        frame, unit = _active(net, table), "kA" if table == "line" else "MVA"
        values = frame.get(column, pd.Series(np.nan, index=frame.index))
        remedy = f"give {column} in {unit}, else loading is not judged"
        placeholder = values[values >= PLACEHOLDER]
        yield from _each("warning", "rating", table, placeholder, lambda v, c=column: f"{c} is {v:g}, a placeholder", remedy)
        if table == "line":
            yield from _each("warning", "rating", table, values[values.isna()], lambda _: "max_i_ka is empty", remedy)
            yield from _each("error", "rating", table, values[values <= 0], lambda v: f"max_i_ka is {v:g}, not above 0", remedy)


def negative_powers(net: pandapowerNet) -> Iterator[Finding]:
    """Find loads that feed in: allowed, but often a sign error."""
    loads = _active(net, "load")
    if len(loads):
        bad = loads.loc[loads.p_mw * loads.scaling < 0, "p_mw"]
        remedy = "if it is generation, use a static generator; if it is meant, leave it"
        yield from _each("info", "negative load", "load", bad, lambda mw: f"p_mw is {mw:g}: it feeds in", remedy)


# ---- taps and switches ----


def taps(net: pandapowerNet) -> Iterator[Finding]:
    """Tap positions that are empty, fractional or out of range, and tap changers that are silently ignored."""
    for table in ("trafo", "trafo3w"):
        frame = _active(net, table)
        if not len(frame) or "tap_pos" not in frame:
            continue
        for row in frame.itertuples():
            yield from _tap(table, row, [c for c in TAP_COLUMNS if c in frame])


def _tap(table: str, row: object, columns: list[str]) -> Iterator[Finding]:
    """Judge one tap changer; a transformer with neither position nor neutral position has none."""
    position = row.tap_pos
    neutral, low, high, step = (
        getattr(row, c) if c in columns else np.nan for c in ("tap_neutral", "tap_min", "tap_max", "tap_step_percent")
    )
    say = f"tap_pos is {position:g}"
    if pd.isna(position):
        if pd.notna(neutral):
            yield Finding(
                "error",
                "tap",
                table,
                int(row.Index),
                "tap_pos is empty, tap_neutral is not",
                f"give tap_pos, such as {neutral:g}",
            )
        return
    if (pd.notna(low) and position < low) or (pd.notna(high) and position > high):
        found = f"{say}, outside {low:g} to {high:g}"
        yield Finding("error", "tap", table, int(row.Index), found, "mend tap_pos, tap_min or tap_max")
    if position != round(position):
        yield Finding("warning", "tap", table, int(row.Index), f"{say}, not a whole step", "give a whole step")
    if pd.notna(neutral) and position != neutral and pd.notna(step) and step != 0:
        kind = getattr(row, "tap_changer_type", None)
        if pd.isna(kind) or str(kind) in {"", "None"}:
            found = f"{say} and neutral is {neutral:g}, but tap_changer_type is empty: the tap is ignored"
            yield Finding(
                "error", "tap", table, int(row.Index), found, "set tap_changer_type to 'Ratio' (or 'Ideal', 'Symmetrical')"
            )


def duplicate_switches(net: pandapowerNet) -> Iterator[Finding]:
    """Two switches at the same end of an element."""
    switches = net.switch[net.switch.et != "b"]
    same = ["et", "element", "bus"]
    tables = {letter: table for table, letter in SWITCH_LETTER.items()}
    for row in switches[switches.duplicated(same)].itertuples():
        twins = switches[(switches[same] == [row.et, row.element, row.bus]).all(axis=1)]
        contrary = " (one open, one closed)" if twins.closed.any() and not twins.closed.all() else ""
        found = f"another switch stands at {tables[row.et]} {row.element}, bus {row.bus}{contrary}"
        yield Finding("error", "duplicate switch", "switch", int(row.Index), found, "keep one of them")
    couplers = net.switch[net.switch.et == "b"]
    ends = pd.DataFrame({"low": couplers[["bus", "element"]].min(axis=1), "high": couplers[["bus", "element"]].max(axis=1)})
    for number in ends.index[ends.duplicated()]:
        found = f"another switch joins buses {ends.low.loc[number]} and {ends.high.loc[number]}"
        yield Finding("info", "parallel switch", "switch", int(number), found, "keep one, unless both exist")


# ---- things a reader should know ----


def positions(net: pandapowerNet) -> Iterator[Finding]:
    """Buses without coordinates."""
    missing = len(net.bus) - len(coordinates(net))
    if missing:
        found = f"{missing} of {len(net.bus)} buses have no coordinates"
        yield Finding("warning", "coordinates", "bus", None, found, "give bus.geo, else the map is a schematic")


def repeated_names(net: pandapowerNet) -> Iterator[Finding]:
    """Names that several elements of a table share."""
    for table in ("bus", "line", "trafo", "load"):
        names = net[table].get("name", pd.Series(dtype=object)).dropna().astype(str)
        names = names[names.str.strip() != ""]
        counts = names[names.duplicated(keep=False)].groupby(names, sort=True)
        for name, rows in counts:
            found = f"{len(rows)} elements are called '{name}'"
            yield Finding(
                "info", "repeated name", table, int(rows.index[0]), found, "nothing: elements are addressed by their number"
            )


Check = Callable[[pandapowerNet], Iterable[Finding]]
#: Checks whose errors make the others meaningless.
STRUCTURE: tuple[Check, ...] = (repeated_numbers, dangling_buses, dangling_switches, absent_states)
CHECKS: tuple[Check, ...] = (
    external_grids,
    islands,
    dead_loads,
    voltage_levels,
    line_voltages,
    transformer_voltages,
    line_lengths,
    placeholder_lengths,
    line_impedances,
    transformer_impedances,
    taps,
    duplicate_switches,
    ratings,
    positions,
    negative_powers,
    meshes,
    repeated_names,
)
