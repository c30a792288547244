# SPDX-License-Identifier: GPL-3.0-or-later
"""Random people in numbers: how heads and expressions vary, left and right alike. Part of compiling the head
model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..head.base_mesh import BaseMesh, Bust
from ..head.head import PARTS
from ..head.morphable_model import (
    align_similarity,
    opposite_name,
)
from .attributes import random_attributes, random_expression
from .identity_targets import IdentityTargets

_PEOPLE = 1600
_COMPONENTS = 80
_PORTRAITS = 4000


def eyeballs(vertices: NDArray[np.float64], parts: NDArray[np.uint8]) -> list[NDArray[np.intp]]:
    """Vertices of the right and the left eyeball (the person's)."""
    eye = parts == PARTS.index("eyes")
    return [np.flatnonzero(eye & (vertices[:, 0] < 0)), np.flatnonzero(eye & (vertices[:, 0] > 0))]


def identity_components(
    base: NDArray[np.float64],
    targets: IdentityTargets,
    mean: NDArray[np.float64],
    origin: NDArray[np.float64],
    scale: float,
    head: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(K, V, 3) principal components of random people, metres per standard deviation.

    The people are first brought on to the mean head by a similarity over the vertices of ``head``:
    the macro targets move and scale the head with the body, which would swallow the first components.
    """
    amounts = targets.random_people(_PEOPLE, rng).astype(np.float32)
    count, size = targets.deltas.shape[1:]
    people = (amounts @ targets.deltas.reshape(len(targets.names), -1)).reshape(-1, count, size)
    people = (people + base - origin) * scale
    for i, person in enumerate(people):
        people[i] = align_similarity(person[head], mean[head], person) - mean
    flat = people.reshape(len(people), -1).astype(np.float64)
    flat = flat - flat.mean(axis=0)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    order = np.argsort(values)[::-1][:_COMPONENTS]
    components = (vectors[:, order].T @ flat) / np.sqrt(len(people))
    # An eigenvector's sign is arbitrary: make each component's largest displacement positive.
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    return np.asarray((components * np.sign(largest)).reshape(_COMPONENTS, count, size))


def mirror_vertices(
    mesh: BaseMesh, bust: Bust, mean: NDArray[np.float64], parts: NDArray[np.uint8]
) -> NDArray[np.int32]:
    """(V,) the opposite of each vertex: MakeHuman's own table, by place for vertices made by the cut."""
    table = mesh.mirror
    own = {int(a): v for v, (a, b) in enumerate(bust.sources[:-1]) if a == b}
    result = np.full(len(mean), -1, dtype=np.int32)
    for a, v in own.items():
        result[v] = own.get(int(table[a]), -1)
    # The table leaves eyes, teeth and lashes out where its halves were modelled apart.
    valid = result >= 0
    valid &= np.where(valid, result[result] == np.arange(len(mean)), False)
    side = np.sign(np.where(np.abs(mean[:, 0]) < 1e-4, 0.0, mean[:, 0]))
    valid &= side == -side[result]
    for v in np.flatnonzero(~valid):
        same = np.flatnonzero(parts == parts[v])
        reflected = mean[v] * [-1.0, 1.0, 1.0]
        result[v] = same[np.argmin(((mean[same] - reflected) ** 2).sum(axis=1))]
    return result


def symmetric(
    mean: NDArray[np.float64],
    components: NDArray[np.float64],
    expressions: NDArray[np.float64],
    mirror: NDArray[np.int32],
    names: list[str],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Make the mean symmetric and paired expressions exact mirror images of one another."""
    flip = np.array([-1.0, 1.0, 1.0])
    mean = (mean + mean[mirror] * flip) / 2.0
    opposite = [names.index(opposite_name(n)) for n in names]
    expressions = (expressions + expressions[opposite][:, mirror] * flip) / 2.0
    return mean, components, expressions


def mean_expression(names: tuple[str, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """(52,) mean strengths of random people's expressions."""
    drawn = [random_expression(names, random_attributes(rng), rng) for _ in range(_PORTRAITS)]
    mean = np.mean(drawn, axis=0)
    twins = [names.index(opposite_name(name)) for name in names]
    return np.asarray((mean + mean[twins]) / 2.0, dtype=np.float32)
