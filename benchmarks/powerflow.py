"""Speed of the batch power flow against its peers, and its memory on a large network.

Run ``python benchmarks/powerflow.py``; ``--help`` shows the options. Every engine solves the same steps of a SimBench
medium-voltage network with its own quarter-hour profiles and, lightsim2grid apart, the pi model of transformers. power-grid-model
and lightsim2grid get a network without switches (closed ones merged, open line ends on a bus of their own); the time to prepare
their inputs is not counted, while gridplan's includes everything from the pandapower network to the result.
"""

from __future__ import annotations

import argparse
import copy
import re
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandapower as pp
import pandapower.timeseries as ts
import pandapower.toolbox
import pandas as pd
import simbench
from pandapower.control import ConstControl
from rich.console import Console
from rich.table import Table

from gridplan import powerflow

QUARTER_HOURS = 35_136
LOGGED = [
    ("res_bus", "vm_pu"),
    ("res_line", "loading_percent"),
    ("res_trafo", "loading_percent"),
    ("res_line", "pl_mw"),
    ("res_trafo", "pl_mw"),
    ("res_ext_grid", "p_mw"),
    ("res_ext_grid", "q_mvar"),
]
"""What gridplan's result holds too: voltages, loadings, losses and the exchange with the grid above."""
Outcome = tuple[str, float, np.ndarray | None, np.ndarray | None, str]


def read(code: str, every: int, steps: int) -> tuple[pp.pandapowerNet, powerflow.Profiles]:
    """Read a SimBench network and `steps` of its own profiles, one in `every` quarter-hours."""
    net = simbench.get_simbench_net(code)
    load, renewable = net.profiles["load"].iloc[::every][:steps], net.profiles["renewables"].iloc[::every][:steps]
    times = pd.date_range("2016-01-01", periods=len(load), freq=f"{15 * every}min")
    rows, shapes = [], {}
    for number, name in net.load["profile"].items():
        rows.append(("load", number, f"{name}_pload", f"{name}_qload"))
        shapes |= {key: load[key].to_numpy(float) for key in rows[-1][2:]}
    for number, name in net.sgen["profile"].items():
        rows.append(("sgen", number, name, name))
        shapes[name] = renewable[name].to_numpy(float)
    elements = pd.DataFrame(rows, columns=["element", "element_id", "shape_p", "shape_q"])
    net.pop("profiles")
    return net, powerflow.Profiles(times, pd.DataFrame(shapes, index=times), elements)


def powers(net: pp.pandapowerNet, profiles: powerflow.Profiles, element: str) -> tuple[np.ndarray, np.ndarray]:
    """Active and reactive power [MW, Mvar] of the elements of a table; (steps, elements)."""
    rows = profiles.elements[profiles.elements["element"] == element]
    table = net[element].loc[rows["element_id"]]
    found = []
    for column, shape in (("p_mw", "shape_p"), ("q_mvar", "shape_q")):
        found.append(
            np.ascontiguousarray(profiles.shapes[rows[shape]].to_numpy() * (table[column] * table["scaling"]).to_numpy())
        )
    return found[0], found[1]


def without_switches(net: pp.pandapowerNet) -> pp.pandapowerNet:
    """Merge buses coupled by closed switches and put open line ends on buses of their own."""
    flat = copy.deepcopy(net)
    opened = flat.switch[(flat.switch.et == "l") & ~flat.switch.closed]
    for switch in opened.itertuples():
        side = "from_bus" if flat.line.loc[switch.element, "from_bus"] == switch.bus else "to_bus"
        flat.line.loc[switch.element, side] = pp.create_bus(flat, flat.bus.loc[switch.bus, "vn_kv"])
    for switch in flat.switch[(flat.switch.et == "t") & ~flat.switch.closed].itertuples():
        flat.trafo.loc[switch.element, "in_service"] = False
    for switch in flat.switch[(flat.switch.et == "b") & flat.switch.closed].itertuples():
        keep, drop = int(switch.bus), int(switch.element)
        pandapower.toolbox.fuse_buses(flat, keep, {drop}, drop=False)
        flat.bus.loc[drop, "in_service"] = False
    flat.switch = flat.switch.iloc[:0]
    return flat


def timed(work: Callable[[], object], repeats: int) -> tuple[float, object]:
    """Median wall-clock time [s] of a few runs, after one that is not counted (it may compile)."""
    result = work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


def controlled(
    net: pp.pandapowerNet, profiles: powerflow.Profiles, picked: np.ndarray
) -> tuple[pp.pandapowerNet, ts.OutputWriter]:
    """Copy the network and give it the controllers and the writer of pandapower's time series."""
    work = copy.deepcopy(net)
    for element in ("load", "sgen"):
        numbers = profiles.elements.loc[profiles.elements["element"] == element, "element_id"].tolist()
        for column, values in zip(("p_mw", "q_mvar"), powers(net, profiles, element), strict=True):
            frame = pd.DataFrame(values[picked] / net[element].loc[numbers, "scaling"].to_numpy(), columns=numbers)
            ConstControl(work, element, column, element_index=numbers, profile_name=numbers, data_source=ts.DFData(frame))
    return work, ts.OutputWriter(work, output_path=None, log_variables=LOGGED)


def pandapower_series(net: pp.pandapowerNet, profiles: powerflow.Profiles, steps: int, *, lightsim: bool) -> Outcome:
    """Run pandapower's own run_timeseries on evenly spread steps; the difference of two runs leaves its set-up out."""
    picked = np.linspace(0, len(profiles.time) - 1, steps).astype(int)

    def solve(count: int) -> tuple[float, ts.OutputWriter]:
        work, writer = controlled(net, profiles, picked)
        start = time.perf_counter()
        ts.run_timeseries(work, time_steps=range(count), verbose=False, trafo_model="pi", lightsim2grid=lightsim)
        return time.perf_counter() - start, writer

    solve(2)
    (few, _), (many, writer) = solve(steps // 4), solve(steps)
    vm, loading = (writer.output[name].to_numpy(float) for name in ("res_bus.vm_pu", "res_line.loading_percent"))
    name = "pandapower run_timeseries" + (", lightsim2grid" if lightsim else "")
    return name, (many - few) / (steps - steps // 4), vm, loading, f"{steps} steps, extrapolated"


def lightsim_series(flat: pp.pandapowerNet, profiles: powerflow.Profiles, repeats: int) -> Outcome:
    """lightsim2grid's TimeSeries: voltages and the flows at both ends."""
    from lightsim2grid.network import init_from_pandapower  # noqa: PLC0415 - may be absent
    from lightsim2grid.timeSerie import TimeSeriesCPP  # noqa: PLC0415

    solved = copy.deepcopy(flat)
    for name in ("load", "sgen", "ext_grid"):  # its converter stumbles over limits of type object
        solved[name] = solved[name].drop(columns=solved[name].filter(regex="^(min|max)_").columns)
    pp.runpp(solved, trafo_model="t", lightsim2grid=False)  # the only model it converts
    model = init_from_pandapower(solved, pp_orig_file="pandapower_v3")
    start = (solved.res_bus["vm_pu"] * np.exp(1j * np.radians(solved.res_bus["va_degree"]))).fillna(1.0).to_numpy(complex)
    load, sgen = powers(flat, profiles, "load"), powers(flat, profiles, "sgen")
    slack = np.zeros((len(profiles.time), len(model.get_generators())))

    def work() -> TimeSeriesCPP:
        series = TimeSeriesCPP(model)
        status = series.compute_Vs(slack, sgen[0], load[0], load[1], start, 10, 1e-8)
        if status != 1:
            raise RuntimeError("lightsim2grid did not converge")
        series.compute_flows()
        return series

    seconds, series = timed(work, repeats)
    vm = np.abs(series.get_voltages())[:, : len(flat.bus)]
    vm[:, ~flat.bus.in_service.to_numpy()] = np.nan
    return "lightsim2grid TimeSeries", seconds / len(profiles.time), vm, None, "t model of transformers"


def grid_model_input(flat: pp.pandapowerNet) -> dict[str, np.ndarray]:
    """Describe the network to power-grid-model."""
    from power_grid_model import LoadGenType, initialize_array  # noqa: PLC0415 - may be absent

    live = flat.bus[flat.bus.in_service]
    node = initialize_array("input", "node", len(live))
    node["id"], node["u_rated"] = live.index, live["vn_kv"] * 1e3
    offset = flat.bus.index.max() + 1
    made = {"node": node}

    def appliance(kind: str, table: pd.DataFrame) -> np.ndarray:
        nonlocal offset
        array = initialize_array("input", kind, len(table))
        array["id"] = offset + np.arange(len(table))
        offset += len(table)
        made[kind] = array
        return array

    source = appliance("source", flat.ext_grid)
    source["node"], source["status"], source["u_ref"] = flat.ext_grid["bus"], 1, flat.ext_grid["vm_pu"]
    source["sk"], source["rx_ratio"] = 1e15, 0.1  # stiff, as pandapower's external grid is
    for kind, table in (("sym_load", flat.load), ("sym_gen", flat.sgen)):
        array = appliance(kind, table)
        array["node"], array["status"], array["type"] = table["bus"], table["in_service"], LoadGenType.const_power
        array["p_specified"], array["q_specified"] = table["p_mw"] * 1e6, table["q_mvar"] * 1e6
    line, table = appliance("line", flat.line), flat.line
    line["from_node"], line["to_node"] = table["from_bus"], table["to_bus"]
    line["from_status"] = line["to_status"] = table["in_service"]
    share = table["length_km"] / table["parallel"]
    line["r1"], line["x1"] = table["r_ohm_per_km"] * share, table["x_ohm_per_km"] * share
    line["c1"], line["tan1"] = table["c_nf_per_km"] * table["length_km"] * table["parallel"] * 1e-9, 0.0
    line["i_n"] = table["max_i_ka"] * table["df"] * table["parallel"] * 1e3
    _grid_model_transformers(appliance("transformer", flat.trafo), flat.trafo)
    return made


def _grid_model_transformers(trafo: np.ndarray, table: pd.DataFrame) -> None:
    """Fill in two-winding transformers; a tap without a changer type has no effect in pandapower."""
    trafo["from_node"], trafo["to_node"] = table["hv_bus"], table["lv_bus"]
    trafo["from_status"] = trafo["to_status"] = table["in_service"]
    trafo["u1"], trafo["u2"], trafo["sn"] = table["vn_hv_kv"] * 1e3, table["vn_lv_kv"] * 1e3, table["sn_mva"] * 1e6
    trafo["uk"], trafo["pk"] = table["vk_percent"] / 100, table["vkr_percent"] / 100 * table["sn_mva"] * 1e6
    trafo["i0"], trafo["p0"] = table["i0_percent"] / 100, table["pfe_kw"] * 1e3
    trafo["winding_from"], trafo["winding_to"], trafo["clock"] = 2, 1, (table["shift_degree"] / 30).round()
    trafo["tap_side"] = (table["tap_side"] == "lv").astype(int)
    moves = table["tap_changer_type"].notna() if "tap_changer_type" in table else pd.Series(data=False, index=table.index)
    trafo["tap_pos"], trafo["tap_nom"] = (table["tap_pos"] - table["tap_neutral"]).where(moves, 0).fillna(0), 0
    trafo["tap_min"], trafo["tap_max"] = -100, 100
    rated = np.where(table["tap_side"] == "lv", table["vn_lv_kv"], table["vn_hv_kv"])
    trafo["tap_size"] = np.nan_to_num(table["tap_step_percent"] / 100 * rated * 1e3)


def grid_model_series(flat: pp.pandapowerNet, profiles: powerflow.Profiles, method: str, repeats: int) -> Outcome:
    """power-grid-model on two threads: voltages and loadings."""
    from power_grid_model import PowerGridModel, initialize_array  # noqa: PLC0415 - may be absent

    given = grid_model_input(flat)
    model = PowerGridModel(given)
    update = {}
    for kind, element in (("sym_load", "load"), ("sym_gen", "sgen")):
        p, q = powers(flat, profiles, element)
        update[kind] = initialize_array("update", kind, p.shape)
        update[kind]["id"], update[kind]["p_specified"], update[kind]["q_specified"] = given[kind]["id"], p * 1e6, q * 1e6
    outputs = {"node": ["u_pu"], "line": ["loading"], "transformer": ["loading"]}
    seconds, found = timed(
        lambda: model.calculate_power_flow(
            update_data=update, output_component_types=outputs, calculation_method=method, threading=2, error_tolerance=1e-8
        ),
        repeats,
    )
    vm = np.full((len(profiles.time), len(flat.bus)), np.nan)
    vm[:, flat.bus.in_service.to_numpy()] = found["node"]["u_pu"]
    words = method.replace("_", " ")
    return f"power-grid-model, {words}", seconds / len(profiles.time), vm, found["line"]["loading"] * 100, "2 threads"


def own_series(net: pp.pandapowerNet, profiles: powerflow.Profiles, repeats: int, threads: int) -> Outcome:
    """Run this engine, from the pandapower network to the result."""
    options = powerflow.Options(trafo_model="pi", threads=threads)
    seconds, result = timed(lambda: powerflow.run(net, profiles, options=options), repeats)
    if not result.converged.all():
        raise RuntimeError(f"{(~result.converged).sum()} steps failed")
    vm, loading = result.vm_pu.to_numpy(), result.line_loading_percent.to_numpy()
    note = f"{threads} thread{'s' if threads > 1 else ''}, {result.steps.iterations.max()} iterations"
    return "gridplan", seconds / len(profiles.time), vm, loading, note


def compare(code: str, arguments: argparse.Namespace, console: Console) -> None:
    """Print one table for a network."""
    net, profiles = read(code, 1, arguments.steps)
    flat = without_switches(net)
    count = len(profiles.time)
    outcomes = [pandapower_series(net, profiles, arguments.pandapower_steps, lightsim=False)]
    peers = {
        "lightsim2grid": [
            lambda: pandapower_series(net, profiles, arguments.pandapower_steps, lightsim=True),
            lambda: lightsim_series(flat, profiles, arguments.repeats),
        ],
        "power-grid-model": [
            lambda: grid_model_series(flat, profiles, "iterative_current", arguments.repeats),
            lambda: grid_model_series(flat, profiles, "newton_raphson", arguments.repeats),
        ],
    }
    for package, runs in peers.items():
        try:
            outcomes += [run() for run in runs]
        except ImportError:
            console.print(f"[yellow]{package} is not installed: left out. Install gridplan\\[test] to compare.[/yellow]")
    outcomes += [own_series(net, profiles, arguments.repeats, threads) for threads in (2, 1)]
    picked = np.linspace(0, count - 1, arguments.pandapower_steps).astype(int)
    console.print(table_of(f"{code}: {len(net.bus)} buses, {count} steps", outcomes, picked))


def table_of(title: str, outcomes: list[Outcome], picked: np.ndarray) -> Table:
    """Set outcomes side by side; differences are against the first one, in the steps that it solved."""
    table = Table(title=title)
    for column in ("engine", "µs per power flow", "ratio to gridplan, 1 thread", "max |ΔV| [pu]", "max |Δloading| [%]", "note"):
        table.add_column(column, justify="left" if column in {"engine", "note"} else "right")
    _, _, vm, loading, _ = outcomes[0]
    for name, seconds, own_vm, own_loading, note in outcomes:
        apart = [difference(own, given, picked) for own, given in ((own_vm, vm), (own_loading, loading))]
        table.add_row(name, f"{seconds * 1e6:,.1f}", f"{seconds / outcomes[-1][1]:,.1f}", *apart, note)
    return table


def difference(own: np.ndarray | None, given: np.ndarray, picked: np.ndarray) -> str:
    """Say how far apart results are; NaN (out of service) is left out where either has it."""
    if own is None:
        return "-"
    if own is given:
        return "reference"
    rows = own if len(own) == len(given) else own[picked]
    return f"{np.nanmax(np.abs(rows[:, : given.shape[1]] - given)):.1e}"


def peak_memory(*, reset: bool) -> float:
    """Peak resident memory [MB] of this process, after setting it back to what is in use (Linux; NaN elsewhere)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return float(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024


def measure_memory(code: str, hours: int, console: Console) -> None:
    """Print time and memory of a year of hours on a large network with statistics only."""
    net, profiles = read(code, 4, hours)
    powerflow.run(net, keep="statistics")
    before = peak_memory(reset=True)
    start = time.perf_counter()
    result = powerflow.run(net, profiles, keep="statistics", limits=powerflow.Limits())
    seconds = time.perf_counter() - start
    grown = peak_memory(reset=False) - before
    everything = 4e-6 * len(profiles.time) * (len(net.bus) + len(net.line) + len(net.trafo))
    console.print(
        f"{code}: {len(net.bus):,} buses, {len(profiles.time):,} hours, keep='statistics': {seconds:.1f} s "
        f"({seconds / len(profiles.time) * 1e6:,.0f} µs per power flow), peak memory +{grown:,.0f} MB "
        f"(all results as float32: {everything:,.0f} MB), {(~result.converged).sum()} steps failed"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--codes", nargs="*", default=["1-MV-rural--0-sw", "1-MV-semiurb--0-sw"], help="SimBench codes to compare"
    )
    parser.add_argument("--steps", type=int, default=QUARTER_HOURS, help="quarter-hours to solve")
    parser.add_argument("--pandapower-steps", type=int, default=96, help="steps that run_timeseries solves")
    parser.add_argument("--repeats", type=int, default=3, help="runs of which the median counts")
    parser.add_argument("--large", default="1-MVLV-urban-all-0-sw", help="SimBench code of the memory test")
    parser.add_argument("--hours", type=int, default=8760, help="hours of the memory test; 0 leaves it out")
    arguments = parser.parse_args()
    console = Console(width=140)
    for code in arguments.codes:
        compare(code, arguments, console)
    if arguments.hours:
        measure_memory(arguments.large, arguments.hours, console)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandapower, simbench and pandas disagree about dtypes; nothing to act on here
        main()
