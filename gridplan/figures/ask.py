"""The first screen of a plan report: what is asked for, what it costs, what it brings, what customers pay; and its measures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gridplan.figures import plans
from gridplan.figures.economics import amount
from gridplan.figures.outputs import Card, Cards, Table, Text, number, prose
from gridplan.figures.sentences import listed


def absent(tables: Sequence[str]) -> Text:
    """Say that a study has not what a roadmap is made from."""
    if not tables:
        return Text("")
    text = (
        "**No ask is made.** The study does not hold the tables from which a roadmap is made ({names} {verb} absent): this "
        "report shows the state of the network and what the futures ask of it, and claims no benefit."
    )
    return prose(text.replace("{verb}", "is" if len(tables) == 1 else "are"), names=listed(list(tables), 4))


def elsewhere(tables: Sequence[str]) -> Text:
    """Say in a section about a roadmap that there is none, where a study lacks the tables for it."""
    return prose("Not part of this report: the study lacks the tables named at its head.") if tables else Text("")


def cards(proposal: Any, chances: pd.DataFrame | None = None, *, currency: str = "EUR") -> Cards:
    """Return the ask, the cost, the benefit, what customers pay and the main KPI as key figures.

    Parameters
    ----------
    proposal
        :class:`gridplan.planning.Proposal`.
    chances
        From :func:`gridplan.robustness.probabilities`.
    currency
        Currency of the amounts.
    """
    found = proposal.found
    if found.status == "infeasible":
        count = len(found.relaxations)
        way = f"{count} limits or targets would have to give way" if count else "no relaxation was found in the time allowed"
        return Cards([Card("The ask", "none", note="no roadmap keeps every rule", status="bad"), Card("Way out", count, "", way)])
    if found.schedule.empty:
        none = Card("The ask", "none", note=f"no project is worth starting from {_span(found)}")
        return Cards([none, *_kpi_cards(proposal.kpis), _proof_card(found)])
    made = [*_money_cards(proposal, currency), *_bill_cards(proposal.bill, currency), *_kpi_cards(proposal.kpis)]
    return Cards([*made, *_chance_cards(chances), _proof_card(found)])


def _span(found: Any) -> str:
    return f"{found.choices.first_year} to {found.choices.last_year}"


def _money_cards(proposal: Any, currency: str) -> list[Card]:
    """Return what is asked for, what it costs and what it brings."""
    found, totals = proposal.found, proposal.totals
    must = found.schedule.loc[found.schedule["mandatory"], "capex_keur"].sum()
    ratio = totals["benefit_keur"] / totals["cost_keur"] if totals["cost_keur"] > 0 else float("nan")
    pays = "" if pd.isna(ratio) else "good" if ratio >= 1 else "warn"
    asked = f"{len(found.schedule)} projects, {_span(found)}; {amount(must, currency)} mandatory"
    return [
        _money_card("The ask: capital", found.money["capex_keur"].sum(), currency, asked),
        _money_card("Cost", totals["cost_keur"], currency, "present value, with running cost"),
        _money_card("Simulated benefit", totals["benefit_keur"], currency, "present value, to all"),
        Card("Benefit over cost", ratio, "", "simulated benefits alone", pays, 2),
    ]


def _money_card(label: str, keur: float, currency: str, note: str, status: str = "") -> Card:
    if abs(keur) >= 999.5:
        return Card(label, keur / 1000, f"million {currency}", note, status, 1)
    return Card(label, round(float(keur)), f"thousand {currency}", note, status, 0)


def _bill_cards(bill: pd.DataFrame, currency: str) -> list[Card]:
    if bill.empty:
        return [Card("Added to the mean bill", 0, f"{currency}/yr", "nothing is built", digits=0)]
    top = bill.loc[bill["per_customer"].idxmax()]
    share = f"{number(top['change_percent'], 1)} %; " if pd.notna(top.get("change_percent")) else ""
    note = f"{share}at its highest, in {int(top['year'])}; mean of all customers"
    return [Card("Added to the mean bill", float(top["per_customer"]), f"{currency}/yr", note, digits=0)]


def _kpi_cards(kpis: pd.DataFrame) -> list[Card]:
    own = kpis[kpis["kpi"] == "saidi_min"]
    if own.empty:
        return []
    row = own.iloc[0]
    aim = f"target {number(row['target'], 1)} in {row['target_year']}" if pd.notna(row["target"]) else "no target"
    status = "" if pd.isna(row["met"]) else "good" if row["met"] else "bad"
    note = f"today {number(row['today'], 1)}; without the plan {number(row['without'], 1)}; {aim}"
    return [Card(f"SAIDI in {row['year']}", float(row["value"]), "min/yr", note, status, 1)]


def _chance_cards(chances: pd.DataFrame | None) -> list[Card]:
    """How probable it is that the least certain target is met."""
    aims = None if chances is None else chances[~chances["kpi"].isin(["npv_keur", "all"])]
    if aims is None or aims.empty:
        return []
    least = aims.loc[aims["probability_percent"].idxmin()]
    sure = float(least["probability_percent"])
    status = "good" if sure >= 90 else "warn" if sure >= 50 else "bad"
    note = f"of the sampled futures meet the target of {int(least['year'])}, the least certain"
    return [Card("Certainty of the targets", sure, "%", note, status, 0)]


def _proof_card(found: Any) -> Card:
    """How near the plan is proved to be to the best."""
    if found.status == "optimal":
        return Card("Proof", "best", note="no plan within the rules is worth more", status="good")
    gap = found.gap_percent
    said = (
        f"at most {number(gap, 1)} % below the best" if pd.notna(gap) and gap <= 1000 else "no bound of use in the time allowed"
    )
    return Card("Proof", "best found", note=said, status="warn")


def summary(proposal: Any, chances: pd.DataFrame | None = None, *, currency: str = "EUR") -> Text:
    """Say in a few sentences what is asked for, whether it pays, what customers pay and get, and how sure that is.

    Parameters
    ----------
    proposal, chances, currency
        As for :func:`cards`.
    """
    found = proposal.found
    if found.status == "infeasible":
        ways = named(found.relaxations, proposal.labels, "reading")["reading"]
        said = listed(list(ways), 2) if len(ways) else "none was found in the time allowed"
        text = (
            "**No roadmap keeps every rule**, so nothing is asked for yet. The smallest change after which there is one: {said}."
        )
        return prose(text, said=said)
    if found.schedule.empty:
        return prose(
            "**Nothing is asked for.** By the objective, the rules and the money of this run no project is worth starting from "
            "{first} to {last}; what that leaves undone stands under the alternatives.",
            first=str(found.choices.first_year),
            last=str(found.choices.last_year),
        )
    said = [_ask(found, currency), _balance(found, proposal.totals, proposal.worth, currency)]
    said += [_gets(proposal.bill, proposal.kpis, currency), _sure(chances)]
    return Text("\n".join(f"- {sentence}" for sentence in said if sentence))


def way_out(found: Any, labels: Mapping[str, str] | None = None) -> Table | Text:
    """Return the smallest change that makes an infeasible roadmap possible, as a table; nothing for any other.

    Parameters
    ----------
    found
        From :func:`gridplan.roadmap.solve`.
    labels
        Names of KPIs and projects.
    """
    if found.status != "infeasible" or found.relaxations.empty:
        return Text("")
    columns = ["kind", "item", "year", "allowed", "needed", "difference", "reading"]
    title = f"{len(found.relaxations)} changes, the smallest together, after which there is a roadmap"
    caption = "Each alone is not enough; other changes of the same size may do as well."
    return Table(
        named(found.relaxations[columns], labels or {}, "item", "reading"),
        "way-out",
        title,
        caption,
        dict.fromkeys(columns[3:6], 1),
    )


def _ask(found: Any, currency: str) -> str:
    must = found.schedule["mandatory"]
    forced = found.schedule.loc[must, "capex_keur"].sum()
    text = "**Approval is asked for {n} projects with {capex} of capital from {first} to {last}**"
    rest = ", {m} of them mandatory ({forced})." if must.any() else ", none of them mandatory."
    first, last = str(found.choices.first_year), str(found.choices.last_year)
    values = {"n": len(found.schedule), "capex": amount(found.money["capex_keur"].sum(), currency), "first": first, "last": last}
    return prose(text + rest, **values, m=int(must.sum()), forced=amount(forced, currency)).markdown


def _balance(found: Any, totals: Mapping[str, float], worth: Mapping[str, float], currency: str) -> str:
    """Say whether the plan pays, and if not, by what and what would make it pay."""
    gain, cost = amount(totals["benefit_keur"], currency), amount(totals["cost_keur"], currency)
    text = "In present value they cost {cost} with their running cost and bring {gain} of simulated benefits"
    if totals["npv_keur"] >= 0:
        return prose(text + ": **they pay by what was simulated alone**.", gain=gain, cost=cost).markdown
    why = f": **they do not pay by what was simulated**{_reason(found)}"
    known = pd.notna(worth["break_even_eur"])
    more = (
        "; a customer minute without supply would have to be worth {then:.2f} {c} instead of {now:.2f} {c} for them to pay"
        if known
        else ""
    )
    values = {"then": worth["break_even_eur"], "now": worth["value_eur"]} if known else {}
    return prose(text + why + more + ".", gain=gain, cost=cost, c=currency, **values).markdown


def _reason(found: Any) -> str:
    """Say what a plan that does not pay is asked for."""
    why = ["targets that have to be met"] if found.kpis["target"].notna().any() else []
    why += ["projects that are mandatory"] if found.schedule["mandatory"].any() else []
    return f", and are asked for because of {' and '.join(why)}" if why else ""


def _gets(bill: pd.DataFrame, kpis: pd.DataFrame, currency: str) -> str:
    """Say what a mean customer pays and gets."""
    parts = []
    if len(bill):
        top = bill.loc[bill["per_customer"].idxmax()]
        share = f"{number(top['change_percent'], 1)} % of the bill, " if pd.notna(top.get("change_percent")) else ""
        more = f"pays at most {number(top['per_customer'], 0)} {currency} more in a year ({share}in {int(top['year'])})"
        parts.append(more if top["per_customer"] > 0 else "pays in no year more")
    own = kpis[kpis["kpi"] == "saidi_min"]
    if len(own):
        row = own.iloc[0]
        aim = (
            ""
            if pd.isna(row["met"])
            else f", which {'meets' if row['met'] else '**misses**'} the target of {number(row['target'], 1)}"
        )
        parts.append(
            f"is without supply {number(row['value'], 1)} instead of {number(row['without'], 1)} min in {row['year']}{aim}"
        )
    return f"A mean customer {' and '.join(parts)}." if parts else ""


def _sure(chances: pd.DataFrame | None) -> str:
    """Say in which share of the sampled futures the plan pays and meets its targets."""
    if chances is None or chances.empty:
        return ""
    pays = chances.loc[chances["kpi"] == "npv_keur", "probability_percent"]
    aims = chances[~chances["kpi"].isin(["npv_keur", "all"])]
    said = [f"it pays in {number(pays.iloc[0], 0)} %"] if len(pays) else []
    if len(aims):
        least = aims.loc[aims["probability_percent"].idxmin()]
        said.append(
            f"meets the least certain target, that of {int(least['year'])}, in {number(least['probability_percent'], 0)} %"
        )
    return f"With costs, delays, prices and failure rates as uncertain as they are, {' and '.join(said)} of the futures."


def measures(table: pd.DataFrame, objectives: pd.DataFrame | None = None) -> Table:
    """Return the KPIs that will be reported, today and at the end of a plan, with targets and the objectives that they measure.

    Parameters
    ----------
    table
        From :func:`gridplan.planning.measures`.
    objectives
        Table `objectives`.
    """
    known = {} if objectives is None else objectives[objectives["kpi"] != ""].groupby("kpi")["label"].agg("; ".join).to_dict()
    met = table["met"].map({True: "met", False: "missed"}).astype(object).where(table["met"].notna(), "")
    shown = table.assign(met=met, objective=table["kpi"].map(known).fillna("")).drop(columns="kpi")
    title = _measures_title(table)
    last = int(table["year"].max()) if len(table) else 0
    caption = (
        f"Today, and in {last} without and with the plan; each year's report repeats the same run on that year's data."
        if len(table)
        else ""
    )
    columns = ["label", "unit", "today", "without", "with_plan", "target", "target_year", "met", "objective"]
    digits = dict.fromkeys(("today", "without", "with_plan", "target"), 2)
    return Table(shown.rename(columns={"value": "with_plan"})[columns], "performance-metrics", title, caption, digits)


def _measures_title(table: pd.DataFrame) -> str:
    missed = list(table.loc[table["met"].eq(False).fillna(False), "label"])
    if missed:
        return f"{listed(missed)} {'misses its target' if len(missed) == 1 else 'miss their targets'}"
    held = list(table.loc[table["met"].notna(), "label"])
    if held:
        kept = "meets its target" if len(held) == 1 else "meet their targets"
        return f"{listed(held)} {kept}; the other KPIs are reported without one"
    return f"{len(table)} KPIs will be reported; the study sets no target for them"


def objectives(table: pd.DataFrame | None, labels: Mapping[str, str]) -> Table | Text:
    """Return the objectives of a study with what drives and measures them.

    Parameters
    ----------
    table
        Table `objectives`; none says so.
    labels
        Names of capabilities.
    """
    if table is None or table.empty:
        return prose("The study names no objectives (table `objectives`): projects are traced to no aim.")
    shown = table.assign(
        capabilities=[", ".join(labels.get(n, n) for n in cell.split("|") if n) for cell in table["capabilities"]]
    )
    title = f"{len(table)} objectives, each with a driver and a measure"
    return Table(
        shown[["label", "driver", "measure", "capabilities"]], "objectives", title, "Capabilities: what has to be built for it."
    )


KEYS = r"(?<=[:+] )[a-z]\w+|(?<=best )[a-z]\w+|\w+_[\w-]+"
"""Words of a sentence that may be keys: with an underscore, or where a sentence names one."""


def named(table: pd.DataFrame, labels: Mapping[str, str], *columns: str) -> pd.DataFrame:
    """Return a table in whose texts the keys of projects, applications and KPIs are replaced by their names.

    Parameters
    ----------
    table
        Any table.
    labels
        Names by key.
    columns
        Columns of text.
    """

    def name(found: re.Match[str]) -> str:
        return str(labels.get(found[0], found[0]))

    return table.assign(**{c: [re.sub(KEYS, name, str(text)) for text in table[c]] for c in columns})


PLANS = {
    "roadmap": "This plan",
    "value per cost": "Projects one by one, by value per cost",
    "with enablers": "Applications by value per cost, each with all that it needs",
    "by rank": "Projects by the rank of their score",
}
"""Names of plans that simple rules make."""


def drawn(table: pd.DataFrame, most: int = 4) -> list[str]:
    """Return the KPIs worth drawing: those with a target, then those that the plan changes most.

    Parameters
    ----------
    table
        From :func:`gridplan.planning.measures`.
    most
        How many at most.
    """
    change = (table["value"] - table["without"]).abs() / table["without"].abs().where(table["without"] != 0, 1.0)
    order = table.assign(change=change, aimed=table["target"].notna()).sort_values(
        ["aimed", "change"], ascending=False, kind="stable"
    )
    return list(order.loc[order["aimed"] | (order["change"] > 0.005), "kpi"].head(most))


def lesson(proposal: Any, risk: Any, other: Any, *, currency: str = "EUR") -> Text:
    """Say what a plan tells the planner, with what is known of its risk and of other futures.

    Parameters
    ----------
    proposal
        :class:`gridplan.planning.Proposal`.
    risk, other
        :class:`gridplan.planning.Risk` and :class:`gridplan.planning.OtherFutures`, or nothing.
    currency
        Currency of the amounts.
    """
    chances = pd.DataFrame({"kpi": [], "probability_percent": []}) if risk is None else risk.chances
    sure = pd.DataFrame({"project": [], "decision": []}) if other is None else other.decisions
    return plans.lesson(proposal.found, proposal.worth, sure=sure, chances=chances, currency=currency)


def pays_title(chances: pd.DataFrame) -> str:
    """Say in which share of the sampled futures a plan pays.

    Parameters
    ----------
    chances
        From :func:`gridplan.robustness.probabilities`.
    """
    pays = chances.loc[chances["kpi"] == "npv_keur", "probability_percent"]
    if pays.empty:
        return "How the net present value is spread over the sampled futures"
    share = float(pays.iloc[0])
    return "The plan pays in no sampled future" if share == 0 else f"The plan pays in {number(share, 0)} % of the sampled futures"


def ready_title(ready: Mapping[str, pd.DataFrame]) -> str:
    """Say in how many pairs of application and area an application can run, state by state."""
    counts = [f"{int((table['verdict'] == 'ready').sum())} {name.lower()}" for name, table in ready.items()]
    pairs = len(next(iter(ready.values()))) if ready else 0
    return f"Of {pairs} pairs of application and area can run: {', '.join(counts)}"


def states_table(
    systems: Mapping[str, pd.DataFrame],
    registers: Mapping[str, pd.DataFrame],
    broken: Mapping[str, pd.DataFrame],
    covered: Mapping[str, pd.DataFrame],
    ready: Mapping[str, pd.DataFrame],
) -> Table:
    """Return the architecture of each state in numbers, as a table.

    Parameters
    ----------
    systems, registers, broken, covered, ready
        By state, as :class:`gridplan.gaps.Overview` holds them.
    """
    rows = []
    for name in systems:
        whole = covered[name].set_index("family").loc["all"] if "all" in set(covered[name]["family"]) else {}
        rows.append(
            {
                "state": name,
                "systems_in_service": len(systems[name]),
                "interfaces": len(registers[name]),
                "current_percent": whole.get("current_percent", float("nan")),
                "interoperability": whole.get("interoperability", float("nan")),
                "findings": len(broken[name]),
                "pairs_ready": int((ready[name]["verdict"] == "ready").sum()),
            }
        )
    first, last = rows[0], rows[-1]
    title = (
        f"Security findings go from {first['findings']} today to {rows[1]['findings']} after this plan"
        if len(rows) > 1
        else "Today"
    )
    title = title.replace("after this plan", "after this plan" if "This plan" in systems else "in the interim")
    caption = f"From today over this plan to the target with all projects of the study: {last['systems_in_service']} systems."
    return Table(pd.DataFrame(rows), "states", title, caption, {"current_percent": 0, "interoperability": 1})


def links_title(delivered: Mapping[str, Any], state: str) -> str:
    """Say how many links and media carry a state."""
    if state not in delivered:
        return "No link"
    links, today = delivered[state].links, next(iter(delivered.values())).links
    when = "after this plan" if state == "This plan" else f"in the {state.lower()} state"
    return f"{len(links)} links {when}, {links['ownership'].eq('public').sum()} of them public; {len(today)} today"
