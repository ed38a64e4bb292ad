"""The figures of the model, the published requirement classes, and which media meet them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan import tables
from gridplan.errors import ParameterError, Problem


def _bundled(name: str) -> pd.DataFrame:
    return tables.bundled("gridplan.communications", name, missing=("low", "high"))


def defaults() -> pd.DataFrame:
    """Return the figures that :class:`Model` starts from: `name`, `value`, `unit`, `source`, `evidence`, `note`."""
    return _bundled("defaults")


def _default(name: str) -> float:
    table = _bundled("defaults")
    return float(table.loc[table["name"] == name, "value"].iloc[0])


@dataclass(frozen=True)
class Model:
    """How delays and failures are reckoned; the defaults stand in :func:`defaults`, with their sources.

    Parameters
    ----------
    packet_bytes
        Length of a packet [B].
    utilisation_max_percent
        Highest utilisation of a link that is planned for [%].
    common_cause_shared, common_cause_diverse
        Share of the failures of two parallel paths that takes both down at once, with and without a common cause named in their
        links [1].
    second_path
        Whether second paths are looked for.
    """

    packet_bytes: float = _default("packet_bytes")
    utilisation_max_percent: float = _default("utilisation_max_percent")
    common_cause_shared: float = _default("common_cause_shared")
    common_cause_diverse: float = _default("common_cause_diverse")
    second_path: bool = True

    def __post_init__(self) -> None:
        bounds = {
            "packet_bytes": (1e-9, np.inf, "B"),
            "utilisation_max_percent": (1e-9, 100, "%"),
            "common_cause_shared": (0, 1, "1"),
            "common_cause_diverse": (0, 1, "1"),
        }
        problems = [
            Problem(f"Model.{name}", f"{getattr(self, name):g} is outside {low:g} to {high:g} [{unit}]")
            for name, (low, high, unit) in bounds.items()
            if not low <= getattr(self, name) <= high
        ]
        if problems:
            raise ParameterError("communications model", problems)


def requirements() -> pd.DataFrame:
    """Return published requirement classes.

    Returns
    -------
    pd.DataFrame
        `requirement_class`, `publication`, `latency_strict_ms` and `latency_ms` (strictest and loosest published value) [ms],
        `data_kbps` [kbit/s], `availability_strict` and `availability` [1], `backup_h` [h], `source`, `evidence`; missing where
        nothing is published.

    References
    ----------
    .. [1] US Department of Energy, Communications Requirements of Smart Grid Technologies, 5 October 2010.
    .. [2] IEC 61850-5, message types, as quoted by the IETF draft draft-kmak-intarea-energygrid.
    """
    numbers = ["latency_strict_ms", "latency_ms", "data_kbps", "availability_strict", "availability", "backup_h"]
    table = _bundled("requirements")
    table[numbers] = table[numbers].apply(pd.to_numeric, errors="coerce")
    return table


def meets(media: pd.DataFrame, *, length_km: float = 10.0, model: Model | None = None) -> pd.DataFrame:
    """Which published requirement classes one unloaded link of each medium meets.

    Parameters
    ----------
    media
        `media` table.
    length_km
        Length of the link [km].
    model
        Length of a packet.

    Returns
    -------
    pd.DataFrame
        One row a class and medium: `requirement_class`, `publication`, `medium`, `latency_ms` of the link [ms], `verdict`
        (``met`` at the strictest published values, ``met in part`` at the loosest ones, ``missed``), `missed` (what misses the
        loosest values, separated by |).
    """
    model = model or Model()
    delay = media["latency_ms"] + media["us_per_km"] * length_km / 1e3 + model.packet_bytes * 8 / media["capacity_kbps"]
    pairs = requirements().merge(media.assign(delay_ms=delay), how="cross", suffixes=("_class", ""))
    strict = _shortfalls(pairs, "latency_strict_ms", "availability_strict")
    loose = _shortfalls(pairs, "latency_ms_class", "availability_class")
    verdict = np.select([~strict.any(axis=1), ~loose.any(axis=1)], ["met", "met in part"], "missed")
    names = [" | ".join(name for name, bad in zip(loose, row, strict=True) if bad) for row in loose.to_numpy()]
    found = pairs[["requirement_class", "publication", "medium"]].assign(latency_ms=pairs["delay_ms"])
    return found.assign(verdict=verdict, missed=names)


def _shortfalls(pairs: pd.DataFrame, latency: str, availability: str) -> pd.DataFrame:
    """Which requirements each pair misses; a requirement that is not published is not missed."""
    return pd.DataFrame(
        {
            "latency": pairs["delay_ms"] > pairs[latency],
            "data rate": pairs["capacity_kbps"] < pairs["data_kbps"],
            "availability": pairs["availability"] < pairs[availability],
            "backup": pairs["backup_h"] < pairs["backup_h_class"],
        }
    )
