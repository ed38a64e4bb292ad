"""Voltage group: volt-var optimisation, conservation voltage reduction, and smart inverters.

:func:`with_load_models` makes loads depend on the voltage, without which a lower voltage saves nothing.
:func:`optimise` finds the positions of tap changers and capacitor banks, :func:`regulate` is the regulator that it is compared
with, :func:`inverters` lets generation follow volt-var and volt-watt curves. :func:`apply` puts them in service together and
never makes the objective worse. :func:`summary` says what a case takes, by area.
"""

from gridplan.applications.voltvar._apply import apply, options, score
from gridplan.applications.voltvar._inverters import Inverters, inverters
from gridplan.applications.voltvar._models import load_models, with_load_models
from gridplan.applications.voltvar._optimise import Schedule, optimise, regulate, schedules
from gridplan.applications.voltvar._settings import Settings, defaults, published
from gridplan.applications.voltvar._summary import operations, summary

__all__ = [
    "Inverters",
    "Schedule",
    "Settings",
    "apply",
    "defaults",
    "inverters",
    "load_models",
    "operations",
    "optimise",
    "options",
    "published",
    "regulate",
    "schedules",
    "score",
    "summary",
    "with_load_models",
]
