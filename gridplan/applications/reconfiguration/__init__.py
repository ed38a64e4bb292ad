"""Network reconfiguration: the radial topology of lowest losses over the year, or by season.

Only lines that can be switched change. Every topology considered is radial, supplies every bus and joins no two sources. It has
to keep the limits of the case in every step; where the network as it stands is already outside a limit, it must not be further
outside. What is found is simulated over all steps and taken only if it loses less than the present topology.

What is proven, and of what: the search weighs a few loading states that stand for the year, and `proven` says that no other
topology has lower losses in these states. With few topologies each is solved (enumeration). With more, a lower bound holds if
every bus consumes (no feed-in, no line charging, no tap changer); elsewhere there is none and `bound_kw` is missing.
"""

from gridplan.applications.reconfiguration._plan import Reconfiguration, Settings, apply, by_season, optimise, rank

__all__ = ["Reconfiguration", "Settings", "apply", "by_season", "optimise", "rank"]
