"""Managed charging of electric cars and demand response: the same energy at a better time.

What the table `flexibility` lets be shifted is moved within each day: put off by so many hours at most (a car must be charged, a
house warm by then), brought forward by so many at most, never beyond the highest power that the devices draw uncontrolled,
and with the rebound of the table. First everything outside limits is brought inside as far as this reaches, then the
yearly peak of each area is lowered, then as little is moved as possible.
"""

from gridplan.applications.demand._apply import Outcome, Settings, apply, evaluate

__all__ = ["Outcome", "Settings", "apply", "evaluate"]
