# SPDX-License-Identifier: GPL-3.0-or-later
"""The named stage that completes what the photo did not show. This one mirrors and fills.

1. What only the other side of the face shows is mirrored, its light adjusted to this side.
2. The rest gets a smooth field over the surface, grown from the colours at the border of what was seen
   toward the person's own skin and hair colours.
3. Eyeballs are completed by their symmetry about the gaze; teeth, tongue, mouth and lashes get plain
   colours under the photo's light.

A learned completion takes the same arguments and returns the same thing (:data:`Completion`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent
from .fitting import HeadFit
from .head import PARTS
from .morphable_model import HeadModel
from .surface import membrane
from .texture import BakedPhoto, Texels, bake_photo, sample_picture


@dataclass(frozen=True)
class HeadTexture:
    """A complete texture."""

    pixels: NDArray[np.uint8]
    """(S, S, 4) sRGB and alpha, first row at v = 1."""
    seen: NDArray[np.float32]
    """(S, S) 0..1: how much of each texel is the photo's."""


@dataclass(frozen=True)
class CompletionInput:
    """All that a completion may look at."""

    model: HeadModel
    fit: HeadFit
    layout: Texels
    pixels: NDArray[np.uint8]
    """(H, W, 3) the photo."""
    person: NDArray[np.float32]
    """(H, W) person mask 0..1."""
    baked: BakedPhoto


Completion = Callable[[CompletionInput, Progress], HeadTexture]

_SKIN_DEFAULT = (0.72, 0.56, 0.48)  # only where the photo shows no skin at all
_TEETH = (0.86, 0.83, 0.76)
_TONGUE = (0.66, 0.36, 0.35)
_MOUTH = (0.30, 0.13, 0.12)
_SCLERA = (0.80, 0.77, 0.75)
_LASH = (0.10, 0.08, 0.07)
_LIT_SKIN = 0.62  # luminance of skin at which the plain colours above hold

_LEAST_SEEN = 0.35  # a vertex counts as seen from here on
_VERTEX_PICTURE = 1024  # resolution at which colours are gathered for the vertices
_HAIR_STEPS_M = (0.0, 0.006, 0.012, 0.018)  # outward from the scalp
_UNLIKE_SKIN = 0.17  # distance in sRGB 0..1 from the skin's colour
_LEAST_HAIR = 0.3  # share of what is seen there that must be unlike skin
_LEAST_HAIR_CONTRAST = 0.12  # between the colours of hair and skin: below it the head counts as bald
_HAIR_HEIGHTS = 24
_MOST_GRAIN = 0.12  # contrast of the hair's grain
_IRIS_ANGLE = np.radians(22.0)  # an iris of 12 mm on the model's eyeballs, as seen from their centre
_EYE_REACH = np.radians(100.0)
_PULL_TO_PRIOR = 0.03  # how strongly unseen surface turns to the person's skin or hair colour


def mirror_and_fill(given: CompletionInput, progress: Progress = silent) -> HeadTexture:
    """Complete a baked photo by mirroring and smooth filling. Deterministic."""
    model, layout = given.model, given.layout
    own = _skin_alone(given, given.baked)
    mirrored = bake_photo(
        model, given.fit, layout, given.pixels, given.person, True, lambda f: progress(0.4 * f)
    )
    mirrored = _skin_alone(given, mirrored)
    mirrored_colour = _relit(given, own, mirrored)
    progress(0.5)
    share = (1.0 - own.seen) * mirrored.seen
    seen = np.asarray(own.seen + share, dtype=np.float32)
    summed = own.colour * own.seen[..., None] + mirrored_colour * share[..., None]
    mixed: NDArray[np.float32] = np.asarray(summed / np.maximum(seen, 1e-6)[..., None], dtype=np.float32)
    progress(0.6)
    colours = _person_colours(given, mixed, seen)
    base = layout.draw(model, _base_colours(given, colours))
    progress(0.75)
    base *= (_hair_strands(given, mixed, seen, colours) * layout.draw(model, _soft_shading(model)))[..., None]
    result = base + (mixed - base) * seen[..., None]
    _complete_eyes(given, result, own)
    progress(0.9)
    result = _padded(result, layout.picture(np.ones(len(layout.texel), dtype=np.float32)) > 0)
    alpha = _lash_alpha(given)
    rgba = np.concatenate([np.clip(result, 0, 1), alpha[..., None]], axis=2)
    progress(1.0)
    return HeadTexture((rgba * 255.0 + 0.5).astype(np.uint8), np.asarray(own.seen, dtype=np.float32))


def _at_vertices(model: HeadModel, picture: NDArray[np.float32]) -> NDArray[np.float64]:
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
    found = _at_vertices(model, premultiplied)
    return found[:, :3] / np.maximum(found[:, 3:], 1e-6), found[:, 3]


def _skin_alone(given: CompletionInput, baked: BakedPhoto) -> BakedPhoto:
    """Believe neck and ears only where they have the face's own colour: collars, scarves and hair lie
    before them.
    """
    model, layout = given.model, given.layout
    face, confidence = _seen_colours(model, given.baked.colour, given.baked.seen)
    skin = confidence * model.region("face") > 0.6
    if skin.sum() < 30:
        return baked
    centre = np.median(face[skin], axis=0)
    spread = 1.4826 * np.median(np.abs(face[skin] - centre), axis=0) + 0.04
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


def _relit(given: CompletionInput, own: BakedPhoto, mirrored: BakedPhoto) -> NDArray[np.float32]:
    """The mirrored colours under this side's light.

    Where both sides were seen their ratio is known; a membrane carries it over the rest.
    """
    model, layout = given.model, given.layout
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


def _person_colours(
    given: CompletionInput, colour: NDArray[np.float32], seen: NDArray[np.float32]
) -> _Colours:
    model = given.model
    found, confidence = _seen_colours(model, colour, seen)
    skin = _weighted_median(found, confidence * model.region("face") * (1 - model.region("lips")))
    if skin is None:
        skin = np.array(_SKIN_DEFAULT)
    hair = _hair_colour(given, found, confidence, skin)
    return _Colours(found, confidence, skin, hair, _where_hair(given, skin, hair))


def _base_colours(given: CompletionInput, colours: _Colours) -> NDArray[np.float64]:
    """(V, 3) a colour for every vertex: what was seen, spread over what was not."""
    model = given.model
    found, confidence = colours.found, colours.confidence
    skin_colour, hair_colour = colours.skin, colours.hair
    skin_part = model.vertex_parts == PARTS.index("skin")
    scalp = colours.haired[:, None]
    prior = hair_colour * scalp + skin_colour * (1 - scalp)

    def in_light(plain: tuple[float, float, float]) -> NDArray[np.float64]:
        """A plain colour under the photo's light, grey in a grey photo."""
        exposure = float(np.clip(_luminance(skin_colour) / _LIT_SKIN, 0.3, 1.25))
        vivid = float(np.clip(np.ptp(skin_colour) / (0.15 * max(skin_colour.max(), 0.05)), 0.0, 1.0))
        colour = np.array(plain)
        return exposure * (colour * vivid + _luminance(colour) * (1.0 - vivid))

    inside = model.region("mouth_inside")[:, None]
    prior = prior * (1 - inside) + in_light(_MOUTH) * inside
    trusted = np.where(confidence > _LEAST_SEEN, confidence, 0.0)
    pull = _PULL_TO_PRIOR + 1.5 * colours.haired + 0.5 * model.region("mouth_inside")
    total = trusted + pull
    target = (found * trusted[:, None] + prior * pull[:, None]) / total[:, None]
    result = membrane(model.edges, model.mean, target, np.where(skin_part, total, 1.0))
    for part, plain in (("teeth", _TEETH), ("tongue", _TONGUE), ("eyes", _SCLERA), ("lashes", _LASH)):
        members = model.vertex_parts == PARTS.index(part)
        result[members] = in_light(plain)
    back = model.vertex_parts == PARTS.index("teeth")
    depth = model.mean[back, 2]
    shade = 0.35 + 0.65 * np.clip((depth - depth.min()) / max(np.ptp(depth), 1e-9), 0, 1)
    result[back] *= shade[:, None]
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


def _luminance(rgb: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(rgb @ np.array([0.2126, 0.7152, 0.0722]))


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


def _hair_colour(
    given: CompletionInput,
    found: NDArray[np.float64],
    confidence: NDArray[np.float64],
    skin_colour: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(3,) colour of the hair: of the scalp, and of the person's outline just outside it, as far as that
    is not skin (foreheads, hands). A head that shows next to nothing but skin there is bald: skin's.
    """
    model = given.model
    scalp = np.flatnonzero(model.region("scalp") > 0.9)
    outline, _ = _beside(given, scalp, _HAIR_STEPS_M)
    visible = (model.region("scalp") > 0.8) & (confidence > 0.5)
    samples = np.concatenate([outline, found[visible]])
    unlike_skin = np.linalg.norm(samples - skin_colour, axis=1) > _UNLIKE_SKIN
    if len(samples) < 30 or unlike_skin.mean() < _LEAST_HAIR:
        return skin_colour
    # Neither the shadows between the strands nor the highlights on them.
    hair = samples[unlike_skin]
    light = _luminance(hair)
    low, high = np.quantile(light, [0.25, 0.75])
    return np.asarray(hair[(light >= low) & (light <= high)].mean(axis=0))


def _beside(
    given: CompletionInput, vertices: NDArray[np.intp], steps: tuple[float, ...]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Colours (N, 3) of the person just outside the head's outline in the photo, and the vertex (N,)
    each belongs to: of the given vertices, those near the outline, some steps (m) along their normals."""
    model, fit = given.model, given.fit
    at = fit.to_camera(fit.posed(model))
    normals = model.normals(at)
    toward = -at[vertices] / np.linalg.norm(at[vertices], axis=1, keepdims=True)
    facing = np.einsum("nd,nd->n", normals[vertices], toward)
    vertices = vertices[(facing > -0.35) & (facing < 0.5)]
    height, width = given.person.shape
    colours, owners = [], []
    for step in steps:
        place = fit.camera.project(at[vertices] + step * normals[vertices])
        inside = (place >= 1).all(axis=1) & (place[:, 0] < width - 1) & (place[:, 1] < height - 1)
        x, y = place[inside].astype(int).T
        sure = given.person[y, x] > 0.95
        colours.append(given.pixels[y[sure], x[sure]] / 255.0)
        owners.append(vertices[inside][sure])
    return np.concatenate(colours), np.concatenate(owners)


def _where_hair(
    given: CompletionInput, skin: NDArray[np.float64], hair: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(V,) 0..1 where hair covers the head: the scalp, and what falls over ears and neck.

    At each height and on either side the photo shows, beside the outline of head and neck, either hair
    or skin or neither; what is hair there is taken to be hair around to the back.
    """
    model = given.model
    scalp = model.region("scalp").astype(np.float64)
    contrast = float(np.linalg.norm(hair - skin))
    if contrast < _LEAST_HAIR_CONTRAST:
        return scalp
    skin_part = model.vertex_parts == PARTS.index("skin")
    azimuth = np.abs(np.degrees(np.arctan2(model.mean[:, 0], model.mean[:, 2])))
    pixels, owner = _beside(given, np.flatnonzero(skin_part & (azimuth > 60.0)), _HAIR_STEPS_M[1:])
    # From skin (0) to hair (1) and beyond it, in its shadows; colours off that line are cloth.
    axis = (hair - skin) / contrast
    along = (pixels - skin) @ axis
    off = np.linalg.norm(pixels - skin - along[:, None] * axis, axis=1)
    is_hair = ((along > 0.6 * contrast) & (off < 0.6 * np.abs(along))).astype(np.float64)
    edges = np.linspace(model.mean[:, 1].min(), model.mean[:, 1].max(), _HAIR_HEIGHTS + 1)
    heights = (edges[1:] + edges[:-1]) / 2
    height = np.clip(np.digitize(model.mean[:, 1], edges) - 1, 0, _HAIR_HEIGHTS - 1)
    share = np.zeros((2, _HAIR_HEIGHTS))
    count = np.zeros((2, _HAIR_HEIGHTS))
    for side, on_side in enumerate((model.mean[owner, 0] < 0, model.mean[owner, 0] >= 0)):
        count[side] = np.bincount(height[owner[on_side]], minlength=_HAIR_HEIGHTS)
        share[side] = np.bincount(height[owner[on_side]], is_hair[on_side], _HAIR_HEIGHTS)
    # A side the camera did not see borrows from the other; hair hangs from above, so it never begins
    # below a height that shows none.
    both = share.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
    share = np.where(count >= 6, share / np.maximum(count, 1), both)
    share = _ramp01((share - 0.3) / 0.3)
    share = np.minimum.accumulate(np.maximum(share, heights > 0.03)[:, ::-1], axis=1)[:, ::-1]
    at_height = np.stack([np.interp(model.mean[:, 1], heights, row) for row in share])
    right = _ramp01(0.5 - model.mean[:, 0] / 0.06)
    covered = at_height[0] * right + at_height[1] * (1 - right)
    behind = _ramp01((azimuth - 62.0) / 22.0)
    return np.where(skin_part, np.maximum(scalp, covered * behind * (1 - model.region("face"))), 0.0)


def _ramp01(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Smooth step from 0 at 0 to 1 at 1."""
    t = np.clip(x, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def _hair_strands(
    given: CompletionInput, colour: NDArray[np.float32], seen: NDArray[np.float32], colours: _Colours
) -> NDArray[np.float32]:
    """(S, S) factor about 1 that gives filled scalp the grain of the hair that was seen.

    Noise that is fine around the head and long from the crown down; its contrast is that of the photo's
    own hair, and none where the hair has the colour of skin: a bald head stays bald.
    """
    model, layout = given.model, given.layout
    scalp_at = layout.interpolate(model, colours.haired)
    scalp = layout.picture(scalp_at)
    grey = _luminance(colour).astype(np.float32)
    smooth = cv2.GaussianBlur(grey, (0, 0), layout.size / 250.0)
    fine = cv2.GaussianBlur(grey, (0, 0), layout.size / 1600.0)
    sample = (scalp > 0.8) & (seen > 0.7)
    contrast = 0.0
    if sample.sum() > 200:
        contrast = float(np.clip(np.std(fine[sample] / np.maximum(smooth[sample], 0.05)), 0.0, _MOST_GRAIN))
    contrast *= float(np.clip(np.linalg.norm(colours.hair - colours.skin) / 0.2 - 0.5, 0.0, 1.0))
    if contrast == 0.0:
        return np.ones_like(scalp)
    on_scalp = np.flatnonzero(scalp_at > 0.01)
    skin = model.vertex_parts == PARTS.index("skin")
    centre = model.mean[skin & (model.region("scalp") > 0.5)].mean(axis=0)
    offset = layout.interpolate(model, model.mean - centre)[on_scalp]
    around = np.arctan2(offset[:, 0], -offset[:, 2]) / (2 * np.pi)
    down = np.arctan2(np.hypot(offset[:, 0], offset[:, 2]), offset[:, 1]) / np.pi
    rng = np.random.default_rng(7)
    total = np.zeros(len(on_scalp), dtype=np.float32)
    for cells, rows in ((180, 5), (420, 9)):
        white = rng.standard_normal((rows * 8, cells * 4)).astype(np.float32)
        smooth_noise = cv2.GaussianBlur(white, (0, 0), 2.0, sigmaY=6.0)
        noise = np.asarray(smooth_noise / smooth_noise.std(), dtype=np.float32)
        x = ((around + 0.5) % 1.0) * (noise.shape[1] - 1)
        y = down * (noise.shape[0] - 1)
        total += 0.5 * sample_picture(noise, np.stack([x, y], axis=1) + 0.5)
    factor = np.ones(len(scalp_at), dtype=np.float32)
    factor[on_scalp] += contrast * scalp_at[on_scalp] * np.clip(total, -2, 2)
    return layout.picture(factor)


def _complete_eyes(given: CompletionInput, result: NDArray[np.float32], own: BakedPhoto) -> None:
    """Complete the eyeballs in place: what was seen of iris and white is turned about the gaze.

    The colour at each angle from the pole of the eye is the mean of what either eye shows there; the
    white beyond is the brightest ring that was seen.
    """
    model, layout = given.model, given.layout
    eye = model.vertex_parts == PARTS.index("eyes")
    on_eye = np.flatnonzero(eye[model.triangles[layout.triangle, 0]])
    theta = _angle_from_gaze(given)[on_eye]
    texel = layout.texel[on_eye]
    seen = own.seen.reshape(-1)[texel]
    colour = own.colour.reshape(-1, 3)[texel]
    rings = 40
    position = theta / _EYE_REACH * rings
    ring = np.minimum(position.astype(int), rings - 1)
    weight = np.bincount(ring, seen**2, rings)
    mean = np.stack([np.bincount(ring, seen**2 * colour[:, c], rings) for c in range(3)], axis=1)
    known = weight > max(3.0, 2e-6 * layout.size**2)
    pixels = result.reshape(-1, 3)
    base = pixels[texel]
    if known.any():
        profile = np.where(known[:, None], mean / np.maximum(weight, 1e-6)[:, None], 0.0)
        index = np.arange(rings)
        outer = known & (index / rings * _EYE_REACH > _IRIS_ANGLE)
        candidates = np.flatnonzero(outer if outer.any() else known)
        bright = candidates[np.argsort(_luminance(profile[candidates]))[-3:]]
        white = profile[bright].mean(axis=0)
        for c in range(3):
            profile[:, c] = np.interp(index, index[known], profile[known, c])
        # From the iris outward the lids' shadow and the lashes creep into what was seen.
        beyond = np.clip((index / rings * _EYE_REACH - _IRIS_ANGLE) / np.radians(8.0), 0, 1)[:, None]
        profile = profile * (1 - beyond) + white * beyond
        for c in range(3):
            base[:, c] = np.interp(position - 0.5, index, profile[:, c])
    # The rim of what was seen is darkened by lid and lashes: believe its middle most.
    pixels[texel] = base + (colour - base) * (seen**2)[:, None]


def _angle_from_gaze(given: CompletionInput) -> NDArray[np.float32]:
    """(N,) radians between each texel's place on its eyeball and the eyeball's front pole."""
    model, layout = given.model, given.layout
    arm = np.zeros_like(model.mean)
    gaze = np.ones_like(model.mean)
    for pole in model.poles(model.mean):
        side = np.sign(model.mean[:, 0]) == np.sign(pole[0])
        mine = side & (model.vertex_parts == PARTS.index("eyes"))
        centre = model.mean[mine].mean(axis=0)
        arm[mine] = model.mean[mine] - centre
        gaze[mine] = pole - centre
    arm_at, gaze_at = layout.interpolate(model, arm), layout.interpolate(model, gaze)
    length = np.linalg.norm(arm_at, axis=1) * np.linalg.norm(gaze_at, axis=1)
    cosine = np.einsum("nd,nd->n", arm_at, gaze_at) / np.maximum(length, 1e-12)
    return np.asarray(np.arccos(np.clip(cosine, -1, 1)), dtype=np.float32)


def _lash_alpha(given: CompletionInput) -> NDArray[np.float32]:
    """(S, S) 1 everywhere but on the lashes, where it draws tapering hairs."""
    model, layout = given.model, given.layout
    lash = layout.draw(model, (model.vertex_parts == PARTS.index("lashes")).astype(np.float32))
    tip = layout.draw(model, model.lash_roots)
    columns = np.arange(layout.size) / layout.size
    # About 60 hairs across a lash, which is 0.11 of the picture wide.
    comb = 0.5 + 0.5 * np.cos(2 * np.pi * columns * 60 / 0.11)
    hair = np.clip((comb[None, :] - 0.25 - 0.6 * tip) * 3.0, 0.0, 1.0) * np.clip(1.3 - 1.3 * tip, 0, 1)
    return np.asarray(np.where(lash > 0.5, 0.75 * hair, 1.0), dtype=np.float32)


def _padded(picture: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Grow the islands outward, so that filtering at their rims finds no foreign colour.

    Push-pull: averages of what is inside at ever coarser scales fill what is outside.
    """
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
