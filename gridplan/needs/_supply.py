"""Ways of supply of a network with any measures built: tree, feeders and their bus bars, found once for each topology."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd
from pandapower.auxiliary import pandapowerNet

from gridplan.needs import _actions, _tree
from gridplan.needs._actions import Action, Choice
from gridplan.network.areas import feeders

_MOVES = (_actions.FEEDER, _actions.REGULATOR)
_ADDS = (_actions.PARALLEL, *_MOVES)


@dataclass(frozen=True, eq=False)
class Supply:
    """Ways of supply of a network.

    Parameters
    ----------
    net
        Network as it conducts: with the measures that change how its elements are connected, not with all.
    tree
        Its supply tree.
    """

    net: pandapowerNet
    tree: _tree.Tree

    @cached_property
    def _feeders(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return feeders(self.net)

    @cached_property
    def areas(self) -> dict[int, str]:
        """Feeder of each bus."""
        return self._feeders[0].set_index("bus")["area"].to_dict()

    @cached_property
    def bars(self) -> dict[str, int]:
        """Bus on the bus bar at which each feeder begins."""
        heads = self._feeders[1]
        return {area: int(bus) for area, bus in zip(heads["area"], heads["bus"], strict=True)}

    @cached_property
    def lines(self) -> dict[int, dict]:
        """Rows of the lines."""
        return _rows(self.net.line)


def _rows(table: pd.DataFrame) -> dict[int, dict]:
    return dict(zip(table.index.tolist(), table.to_dict("records"), strict=True))


@dataclass(eq=False)
class Supplies:
    """Ways of supply of one network with any measures built.

    Parameters
    ----------
    net, choice
        As of :class:`gridplan.needs._judge.Year`.
    """

    net: pandapowerNet
    choice: Choice
    _known: dict[tuple[Action, ...], Supply] = field(default_factory=dict)

    @cached_property
    def present(self) -> Supply:
        """Ways of supply without any measures."""
        return Supply(self.net, _tree.build(self.net))

    def of(self, actions: tuple[Action, ...]) -> Supply:
        """Ways of supply with some measures, without lines added beside others where nothing else moves a way.

        Other lines are numbered as :func:`gridplan.needs._actions.apply` numbers them.
        """
        # A line beside one that conducts opens no other way.
        beside = {("line", action.element_id) for action in actions if action.kind == _actions.PARALLEL}
        if any(action.kind in _MOVES for action in actions) or not beside <= self.present.tree.below.keys():
            return self._built(tuple(action for action in actions if action.kind in _ADDS))
        return self.present

    def _built(self, actions: tuple[Action, ...]) -> Supply:
        if actions not in self._known:
            net = _actions.apply(self.net, actions, self.choice)
            self._known[actions] = Supply(net, _tree.build(net))
        return self._known[actions]
