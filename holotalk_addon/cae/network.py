# SPDX-License-Identifier: GPL-3.0-or-later
"""The two networks that complete heads, in plain Keras: any backend trains them.

HOLOTALK's convolutional autoencoder: the picture is a person's front over their side (64 x 64 each), and the
target is the picture itself. What the network has to push both through, 1024 numbers, holds the person; so
when the side comes from somebody else, the front's traits shall show in it.

Ours: what is drawn of a fitted head from one side goes in, with the front and with masks of what the photo
showed; what that side truly looks like comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from .shards import SNAPSHOT_SIDE
from .stacks import CHANNELS, DARKEST, STACK_SIZE

INPUT_SHAPE = (2 * SNAPSHOT_SIDE, SNAPSHOT_SIDE, 1)
"""Rows, columns, channels of the stacked snapshots: grey 0..1, the front above."""
ENCODER = (32, 64, 128, 256, 512)
CODE = 1024
GRID = (4, 2, 128)
"""What the code is reshaped to: rows, columns, channels."""
DECODER = (512, 256, 128, 64, 32)
PARAMETERS = 8_970_753

LEVELS = (24, 48, 96, 144, 192)
"""Filters of our network at 128, 64, 32, 16 and 8 pixels."""
MOST_GAIN = 1.0
"""Natural logarithm: 2.7 times the light and :data:`.stacks.DARKEST`, or that part of them."""


def holotalk_autoencoder() -> keras.Model:
    """The network, freshly initialised: (N, 128, 64, 1) float32 0..1 -> the same.

    The dense layers have ReLUs as the convolutions do: two linear ones in a row would be one.
    """
    picture = keras.Input(INPUT_SHAPE, name="stack")
    x = picture
    for number, filters in enumerate(ENCODER, start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"encode_{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool_{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(CODE, activation="relu", name="code_1")(x)
    x = layers.Dense(CODE, activation="relu", name="code_2")(x)
    x = layers.Reshape(GRID, name="grid")(x)
    for number, filters in enumerate(DECODER, start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"decode_{number}")(x)
        x = layers.UpSampling2D(2, name=f"grow_{number}")(x)
    x = layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="picture")(x)
    return keras.Model(picture, x, name="holotalk")


def completion_network(levels: Sequence[int] = LEVELS, restrained: bool = True) -> keras.Model:
    """Our network, freshly initialised: (N, 256, 256, 9) float32 0..1 (see :mod:`.stacks`) to
    (N, 256, 256, 3) sRGB 0..1 on black, the side as it is.

    A U-Net (Ronneberger et al. 2015) that stops at an eighth of the resolution: for every block of eight by
    eight pixels it says by how much what mirroring and filling has drawn there is lighter or darker in truth,
    at most :data:`MOST_GAIN`. So it shades, and the person's own hair and skin stay hair and skin, with all
    their detail; nearly in their own colours, which painting keeps. It begins with no change at all.

    Args:
        levels: filters at half the resolution, a quarter, and so on.
        restrained: False goes on to full resolution and draws all colours freely; to see what that would do.
    """

    def conv(x: Any, filters: int, name: str, strides: int = 1) -> Any:
        return layers.Conv2D(filters, 3, strides, padding="same", activation="relu", name=name)(x)

    stack = keras.Input((STACK_SIZE, STACK_SIZE, CHANNELS), name="stack")
    x = layers.Conv2D(levels[0], 4, 2, padding="same", activation="relu", name="enter")(stack)
    kept = []
    for number, filters in enumerate(levels[1:], start=1):
        x = conv(x, levels[number - 1], f"look_{number}")
        kept.append(x)
        x = conv(x, filters, f"shrink_{number}", 2)
    x = conv(x, levels[-1], "middle_1")
    x = conv(x, levels[-1], "middle_2")
    coarsest = 3 if restrained else 1  # the step down whose resolution is reached again
    for number in reversed(range(coarsest, len(levels))):
        x = layers.UpSampling2D(2, name=f"enlarge_{number}")(conv(x, levels[number - 1], f"fewer_{number}"))
        x = layers.Concatenate(name=f"join_{number}")([x, kept[number - 1]])
        x = conv(x, levels[number - 1], f"draw_{number}")
    if not restrained:
        x = layers.UpSampling2D(2, name="enlarge")(x)
        colour = layers.Conv2D(3, 3, padding="same", activation="sigmoid", name="colour")(x)
        return keras.Model(stack, colour, name="completion")
    gain = layers.Conv2D(1, 3, padding="same", activation="tanh", kernel_initializer="zeros", name="gain")(x)
    gain = layers.UpSampling2D(STACK_SIZE // gain.shape[1], interpolation="bilinear", name="smooth")(gain)
    side, cover = stack[..., :3], stack[..., 7:8]
    changed = side + (side + DARKEST * cover) * ops.expm1(MOST_GAIN * gain)
    return keras.Model(stack, ops.clip(changed, 0.0, 1.0), name="completion")
