# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything a person wears. Made around the mean head, carried to the person."""

from __future__ import annotations

import numpy as np

from .collars import clothes, scarf
from .fitting_room import FittingRoom
from .glasses import glasses
from .hats import headwear
from .look import Look
from .prop import Prop
from .shapes import bent
from .space import Grid


def dress(room: FittingRoom, look: Look, warp: Grid, rng: np.random.Generator) -> list[Prop]:
    """Everything a person wears.

    Args:
        room: the fitting room.
        look: what they wear.
        warp: carries the mean head's surroundings to the person.
        rng: decides colours and cuts.
    """
    streams = [np.random.default_rng(s) for s in rng.integers(0, 2**63, (4, 2))]
    props: list[Prop] = []
    if look.collar != "none":
        props += clothes(room, look, streams[0])
    if look.headwear != "none":
        props += headwear(room, look, streams[1])
    if look.scarf:
        props += [scarf(room, streams[2])]
    if look.glasses != "none":
        props += glasses(room, look, streams[3])
    return [bent(p, warp) for p in props]
