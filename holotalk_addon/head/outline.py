# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of the head behind the face, corrected by the person's outline in the photo.

The landmarks end with the face; ears, neck and cranium of the fit are merely the likeliest ones for such a
face. Where the outline of the fitted head runs along skin that ends at the ground, the photo tells how far
off it is; where the head stands out beyond the person, whatever covers it, it is too large there. Pose and
identity are solved for once more, with all that the landmarks tell of them as it was; the face itself keeps
its place in the photo.

Both move, because neither explains an outline alone: an error of the pitch that the face's own shape hides
moves crown and ears in the photo (measured: identity alone makes the cranium worse).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .fitting import FIRST_SIGMA, ROTATION_SIGMA, HeadFit
from .head import PARTS
from .landmark_errors import certainty, upright
from .morphable_model import OUTER_EYE_CORNERS, HeadModel
from .raster import barycentric, pixel_centres, rasterize
from .texture import sample_picture

SIDE = 320
"""Pixels of a side of the working picture: a millimetre is about one."""
_MARGIN = 28  # pixels of it around the fitted head

_REACH_M = 0.016  # how far from the fitted outline the person's is looked for
_STEP_M = 0.0005
_INSIDE_M = (0.0015, 0.003, 0.0045, 0.006)  # within the person's outline: what must be skin
_ALONG = 8  # places between the two outlines where it must be skin too
_GROUND_M = 0.008  # beyond the person's outline: what must be ground, lest a hole of the mask be an outline
_HEAD = 0.95  # of the fade: below it the bust ends
_FACING = 0.4  # cosine of the viewing angle: the face above it, the scalp near the outline below
_BALD = 0.6  # share of that scalp that is skin: with less the skin at its edge is a hand's, or no skin

# How far the outline is to be believed. Measured on rendered people: an ear's in the mask is 1.1 mm off, and
# the model's own cannot follow every ear. Neighbours on the outline are wrong together.
_SIGMA_M = 0.003
_INDEPENDENT = 0.06
_DOUBTFUL_M = 0.004  # offsets from here on count less and less: another outline may have been found
_LEAST_POINTS = 6.0  # one is about a millimetre of it

_ROUNDS = 3

_NOT_SKIN = ("scalp", "brows", "lips", "eyelids", "mouth_inside", "eye_sockets")
_LEAST_LIGHT, _LEAST_HUE = 18.0, 4.0  # standard deviations of skin in OpenCV's L and in its a and b
_LIKE_SKIN = (1.75, 2.75)  # of them: surely skin, and surely none

Picture = NDArray[np.float32]


def meet_outline(
    model: HeadModel,
    fit: HeadFit,
    pixels: NDArray[np.uint8],
    person: NDArray[np.floating],
    inside: NDArray[np.bool_] | None = None,
) -> HeadFit:
    """Correct a fitted head by the person's outline. Deterministic.

    Args:
        model: the morphable model.
        fit: the head as the landmarks tell it.
        pixels: (H, W, 3) uint8 sRGB, the photo.
        person: (H, W) 0..1, 1 on the person.
        inside: (H, W) where there is photo; None: everywhere.

    Returns:
        The fit with another identity, pose and vertices, but with the face where it was in the photo; ``fit``
        itself where the photo shows too little of the outline.
    """
    cut = _cut_out(model, fit, pixels, person, inside)
    told = _told_by_landmarks(model, fit)
    change = np.zeros(len(told))
    for _ in range(_ROUNDS):
        moved = _moved(model, fit, change)
        rim = _rim(model, moved, cut)
        offset, weight = _offsets(rim, cut)
        if weight.sum() < _LEAST_POINTS:
            return fit
        slope = _slope(model, moved, rim)
        weighted = slope.T * (weight * _INDEPENDENT / _SIGMA_M**2)
        change = np.linalg.solve(told + weighted @ slope, weighted @ (offset + slope @ change))
    return _with_face_kept(model, fit, _moved(model, fit, change))


@dataclass(frozen=True)
class _Cut:
    """A square cut of the photo around the head; pictures are (SIDE, SIDE), 0..1."""

    person: Picture
    skin: Picture
    """how much like the face's skin"""
    bald: bool
    scale: float
    """pixels of the cut for one of the photo"""
    corner: NDArray[np.float64]
    """(2,) the photo's pixel at the cut's corner"""
    inside: Picture
    """where there is photo, without the outermost pixels of the cut"""

    def place(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 2) photo pixels -> pixels of the cut."""
        return np.asarray((pixels - self.corner) * self.scale)

    def shows(self, place: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(N,) whether there is photo at (N, 2) pixels of the cut."""
        return np.asarray(sample_picture(self.inside, np.asarray(place, dtype=np.float64)) > 0.5)


@dataclass(frozen=True)
class _Rim:
    """The outline of a drawn head, N points on it."""

    place: NDArray[np.float64]
    """(N, 2) pixels of the cut"""
    outward: NDArray[np.float64]
    """(N, 2) unit normal in the photo, x right, y down"""
    metre: NDArray[np.float64]
    """(N,) pixels of the cut for a metre there"""
    corners: NDArray[np.int32]
    """(N, 3) vertices of the triangle under it, and"""
    weights: NDArray[np.float64]
    """(N, 3) its barycentric weights"""
    scalp: NDArray[np.bool_]
    """(N,)"""
    behind: NDArray[np.float64]
    """(N,) 1 where it belongs to the head behind the face, 0 on the face and on the end of the bust"""


def _cut_out(
    model: HeadModel,
    fit: HeadFit,
    pixels: NDArray[np.uint8],
    person: NDArray[np.floating],
    inside: NDArray[np.bool_] | None,
) -> _Cut:
    at = fit.to_camera(fit.posed(model))
    xy = fit.camera.project(at)
    scale = (SIDE - 2 * _MARGIN) / float(np.ptp(xy, axis=0).max())
    corner = (xy.min(axis=0) + xy.max(axis=0)) / 2.0 - SIDE / (2.0 * scale)

    def cut(picture: NDArray[Any], border: int = cv2.BORDER_REPLICATE) -> NDArray[Any]:
        height, width = picture.shape[:2]
        first = min(1.0, 1.5 * scale)  # what is much finer is averaged first
        size = max(1, round(width * first)), max(1, round(height * first))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if first < 1.0 else picture
        ratio = scale * width / size[0], scale * height / size[1]
        shift = np.multiply(0.5, ratio) - 0.5 - scale * corner
        matrix = np.column_stack([np.diag(ratio), shift])
        return cv2.warpAffine(small, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=border)

    mask = np.asarray(cut(np.asarray(person, dtype=np.float32)), dtype=np.float32)
    rgb = cv2.GaussianBlur(np.asarray(cut(pixels), dtype=np.uint8), (0, 0), 1.0)
    lab = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), dtype=np.float32)
    photo = np.ones(person.shape, dtype=bool) if inside is None else inside
    shown = np.asarray(cut(photo.astype(np.float32), cv2.BORDER_CONSTANT), dtype=np.float32)
    shown = np.asarray(cv2.erode(shown, np.ones((5, 5))), dtype=np.float32)
    result = _Cut(mask, np.zeros_like(mask), False, scale, corner, shown)
    toward = -at / np.linalg.norm(at, axis=1, keepdims=True)
    facing = np.einsum("nd,nd->n", model.normals(at), toward)
    plain = (facing > _FACING) & (model.region("face") > 0.95)
    for name in _NOT_SKIN:
        plain &= model.region(name) < 0.05
    samples = sample_picture(lab, result.place(xy[plain]), cv2.BORDER_REPLICATE)
    skin = _like(lab, samples)
    scalp = result.place(xy[(facing > 0.0) & (facing < _FACING) & (model.region("scalp") > 0.8)])
    scalp = scalp[result.shows(scalp)]
    bald = len(scalp) > 0 and float(sample_picture(skin, scalp, cv2.BORDER_REPLICATE).mean()) > _BALD
    return replace(result, skin=skin, bald=bald)


def _like(lab: Picture, samples: NDArray[np.floating]) -> Picture:
    """(H, W) 0..1 how much an (H, W, 3) picture in CIE Lab is like (N, 3) samples of skin: light counts
    little, for ears and throat lie in the shade.
    """
    if not len(samples):
        return np.zeros(lab.shape[:2], dtype=np.float32)
    middle = np.median(samples, axis=0)
    spread = 1.4826 * np.median(np.abs(samples - middle), axis=0)
    sigma = np.maximum(spread * [1.5, 1.0, 1.0], [_LEAST_LIGHT, _LEAST_HUE, _LEAST_HUE])
    off = (lab - middle) / sigma
    distance = np.maximum(np.abs(off[..., 0]), np.hypot(off[..., 1], off[..., 2]) / 1.2)
    sure, none = _LIKE_SKIN
    return np.asarray(np.clip((none - distance) / (none - sure), 0.0, 1.0), dtype=np.float32)


def _told_by_landmarks(model: HeadModel, fit: HeadFit) -> NDArray[np.float64]:
    """(6 + K, 6 + K) what landmarks and priors tell of [turn, shift, identity] about the fit: the inverse of
    the covariance, the network's own ways to be wrong left out of it (Schur's complement).
    """
    points = model.landmarks(fit.posed(model))
    at = fit.to_camera(points)
    jacobian = fit.camera.jacobian(at)
    basis = np.stack([model.landmarks(component) for component in model.identity_basis]) @ fit.rotation.T
    eyes = points[list(OUTER_EYE_CORNERS)]
    eye_distance = float(np.linalg.norm(eyes[0] - eyes[1]) * fit.camera.focal / -at[:, 2].mean())
    normals = model.landmarks(model.normals(model.mean)) @ fit.rotation.T
    facing = np.einsum("nd,nd->n", normals, -at / np.linalg.norm(at, axis=1, keepdims=True))
    certain = certainty(facing) / (FIRST_SIGMA * model.landmark_sigma * eye_distance)
    noise = model.landmark_noise.astype(np.float64) @ upright(fit.rotation).T * eye_distance
    turned = points @ fit.rotation.T
    by_turn = np.cross(turned[:, None], jacobian)
    by_identity = np.einsum("nij,knj->nik", jacobian, basis)
    columns = np.concatenate([by_turn, jacobian, by_identity, noise.transpose(1, 2, 0)], axis=2)
    columns = (columns * certain[:, None, None]).reshape(-1, columns.shape[2])
    form = columns.T @ columns
    form[6:, 6:] += np.eye(len(form) - 6)
    form[:3, :3] += np.eye(3) / ROTATION_SIGMA**2
    own = 6 + len(basis)
    across = form[:own, own:]
    return np.asarray(form[:own, :own] - across @ np.linalg.solve(form[own:, own:], across.T))


def _moved(model: HeadModel, fit: HeadFit, change: NDArray[np.float64]) -> HeadFit:
    """The fit turned, shifted and with another identity: ``change`` as in :func:`_told_by_landmarks`."""
    turn = cv2.Rodrigues(change[:3])[0]
    vertices = fit.vertices + np.tensordot(change[6:], model.identity_basis, axes=1)
    return replace(
        fit,
        identity=fit.identity + change[6:],
        rotation=np.asarray(turn @ fit.rotation),
        translation=fit.translation + change[3:6],
        vertices=np.asarray(vertices, dtype=np.float32),
    )


def _rim(model: HeadModel, fit: HeadFit, cut: _Cut) -> _Rim:
    """The outermost pixels of the drawn head."""
    at = fit.to_camera(fit.posed(model))
    xy = cut.place(fit.camera.project(at))[model.triangles]
    skin = model.polygon_parts[model.triangle_polygon] == PARTS.index("skin")
    index = np.flatnonzero(skin).astype(np.int32)
    raster = rasterize(xy[index], -at[model.triangles[index]][..., 2], SIDE, SIDE)
    head = (raster.triangle >= 0).astype(np.float32)
    down, right = np.gradient(cv2.GaussianBlur(head, (0, 0), 2.0))
    pixel, local, centre = pixel_centres(raster)
    outermost = cv2.erode(head, np.ones((3, 3), dtype=np.uint8)).ravel()[pixel] == 0
    pixel, triangle, centre = pixel[outermost], index[local[outermost]], centre[outermost]
    outward = -np.stack([right.ravel()[pixel], down.ravel()[pixel]], axis=1)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    weights = barycentric(xy, triangle, centre)
    corners = model.triangles[triangle]

    def read(field: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray((weights * field[corners]).sum(axis=1))

    behind = np.clip(1.0 - 2.0 * read(model.region("face")), 0.0, 1.0) * (read(model.fade) > _HEAD)
    metre = fit.camera.focal * cut.scale / -read(at[:, 2])
    return _Rim(
        place=centre + 0.5 * outward,
        outward=outward,
        metre=metre,
        corners=corners,
        weights=weights,
        scalp=read(model.region("scalp")) > 0.5,
        behind=np.asarray(behind, dtype=np.float64),
    )


def _offsets(rim: _Rim, cut: _Cut) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) metres by which the person's outline lies beyond the drawn one, and (N,) 0..1 how surely the two
    are the same place.
    """

    def at(metres: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, S, 2) places on the rays outward, (N or 1, S) metres from the drawn outline."""
        away = metres * rim.metre[:, None]
        return np.asarray(rim.place[:, None] + rim.outward[:, None] * away[..., None])

    def read(picture: Picture, metres: NDArray[np.floating]) -> NDArray[np.float32]:
        places = at(metres)
        found = sample_picture(picture, places.reshape(-1, 2), cv2.BORDER_REPLICATE).clip(0.0, 1.0)
        return found.reshape(places.shape[:2])

    steps = np.arange(-_REACH_M, _REACH_M + 1e-9, _STEP_M)
    own = read(cut.person, steps[None]) > 0.5
    middle = (steps[:-1] + steps[1:]) / 2.0
    last = len(steps) - 1
    ground = np.ones((len(own), last), dtype=bool)
    for further in range(round(_GROUND_M / _STEP_M)):
        ground &= ~own[:, np.minimum(np.arange(1, last + 1) + further, last)]
    distance = np.where(own[:, :-1] & ground, np.abs(middle), np.inf)
    offset = middle[distance.argmin(axis=1)]
    end = at(offset[:, None])[:, 0]
    known = np.isfinite(distance.min(axis=1)) & cut.shows(end)
    # From the drawn outline to the person's, and a little within the latter, all is skin.
    way = np.linspace(0.0, 1.0, _ALONG) * np.maximum(offset, 0.0)[:, None]
    edge = offset[:, None] - np.array(_INSIDE_M)
    skin = np.minimum(
        read(cut.skin, edge).min(axis=1), read(cut.skin, np.minimum(way, edge[:, :1])).min(axis=1)
    )
    skin[rim.scalp & (not cut.bald)] = 0.0
    beyond = (offset < 0) & (skin < 0.5)  # hair may cover a head, but nowhere does it stand out of the person
    weight = np.where(beyond, 1.0, skin)
    return offset, np.asarray(weight * known * rim.behind / (1.0 + (offset / _DOUBTFUL_M) ** 2))


def _slope(model: HeadModel, fit: HeadFit, rim: _Rim) -> NDArray[np.float64]:
    """(N, 6 + K) metres that the rim's points move outward in the photo by [turn, shift, identity]."""
    point = np.einsum("nc,ncd->nd", rim.weights, fit.posed(model)[rim.corners])
    turned = point @ fit.rotation.T
    jacobian = fit.camera.jacobian(turned + fit.translation)
    metres = (turned + fit.translation)[:, 2] / -fit.camera.focal
    way = np.einsum("ni,nij->nj", rim.outward, jacobian) * metres[:, None]
    basis = np.einsum("nc,kncd->knd", rim.weights, model.identity_basis[:, rim.corners], optimize=True)
    by_identity = np.einsum("nd,knd->nk", way @ fit.rotation, basis)
    return np.concatenate([np.cross(turned, way), way, by_identity], axis=1)


def _with_face_kept(model: HeadModel, before: HeadFit, after: HeadFit) -> HeadFit:
    """``after`` with the face where ``before`` shows it in the photo; how deep it lies is ``after``'s, and so
    are eyes, teeth, tongue and lashes: the model's own, as in every fit.
    """
    at = after.to_camera(after.posed(model))
    wanted = before.camera.project(before.to_camera(before.posed(model)))
    back = after.camera.unproject(wanted, -at[:, 2]) - at
    face = np.maximum.reduce([model.region(name) for name in ("face", "mouth_inside", "eye_sockets")])
    vertices = after.vertices + (back * face[:, None]) @ after.rotation
    skin = model.vertex_parts == PARTS.index("skin")
    vertices = np.where(skin[:, None], vertices, model.vertices(after.identity))
    return replace(after, vertices=np.asarray(vertices, dtype=np.float32))
