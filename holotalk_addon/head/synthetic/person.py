# SPDX-License-Identifier: GPL-3.0-or-later
"""What a made-up person consists of: plain data, ready to be drawn by any renderer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..head import Head

HAIR_STYLES = (
    "bald", "fringe of hair", "buzz", "crew", "short", "swept back", "side part", "bob", "medium", "long",
    "bangs", "ponytail", "bun", "curly", "afro",
)  # fmt: skip
BEARD_STYLES = ("none", "stubble", "moustache", "goatee", "short beard", "full beard")
HEADWEAR = ("none", "beanie", "cap", "hat", "headscarf", "headband")
COLLARS = ("none", "t-shirt", "shirt", "turtleneck", "v-neck", "hoodie")
GLASSES = ("none", "thin", "thick", "rimless", "sunglasses")
EYE_COLOURS = ("dark brown", "brown", "hazel", "green", "blue", "grey")
HAIR_COLOURS = ("black", "dark brown", "brown", "light brown", "blond", "red", "grey", "white", "dyed")


@dataclass(frozen=True)
class Prop:
    """One thing worn or grown: hair, beard, glasses, hat, collar ...

    Its vertices follow the person's identity and expression already.
    """

    name: str
    """What it is: "hair", "beard", "body" (skin below the bust), "collar", "hat",
    "scarf", "glasses" or "lenses"."""
    vertices: NDArray[np.float32]
    """(N, 3) metres, head axes, as posed."""
    polygons: NDArray[np.int32]
    """(M, 4) vertex indices; a triangle has -1 last. Strands and cloth are to be seen from both sides."""
    uvs: NDArray[np.float32]
    """(M, 4, 2) texture coordinates of the corners, u right, v up, 0..1."""
    texture: NDArray[np.uint8]
    """(H, W, 4) sRGB and alpha, first row on top (v = 1)."""
    see_through: bool
    """Whether alpha below 255 matters."""
    roughness: float = 0.7
    """Of its surface, 0..1, as in the usual microfacet models."""
    normals: NDArray[np.float32] | None = None
    """(N, 3) unit normals to shade by, where the flat surface's own would be wrong (strips of hair are
    shaded as the round mass they make); None: the surface's own, smooth."""


@dataclass(frozen=True)
class PersonAttributes:
    """What one would say about the person: plain values, for data cards and per-attribute measures."""

    sex: float
    """0 female ... 1 male: the mix of the shape."""
    age: float
    """years"""
    african: float
    asian: float
    caucasian: float
    """the three shares of the shape; they sum to 1"""
    weight: float
    """0 thin ... 1 heavy"""
    muscle: float
    """0 ... 1"""
    melanin: float
    """share of the epidermis's volume, 0.01 ... 0.45"""
    haemoglobin: float
    """share of blood in the dermis's volume, 0.005 ... 0.06"""
    hair_style: str
    """one of :data:`HAIR_STYLES`"""
    hair_length: float
    """metres; 0 where there is none"""
    hair_colour: str
    """one of :data:`HAIR_COLOURS`"""
    hair_rgb: tuple[float, float, float]
    """sRGB 0..1, the middle of a strand"""
    greying: float
    """0..1 share of grey hairs"""
    curl: float
    """0 straight ... 1 tight curls"""
    hair_line: float
    """0 low and full ... 1 far receded"""
    brows: float
    """0 thin and light ... 1 bushy"""
    beard: str
    """one of :data:`BEARD_STYLES`"""
    eye_colour: str
    """one of :data:`EYE_COLOURS`"""
    glasses: str
    """one of :data:`GLASSES`"""
    headwear: str
    """one of :data:`HEADWEAR`"""
    scarf: bool
    """round the neck"""
    collar: str
    """one of :data:`COLLARS`"""
    make_up: float
    """0 none ... 1 strong"""
    blush: float
    """0..1 redness of cheeks and nose"""
    freckles: float
    """0 none ... 1 many"""
    moles: int
    """how many"""
    wrinkles: float
    """0 smooth ... 1 deep"""
    under_eye: float
    """0 none ... 1 dark rings"""
    smile: float
    """-1 frown ... 1 broad smile"""

    @property
    def male(self) -> bool:
        """Whether hair, beard and make-up were drawn as a man's."""
        return self.sex > 0.5


@dataclass(frozen=True)
class SyntheticPerson:
    """A random person; everything about them is known."""

    head: Head
    """Textured with the skin's own colour (albedo), no light in it."""
    props: tuple[Prop, ...]
    attributes: PersonAttributes
    identity: NDArray[np.float32]
    """(K,) the model's coefficients: ``head.vertices`` is ``model.vertices(identity)``."""
    expression: NDArray[np.float32]
    """(52,) strengths, the same as ``head.expression``."""
