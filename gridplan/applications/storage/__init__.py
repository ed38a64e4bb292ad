"""Storage for voltage and peak: batteries of the network operator, scheduled day by day by a linear program.

First everything that is outside limits is brought inside as far as power and energy reach, then the yearly peak of each area
is lowered, then as little energy is moved as possible. The state of charge is inside its limits at the end of every step and
back at its start at the end of every day, so that nothing is gained by an empty battery at the year's end.
"""

from gridplan.applications.storage._apply import Outcome, Settings, apply, evaluate, sized

__all__ = ["Outcome", "Settings", "apply", "evaluate", "sized"]
