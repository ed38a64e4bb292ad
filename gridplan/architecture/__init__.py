"""Systems and interfaces: what stands where, on which standards it talks, what breaks the zone rules, what fails alone.

All functions take the tables `systems`, `interfaces` and `standards` of a study and judge the rows with status ``present``; the
state after some projects comes from :func:`gridplan.gaps.state`.
"""

from gridplan.architecture._rules import RULES, rules, violations
from gridplan.architecture._tables import check, levels, problems, register
from gridplan.architecture._views import chains, coverage, difference, effort, interoperability, joins, matrix, plane

__all__ = [
    "RULES",
    "chains",
    "check",
    "coverage",
    "difference",
    "effort",
    "interoperability",
    "joins",
    "levels",
    "matrix",
    "plane",
    "problems",
    "register",
    "rules",
    "violations",
]
