# SPDX-License-Identifier: GPL-3.0-or-later
"""What each pixel around a face shows: this person's skin, hair, headwear, clothes, or something before them.

A small network of ours (U-Net, Ronneberger et al. 2015) that has seen nothing but rendered people
(:mod:`..cae.parsing_training`; Wood et al. 2021, "Fake it till you make it": parsers so trained read real
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

_EDGE = 4  # pixels of the network's square: what reaches so near to the face's outline comes from beside it
_ISLAND = 0.12  # of the face: larger things in its middle are held before it

HIDDEN = 0.05
"""Share of the face that something may hide without a word."""
CUT_HAIR = 0.15
"""Length of the picture's edge, in sides of the mesh's box, along which hair may end without a word."""


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
        """(SIDE, SIDE) within the outline of a face whose (468, 3) mesh is known, pixels of the picture."""
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

    def __call__(self, pixels: NDArray[np.uint8], mesh: NDArray[np.floating]) -> Parsing:
        """Look at the face of a picture, (H, W, 3) uint8 sRGB, whose mesh (468, 3) is known."""
        square = Square.around(mesh)
        rgb = crop_square(pixels, square.centre, square.side, 0.0, SIDE)
        there = np.full((*pixels.shape[:2], 3), 255, dtype=np.uint8)
        inside = crop_square(there, square.centre, square.side, 0.0, SIDE)[..., 0] > 127
        points = picture_to_crop(mesh, square.centre, square.side, 0.0, SIDE)
        return Parsing(self.look(network_input(rgb, inside, points)), square, inside)

    def look(self, given: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(SIDE, SIDE, len(CLASSES)) 0..1 for (SIDE, SIDE, CHANNELS) of :func:`network_input`.

        The mean of what it says about the square and about its mirror image: what it sees on one side alone,
        a shadow for a hand, mostly is a mistake.
        """
        return np.asarray((self._odds(given) + self._odds(given[:, ::-1])[:, ::-1]) / np.float32(2.0))

    def _odds(self, given: NDArray[np.uint8]) -> NDArray[np.float32]:
        (logits,) = self._network(np.ascontiguousarray(given, dtype=np.float32)).values()
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


def parsing_warnings(
    parsing: Parsing, mesh: NDArray[np.floating], width: int, height: int, covered: bool
) -> tuple[str, ...]:
    """Sentences for the user about what lies before the face, and about hair that the picture cuts off.

    Args:
        parsing: what the pixels around the face show.
        mesh: (468, 3) the face, pixels of the picture.
        width: of the picture, pixels.
        height: of the picture, pixels.
        covered: a mask over mouth and cheeks has been told already.
    """
    told = []
    hidden = hidden_share(parsing, mesh)
    if hidden > HIDDEN and not covered:
        told.append(
            f"Something lies before {100.0 * hidden:.0f} % of the face (a hand, somebody else, a thing): "
            "what it hides is a guess. Use a photo in which nothing does."
        )
    if cut_hair(parsing, width, height) > CUT_HAIR:
        told.append(
            "The edge of the picture cuts off the hair: the rest of it is a guess. "
            "Use a photo that shows all of the head."
        )
    return tuple(told)


def hidden_share(parsing: Parsing, mesh: NDArray[np.floating]) -> float:
    """0..1: how much of the face's outline shows something that lies before it."""
    there = parsing.outline(mesh) & parsing.inside
    cover = parsing.probability.argmax(axis=-1) == CLASSES.index("cover")
    return float((there & cover & before_face(parsing, mesh)).sum() / max(int(there.sum()), 1))


def before_face(parsing: Parsing, mesh: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(SIDE, SIDE) what within the face's outline is not the person's.

    It comes in from beside it, as hands and hair of others do, or is large: the network also takes white
    stubble, teeth and hard shadows for things before the face.
    """
    outline = parsing.outline(mesh)
    strange = outline & (parsing.share(*PERSON) < 0.5)
    _, pieces, found, _ = cv2.connectedComponentsWithStats(strange.astype(np.uint8), connectivity=4)
    inner = cv2.erode(outline.astype(np.uint8), np.ones((3, 3)), iterations=_EDGE) > 0
    from_beside = np.isin(pieces, np.unique(pieces[strange & ~inner]))
    large = found[:, cv2.CC_STAT_AREA][pieces] >= _ISLAND * outline.sum()
    return np.asarray(strange & (from_beside | large))


def cut_hair(parsing: Parsing, width: int, height: int) -> float:
    """Length of the picture's edge along which hair or headwear ends, in sides of the mesh's box.

    The lower edge does not count: long hair may end anywhere there.
    """
    what = parsing.probability.argmax(axis=-1)
    hair = (what == CLASSES.index("hair")) | (what == CLASSES.index("headwear"))
    unit = SIDE / parsing.square.side
    left, top = (np.zeros(2) - parsing.square.centre) * unit + SIDE / 2.0
    right = (width - parsing.square.centre[0]) * unit + SIDE / 2.0
    inside = parsing.inside
    length = 0
    if top > 0:
        length += int((hair & inside)[int(np.ceil(top)) + 1].sum())
    for edge, step in ((left, 1), (right, -2)):
        column = int(np.ceil(edge)) + step
        if 0 < edge < SIDE and 0 <= column < SIDE:
            length += int((hair & inside)[:, column].sum())
    return length / (SIDE / SQUARE_PER_FACE)
