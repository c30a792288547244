# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes by the names that other programs look for: Ready Player Me's, beside ARKit's 52.

Avatars of Ready Player Me have a few shapes that join two of ARKit's, and the 15 visemes of Oculus Lipsync
(Meta, "Viseme Reference"), one for each group of sounds that look alike on the lips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..errors import OptionError
from .head import Head

SHAPE_NAMES = ("arkit", "rpm")
"""What may be asked for: ARKit's names alone, or Ready Player Me's as well."""

RPM_SHAPES: Mapping[str, Mapping[str, float]] = {
    "mouthOpen": {"jawOpen": 0.7},
    "mouthSmile": {"mouthSmile*": 1.0},
    "eyesClosed": {"eyeBlink*": 1.0},
    "eyesLookUp": {"eyeLookUp*": 1.0},
    "eyesLookDown": {"eyeLookDown*": 1.0},
    "viseme_sil": {},
    # p, b, m
    "viseme_PP": {"mouthShrugLower": 0.6, "mouthPress*": 0.4, "mouthRollUpper": 0.5, "mouthRollLower": 0.3},
    # f, v
    "viseme_FF": {"mouthRollLower": 0.9, "mouthShrugLower": 0.3, "mouthUpperUp*": 0.4},
    # th
    "viseme_TH": {"jawOpen": 0.2, "tongueOut": 0.5, "mouthUpperUp*": 0.1},
    # t, d
    "viseme_DD": {"jawOpen": 0.12, "mouthUpperUp*": 0.15, "mouthLowerDown*": 0.3, "mouthStretch*": 0.15},
    # k, g
    "viseme_kk": {"jawOpen": 0.25, "mouthStretch*": 0.25, "mouthUpperUp*": 0.1},
    # ch, j, sh
    "viseme_CH": {"mouthFunnel": 0.8, "mouthUpperUp*": 0.1},
    # s, z
    "viseme_SS": {"mouthStretch*": 0.5, "mouthUpperUp*": 0.25, "mouthLowerDown*": 0.35},
    # n, l
    "viseme_nn": {"jawOpen": 0.15, "mouthLowerDown*": 0.2, "mouthUpperUp*": 0.05},
    # r
    "viseme_RR": {"mouthFunnel": 0.4, "mouthPucker": 0.4, "jawOpen": 0.1},
    "viseme_aa": {"jawOpen": 0.6},
    "viseme_E": {"jawOpen": 0.25, "mouthStretch*": 0.4, "mouthSmile*": 0.2, "mouthLowerDown*": 0.2},
    "viseme_I": {"jawOpen": 0.1, "mouthSmile*": 0.4, "mouthStretch*": 0.4, "mouthLowerDown*": 0.3},
    "viseme_O": {"jawOpen": 0.35, "mouthFunnel": 0.7, "mouthPucker": 0.2},
    "viseme_U": {"mouthPucker": 0.9, "mouthFunnel": 0.35},
}
"""Strengths of ARKit's shapes; a name with a star stands for left and right. The first five are those of
TalkingHead's ``build-extras-from-arkit.py`` (M. Suomela, MIT). Its visemes do not close the lips of our model
for p and hide the teeth for s: these here were composed by looking at them on three heads."""


def with_shape_names(head: Head, names: str) -> Head:
    """A head with the shapes of :data:`RPM_SHAPES` after its own, at strength 0, where ``names`` asks for
    them. Those that it has already stay.

    Raises:
        OptionError: ``names`` is not one of :data:`SHAPE_NAMES`, or the head has lost one of ARKit's shapes.

    """
    if names not in SHAPE_NAMES:
        raise OptionError(f"There are no shape names '{names}': choose {' or '.join(SHAPE_NAMES)}.")
    added = [name for name in RPM_SHAPES if names == "rpm" and name not in head.expression_names]
    if not added:
        return head
    mixes = np.zeros((len(added), len(head.expression_names)), dtype=np.float32)
    for row, name in enumerate(added):
        for shape, strength in RPM_SHAPES[name].items():
            for side in ("Left", "Right") if shape.endswith("*") else ("",):
                mixes[row, _number(head, shape.removesuffix("*") + side)] = strength
    deltas = np.tensordot(mixes, head.expression_deltas, axes=1)
    return replace(
        head,
        expression_names=(*head.expression_names, *added),
        expression_deltas=np.concatenate([head.expression_deltas, deltas]),
        expression=np.concatenate([head.expression, np.zeros(len(added), dtype=np.float32)]),
    )


def _number(head: Head, shape: str) -> int:
    try:
        return head.expression_names.index(shape)
    except ValueError:
        raise OptionError(
            f"The head has lost the shape {shape}, of which Ready Player Me's are made: generate it again."
        ) from None
