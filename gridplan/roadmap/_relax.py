"""The smallest relaxation that makes a roadmap possible: budgets, people, targets, latest starts, mandatory projects."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gridplan.roadmap._choices import Choices
from gridplan.roadmap._model import NEVER, Model, build
from gridplan.roadmap._objective import Weights
from gridplan.roadmap._portfolio import Portfolio
from gridplan.roadmap._program import INF, Program, load, read, write
from gridplan.roadmap._solver import Effort, run

COLUMNS = ["kind", "item", "year", "allowed", "needed", "difference", "reading"]
DROP = 10.0  # a mandatory project left out counts as much as ten budgets of a mean year
LATE = 0.2  # a year of delay as much as a fifth of such a budget


def relaxation(given: Portfolio, choices: Choices) -> pd.DataFrame:
    """Return the smallest relaxation after which a roadmap exists; empty if one exists anyway or the time is over.

    An elastic program allows every budget, limit of staff and target to be missed and pays for it: a limit by the excess over its
    mean amount, a target by the miss over its value, a year of delay beyond a latest start 0.2, a mandatory project left out 10.
    The cheapest plan is the smallest relaxation.

    Returns
    -------
    pd.DataFrame
        `kind` (budget, staff, target, latest start, mandatory), `item`, `year`, `allowed` and `needed` in the unit of the limit,
        `difference`, `reading` (in words).
    """
    strict = build(given, choices)
    model = build(given, choices, elastic=True)
    program = write(model, whole_options=True)
    slack = _loosen(program, strict)
    nothing = Weights(np.zeros_like(model.cost), tuple(np.zeros_like(block.benefit) for block in model.blocks))
    found = run(program, load(program, nothing), Effort(choices.time_limit_s, 1e-4, choices.threads))
    if found.values is None:  # noqa: PD011 - not a frame
        said = [("plan", "all", pd.NA, np.nan, np.nan, np.nan, _hopeless(model))]
        return pd.DataFrame(said if found.infeasible else [], columns=COLUMNS)
    starts, _ = read(program, found.values)
    rows = [*_amounts(model, slack, found.values), *_dates(model, strict, starts)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _hopeless(model: Model) -> str:
    names = [model.names[p] for p in np.flatnonzero(model.mandatory & (model.low > model.high))]
    return f"no relaxation makes a roadmap possible; look at {', '.join(names) or 'the exclusions and the targets'}"


def _loosen(program: Program, strict: Model) -> dict[tuple, tuple[int, float]]:
    """Add a priced column to every row that may give way; return the columns by name of the row."""
    model, found = program.model, {}
    for name, row in program.names.items():
        if name[0] == "limit":
            limit = next(one for one in model.limits if (one.kind, one.name) == name[1:3])
            size = limit.amount.mean() or limit.use.max(initial=0.0) or 1.0
            found[name] = (program.column(upper=INF, cost=-1.0 / size), -1.0)
        elif name[0] == "target":
            value = abs(program.row_high[row] if name[3] == "at most" else program.row_low[row])
            found[name] = (program.column(upper=INF, cost=-1.0 / max(value, 1e-3)), -1.0 if name[3] == "at most" else 1.0)
        elif name[0] == "mandatory":
            found[name] = (program.column(upper=1.0, cost=-DROP), 1.0)
    _join(program, found)
    for (p, s), column in program.start.items():
        program.cost[column] -= LATE * max(s - int(strict.late[p]), 0)
    return found


def _join(program: Program, slack: dict[tuple, tuple[int, float]]) -> None:
    """Write the columns into their rows; extra budget of a year that carries over serves the later years as well."""
    more: dict[int, list[tuple[int, float]]] = {}
    for name, (column, factor) in slack.items():
        carry = name[0] == "limit" and any(one.carry for one in program.model.limits if (one.kind, one.name) == name[1:3])
        rows = [name] if not carry else [other for other in slack if other[:3] == name[:3] and other[3] >= name[3]]
        for other in rows:
            more.setdefault(program.names[other], []).append((column, factor))
    begins, index, factors = [], [], []
    ends = [*program.begins[1:], len(program.index)]
    for row, (begin, end) in enumerate(zip(program.begins, ends, strict=True)):
        begins.append(len(index))
        extra = more.get(row, [])
        index += [*program.index[begin:end], *(column for column, _ in extra)]
        factors += [*program.factor[begin:end], *(factor for _, factor in extra)]
    program.begins, program.index, program.factor = begins, index, factors


def _amounts(model: Model, slack: dict[tuple, tuple[int, float]], values: np.ndarray) -> list[tuple]:
    """Return the budgets, limits of staff and targets that give way, and mandatory projects left out."""
    rows = []
    for name, (column, _) in slack.items():
        over = float(values[column])
        if over < 1e-4:
            continue
        if name[0] == "mandatory":
            project = model.names[name[1]]
            rows.append(("mandatory", project, pd.NA, np.nan, np.nan, np.nan, f"leave out the mandatory project '{project}'"))
        elif name[0] == "target":
            value = model.targets.set_index(["kpi", "year", "sense"])["value"].loc[name[1:]]
            level = value + over if name[3] == "at most" else value - over
            said = f"be content with {name[1]} of {level:,.4g} instead of {name[3]} {value:,.4g} in {name[2]}"
            rows.append(("target", name[1], name[2], value, level, level - value, said))
        else:
            limit = next(one for one in model.limits if (one.kind, one.name) == name[1:3])
            allowed, year = float(limit.amount[name[3]]), int(model.years[name[3]])
            unit = "full-time equivalents" if limit.kind == "staff" else "kEUR"
            what = "people" if limit.kind == "staff" else "running-cost budget" if limit.kind == "opex" else "budget"
            said = f"raise the {what} '{limit.name}' of {year} from {allowed:,.4g} to {allowed + over:,.4g} {unit}"
            rows.append(("staff" if limit.kind == "staff" else "budget", limit.name, year, allowed, allowed + over, over, said))
    return rows


def _dates(model: Model, strict: Model, starts: np.ndarray) -> list[tuple]:
    """Return projects that start after their latest year."""
    rows = []
    for p in np.flatnonzero((starts != NEVER) & (starts > strict.late)):
        allowed, needed = int(model.years[0] + strict.late[p]), int(model.years[starts[p]])
        said = f"let '{model.names[p]}' start in {needed} instead of {allowed} at the latest"
        rows.append(("latest start", model.names[p], needed, allowed, needed, needed - allowed, said))
    return rows
