"""Applications, their groups and their combinations."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from gridplan.applications import restoration

#: Applications whose effects interact, by group; the order is that of their names in an option.
GROUPS: dict[str, tuple[str, ...]] = {
    "restoration": restoration.ORDER,
    "voltage": ("monitoring", "voltvar", "smart_inverters", "reconfiguration"),
    "flexibility": ("managed_demand", "storage", "der_management"),
}
#: The option of a group with nothing in service.
NONE = restoration.NONE


def options(group: str, applications: Iterable[str] | None = None) -> list[str]:
    """Return every combination of the applications of a group by name, that with none of them first.

    Parameters
    ----------
    group
        ``restoration``, ``voltage`` or ``flexibility``.
    applications
        Those to combine; all of the group if not given.

    Examples
    --------
    >>> options("voltage", ["voltvar", "smart_inverters"])
    ['none', 'voltvar', 'smart_inverters', 'voltvar+smart_inverters']
    """
    chosen = GROUPS[group] if applications is None else [name for name in GROUPS[group] if name in set(applications)]
    subsets = itertools.chain.from_iterable(itertools.combinations(chosen, size) for size in range(len(chosen) + 1))
    return ["+".join(subset) or NONE for subset in subsets]


def members(option: str) -> tuple[str, ...]:
    """Return the applications of an option.

    Examples
    --------
    >>> members("voltvar+smart_inverters"), members("none")
    (('voltvar', 'smart_inverters'), ())
    """
    return () if option == NONE else tuple(option.split("+"))
