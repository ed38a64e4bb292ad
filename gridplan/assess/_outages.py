"""The outage model of a study, brought to what was observed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan import performance, reliability, valuation
from gridplan.powerflow import Profiles
from gridplan.reliability import Calibration, Model, Outages, Reliability
from gridplan.study import Study

QUANTITIES = ("saifi", "saidi_min")
YEARS = 10  # of the history that count
_WITHOUT_MED = {"saifi_without_med": "saifi", "saidi_without_med_min": "saidi_min"}


def outages(study: Study, net: pandapowerNet, profiles: Profiles) -> Outages:
    """Return the outage model of a study: its tables, its limits, and a year of loads in four states.

    Parameters
    ----------
    study
        Study with the tables `outage_rates`, `restoration` and `customers`; `switchgear` and `customer_classes` if it has them.
    net, profiles
        Its network and time series, of whatever year.

    Raises
    ------
    StudyError
        A table is missing; the message says which file to add.
    """
    return Outages(
        rates=study.table("outage_rates"),
        restoration=study.table("restoration"),
        customers=study.table("customers"),
        switchgear=study.tables.get("switchgear"),
        limits=performance.limits(study.assumptions),
        loading=reliability.loading(net, profiles),
        classes=study.tables.get("customer_classes"),
    )


def observed(study: Study) -> dict[str, float]:
    """Return the mean SAIFI [1/yr] and SAIDI [min/yr] of the last ten years of the study's history; empty if it has none.

    They are those of the table `reliability_history`; without it those of the outage log, major event days left out.
    """
    history = study.tables.get("reliability_history")
    if history is None:
        log = logged(study)
        history = log.drop(columns=list(QUANTITIES)).rename(columns=_WITHOUT_MED) if len(log) else log
    if not len(history):
        return {}
    history = history[history["year"] > history["year"].max() - YEARS]
    means = {name: history[name].astype(float).mean() for name in QUANTITIES if name in history}
    return {name: float(value) for name, value in means.items() if value > 0}


def logged(study: Study) -> pd.DataFrame:
    """Return the years of the study's outage log with and without major event days; empty if it brings none.

    Parameters
    ----------
    study
        Study with the table `outage_history`, and the customers served in `customers`.

    Returns
    -------
    pd.DataFrame
        From :func:`gridplan.reliability.yearly_indices`.
    """
    log = study.tables.get("outage_history", ())
    if not len(log):
        return pd.DataFrame()
    return reliability.yearly_indices(log, float(study.table("customers")["customers"].sum()))


def calibrated(study: Study, model: Model, *, apply: bool = True) -> Calibration:
    """Scale the failure rates and times of a model so that it meets the study's history.

    Parameters
    ----------
    study
        Study with the table `reliability_history`; without one the factors are 1.
    model
        From :func:`gridplan.reliability.prepare`.
    apply
        If not, nothing is scaled.

    Returns
    -------
    Calibration
        Scaled tables, and how far they had to be scaled.
    """
    given, target = model.outages, observed(study) if apply else {}
    if not target:
        return Calibration(given.rates, given.restoration, 1.0, 1.0, pd.DataFrame())

    def found(rates: pd.DataFrame, restoration: pd.DataFrame) -> pd.Series:
        return reliability.totals(model, replace(given, rates=rates, restoration=restoration))

    return reliability.calibrate(found, given.rates, given.restoration, target)


def with_calibration(given: Outages, calibration: Calibration) -> Outages:
    """Return an outage model with calibrated rates and times."""
    return replace(given, rates=calibration.rates, restoration=calibration.restoration)


def interruption_costs(study: Study) -> valuation.CostSet:
    """Return the study's costs of interruptions, in its currency.

    Raises
    ------
    StudyError, ParameterError
        There is no table `interruption_costs`, or no exchange rate for its price year.
    """
    costs = valuation.cost_set(study.table("interruption_costs"))
    if costs.currency == study.currency:
        return costs
    return valuation.convert(costs, study.currency, study.tables.get("exchange_rates", valuation.bundled("exchange_rates")))


def cost_by_class(result: Reliability, costs: valuation.CostSet) -> pd.DataFrame:
    """Return the expected cost of interruptions by area of the fault and class of customer.

    Parameters
    ----------
    result
        From :func:`gridplan.reliability.indices`.
    costs
        From :func:`interruption_costs`.

    Returns
    -------
    pd.DataFrame
        `area`, `customer_class`, `interruption_cost_keur` [thousands of the currency a year].
    """
    events = result.events.assign(area=result.events["area"].fillna("").replace("", reliability.OUTSIDE))
    table = valuation.expected_cost(events, result.interruptions, costs, by=("area", "customer_class"))
    return table.rename(columns={"cost_k_per_yr": "interruption_cost_keur"})[["area", "customer_class", "interruption_cost_keur"]]


def given(study: Study) -> bool:
    """Return whether a study has failure rates, restoration times and costs of interruptions."""
    return all(len(study.tables.get(name, ())) for name in ("outage_rates", "restoration", "interruption_costs"))


@dataclass(frozen=True, eq=False)
class ReliabilityToday:
    """Reliability of a study as it stands.

    Parameters
    ----------
    model
        The prepared network.
    scaled
        What the history made of rates and times.
    result
        Indices with the scaled tables.
    costs
        Costs of interruptions by event.
    cost_k
        Expected cost [thousands of the currency a year].
    """

    model: Model
    scaled: Calibration
    result: Reliability
    costs: valuation.CostSet
    cost_k: float


def reliability_today(
    study: Study, net: pandapowerNet, areas: pd.DataFrame, profiles: Profiles, *, calibrate: bool = True
) -> ReliabilityToday:
    """Compute the reliability of a study as it stands, brought to its history.

    Parameters
    ----------
    study, net, areas, profiles
        Study, network, `bus` and `area`, time series of the base year.
    calibrate
        If not, rates and times are used as the tables have them.

    Returns
    -------
    ReliabilityToday

    Raises
    ------
    StudyError
        A table is missing; the message says which file to add.
    """
    model = reliability.prepare(net, outages(study, net, profiles), areas)
    scaled = calibrated(study, model, apply=calibrate)
    result = reliability.indices(model, with_calibration(model.outages, scaled))
    costs = interruption_costs(study)
    cost_k = float(valuation.expected_cost(result.events, result.interruptions, costs)["cost_k_per_yr"].sum())
    return ReliabilityToday(model, scaled, result, costs, cost_k)
