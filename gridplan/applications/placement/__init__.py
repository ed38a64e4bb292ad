"""Placement of automation: which switches to equip for the largest gain.

:func:`curve` finds the best choice for each number of switches, evaluated with the power flows of the transfers. Few switches are
chosen by branch and bound and proven best; more by greedy addition and exchange, with a bound on what any choice could gain. The
best choice of a number need not contain that of a smaller number: the column `nested` says where it does not.

:func:`plan` gives each area its best few switches, :func:`indicators` places fault indicators, :func:`equipped` puts a choice
into the outage model, :func:`places` says where the switches of a curve stand.
"""

from gridplan.applications.placement._curve import KINDS, Search, curve, equipped, places, plan
from gridplan.applications.placement._indicators import indicators

__all__ = ["KINDS", "Search", "curve", "equipped", "indicators", "places", "plan"]
