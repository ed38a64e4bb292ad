"""What is connected, how it is controlled, and what it is held against."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from gridplan import powerflow, tables
from gridplan.errors import ParameterError, Problem, suggest

KINDS = ("generation", "load")
REACTIVE = ("absorbing", "injecting")
_FULL_VAR_POWER = 0.2  # active power [pu] from which a DER must offer its full reactive power, IEEE 1547-2018 clause 5.2
_NO_VAR_POWER = 0.05  # and below which it need offer none

Curve = str | Sequence[tuple[float, float]] | None


@dataclass(frozen=True)
class Averaged:
    """Limits on averages over time, beside the momentary ones.

    Parameters
    ----------
    vm_min_pu, vm_max_pu
        Band [pu] of the mean voltages over `voltage_window_min` [min], of which `voltage_share_percent` [%] in each week must
        lie inside it. The defaults follow EN 50160: 95 % of the 10-minute means of a week within 10 % of nominal voltage. A
        step longer than the window stands for its own mean.
    line_loading_max_percent, trafo_loading_max_percent
        Highest mean loading [%] over any `loading_window_h` [h]; windows follow one another from the start of the week.
    """

    vm_min_pu: float = 0.90
    vm_max_pu: float = 1.10
    voltage_window_min: float = 10.0
    voltage_share_percent: float = 95.0
    line_loading_max_percent: float = 100.0
    trafo_loading_max_percent: float = 100.0
    loading_window_h: float = 1.0

    def __post_init__(self) -> None:
        problems = [Problem(name, f"{value} is not above 0") for name, value in vars(self).items() if not value > 0]
        if not problems and self.vm_min_pu >= self.vm_max_pu:
            problems.append(Problem("vm_min_pu", f"{self.vm_min_pu} is not below vm_max_pu ({self.vm_max_pu}) [pu]"))
        if self.voltage_share_percent > 100:
            problems.append(Problem("voltage_share_percent", f"{self.voltage_share_percent} is above 100 [%]"))
        if problems:
            raise ParameterError("averaged limits", problems)


@dataclass(frozen=True)
class Limits:
    """What ends the capacity.

    Parameters
    ----------
    momentary
        Voltage band and loadings that hold in every step.
    voltage_change_max_pu
        Largest change of any bus voltage [pu] that the new plants may cause in a step; None: no limit.
    reverse_flow_max_mw
        Highest power [MW] that the network may return to the external grids together; None: no limit.
    curtailment_max_percent
        Highest share [%] of the energy available that volt-watt and an export limit may cut; None: no limit. The default is
        the share that network operators may plan with in Germany (EnWG section 11 (2), per plant and year).
    averaged
        Limits on averages over time; None: the momentary limits alone count.
    """

    momentary: powerflow.Limits = field(default_factory=powerflow.Limits)
    voltage_change_max_pu: float | None = None
    reverse_flow_max_mw: float | None = None
    curtailment_max_percent: float | None = 3.0
    averaged: Averaged | None = None

    def __post_init__(self) -> None:
        names = ("voltage_change_max_pu", "reverse_flow_max_mw", "curtailment_max_percent")
        values = {name: getattr(self, name) for name in names}
        problems = [Problem(name, f"{v} is below 0 or no number") for name, v in values.items() if v is not None and not v >= 0]
        if problems:
            raise ParameterError("hosting limits", problems)


@dataclass(frozen=True)
class Control:
    """Reactive and active power of a plant, by fixed power factor or by the voltage at its bus.

    Parameters
    ----------
    power_factor
        cos phi in (0, 1]; without effect under volt-var.
    reactive
        Which way: ``absorbing`` reactive power (under-excited generation, an inductive load: lowers the voltage) or
        ``injecting`` it (raises the voltage). The same words for generation and load.
    volt_var
        ``A`` or ``B`` for the default curve of that category of IEEE 1547-2018 (see :func:`curves`), or points (voltage [pu],
        reactive power as a share of rated apparent power [1], injection positive). The capability falls in proportion
        below 20 % of active power and is nothing below 5 %, the least that the standard asks for.
    volt_watt
        ``A`` or ``B``, or points (voltage [pu], highest active power as a share of the rated one [1]).
    apparent_pu
        Rated apparent power per rated active power [1]. None: just enough for all active and all reactive power at once;
        with less, active power yields to reactive power.
    """

    power_factor: float = 1.0
    reactive: Literal["absorbing", "injecting"] = "absorbing"
    volt_var: Curve = None
    volt_watt: Curve = None
    apparent_pu: float | None = None

    def __post_init__(self) -> None:
        problems = []
        if not 0 < self.power_factor <= 1:
            problems.append(Problem("power_factor", f"{self.power_factor} is not above 0 and at most 1"))
        if self.reactive not in REACTIVE:
            problems.append(Problem("reactive", f"{self.reactive!r} is unknown; {suggest(self.reactive, REACTIVE)}"))
        if self.apparent_pu is not None and not self.apparent_pu >= 1:
            problems.append(Problem("apparent_pu", f"{self.apparent_pu} is below 1"))
        for name in ("volt_var", "volt_watt"):
            problems += _curve_problems(name, getattr(self, name))
        if problems:
            raise ParameterError("control", problems)

    @property
    def follows_voltage(self) -> bool:
        """Whether the power depends on the voltage."""
        return self.volt_var is not None or self.volt_watt is not None

    @property
    def mvar_per_mw(self) -> float:
        """Reactive power absorbed per active power at fixed power factor; negative if injecting."""
        ratio = float(np.sqrt(1.0 / self.power_factor**2 - 1.0))
        return ratio if self.reactive == "absorbing" else -ratio


@dataclass(frozen=True, eq=False)
class Connection:
    """What is connected.

    Parameters
    ----------
    kind
        ``generation`` or ``load`` (electric vehicles, heat pumps).
    control
        Reactive power, and active power by voltage; curves are for generation only.
    shape
        Power per unit of the rated power [1] by step of the profiles, (steps,); a frame has one column a technology. None:
        rated power throughout.
    export_limit_mw
        Highest power [MW] that a connection may feed into the network: what the plants at a bus generate less what the loads
        at that bus consume in the step. One number, or a number by bus (buses not named have no limit). None: no limit.
    """

    kind: Literal["generation", "load"] = "generation"
    control: Control = field(default_factory=Control)
    shape: pd.DataFrame | pd.Series | np.ndarray | None = None
    export_limit_mw: float | Mapping[int, float] | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.kind not in KINDS:
            problems.append(Problem("kind", f"{self.kind!r} is unknown; {suggest(self.kind, KINDS)}"))
        if self.kind == "load" and self.control.follows_voltage:
            problems.append(
                Problem("control", "volt-var and volt-watt are for generation", remedy="use a power factor for a load")
            )
        if self.kind == "load" and self.export_limit_mw is not None:
            problems.append(Problem("export_limit_mw", "a load exports nothing", remedy="leave it out"))
        given = self.export_limit_mw
        limits = given if isinstance(given, Mapping) else {} if given is None else {None: given}
        for bus, value in limits.items():
            if not value >= 0:
                where = "export_limit_mw" if bus is None else f"export_limit_mw, bus {bus}"
                problems.append(Problem(where, f"{value} is below 0 or no number [MW]"))
        problems += _shape_problems(self.shape)
        if problems:
            raise ParameterError("connection", problems)

    @property
    def shapes(self) -> pd.DataFrame | None:
        """The shapes as a frame, one column a technology."""
        return None if self.shape is None else pd.DataFrame(self.shape)


@dataclass(frozen=True)
class Options:
    """How the search runs.

    Parameters
    ----------
    upper_mw
        Largest size tried [MW]; None: the rated power of the transformers with the highest primary voltage together.
    resolution_mw
        Step of the answer [MW].
    powerflow
        Options of the power flow.
    """

    upper_mw: float | None = None
    resolution_mw: float = 0.001
    powerflow: powerflow.Options = field(default_factory=powerflow.Options)

    def __post_init__(self) -> None:
        given = {"upper_mw": self.upper_mw, "resolution_mw": self.resolution_mw}
        bad = {n: v for n, v in given.items() if v is not None and not (v > 0 and np.isfinite(v))}
        if bad:
            raise ParameterError("hosting options", [Problem(n, f"{v} is not a number above 0 [MW]") for n, v in bad.items()])


def curves() -> pd.DataFrame:
    """Default volt-var and volt-watt curves of IEEE 1547-2018.

    Returns
    -------
    pd.DataFrame
        ``curve`` (volt-var, volt-watt), ``category`` (A, B), ``point``, ``vm_pu`` [pu], ``value_pu`` (share of rated apparent
        power, injection positive; or of rated active power), ``source``, ``evidence``.
    """
    return tables.bundled("gridplan.hosting", "curves", missing=True)


def points(name: str, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Voltages and values of a curve; a category stands for its default curve."""
    if isinstance(curve, str):
        return _default_points(name, curve)
    given = np.asarray(curve, dtype=float)
    return given[:, 0], given[:, 1]


@functools.cache
def _default_points(name: str, category: str) -> tuple[np.ndarray, np.ndarray]:
    table = curves()
    rows = table[(table["curve"] == name.replace("_", "-")) & (table["category"] == category)]
    return rows["vm_pu"].to_numpy(), rows["value_pu"].to_numpy()


def capability(active_pu: np.ndarray) -> np.ndarray:
    """Share of the reactive power that a DER offers at an active power [pu of the rated one]."""
    return np.where(active_pu < _NO_VAR_POWER, 0.0, np.minimum(active_pu / _FULL_VAR_POWER, 1.0))


def _curve_problems(name: str, curve: Curve) -> list[Problem]:
    if curve is None:
        return []
    if isinstance(curve, str):
        known = sorted(curves()["category"].unique())
        return [] if curve in known else [Problem(name, f"{curve!r} is no category; {suggest(curve, known)}")]
    given = np.asarray(curve, dtype=float)
    if given.ndim != 2 or given.shape[1] != 2 or len(given) < 2 or not np.isfinite(given).all():
        return [Problem(name, "needs at least two points (voltage [pu], value [1])")]
    if (np.diff(given[:, 0]) < 0).any() or (np.diff(given[:, 1]) > 0).any():
        return [Problem(name, "rises, or its voltages do not increase; a curve must fall with voltage to have a settled state")]
    low, high = (-1.0, 1.0) if name == "volt_var" else (0.0, 1.0)
    if (given[:, 1] < low).any() or (given[:, 1] > high).any():
        return [Problem(name, f"has values outside {low:g} to {high:g}")]
    return []


def _shape_problems(shape: object) -> list[Problem]:
    if shape is None:
        return []
    values = pd.DataFrame(shape).to_numpy(dtype=float)
    if not np.isfinite(values).all():
        return [Problem("shape", "holds missing or infinite values")]
    return [] if (values >= 0).all() else [Problem("shape", "holds values below 0", remedy="a shape is a share of rated power")]


CONTROLS = {
    "power factor 1": Control(),
    "power factor 0.95, absorbing": Control(power_factor=0.95),
    "volt-var, IEEE 1547-2018 category B": Control(volt_var="B"),
}
"""What inverters are commonly set to, in words."""
