"""What an interruption costs the customers, event by event.

A *set* of costs comes from one survey or regulation: costs by customer class and duration, all on one basis (per event, per
average kW, per peak kW, per unserved kWh), in one currency and at one price level. :func:`cost_set` takes one out of a table and
refuses a mixture; :func:`unit_cost` reads it at any duration; :func:`interruption_cost` and :func:`expected_cost` apply it to the
events of a reliability model. The price level moves only with :func:`escalate` and a table of price indices, the currency only
with :func:`convert` and a table of exchange rates of that year.

The costs are evaluated event by event and never on an annual mean: they are not linear in the duration, and an interruption that
automation shortens to a momentary one still costs something.

Only tables are read here; no network is needed.
"""

from gridplan.valuation._interruptions import FAULTS, expected_cost, interruption_cost
from gridplan.valuation._money import convert, escalate
from gridplan.valuation._sets import PER_KW, CostSet, bundled, cost_set, sets, unit_cost

__all__ = [
    "FAULTS",
    "PER_KW",
    "CostSet",
    "bundled",
    "convert",
    "cost_set",
    "escalate",
    "expected_cost",
    "interruption_cost",
    "sets",
    "unit_cost",
]
