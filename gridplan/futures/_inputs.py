"""The tables of the scenarios, read and checked once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.errors import ParameterError, Problem, StudyError, suggest
from gridplan.futures._storage import self_consumption
from gridplan.study import Study

ELEMENTS = ("load", "sgen", "storage")
ALLOCATIONS = ("seeded", "weighted")
NAMED = "named"
"""Stands for the customer class of units whose place is named in ``placements``."""

_OPTIONAL = {
    "load_growth": ["scenario", "customer_class", "from_year", "percent_per_yr"],
    "placements": ["scenario", "year", "bus", "technology", "units"],
    "customer_classes": ["customer_class", "energy_mwh"],
}


@dataclass(frozen=True, eq=False)
class Inputs:
    """The tables of the scenarios of a study, checked.

    Parameters
    ----------
    base_year
        Year of the network and its profiles.
    scenarios, technologies
        Tables of that name, indexed by scenario and by technology.
    adoption, load_growth, placements, customers
        Tables of that name.
    classes
        Annual demand of a customer [MWh] by class.
    shapes
        All profiles, of the study, of the technologies and of the storages, (steps, columns ``<name>_p`` and ``<name>_q``). A
        storage has one for each profile of its host, named ``<technology> beside <profile>``.
    means
        Means of the shapes over the year [1].
    """

    base_year: int
    scenarios: pd.DataFrame
    technologies: pd.DataFrame
    adoption: pd.DataFrame
    load_growth: pd.DataFrame
    placements: pd.DataFrame
    customers: pd.DataFrame
    classes: pd.Series
    shapes: pd.DataFrame
    means: pd.Series

    def scenario(self, name: str) -> pd.Series:
        """Return the row of a scenario, or raise a ParameterError that suggests one."""
        if name not in self.scenarios.index:
            raise ParameterError("scenario", [Problem("scenario", f"'{name}' is unknown; {suggest(name, self.scenarios.index)}")])
        return self.scenarios.loc[name]

    def year(self, scenario: str, year: int) -> int:
        """Return the year if the scenario covers it, else raise a ParameterError that says what it covers."""
        last = int(self.scenario(scenario)["horizon_year"])
        if self.base_year <= year <= last:
            return int(year)
        side = f"before the base year {self.base_year}" if year < self.base_year else f"after {last}, where it ends"
        remedy = f"choose a year from {self.base_year} to {last}"
        raise ParameterError("year", [Problem(f"scenario {scenario}", f"{year} is {side}", remedy=remedy)])

    def years(self, scenario: str) -> range:
        """Years from the base year to the horizon of a scenario."""
        return range(self.base_year, int(self.scenario(scenario)["horizon_year"]) + 1)

    def profile_names(self, technology: str) -> dict[str, str]:
        """Profiles that a technology can follow, by the profile of the generation they belong to (the host's for a storage)."""
        row = self.technologies.loc[technology]
        if row["host"]:
            return {name: beside(technology, name) for name in self.profile_names(row["host"])}
        return {name: name for name in row["profiles"].split("|")}

    def peak_mw(self, technology: str, profile: str) -> float:
        """Power of a unit where its profile is 1 [MW], from its annual energy or from the share of its rated power it reaches."""
        row = self.technologies.loc[technology]
        if row["element"] == "storage":
            return row["rated_kw"] / 1e3
        if pd.notna(row["energy_mwh"]):
            return row["energy_mwh"] / (8760 * self.means[f"{profile}_p"])
        return row["rated_kw"] * row["peak_share"] / 1e3


def check(study: Study, net: pandapowerNet | None = None) -> Inputs:
    """Read the tables of the scenarios and check what the column dictionary cannot.

    Parameters
    ----------
    study
        With the tables ``scenarios``, ``adoption``, ``technologies``, ``customers``, ``profiles`` and, where there are any,
        ``technology_profiles``, ``load_growth``, ``customer_classes``, ``placements``.
    net
        Network; with it the buses of ``customers`` and ``placements`` are checked too.

    Raises
    ------
    StudyError
        With every problem: a name that does not exist, a curve that ends below its start or above 100 %, units below zero, a
        technology without power, profiles of different time steps.
    """
    given = {name: study.table(name) for name in ("scenarios", "technologies", "adoption", "customers", "profiles")}
    for name, columns in _OPTIONAL.items():
        given[name] = study.tables[name] if name in study.tables else pd.DataFrame(columns=columns)
    given["technology_profiles"] = study.tables.get("technology_profiles", given["profiles"][["time"]])
    problems = [*_curve_problems(given, study.base_year), *_technology_problems(given), *_dated_problems(given, study.base_year)]
    problems += _bus_problems(given, net) if net is not None else []
    if problems:
        raise StudyError(f"scenarios of study {study.name}", problems)
    shapes = _shapes(given)
    return Inputs(
        base_year=int(study.base_year),
        scenarios=given["scenarios"].set_index("scenario"),
        technologies=_technologies(given["technologies"]),
        **{name: given[name] for name in ("adoption", "load_growth", "placements", "customers")},
        classes=given["customer_classes"].set_index("customer_class")["energy_mwh"].astype(float),
        shapes=shapes,
        means=shapes.mean(),
    )


def beside(technology: str, profile: str) -> str:
    """Name of the profile of a storage beside generation that follows `profile`."""
    return f"{technology} beside {profile}"


def _shapes(given: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the profiles and operate each storage beside one unit of its host, once for each profile of the host."""
    time = pd.DatetimeIndex(given["profiles"]["time"], name="time")
    both = [given[name].drop(columns="time").set_axis(time, axis=0) for name in ("profiles", "technology_profiles")]
    shapes, table = pd.concat(both, axis=1), _technologies(given["technologies"])
    batteries = {}
    for name, row in table[table["element"] == "storage"].iterrows():
        host = table.loc[row["host"]]
        for profile in host["profiles"].split("|"):
            generation = shapes[f"{profile}_p"].to_numpy(float)
            full = (
                host["energy_mwh"] / (8.76 * generation.mean())
                if pd.notna(host["energy_mwh"])
                else host["peak_share"] * host["rated_kw"]
            )
            demand = shapes[f"{row['demand_profile']}_p"].to_numpy(float)
            surplus = full * generation - row["demand_mwh"] / 8.76 * demand / demand.mean()
            batteries[f"{beside(name, profile)}_p"] = operate(row, surplus, time) / row["rated_kw"]
    return pd.concat([shapes, pd.DataFrame(batteries, index=time)], axis=1)


def operate(row: pd.Series, surplus_kw: np.ndarray, time: pd.DatetimeIndex) -> np.ndarray:
    """Power of a storage of the table ``technologies`` beside a household's surplus [kW]."""
    step_h = (time[1] - time[0]) / pd.Timedelta("1h") if len(time) > 1 else 1.0
    settings = {"power_kw": row["rated_kw"], "capacity_kwh": row["capacity_kwh"], "efficiency": row["efficiency"]}
    return self_consumption(surplus_kw, **settings, step_h=step_h)[0]


def _technologies(table: pd.DataFrame) -> pd.DataFrame:
    """Index by technology; absent optional columns are filled with what means nothing."""
    absent = {"host": "", "profiles": "", "demand_profile": "", "cos_phi": 1.0} | dict.fromkeys(
        ["energy_mwh", "peak_share", "capacity_kwh", "efficiency", "demand_mwh"], float("nan")
    )
    full = table.assign(**{name: value for name, value in absent.items() if name not in table})
    texts = ["host", "profiles", "demand_profile"]
    return full.assign(**full[texts].fillna(""), cos_phi=full["cos_phi"].fillna(1.0)).set_index("technology")


def _rows(table: pd.DataFrame) -> Iterator[tuple[int, pd.Series]]:
    """Rows of a table with the number that a spreadsheet shows."""
    return ((position + 2, row) for position, (_, row) in enumerate(table.iterrows()))


def _unknown(table: str, frame: pd.DataFrame, column: str, known: Iterable[str]) -> Iterator[Problem]:
    known = list(known)
    for number, name in enumerate(frame[column], start=2):
        if name not in known:
            yield Problem(table, f"'{name}' is no {column}; {suggest(str(name), known)}", row=number, column=column)


def _curve_problems(given: dict[str, pd.DataFrame], base_year: int) -> Iterator[Problem]:
    scenarios, technologies, adoption = given["scenarios"], given["technologies"]["technology"], given["adoption"]
    for number, row in _rows(scenarios):
        if row["horizon_year"] < base_year:
            yield Problem("scenarios", f"{row['horizon_year']} is before the base year {base_year}", number, "horizon_year")
        if row["allocation"] not in ALLOCATIONS:
            remedy = suggest(str(row["allocation"]), ALLOCATIONS)
            yield Problem("scenarios", f"'{row['allocation']}' is no allocation", number, "allocation", remedy)
        for column in ("seed", "clustering"):
            if not row[column] >= 0:
                yield Problem("scenarios", f"{row[column]} is not 0 or more", number, column)
    yield from _unknown("adoption", adoption, "scenario", scenarios["scenario"])
    yield from _unknown("adoption", adoption, "technology", technologies)
    for number, row in _rows(adoption):
        yield from _one_curve(number, row)
    twice = adoption.duplicated(["scenario", "technology", "customer_class"])
    for number in (position + 2 for position, again in enumerate(twice) if again):
        yield Problem("adoption", "scenario, technology and customer class stand in a row above already", number)
    yield from _lone_problems(adoption, _technologies(given["technologies"])["host"])


def _lone_problems(adoption: pd.DataFrame, hosts: pd.Series) -> Iterator[Problem]:
    """Report units without a curve of the technology that they join."""
    curves = set(zip(adoption["scenario"], adoption["technology"], adoption["customer_class"], strict=True))
    for number, row in _rows(adoption):
        host = hosts.get(row["technology"], "")
        if host and (row["scenario"], host, row["customer_class"]) not in curves:
            what = f"{row['technology']} joins {host}, which has no curve for {row['customer_class']} customers in this scenario"
            yield Problem("adoption", what, number, "technology", f"add a row for {host}")


def _one_curve(number: int, row: pd.Series) -> Iterator[Problem]:
    def problem(what: str, column: str, remedy: str | None = None) -> Problem:
        return Problem("adoption", what, number, column, remedy)

    start, end = row["start_percent"], row["saturation_percent"]
    base = f"of what {row['customer_class']} customers can take"
    if not row["units_per_customer"] >= 0:
        yield problem(f"{row['units_per_customer']} units of {row['technology']} are fewer than none", "units_per_customer")
    if not start >= 0:
        yield problem(f"{start} % is below 0 %", "start_percent")
    for column, value in (("start_percent", start), ("saturation_percent", end)):
        if value > 100:
            remedy = "adoption cannot exceed 100 %; raise units_per_customer if a customer can have more of them"
            yield problem(f"{value:g} % {base} is above 100 %", column, remedy)
    if not end >= start:
        yield problem(f"{end} % is below the start of {start} %; units that are placed stay", "saturation_percent")
    if not row["rate_per_yr"] > 0:
        yield problem(f"{row['rate_per_yr']} is not above 0 [1/yr]", "rate_per_yr")
    if pd.isna(row["midpoint_year"]):
        yield problem("is missing", "midpoint_year")


def _technology_problems(given: dict[str, pd.DataFrame]) -> Iterator[Problem]:
    table, names = _technologies(given["technologies"]).reset_index(), list(given["technologies"]["technology"])
    both = [*given["profiles"].columns, *given["technology_profiles"].columns]
    known = [column.removesuffix("_p") for column in both if column.endswith("_p")]
    for number, row in _rows(table):
        if row["element"] not in ELEMENTS:
            what = f"'{row['element']}' cannot be added; {suggest(str(row['element']), ELEMENTS)}"
            yield Problem("technologies", what, number, "element")
        yield from _power_problems(number, row)
        listed = [] if row["host"] else row["profiles"].split("|")
        for name in [*listed, *([row["demand_profile"]] if row["element"] == "storage" else [])]:
            if name not in known:
                what = f"'{name}' is no profile; {suggest(name, known)}"
                yield Problem("technologies", what, number, "profiles" if name in listed else "demand_profile")
        if row["host"] and row["host"] not in names:
            yield Problem("technologies", f"'{row['host']}' is no technology; {suggest(row['host'], names)}", number, "host")
        elif row["host"] and table.loc[table["technology"] == row["host"], "element"].iloc[0] != "sgen":
            yield Problem("technologies", f"'{row['host']}' generates nothing to be kept", number, "host")
    for name in sorted({column for column in both if both.count(column) > 1 and column != "time"}):
        yield Problem("technology_profiles", "is a profile of the study already", 1, name, "rename one of them")
    times = [pd.DatetimeIndex(given[name]["time"]) for name in ("profiles", "technology_profiles")]
    if not times[0].equals(times[1]):
        yield Problem("technology_profiles", "has other time steps than the profiles", column="time")


def _power_problems(number: int, row: pd.Series) -> Iterator[Problem]:
    def problem(what: str, column: str) -> Problem:
        return Problem("technologies", what, number, column)

    if not row["rated_kw"] > 0:
        yield problem(f"{row['rated_kw']} is not above 0 [kW]", "rated_kw")
    if not 0 < row["cos_phi"] <= 1:
        yield problem(f"{row['cos_phi']} is not between 0 and 1", "cos_phi")
    if row["element"] == "storage":
        for column in ("capacity_kwh", "efficiency", "demand_mwh"):
            if not row[column] > 0:
                yield problem(f"{row[column]} is not above 0; a storage needs it", column)
        if row["efficiency"] > 1:
            yield problem(f"{row['efficiency']} is above 1; a storage creates no energy", "efficiency")
        if not row["host"]:
            yield problem("is missing; a storage takes the surplus of a generating technology", "host")
    elif pd.isna(row["energy_mwh"]) == pd.isna(row["peak_share"]):
        yield problem("exactly one of energy_mwh and peak_share is needed, to size the profile", "energy_mwh")


def _dated_problems(given: dict[str, pd.DataFrame], base_year: int) -> Iterator[Problem]:
    scenarios = given["scenarios"]["scenario"]
    for table, column in (("load_growth", "from_year"), ("placements", "year")):
        yield from _unknown(table, given[table], "scenario", scenarios)
        for number, year in enumerate(given[table][column], start=2):
            if table == "placements" and not year > base_year:
                yield Problem(table, f"{year} is not after the base year {base_year}", number, column)
    yield from _unknown("placements", given["placements"], "technology", given["technologies"]["technology"])
    for number, units in enumerate(given["placements"]["units"], start=2):
        if not units >= 0 or units % 1 != 0:
            yield Problem("placements", f"{units} is no whole number of units, 0 or more", number, "units")
    for number, percent in enumerate(given["load_growth"]["percent_per_yr"], start=2):
        if not percent > -100:
            yield Problem("load_growth", f"{percent} % a year leaves nothing", number, "percent_per_yr")
    if len(given["load_growth"]) and given["customer_classes"].empty:
        yield Problem("customer_classes", "is missing; load growth needs the demand of a customer by class")


def _bus_problems(given: dict[str, pd.DataFrame], net: pandapowerNet) -> Iterator[Problem]:
    for table in ("customers", "placements"):
        for number, bus in enumerate(given[table]["bus"], start=2):
            if bus not in net.bus.index:
                yield Problem(table, f"bus {bus} is not in the network", number, "bus")
