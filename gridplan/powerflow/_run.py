"""What goes into a batch of power flows, what comes out, and the run itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import ParameterError, Problem, suggest
from gridplan.powerflow import _kernel, _statistics
from gridplan.powerflow._model import DRIVEN, RATED, Model, build

METHODS = ("fixed point", "newton", "failed")
_STATIC_TIME = pd.DatetimeIndex(["2000-01-01"], name="time")
_COLUMNS = ("element", "element_id", "shape_p", "shape_q")
_BLOCK_BYTES = 2_000_000  # of one block of steps; about twice the second-level cache of common processors
_CHUNK_BYTES = 64_000_000  # of the outputs between two updates of the statistics


@dataclass(frozen=True, eq=False)
class Profiles:
    """Powers that change over time: each element's static power times a shape.

    Parameters
    ----------
    time
        Starts of the steps, equally spaced; shape (steps,).
    shapes
        Factors [1]; one column a shape, one row a step. An array gets the columns 0, 1, ...
    elements
        Columns ``element`` (load, sgen or storage), ``element_id`` (index of the pandapower table), ``shape_p`` and ``shape_q``
        (columns of `shapes`). In a step the element has ``p_mw * scaling * shape_p`` and ``q_mvar * scaling * shape_q``.
        Elements not listed keep their static power.

    Raises
    ------
    ParameterError
        With every problem found: gaps in time, NaN, wrong lengths, unknown elements or shapes, an element listed twice.
    """

    time: pd.DatetimeIndex
    shapes: pd.DataFrame
    elements: pd.DataFrame

    def __post_init__(self) -> None:
        object.__setattr__(self, "shapes", pd.DataFrame(self.shapes))
        object.__setattr__(self, "elements", pd.DataFrame(self.elements))
        problems = [*_time_problems(self.time), *_shape_problems(self.time, self.shapes)]
        problems += _element_problems(self.elements, self.shapes)
        if problems:
            raise ParameterError("profiles", problems)

    @property
    def step_h(self) -> float:
        """Length of a step [h]; one hour if there is only one step."""
        return _step_h(self.time)


@dataclass(frozen=True)
class Limits:
    """What voltages and loadings are held against.

    Parameters
    ----------
    vm_min_pu, vm_max_pu
        Voltage band [pu].
    line_loading_max_percent, trafo_loading_max_percent
        Highest loading [%] of lines, and of transformers with two or three windings.
    """

    vm_min_pu: float = 0.95
    vm_max_pu: float = 1.05
    line_loading_max_percent: float = 100.0
    trafo_loading_max_percent: float = 100.0

    def __post_init__(self) -> None:
        problems = [Problem(name, f"{value} is not above 0") for name, value in vars(self).items() if not value > 0]
        if not problems and self.vm_min_pu >= self.vm_max_pu:
            problems = [Problem("vm_min_pu", f"{self.vm_min_pu} is not below vm_max_pu ({self.vm_max_pu}) [pu]")]
        if problems:
            raise ParameterError("limits", problems)


@dataclass(frozen=True)
class Options:
    """How the power flow is set up and solved; the defaults are those of pandapower.

    Parameters
    ----------
    trafo_model
        Equivalent circuit of transformers: ``t`` or ``pi``.
    calculate_voltage_angles
        Whether the phase shift of transformers counts; ``auto`` as in pandapower.
    tolerance_pu
        Largest estimated error of the voltages [pu].
    max_iterations
        Fixed-point iterations before a step is handed to Newton-Raphson.
    block
        Steps solved side by side; chosen from the size of the network if not given.
    angles
        Whether voltage angles are kept (with ``keep='all'``).
    threads
        Threads that share the steps; one is enough unless the network is large.
    """

    trafo_model: Literal["t", "pi"] = "t"
    calculate_voltage_angles: bool | Literal["auto"] = True
    tolerance_pu: float = 1e-8
    max_iterations: int = 60
    block: int | None = None
    angles: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        problems = []
        if self.trafo_model not in {"t", "pi"}:
            problems.append(Problem("trafo_model", f"{self.trafo_model!r} is neither 't' nor 'pi'"))
        if not 0 < self.tolerance_pu < 1e-2:
            problems.append(Problem("tolerance_pu", f"{self.tolerance_pu} is not between 0 and 0.01 [pu]"))
        counts = {"max_iterations": self.max_iterations, "block": self.block, "threads": self.threads}
        problems += [Problem(name, f"{value} is below 1") for name, value in counts.items() if value is not None and value < 1]
        if problems:
            raise ParameterError("options", problems)


@dataclass(frozen=True, eq=False)
class PowerFlow:
    """Results of a batch of power flows.

    Steps without a solution are NaN throughout and ``method`` says ``failed``. Buses without supply are NaN by design and do
    not make a step fail; a line without a rating has an infinite loading.

    Parameters
    ----------
    time
        Starts of the steps, (steps,).
    steps
        One row a step, indexed by time: ``converged``, ``method``, ``iterations``, ``load_mw`` (at the voltages found),
        ``generation_mw`` (sgen and gen), ``storage_mw`` (charging counts positive), ``slack_mw`` and ``slack_mvar`` (drawn
        from the external grids), ``losses_mw`` of which ``line_losses_mw`` and ``trafo_losses_mw``, and the extremes with the
        element that has them: ``vm_min_pu, vm_min_bus, vm_max_pu, vm_max_bus, line_loading_max_percent,
        line_loading_max_line, trafo_loading_max_percent, trafo_loading_max_trafo`` and the same for ``trafo3w`` (-1 where
        there is none).
    slack_p_mw, slack_q_mvar
        (steps, external grids); the columns are ``(element, element_id)``.
    vm_pu, va_degree
        (steps, buses), float32; None if not kept.
    line_loading_percent, trafo_loading_percent, trafo3w_loading_percent
        (steps, elements), float32; None if not kept.
    statistics
        By table (``bus``, ``line``, ``trafo``, ``trafo3w``): one row an element with ``min, max, mean, min_step, max_step``
        (positions in `time`, -1: none), ``hours`` (with a value) and, if limits were given, ``hours_below`` and
        ``hours_above``. None unless ``keep='statistics'``; :func:`statistics` gives the same for either.
    limits
        Limits that the hours in `statistics` refer to.
    """

    time: pd.DatetimeIndex
    steps: pd.DataFrame
    slack_p_mw: pd.DataFrame
    slack_q_mvar: pd.DataFrame
    vm_pu: pd.DataFrame | None = None
    va_degree: pd.DataFrame | None = None
    line_loading_percent: pd.DataFrame | None = None
    trafo_loading_percent: pd.DataFrame | None = None
    trafo3w_loading_percent: pd.DataFrame | None = None
    statistics: dict[str, pd.DataFrame] | None = field(default=None, repr=False)
    limits: Limits | None = None

    @property
    def converged(self) -> np.ndarray:
        """Whether each step has a solution; bool, (steps,)."""
        return self.steps["converged"].to_numpy()

    @property
    def step_h(self) -> float:
        """Length of a step [h]."""
        return _step_h(self.time)


def run(
    net: pandapowerNet,
    profiles: Profiles | None = None,
    *,
    keep: Literal["all", "statistics"] = "all",
    limits: Limits | None = None,
    options: Options | None = None,
) -> PowerFlow:
    """Power flows of one topology over many time steps.

    pandapower builds the admittance matrix once. All steps are solved by a fixed-point current injection on one shared
    factorisation; steps that do not converge, and networks with voltage-controlled generators, by Newton-Raphson.

    Parameters
    ----------
    net
        Network; not changed.
    profiles
        Powers over time; None is one step, the network as it stands.
    keep
        ``all`` voltages and loadings of every step, or only ``statistics`` of each element, for which memory stays bounded.
    limits
        Needed with ``keep='statistics'`` if hours outside limits are wanted.
    options
        How to solve; pandapower's defaults.

    Raises
    ------
    ParameterError
        A profile belongs to an element that is not in the network, or `keep` is unknown.
    NetworkError
        pandapower cannot build the network, or it holds what a batch cannot represent (FACTS, HVDC, distributed slack).
    NotConverged
        The admittance matrix is singular. Steps that do not converge raise nothing: see `PowerFlow.steps`.

    Examples
    --------
    >>> import pandapower.networks
    >>> result = run(pandapower.networks.case4gs())
    >>> bool(result.converged.all())
    True
    """
    options = options or Options()
    if keep not in {"all", "statistics"}:
        raise ParameterError("run", [Problem("keep", f"{keep!r} is unknown; {suggest(keep, ['all', 'statistics'])}")])
    _check_elements(net, profiles)
    model = build(net, profiles, options)
    time, shapes = (_STATIC_TIME, np.zeros((0, 1))) if profiles is None else (profiles.time, _by_shape(profiles.shapes))
    return outcome(model, time, shapes, (keep, limits, options))


def outcome(
    model: Model,
    time: pd.DatetimeIndex,
    shapes: np.ndarray,
    how: tuple[Literal["all", "statistics"], Limits | None, Options],
) -> PowerFlow:
    """Power flows of a model that is built, see :func:`run`; `shapes` (shapes, steps)."""
    keep, limits, options = how
    if keep == "all":
        readings = _solve(model, shapes, options)
        _blank(model, readings)
        return PowerFlow(time, **_series(model, time, shapes, readings), **_frames(model, time, readings), limits=limits)
    tally = _statistics.Tally(thresholds(model.elements, limits))
    parts = []
    for start, part in _chunks(model, shapes):
        readings = _solve(model, part, options)
        _blank(model, readings)
        tally.add(readings.vm, readings.loading, start)
        parts.append(_series(model, time[start : start + part.shape[1]], part, readings))
    joined = {name: pd.concat([part[name] for part in parts]) for name in parts[0]}
    tables = tally.tables(model.elements, _step_h(time), limited=limits is not None)
    return PowerFlow(time, **joined, statistics=tables, limits=limits)


def _by_shape(shapes: pd.DataFrame) -> np.ndarray:
    return np.ascontiguousarray(shapes.to_numpy(float).T)


def _chunks(model: Model, shapes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Cut the steps into parts whose outputs stay below a fixed size."""
    width = 4 * (len(model.elements["bus"]) + len(model.idle) + 40)
    length = max(64, _CHUNK_BYTES // width)
    for start in range(0, shapes.shape[1], length):
        yield start, np.ascontiguousarray(shapes[:, start : start + length])


def _solve(model: Model, shapes: np.ndarray, options: Options) -> _kernel.Readings:
    """Run the kernel over the steps of `shapes` (shapes, steps)."""
    steps, buses = shapes.shape[1], len(model.elements["bus"])
    slack = model.slack.shape[1]
    out = _kernel.Readings(
        vm=np.empty((buses, steps), np.float32),
        va=np.empty((buses if options.angles else 0, steps), np.float32),
        loading=np.empty((len(model.idle), steps), np.float32),
        losses=np.empty((3, steps)),
        slack_p=np.empty((slack, steps)),
        slack_q=np.empty((slack, steps)),
        demand=np.empty(steps),
        extreme=np.empty((5, steps), np.float32),
        extreme_at=np.empty((5, steps), np.int64),
        method=np.empty(steps, np.int64),
        iterations=np.empty(steps, np.int64),
    )
    how = (width(model, options), options.tolerance_pu, options.max_iterations)
    given = (model.grid, model.demand, model.meters, shapes, out)
    if options.threads == 1:
        _kernel.solve(*given, (0, steps, *how))
        return out
    ends = np.linspace(0, steps, options.threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(options.threads) as pool:  # the kernel lets go of the interpreter; every thread has its own steps
        parts = [pool.submit(_kernel.solve, *given, (*span, *how)) for span in pairwise(ends)]
    for part in parts:
        part.result()
    return out


def width(model: Model, options: Options) -> int:
    """Count the steps that a block holds side by side; whole cache lines of each bus."""
    return options.block or int(np.clip(_BLOCK_BYTES // (48 * max(1, model.grid.start.size)) // 16 * 16, 16, 128))


def _blank(model: Model, out: _kernel.Readings) -> None:
    """Fill in what the kernel leaves open: dead buses, idle elements, and all of a failed step."""
    for array in (out.vm, out.va):
        if len(array):
            array[model.meters.bus < 0] = np.nan
    idle = np.flatnonzero(np.diff(model.meters.row_ptr)[:-1] == 0)
    out.loading[idle] = model.idle[idle, None]
    failed = out.method == _kernel.FAILED
    out.extreme[out.extreme_at < 0] = np.nan
    if failed.any():
        for array in (out.vm, out.va, out.loading, out.losses, out.slack_p, out.slack_q, out.extreme):
            array[:, failed] = np.nan
        out.demand[failed] = np.nan
        out.extreme_at[:, failed] = -1


def _series(model: Model, time: pd.DatetimeIndex, shapes: np.ndarray, out: _kernel.Readings) -> dict[str, pd.DataFrame]:
    """Tables with one row a step."""
    failed = out.method == _kernel.FAILED
    _, sgen, storage = (shapes.T @ model.driven[:-1] + model.driven[-1]).T
    losses, demand = out.losses * model.base_mva, out.demand * model.base_mva
    slack = [(model.slack @ power).T * model.base_mva for power in (out.slack_p, out.slack_q)]
    table = {
        "converged": ~failed,
        "method": pd.Categorical.from_codes(out.method, METHODS),
        "iterations": out.iterations,
        "load_mw": demand + sgen - storage,
        "generation_mw": np.where(failed, np.nan, sgen + model.generation_mw),
        "storage_mw": np.where(failed, np.nan, storage),
        "slack_mw": slack[0].sum(axis=1),
        "slack_mvar": slack[1].sum(axis=1),
        "losses_mw": losses.sum(axis=0),
        "line_losses_mw": losses[0],
        "trafo_losses_mw": losses[1],
        **_extremes(model, out),
    }
    frames = [pd.DataFrame(power, index=time, columns=model.slack_names) for power in slack]
    return {"steps": pd.DataFrame(table, index=time), "slack_p_mw": frames[0], "slack_q_mvar": frames[1]}


def _extremes(model: Model, out: _kernel.Readings) -> dict[str, np.ndarray]:
    """Extremes of each step and the element that has them."""
    bus = model.elements["bus"].to_numpy()
    names = [("vm_min_pu", "vm_min_bus", bus), ("vm_max_pu", "vm_max_bus", bus)]
    rated = np.concatenate([model.elements[element].to_numpy(np.int64) for element in RATED])
    names += [(f"{element}_loading_max_percent", f"{element}_loading_max_{element}", rated) for element in RATED]
    table = {}
    for row, (value, element, index) in enumerate(names):
        at = out.extreme_at[row]
        table[value] = -out.extreme[row] if row == 0 else out.extreme[row]
        table[element] = np.where(at < 0, -1, index[np.maximum(at, 0)] if len(index) else -1)
    return table


def _frames(model: Model, time: pd.DatetimeIndex, out: _kernel.Readings) -> dict[str, pd.DataFrame]:
    """Tables with one column an element; views on the arrays of the kernel."""

    def frame(values: np.ndarray, element: str) -> pd.DataFrame:
        return pd.DataFrame(values.T, index=time, columns=model.elements[element], copy=False)

    ends = np.cumsum([len(model.elements[element]) for element in RATED])[:-1]
    tables = {"vm_pu": frame(out.vm, "bus")}
    if len(out.va):
        tables["va_degree"] = frame(out.va, "bus")
    parts = zip(RATED, np.split(out.loading, ends), strict=True)
    return tables | {f"{element}_loading_percent": frame(part, element) for element, part in parts}


def thresholds(elements: dict[str, pd.Index], limits: Limits | None) -> np.ndarray:
    """Lower and upper threshold of every bus, then of every rated element; shape (elements, 2)."""
    count = {name: len(index) for name, index in elements.items()}
    nothing = (-np.inf, np.inf)
    bus = (limits.vm_min_pu, limits.vm_max_pu) if limits else nothing
    line = (-np.inf, limits.line_loading_max_percent) if limits else nothing
    trafo = (-np.inf, limits.trafo_loading_max_percent) if limits else nothing
    rows = [bus] * count["bus"] + [line] * count["line"] + [trafo] * (count["trafo"] + count["trafo3w"])
    return np.array(rows, dtype=float).reshape(-1, 2)


def _step_h(time: pd.DatetimeIndex) -> float:
    return (time[1] - time[0]) / pd.Timedelta(hours=1) if len(time) > 1 else 1.0


def _time_problems(time: pd.DatetimeIndex) -> Iterator[Problem]:
    if not isinstance(time, pd.DatetimeIndex) or not len(time):
        yield Problem("time", f"{type(time).__name__} is not a DatetimeIndex with at least one step")
        return
    if time.hasnans:
        yield Problem("time", "holds NaT", row=int(np.flatnonzero(time.isna())[0]))
        return
    gaps = np.diff(time.asi8)
    odd = np.flatnonzero((gaps != gaps[0]) | (gaps <= 0)) if len(gaps) else gaps
    if len(odd):
        step = pd.Timedelta(gaps[0], unit=time.unit)
        remedy = "fill the gap or resample; local time with daylight saving has one gap and one repetition"
        yield Problem("time", f"{time[odd[0] + 1]} does not follow {time[odd[0]]} by {step}", remedy=remedy)


def _shape_problems(time: pd.DatetimeIndex, shapes: pd.DataFrame) -> Iterator[Problem]:
    if len(shapes) != len(time):
        yield Problem("shapes", f"{len(shapes)} rows for {len(time)} steps of time")
    for name in shapes.columns[shapes.columns.duplicated()].unique():
        yield Problem("shapes", "appears twice", column=str(name))
    if all(map(pd.api.types.is_numeric_dtype, shapes.dtypes)) and np.isfinite(shapes.to_numpy(float)).all():
        return
    for position, name in enumerate(shapes.columns):
        values = shapes.iloc[:, position]
        if not pd.api.types.is_numeric_dtype(values):
            yield Problem("shapes", f"{values.dtype} is not a number", column=str(name))
            continue
        bad = np.flatnonzero(~np.isfinite(values.to_numpy(float)))
        if len(bad):
            yield Problem(
                "shapes", f"{len(bad)} values are missing or infinite, the first at {time[bad[0] :][:1]}", column=str(name)
            )


def _element_problems(elements: pd.DataFrame, shapes: pd.DataFrame) -> Iterator[Problem]:
    missing = [name for name in _COLUMNS if name not in elements]
    if missing:
        yield from (Problem("elements", "missing", column=name) for name in missing)
        return
    for element in elements.loc[~elements["element"].isin(list(DRIVEN)), "element"].unique():
        yield Problem("elements", f"'{element}' cannot follow a profile; {suggest(element, DRIVEN)}", column="element")
    for row, (element, number) in elements.loc[
        elements.duplicated(["element", "element_id"]), ["element", "element_id"]
    ].iterrows():
        yield Problem("elements", f"{element} {number} is listed twice (entry {row})")
    for column in ("shape_p", "shape_q"):
        for name in elements.loc[~elements[column].isin(shapes.columns), column].unique():
            yield Problem("elements", f"'{name}' is no shape; {suggest(name, shapes.columns)}", column=column)


def _check_elements(net: pandapowerNet, profiles: Profiles | None) -> None:
    if profiles is None:
        return
    problems = []
    for element, numbers in profiles.elements.groupby("element")["element_id"]:
        unknown = numbers[~numbers.isin(net[element].index)]
        problems += [Problem("profiles.elements", f"{element} {number} is not in the network") for number in unknown]
    if problems:
        raise ParameterError("profiles", problems)
