# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions by name: groups of the 52 ARKit blendshapes, presets, and gaze.

The presets follow the prototypes of the basic emotions in the Facial Action Coding System (Ekman, Friesen and
Hager, Facial Action Coding System: The Manual, 2002), each action unit by the blendshapes that make it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Brows": ("brow",),
    "Eyes": ("eye",),
    "Cheeks and nose": ("cheek", "nose"),
    "Mouth": ("mouth",),
    "Jaw and tongue": ("jaw", "tongue"),
}
"""The groups that a person looks for, by what the blendshapes' names begin with."""

PRESETS: Mapping[str, Mapping[str, float]] = {
    "neutral": {},
    # AU 6 + 12
    "smile": {"mouthSmile*": 0.75, "cheekSquint*": 0.6, "eyeSquint*": 0.25, "mouthDimple*": 0.2},
    # AU 1 + 2 + 5 + 26
    "surprise": {"browInnerUp": 0.8, "browOuterUp*": 0.8, "eyeWide*": 0.7, "jawOpen": 0.35},
    # AU 4 + 5 + 7 + 23
    "anger": {
        "browDown*": 0.9,
        "eyeWide*": 0.2,
        "eyeSquint*": 0.4,
        "mouthPress*": 0.5,
        "mouthFrown*": 0.25,
        "noseSneer*": 0.35,
    },
    # AU 1 + 2 + 4 + 5 + 20 + 26
    "fear": {
        "browInnerUp": 0.9,
        "browOuterUp*": 0.35,
        "browDown*": 0.2,
        "eyeWide*": 0.8,
        "mouthStretch*": 0.55,
        "jawOpen": 0.15,
    },
    # AU 9 + 15 + 16
    "disgust": {
        "noseSneer*": 0.85,
        "browDown*": 0.4,
        "mouthUpperUp*": 0.45,
        "mouthFrown*": 0.3,
        "eyeSquint*": 0.35,
    },
    # AU 1 + 4 + 15
    "sadness": {
        "browInnerUp": 0.85,
        "browDown*": 0.15,
        "mouthFrown*": 0.65,
        "mouthShrugLower": 0.35,
    },
}
"""Strengths 0..1; a name with a star stands for left and right. None of them turns the eyes: see
:func:`gaze_strengths`."""


def preset_strengths(name: str, names: Sequence[str]) -> list[float]:
    """The strength of each blendshape in a preset.

    Args:
        name: one of :data:`PRESETS`.
        names: the blendshapes, for example ``jawOpen``.

    Raises:
        KeyError: there is no such preset.
    """
    preset = PRESETS[name]
    return [preset.get(shape, preset.get(_either_side(shape), 0.0)) for shape in names]


def gaze_strengths(x: float, y: float) -> dict[str, float]:
    """The eight blendshapes that turn both eyes.

    Args:
        x: -1..1, positive toward the person's left.
        y: -1..1, positive up.

    Returns:
        The strength 0..1 of each, by name.
    """
    left, right, up, down = max(x, 0.0), max(-x, 0.0), max(y, 0.0), max(-y, 0.0)
    return {
        "eyeLookOutLeft": left,
        "eyeLookInRight": left,
        "eyeLookInLeft": right,
        "eyeLookOutRight": right,
        "eyeLookUpLeft": up,
        "eyeLookUpRight": up,
        "eyeLookDownLeft": down,
        "eyeLookDownRight": down,
    }


def gaze_of(strengths: Mapping[str, float]) -> tuple[float, float]:
    """The gaze that the blendshapes make: the inverse of :func:`gaze_strengths`, both eyes' mean.

    Args:
        strengths: by name; those that are missing count as 0.

    Returns:
        x toward the person's left and y up, -1..1.
    """

    def of(*names: str) -> float:
        return sum(strengths.get(name, 0.0) for name in names) / len(names)

    left, right = of("eyeLookOutLeft", "eyeLookInRight"), of("eyeLookInLeft", "eyeLookOutRight")
    up, down = of("eyeLookUpLeft", "eyeLookUpRight"), of("eyeLookDownLeft", "eyeLookDownRight")
    return max(-1.0, min(1.0, left - right)), max(-1.0, min(1.0, up - down))


def label(shape: str) -> str:
    """What a blendshape is called on a slider: ``mouthSmileLeft`` -> ``Smile left``; the group is known."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in shape).split()
    kept = words[1:] if words[0] != "tongue" else words
    return " ".join(kept).capitalize()


def _either_side(shape: str) -> str:
    for side in ("Left", "Right"):
        if shape.endswith(side):
            return shape.removesuffix(side) + "*"
    return shape
