"""The restoration group: every combination of its applications on one network, none of them worse than with fewer applications.

A further remotely controlled switch may make the choice of transfers worse where the ties' capacity binds: more can be asked of a
tie, and the nearest is served first. In service, an operator leaves such a switch alone. So in every area an option is operated
like the best of the options inside it; an option never loses more customer minutes than a smaller one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from gridplan import reliability
from gridplan.applications._case import OperatingCase
from gridplan.errors import ParameterError, Problem, suggest
from gridplan.powerflow import Profiles
from gridplan.reliability import OUTSIDE, Model, Outages
from gridplan.valuation import CostSet

ORDER = ("fault_indicators", "remote_control", "flisr", "outage_prediction", "predictive_maintenance")
"""Order in which applications are put in service: FLISR automates what is remotely controlled by then."""
ALL = "all"
"""Name of the whole network among the areas."""
NONE = "none"
"""Option with nothing in service."""

Put = Callable[[OperatingCase], OperatingCase]
_TABLES = ("rates", "restoration", "switchgear")
_PER_CUSTOMER = ["saifi", "saidi_min", "maifi_e", "planned_saidi_min"]
_SUMMED = ["customers", "ens_mwh", "interruption_cost_keur"]

__all__ = ["ALL", "NONE", "ORDER", "OUTSIDE", "case_of", "evaluate", "in_service"]


def case_of(model: Model, outages: Outages | None = None) -> OperatingCase:
    """Operating case for applications that only change the outage model; it has no powers over time.

    Parameters
    ----------
    model, outages
        As for :func:`gridplan.reliability.indices`.
    """
    time = pd.DatetimeIndex(["2000-01-01"], name="time")  # profiles have at least one step
    elements = pd.DataFrame(columns=["element", "element_id", "shape_p", "shape_q"])
    nothing = Profiles(time, pd.DataFrame(index=time), elements)
    return OperatingCase(model.net, nothing, model.areas, outages=outages or model.outages)


def in_service(model: Model, outages: Outages | None, option: str, put: Mapping[str, Put]) -> Outages:
    """Outage model with the applications of an option in service, one after the other in :data:`ORDER`.

    Parameters
    ----------
    model, outages
        The state to start from, as for :func:`gridplan.reliability.indices`.
    option
        Names of applications joined by ``+``, or ``none``.
    put
        What each application does to a case, by its name.

    Raises
    ------
    ParameterError
        The option holds an application that is not in `put`.
    """
    return _Outages(model, outages, put)[_members([option], put)[0]]


def evaluate(
    model: Model,
    outages: Outages | None,
    put: Mapping[str, Put],
    costs: CostSet,
    *,
    options: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Reliability and cost of interruptions of options, by area.

    Parameters
    ----------
    model, outages
        The state to start from, as for :func:`gridplan.reliability.indices`.
    put
        What each application does to a case, by its name in :data:`ORDER`.
    costs
        Set of costs of interruptions.
    options
        Names of applications joined by ``+``, or ``none``; every combination of `put` if not given. The result of one is the same
        in any company.

    Returns
    -------
    pd.DataFrame
        One row an option and area, and for the whole network the area ``all``: `option`, `area` (of the customers),
        `customers` [1], `saifi` [1/yr], `saidi_min` [min/yr], `maifi_e` [1/yr], `ens_mwh` [MWh/yr], `planned_saidi_min` [min/yr]
        (which the others leave out), `interruption_cost_keur` [thousands of the currency of the set a year], `operated_as` (the
        option inside it as which the area is operated; empty for the whole network).

    Raises
    ------
    ParameterError
        An option holds an unknown application, or a class of customers has no costs.

    Notes
    -----
    A fault interrupts the customers of its own area only, but for faults in the substation, so areas can be operated apart. Of
    the options inside one, that with the fewest customer minutes of the area counts, the largest of equals; other columns may
    then be slightly worse than with a smaller option.
    """
    chosen = _members([*_names(put)] if options is None else list(options), put)
    found = _Outages(model, outages, put)
    inside = sorted({part for option in chosen for part in _subsets(option)}, key=len)
    known: dict[tuple[int, ...], pd.DataFrame] = {}
    best: dict[tuple[str, ...], pd.DataFrame] = {}
    for option in inside:
        own = found[option]
        key = tuple(id(getattr(own, table)) for table in _TABLES)
        if key not in known:
            known[key] = _by_area(model, own, costs)
        rows = known[key].assign(option=_name(option), operated_as=_name(option))
        smaller = itertools.combinations(option, len(option) - 1) if option else ()
        best[option] = _least([rows, *(best[less] for less in smaller)])
    return pd.concat([_with_total(best[option], _name(option)) for option in chosen], ignore_index=True)


class _Outages:
    """Outage models by option; equal tables are one object, so that the model need not evaluate them again."""

    def __init__(self, model: Model, outages: Outages | None, put: Mapping[str, Put]) -> None:
        self.put = put
        self.start = outages or model.outages
        self.cases = {(): case_of(model, self.start)}
        self.tables: dict[str, list[pd.DataFrame]] = {}
        self._shared(self.start)

    def __getitem__(self, option: tuple[str, ...]) -> Outages:
        if option not in self.cases:
            self[option[:-1]]  # the applications before the last
            case = self.put[option[-1]](self.cases[option[:-1]])
            self.cases[option] = replace(case, outages=self._shared(case.outages))
        return self.cases[option].outages

    def _shared(self, own: Outages) -> Outages:
        return replace(self.start, **{name: self._first(name, getattr(own, name)) for name in _TABLES})

    def _first(self, name: str, table: pd.DataFrame | None) -> pd.DataFrame | None:
        """Return the first of the tables that equal one."""
        shelf = self.tables.setdefault(name, [])
        for other in shelf:
            if other is table or (table is not None and other is not None and other.equals(table)):
                return other
        shelf.append(table)
        return table


def _names(put: Mapping[str, Put]) -> list[str]:
    return [_name(subset) for subset in _subsets([name for name in ORDER if name in put])]


def _name(option: Iterable[str]) -> str:
    return "+".join(option) or NONE


def _subsets(option: Iterable[str]) -> Iterable[tuple[str, ...]]:
    members = list(option)
    return itertools.chain.from_iterable(itertools.combinations(members, size) for size in range(len(members) + 1))


def _members(options: list[str], put: Mapping[str, Put]) -> list[tuple[str, ...]]:
    """Applications of each option in the order in which they are put in service."""
    asked = [() if option == NONE else tuple(option.split("+")) for option in options]
    unknown = dict.fromkeys(name for option in asked for name in option if name not in put or name not in ORDER)
    known = [name for name in ORDER if name in put]
    problems = [Problem("options", f"'{name}' is no application to put in service; {suggest(name, known)}") for name in unknown]
    if problems:
        raise ParameterError("options of the restoration group", problems)
    return [tuple(name for name in ORDER if name in option) for option in asked]


def _by_area(model: Model, outages: Outages, costs: CostSet) -> pd.DataFrame:
    result = reliability.indices(model, outages)
    cost = reliability.customer_costs(result, costs).groupby("area")["interruption_cost_keur"].sum()
    table = result.by_area[["area", "customers", "saifi", "saidi_min", "maifi_e", "ens_mwh", "planned_saidi_min"]]
    return table.assign(interruption_cost_keur=cost.reindex(table["area"]).to_numpy(float)).replace({"area": {"": OUTSIDE}})


def _least(candidates: list[pd.DataFrame]) -> pd.DataFrame:
    """For each area the row with the fewest minutes, the first of equals; named as the first table is."""
    own = candidates[0]
    choice = np.argmin(np.round([table["saidi_min"].to_numpy(float) for table in candidates], 9), axis=0)
    if not choice.any():
        return own
    rows = [candidates[which].iloc[[place]] for place, which in enumerate(choice)]
    return pd.concat(rows, ignore_index=True).assign(option=own["option"])


def _with_total(rows: pd.DataFrame, option: str) -> pd.DataFrame:
    """Rows of an option with one for the whole network before them."""
    share = rows["customers"] / rows["customers"].sum()
    total = {"option": option, "area": ALL, "operated_as": ""}
    total |= {name: float((share * rows[name]).sum()) for name in _PER_CUSTOMER}
    total |= {name: float(rows[name].sum()) for name in _SUMMED}
    columns = ["option", "area", "customers", "saifi", "saidi_min", "maifi_e", "ens_mwh", "planned_saidi_min"]
    return pd.concat([pd.DataFrame([total]), rows], ignore_index=True)[[*columns, "interruption_cost_keur", "operated_as"]]
