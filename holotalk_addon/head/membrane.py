# SPDX-License-Identifier: GPL-3.0-or-later
"""Smooth fields on the head's surface: the membrane that spreads known values to unknown places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def smoothstep(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """0 below 0, 1 above 1, between them 3x^2 - 2x^3."""
    t = np.clip(x, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def membrane(
    edges: NDArray[np.integer],
    positions: NDArray[np.floating],
    values: NDArray[np.floating],
    confidence: NDArray[np.floating],
    iterations: int = 400,
    tolerance: float = 1e-5,
) -> NDArray[np.float64]:
    """The smoothest field that agrees with known values as far as they are trusted.

    Minimises ``sum confidence (x - value)^2 + sum over edges w (x_i - x_j)^2`` with w = 1 / length,
    scaled so that an edge of average length has weight 1, by conjugate gradients.

    Args:
        edges: (E, 2) vertex indices.
        positions: (V, 3), any unit: edge lengths.
        values: (V, C).
        confidence: (V,) >= 0; at least one vertex of every connected piece must be above 0.
        iterations: at most this many steps.
        tolerance: stop when the residual has shrunk by this factor.

    Returns:
        (V, C).
    """
    count = len(values)
    i, j = edges[:, 0], edges[:, 1]
    length = np.linalg.norm(positions[i] - positions[j], axis=1)
    weight = np.mean(length) / np.maximum(length, 0.05 * np.mean(length))
    diagonal = (confidence + np.bincount(i, weight, count) + np.bincount(j, weight, count) + 1e-9)[:, None]
    data = np.asarray(values, dtype=np.float64)

    def apply(x: NDArray[np.float64]) -> NDArray[np.float64]:
        result = diagonal * x
        for c in range(x.shape[1]):
            result[:, c] -= np.bincount(i, weight * x[j, c], count) + np.bincount(j, weight * x[i, c], count)
        return result

    b = confidence[:, None] * data
    x = np.where(confidence[:, None] > 0, data, data.mean(axis=0))
    r = b - apply(x)
    z = r / diagonal
    p = z.copy()
    rz = (r * z).sum(axis=0)
    first = np.sqrt((b**2).sum(axis=0)) + 1e-12
    for _ in range(iterations):
        if (np.sqrt((r**2).sum(axis=0)) <= tolerance * first).all():
            break
        Ap = apply(p)
        alpha = rz / np.maximum((p * Ap).sum(axis=0), 1e-30)
        x = x + alpha * p
        r = r - alpha * Ap
        z = r / diagonal
        following = (r * z).sum(axis=0)
        p = z + following / np.maximum(rz, 1e-30) * p
        rz = following
    return np.asarray(x)
