"""The flexibility group: storage, managed demand and active management of generation, alone and together.

The order is that of their cost to customers: storage first, then shifting, and generation is cut for what is left. The objective
of the group is, in this order: hours without a solution, hours outside limits summed over the areas, energy curtailed, and
the sum of the areas' peaks. An option is served by the combination of its own applications that is best in this sense; since
the combinations of a smaller option are among those of a larger one, adding an application never makes it worse.
"""

from gridplan.applications.flexibility._deferral import Deferral, reinforcement
from gridplan.applications.flexibility._options import APPLICATIONS, NONE, Joint, Settings, compare, evaluate

__all__ = ["APPLICATIONS", "NONE", "Deferral", "Joint", "Settings", "compare", "evaluate", "reinforcement"]
