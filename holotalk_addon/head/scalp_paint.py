# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair painted on the head itself: which colour it has, where it lies, and its grain.

Its volume is grown over that by :mod:`.hair_volume`; the paint shows between strands and at the hairline.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .colours import luminance
from .completion import SeenHead
from .hair_mask import hair_mask
from .head import PARTS
from .membrane import smoothstep
from .texture import sample_picture

_HAIR_STEPS_M = (0.0, 0.006, 0.012, 0.018)  # outward from the scalp
_UNLIKE_SKIN = 0.17  # distance in sRGB 0..1 from the skin's colour
_LEAST_HAIR = 0.3  # share of what is seen there that must be unlike skin
_FEW_BESIDE = 60  # pixels outside the scalp
_LEAST_HAIR_CONTRAST = 0.12  # between the colours of hair and skin: below it the head counts as bald
_HAIR_HEIGHTS = 24
_MOST_GRAIN = 0.12  # contrast of the hair's grain


def hair_colour(
    seen_head: SeenHead,
    found: NDArray[np.float64],
    confidence: NDArray[np.float64],
    skin_colour: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(3,) colour of the hair: of the scalp, and of the person's outline just outside it, as far as that
    is not skin (foreheads, hands). A head that shows next to nothing but skin there is bald: skin's.
    """
    model = seen_head.model
    scalp = np.flatnonzero(model.region("scalp") > 0.9)
    outline, _ = _beside(seen_head, scalp, _HAIR_STEPS_M)
    visible = (model.region("scalp") > 0.8) & (confidence > 0.5)
    samples = np.concatenate([outline, found[visible]])
    unlike_skin = np.linalg.norm(samples - skin_colour, axis=1) > _UNLIKE_SKIN
    if len(samples) < 30 or unlike_skin.mean() < _LEAST_HAIR:
        return skin_colour
    if len(outline) < _FEW_BESIDE and not hair_mask(seen_head).hair.any():
        return skin_colour  # nothing stands off: it is a shadow
    # Neither the shadows between the strands nor the highlights on them.
    hair = samples[unlike_skin]
    light = luminance(hair)
    low, high = np.quantile(light, [0.25, 0.75])
    return np.asarray(hair[(light >= low) & (light <= high)].mean(axis=0))


def where_hair(
    seen_head: SeenHead, skin: NDArray[np.float64], hair: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(V,) 0..1 where hair covers the head: the scalp, and what falls over ears and neck.

    At each height and on either side the photo shows, beside the outline of head and neck, either hair
    or skin or neither; what is hair there is taken to be hair around to the back.
    """
    model = seen_head.model
    scalp = model.region("scalp").astype(np.float64)
    contrast = float(np.linalg.norm(hair - skin))
    if contrast < _LEAST_HAIR_CONTRAST:
        return scalp
    skin_part = model.vertex_parts == PARTS.index("skin")
    azimuth = np.abs(np.degrees(np.arctan2(model.mean[:, 0], model.mean[:, 2])))
    pixels, owner = _beside(seen_head, np.flatnonzero(skin_part & (azimuth > 60.0)), _HAIR_STEPS_M[1:])
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
    share = smoothstep((share - 0.3) / 0.3)
    share = np.minimum.accumulate(np.maximum(share, heights > 0.03)[:, ::-1], axis=1)[:, ::-1]
    at_height = np.stack([np.interp(model.mean[:, 1], heights, row) for row in share])
    right = smoothstep(0.5 - model.mean[:, 0] / 0.06)
    covered = at_height[0] * right + at_height[1] * (1 - right)
    behind = smoothstep((azimuth - 62.0) / 22.0)
    return np.where(skin_part, np.maximum(scalp, covered * behind * (1 - model.region("face"))), 0.0)


def hair_grain(
    seen_head: SeenHead,
    colour: NDArray[np.float32],
    seen: NDArray[np.float32],
    haired: NDArray[np.float64],
    contrast_with_skin: float,
) -> NDArray[np.float32]:
    """(S, S) factor about 1 that gives filled scalp the grain of the hair that was seen.

    Noise that is fine around the head and long from the crown down; its contrast is that of the photo's
    own hair, and none where the hair has the colour of skin: a bald head stays bald.
    """
    model, layout = seen_head.model, seen_head.layout
    scalp_at = layout.interpolate(model, haired)
    scalp = layout.picture(scalp_at)
    grey = luminance(colour).astype(np.float32)
    smooth = cv2.GaussianBlur(grey, (0, 0), layout.size / 250.0)
    fine = cv2.GaussianBlur(grey, (0, 0), layout.size / 1600.0)
    sample = (scalp > 0.8) & (seen > 0.7)
    contrast = 0.0
    if sample.sum() > 200:
        contrast = float(np.clip(np.std(fine[sample] / np.maximum(smooth[sample], 0.05)), 0.0, _MOST_GRAIN))
    contrast *= float(np.clip(contrast_with_skin / 0.2 - 0.5, 0.0, 1.0))
    if contrast == 0.0:
        return np.ones_like(scalp)
    on_scalp = np.flatnonzero(scalp_at > 0.01)
    skin = model.vertex_parts == PARTS.index("skin")
    centre = model.mean[skin & (model.region("scalp") > 0.5)].mean(axis=0)
    offset = layout.interpolate(model, model.mean - centre, on_scalp)
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
        total += 0.5 * sample_picture(noise, np.stack([x, y], axis=1) + 0.5, cv2.BORDER_REPLICATE)
    factor = np.ones(len(scalp_at), dtype=np.float32)
    factor[on_scalp] += contrast * scalp_at[on_scalp] * np.clip(total, -2, 2)
    return layout.picture(factor)


def _beside(
    seen_head: SeenHead, vertices: NDArray[np.intp], steps: tuple[float, ...]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Colours (N, 3) of the person just outside the head's outline in the photo, and the vertex (N,)
    each belongs to: of the given vertices, those near the outline, some steps (m) along their normals."""
    model, fit = seen_head.model, seen_head.fit
    at = fit.to_camera(fit.posed(model))
    normals = model.normals(at)
    toward = -at[vertices] / np.linalg.norm(at[vertices], axis=1, keepdims=True)
    facing = np.einsum("nd,nd->n", normals[vertices], toward)
    vertices = vertices[(facing > -0.35) & (facing < 0.5)]
    height, width = seen_head.person.shape
    colours, owners = [], []
    for step in steps:
        place = fit.camera.project(at[vertices] + step * normals[vertices])
        inside = (place >= 1).all(axis=1) & (place[:, 0] < width - 1) & (place[:, 1] < height - 1)
        x, y = place[inside].astype(int).T
        sure = seen_head.person[y, x] > 0.95
        colours.append(seen_head.pixels[y[sure], x[sure]] / 255.0)
        owners.append(vertices[inside][sure])
    return np.concatenate(colours), np.concatenate(owners)
