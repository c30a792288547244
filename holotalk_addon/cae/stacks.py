# SPDX-License-Identifier: GPL-3.0-or-later
"""What our completion network sees of a person: their front over one of their other sides, both drawn of the
fitted head with its hair, and which of it the photo itself has shown.

The sides are the left (nose to the picture's left), the right and the back. To the network a right side is a
left one in the mirror.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..head.completion import HeadTexture, SeenHead
from ..head.drawing import DrawnPerson
from ..head.view import View, level_view

SIDE_YAWS = {"left": -90.0, "right": 90.0, "back": 180.0}
"""Degrees that the head is turned by in the picture of each side."""
STACK_SIZE = 256
"""Pixels of each picture's side."""
CHANNELS = 9
"""Of a stack: colours of the side (3) and of the front (3), what of the side the photo showed, what of the
picture head or hair covers, and what hair alone."""
DARKEST = 0.05
"""Of full brightness: added to colours before their ratio is taken, so that black can be lightened."""
WITHOUT = ("structure", "filling", "restraint")
"""Decisions that a training can leave out, to see what they are worth: SSIM and edges in the loss; what
mirroring and filling has drawn in the stack, where the photo showed nothing (only without restraint, too);
that the network may shade, but draw nothing of its own."""


@dataclass(frozen=True)
class Sides:
    """A head drawn from its sides, K of them. In bytes, 255 for 1: what the network is given is what it was
    trained on.
    """

    front: NDArray[np.uint8]
    """(256, 256, 3) sRGB on black."""
    side: NDArray[np.uint8]
    """(K, 256, 256, 3) sRGB on black, completed already by mirroring and filling."""
    seen: NDArray[np.uint8]
    """(K, 256, 256) how much of it the photo showed, so far as the filling believes it."""
    cover: NDArray[np.uint8]
    """(K, 256, 256) how much of the pixel head or hair covers."""
    hair: NDArray[np.uint8]
    """(K, 256, 256) how much of it hair covers."""

    def stacks(self) -> NDArray[np.float32]:
        """(K, 256, 256, 9) 0..1: the :data:`CHANNELS` for each side; nothing is mirrored."""
        front = np.broadcast_to(self.front, self.side.shape)
        masks = np.stack([self.seen, self.cover, self.hair], axis=-1)
        whole = np.concatenate([self.side, front, masks], axis=-1)
        return np.asarray(whole, dtype=np.float32) / np.float32(255.0)


def side_views(size: int = STACK_SIZE) -> tuple[View, ...]:
    """The front's view, and those of :data:`SIDE_YAWS`."""
    return tuple(level_view(yaw, size) for yaw in (0.0, *SIDE_YAWS.values()))


def draw_sides(seen_head: SeenHead, filled: HeadTexture, drawn: Sequence[DrawnPerson]) -> Sides:
    """Draw the pictures that the network asks for.

    Args:
        seen_head: the photo and its head.
        filled: the head as mirroring and filling completes it.
        drawn: the head in each of :func:`side_views`.
    """
    front, *sides = drawn
    hair_seen = None if seen_head.hair is None else seen_head.hair.seen

    def byte(pictures: list[NDArray[np.float32]]) -> NDArray[np.uint8]:
        return (np.clip(np.stack(pictures), 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)

    return Sides(
        front=byte([front.picture(filled)])[0],
        side=byte([one.picture(filled) for one in sides]),
        seen=byte([one.seen(filled.seen, hair_seen) for one in sides]),
        cover=byte([one.cover() for one in sides]),
        hair=byte([one.hair_cover() for one in sides]),
    )


def facing_left(picture: NDArray[np.float32], side: str) -> NDArray[np.float32]:
    """A (256, 256, C) picture of one of :data:`SIDE_YAWS` as the network knows it, or back again: right sides
    in the mirror.
    """
    return np.ascontiguousarray(picture[:, ::-1]) if side == "right" else picture
