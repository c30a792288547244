# SPDX-License-Identifier: GPL-3.0-or-later
"""What each pixel around a face shows: this person's skin, hair, beard, glasses, or something else.

A small network of ours (U-Net, Ronneberger et al. 2015) that has seen nothing but rendered people
(``learning.parsing_training``; Wood et al. 2021, "Fake it till you make it": parsers so trained read real
photos). It is told where the picture ends and where the face is, so that it does not take the person beside
them, their hands or their hair for this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import AssetError
from .mesh import crop_square, picture_to_crop
from .networks import Network

CLASSES = ("ground", "skin", "hair", "beard", "headwear", "glasses", "clothes", "cover")
"""What a pixel may show. Other people are ground; *cover* is what lies before this one's head: a hand, a
mask, somebody else's hair."""
PERSON = ("skin", "hair", "beard", "headwear", "glasses", "clothes")
"""What belongs to the person."""
SIDE = 256
"""Pixels of the network's square."""
CHANNELS = 5
"""Red, green, blue, whether there is photo, whether it is within the face's outline."""
SQUARE_PER_FACE = 2.6
"""Side of the square over the longer side of the mesh's box: head, hair and shoulders."""
DROP = 0.1
"""How far the square's middle lies below the face's, in longer sides of the box."""

_EDGE = 4  # pixels of the square: what reaches so near to the face's outline comes from beside it
_SURE = 0.15  # share of the person below which a pixel surely shows something else
_LEAST = 0.0125
"""Of the face: with less that is surely something else, nothing lies before it. On 45 portraits that show all
of the face it is at most 0.007, with somebody's hair, an arm or a glass before the cheek 0.018 and more."""
_LARGE = 0.12  # of the face: so large a thing in its middle is held before it
CUT_HAIR = 0.35
"""Length of the picture's edge along which hair ends, over the face's side, from which that is worth a word:
a lock may touch the edge."""


@dataclass(frozen=True)
class Square:
    """A square of a picture that is looked at, upright."""

    centre: NDArray[np.float64]
    """(2,) pixels of the picture."""
    side: float
    """Pixels of the picture."""

    @classmethod
    def around(cls, points: NDArray[np.floating]) -> Square:
        """The square around a face of which (468, 2 or 3) points of the mesh are known, pixels."""
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        tall = float((high - low).max())
        return cls((low + high) / 2.0 + [0.0, DROP * tall], SQUARE_PER_FACE * tall)


@dataclass(frozen=True)
class Parsing:
    """What the network says about a square of a picture."""

    probability: NDArray[np.float32]
    """(SIDE, SIDE, len(CLASSES)) 0..1; beyond the picture's edge it is a guess."""
    square: Square
    inside: NDArray[np.bool_]
    """(SIDE, SIDE) where there is photo."""

    def share(self, *names: str) -> NDArray[np.float32]:
        """(SIDE, SIDE) 0..1: how surely a pixel shows one of these of :data:`CLASSES`."""
        return np.asarray(self.probability[..., [CLASSES.index(name) for name in names]].sum(axis=-1))

    def outline(self, mesh: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(SIDE, SIDE) the inside of the face with this mesh, (468, 3) pixels of the picture."""
        return face_outline(picture_to_crop(mesh, self.square.centre, self.square.side, 0.0, SIDE)) > 0

    def read(
        self,
        values: NDArray[np.float32],
        corner: NDArray[np.floating],
        step: NDArray[np.floating] | float,
        shape: tuple[int, int],
    ) -> NDArray[np.float32]:
        """(height, width) a (SIDE, SIDE) field of the square, read on a grid of the picture.

        Args:
            values: the field; beyond the square it goes on as at its edge.
            corner: (2,) the picture's pixel at the grid's outer corner.
            step: of the grid, pixels of the picture, alike or (2,) across and down.
            shape: (width, height) of the grid.
        """
        unit = SIDE / self.square.side
        steps = np.broadcast_to(np.asarray(step, dtype=np.float64), (2,))
        offset = (np.asarray(corner) + 0.5 * steps - self.square.centre) * unit + SIDE / 2.0 - 0.5
        matrix = np.column_stack([np.diag(steps * unit), offset])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        found = cv2.warpAffine(values, matrix, shape, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, dtype=np.float32)


class ParsingNetwork:
    """The trained network, in LiteRT."""

    def __init__(self, weights: Path) -> None:
        """Load a ``.tflite``.

        Raises:
            AssetError: it cannot be loaded, or is another network.
        """
        self._network = Network(weights)
        if self._network.input_shape != (1, SIDE, SIDE, CHANNELS):
            raise AssetError(f"{weights} is not HoloTalk's parsing network: take the one in model_weights.")

    def __call__(
        self,
        pixels: NDArray[np.uint8],
        mesh: NDArray[np.floating],
        inside: NDArray[np.bool_] | None = None,
    ) -> Parsing:
        """Look at a face.

        Args:
            pixels: (H, W, 3) uint8 sRGB, the face upright in it.
            mesh: (468, 3) the face, pixels.
            inside: (H, W) where there is photo; None: everywhere.
        """
        square = Square.around(mesh)
        rgb = crop_square(pixels, square.centre, square.side, 0.0, SIDE)
        there = np.full(pixels.shape[:2], 255, dtype=np.uint8) if inside is None else inside * np.uint8(255)
        shown = crop_square(there, square.centre, square.side, 0.0, SIDE) > 127
        points = picture_to_crop(mesh, square.centre, square.side, 0.0, SIDE)
        return Parsing(self.look(network_input(rgb, shown, points)), square, shown)

    def look(self, seen_head: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(SIDE, SIDE, len(CLASSES)) 0..1 for (SIDE, SIDE, CHANNELS) of :func:`network_input`.

        The mean of what it says about the square and about its mirror image: what it sees on one side alone,
        a shadow for a hand, mostly is a mistake.
        """
        return np.asarray((self._odds(seen_head) + self._odds(seen_head[:, ::-1])[:, ::-1]) / np.float32(2.0))

    def _odds(self, seen_head: NDArray[np.uint8]) -> NDArray[np.float32]:
        (logits,) = self._network(np.ascontiguousarray(seen_head, dtype=np.float32)).values()
        logits = logits.reshape(SIDE, SIDE, len(CLASSES))
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=-1, keepdims=True), dtype=np.float32)


def network_input(
    rgb: NDArray[np.uint8], inside: NDArray[np.bool_], points: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """(SIDE, SIDE, CHANNELS) 0..255: what the network is given.

    Args:
        rgb: (SIDE, SIDE, 3) uint8 sRGB.
        inside: (SIDE, SIDE) where there is photo.
        points: (N, 2) the face's points, pixels of the square: their hull is the face's outline.
    """
    there = inside[..., None].astype(np.uint8)
    outline = face_outline(points)[..., None] * np.uint8(255)
    return np.concatenate([rgb * there, there * np.uint8(255), outline], axis=2)


def face_outline(points: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(SIDE, SIDE) 1 within the hull of (N, 2) points, 0 outside."""
    hull = cv2.convexHull(np.asarray(points[:, :2], dtype=np.float32)).round().astype(np.int32)
    return np.asarray(cv2.fillConvexPoly(np.zeros((SIDE, SIDE), dtype=np.uint8), hull, (1.0,)))


def parsing_warnings(parsing: Parsing, mesh: NDArray[np.floating], covered: bool) -> tuple[str, ...]:
    """Sentences for the user about what lies before the face, and about hair that the picture cuts off.

    Args:
        parsing: what the pixels around the face show.
        mesh: (468, 3) the face, pixels of the picture.
        covered: a mask over mouth and cheeks has been told already.
    """
    told = []
    hidden = hidden_share(parsing, mesh)
    if hidden and not covered:
        told.append(
            f"Something lies before {100.0 * hidden:.0f} % of the face (a hand, somebody else, a thing): "
            "what it hides is a guess. Use a photo in which nothing does."
        )
    if cut_hair(parsing) > CUT_HAIR:
        told.append(
            "The edge of the picture cuts off the hair: the rest of it is a guess. "
            "Use a photo that shows all of the head."
        )
    return tuple(told)


def before_face(parsing: Parsing, mesh: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(SIDE, SIDE) what lies before the face, (468, 3) pixels of the picture: what is not the person, surely
    so in part, and comes in from beside the face, as hands and hair of others do, or is large.

    Other islands are none: the network takes white stubble, teeth and hard shadows for things.
    """
    outline = parsing.outline(mesh)
    own = parsing.share(*PERSON)
    strange = outline & parsing.inside & (own < 0.5)
    _, pieces = cv2.connectedComponents(strange.astype(np.uint8), connectivity=4)
    inner = cv2.erode(outline.astype(np.uint8), np.ones((3, 3)), iterations=_EDGE) > 0
    sure, size, at_edge = (
        np.bincount(pieces[some], minlength=pieces.max() + 1)
        for some in (strange & (own < _SURE), strange, strange & ~inner)
    )
    area = outline.sum()
    kept = (sure > _LEAST * area) & ((at_edge > 0) | (size > _LARGE * area))
    return np.asarray(strange & kept[pieces])


def hidden_share(parsing: Parsing, mesh: NDArray[np.floating]) -> float:
    """0..1: how much of the face that the photo holds something lies before."""
    there = parsing.outline(mesh) & parsing.inside
    return float(before_face(parsing, mesh).sum() / max(int(there.sum()), 1))


def cut_hair(parsing: Parsing) -> float:
    """Length of the picture's edges along which hair or headwear ends, in sides of the mesh's box.

    Lower edges do not count: long hair may end anywhere there.
    """
    what = parsing.probability.argmax(axis=-1)
    hair = (what == CLASSES.index("hair")) | (what == CLASSES.index("headwear"))
    # Of pixels of which the photo's edge cuts off a part, the network knows less.
    inside = cv2.erode(parsing.inside.astype(np.uint8), np.ones((3, 3))) > 0
    wide = np.pad(inside, 1, mode="edge")
    ends = ~wide[1:-1, :-2] | ~wide[1:-1, 2:] | ~wide[:-2, 1:-1]
    return float((hair & inside & ends).sum()) / (SIDE / SQUARE_PER_FACE)
