# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole random person."""

from __future__ import annotations

import numpy as np

from ..head.head import Head
from ..head.morphable_model import HeadModel
from ..wardrobe.beards import grow_beard
from ..wardrobe.dress import dress
from ..wardrobe.hairstyles import style_hair
from .attributes import random_attributes, random_expression
from .person import PersonAttributes, SyntheticPerson
from .skin import paint
from .workshop import Workshop, open_workshop


def synthetic_person(
    model: HeadModel, rng: np.random.Generator, workshop: Workshop | None = None
) -> SyntheticPerson:
    """A random person; the same generator state gives the same person.

    Args:
        model: the head model.
        rng: decides everything.
        workshop: :func:`.workshop.open_workshop` of the same model; pass it when making more than one:
            without it every call opens one, which takes some seconds.

    Raises:
        AssetError: no workshop was given and the assets are missing.
    """
    shop = workshop or open_workshop(model)
    streams = _streams(rng)
    attributes = random_attributes(streams[0])
    identity = shop.mixer.codes(model, attributes, streams[1])
    names = tuple(str(n) for n in model.expression_names)
    expression = random_expression(names, attributes, streams[2])
    vertices = model.vertices(identity)
    warp = shop.room.cage.bend(vertices - model.mean)
    posed = vertices + np.tensordot(expression, model.expression_basis, axes=1)
    hair, scalp = style_hair(shop.room, attributes, vertices, warp, streams[3])
    props = [
        *hair,
        *grow_beard(shop.room, attributes, posed, streams[5]),
        *dress(shop.room, attributes, warp, streams[6]),
    ]
    head = Head(
        vertices=vertices,
        polygons=model.polygons,
        uvs=model.polygon_uvs,
        polygon_parts=model.polygon_parts,
        expression_names=names,
        expression_deltas=model.expression_basis,
        expression=expression,
        fade=model.fade,
        texture=paint(shop, attributes, scalp, streams[4]),
    )
    return SyntheticPerson(head, tuple(props), attributes, identity, expression)


def person_attributes(rng: np.random.Generator) -> PersonAttributes:
    """Those of the :func:`synthetic_person` of the same generator state, without the time to make one."""
    return random_attributes(_streams(rng)[0])


def _streams(rng: np.random.Generator) -> list[np.random.Generator]:
    """One for each aspect of a person: what one of them draws does not shift the others."""
    return [np.random.default_rng(seed) for seed in rng.integers(0, 2**63, size=(7, 2))]
