# SPDX-License-Identifier: GPL-3.0-or-later
"""The completion ``cae``: our network, run by LiteRT.

The head is completed by mirroring and filling first, and drawn with its hair from left, right and back. The
network, which has seen many rendered people whole, says what these sides look like; what it changes, so far
as the photo's own light agrees, is blended back into the textures of head and hair, so that all four cameras
see the same person.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import AssetError
from ..face.networks import Network
from ..head.completion import Completion, HeadTexture, NamedPicture, SeenHead
from ..head.drawing import draw_fitted
from ..head.fill import mirror_and_fill
from ..progress import Progress, silent
from .light import light_skin
from .painting import SidePicture, paint_sides
from .stacks import CHANNELS, SIDE_YAWS, STACK_SIZE, draw_sides, facing_left, side_views

SIDES = "sides"
"""Name of the picture that shows before and after."""


class CompletionNetwork:
    """The trained network, in LiteRT."""

    def __init__(self, weights: Path) -> None:
        """Load a ``.tflite``.

        Raises:
            AssetError: it cannot be loaded, or is another network.
        """
        self._network = Network(weights)
        if self._network.input_shape != (1, STACK_SIZE, STACK_SIZE, CHANNELS):
            raise AssetError(
                f"{weights} is not HoloTalk's completion network: take the one in model_weights."
            )

    def __call__(self, stacks: NDArray[np.float32]) -> NDArray[np.float32]:
        """(3, 256, 256, 3) sRGB 0..1 on black: the sides as they are, of (3, 256, 256, 9) stacks as
        :meth:`.stacks.Sides.stacks` gives them.
        """
        made = []
        for stack, name in zip(stacks, SIDE_YAWS, strict=True):
            (picture,) = self._network(facing_left(stack, name)).values()
            made.append(facing_left(picture.reshape(STACK_SIZE, STACK_SIZE, 3), name))
        return np.clip(np.stack(made), 0.0, 1.0)


def learned_completion(network: CompletionNetwork, *, alone: bool = False) -> Completion:
    """The completion that asks this network what the photo did not show; ``alone``: not its light as well."""

    def complete(seen_head: SeenHead, progress: Progress = silent) -> HeadTexture:
        filled = mirror_and_fill(seen_head, lambda f: progress(0.6 * f))
        views = side_views()
        drawn = draw_fitted(seen_head, views)
        stacks = draw_sides(seen_head, filled, drawn).stacks()
        progress(0.7)
        made = network(stacks)
        progress(0.8)
        sides = [
            SidePicture(view, one, stack[..., :3], picture, stack[..., 6])
            for view, one, stack, picture in zip(views[1:], drawn[1:], stacks, made, strict=True)
        ]
        painted = paint_sides(seen_head, filled, sides, None if alone else light_skin(seen_head, filled))
        progress(0.95)
        after = [one.picture(painted) for one in drawn[1:]]
        progress(1.0)
        return HeadTexture(painted.pixels, painted.seen, painted.hair, _named(stacks[..., :3], made, after))

    return complete


def _named(
    before: NDArray[np.float32], made: NDArray[np.float32], after: Sequence[NDArray[np.float32]]
) -> tuple[NamedPicture, ...]:
    """The pictures that are shown to the user: what the network has made of each side, and the head's sides
    before (above) and after.
    """

    def byte(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
        return (picture * 255.0 + 0.5).astype(np.uint8)

    both = np.concatenate([np.concatenate(list(row), axis=1) for row in (before, after)])
    named = [NamedPicture(name, byte(picture)) for name, picture in zip(SIDE_YAWS, made, strict=True)]
    return (*named, NamedPicture(SIDES, byte(both)))
