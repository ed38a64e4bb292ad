"""Applications: what each function in service changes in the operation of the network."""

from gridplan.applications._case import OperatingCase
from gridplan.applications._run import run

__all__ = ["OperatingCase", "run"]
