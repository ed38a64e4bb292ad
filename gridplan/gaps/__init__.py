"""Gaps between what applications need and what there is, and the projects that close them.

:func:`facts` checks the IT/OT tables of a study once; :func:`find` lists the gaps of all kinds in one table, :func:`verdicts`
says where each application can run, :func:`shortest` finds the smallest set of projects that lets it, :func:`state` gives the
tables after some projects, :func:`states` as is, interim and target, :func:`changes` what differs, :func:`growth` the field
devices by year.
"""

from gridplan.gaps._check import NEEDED, check, given
from gridplan.gaps._facts import Facts, State, changes, earliest, facts, growth, state, states
from gridplan.gaps._find import delivered, flows_of
from gridplan.gaps._overview import Overview, overview
from gridplan.gaps._report import by_project, closures, find, routes, shortest, verdicts

__all__ = [
    "NEEDED",
    "Facts",
    "Overview",
    "State",
    "by_project",
    "changes",
    "check",
    "closures",
    "delivered",
    "earliest",
    "facts",
    "find",
    "flows_of",
    "given",
    "growth",
    "overview",
    "routes",
    "shortest",
    "state",
    "states",
    "verdicts",
]
