# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair and headwear as a volume: a surface around the head that meets the person's outline in the photo.

The surface is told by its distance from the head's axis along a grid of rays: a dome over the eyes, a
cylinder below. A ray may reach as far out as the photo shows hair along it (a visual hull); where it runs
along the outline, that is where hair ends. A membrane spreads the thickness found there over the rest of the
head, down to nothing at the hairline, and another one where there is hair at all: what one side shows
holds for the other, and what hangs, hangs from above.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent
from .completion import GrownHair, SeenHead
from .fill import padded
from .hair_mask import HairMask, hair_mask
from .hair_rays import DOME_ROWS, Rays, around, make_rays
from .hair_texture import hair_texture
from .head import PARTS, Hair
from .membrane import membrane, smoothstep

_STEP_M = 0.002
_FARTHEST_M = 0.11  # beyond the skin: what goes on farther is cut there
_GAP_M = 0.020  # between strands: no end of the hair
_FREE_GAP_M = 0.045  # between the neck and hair that falls free, over collar and shoulder
_OUTLINE = 0.13  # cosine of the viewing angle within which a ray runs along the outline
_HAIRED = 0.5  # share of cover from which hair is drawn
_SPECK = 0.02  # of all rays: smaller pieces are no hair
_FACING_LEAST, _FACING_FACE, _FACING_RAMP = 0.15, 0.30, 0.30  # cosines: seen from, more on the face, fully
# How much each kind of evidence weighs against the others, and the membrane's own 1.
_TRUST_SEEN, _TRUST_OUTLINE, _TRUST_MIRRORED = 3.0, 2.0, 0.5
_TRUST_SCALP, _TRUST_FACE, _TRUST_THROAT = 0.4, 2.0, 6.0
_HANGS_AWAY_M = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06)  # from the neck: where free hair is looked for
_STANDS_OFF = (0.5, 0.75, 0.9)  # of the reach: where hair is looked for that stands off
_BESIDE_FROM, _THROAT_WITHIN = np.radians(30.0), np.radians(40.0)  # azimuths
_SIDE = np.radians(50.0), np.radians(125.0)  # azimuths that tell how long hair is
_LONGER = 0.6  # share of the longer side
_TRUST_BEHIND = 1.5
_NAPE = np.radians([98.0, 115.0, 135.0, 180.0]), np.array([-0.035, -0.060, -0.075, -0.082])
"""Azimuths and heights (m over the rays' middle) of the hairline behind the ears of a mean head."""
_SIDEBURN = np.radians(75.0), np.radians(88.0), -0.048  # azimuths and lowest height
_THROAT_BELOW_M = -0.09
_THIN_M = 0.002
_CLOSE_M = 0.003  # the most about a bald crown, where more leaves a gap between hair and temples
_USUAL_M = 0.008  # thickness where nothing tells it
_TRUST_USUAL, _TRUST_BESIDE = 0.002, 0.02
_AS_BESIDE = 0.9
_TOLD_ENOUGH = 1.0  # rays along the outline that tell how far hair stands off at a height
_LOCKS = 0.05  # of the thickness: how uneven locks are
_OVER_EARS_M, _EAR_COVERED = 0.004, 0.75  # share of what is seen of an ear
_UNSEEN = 0.3  # cosine by which a ray points away: well behind the outline
_ROUGH_FEWEST, _ROUGHEST_M = 40, 0.006  # rays along the outline that tell it
_CURLY_M, _LOCK_ROWS, _CURL_ROWS = 0.0015, 5.0, 1.5
_ON_SKIN_M = 0.004
_WIDENS = 0.3  # metres a metre down
_HANGS_BELOW_M = -0.05  # from here down hair may hang free of the neck
_FADE_M = 0.045  # over which the lower end fades, as the bust does
_CLEAR, _SOLID = 4, 250  # alpha of 255
_HALO = 9  # texels around a polygon that decide whether it is see-through, or not there at all


def grow_hair(seen_head: SeenHead, progress: Progress = silent) -> GrownHair | None:
    """Grow the hair or headwear that the photo shows. Deterministic.

    Args:
        seen_head: the photo, the fitted head and the outline of the person.
        progress: told 0..1.

    Returns:
        The :class:`.completion.GrownHair` in head axes; None for a head without any.
    """
    mask = hair_mask(seen_head)
    progress(0.3)
    if not mask.hair.any():
        return None
    rays = make_rays(seen_head.model, seen_head.fit.vertices)
    skin = _skin_along(seen_head, rays)
    sight = _what_is_seen(seen_head, rays, skin, mask)
    cover = _cover(seen_head, rays, skin, sight, mask)
    if not (cover > _HAIRED).any():
        return None
    ears = _covered_ears(seen_head, rays, skin, sight, mask)
    thick = _thickness(rays, skin, sight, cover, ears)
    radius = skin.radius + (np.minimum(thick, _CLOSE_M) if mask.crown_bare else thick)
    progress(0.6)
    texture, seen = hair_texture(seen_head, rays, radius, cover, mask)
    progress(0.9)
    return GrownHair(_mesh(rays, rays.points(radius), texture), seen)


@dataclass(frozen=True)
class _Skin:
    """The skin under the rays; (R, C) each."""

    radius: NDArray[np.float64]
    """metres from the axis"""
    scalp: NDArray[np.float64]
    face: NDArray[np.float64]


@dataclass(frozen=True)
class _Sight:
    """What the photo shows along the rays; (R, C) each."""

    facing: NDArray[np.float64]
    """cosine of the angle between the ray and the way to the camera: 0 along the outline"""
    reach: NDArray[np.float64]
    """metres beyond the skin that may be hair"""
    told: NDArray[np.float64]
    """0..1 how surely hair ends there: at the outline, where the photo goes on beyond it"""


def _skin_along(seen_head: SeenHead, rays: Rays) -> _Skin:
    """The outermost skin along each ray, ears left out: they stand in the hair."""
    model = seen_head.model
    outer = model.vertex_parts == PARTS.index("skin")
    for name in ("ears", "mouth_inside", "eye_sockets"):
        outer &= model.region(name) < 0.4
    fields = np.stack([model.region("scalp"), model.region("face")], axis=1)
    found = _outermost(seen_head, rays, model.triangles[outer[model.triangles].all(axis=1)], fields)
    filled = around(lambda p: padded(p[..., :3], p[..., 3] > 0), found)
    smooth = around(lambda p: cv2.GaussianBlur(p, (0, 0), 1.0), filled[..., 0])
    return _Skin(*(np.asarray(field, dtype=np.float64) for field in (smooth, filled[..., 1], filled[..., 2])))


def _outermost(
    seen_head: SeenHead, rays: Rays, triangles: NDArray[np.int32], fields: NDArray[np.floating]
) -> NDArray[np.float32]:
    """(R, C, 2 + K) distance from the axis, K fields (V, K) and a 1, of what stands out farthest of some
    (T, 3) triangles along each ray; zeros where there is none.
    """
    steps = np.array([(i, j, 6 - i - j) for i in range(7) for j in range(7 - i)]) / 6.0
    vertices = seen_head.fit.vertices.astype(np.float64)
    points = np.einsum("sc,tcd->tsd", steps, vertices[triangles]).reshape(-1, 3)
    values = np.einsum("sc,tcd->tsd", steps, fields[triangles]).reshape(len(points), -1)
    row, column, radius = rays.cells_of(points)
    order = np.argsort(radius, kind="stable")
    order = order[(row[order] >= 0) & (row[order] < rays.shape[0])]
    found = np.zeros((*rays.shape, fields.shape[1] + 2), dtype=np.float32)
    found[row[order], column[order]] = np.column_stack(
        [radius[order], values[order], np.ones(len(order))]
    )  # the last one written is the farthest
    return found


def _covered_ears(
    seen_head: SeenHead, rays: Rays, skin: _Skin, sight: _Sight, mask: HairMask
) -> NDArray[np.float64]:
    """(R, C) metres that hair must stand off, not to be pierced by ears that lie under it."""
    model = seen_head.model
    ears = (model.region("ears") > 0.5) & (model.vertex_parts == PARTS.index("skin"))
    triangles = model.triangles[ears[model.triangles].all(axis=1)]
    found = _outermost(seen_head, rays, triangles, np.zeros((len(model.mean), 0)))
    out = np.maximum(found[..., 0].astype(np.float64) + _OVER_EARS_M - skin.radius, 0.0) * (found[..., 1] > 0)
    place = _pixels(seen_head, rays.points(skin.radius + out))
    hair = mask.sample(np.maximum(mask.hair, mask.hidden), place).reshape(rays.shape)
    left = np.broadcast_to(rays.azimuth > 0, rays.shape)
    seen = (out > 0) & (sight.facing > _FACING_LEAST - 0.3)
    sides = [seen & left, seen & ~left]
    votes = [float(hair[side].mean()) if side.any() else None for side in sides]
    for k in (0, 1):
        vote = votes[k] if votes[k] is not None else votes[1 - k]
        if vote is None or vote < _EAR_COVERED:
            out = np.where(left == (k == 0), 0.0, out)
    wide = around(lambda p: cv2.dilate(p, np.ones((3, 3))), out)
    return np.asarray(around(lambda p: cv2.GaussianBlur(p, (0, 0), 0.8), wide))


def _what_is_seen(seen_head: SeenHead, rays: Rays, skin: _Skin, mask: HairMask) -> _Sight:
    """March along the rays through the photo."""
    fit = seen_head.fit
    toward = -fit.to_camera(rays.points(skin.radius).reshape(-1, 3)).reshape(*rays.shape, 3)
    toward /= np.linalg.norm(toward, axis=-1, keepdims=True)
    facing = np.einsum("rcd,rcd->rc", rays.way @ fit.rotation.T, toward)
    allowed = np.maximum(mask.hair, mask.head * (mask.person > 0.5))
    height, width = seen_head.person.shape
    reach = np.zeros(rays.shape)
    going = np.ones(rays.shape, dtype=bool)
    left_photo = np.zeros(rays.shape, dtype=bool)
    gap = np.where(rays.height < _HANGS_BELOW_M, _FREE_GAP_M, _GAP_M)[:, None]
    for step in np.arange(0.0, _FARTHEST_M, _STEP_M):
        place = _pixels(seen_head, rays.points(skin.radius + step))
        beyond = ((place < 1) | (place > [width - 1, height - 1])).any(axis=1)
        beyond = (beyond | (mask.sample(mask.inside, place) < 0.5)).reshape(rays.shape)
        left_photo |= going & beyond & (step - reach < _GAP_M)
        going &= ~beyond & (step - reach < gap)
        reach = np.where(going & (mask.sample(allowed, place) > 0.5).reshape(rays.shape), step, reach)
    reach = _fallen(rays, skin.radius, reach)
    return _Sight(facing, reach, np.exp(-0.5 * (facing / _OUTLINE) ** 2) * ~left_photo)


def _fallen(rays: Rays, radius: NDArray[np.float64], reach: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, C) the reach without shoulders: hair that falls widens little by little."""

    def fall(outer: NDArray[np.float32]) -> NDArray[np.float32]:
        outer = outer.copy()
        widest = outer[DOME_ROWS].copy()
        for row in range(DOME_ROWS + 1, len(outer)):
            drop = float(rays.height[row - 1] - rays.height[row])
            widest = cv2.dilate(np.maximum(widest, outer[row - 1])[None], np.ones((1, 5)))[0] + _WIDENS * drop
            outer[row] = np.minimum(outer[row], widest)
        return outer

    outer = around(fall, (radius + reach).astype(np.float32)) - radius
    return np.clip(outer, 0.0, reach)


def _cover(
    seen_head: SeenHead, rays: Rays, skin: _Skin, sight: _Sight, mask: HairMask
) -> NDArray[np.float64]:
    """(R, C) 0..1: how surely hair covers the head there."""

    def read(picture: NDArray[np.float32], beyond_skin: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return mask.sample(picture, _pixels(seen_head, rays.points(skin.radius + beyond_skin))).reshape(
            rays.shape
        )

    # A turned face ends before the hair behind it, and the fit is not so exact.
    least = _FACING_LEAST + _FACING_FACE * skin.face
    seen = _TRUST_SEEN * np.clip((sight.facing - least) / _FACING_RAMP, 0, 1)
    seen *= (read(mask.person, _ON_SKIN_M) > 0.5) & (read(mask.hidden, _ON_SKIN_M) < 0.5)
    value = read(mask.hair, _ON_SKIN_M)
    # Beside the neck hair hangs free: a ray that leaves the neck crosses it farther out.
    azimuth, left = np.abs(rays.azimuth)[None], rays.azimuth > 0
    beside = (rays.height < _HANGS_BELOW_M)[:, None] & (skin.face < 0.3) & (azimuth > _BESIDE_FROM)
    for step in _HANGS_AWAY_M:
        farther = read(mask.hair, np.minimum(step, sight.reach))
        value = np.where(beside, np.maximum(value, farther), value)
    # Along the outline hair stands off; what stands behind a turned face is not on it.
    stands_off = np.max([read(mask.hair, share * sight.reach) for share in _STANDS_OFF], axis=0)
    stands_off *= sight.reach > 2 * _STEP_M
    outline = _TRUST_OUTLINE * np.exp(-0.5 * (sight.facing / (2 * _OUTLINE)) ** 2)
    outline *= (skin.scalp <= 0.5) & (skin.face < 0.5)
    value = (value * seen + stands_off * outline) / np.maximum(seen + outline, 1e-6)
    own = seen + outline
    borrowed = _TRUST_MIRRORED * own[:, ::-1] / (1.0 + 4.0 * own)  # what only the other side shows
    # Where nothing says otherwise there is hair on the scalp, none on the face, and none before the throat.
    scalp = (skin.scalp > 0.5) | _usual_hairline(rays)
    throat = (rays.height < _THROAT_BELOW_M)[:, None] & (azimuth < _THROAT_WITHIN)
    usual = np.where(scalp, _TRUST_SCALP, 0.0) + _TRUST_FACE * (skin.face > 0.8) / (1.0 + own)
    usual = np.where(throat, _TRUST_THROAT, usual)
    total = own + borrowed + usual
    known = value * own + value[:, ::-1] * borrowed
    cover = _spread(rays, skin.radius, (known + scalp * usual) / np.maximum(total, 1e-6), total + 1e-4)
    # Behind, hair falls as far as at the sides.
    sides = [
        cover[:, side & (azimuth[0] > _SIDE[0]) & (azimuth[0] < _SIDE[1])].max(axis=1)
        for side in (left, ~left)
    ]
    falls = np.minimum.accumulate(_LONGER * np.maximum(*sides) + (1 - _LONGER) * np.minimum(*sides))
    behind = _TRUST_BEHIND * smoothstep((azimuth - _SIDE[0]) / (np.pi - _SIDE[0])) * ~scalp
    total = total + behind
    known += scalp * usual + falls[:, None] * behind
    return hung(_spread(rays, skin.radius, known / np.maximum(total, 1e-6), total + 1e-4))


def _usual_hairline(rays: Rays) -> NDArray[np.bool_]:
    """(R, C) where hair usually grows beyond the model's scalp: before the ears and down the nape."""
    azimuth, height = np.abs(rays.azimuth)[None], rays.height[:, None]
    nape = (azimuth > _NAPE[0][0]) & (height > np.interp(azimuth, *_NAPE)) & (height < 0)
    low, high, end = _SIDEBURN
    return np.asarray(nape | ((azimuth > low) & (azimuth < high) & (height > end) & (height < -0.02)))


def hung(cover: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, C) the cover made whole: hair hangs from above, without specks and without holes like an ear."""

    def hang(wide: NDArray[np.float32]) -> NDArray[np.float32]:
        closing = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 7))
        wide = np.asarray(cv2.morphologyEx(wide, cv2.MORPH_CLOSE, closing), dtype=np.float32)
        for row in range(DOME_ROWS, len(wide)):
            above = cv2.dilate(wide[row - 1 : row], np.ones((1, 5)))[0]
            wide[row] = np.minimum(wide[row], above)
        _, pieces = cv2.connectedComponents((wide > _HAIRED).astype(np.uint8), connectivity=4)
        speck = np.bincount(pieces.ravel())[pieces] < _SPECK * cover.size
        wide = np.where(speck, np.minimum(wide, np.float32(0.6 * _HAIRED)), wide)
        return np.asarray(cv2.GaussianBlur(wide, (0, 0), 0.8), dtype=np.float32)

    return around(hang, cover.astype(np.float32)).astype(np.float64)


def _thickness(
    rays: Rays, skin: _Skin, sight: _Sight, cover: NDArray[np.float64], ears: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(R, C) metres of hair over the skin, and over ears that stand out so far."""
    bare = cover < _HAIRED
    usual, trust = _behind(rays, sight, bare)
    values = np.where(bare, 0.0, np.where(sight.told > 0.003, sight.reach, usual))
    weights = np.where(bare, 6.0, 2.0 * sight.told + trust)
    thick = _spread(rays, skin.radius, values, weights)
    for _ in range(2):  # nowhere beyond what the photo shows, and smooth again
        over = (thick > sight.reach) & (sight.facing > -0.5) & (sight.told > 0)
        thick = _spread(rays, skin.radius, np.where(over, sight.reach, values), np.where(over, 1.0, weights))
    thick = np.where(bare, thick, np.maximum(thick, ears))
    rough = _roughness(sight, bare)
    noise = np.random.default_rng(3).standard_normal(rays.shape)
    long = _LOCK_ROWS if rough < _CURLY_M else _CURL_ROWS
    locks = around(lambda p: cv2.GaussianBlur(p, (0, 0), 1.0, sigmaY=long), noise)
    uneven = _LOCKS * np.minimum(thick, 0.03)
    # Elsewhere bumps would bend what the photo shows of the surface, or change its outline.
    behind = smoothstep(-(sight.facing + _UNSEEN) / _UNSEEN)
    uneven = np.maximum(uneven, behind * np.minimum(rough, 0.25 * thick)) * np.clip(
        locks / locks.std(), -2, 2
    )
    thick = np.maximum(thick + uneven, _THIN_M)
    crown = (skin.radius + thick)[0].mean()  # one point for all columns
    thick[0] = crown - skin.radius[0]
    return thick


def _roughness(sight: _Sight, bare: NDArray[np.bool_]) -> float:
    """Metres: how uneven the outline of the hair is in the photo."""
    off = sight.reach - cv2.GaussianBlur(sight.reach, (0, 0), 3.0)
    along = (sight.told > 0.5) & ~bare & (sight.reach < _FARTHEST_M - 2 * _STEP_M)
    if along.sum() < _ROUGH_FEWEST:
        return 0.0
    return float(np.clip(1.4826 * np.median(np.abs(off[along])) - 0.3 * _STEP_M, 0.0, _ROUGHEST_M))


def _behind(
    rays: Rays, sight: _Sight, bare: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(R, C) metres of hair that nothing shows, and how much that weighs: behind the head hair stands off as
    it does at the sides at the same height.
    """
    weight = sight.told * ~bare
    total = weight.sum(axis=1)
    known = total > _TOLD_ENOUGH
    if not known.any():
        return np.full(rays.shape, _USUAL_M), np.full(rays.shape, _TRUST_USUAL)
    rows = np.arange(len(total))
    stands_off = (weight * sight.reach).sum(axis=1)[known] / total[known]
    beside = np.interp(rows, rows[known], stands_off)
    behind = smoothstep((np.abs(rays.azimuth) - np.pi / 2) / (np.pi / 4))[None]
    behind = behind * (rays.height > _HANGS_BELOW_M)[:, None]
    usual = _USUAL_M + behind * (_AS_BESIDE * beside[:, None] - _USUAL_M)
    return usual, _TRUST_USUAL + (_TRUST_BESIDE - _TRUST_USUAL) * behind


def _spread(
    rays: Rays, radius: NDArray[np.float64], values: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(R, C) the smoothest field over the rays that agrees with the values as far as they weigh."""
    points = rays.points(radius).reshape(-1, 3)
    found = membrane(rays.neighbours, points, values.reshape(-1, 1), weights.ravel(), iterations=300)
    return found.reshape(rays.shape)


def _pixels(seen_head: SeenHead, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) photo pixels of (..., 3) points in head axes."""
    return seen_head.fit.camera.project(seen_head.fit.to_camera(points.reshape(-1, 3)))


def _mesh(rays: Rays, points: NDArray[np.float64], texture: NDArray[np.uint8]) -> Hair:
    """Quads between the rays, and triangles around the crown, where the texture has any hair. The last
    column's texture coordinates go on past 1: the texture goes round the head.
    """
    rows, columns = rays.shape
    vertices = np.concatenate([points[:1, 0], points[1:].reshape(-1, 3)])
    row, column = np.mgrid[: rows - 1, :columns]
    row, column = row.ravel(), column.ravel()

    def at(r: NDArray[np.intp], c: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.where(r == 0, 0, 1 + (r - 1) * columns + c % columns)

    polygons = np.stack(
        [at(row, column), at(row + 1, column), at(row + 1, column + 1), at(row, column + 1)], axis=1
    )
    u, v = (column + 0.5) / columns, 1.0 - (row + 0.5) / rows
    right, lower = u + 1.0 / columns, v - 1.0 / rows
    uvs = np.stack([np.stack([u, u, right, right], axis=1), np.stack([v, lower, lower, v], axis=1)], axis=-1)
    crown = row == 0
    uvs[crown, 0, 0] = (column[crown] + 1.0) / columns
    polygons[crown, 3], uvs[crown, 3] = -1, 0.0
    alpha = texture[..., 3]
    halo = np.ones((_HALO, _HALO))
    most, least = around(lambda p: cv2.dilate(p, halo), alpha), around(lambda p: cv2.erode(p, halo), alpha)
    x = (uvs[..., 0] * alpha.shape[1]).astype(int) % alpha.shape[1]
    y = ((1.0 - uvs[..., 1]) * alpha.shape[0]).astype(int) % alpha.shape[0]
    y[crown, 3], x[crown, 3] = y[crown, 0], x[crown, 0]
    drawn = most[y, x].max(axis=1) > _CLEAR
    solid = least[y, x].min(axis=1) > _SOLID
    polygons = polygons[drawn]
    used, packed = np.unique(polygons[polygons >= 0], return_inverse=True)
    polygons[polygons >= 0] = packed.ravel()
    lowest = float(rays.origin[-1, 0, 1])
    return Hair(
        vertices=vertices[used].astype(np.float32),
        polygons=polygons.astype(np.int32),
        uvs=uvs[drawn].astype(np.float32),
        soft=~solid[drawn],
        fade=smoothstep((vertices[used, 1] - lowest) / _FADE_M).astype(np.float32),
        texture=texture,
    )
