# SPDX-License-Identifier: GPL-3.0-or-later
"""Our completion network in plain Keras, and how it is trained.

The sides of fitted heads go in, their true sides shall come out.

The loss counts what the photo did not show in full, what it showed less, and the ground a little: mean
absolute difference, structure (SSIM) and edges. To learn a right side is to learn a left one in the mirror.
Each time a person is shown, they and the truth are in other colours, by a camera's white balance and tone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

import cv2
import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from ..learning.engine import Samples, Task
from ..learning.run_record import arrays_digest
from .stack_data import NOT_JUDGED, SEEN, UNSEEN, StackArrays
from .stacks import CHANNELS, DARKEST, SIDE_YAWS, STACK_SIZE, Sides, facing_left

LEVELS = (24, 48, 96, 144, 192)
"""Filters of our network at 128, 64, 32, 16 and 8 pixels."""
MOST_GAIN = 1.0
"""Natural logarithm: 2.7 times the light and :data:`.stacks.DARKEST`, or that part of them."""

SEEN_COUNTS = 0.25
"""Of what was not seen: how much the network is to care for what the photo shows anyway."""
GROUND_COUNTS = 0.05
"""The same of the ground, that it stays black."""
SSIM_COUNTS, EDGES_COUNT = 0.15, 0.5
"""Of the mean absolute difference."""
_SSIM_STEP = 4
_SSIM_C1, _SSIM_C2 = 0.01**2, 0.03**2
_SHEET_PEOPLE = 6
_TINT, _LIGHT, _TONE = 0.06, 0.10, 0.10
"""Standard deviations, natural logarithm: of each colour's light, of all light, of the exponent after it; on
top of what :func:`.stack_data.as_photographed` has done to each person once."""


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


@keras.saving.register_keras_serializable(package="holotalk")
class SideLoss(keras.losses.Loss):
    """Of (N, H, W, 3) pictures against (N, H, W, 4): the truth, and how much each pixel counts."""

    def __init__(self, ssim: float = SSIM_COUNTS, edges: float = EDGES_COUNT, **kwargs: Any) -> None:
        """Args: ssim, edges: shares of the two beside the mean absolute difference."""
        super().__init__(**kwargs)
        self.ssim, self.edges = ssim, edges

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One number."""
        truth, weight = y_true[..., :3], y_true[..., 3:]
        total = ops.sum(weight) + 1.0
        loss = ops.sum(ops.abs(truth - y_pred) * weight) / (3.0 * total)
        if self.edges:
            for axis in (1, 2):
                difference = _steps(truth, axis) - _steps(y_pred, axis)
                both = ops.minimum(_first(weight, axis), _last(weight, axis))
                loss += self.edges * ops.sum(ops.abs(difference) * both) / (3.0 * total)
        if self.ssim:
            counts = windows(weight)
            unlike = 1.0 - structure(truth, y_pred)
            loss += self.ssim * ops.sum(unlike * counts) / (3.0 * (ops.sum(counts) + 1.0))
        return loss

    def get_config(self) -> dict[str, Any]:
        """As Keras saves it."""
        return {**super().get_config(), "ssim": self.ssim, "edges": self.edges}


def _first(picture: Any, axis: int) -> Any:
    return picture[:, :-1] if axis == 1 else picture[:, :, :-1]


def _last(picture: Any, axis: int) -> Any:
    return picture[:, 1:] if axis == 1 else picture[:, :, 1:]


def _steps(picture: Any, axis: int) -> Any:
    """Differences of neighbours."""
    return _last(picture, axis) - _first(picture, axis)


def windows(picture: Any) -> Any:
    """(N, H / 4 - 1, W / 4 - 1, C) means in windows of 8 x 8 pixels, half over the next: all windows would
    take as long as the network itself.
    """
    return ops.average_pool(picture, 2 * _SSIM_STEP, _SSIM_STEP, padding="valid")


def structure(one: Any, other: Any) -> Any:
    """SSIM (Wang et al. 2004) of (N, H, W, C) pictures 0..1 in the :func:`windows`."""
    a, b = windows(one), windows(other)
    aa, bb, ab = windows(one * one) - a * a, windows(other * other) - b * b, windows(one * other) - a * b
    light = (2.0 * a * b + _SSIM_C1) / (a * a + b * b + _SSIM_C1)
    return light * (2.0 * ab + _SSIM_C2) / (aa + bb + _SSIM_C2)


class _Unseen(keras.metrics.Metric):
    """The mean of something where the photo showed nothing."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self._sum = self.add_weight(name="sum", initializer="zeros")
        self._count = self.add_weight(name="count", initializer="zeros")

    def measured(self, truth: Any, picture: Any, unseen: Any) -> tuple[Any, Any]:
        """Of (N, H, W, 3) pictures: (N, h, w, 3) values, and (N, h, w, 1) how much each counts."""
        raise NotImplementedError

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; all samples weigh the same."""
        del sample_weight
        unseen = ops.cast(y_true[..., 3:] > 0.5, "float32")
        values, counts = self.measured(y_true[..., :3], y_pred, unseen)
        self._sum.assign_add(ops.sum(values * counts) / 3.0)
        self._count.assign_add(ops.sum(counts))

    def result(self) -> Any:
        """So far."""
        return self._sum / (self._count + 1e-6)


@keras.saving.register_keras_serializable(package="holotalk")
class UnseenError(_Unseen):
    """Mean absolute difference, 0..1."""

    def __init__(self, name: str = "unseen_l1", **kwargs: Any) -> None:
        """Args: name: in the log."""
        super().__init__(name, **kwargs)

    def measured(self, truth: Any, picture: Any, unseen: Any) -> tuple[Any, Any]:
        """Pixel by pixel."""
        return ops.abs(truth - picture), unseen


@keras.saving.register_keras_serializable(package="holotalk")
class UnseenStructure(_Unseen):
    """Mean :func:`structure`."""

    def __init__(self, name: str = "unseen_ssim", **kwargs: Any) -> None:
        """Args: name: in the log."""
        super().__init__(name, **kwargs)

    def measured(self, truth: Any, picture: Any, unseen: Any) -> tuple[Any, Any]:
        """Window by window."""
        return structure(truth, picture), windows(unseen)


def completion_task(training: StackArrays, held_out: StackArrays, without: Collection[str] = ()) -> Task:
    """What :func:`..learning.engine.train` shall do.

    Args:
        training: what to learn from; colours vary, backs are mirrored at random.
        held_out: other people, on whom every epoch is judged.
        without: any of :data:`.stacks.WITHOUT`.
    """
    filled, structured = "filling" not in without, "structure" not in without
    loss = SideLoss() if structured else SideLoss(0.0, 0.0)
    judged_by = samples_of(held_out, filled)
    return Task(
        name=f"cae without {' and '.join(sorted(without))}" if without else "cae",
        settings={
            "filters": list(LEVELS),
            "largest gain": MOST_GAIN,
            "share of structure in the loss": loss.ssim,
            "share of edges": loss.edges,
            "share of what was seen": SEEN_COUNTS,
            "share of the ground": GROUND_COUNTS,
            "colours vary by": [_TINT, _LIGHT, _TONE],
        },
        network=partial(completion_network, restrained="restraint" not in without),
        loss=loss,
        metrics=(UnseenError, UnseenStructure),
        training=samples_of(training, filled),
        held_out=judged_by,
        sheet=lambda network: sheet(network, judged_by),
    )


def samples_of(stacks: StackArrays, filled: bool = True) -> Samples:
    """Each side of each person: stacks that all look to the left, and the truth with its weights; sides that
    are not ``filled`` are black where the photo showed nothing.
    """
    sides = len(SIDE_YAWS)

    def make(chosen: NDArray[np.intp], rng: np.random.Generator | None) -> tuple[Any, Any]:
        inputs, targets = zip(
            *(_sample(stacks, *divmod(int(i), sides), _toning(rng)) for i in chosen), strict=True
        )
        stack, target = np.stack(inputs), np.stack(targets)
        if not filled:
            stack[..., :3] *= stack[..., 6:7]
        if rng is not None:
            # In the mirror a left side would look right, which the network never sees; backs have no such
            # side.
            turned = (rng.random(len(chosen)) < 0.5) & (chosen % sides == sides - 1)
            stack[turned], target[turned] = stack[turned][:, :, ::-1], target[turned][:, :, ::-1]
        return stack, target

    content = arrays_digest(getattr(stacks, each.name) for each in fields(stacks))
    return Samples(np.repeat(stacks.person, sides), make, content)


def _toning(rng: np.random.Generator | None) -> NDArray[np.uint8]:
    """(256, 3) what each byte of red, green and blue becomes; black stays black."""
    levels = np.linspace(0.0, 1.0, 256)[:, None]
    if rng is not None:
        gain = np.exp(rng.normal(0.0, _TINT, 3) + rng.normal(0.0, _LIGHT))
        levels = np.minimum(levels * gain, 1.0) ** np.exp(rng.normal(0.0, _TONE))
    return np.asarray(np.broadcast_to(levels, (256, 3)) * 255.0 + 0.5, dtype=np.uint8)


def _toned(picture: NDArray[np.uint8], toning: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An (H, W, 3) picture, each byte as (256, 3) bytes tell."""
    return np.asarray(cv2.LUT(picture, toning[None]), dtype=np.uint8)


def _sample(
    stacks: StackArrays, person: int, side: int, toning: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(256, 256, 9) the stack, and (256, 256, 4) the truth and how much each pixel counts."""
    part = np.s_[person, side : side + 1]
    one = Sides(
        _toned(stacks.front[person], toning),
        _toned(stacks.side[person, side], toning)[None],
        stacks.seen[part],
        stacks.cover[part],
        stacks.hair[part],
    )
    region = stacks.region[person, side]
    counts = np.where(region == UNSEEN, 1.0, np.where(region == SEEN, SEEN_COUNTS, 0.0))
    covered = stacks.cover[person, side] > 0
    counts[(region == NOT_JUDGED) & ~covered] = GROUND_COUNTS
    truth = stacks.truth[person, side]
    # Beyond the outline of the true head there is no true colour: black rims are not to be learnt.
    beyond = (covered & (truth.max(axis=-1) == 0)).astype(np.uint8)
    truth = _toned(truth, toning) / np.float32(255.0)
    counts[covered & (cv2.dilate(beyond, np.ones((3, 3))) > 0)] = 0.0
    target = np.concatenate([truth, counts[..., None]], axis=-1, dtype=np.float32)
    name = list(SIDE_YAWS)[side]
    return facing_left(one.stacks()[0], name), facing_left(target, name)


def sheet(network: keras.Model, samples: Samples) -> NDArray[np.uint8]:
    """(H, W, 3): for people spread over the samples a row each: the front, and for every side what goes in,
    what comes out and the truth.
    """
    sides = len(SIDE_YAWS)
    people = len(samples.person) // sides
    rows = []
    for person in np.linspace(0, people - 1, min(_SHEET_PEOPLE, people)).astype(int):
        stacks, targets = samples.make(sides * person + np.arange(sides), None)
        made = np.asarray(network.predict(stacks, verbose=0))
        shown = [
            [stack[..., :3], one, target[..., :3]]
            for stack, one, target in zip(stacks, made, targets, strict=True)
        ]
        rows.append(
            np.concatenate([stacks[0, ..., 3:6], *(tile for tiles in shown for tile in tiles)], axis=1)
        )
    return (np.clip(np.concatenate(rows), 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
