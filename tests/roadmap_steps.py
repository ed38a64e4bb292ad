"""The roadmap as a plain program of step variables for scipy's solver, written from the tables alone: a second opinion.

It shares no line with the package: binary steps "started by the year", one yes or no for each need and option, no windows, no
cuts, no reduction of needs. It is slow, and simple enough to be read.
"""

import math

import numpy as np
import pandas as pd
from scipy.optimize import LinearConstraint, milp
from scipy.sparse import coo_array


class Program:
    """Columns, rows and the objective of a program."""

    def __init__(self):
        self.worth, self.rows = [], []

    def column(self, worth=0.0):
        self.worth.append(worth)
        return len(self.worth) - 1

    def row(self, terms, low=-np.inf, high=np.inf):
        self.rows.append((list(terms), low, high))

    def solve(self, seconds, gap):
        """Return the best value found and its bound; nothing where there is no plan."""
        entries = [(n, c, v) for n, (terms, _, _) in enumerate(self.rows) for c, v in terms]
        at, columns, values = zip(*entries, strict=True)
        matrix = coo_array((values, (at, columns)), shape=(len(self.rows), len(self.worth))).tocsr()
        limits = LinearConstraint(matrix, [low for _, low, _ in self.rows], [high for _, _, high in self.rows])
        found = milp(
            -np.array(self.worth),
            constraints=limits,
            integrality=np.ones(len(self.worth)),
            bounds=(0, 1),
            options={"time_limit": seconds, "mip_rel_gap": gap},
        )
        return None if found.x is None else (-found.fun, -found.mip_dual_bound)


class Steps:
    """The plain program of a portfolio for the highest net present value."""

    def __init__(self, tables, picked):
        self.tables, self.years = tables, list(range(picked.first_year, picked.last_year + 1))
        self.end, self.picked, self.program = picked.last_year, picked, Program()
        self.projects = tables["projects"].set_index("project").to_dict("index")
        self.factor = {y: (1 + picked.discount_percent / 100) ** (picked.first_year - y) for y in [*self.years, self.end + 1]}
        self.begun = {(p, y): self.program.column() for p in self.projects for y in self.years}
        self.use = {}  # (kind, name, year) -> terms
        self.running = {}  # (area, application, year) -> column
        for name in self.projects:
            self.project(name)
        self.dependencies()
        self.limits()
        self.alternatives()
        self.blocks()

    def solve(self, *, seconds, gap):
        return self.program.solve(seconds, gap)

    def steps(self, p):
        return math.ceil(self.projects[p]["duration_yr"] - 1e-9)

    def by(self, p, year):
        """Column that says whether a project has started by a year; None before the first."""
        return None if year < self.years[0] else self.begun[p, min(year, self.end)]

    def served(self, p, year):
        return self.by(p, year - self.steps(p))

    def project(self, p):
        row = self.projects[p]
        low, high = (row.get(name, math.nan) for name in ("earliest_year", "latest_year"))
        for y in self.years:
            before = self.by(p, y - 1)
            if before is not None:
                self.program.row([(self.begun[p, y], 1), (before, -1)], low=0)
            late = y + self.steps(p) > self.end or (not pd.isna(high) and y > high)
            if (not pd.isna(low) and y < low) or late:
                self.program.row([(self.begun[p, y], 1), *([] if before is None or not late else [(before, -1)])], high=0)
            self.start(p, y, [(self.begun[p, y], 1), *([] if before is None else [(before, -1)])])
        if row.get("mandatory", False) is True or row.get("mandatory", False) == 1:
            self.program.row([(self.begun[p, self.end], 1)], low=1)

    def start(self, p, year, terms):
        """Charge what a start in a year costs to the objective and to the limits."""
        row, money = self.projects[p], 0.0
        built = self.built(p, year)
        for first in built:
            for n, share in enumerate(self.shares(p)):
                if first + n <= self.end:
                    money -= share * row["capex_keur"] * self.factor[first + n]
                    self.charge(("capex", row["fund"], first + n), terms, share * row["capex_keur"])
        for y in range(year + self.steps(p), self.end + 1):
            money -= row["opex_keur_per_yr"] * self.factor[y]
            self.charge(("opex", row["fund"], y), terms, row["opex_keur_per_yr"])
        life = row.get("lifetime_yr", math.nan)
        if not pd.isna(life) and self.picked.residual:
            left = math.ceil(life) - (self.end + 1 - built[-1] - self.steps(p))
            money += row["capex_keur"] * min(max(left, 0), math.ceil(life)) / math.ceil(life) * self.factor[self.end + 1]
        for job in self.tables.get("staff", pd.DataFrame()).itertuples():
            if job.project == p:
                every = pd.isna(getattr(job, "project_year", math.nan))
                for n in range(max(self.steps(p), 1)) if every else [int(job.project_year) - 1]:
                    self.charge(("staff", job.skill, year + n), terms, job.fte)
        for column, factor in terms:
            self.program.worth[column] += factor * money

    def built(self, p, year):
        found, life = [year], self.projects[p].get("lifetime_yr", math.nan)
        while self.picked.replace and not pd.isna(life) and found[-1] + self.steps(p) + math.ceil(life) <= self.end:
            found.append(found[-1] + math.ceil(life))
        return found

    def shares(self, p):
        row = self.projects[p]
        if row.get("spend_profile", ""):
            return [float(part) for part in row["spend_profile"].split("|")]
        length = max(row["duration_yr"], 1.0)
        return [min(length - n, 1.0) / length for n in range(math.ceil(length - 1e-9))]

    def charge(self, what, terms, amount):
        self.use.setdefault(what, []).extend((column, factor * amount) for column, factor in terms)

    def dependencies(self):
        links = {(p, q): ("start", 0.0) for p, row in self.projects.items() for q in row["after"].split("|") if q}
        for row in self.tables.get("dependencies", pd.DataFrame()).itertuples():
            links[row.project, row.after] = (row.waits or "start", 0.0 if pd.isna(row.lag_yr) else row.lag_yr)
        for (p, q), (waits, lag) in links.items():
            for y in self.years:
                if waits == "start":
                    other = self.by(q, y - math.ceil(self.projects[q]["duration_yr"] + lag - 1e-9))
                else:
                    other = self.by(q, y + self.steps(p) - self.steps(q) - math.ceil(lag - 1e-9))
                self.program.row([(self.begun[p, y], 1), *([] if other is None else [(other, -1)])], high=0)

    def limits(self):
        given = self.tables["budgets"]
        for (kind, fund), part in given.assign(kind=given["kind"].replace("", "capex")).groupby(["kind", "fund"]):
            amounts = part.set_index("year")["budget_keur"].to_dict()
            sums, room = [], 0.0
            for y in self.years:
                terms = [
                    t for key, ts in self.use.items() if key[0] == kind and fund in (key[1], "all") and key[2] == y for t in ts
                ]
                carried = self.picked.carry_over and kind == "capex"
                sums, room = (sums + terms, room + amounts.get(y, 0.0)) if carried else (terms, amounts.get(y, 0.0))
                self.limit(sums, room)
        for skill, part in self.tables.get("staff_limits", pd.DataFrame({"skill": []})).groupby("skill"):
            amounts = part.set_index("year")["fte"].to_dict()
            for y in self.years:
                self.limit(self.use.get(("staff", skill, y), []), amounts.get(y, 0.0))

    def limit(self, terms, room):
        added = {}
        for column, amount in terms:
            added[column] = added.get(column, 0.0) + amount
        if added:
            self.program.row(added.items(), high=room)

    def alternatives(self):
        for _, part in self.tables.get("exclusions", pd.DataFrame({"set": []})).groupby("set"):
            self.program.row([(self.begun[p, self.end], 1) for p in part["project"]], high=1)

    def blocks(self):
        """One option in each area, group and year, whose applications have all their needs met."""
        benefits = self.tables["benefits"].set_index(["area", "group", "option", "year"])["benefit_keur"]
        kpis = self.tables.get("contributions")
        targets = {}
        for (area, group, option), part in benefits.groupby(["area", "group", "option"]):
            years, values = part.index.get_level_values("year"), part.to_numpy()
            for y in self.years:
                chosen = self.program.column(self.factor[y] * float(np.interp(y, years, values)))
                targets.setdefault((area, group, y), []).append((option, chosen))
                for application in [] if option == "none" else option.split("+"):
                    self.program.row([(chosen, 1), (self.application(area, application, y), -1)], high=0)
        for options in targets.values():
            self.program.row([(column, 1) for _, column in options], low=1, high=1)
        for row in self.tables.get("targets", pd.DataFrame()).itertuples():
            if row.year in self.years:
                terms = [
                    (column, self.level(kpis, row.kpi, (area, group, option), row.year))
                    for (area, group, y), options in targets.items()
                    if y == row.year
                    for option, column in options
                ]
                self.program.row(terms, **({"high": row.value} if row.sense == "at most" else {"low": row.value}))

    def level(self, kpis, name, key, year):
        rows = kpis[(kpis["area"] == key[0]) & (kpis["group"] == key[1]) & (kpis["option"] == key[2])].dropna(subset=[name])
        return float(np.interp(year, rows["year"], rows[name])) if len(rows) else 0.0

    def application(self, area, name, year):
        """Column of an application in service in an area and year, held by a row for each of its needs."""
        if (area, name, year) in self.running:
            return self.running[area, name, year]
        own = self.running[area, name, year] = self.program.column()
        gaps = self.tables["closures"]
        gaps = gaps[(gaps["application"] == name) & gaps["area"].isin(["", area])]
        for _, need in gaps.groupby(["kind", "item", "area"]):
            ways = []
            for _, way in need[need["way"] > 0].groupby("way"):
                states = [self.served(p, year) for p in way["project"]]
                if None not in states:
                    ways.append(self.program.column())
                    for state in states:
                        self.program.row([(ways[-1], 1), (state, -1)], high=0)
            self.program.row([(own, 1), *((way, -1) for way in ways)], high=0)
        return own
