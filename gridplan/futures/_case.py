"""A network and its time series in one year of one scenario."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandapower as pp
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import ParameterError, Problem
from gridplan.futures import _curves, _profiles, _rollout
from gridplan.futures._inputs import Inputs, check
from gridplan.powerflow import Profiles
from gridplan.study import Study


@dataclass(frozen=True, eq=False)
class Case:
    """A network in one year of one scenario, ready for :func:`gridplan.powerflow.run`.

    Parameters
    ----------
    scenario, year
        Which future.
    net
        Network with the loads of that year and one new element per technology and bus; the base network is not changed.
    profiles
        Time series of the elements of `net`.
    added
        The new elements: `element`, `element_id`, `technology`, `bus`, `units`, `profile`, `rated_mw`, `peak_mw` and `peak_mvar`
        (where the profile is 1), `energy_mwh` of the year (of a storage: its losses), `capacity_mwh` (of a storage).
    """

    scenario: str
    year: int
    net: pandapowerNet
    profiles: Profiles
    added: pd.DataFrame


def case(study: Study, net: pandapowerNet, scenario: str, year: int) -> Case:
    """Network and time series of one year of one scenario.

    Loads grow with the customers at their bus; a load at a bus without customers stays as it is. Only powers change from year to
    year, so all years of a study share one admittance matrix.

    Parameters
    ----------
    study
        Study with scenarios, see :func:`check`.
    net
        Network of the base year; not changed.
    scenario, year
        Which future. In the base year every scenario is the network as it stands.

    Raises
    ------
    StudyError
        See :func:`check` and :func:`profiles`.
    ParameterError
        Scenario unknown, or year outside it.
    """
    inputs = check(study, net)
    return _build(inputs, net, _profiles.profiles(study, net), scenario=scenario, year=inputs.year(scenario, year))


def _build(inputs: Inputs, net: pandapowerNet, base: Profiles, *, scenario: str, year: int) -> Case:
    added = elements(inputs, net, base, _rollout.placed(inputs, scenario, year))
    future = pandapowerNet({key: _copied(value) for key, value in net.items()})
    factor = net.load["bus"].map(_curves.bus_growth(inputs, scenario, year)).fillna(1.0)
    for column in ("p_mw", "q_mvar"):
        future.load[column] = net.load[column] * factor
    numbers = [_create(future, element, rows) for element, rows in added.groupby("element")]  # sorted by element as `added` is
    added["element_id"] = np.concatenate([np.zeros(0, int), *numbers])
    return Case(scenario, year, future, _joined(inputs, base, added), added)


def _copied(value: object) -> object:
    return value.copy() if isinstance(value, pd.DataFrame) else copy.deepcopy(value)


def elements(inputs: Inputs, net: pandapowerNet, base: Profiles, units: pd.DataFrame) -> pd.DataFrame:
    """Elements that carry some units: one per technology and bus, with its profile, power and energy; sorted by element."""
    frame = units.groupby(["technology", "bus"], as_index=False)["units"].sum()
    frame["element"] = frame["technology"].map(inputs.technologies["element"])
    frame = frame.sort_values(["element", "technology", "bus"], ignore_index=True)
    frame["profile"] = pd.Series(_chosen(inputs, frame, _present(net, base)), dtype=object)
    pairs = frame[["technology", "profile"]].drop_duplicates()
    peaks = {pair: inputs.peak_mw(*pair) for pair in pairs.itertuples(index=False, name=None)}
    keys = list(zip(frame["technology"], frame["profile"], strict=True))
    frame["rated_mw"] = frame["units"] * frame["technology"].map(inputs.technologies["rated_kw"]).astype(float) / 1e3
    frame["peak_mw"] = frame["units"] * np.array([peaks[key] for key in keys], float)
    frame["peak_mvar"] = frame["peak_mw"] * np.tan(
        np.arccos(frame["technology"].map(inputs.technologies["cos_phi"]).astype(float))
    )
    frame["energy_mwh"] = frame["peak_mw"] * 8760 * (frame["profile"] + "_p").map(inputs.means).astype(float)
    frame["capacity_mwh"] = frame["units"] * frame["technology"].map(inputs.technologies["capacity_kwh"]).astype(float) / 1e3
    return frame


def _present(net: pandapowerNet, base: Profiles) -> pd.Series:
    """Profile that generation at a bus follows today, by bus."""
    rows = base.elements[base.elements["element"] == "sgen"]
    buses = net.sgen["bus"].reindex(rows["element_id"]).to_numpy()
    found = pd.Series(rows["shape_p"].str.removesuffix("_p").to_numpy(), index=buses)
    return found[~found.index.duplicated()]


def _chosen(inputs: Inputs, frame: pd.DataFrame, present: pd.Series) -> list[str]:
    """Profile of each element: that of the generation at its bus if the technology lists it, else the listed ones in turn."""
    names = {technology: inputs.profile_names(technology) for technology in frame["technology"].unique()}
    rows = zip(frame["technology"], frame["bus"], frame["bus"].map(present), strict=True)
    return [
        names[technology].get(own) or list(names[technology].values())[bus % len(names[technology])]
        for technology, bus, own in rows
    ]


def _create(net: pandapowerNet, element: str, rows: pd.DataFrame) -> np.ndarray:
    """Add elements to a network; `type` is the technology and `name` says where."""
    names = [f"{technology} at bus {bus}" for technology, bus in zip(rows["technology"], rows["bus"], strict=True)]
    given = {"p_mw": rows["peak_mw"].to_numpy(), "name": names, "type": rows["technology"].tolist()}
    if element == "storage":
        return pp.create_storages(net, rows["bus"].to_numpy(), max_e_mwh=rows["capacity_mwh"].to_numpy(), **given)
    create, sign = {"load": (pp.create_loads, 1.0), "sgen": (pp.create_sgens, -1.0)}[element]
    return create(net, rows["bus"].to_numpy(), q_mvar=sign * rows["peak_mvar"].to_numpy(), **given)


def _joined(inputs: Inputs, base: Profiles, added: pd.DataFrame) -> Profiles:
    """Profiles of the base year and of the new elements."""
    shape_p, shape_q = added["profile"] + "_p", added["profile"] + "_q"
    rows = added[["element", "element_id"]].assign(
        shape_p=shape_p, shape_q=shape_q.where(shape_q.isin(inputs.shapes.columns), shape_p)
    )
    used = {*rows["shape_p"], *rows["shape_q"]}
    new = inputs.shapes[[name for name in inputs.shapes if name in used and name not in base.shapes]]
    return Profiles(base.time, pd.concat([base.shapes, new], axis=1), pd.concat([base.elements, rows], ignore_index=True))


def cases(
    study: Study, net: pandapowerNet, scenarios: Iterable[str] | None = None, *, years: Iterable[int] | None = None
) -> Iterator[Case]:
    """Cases of several scenarios and years, one after the other; the tables are read and checked once.

    Parameters
    ----------
    study, net
        As for :func:`case`.
    scenarios
        Names; all of the study if not given.
    years
        Years wanted; all of each scenario if not given.

    Yields
    ------
    Case
        Scenario by scenario, year by year.
    """
    inputs, base = check(study, net), _profiles.profiles(study, net)
    for name, year in wanted(inputs, scenarios, years):
        yield _build(inputs, net, base, scenario=name, year=year)


def given(study: Study) -> bool:
    """Return whether a study names any scenario."""
    return bool(len(study.tables.get("scenarios", ())))


def horizon(study: Study, step: int = 5) -> list[int]:
    """Return the years that a study is judged at: every `step` years after the base year, and the last year of its scenarios.

    Parameters
    ----------
    study
        Study with scenarios.
    step
        Years between.

    Raises
    ------
    ParameterError
        `step` is below 1.
    """
    if step < 1:
        raise ParameterError("horizon", [Problem("step", f"{step} is below 1 [yr]")])
    last = int(study.table("scenarios")["horizon_year"].min())
    return sorted({*range(study.base_year + step, last + 1, step), last})


def wanted(inputs: Inputs, scenarios: Iterable[str] | None, years: Iterable[int] | None) -> list[tuple[str, int]]:
    """Scenarios and years asked for; all of them if not given."""
    names = list(inputs.scenarios.index if scenarios is None else scenarios)
    chosen = None if years is None else list(years)
    return [(name, inputs.year(name, year)) for name in names for year in (chosen or inputs.years(name))]


def envelope(
    study: Study, net: pandapowerNet, scenarios: Iterable[str] | None = None, *, years: Iterable[int] | None = None
) -> pd.DataFrame:
    """Extremes and energies of demand and generation, by scenario and year; no power flow, so without losses.

    Parameters
    ----------
    study, net
        As for :func:`case`.
    scenarios
        Names; all of the study if not given.
    years
        Years wanted; all of each scenario if not given.

    Returns
    -------
    pd.DataFrame
        `scenario`, `year`, `load_max_mw`, `generation_max_mw`, `net_load_max_mw`, `net_load_min_mw` (negative: more is fed in
        than used), `load_mwh`, `generation_mwh`, `reverse_hours` (with net load below zero). Batteries count in the net load
        only.
    """
    rows = [{"scenario": one.scenario, "year": one.year, **extremes(one)} for one in cases(study, net, scenarios, years=years)]
    return pd.DataFrame(rows)


def extremes(one: Case) -> dict[str, float]:
    """Row of :func:`envelope` of one case."""
    load, generation, storage = (power(one, element) for element in ("load", "sgen", "storage"))
    net_load, step_h = load - generation + storage, one.profiles.step_h
    return {
        "load_max_mw": load.max(),
        "generation_max_mw": generation.max(),
        "net_load_max_mw": net_load.max(),
        "net_load_min_mw": net_load.min(),
        "load_mwh": load.sum() * step_h,
        "generation_mwh": generation.sum() * step_h,
        "reverse_hours": float((net_load < 0).sum() * step_h),
    }


def power(one: Case, element: str) -> np.ndarray:
    """Sum of the active power of all loads, sgens or storages of a case [MW], (steps,)."""
    table = one.net[element][one.net[element]["in_service"]]
    static = table["p_mw"] * table["scaling"]
    rows = one.profiles.elements[one.profiles.elements["element"] == element]
    weights = rows.assign(p_mw=static.reindex(rows["element_id"]).fillna(0.0).to_numpy()).groupby("shape_p")["p_mw"].sum()
    constant = static[~static.index.isin(rows["element_id"])].sum()
    return one.profiles.shapes[weights.index].to_numpy() @ weights.to_numpy() + constant
