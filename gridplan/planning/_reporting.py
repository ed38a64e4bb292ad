"""What a plan report sets side by side: KPIs before and after, the alternatives considered, what a study lacks for a plan."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from gridplan import gaps, roadmap
from gridplan.planning._case import Case
from gridplan.planning._kpis import kpis
from gridplan.planning._plan import needed, needs
from gridplan.planning._traceability import before, with_before
from gridplan.study import Study

NONE, NETWORK = "none", "flexibility"
RULES = {
    "rank": "Projects by rank of their score",
    "cost": "Projects by benefit over cost",
    "earliest": "Every project as early as it can be",
}
ALTERNATIVES = ["kind", "alternative", "projects", "capex_keur", "reinforcement_keur", "npv_keur", "remark"]


def missing(study: Study) -> list[str]:
    """Return the tables that a study lacks for a roadmap; empty if it has all.

    They are those of :func:`gridplan.gaps.check`, `prices` and `scenarios`.
    """
    return [name for name in (*gaps.NEEDED, "prices", "scenarios") if not len(study.tables.get(name, ()))]


def measures(given: Case, found: roadmap.Roadmap, scenario: str) -> pd.DataFrame:
    """Return every KPI today, at the end of a roadmap with and without it, and its last target.

    Parameters
    ----------
    given
        From :func:`gridplan.planning.case`.
    found
        From :func:`gridplan.roadmap.solve`.
    scenario
        Scenario of the roadmap.

    Returns
    -------
    pd.DataFrame
        `kpi`, `label`, `unit`, `today` (nothing in service, first year of the metrics), `year` (last of the roadmap), `value`
        (with the roadmap), `without`, `target`, `target_year`, `met`; a KPI that no group has is left out.
    """
    own = given.contributions[(given.contributions["scenario"] == scenario) & (given.contributions["option"] == NONE)]
    today = own[own["year"] == own["year"].min()]
    rows = []
    for kpi in kpis().itertuples():
        path = found.kpis[found.kpis["kpi"] == kpi.kpi].sort_values("year")
        if path.empty or kpi.kpi not in today:
            continue
        last, aims = path.iloc[-1], path.dropna(subset=["target"])
        aim = aims.iloc[-1] if len(aims) else None
        rows.append(
            {
                "kpi": kpi.kpi,
                "label": kpi.label,
                "unit": kpi.unit,
                "today": float(today[kpi.kpi].sum()),
                "year": int(last["year"]),
                "without": float(last["without"]),
                "value": float(last["value"]),
                "target": np.nan if aim is None else float(aim["target"]),
                "target_year": pd.NA if aim is None else int(aim["year"]),
                "met": pd.NA if aim is None else bool(aim["met"]),
            }
        )
    columns = ["kpi", "label", "unit", "today", "year", "without", "value", "target", "target_year", "met"]
    return pd.DataFrame(rows, columns=columns).astype({"target_year": "Int64", "met": "boolean"})


def considered(given: Case, found: roadmap.Roadmap, scenario: str) -> pd.DataFrame:
    """Return the alternatives to a roadmap: nothing, conventional measures, non-wires options, plans by simple rules.

    Parameters
    ----------
    given, found, scenario
        As for :func:`measures`.

    Returns
    -------
    pd.DataFrame
        `kind` (conventional, non-wires, rule, roadmap), `alternative`, `projects` (how many it needs), `capex_keur` (of these
        projects) [kEUR], `reinforcement_keur` (of network measures still needed to the last year) [kEUR], `npv_keur` (missing
        where only a roadmap has one), `remark`.
    """
    last = found.choices.last_year
    measures_of = _reinforcement(given, scenario, last)
    rows = [{"kind": "conventional", "alternative": NONE, "projects": 0}]
    earlier = before(given)
    rows += [_non_wires(given, found, earlier, option) for option in measures_of if option != NONE]
    rows = [row | {"reinforcement_keur": measures_of.get(row["alternative"], np.nan)} for row in rows]
    rows[0] |= {
        "capex_keur": 0.0,
        "remark": "cures what is violated, and brings nothing else" if rows[0]["reinforcement_keur"] else "",
    }
    left = _left_with(given, found, scenario, last)
    for row in found.compared.itertuples():
        kind = "roadmap" if row.plan == "roadmap" else "rule"
        cost = left if kind == "roadmap" else np.nan
        own = {"npv_keur": row.npv_keur, "capex_keur": row.capex_keur, "projects": row.projects, "remark": row.remark}
        rows.append({"kind": kind, "alternative": row.plan, "reinforcement_keur": cost} | own)
    return pd.DataFrame(rows).reindex(columns=ALTERNATIVES)


def _reinforcement(given: Case, scenario: str, year: int) -> dict[str, float]:
    """Return the capital cost of network measures to a year by option of flexibility; missing where some violation stays."""
    table = given.metrics
    if "reinforcement_keur" not in table:
        return {}
    own = table[(table["scenario"] == scenario) & (table["group"] == NETWORK) & (table["year"] == year)]
    if own.empty:
        return {}
    return own.groupby("option", sort=False)["reinforcement_keur"].agg(lambda part: part.sum(skipna=False)).to_dict()


def _non_wires(given: Case, found: roadmap.Roadmap, earlier: Mapping[str, set[str]], option: str) -> dict[str, object]:
    known = needs(given.closures)
    closing = set().union(*(needed(known, option, area) for area in set(given.metrics["area"])))
    names = with_before(earlier, closing)
    spent = given.projects.loc[given.projects["project"].isin(names), "capex_keur"].sum()
    used = (found.options["option"] == option).any()
    remark = "in service in the roadmap" if used else "in service in no area of the roadmap"
    own = {"projects": len(names), "capex_keur": float(spent), "remark": remark}
    return {"kind": "non-wires", "alternative": option} | own


def _left_with(given: Case, found: roadmap.Roadmap, scenario: str, year: int) -> float:
    """Return the capital cost of network measures that a roadmap leaves to be built to a year."""
    if "reinforcement_keur" not in given.metrics:
        return np.nan
    table = given.metrics[(given.metrics["scenario"] == scenario) & (given.metrics["year"] == year)]
    served = found.options[(found.options["year"] == year) & (found.options["group"] == NETWORK)]
    own = served.merge(table, on=["area", "group", "option"])
    return float(own["reinforcement_keur"].sum(skipna=False)) if len(own) else np.nan
