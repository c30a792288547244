# SPDX-License-Identifier: GPL-3.0-or-later
"""The completion ``holotalk``: HOLOTALK's autoencoder, run by LiteRT.

As HOLOTALK described it: the user's front, grey and 64 pixels small, is stacked over the side of a template
person turned the same way, and the autoencoder, which has only ever seen fronts and sides of one person,
gives back a picture whose side has taken on the user's traits. The turn is rounded to 10 degrees; a head that
is turned to the picture's left is mirrored first; the other side is the mirror image. These are its three
pictures.

HOLOTALK showed the pictures themselves. Here they also get on to the head: projected from both sides, as the
photo is from the front, wherever the photo did not see the skin, in the tint of what lies there already
(:func:`..head.fill.mirror_and_fill`, which also keeps the back, that no picture shows, and eyes and mouth,
that are too small for 64 pixels).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import AssetError
from ..face.networks import Network
from ..head.colours import luminance
from ..head.completion import Completion, HeadTexture, NamedPicture, SeenHead
from ..head.fill import mirror_and_fill
from ..head.head import PARTS
from ..head.morphable_model import HeadModel
from ..head.texture import bake_photo
from ..head.view import level_view
from ..learning.shards import SNAPSHOT_SIDE
from ..progress import Progress, silent
from .snapshots import photo_snapshot, photo_yaw, rounded_yaw, template_snapshot

_LARGE = 512  # pixels to which a side is enlarged before it is projected: the small mask would be eroded away
_ON_HEAD = 0.06  # brightness below which a predicted picture shows the black ground
_LEAST_LIGHT = 0.04  # below this brightness there is next to no tint


@dataclass(frozen=True)
class SidePictures:
    """What HOLOTALK shows of a person: left camera, front camera, right camera."""

    left: NDArray[np.float32]
    """(64, 64) 0..1 grey: the person's left side, nose to the picture's left, as the camera that stands at
    the right of who looks at them sees it."""
    front: NDArray[np.uint8]
    """(64, 64) grey: the photo as the network got it."""
    right: NDArray[np.float32]
    """(64, 64) 0..1 grey: the mirror image of ``left``."""
    turn: int
    """Degrees, 0..90: both sides are turned by so much, -turn and +turn."""


class HolotalkNetwork:
    """The trained autoencoder, in LiteRT."""

    def __init__(self, weights: Path) -> None:
        """Load a ``.tflite``.

        Raises:
            AssetError: it cannot be loaded, or is another network.
        """
        self._network = Network(weights)
        if self._network.input_shape != (1, 2 * SNAPSHOT_SIDE, SNAPSHOT_SIDE, 1):
            raise AssetError(f"{weights} is not HOLOTALK's autoencoder: take the one in model_weights.")

    def __call__(self, model: HeadModel, front: NDArray[np.uint8], yaw: float) -> SidePictures:
        """The sides of a person with this (64, 64) grey front, turned by ``yaw`` degrees.

        The template person is the mean of ``model``.
        """
        known = rounded_yaw(yaw)
        # Fronts that the network knows look to the picture's right.
        asked = front if yaw >= 0 else front[:, ::-1]
        template = template_snapshot(model, known - 90.0)
        stack = np.concatenate([asked, template])[..., None].astype(np.float32) / np.float32(255.0)
        (made,) = self._network(stack).values()
        side = np.clip(made.reshape(2 * SNAPSHOT_SIDE, SNAPSHOT_SIDE)[SNAPSHOT_SIDE:], 0.0, 1.0)
        mirrored = np.ascontiguousarray(side[:, ::-1])
        # With yaw >= 0 the network has drawn the person's own left side; else, of the mirrored person, their
        # right one mirrored: the same picture.
        return SidePictures(side, front, mirrored, 90 - known)


def holotalk_completion(network: HolotalkNetwork) -> Completion:
    """The completion that paints with this network's pictures."""

    def complete(seen_head: SeenHead, progress: Progress = silent) -> HeadTexture:
        front = photo_snapshot(seen_head.model, seen_head.fit, seen_head.pixels, seen_head.person)
        sides = network(seen_head.model, front, photo_yaw(seen_head.fit))
        filled = mirror_and_fill(seen_head, lambda f: progress(0.6 * f))
        pixels = _painted(seen_head, sides, filled, lambda f: progress(0.6 + 0.4 * f))
        return HeadTexture(pixels, filled.seen, filled.hair, _named(sides))

    return complete


def _painted(
    seen_head: SeenHead, sides: SidePictures, filled: HeadTexture, progress: Progress
) -> NDArray[np.uint8]:
    """(S, S, 4) the filled texture with the sides' brightness where the photo did not see the skin."""
    model, layout = seen_head.model, seen_head.layout
    light = np.zeros((layout.size, layout.size), dtype=np.float32)
    weight = np.zeros_like(light)
    for step, (picture, yaw) in enumerate(((sides.left, -sides.turn), (sides.right, sides.turn))):
        large = cv2.resize(picture, (_LARGE, _LARGE), interpolation=cv2.INTER_CUBIC)
        grey = (np.clip(large, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
        view = level_view(yaw, _LARGE)
        stands = replace(
            seen_head.fit, rotation=view.rotation, translation=view.translation, camera=view.camera
        )
        on_head = (large > _ON_HEAD).astype(np.float32)
        baked = bake_photo(model, stands, layout, grey.repeat(3).reshape(_LARGE, _LARGE, 3), on_head)
        light += baked.colour[..., 0] * baked.seen
        weight += baked.seen
        progress(0.4 * (step + 1))
    light /= np.maximum(weight, 1e-6)
    skin = layout.draw(model, (model.vertex_parts == PARTS.index("skin")).astype(np.float32))
    fade = layout.draw(model, model.fade)
    share = np.clip(weight, 0.0, 1.0) * (1.0 - filled.seen) * (skin > 0.5)
    # The snapshots fade out at the neck, and the head's material does so once more.
    share *= np.clip(2.0 * fade - 1.0, 0.0, 1.0)
    base = filled.pixels[..., :3].astype(np.float32) / np.float32(255.0)
    smooth = np.asarray(cv2.GaussianBlur(base, (0, 0), layout.size / 256.0), dtype=np.float32)
    tint = smooth / np.maximum(luminance(smooth), _LEAST_LIGHT)[..., None]
    painted = base + (light[..., None] * tint - base) * share[..., None]
    progress(1.0)
    rgb = (np.clip(painted, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return np.concatenate([rgb, filled.pixels[..., 3:]], axis=2)


def _named(sides: SidePictures) -> tuple[NamedPicture, ...]:
    """The three pictures as they are shown to the user."""

    def byte(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
        return (picture * 255.0 + 0.5).astype(np.uint8)

    return (
        NamedPicture("left", byte(sides.left)),
        NamedPicture("front", sides.front),
        NamedPicture("right", byte(sides.right)),
    )
