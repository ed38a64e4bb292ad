"""Derive the bundled study ``data/oberrhein`` from pandapower and SimBench.

``python data/derive_oberrhein.py [FOLDER]`` writes ``network.json``, ``profiles.csv.gz``, ``assignments.csv``,
``customers.csv`` and ``technology_profiles.csv.gz`` into FOLDER (default: ``oberrhein`` beside this script): the files in the
repository, byte for byte with the package versions that ``data/oberrhein/sources.csv`` names.
The other files are written by hand. The rules are explained in ``data/README.md``.
Needs the package ``simbench`` (gridplan's extra of that name).
"""

import gzip
import json
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandapower
import pandapower.networks
import pandas as pd

STEPS = 365 * 96  # 1 January to 30 December 2016, a leap year
GRID_TYPES = {0.25: ("rural1", "rural2"), 0.40: ("rural3", "semiurb4"), 0.63: ("semiurb5", "urban6")}  # station rating [MW]
GRIDS = {"rural1": "LV1", "rural2": "LV2", "rural3": "LV3", "semiurb4": "LV4", "semiurb5": "LV5", "urban6": "LV6"}
MV_CUSTOMERS = ("G3-H", "BL-H", "G3-M", "WB-H", "G3-A", "G4-M")
PLANTS = tuple(f"PV{number}" for number in range(1, 9))
CLASSES = {"H": "residential", "G": "commercial", "L": "agricultural"}  # first letter of the SimBench load profile
TAP_POSITIONS = (-1.0, -2.0)  # one step below pandapower's case "load"; keeps every quarter-hour inside 0.95-1.05 pu
LOAD_SCALING, PV_SCALING = 0.6, 0.8  # pandapower's own worst cases "load" and "generation" of this network
SIMBENCH_COSPHI = 0.93  # q_mvar to p_mw of every SimBench load
HOME_CHARGERS = ("HLS_A_3.7", "HLS_B_3.7", "HLS_C_3.7", "HLS_A_11.0", "HLS_B_11.0")
WORK_CHARGERS = ("APLS_A_3.7", "APLS_B_3.7", "APLS_A_11.0", "APLS_B_11.0")
HEAT_PUMPS = ("Soil_Alternative_1", "Soil_Alternative_2")  # the ones with the full-load hours of a sole source of heat
DAY = 96


def network() -> pandapower.pandapowerNet:
    """Return pandapower's MV Oberrhein with the changes listed in data/README.md and without results."""
    net = mv_oberrhein()
    net.load["scaling"], net.sgen["scaling"] = LOAD_SCALING, PV_SCALING
    net.trafo["tap_pos"] = list(TAP_POSITIONS)
    net.trafo["tap_dependency_table"] = False  # without the column every power flow warns
    for table in ("bus", "line"):
        net[table]["geo"] = net[table]["geo"].map(_short)
    pandapower.reset_results(net)
    return net


def mv_oberrhein() -> pandapower.pandapowerNet:
    """Return the network as pandapower ships it."""
    with warnings.catch_warnings():  # it runs a power flow, which warns of a column that the shipped file lacks
        warnings.filterwarnings("ignore", message="tap_dependency_table is missing", category=DeprecationWarning)
        return pandapower.networks.mv_oberrhein()


def _short(geojson: str | None) -> str | None:
    """Round GeoJSON coordinates to 6 digits (0.1 m)."""
    if not isinstance(geojson, str):
        return geojson
    shape = json.loads(geojson)
    return json.dumps({**shape, "coordinates": np.round(shape["coordinates"], 6).tolist()})


def simbench_table(name: str) -> pd.DataFrame:
    """Read one table of SimBench's complete data set, scenario 0 (today)."""
    spec = find_spec("simbench")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("simbench is missing: install gridplan with the extra 'simbench'")
    return pd.read_csv(Path(spec.origin).parent / "networks" / "1-complete_data-mixed-all-0-sw" / f"{name}.csv", sep=";")


def profile_names() -> pd.DataFrame:
    """List the profiles: name here, SimBench table, column of active and (loads only) of reactive power."""
    loads = [(f"lv_{kind}", f"lv_{kind}") for kind in GRIDS] + [(_name(code), code) for code in MV_CUSTOMERS]
    plants = [(f"pv_{kind}", f"lv_{kind}") for kind in GRIDS] + [(_name(code), code) for code in PLANTS]
    rows = [(name, "LoadProfile", f"{code}_pload", f"{code}_qload") for name, code in loads]
    rows += [(name, "RESProfile", code, None) for name, code in plants]
    return pd.DataFrame(rows, columns=["profile", "table", "p", "q"])


def _name(code: str) -> str:
    return code.lower().replace("-", "_")


def profiles(net: pandapower.pandapowerNet) -> pd.DataFrame:
    """Return the time series: each profile divided by its highest active power, so that p_mw * scaling is the annual peak.

    Reactive power keeps SimBench's ratio to active power; it is given as a share of the network's q_mvar.
    """
    tables = {name: simbench_table(name).iloc[:STEPS] for name in ("LoadProfile", "RESProfile")}
    q_share = np.tan(np.arccos(SIMBENCH_COSPHI)) / (net.load.q_mvar / net.load.p_mw).mean()
    columns = {"time": pd.date_range("2016-01-01", periods=STEPS, freq="15min", name="time")}
    for name, table, p, q in profile_names().itertuples(index=False):
        peak = tables[table][p].max()
        columns[f"{name}_p"] = tables[table][p] / peak
        if q is not None:
            columns[f"{name}_q"] = tables[table][q] / peak * q_share
    return _rounded(pd.DataFrame(columns))


def _rounded(frame: pd.DataFrame) -> pd.DataFrame:
    numbers = frame.columns.drop("time")
    return frame.assign(**(frame[numbers].round(4) + 0.0))  # + 0.0 turns -0.0 into 0.0


def assignments(net: pandapower.pandapowerNet) -> pd.DataFrame:
    """Assign every load and sgen: grid types of the rating in turn, station PV as its station, the other plants in turn."""
    load = net.load.assign(turn=net.load.groupby(["type", "p_mw"]).cumcount())
    kinds = {row.bus: GRID_TYPES[row.p_mw][row.turn % 2] for row in load[load.type == "MV/LV Station"].itertuples()}
    of_load = [f"lv_{kinds[row.bus]}" if row.bus in kinds else _name(MV_CUSTOMERS[row.turn]) for row in load.itertuples()]
    single = (~net.sgen.bus.isin(kinds)).cumsum() - 1
    of_sgen = [
        f"pv_{kinds[bus]}" if bus in kinds else _name(PLANTS[turn % len(PLANTS)])
        for bus, turn in zip(net.sgen.bus, single, strict=True)
    ]
    return pd.DataFrame(
        {
            "element": ["load"] * len(load) + ["sgen"] * len(net.sgen),
            "element_id": [*load.index, *net.sgen.index],
            "profile": of_load + of_sgen,
        }
    )


def grid_customers() -> pd.DataFrame:
    """Return customers per MW of annual peak in each of the six SimBench low-voltage grids; index grid type, columns classes."""
    loads, series = simbench_table("Load"), simbench_table("LoadProfile").iloc[:STEPS]
    rows = {}
    for kind, grid in GRIDS.items():
        names = loads.loc[loads.profile.eq(f"lv_{kind}"), "subnet"].str.extract(rf"({grid}\.\d+)")[0]
        inside = loads[loads.subnet.eq(names.dropna().iloc[0])]
        peak = loads.loc[loads.profile.eq(f"lv_{kind}"), "pLoad"].iloc[0] * series[f"lv_{kind}_pload"].max()
        rows[kind] = inside.profile.str[0].map(CLASSES).value_counts() / peak
    return pd.DataFrame(rows).T.reindex(columns=list(CLASSES.values())).fillna(0.0)


def customers(net: pandapower.pandapowerNet, given: pd.DataFrame) -> pd.DataFrame:
    """Return customers by bus and class, from the peak and the grid type of the station; an MV customer is one industrial one."""
    per_mw = grid_customers()
    profile = given[given.element.eq("load")].set_index("element_id").profile
    rows = []
    for number, load in net.load.iterrows():
        kind = profile[number].removeprefix("lv_")
        if kind in per_mw.index:
            counts = whole(per_mw.loc[kind] * load.p_mw * load.scaling)
            rows += [(load.bus, name, count) for name, count in counts.items() if count]
        else:
            rows.append((load.bus, "industrial", 1))
    return pd.DataFrame(rows, columns=["bus", "customer_class", "customers"]).sort_values("bus", kind="stable", ignore_index=True)


def whole(shares: pd.Series) -> pd.Series:
    """Round to integers whose sum is the rounded sum (largest remainders)."""
    counts = np.floor(shares).astype(int)
    missing = round(shares.sum()) - counts.sum()
    largest = (shares - counts).sort_values(ascending=False, kind="stable").index[:missing]
    counts[largest] += 1
    return counts


def technology_profiles() -> pd.DataFrame:
    """Return the aggregates of charging cars and of heat pumps, each divided by its highest value; see data/README.md."""
    series = simbench_table("LoadProfile")
    columns = {"time": pd.date_range("2016-01-01", periods=STEPS, freq="15min", name="time")}
    for part, days in enumerate((15, 16, 17), start=1):  # 21 shifts by so many days meet every weekday three times
        columns[f"ev_home_{part}_p"] = _mix(series, HOME_CHARGERS, [DAY * days * turn for turn in range(21)])
    columns["ev_work_p"] = _mix(series, WORK_CHARGERS, [7 * DAY * week for week in range(52)])
    columns["heat_pump_p"] = _mix(series, HEAT_PUMPS, [4 * hour for hour in range(-6, 7)])
    frame = pd.DataFrame(columns)
    numbers = frame.columns.drop("time")
    return frame.assign(**((frame[numbers] / frame[numbers].max()).round(3) + 0.0))


def _mix(series: pd.DataFrame, variants: Sequence[str], shifts: Sequence[int]) -> np.ndarray:
    """Return the mean of the variants, each with the same energy and shifted by so many steps.

    Shifts turn round in 364 days, so that a shift by weeks keeps every weekday; the 365th day is the one a week before it.
    """
    year = 364 * DAY
    energy = [series[f"{name}_pload"].clip(lower=0).to_numpy()[:year] for name in variants]
    mean = np.mean([np.roll(part / part.sum(), shift) for shift in shifts for part in energy], axis=0)
    return np.concatenate([mean, mean[-7 * DAY : -6 * DAY]])


def write(folder: Path) -> None:
    """Write the five derived files into ``folder``; equal input gives equal bytes."""
    net = network()
    given = assignments(net)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network.json").write_text(pandapower.to_json(net, None) + "\n", encoding="utf-8", newline="\n")
    given.to_csv(folder / "assignments.csv", index=False, lineterminator="\n")
    customers(net, given).to_csv(folder / "customers.csv", index=False, lineterminator="\n")
    for name, frame in (("profiles", profiles(net)), ("technology_profiles", technology_profiles())):
        text = frame.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%d %H:%M")
        (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "oberrhein")
