"""What things cost and what they are worth: interruptions, benefits, projects, cost tests, rates.

Costs of interruptions. A *set* of costs comes from one survey or regulation: costs by customer class and duration, all on one
basis (per event, per average kW, per peak kW, per unserved kWh), in one currency and at one price level. :func:`cost_set` takes
one out of a table and refuses a mixture; :func:`unit_cost` reads it at any duration; :func:`interruption_cost` and
:func:`expected_cost` apply it to the events of a reliability model. The price level moves only with :func:`escalate` and a table
of price indices, the currency only with :func:`convert` and a table of exchange rates of that year. The costs are evaluated event
by event and never on an annual mean: they are not linear in the duration, and an interruption that automation shortens to a
momentary one still costs something.

Benefits. :func:`benefits` turns the physical results of options (`metrics`) into money by stream and year, against the option
with nothing in service, with dated prices (:func:`price_paths`). What failed is an error or is left out by name, never a
benefit of nought. What the physics cannot show is declared with its source (:func:`declared`) and stays apart.

Money over time. :func:`flat`, :func:`schedule` and :func:`discount` give discount rates with base year and time of payment;
:func:`present_value`, :func:`irr` (every root), :func:`payback` and :func:`appraise` judge flows; :func:`project_economics` gives
what projects cost with replacement and residual value; :func:`cost_tests` sees the same flows as the utility, all, society, those
who pay and those who take part see them; :func:`revenue_requirement` and :func:`rates_impact` say what customers pay.

Only tables are read here; no network is needed.
"""

from gridplan.valuation._appraisal import InternalRates, appraise, equivalent_annual, irr, payback, present_value
from gridplan.valuation._benefits import (
    DEFERRALS,
    STREAMS,
    TRANSFERS,
    Capital,
    benefits,
    by_option,
    capital,
    in_service,
    unavailable,
)
from gridplan.valuation._cost_tests import cost_test_streams, cost_tests, ratepayer_savings, streams
from gridplan.valuation._declared import declared
from gridplan.valuation._discount import (
    TIMINGS,
    Discount,
    annuity_factor,
    capital_recovery,
    discount,
    discount_factors,
    flat,
    inflate,
    nominal,
    nominal_rate,
    real_rate,
    schedule,
)
from gridplan.valuation._interruptions import FAULTS, expected_cost, interruption_cost
from gridplan.valuation._money import convert, escalate
from gridplan.valuation._prices import ROLES, Money, price_paths
from gridplan.valuation._projects import (
    COSTS,
    RESIDUALS,
    asset_flows,
    plant_additions,
    present_by,
    project_economics,
    project_flows,
    total_by_year,
)
from gridplan.valuation._regulation import Regulation, rates_impact, regulation, revenue_requirement
from gridplan.valuation._sets import PER_KW, CostSet, bundled, cost_set, sets, unit_cost

__all__ = [
    "COSTS",
    "DEFERRALS",
    "FAULTS",
    "PER_KW",
    "RESIDUALS",
    "ROLES",
    "STREAMS",
    "TIMINGS",
    "TRANSFERS",
    "Capital",
    "CostSet",
    "Discount",
    "InternalRates",
    "Money",
    "Regulation",
    "annuity_factor",
    "appraise",
    "asset_flows",
    "benefits",
    "bundled",
    "by_option",
    "capital",
    "capital_recovery",
    "convert",
    "cost_set",
    "cost_test_streams",
    "cost_tests",
    "declared",
    "discount",
    "discount_factors",
    "equivalent_annual",
    "escalate",
    "expected_cost",
    "flat",
    "in_service",
    "inflate",
    "interruption_cost",
    "irr",
    "nominal",
    "nominal_rate",
    "payback",
    "plant_additions",
    "present_by",
    "present_value",
    "price_paths",
    "project_economics",
    "project_flows",
    "ratepayer_savings",
    "rates_impact",
    "real_rate",
    "regulation",
    "revenue_requirement",
    "schedule",
    "sets",
    "streams",
    "total_by_year",
    "unavailable",
    "unit_cost",
]
