"""The linear measurement model: injections as state, pseudo-measurements as prior, sensors as linear readings of them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import pandapower as pp
import pandas as pd
from pandapower.auxiliary import pandapowerNet
from pandapower.pypower.idx_brch import F_BUS, T_BUS
from pandapower.pypower.idx_bus import BASE_KV
from scipy import sparse
from scipy.sparse.linalg import splu

from gridplan.applications._case import OperatingCase
from gridplan.applications._run import moved_net
from gridplan.errors import NotConverged, ParameterError, Problem, suggest
from gridplan.network import display_name
from gridplan.powerflow import Profiles

DEFAULTS = pd.read_csv(Path(__file__).with_name("defaults.csv")).set_index("name")
QUANTITIES = {"bus": ("v", "p", "q"), "line": ("p", "q", "i"), "trafo": ("p", "q", "i")}
COLUMNS = ["sensor", "kind", "element", "element_id", "bus", "quantity", "sd_percent", "availability_percent", "delay_min"]
_SIGN = {"load": 1.0, "sgen": -1.0, "storage": 1.0}


def default(name: str) -> float:
    """Value of `defaults.csv`."""
    return float(DEFAULTS.at[name, "value"])


@dataclass(frozen=True)
class Settings:
    """What is assumed where nothing is measured, and which steps are looked at.

    Parameters
    ----------
    steps
        Positions of the steps; None is those of the highest and of the lowest net load.
    source_vm_sd_percent
        Standard deviation of the voltage of the grid above [%].
    pseudo_min_sd_percent
        Lowest standard deviation of a pseudo-measurement [% of the power].
    flow_tolerance_percent
        Error of a loading at 95 % [% of the rating] up to which a line section counts as known.
    """

    steps: tuple[int, ...] | None = None
    source_vm_sd_percent: float = default("source_vm_sd_percent")
    pseudo_min_sd_percent: float = default("pseudo_min_sd_percent")
    flow_tolerance_percent: float = default("flow_tolerance_percent")

    def __post_init__(self) -> None:
        names = ("source_vm_sd_percent", "pseudo_min_sd_percent", "flow_tolerance_percent")
        problems = [Problem(n, f"{getattr(self, n)} is not above 0 [%]") for n in names if not getattr(self, n) > 0]
        if problems:
            raise ParameterError("settings of monitoring", problems)


@dataclass(frozen=True, eq=False)
class Model:
    """One step of a case, linear around its power flow.

    The state is the deviation of: the active powers of all buses but sources, their reactive powers, the voltages of the sources.

    Parameters
    ----------
    net
        Network solved at the step.
    base_mva
        Base power [MVA].
    place
        Internal number of each bus, -1 without supply. By bus number.
    vm
        Voltage of the internal buses [pu].
    to_v
        Voltage magnitude of the internal buses by state [pu/pu].
    to_complex
        Complex voltage of the internal buses by state.
    prior
        Variance of each state before any reading [pu^2].
    injection
        Position of the active power of each internal bus in the state (reactive: `loads` further), -1 at sources.
    """

    net: pandapowerNet
    base_mva: float
    place: pd.Series
    vm: np.ndarray
    to_v: np.ndarray
    to_complex: np.ndarray
    prior: np.ndarray
    injection: np.ndarray

    @property
    def loads(self) -> int:
        """Number of buses that are no source."""
        return int((self.injection >= 0).sum())


def check(sensors: pd.DataFrame, net: pandapowerNet) -> pd.DataFrame:
    """Check a table of sensors against a network.

    Parameters
    ----------
    sensors
        One row a quantity: `sensor`, `kind` (substation, line or meter), `element` (bus, line or trafo), `element_id`, `bus` (end
        of the line or transformer at which it stands; missing at a bus), `quantity` (v, p, q or i), `sd_percent` (standard
        deviation of the reading [%]), `availability_percent` (share of the time in which it arrives), `delay_min` (age of the
        reading [min]).
    net
        Network.

    Returns
    -------
    pd.DataFrame
        The columns above with `bus` filled.

    Raises
    ------
    ParameterError
        Every problem found.
    """
    missing = [name for name in COLUMNS if name not in sensors]
    if missing:
        raise ParameterError("sensors", [Problem("sensors", f"column '{name}' is missing") for name in missing])
    table, problems = sensors.reset_index(drop=True), []
    for row in table.itertuples():
        problems += [Problem("sensors", what, row=row.Index + 2, column=column) for column, what in _faults(row, net)]
    if problems:
        raise ParameterError("sensors", problems)
    bus = table["bus"].where(table["element"] != "bus", table["element_id"])
    return table.assign(bus=bus.astype(int))


def _faults(row: object, net: pandapowerNet) -> list[tuple[str, str]]:
    if row.element not in QUANTITIES:
        return [("element", f"'{row.element}' is unknown; {suggest(str(row.element), QUANTITIES)}")]
    faults = []
    if row.quantity not in QUANTITIES[row.element]:
        allowed = ", ".join(QUANTITIES[row.element])
        faults.append(("quantity", f"'{row.quantity}' cannot be measured at a {row.element}; allowed: {allowed}"))
    if row.element_id not in net[row.element].index:
        return [*faults, ("element_id", f"{row.element} {row.element_id} is not in the network")]
    if row.element != "bus":
        names = ("from_bus", "to_bus") if row.element == "line" else ("hv_bus", "lv_bus")
        ends = [int(net[row.element].at[row.element_id, name]) for name in names]
        if row.bus not in ends:
            name = display_name(net, row.element, row.element_id)
            faults.append(("bus", f"{row.bus} is no end of {name}; allowed: {ends[0]}, {ends[1]}"))
    if not row.sd_percent > 0:
        faults.append(("sd_percent", f"{row.sd_percent} is not above 0 [%]"))
    if not 0 <= row.availability_percent <= 100:
        faults.append(("availability_percent", f"{row.availability_percent} is not between 0 and 100 [%]"))
    if not row.delay_min >= 0:
        faults.append(("delay_min", f"{row.delay_min} is below 0 [min]"))
    return faults


def models(case: OperatingCase, settings: Settings) -> list[Model]:
    """One model for each step looked at."""
    return [build(case, step, settings) for step in steps(case, settings)]


def steps(case: OperatingCase, settings: Settings) -> list[int]:
    """Positions of the steps looked at."""
    if settings.steps is not None:
        count = 1 if case.profiles is None else len(case.profiles.time)
        wrong = [step for step in settings.steps if not 0 <= step < count]
        if wrong:
            raise ParameterError("settings of monitoring", [Problem("steps", f"{s} is no step of {count}") for s in wrong])
        return list(settings.steps)
    if case.profiles is None:
        return [0]
    net_load = sum(sign * _total(case, table) for table, sign in _SIGN.items())
    return sorted({int(np.argmax(net_load)), int(np.argmin(net_load))})


def _total(case: OperatingCase, table: str) -> np.ndarray:
    frame = case.net[table][case.net[table]["in_service"].astype(bool)]
    rows = case.profiles.elements[case.profiles.elements["element"] == table].set_index("element_id")["shape_p"]
    power = (frame["p_mw"] * frame["scaling"]).groupby(rows.reindex(frame.index), dropna=True).sum()
    return (
        case.profiles.shapes[power.index].to_numpy(float) @ power.to_numpy() if len(power) else np.zeros(len(case.profiles.time))
    )


def build(case: OperatingCase, step: int, settings: Settings) -> Model:
    """Solve a step and linearise around it.

    Raises
    ------
    NotConverged
        The step has no solution.
    """
    net = _at(case, step)
    internal, lookup = net._ppc["internal"], net._pd2ppc_lookups["bus"]
    place = lookup[net.bus.index]
    known = net.bus["in_service"].to_numpy(bool) & (place >= 0) & (place < len(internal["V"]))
    place = pd.Series(np.where(known, place, -1), index=net.bus.index)
    to_complex, to_v, injection = _sensitivity(internal)
    variances = _prior(case, net, place, injection, settings)
    source = (settings.source_vm_sd_percent / 100 * np.abs(internal["V"][np.unique(internal["ref"])])) ** 2
    prior = np.concatenate([*variances, source])
    return Model(net, float(internal["baseMVA"]), place, np.abs(internal["V"]), to_v, to_complex, prior, injection)


def _at(case: OperatingCase, step: int) -> pandapowerNet:
    """Network solved by pandapower with the powers and positions of one step."""
    net = pandapowerNet({key: value.copy() if isinstance(value, pd.DataFrame) else value for key, value in case.net.items()})
    if case.profiles is not None:
        shapes = case.profiles.shapes.iloc[step]
        for table, rows in case.profiles.elements.groupby("element"):
            net[table].loc[rows["element_id"], "p_mw"] *= shapes[rows["shape_p"]].to_numpy()
            net[table].loc[rows["element_id"], "q_mvar"] *= shapes[rows["shape_q"]].to_numpy()
    positions = [((control, int(n)), int(table[n].iloc[step])) for control, table in case.schedule.items() for n in table]
    net = moved_net(net, tuple(positions)) if positions else net
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "tap_dependency_table is missing", DeprecationWarning)
            pp.runpp(net, calculate_voltage_angles=True, tolerance_mva=1e-9, numba=False, lightsim2grid=False)
    except pp.LoadflowNotConverged as error:
        raise NotConverged(f"step {step} has no power-flow solution; its measurements cannot be judged") from error
    return net


def _sensitivity(internal: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Complex voltages and magnitudes by state, from the Jacobian of the power flow; voltage-controlled buses count as loads."""
    V, Y = internal["V"], sparse.csc_matrix(internal["Ybus"])
    ref = np.unique(internal["ref"])
    free = np.setdiff1d(np.arange(len(V)), ref)
    unit = V / np.abs(V)
    current = Y @ V
    by_angle = 1j * sparse.diags(V) @ np.conj(sparse.diags(current) - Y @ sparse.diags(V))
    by_size = sparse.diags(V) @ np.conj(Y @ sparse.diags(unit)) + np.conj(sparse.diags(current)) @ sparse.diags(unit)
    inner = [m.tocsc()[free][:, free] for m in (by_angle, by_size)]
    jacobian = sparse.bmat([[m.real for m in inner], [m.imag for m in inner]]).tocsc()
    count = len(free)
    source = by_size.tocsc()[free][:, ref]
    right = np.zeros((2 * count, 2 * count + len(ref)))
    right[: 2 * count, : 2 * count] = -np.eye(2 * count)  # consumption, not injection
    right[:, 2 * count :] = -np.vstack([source.real.toarray(), source.imag.toarray()])
    solved = splu(jacobian).solve(right)
    angle, size = np.zeros((len(V), right.shape[1])), np.zeros((len(V), right.shape[1]))
    angle[free], size[free] = solved[:count], solved[count:]
    size[ref, 2 * count + np.arange(len(ref))] = 1.0
    injection = np.full(len(V), -1)
    injection[free] = np.arange(count)
    return (1j * V)[:, None] * angle + unit[:, None] * size, size, injection


def _prior(
    case: OperatingCase, net: pandapowerNet, place: pd.Series, injection: np.ndarray, settings: Settings
) -> tuple[np.ndarray, np.ndarray]:
    """Variances of active and reactive consumption [pu^2]: each element by its spread, added up at its bus."""
    count = int((injection >= 0).sum())
    result = np.zeros((2, count))
    for table in _SIGN:
        frame = case.net[table][case.net[table]["in_service"].astype(bool)]
        at = place.reindex(frame["bus"]).to_numpy()
        at = np.where(at >= 0, injection[np.maximum(at, 0)], -1)
        for row, (power, shape) in enumerate((("p_mw", "shape_p"), ("q_mvar", "shape_q"))):
            size = np.abs(frame[power] * frame["scaling"]).to_numpy(float)
            sd = size * element_spread(case.profiles, table, frame.index, shape)
            now = np.abs(net[table].loc[frame.index, power] * frame["scaling"]).to_numpy(float)
            sd = np.maximum(sd, settings.pseudo_min_sd_percent / 100 * now) / float(net._ppc["internal"]["baseMVA"])
            np.add.at(result[row], at[at >= 0], sd[at >= 0] ** 2)
    return result[0], result[1]


def element_spread(profiles: Profiles | None, table: str, index: pd.Index, shape: str) -> np.ndarray:
    """Spread of each element's factor around its usual value of the month and hour [1]; 0 if it has no profile."""
    return _by_element(profiles, (table, index, shape), "spread", _spread)


def _spread(profiles: Profiles) -> pd.Series:
    usual = profiles.shapes.groupby([profiles.time.month, profiles.time.hour]).transform("mean")
    return (profiles.shapes - usual).std(ddof=0)


def lag_variance(profiles: Profiles | None, table: str, index: pd.Index, shape: str, *, minutes: float) -> np.ndarray:
    """Variance of the change of each element's factor over the age of a reading [1]."""
    if profiles is None or minutes <= 0 or len(profiles.time) < 2:
        return np.zeros(len(index))
    lag = min(len(profiles.time) - 1, int(np.ceil(minutes / 60 / profiles.step_h)))
    return _by_element(profiles, (table, index, shape), f"lag {lag}", lambda own: (own.shapes.diff(lag) ** 2).mean())


_KNOWN: WeakKeyDictionary[Profiles, dict[str, pd.Series]] = WeakKeyDictionary()
"""What is known of the shapes of profiles in use, each found once."""


def _by_element(
    profiles: Profiles | None, elements: tuple[str, pd.Index, str], name: str, find: Callable[[Profiles], pd.Series]
) -> np.ndarray:
    """Value of the shape that each element follows; 0 without one."""
    table, index, shape = elements
    if profiles is None:
        return np.zeros(len(index))
    known = _KNOWN.setdefault(profiles, {})
    if name not in known:
        known[name] = find(profiles)
    rows = profiles.elements[profiles.elements["element"] == table].set_index("element_id")[shape].reindex(index)
    return rows.map(known[name]).fillna(0.0).to_numpy(float)


def readings(model: Model, case: OperatingCase, sensors: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the measurement matrix and variances of the readings; a row of zeros for what carries nothing.

    A reading that arrives only at times counts as much less as makes its bus, fused with the pseudo-measurement, as uncertain as
    it is on average over time; where there is no pseudo-measurement of the same quantity, the variance is divided by the
    availability.
    """
    rows = np.zeros((len(sensors), len(model.prior)))
    variance, consumed = np.empty(len(sensors)), functools.cache(functools.partial(_consumption, model, case))
    for number, sensor in enumerate(sensors.itertuples()):
        rows[number], value, prior, stale = _reading(model, sensor, consumed)
        exact = (sensor.sd_percent / 100 * max(abs(value), 1e-4)) ** 2 + stale
        share = sensor.availability_percent / 100
        variance[number] = _seldom(exact, prior, share)
    return rows, variance


def _seldom(exact: float, prior: float | None, share: float) -> float:
    """Variance of a reading that arrives a share of the time."""
    if share <= 0:
        return np.inf
    if share >= 1:
        return exact
    if prior is None or prior <= 0:
        return exact / share
    fused = share / (1 / exact + 1 / prior) + (1 - share) * prior
    return 1 / (1 / fused - 1 / prior)


def _reading(
    model: Model, sensor: object, consumed: Callable[[str, float], pd.DataFrame]
) -> tuple[np.ndarray, float, float | None, float]:
    """Row of a sensor, the value it reads [pu], the variance of the pseudo-measurement beside it, and that of its age [pu^2]."""
    place = int(model.place.at[sensor.bus])
    if place < 0:
        return np.zeros(len(model.prior)), 0.0, None, 0.0
    if sensor.element != "bus":
        return *_branch(model, sensor), None, 0.0
    if sensor.quantity == "v":
        return model.to_v[place], model.vm[place], None, 0.0
    row, state = np.zeros(len(model.prior)), model.injection[place]
    if state < 0:
        return row, 0.0, None, 0.0  # the power of the source is the sum of all, which nothing here needs
    state += 0 if sensor.quantity == "p" else model.loads
    row[state] = 1.0
    value, stale = consumed(sensor.quantity, sensor.delay_min).loc[sensor.bus]
    return row, float(value), float(model.prior[state]), float(stale)


def _consumption(model: Model, case: OperatingCase, quantity: str, minutes: float) -> pd.DataFrame:
    """Consumption of each bus [pu] and the variance of its change over the age of a reading [pu^2]."""
    power, shape = ("p_mw", "shape_p") if quantity == "p" else ("q_mvar", "shape_q")
    found = pd.DataFrame(0.0, index=model.net.bus.index, columns=["value", "stale"])
    for table, sign in _SIGN.items():
        own = model.net[table][model.net[table]["in_service"].astype(bool)]
        rated = (case.net[table].loc[own.index, power] * own["scaling"]).to_numpy(float)
        change = lag_variance(case.profiles, table, own.index, shape, minutes=minutes)
        parts = pd.DataFrame({"value": sign * own[power] * own["scaling"], "stale": rated**2 * change})
        found = found.add(parts.groupby(own["bus"]).sum(), fill_value=0.0)
    return found / [model.base_mva, model.base_mva**2]


def _branch(model: Model, sensor: object) -> tuple[np.ndarray, float]:
    """Row and value [pu] of a reading at the end of a line or transformer."""
    found = branch_current(model, sensor.element, sensor.element_id, sensor.bus)
    if found is None:
        return np.zeros(len(model.prior)), 0.0
    current, by_state, place = found
    if sensor.quantity == "i":
        size = abs(current)
        return (np.real(np.conj(current) * by_state) / size if size > 1e-9 else np.zeros(len(model.prior))), size
    V = model.net._ppc["internal"]["V"][place]
    power = V * np.conj(current)
    change = model.to_complex[place] * np.conj(current) + V * np.conj(by_state)
    return (change.real, power.real) if sensor.quantity == "p" else (change.imag, power.imag)


def branch_current(model: Model, element: str, number: int, bus: int) -> tuple[complex, np.ndarray, int] | None:
    """Return the current into a branch at one end [pu], its change by state, and the bus there; None if it carries nothing."""
    internal = model.net._ppc["internal"]
    active = internal["branch_is"].astype(bool)
    start = model.net._pd2ppc_lookups["branch"][element][0] + model.net[element].index.get_loc(number)
    if not active[start]:
        return None
    row = int(np.cumsum(active)[start] - 1)
    ends = internal["branch"][row, [F_BUS, T_BUS]].real.astype(int)
    first = model.net[element].at[number, "from_bus" if element == "line" else "hv_bus"]
    side, name = (0, "Yf") if bus == first else (1, "Yt")
    admittance = sparse.csr_matrix(internal[name])[row].toarray().ravel()[ends]
    return complex(admittance @ internal["V"][ends]), admittance @ model.to_complex[ends], int(ends[side])


def kiloampere(model: Model, place: int) -> float:
    """Return the base current at an internal bus [kA]."""
    return model.base_mva / np.sqrt(3) / float(model.net._ppc["internal"]["bus"][place, BASE_KV].real)


def posterior(model: Model, rows: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Covariance of the states after the readings [pu^2]; that of weighted least squares with prior and readings together."""
    prior = np.diag(model.prior)
    use = np.isfinite(variance) & (np.abs(rows).max(axis=1, initial=0.0) > 0)
    if not use.any():
        return prior
    spread = np.sqrt(variance[use])
    scaled = rows[use] / spread[:, None] * np.sqrt(model.prior)  # whitened: I + H H' is well conditioned from below
    inner = np.eye(int(use.sum())) + scaled @ scaled.T
    gain = np.linalg.solve(inner, scaled)
    root = np.sqrt(model.prior)
    covariance = np.eye(len(root)) - scaled.T @ gain
    return root[:, None] * (covariance + covariance.T) / 2 * root
