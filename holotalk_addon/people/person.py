# SPDX-License-Identifier: GPL-3.0-or-later
"""What a made-up person consists of: plain data, ready to be drawn by any renderer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..head.head import Head
from ..wardrobe.look import Look
from ..wardrobe.prop import Prop

EYE_COLOURS = ("dark brown", "brown", "hazel", "green", "blue", "grey")


@dataclass(frozen=True)
class PersonAttributes(Look):
    """What one would say about the person: plain values, for data cards and per-attribute measures. Their
    ``sex`` is also the mix of the shape."""

    african: float
    asian: float
    caucasian: float
    """the three shares of the shape; they sum to 1"""
    muscle: float
    """0 ... 1"""
    brows: float
    """0 thin and light ... 1 bushy"""
    eye_colour: str
    """one of :data:`EYE_COLOURS`"""
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
