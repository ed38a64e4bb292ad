"""What a report shows of IT, OT and organisation, from today to the target, each computed once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from gridplan import architecture, capability
from gridplan.gaps._facts import Facts, State, changes, state
from gridplan.gaps._report import find, verdicts

TODAY, PLAN, TARGET = "Today", "This plan", "Target"


@dataclass(frozen=True, eq=False)
class Overview:
    """IT, OT and organisation today, after a plan and in the target; made by :func:`overview`.

    Attributes
    ----------
    facts
        The checked tables.
    states
        By name, today first and the target last.
    systems, registers, broken, covered, ready
        Of each state: systems in service, and what :func:`gridplan.architecture.register`,
        :func:`gridplan.architecture.violations`, :func:`gridplan.architecture.coverage` and :func:`gridplan.gaps.verdicts` say.
    levels
        From :func:`gridplan.capability.levels`.
    found
        Gaps of today, from :func:`gridplan.gaps.find`.
    steps
        What changes from each state to the next.
    labels
        Names of applications.
    """

    facts: Facts
    states: dict[str, State]
    systems: dict[str, pd.DataFrame]
    registers: dict[str, pd.DataFrame]
    broken: dict[str, pd.DataFrame]
    covered: dict[str, pd.DataFrame]
    ready: dict[str, pd.DataFrame]
    levels: pd.DataFrame
    found: pd.DataFrame
    steps: list[pd.DataFrame]
    labels: dict[str, str]

    @property
    def new(self) -> set[str]:
        """Systems of the target that are not in service today."""
        return set(self.systems[TARGET]["system"]) - set(self.systems[TODAY]["system"])


def overview(base: Facts, chosen: Iterable[str] | None = None) -> Overview:
    """Put together what a report shows of IT, OT and organisation.

    Parameters
    ----------
    base
        From :func:`gridplan.gaps.facts`.
    chosen
        Projects of a plan, whose state stands between today and the target (all projects); without a plan those that are due in
        the interim.

    Raises
    ------
    ParameterError
        A project does not exist.
    """
    projects = base.tables["projects"]
    between = projects.loc[projects["state"] == "interim", "project"] if chosen is None else chosen
    middle = "Interim" if chosen is None else PLAN
    states = {TODAY: state(base), middle: state(base, between), TARGET: state(base, projects["project"])}
    built = {name: own.architecture for name, own in states.items()}
    names = list(states)
    return Overview(
        facts=base,
        states=states,
        systems={name: own[0][own[0]["status"] == "present"] for name, own in built.items()},
        registers={name: architecture.register(*own) for name, own in built.items()},
        broken={name: architecture.violations(*own, year=base.year) for name, own in built.items()},
        covered={name: architecture.coverage(*own) for name, own in built.items()},
        ready={name: verdicts(base, projects=own.projects) for name, own in states.items()},
        levels=capability.levels(base.tables["capabilities"], base.tables["maturity"]),
        found=find(base),
        steps=[changes(states[a], states[b], f"{a} to {b}") for a, b in pairwise(names)],
        labels=dict(zip(base.tables["applications"]["application"], base.tables["applications"]["label"], strict=True)),
    )
