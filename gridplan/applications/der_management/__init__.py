"""Active management of generation: as little curtailment as keeps every limit, in every step.

Only steps outside limits are looked at. In each of them a linear program [1]_ on the exact sensitivities of voltages and
loadings chooses how much each plant is cut; it is linearised again at its own answer until the full power flow agrees, so
that the result is that of an optimal power flow.

References
----------
.. [1] Q. Gemine, D. Ernst, B. Cornelusse, Active network management for electrical distribution systems: problem formulation,
   benchmark, and approximate solution, Optimization and Engineering 18, 2017.
"""

from gridplan.applications.der_management._apply import Outcome, Settings, apply, evaluate

__all__ = ["Outcome", "Settings", "apply", "evaluate"]
