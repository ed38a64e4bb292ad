"""What a simulated year means for each area: energy, peak, losses, hours outside limits."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import performance, powerflow
from gridplan.network import topology
from gridplan.powerflow import Limits, PowerFlow, Profiles

#: Columns that :func:`measure` gives besides the area.
COLUMNS = ("load_mwh", "generation_mwh", "losses_mwh", "peak_mw", "outside_h", "failed_h")


def measure(net: pandapowerNet, profiles: Profiles, areas: pd.DataFrame, result: PowerFlow) -> pd.DataFrame:
    """Energy, peak, losses and hours outside limits of each area over the steps of a result.

    Energies and hours are those of a year of 8 760 h: a sample of the steps stands for the steps left out.

    Parameters
    ----------
    net, profiles
        What was simulated; loads with constant-current and constant-impedance parts count at the voltages found.
    areas
        Columns `bus`, `area`.
    result
        With every step, its angles and the limits (``keep='all'``, ``Options(angles=True)``).

    Returns
    -------
    pd.DataFrame
        One row an area: `area`, `load_mwh` (storage included) [MWh/yr], `generation_mwh` [MWh/yr], `losses_mwh` [MWh/yr] of its
        lines and of its share of the transformers, `peak_mw` (highest load and losses less generation) [MW], `outside_h`
        (a bus, a line or a transformer that feeds the area is outside the limits) [h/yr], `failed_h` [h/yr]. Hours without a
        solution count as failed; if there are any, energies and peak are missing.
    """
    year = 8760.0 / len(result.time)
    load = _by_area(net, profiles, areas, result.vm_pu, kind="load") + _by_area(net, profiles, areas, None, kind="storage")
    generation = _by_area(net, profiles, areas, None, kind="sgen")
    losses = _losses(net, areas, result, load)
    failed = ~result.converged
    frame = pd.DataFrame(
        {
            "load_mwh": load.sum(skipna=False) * year,
            "generation_mwh": generation.sum(skipna=False) * year,
            "losses_mwh": losses.sum(skipna=False) * year,
            "peak_mw": (load + losses - generation).max(skipna=False),
        }
    )
    frame["outside_h"] = _outside(net, areas, result).sum() * year
    frame["failed_h"] = failed.sum() * year
    if failed.any():
        frame[["load_mwh", "generation_mwh", "losses_mwh", "peak_mw"]] = np.nan
    return frame.rename_axis("area").reset_index()


def _by_area(net: pandapowerNet, profiles: Profiles, areas: pd.DataFrame, vm: pd.DataFrame | None, *, kind: str) -> pd.DataFrame:
    """Active power of the elements of one kind [MW]: one row a step, one column an area."""
    table = net[kind][net[kind]["in_service"].astype(bool)]
    names = np.sort(areas["area"].unique())
    power = np.zeros((len(profiles.time), len(names)))
    area = table["bus"].map(areas.set_index("bus")["area"])
    each = _powers(table, profiles, kind)
    if vm is not None and (table[["const_z_p_percent", "const_i_p_percent"]].to_numpy(float) != 0).any():
        each *= _zip(table, vm.reindex(columns=table["bus"]).to_numpy(float))
    for position, name in enumerate(names):
        power[:, position] = each[:, (area == name).to_numpy()].sum(axis=1)
    return pd.DataFrame(power, index=profiles.time, columns=names)


def _powers(table: pd.DataFrame, profiles: Profiles, kind: str) -> np.ndarray:
    """Active power of each element in each step [MW], (steps, elements), loads at nominal voltage."""
    rows = profiles.elements[profiles.elements["element"] == kind].set_index("element_id")["shape_p"].reindex(table.index)
    factors = np.ones((len(profiles.time), len(table)))
    moved = rows.notna().to_numpy()
    factors[:, moved] = profiles.shapes[rows[moved]].to_numpy()
    return factors * (table["p_mw"] * table["scaling"]).to_numpy(float)


def _zip(table: pd.DataFrame, vm: np.ndarray) -> np.ndarray:
    """Factor on the nominal power of voltage-dependent loads at the voltages `vm` [pu]."""
    z, i = table["const_z_p_percent"].to_numpy(float) / 100, table["const_i_p_percent"].to_numpy(float) / 100
    return 1 - z - i + i * vm + z * vm**2


def _losses(net: pandapowerNet, areas: pd.DataFrame, result: PowerFlow, load: pd.DataFrame) -> pd.DataFrame:
    """Losses by step and area [MW]; what lines of no area and transformers lose is shared in proportion to the load."""
    voltage = result.vm_pu.to_numpy(float) * np.exp(1j * np.radians(result.va_degree.to_numpy(float)))
    voltage *= net.bus["vn_kv"].reindex(result.vm_pu.columns).to_numpy(float)
    opened = {line for line, _ in topology.open_ends(net, "line")}
    used = net.line[net.line["in_service"].astype(bool) & ~net.line.index.isin(opened)]
    start, end = (result.vm_pu.columns.get_indexer(used[side]) for side in ("from_bus", "to_bus"))
    length = used["length_km"] / used["parallel"]
    r, x = (used["r_ohm_per_km"] * length).to_numpy(float), (used["x_ohm_per_km"] * length).to_numpy(float)
    each = np.abs(voltage[:, start] - voltage[:, end]) ** 2 * (r / (r**2 + x**2))
    area = performance.line_areas(net, areas).set_index("line")["area"].reindex(used.index).to_numpy()
    own = pd.DataFrame({name: np.nansum(each[:, area == name], axis=1) for name in load.columns}, index=load.index)
    rest = result.steps["losses_mw"].to_numpy() - own.sum(axis=1).to_numpy()
    total = load.sum(axis=1).replace(0.0, np.nan)
    return own.add(load.div(total, axis=0).fillna(1 / len(load.columns)).mul(rest, axis=0))


def _outside(net: pandapowerNet, areas: pd.DataFrame, result: PowerFlow) -> pd.DataFrame:
    """Whether anything that supplies an area is outside the limits: bool, one row a step, one column an area."""
    bounds: Limits = result.limits
    extremes = powerflow.by_area(result, net, areas).set_index(["time", "area"])
    low = extremes["vm_min_pu"] < bounds.vm_min_pu
    wrong = low | (extremes["vm_max_pu"] > bounds.vm_max_pu)
    wrong |= extremes["line_loading_max_percent"] > bounds.line_loading_max_percent
    names = np.sort(areas["area"].unique())
    table = pd.DataFrame({name: wrong.xs(name, level="area").to_numpy() for name in names}, index=result.time)
    for transformer, names in feeding(net, areas).items():
        over = result.trafo_loading_percent[transformer].to_numpy() > bounds.trafo_loading_max_percent
        for name in names:
            table[name] = table[name].to_numpy() | over
    return table


def feeding(net: pandapowerNet, areas: pd.DataFrame) -> dict[int, list[str]]:
    """Areas that each two-winding transformer in service feeds, in the normal switching state."""
    graph, sources = topology.graph(net), topology.source_buses(net)
    area = areas.set_index("bus")["area"]
    fed = {}
    for transformer, high, low in net.trafo.loc[net.trafo["in_service"].astype(bool), ["hv_bus", "lv_bus"]].itertuples():
        key = ("trafo", transformer)
        if not graph.has_edge(high, low, key):
            continue
        graph.remove_edge(high, low, key)
        below = nx.node_connected_component(graph, low)
        graph.add_edge(high, low, key)
        fed[transformer] = [] if below.intersection(sources) else sorted(set(area.reindex(list(below)).dropna()))
    return fed
