# SPDX-License-Identifier: GPL-3.0-or-later
"""Beards: where they grow, and short locks on the posed face. Stubble is painted, on the skin."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .face_canvas import CANVAS_PIXEL_M, CHIN, SIDES, Picture, canvas_size, near, on_canvas
from .fitting_room import FittingRoom
from .look import Look
from .prop import Prop
from .strands import Locks, hair_texture, strips

_LENGTHS_M = {"moustache": (0.006, 0.010), "goatee": (0.008, 0.025), "short beard": (0.005, 0.012),
              "full beard": (0.015, 0.055)}  # fmt: skip


def grow_beard(
    room: FittingRoom, look: Look, posed: NDArray[np.floating], rng: np.random.Generator
) -> list[Prop]:
    """A beard on (V, 3) posed vertices; none for the shaved and the stubbled."""
    if look.beard not in _LENGTHS_M:
        return []
    picture = beard_density(room, look.beard)
    if picture is None:
        return []
    model = room.model
    place = on_canvas(model.mean) / 2
    density = cv2.remap(picture, place[:, :1], place[:, 1:], cv2.INTER_LINEAR).ravel().astype(np.float64)
    density *= (model.vertex_parts == 0) * (1 - model.region("lips")) * (1 - model.region("mouth_inside"))
    density *= (model.mean[:, 2] > -0.01) * (model.region("ears") < 0.3) * (1 - model.region("eye_sockets"))
    corners = posed[model.triangles].astype(np.float64)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    share = np.cumsum(np.linalg.norm(cross, axis=1) * density[model.triangles].min(axis=1))
    count = 500 if look.beard == "moustache" else 1500
    at = (np.arange(count) + rng.random(count)) / count * share[-1]
    triangle = np.minimum(np.searchsorted(share, at), len(share) - 1)
    a, b = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - a, a * (1 - b), a * b], axis=1)
    ids = model.triangles[triangle]
    root = np.einsum("nc,ncd->nd", weights, corners[triangle])
    normal = np.einsum("nc,ncd->nd", weights, model.normals(posed)[ids])
    at_mean = np.einsum("nc,ncd->nd", weights, model.mean[ids])

    lips = model.mean[model.region("lips") > 0.5]
    # Above the mouth hair is kept short and combed aside; on the cheeks it is shorter than on the chin.
    upper = (at_mean[:, 1] > lips[:, 1].mean()) & (np.abs(at_mean[:, 0]) < 0.03)
    low, high = _LENGTHS_M[look.beard]
    length = np.full(count, rng.uniform(low, high)) * rng.uniform(0.75, 1.1, count)
    chin = np.clip((-0.03 - at_mean[:, 1]) / 0.06, 0.3, 1.0)
    length = np.where(upper, np.minimum(length, 0.009), length * chin)
    aside = np.stack([np.sign(at_mean[:, 0]) * 0.8, np.zeros(count), np.zeros(count)], axis=1)
    way = np.array([0.0, -1.0, 0.15]) + np.where(upper[:, None], aside, 0.0) + rng.normal(0, 0.25, (count, 3))
    steps = 4
    points = np.empty((count, steps + 1, 3))
    points[:, 0] = root - normal * 0.0005
    for k in range(steps):
        lift = 0.75 - 0.6 * k / steps
        # Along the skin at least: hair does not grow into it.
        inward = np.minimum((way * normal).sum(axis=1, keepdims=True), 0.0)
        direction = (way - inward * normal) * (1 - lift) + normal * lift
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        points[:, k + 1] = points[:, k] + direction * (length / steps)[:, None]
    shade = np.clip(rng.normal(0.6, 0.25, count), 0, 1)
    rgb = brow_rgb(look)
    texture = hair_texture(room.curls, (float(rgb[0]), float(rgb[1]), float(rgb[2])), look.greying)
    width = np.full(count, 0.006 if look.beard == "short beard" else 0.008)
    facing = np.repeat(normal[:, None], steps + 1, axis=1)
    return [strips("beard", Locks(points, width, shade), facing, texture, rng, roll=0.4)]


def beard_density(room: FittingRoom, style: str) -> Picture | None:
    """(h / 2, w / 2) 0..1 where a beard grows on the canvas; None without one."""
    if style == "none":
        return None
    width, height = (n // 2 for n in canvas_size())
    marks = on_canvas(room.model.landmarks(room.model.mean)).astype(np.float64)
    result = np.zeros((height, width), np.float32)
    for side in SIDES:
        lip = marks[side.moustache]
        result = np.maximum(result, near([lip], 0.0055, 0.003))
        if style == "moustache":
            continue
        corner = marks[[side.moustache[-1], side.corner]]
        beside = np.array([corner[0], corner[1] + (marks[CHIN[1]] - corner[1]) * [0.05, 0.6], marks[CHIN[2]]])
        result = np.maximum(result, near([beside], 0.007, 0.004))
        if style != "goatee":
            jaw = marks[side.jaw]
            # From before the ear, where the hair of the head ends.
            ear = float(np.sign(marks[side.canthus][0] - marks[side.inner][0]))
            jaw = (
                jaw
                + np.interp(np.arange(len(jaw)), [0, 3], [0.012, 0.0])[:, None] * [ear, 0.0] / CANVAS_PIXEL_M
            )
            inward = jaw + (marks[CHIN[0]] - jaw) * np.linspace(0.02, 0.25, len(jaw))[:, None]
            below = jaw + np.array([0.0, 0.014 / CANVAS_PIXEL_M])
            result = np.maximum(result, near([inward], 0.010, 0.007))
            result = np.maximum(result, near([below[3:]], 0.014, 0.010))
    if style != "moustache":
        result = np.maximum(result, near([marks[list(CHIN)]], 0.014, 0.006))
    return result


def brow_rgb(look: Look) -> NDArray[np.float64]:
    """(3,) sRGB of brows and beard: as the hair, but darker than light or dyed hair is."""
    own = np.array(look.hair_rgb)
    if look.hair_colour == "dyed":
        own = np.array([0.20, 0.14, 0.10])
    dark = np.array([0.22, 0.16, 0.12])
    light = float(np.clip(own.mean() / 0.5, 0, 1))
    share = 0.45 * light * (1.0 - 0.6 * look.greying)
    return np.asarray(own + (dark - own) * share)
