"""Loading states that stand for the steps of a period."""

from __future__ import annotations

import numpy as np
from scipy.cluster.vq import kmeans2

from gridplan.applications.reconfiguration._circuit import Circuit
from gridplan.applications.reconfiguration._sweep import Arrays
from gridplan.powerflow import Limits, Profiles


def representative(
    profiles: Profiles | None, consumption: tuple[np.ndarray, np.ndarray], steps: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Group steps of alike loading; one state a group.

    Losses are nearly quadratic in the powers, so a state is not the mean of its group alone: the mean is scaled until the sum of
    the squares of all nodal powers is that of the group.

    Parameters
    ----------
    profiles
        None is a single state.
    consumption
        As of :func:`._circuit.powers`.
    steps
        Positions of the steps of the period.
    count
        Number of states; fewer if there are fewer steps.

    Returns
    -------
    tuple[np.ndarray, np.ndarray]
        Complex consumption by state and node [pu], and the share of the steps that each state stands for.
    """
    active, reactive = consumption
    factors = _factors(profiles, steps)
    if len(factors) <= count:
        return factors @ active + 1j * (factors @ reactive), np.full(len(factors), 1 / len(factors))
    gram = active @ active.T + reactive @ reactive.T
    size = np.sqrt(np.maximum(np.diag(gram), 0))
    centres, group = kmeans2(factors * size, count, minit="++", seed=0)
    states, weights = [], []
    for number in range(len(centres)):
        own = factors[group == number]
        if len(own):
            mean = own.mean(axis=0)
            scale = np.sqrt(np.einsum("ti,ij,tj->t", own, gram, own).mean() / max(mean @ gram @ mean, 1e-300))
            states.append(mean * (scale if np.isfinite(scale) and scale < 2 else 1.0))
            weights.append(len(own) / len(factors))
    chosen = np.array(states)
    return chosen @ active + 1j * (chosen @ reactive), np.array(weights)


def single(profiles: Profiles | None, consumption: tuple[np.ndarray, np.ndarray], steps: np.ndarray) -> np.ndarray:
    """Consumption in single steps, (steps, nodes) [pu]."""
    factors = _factors(profiles, steps)
    return factors @ consumption[0] + 1j * (factors @ consumption[1])


def _factors(profiles: Profiles | None, steps: np.ndarray) -> np.ndarray:
    """Factors of the shapes in some steps, and a last column of ones."""
    if profiles is None:
        return np.ones((1, 1))
    return np.column_stack([profiles.shapes.to_numpy(float)[steps], np.ones(len(steps))])


def loaded(circuit: Circuit, states: np.ndarray, weights: np.ndarray, limits: Limits) -> Arrays:
    """Arrays with states and limits."""
    return circuit.arrays._replace(
        power=np.ascontiguousarray(states),
        weight=np.ascontiguousarray(weights, dtype=float),
        band=np.array([limits.vm_min_pu, limits.vm_max_pu]),
        rating=circuit.ampere
        * np.where(circuit.lines >= 0, limits.line_loading_max_percent, limits.trafo_loading_max_percent)
        / 100,
    )
