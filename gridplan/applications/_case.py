"""The operating case that applications take and return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.powerflow import Limits, Profiles

if TYPE_CHECKING:
    from gridplan.reliability import Outages


@dataclass(frozen=True, eq=False)
class OperatingCase:
    """A network, its powers over the year and its controls: what an application changes, and what is simulated.

    An application returns a new case in which its effect is written out: as powers over time in `profiles`, as controlled
    positions in `schedule`, or as elements, switches and load models in `net`. So a case needs no application to be simulated.

    Parameters
    ----------
    net
        Network in its switching state.
    profiles
        Powers over time.
    areas
        Columns `bus`, `area`; see :func:`gridplan.network.areas`.
    limits
        What voltages and loadings are held against.
    schedule
        Positions over time by control: ``trafo.tap_pos`` or ``shunt.step`` -> one row a step of `profiles`, one column an
        element. Elements without a column keep the position they have in `net`.
    outages
        Failure rates, switchgear, restoration times and customers; None where nothing is known of them.
    """

    net: pandapowerNet
    profiles: Profiles
    areas: pd.DataFrame
    limits: Limits = field(default_factory=Limits)
    schedule: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    outages: Outages | None = None
