"""What each application is worth: the metrics table, one row per area, group, option, scenario and year.

It is the hinge of a study: left of it everything knows networks, right of it only tables.
"""

from gridplan.assess._cache import default as default_cache
from gridplan.assess._measure import measure
from gridplan.assess._run import Execution, fleet, metrics
from gridplan.assess._tasks import GROUPS, NONE, Settings, members, options

__all__ = ["GROUPS", "NONE", "Execution", "Settings", "default_cache", "fleet", "measure", "members", "metrics", "options"]
