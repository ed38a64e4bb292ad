"""Sites and links: what the communication network delivers to every application, all of them at once.

:func:`flows` turns the needs of applications into flows between sites; :func:`deliver` routes them over private and public links
and finds the latency under load, the availability with a disjoint second path, the utilisation, backup and security; from its
result :func:`shortfalls`, :func:`coverage` and :func:`redundancy` say what is missed, where, and at which hop. :func:`series`,
:func:`parallel` and the exact :func:`two_terminal` are the closed forms behind it; :func:`requirements` and :func:`meets` compare
media with published requirement classes.
"""

from gridplan.communications._availability import parallel, series, two_terminal
from gridplan.communications._deliver import Delivered, deliver, problems
from gridplan.communications._flows import flows
from gridplan.communications._judge import coverage, moved, redundancy, shortfalls
from gridplan.communications._model import Model, defaults, meets, requirements

__all__ = [
    "Delivered",
    "Model",
    "coverage",
    "defaults",
    "deliver",
    "flows",
    "meets",
    "moved",
    "parallel",
    "problems",
    "redundancy",
    "requirements",
    "series",
    "shortfalls",
    "two_terminal",
]
