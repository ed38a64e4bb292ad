"""Grid needs, and the cheapest standard measures that cure them.

:func:`find` says what is outside its limits in a year and why; :func:`first_years` when each need first appears;
:func:`reinforce` cures the needs of several years with standard equipment from a table of measures. Its plan is conventional
reinforcement only: the counterfactual against which deferral is valued.
"""

from gridplan.needs._find import find, first_years
from gridplan.needs._measures import checked as measures
from gridplan.needs._measures import coarser
from gridplan.needs._reinforce import Case, Plan, Search, Situation, capital_plan, compare_standards, reinforce

__all__ = [
    "Case",
    "Plan",
    "Search",
    "Situation",
    "capital_plan",
    "coarser",
    "compare_standards",
    "find",
    "first_years",
    "measures",
    "reinforce",
]
