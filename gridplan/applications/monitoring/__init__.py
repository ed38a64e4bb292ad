"""Monitoring: how well the state of the network is known from the sensors in place.

State estimation by weighted least squares, reduced to what decides: the covariance of its error, without sampling. What is not
measured enters as a pseudo-measurement: the power of a bus at its usual value of the month and hour, with the spread of its
profile around that value as standard deviation. A measurement adds to these, so a further sensor never raises an error.

Readings and pseudo-measurements are taken as independent and the network as linear around the step looked at. So errors are those
of an estimator with a right network model, topology and phase assignment; what a wrong model does is not in them.

:func:`margins` is what volt-var optimisation has to keep from the limits, :func:`flows` how well the loading of each line
section is known for transfer decisions. Monitoring changes nothing in the network: :func:`apply` returns the case as it is.
"""

from gridplan.applications.monitoring._bad_data import detection
from gridplan.applications.monitoring._errors import apply, by_area, errors, flows, margins, observability
from gridplan.applications.monitoring._model import COLUMNS as SENSORS
from gridplan.applications.monitoring._model import Settings, check, models
from gridplan.applications.monitoring._placement import curve, meters, place

__all__ = [
    "SENSORS",
    "Settings",
    "apply",
    "by_area",
    "check",
    "curve",
    "detection",
    "errors",
    "flows",
    "margins",
    "meters",
    "models",
    "observability",
    "place",
]
