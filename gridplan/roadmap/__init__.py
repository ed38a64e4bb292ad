"""The roadmap: which projects, where and when, for which budget, and how sure that is.

:func:`portfolio` checks the tables and puts them together, :class:`Choices` carries the planner's choices, :func:`solve` returns
a :class:`Roadmap`: the plan, its proof, what binds, what was left out and why, and the plans that simpler rules would make.
:func:`frontier` solves it for several budgets, :func:`one_more` for a little more of each limit that binds, :func:`relaxation`
finds the smallest change that makes an impossible problem possible.

Only tables are read here; no network is needed.
"""

from gridplan.roadmap._choices import OBJECTIVES, Choices
from gridplan.roadmap._frontier import frontier, one_more
from gridplan.roadmap._greedy import PLANS
from gridplan.roadmap._portfolio import Portfolio, edges, portfolio
from gridplan.roadmap._relax import relaxation
from gridplan.roadmap._result import Roadmap
from gridplan.roadmap._solve import solve

__all__ = [
    "OBJECTIVES",
    "PLANS",
    "Choices",
    "Portfolio",
    "Roadmap",
    "edges",
    "frontier",
    "one_more",
    "portfolio",
    "relaxation",
    "solve",
]
