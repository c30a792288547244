# SPDX-License-Identifier: GPL-3.0-or-later
"""The named stage that completes what the photo did not show. This one mirrors and fills.

1. What only the other side of the face shows is mirrored, its light adjusted to this side.
2. The rest gets a smooth field over the surface, grown from the colours at the border of what was seen
   toward the person's own skin and hair colours.
3. Eyeballs are completed by their symmetry about the gaze; teeth, tongue, mouth and lashes get plain
   colours under the photo's light.

A learned completion takes the same arguments and returns the same thing (:data:`.completion.Completion`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent
from .colours import luminance
from .completion import HeadTexture, SeenHead
from .eyes import complete_eyes, lash_alpha
from .head import PARTS
from .membrane import membrane, smoothstep
from .morphable_model import HeadModel
from .scalp_paint import hair_colour, hair_grain, where_hair
from .texture import BakedPhoto, bake_photo

_SKIN_DEFAULT = (0.72, 0.56, 0.48)  # only where the photo shows no skin at all
_TEETH = (0.86, 0.83, 0.76)
_TONGUE = (0.66, 0.36, 0.35)
_MOUTH = (0.30, 0.13, 0.12)
_SCLERA = (0.80, 0.77, 0.75)
_LASH = (0.10, 0.08, 0.07)
_LIT_SKIN = 0.62  # luminance of skin at which the plain colours above hold
_LEAST_SEEN = 0.35  # a vertex counts as seen from here on
_VERTEX_PICTURE = 1024  # resolution at which colours are gathered for the vertices
_COVER_EDGE = 0.3  # of the region "face": a mask reaches beyond it, on to the jaw's edge
_PULL_TO_PRIOR = 0.03  # how strongly unseen surface turns to the person's skin or hair colour


def mirror_and_fill(seen_head: SeenHead, progress: Progress = silent) -> HeadTexture:
    """Complete a baked photo by mirroring and smooth filling; hair stays as it was grown. Deterministic."""
    model, layout = seen_head.model, seen_head.layout
    skin = _face_skin(seen_head)
    own = _skin_alone(seen_head, seen_head.baked, skin)
    mirrored = bake_photo(
        model, seen_head.fit, layout, seen_head.pixels, seen_head.person, True, lambda f: progress(0.4 * f)
    )
    mirrored = _skin_alone(seen_head, mirrored, skin)
    mirrored_colour = _relit(seen_head, own, mirrored)
    progress(0.5)
    share = (1.0 - own.seen) * mirrored.seen
    seen = np.asarray(own.seen + share, dtype=np.float32)
    summed = own.colour * own.seen[..., None] + mirrored_colour * share[..., None]
    mixed: NDArray[np.float32] = np.asarray(summed / np.maximum(seen, 1e-6)[..., None], dtype=np.float32)
    progress(0.6)
    colours = _person_colours(seen_head, mixed, seen)
    base = layout.draw(model, _base_colours(seen_head, colours, _teeth_colour(seen_head, own)))
    progress(0.75)
    contrast = float(np.linalg.norm(colours.hair - colours.skin))
    grain = hair_grain(seen_head, mixed, seen, colours.haired, contrast)
    base *= (grain * layout.draw(model, _soft_shading(model)))[..., None]
    result = base + (mixed - base) * seen[..., None]
    complete_eyes(seen_head, result, own)
    progress(0.9)
    result = padded(result, layout.picture(np.ones(len(layout.texel), dtype=np.float32)) > 0)
    alpha = lash_alpha(seen_head)
    rgba = np.concatenate([np.clip(result, 0, 1), alpha[..., None]], axis=2)
    progress(1.0)
    seen_alone = np.asarray(own.seen, dtype=np.float32)
    return HeadTexture((rgba * 255.0 + 0.5).astype(np.uint8), seen_alone, seen_head.grown)


def at_vertices(model: HeadModel, picture: NDArray[np.float32]) -> NDArray[np.float64]:
    """(V, C) a texture-space picture, averaged around each vertex's texels."""
    size = min(_VERTEX_PICTURE, picture.shape[0])
    small = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), size / 700.0)
    uv = model.triangle_uvs.reshape(-1, 2)
    x = np.clip((uv[:, 0] * size).astype(int), 0, size - 1)
    y = np.clip(((1 - uv[:, 1]) * size).astype(int), 0, size - 1)
    vertex = model.triangles.ravel()
    values = small[y, x].reshape(len(x), -1)
    count = np.bincount(vertex, minlength=len(model.mean))
    sums = [np.bincount(vertex, values[:, c], len(model.mean)) for c in range(values.shape[1])]
    return np.stack(sums, axis=1) / np.maximum(count, 1)[:, None]


def _seen_colours(
    model: HeadModel, colour: NDArray[np.float32], seen: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Colour (V, 3) and confidence (V,) of what was seen around each vertex."""
    premultiplied = np.concatenate([colour * seen[..., None], seen[..., None]], axis=2)
    found = at_vertices(model, premultiplied)
    return found[:, :3] / np.maximum(found[:, 3:], 1e-6), found[:, 3]


def _face_skin(seen_head: SeenHead) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """(3,) middle and (3,) spread of the face's colours in the photo; None where too little was seen."""
    face, confidence = _seen_colours(seen_head.model, seen_head.baked.colour, seen_head.baked.seen)
    skin = confidence * seen_head.model.region("face") * _bare(seen_head) > 0.6
    if skin.sum() < 30:
        return None
    centre = np.median(face[skin], axis=0)
    return centre, 1.4826 * np.median(np.abs(face[skin] - centre), axis=0) + 0.04


def _bare(seen_head: SeenHead) -> NDArray[np.float64]:
    """(V,) 1 where what the photo shows may be the person's own colours, 0 under a mask: on the face from the
    lower lids down.
    """
    model = seen_head.model
    if not seen_head.covered:
        return np.ones(len(model.mean))
    eyes = model.vertex_parts == PARTS.index("eyes")
    below = model.mean[:, 1] < model.mean[eyes, 1].min()
    return 1.0 - below * smoothstep(model.region("face") / _COVER_EDGE)


def _skin_alone(
    seen_head: SeenHead, baked: BakedPhoto, skin: tuple[NDArray[np.float64], NDArray[np.float64]] | None
) -> BakedPhoto:
    """Believe neck and ears only where they have the face's own colour (:func:`_face_skin`): collars,
    scarves and hair lie before them.
    """
    if skin is None:
        return baked
    centre, spread = skin
    model, layout = seen_head.model, seen_head.layout
    doubtful = layout.interpolate(model, np.maximum(model.region("neck"), model.region("ears")))
    chosen = np.flatnonzero(doubtful > 0.01)
    texel = layout.texel[chosen]
    smooth = cv2.GaussianBlur(baked.colour, (0, 0), layout.size / 400.0).reshape(-1, 3)[texel]
    # Under the chin it is darker, so light counts little and hue much.
    light = np.abs((smooth - centre) / spread).mean(axis=1)
    hue = np.linalg.norm(_chroma(smooth) - _chroma(centre), axis=1) / 0.045
    seen = baked.seen.reshape(-1)[texel]
    believed = np.clip(2.0 - np.maximum(hue, light / 2.0), 0.0, 1.0) * np.minimum(seen * 2.0, 1.0)
    # One doubtful patch makes its surroundings doubtful: seams and folds of cloth have skin's colour too.
    size = min(layout.size, 512)
    picture = np.zeros(layout.size**2, dtype=np.float32)
    picture[texel] = believed
    nearby = cv2.resize(picture.reshape(layout.size, -1), (size, size), interpolation=cv2.INTER_AREA)
    nearby = cv2.erode(nearby, np.ones((7, 7), np.uint8))
    nearby = cv2.resize(cv2.GaussianBlur(nearby, (0, 0), size / 90.0), (layout.size, layout.size))
    believed = np.minimum(believed, np.clip((nearby.reshape(-1)[texel] - 0.45) / 0.4, 0.0, 1.0))
    result = baked.seen.copy()
    result.reshape(-1)[texel] = seen * (1 - doubtful[chosen] * (1 - believed))
    return BakedPhoto(baked.colour, result)


def _chroma(rgb: NDArray[np.floating]) -> NDArray[np.float64]:
    """(..., 2) red and green shares of the light."""
    total = np.maximum(rgb.sum(axis=-1, keepdims=True), 0.05)
    return np.asarray((rgb / total)[..., :2])


def _relit(seen_head: SeenHead, own: BakedPhoto, mirrored: BakedPhoto) -> NDArray[np.float32]:
    """The mirrored colours under this side's light.

    Where both sides were seen their ratio is known; a membrane carries it over the rest.
    """
    model, layout = seen_head.model, seen_head.layout
    here, confidence_here = _seen_colours(model, own.colour, own.seen)
    there, confidence_there = _seen_colours(model, mirrored.colour, mirrored.seen)
    both = np.minimum(confidence_here, confidence_there)
    known = both > _LEAST_SEEN
    if known.sum() < 20:
        return mirrored.colour
    ratio = np.clip((here + 0.05) / (there + 0.05), 0.4, 2.5)
    # Brightness alone: the colour of a rim light belongs to its own side.
    log_ratio = np.log(ratio).mean(axis=1)
    average = float(np.average(log_ratio[known], weights=both[known]))
    bright = np.where(known, log_ratio, average)[:, None]
    gain = membrane(model.edges, model.mean, bright, np.where(known, both, 0.01))
    return np.asarray(mirrored.colour * np.exp(layout.draw(model, gain)), dtype=np.float32)


@dataclass(frozen=True)
class _Colours:
    """What the photo tells of the person's colours."""

    found: NDArray[np.float64]
    """(V, 3) what was seen around each vertex."""
    confidence: NDArray[np.float64]
    """(V,) how well."""
    skin: NDArray[np.float64]
    """(3,)"""
    hair: NDArray[np.float64]
    """(3,) skin's, where there is none"""
    haired: NDArray[np.float64]
    """(V,) 0..1 where hair covers the head"""


def _person_colours(seen_head: SeenHead, colour: NDArray[np.float32], seen: NDArray[np.float32]) -> _Colours:
    model = seen_head.model
    found, confidence = _seen_colours(model, colour, seen)
    skin = _weighted_median(
        found, confidence * model.region("face") * (1 - model.region("lips")) * _bare(seen_head)
    )
    if skin is None:
        skin = np.array(_SKIN_DEFAULT)
    hair = hair_colour(seen_head, found, confidence, skin)
    return _Colours(found, confidence, skin, hair, where_hair(seen_head, skin, hair))


def _teeth_colour(seen_head: SeenHead, own: BakedPhoto) -> NDArray[np.float64] | None:
    """(3,) of the teeth that the photo shows; None where it shows none."""
    texel = seen_head.layout.texel[seen_head.layout.of_part(seen_head.model, "teeth")]
    seen = own.seen.reshape(-1)[texel]
    return _weighted_median(
        own.colour.reshape(-1, 3)[texel].astype(np.float64), np.where(seen > 0.5, seen, 0.0)
    )


def _base_colours(
    seen_head: SeenHead, colours: _Colours, seen_teeth: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """(V, 3) a colour for every vertex: what was seen, spread over what was not.

    Args:
        seen_head: what the photo shows of the person.
        colours: found there.
        seen_teeth: (3,) the colour of the teeth that were seen; None where there are none.
    """
    model = seen_head.model
    found, confidence = colours.found, colours.confidence
    skin_part = model.vertex_parts == PARTS.index("skin")
    scalp = colours.haired[:, None]
    prior = colours.hair * scalp + colours.skin * (1 - scalp)

    def in_light(plain: tuple[float, float, float]) -> NDArray[np.float64]:
        """A plain colour under the photo's light, grey in a grey photo."""
        exposure = float(np.clip(luminance(colours.skin) / _LIT_SKIN, 0.3, 1.25))
        vivid = float(np.clip(np.ptp(colours.skin) / (0.15 * max(colours.skin.max(), 0.05)), 0.0, 1.0))
        colour = np.array(plain)
        return exposure * (colour * vivid + luminance(colour) * (1.0 - vivid))

    inside = model.region("mouth_inside")[:, None]
    prior = prior * (1 - inside) + in_light(_MOUTH) * inside
    pull = _PULL_TO_PRIOR + 1.5 * colours.haired + 0.5 * model.region("mouth_inside")

    def spread(trusted: NDArray[np.float64]) -> NDArray[np.float64]:
        total = trusted + pull
        target = (found * trusted[:, None] + prior * pull[:, None]) / total[:, None]
        return membrane(model.edges, model.mean, target, np.where(skin_part, total, 1.0))

    seen = np.where(confidence > _LEAST_SEEN, confidence, 0.0)
    bare = _bare(seen_head)
    result = spread(seen * bare)
    if seen_head.covered:  # the cover's own folds take its colour, nothing else does
        result += (1.0 - bare)[:, None] * (spread(seen) - result)
    for part, plain in (("teeth", _TEETH), ("tongue", _TONGUE), ("eyes", _SCLERA), ("lashes", _LASH)):
        members = model.vertex_parts == PARTS.index(part)
        result[members] = in_light(plain)
    teeth = model.vertex_parts == PARTS.index("teeth")
    if seen_teeth is not None:
        result[teeth] = seen_teeth
    # The deeper in the mouth the darker.
    depth = model.mean[teeth, 2]
    in_mouth = teeth | (model.vertex_parts == PARTS.index("tongue"))
    shade = 0.35 + 0.65 * np.clip((model.mean[in_mouth, 2] - depth.min()) / max(np.ptp(depth), 1e-9), 0, 1)
    result[in_mouth] *= shade[:, None]
    socket = model.region("eye_sockets")[:, None]
    return np.asarray(result * (1 - 0.6 * socket))


def _soft_shading(model: HeadModel) -> NDArray[np.float64]:
    """(V,) brightness that form alone gives a filled surface: hollows are darker, as under a wide sky.

    Without it a filled ear is a flat disc. Concavity is the mean slope toward the neighbours along the
    normal, at two scales.
    """
    normals = model.normals(model.mean)
    i, j = model.edges[:, 0], model.edges[:, 1]
    span = model.mean[j] - model.mean[i]
    length = np.maximum(np.linalg.norm(span, axis=1), 1e-9)
    count = np.bincount(np.concatenate([i, j]), minlength=len(model.mean))

    def neighbours(at_i: NDArray[np.floating], at_j: NDArray[np.floating]) -> NDArray[np.float64]:
        total = np.bincount(i, at_i, len(count)) + np.bincount(j, at_j, len(count))
        return np.asarray(total / np.maximum(count, 1))

    slope = neighbours((span * normals[i]).sum(axis=1) / length, -(span * normals[j]).sum(axis=1) / length)
    wide = slope
    for _ in range(3):
        wide = 0.5 * wide + 0.5 * neighbours(wide[j], wide[i])
    hollow = np.clip(0.8 * slope + 1.6 * wide, -0.25, 0.9)
    skin = model.vertex_parts == PARTS.index("skin")
    return np.where(skin, np.clip(1.0 - 0.75 * hollow, 0.45, 1.08), 1.0)


def _weighted_median(
    values: NDArray[np.float64], weights: NDArray[np.floating]
) -> NDArray[np.float64] | None:
    """(C,) median of each column under (N,) weights; None where nothing weighs."""
    if weights.sum() < 1.0:
        return None
    result = np.zeros(values.shape[1])
    for c in range(values.shape[1]):
        order = np.argsort(values[:, c], kind="stable")
        total = np.cumsum(weights[order])
        result[c] = values[order[np.searchsorted(total, total[-1] / 2.0)], c]
    return result


def padded(picture: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Grow the islands of an (H, W) or (H, W, C) picture outward, so that filtering at their rims finds no
    foreign colour.

    Push-pull: averages of what is inside at ever coarser scales fill what is outside.
    """
    if picture.ndim == 2:  # OpenCV takes one channel from a picture of one channel
        return padded(np.stack([picture, picture], axis=-1), inside)[..., 0]
    levels: list[tuple[NDArray[Any], NDArray[Any]]] = [
        (picture * inside[..., None], inside.astype(np.float32))
    ]
    while min(levels[-1][1].shape) > 4:
        colour, cover = levels[-1]
        levels.append((cv2.pyrDown(colour), cv2.pyrDown(cover)))
    colour, cover = levels[-1]
    filled = colour / np.maximum(cover, 1e-4)[..., None]
    for colour, cover in reversed(levels[:-1]):
        coarse = cv2.pyrUp(filled, dstsize=(colour.shape[1], colour.shape[0]))
        known = np.clip(cover * 4.0, 0, 1)[..., None]
        filled = colour / np.maximum(cover, 1e-4)[..., None] * known + coarse * (1 - known)
    return np.where(inside[..., None], picture, filled)
