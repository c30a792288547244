# SPDX-License-Identifier: GPL-3.0-or-later
"""A head as its photo shows it, and as a completion returns it.

:func:`.fill.mirror_and_fill` is one; a learned one takes the same place in the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..face.parsing import Parsing
from ..progress import Progress
from .fitting import HeadFit
from .head import Hair
from .morphable_model import HeadModel
from .texture import BakedPhoto, Texels


@dataclass(frozen=True)
class NamedPicture:
    """A picture that a completion shows beside the head."""

    name: str
    """Goes into the file's name."""
    pixels: NDArray[np.uint8]
    """(H, W) grey or (H, W, 3) sRGB."""


@dataclass(frozen=True)
class HeadTexture:
    """A complete texture."""

    pixels: NDArray[np.uint8]
    """(S, S, 4) sRGB and alpha, first row at v = 1."""
    seen: NDArray[np.float32]
    """(S, S) 0..1: how much of each texel is the photo's."""
    hair: Hair | None = None
    """The hair as it was given, or with a texture of the completion's; None where there is none."""
    pictures: tuple[NamedPicture, ...] = ()
    """Views of the person that the completion itself has drawn, if it draws any."""


@dataclass(frozen=True)
class GrownHair:
    """Hair or headwear, and what of its texture is guessed."""

    hair: Hair
    seen: NDArray[np.float32]
    """(H, W) 0..1: how much of each texel of its texture is the photo's."""


@dataclass(frozen=True)
class SeenHead:
    """A head as its photo shows it: fitted, its hair grown, the photo in its texture as far as that goes. A
    completion starts from it."""

    model: HeadModel
    fit: HeadFit
    layout: Texels
    pixels: NDArray[np.uint8]
    """(H, W, 3) the photo."""
    person: NDArray[np.float32]
    """(H, W) person mask 0..1."""
    baked: BakedPhoto
    parsing: Parsing
    """What the photo's pixels show around the face."""
    hair: GrownHair | None = None
    """None for a head without any, and until it is grown."""
    covered: bool = False
    """Mouth and cheeks lie under a mask or a scarf: the skin is that of forehead and neck."""
    inside: NDArray[np.bool_] | None = None
    """(H, W) where there is photo; None: everywhere."""

    @property
    def grown(self) -> Hair | None:
        """The hair itself, as it was grown; None where there is none."""
        return None if self.hair is None else self.hair.hair


Completion = Callable[[SeenHead, Progress], HeadTexture]
