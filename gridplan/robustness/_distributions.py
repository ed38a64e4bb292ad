"""Distributions by low, most likely and high value, and samples of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from gridplan import tables
from gridplan.errors import ParameterError, Problem, StudyError, suggest
from gridplan.robustness._inputs import bundled, default

VARIABLE = ["low", "mode", "high", "coverage", "distribution", "kind"]


@dataclass(frozen=True, eq=False)
class Draws:
    """Samples of everything that is uncertain.

    Parameters
    ----------
    settings
        One row a sample, one column an uncertainty: a factor [1], or a delay [yr].
    mix
        One row a sample, one column a scenario: the share of each scenario; rows sum to 1.
    """

    settings: pd.DataFrame
    mix: pd.DataFrame


def uncertainties(
    projects: pd.DataFrame,
    streams: Sequence[str],
    *,
    interruption: Sequence[str] = (),
    kpis: Sequence[str] = (),
    delays: bool = True,
) -> pd.DataFrame:
    """Return a table of uncertainties to start from, with gridplan's ranges.

    Parameters
    ----------
    projects
        `project`, `cost_class` (AACE class 1 to 5 of its cost estimate).
    streams
        Benefit streams; each gets a price factor of its own.
    interruption
        Those of the streams that are proportional to failures; they share one failure-rate factor with `kpis`.
    kpis
        KPI columns that are proportional to failures.
    delays
        Whether projects may be late.

    Returns
    -------
    pd.DataFrame
        Table `uncertainties`: `uncertainty`, `kind`, `item`, `low`, `mode`, `high`, `coverage`, `distribution`, `source`,
        `evidence`, `note`.

    Raises
    ------
    StudyError
        A project has no cost class from 1 to 5.
    """
    classes, ranges = bundled("cost_classes").set_index("cost_class"), bundled("ranges").set_index("name")
    wrong = projects.loc[~projects["cost_class"].isin(classes.index), ["project", "cost_class"]]
    if len(wrong):
        found = [
            Problem("projects", f"'{r.project}': '{r.cost_class}' is no cost class", remedy="give 1 (firm) to 5 (idea)")
            for r in wrong.itertuples()
        ]
        raise StudyError("uncertainties", found)
    names = projects["project"].tolist()
    rows = [_row(f"cost of {p}", "capex", p, classes.loc[c]) for p, c in zip(names, projects["cost_class"], strict=True)]
    rows += [_row(f"running cost of {p}", "opex", p, ranges.loc["running_cost"]) for p in names]
    rows += [_row(f"delay of {p}", "delay", p, ranges.loc["delay"]) for p in names if delays]
    rows += [_row(f"price of {s}", "benefit", s, ranges.loc["price"]) for s in streams]
    rows += [_row("failure rate", "benefit", s, ranges.loc["failure_rate"]) for s in interruption]
    rows += [_row("failure rate", "kpi", k, ranges.loc["failure_rate"]) for k in kpis]
    return pd.DataFrame(rows)


def _row(name: str, kind: str, item: str, of: pd.Series) -> dict[str, object]:
    ends = {end: of[end if end in of else f"{end}_factor"] for end in ("low", "mode", "high")}
    copied = {column: of[column] for column in ("coverage", "distribution", "source", "evidence", "note")}
    return {"uncertainty": name, "kind": kind, "item": item} | ends | copied


def checked(uncertain: pd.DataFrame) -> pd.DataFrame:
    """Return typed uncertainties, or raise a StudyError with every problem."""
    rows = tables.check({"uncertainties": uncertain})["uncertainties"]
    rows = rows.assign(coverage=rows["coverage"].fillna(1.0))
    found = [(int(at) + 2, what) for at, row in rows.iterrows() for what in _range_problems(row)]
    problems = [Problem("uncertainties.csv", what, row=at) for at, what in found]
    for name, same in rows.groupby("uncertainty"):
        own = same[[c for c in VARIABLE if c != "kind"]].drop_duplicates()
        if len(own) > 1 or (same["kind"].eq("delay").any() and not same["kind"].eq("delay").all()):
            problems.append(
                Problem("uncertainties.csv", f"'{name}' has rows with different ranges", remedy="give one range, or other names")
            )
    if problems:
        raise StudyError("uncertainties", problems)
    return rows


def _range_problems(row: pd.Series) -> list[str]:
    low, mode, high = row["low"], row["mode"], row["high"]
    if not low <= mode <= high:
        return [f"low {low:g}, mode {mode:g}, high {high:g} do not rise"]
    problems = []
    if low < 0:
        problems.append(f"low {low:g} is below 0")
    if row["distribution"] == "lognormal" and low <= 0:
        problems.append("a lognormal range begins above 0")
    if row["distribution"] == "lognormal" and not 0 < row["coverage"] < 1:
        problems.append(f"coverage {row['coverage']:g} of a lognormal range is not between 0 and 1")
    if row["distribution"] != "lognormal" and row["coverage"] != 1:
        problems.append(f"coverage {row['coverage']:g}: only a lognormal range can leave something outside")
    return problems


def quantile(row: pd.Series, probability: np.ndarray) -> np.ndarray:
    """Return the value below which a variable lies with each probability.

    Parameters
    ----------
    row
        `low`, `mode`, `high`, `coverage`, `distribution`: ``triangular``, ``pert`` (beta with the weight 4 on the mode),
        ``uniform`` (the mode plays no part) between `low` and `high`; ``lognormal``, in two halves that meet in the median
        `mode`, with the share `coverage` between `low` and `high`; ``fixed`` at the mode.
    probability
        From 0 to 1.

    Raises
    ------
    ParameterError
        The distribution is not known.
    """
    low, mode, high, u = row["low"], row["mode"], row["high"], np.asarray(probability, float)
    name = "fixed" if low == high else row["distribution"]
    if name == "fixed":
        return np.full(u.shape, float(mode))
    if name == "triangular":
        c = (mode - low) / (high - low)
        rising = low + np.sqrt(u * (high - low) * (mode - low))
        return np.where(u < c, rising, high - np.sqrt((1 - u) * (high - low) * (high - mode)))
    if name == "pert":
        return low + (high - low) * special.betaincinv(*_beta(row), u)
    if name == "uniform":
        return low + (high - low) * u
    if name == "lognormal":
        z, (down, up) = special.ndtri(u), _log_spread(row)
        return mode * np.exp(np.where(z < 0, down, up) * z)
    raise ParameterError("distribution", [Problem("distribution", f"'{name}' is not known", remedy=suggest(name, DISTRIBUTIONS))])


DISTRIBUTIONS = ("triangular", "pert", "uniform", "lognormal", "fixed")


def _log_spread(row: pd.Series) -> tuple[float, float]:
    """Return the standard deviations of the logarithm below and above the median."""
    z = special.ndtri((1 + row["coverage"]) / 2)
    return np.log(row["mode"] / row["low"]) / z, np.log(row["high"] / row["mode"]) / z


def mean(row: pd.Series) -> float:
    """Return the mean of a variable in closed form.

    Parameters
    ----------
    row
        As for :func:`quantile`.
    """
    low, mode, high = row["low"], row["mode"], row["high"]
    if row["distribution"] == "lognormal" and low < high:
        down, up = _log_spread(row)
        return float(mode * (np.exp(down**2 / 2) * special.ndtr(-down) + np.exp(up**2 / 2) * special.ndtr(up)))
    means = {"triangular": (low + mode + high) / 3, "pert": (low + 4 * mode + high) / 6, "uniform": (low + high) / 2}
    return float(mode if low == high else means.get(row["distribution"], mode))


def draw(
    uncertain: pd.DataFrame,
    scenario_weights: Mapping[str, float],
    *,
    samples: int | None = None,
    seed: int = 0,
    cost_correlation: float | None = None,
    blend: float | None = None,
) -> Draws:
    """Sample everything that is uncertain.

    Uncertainties are independent but for the capital costs, whose normal scores share one common part (a Gaussian copula). Each
    sample lives in one scenario, drawn by its probability; with `blend` in a mixture of them.

    Parameters
    ----------
    uncertain
        Table `uncertainties`.
    scenario_weights
        Probability of each scenario of the plan, from `Terms.weights`.
    samples
        By default 10 000.
    seed
        Seed of the random numbers.
    cost_correlation
        Correlation of the normal scores of any two capital costs, 0 to 1; by default 0.3.
    blend
        Concentration of the Dirichlet distribution of the mixture around the probabilities.

    Raises
    ------
    StudyError
        The table does not hold what it must.
    ParameterError
        A number is out of its range.
    """
    rows = checked(uncertain).drop_duplicates("uncertainty")
    size = int(default("samples")) if samples is None else samples
    rho = default("cost_correlation") if cost_correlation is None else cost_correlation
    problems = [] if size > 0 else [Problem("samples", f"{size} is not above 0")]
    problems += [] if 0 <= rho <= 1 else [Problem("cost_correlation", f"{rho:g} is not from 0 to 1")]
    problems += [] if blend is None or blend > 0 else [Problem("blend", f"{blend:g} is not above 0")]
    if problems:
        raise ParameterError("draw", problems)
    random = np.random.default_rng(seed)
    normal, common = random.standard_normal((size, len(rows))), random.standard_normal((size, 1))
    cost = (rows["kind"] == "capex").to_numpy()
    normal[:, cost] = np.sqrt(rho) * common + np.sqrt(1 - rho) * normal[:, cost]
    drawn = {row["uncertainty"]: _sampled(row, normal[:, at], random) for at, (_, row) in enumerate(rows.iterrows())}
    return Draws(pd.DataFrame(drawn, index=range(size)), _mix(random, scenario_weights, size, blend))


def _sampled(row: pd.Series, normal: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return samples of one variable from its normal scores; an independent beta without the detour, which is slow."""
    if row["distribution"] == "pert" and row["kind"] != "capex" and row["low"] < row["high"]:
        return row["low"] + (row["high"] - row["low"]) * random.beta(*_beta(row), len(normal))
    return quantile(row, special.ndtr(normal))


def _beta(row: pd.Series) -> tuple[float, float]:
    """Return the two shapes of the beta distribution of a PERT range."""
    width = row["high"] - row["low"]
    return 1 + 4 * (row["mode"] - row["low"]) / width, 1 + 4 * (row["high"] - row["mode"]) / width


def _mix(random: np.random.Generator, weights: Mapping[str, float], size: int, blend: float | None) -> pd.DataFrame:
    weight = np.array(list(weights.values()), float)
    mix = np.zeros((size, len(weight)))
    if blend is None:
        mix[np.arange(size), random.choice(len(weight), size, p=weight / weight.sum())] = 1.0
    else:
        mix[:, weight > 0] = random.dirichlet(blend * weight[weight > 0], size)
    return pd.DataFrame(mix, columns=list(weights))


def planned(uncertain: pd.DataFrame, scenario_weights: Mapping[str, float]) -> Draws:
    """Return a single sample in which every uncertainty has its most likely value and the scenarios their probabilities."""
    rows = checked(uncertain).drop_duplicates("uncertainty")
    settings = pd.DataFrame([rows["mode"].to_numpy(float)], columns=rows["uncertainty"].tolist())
    return Draws(settings, pd.DataFrame([scenario_weights]).astype(float))
