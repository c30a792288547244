# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody's hair, beard and clothes are to be like: the wardrobe's parameters, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

HAIR_STYLES = (
    "bald", "fringe of hair", "buzz", "crew", "short", "swept back", "side part", "bob", "medium", "long",
    "bangs", "ponytail", "bun", "curly", "afro",
)  # fmt: skip
BEARD_STYLES = ("none", "stubble", "moustache", "goatee", "short beard", "full beard")
HEADWEAR = ("none", "beanie", "cap", "hat", "headscarf", "headband")
COLLARS = ("none", "t-shirt", "shirt", "turtleneck", "v-neck", "hoodie")
GLASSES = ("none", "thin", "thick", "rimless", "sunglasses")
HAIR_COLOURS = ("black", "dark brown", "brown", "light brown", "blond", "red", "grey", "white", "dyed")


@dataclass(frozen=True)
class Look:
    """What the wardrobe goes by."""

    sex: float
    """0 female ... 1 male"""
    age: float
    """years"""
    weight: float
    """0 thin ... 1 heavy: how wide the shoulders are"""
    melanin: float
    """share of the epidermis's volume, 0.01 ... 0.45: the skin below the neck"""
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
    beard: str
    """one of :data:`BEARD_STYLES`"""
    glasses: str
    """one of :data:`GLASSES`"""
    headwear: str
    """one of :data:`HEADWEAR`"""
    scarf: bool
    """round the neck"""
    collar: str
    """one of :data:`COLLARS`"""

    @property
    def male(self) -> bool:
        """Whether hair, beard and make-up are a man's."""
        return self.sex > 0.5
