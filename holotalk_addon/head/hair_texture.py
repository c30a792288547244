# SPDX-License-Identifier: GPL-3.0-or-later
"""The texture of hair: the photo where it shows it, the same mirrored, and for the rest the person's hair
colour with the detail of the photo's hair. Its alpha is where hair is, with strands at the edges.

Detail is what a pixel has more or less light than its surroundings. Overlapping pieces of it out of the
photo's hair, each turned so that its strands run down the head, are laid over what was not seen (as image
quilting does, Efros & Freeman 2001, but blended, with the contrast kept: Heitz & Neyret 2018).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .colours import luminance
from .completion import SeenHead
from .fill import padded
from .hair_mask import SIDE, HairMask
from .hair_rays import Rays, around
from .membrane import smoothstep
from .raster import DepthMap
from .texture import sample_picture

_ROWS, _COLUMNS = 512, 1024
_FACING_FROM, _FACING_FULL = 0.3, 0.6  # near the outline the photo shows shadow, and a little ground
_EDGE, _UNSURE_EDGE = 0.16, 0.24  # of the cover: from clear to solid, and more where nothing showed it
_NEAR_EDGE = 0.22  # of the cover, from its middle
_SOFT_PIXELS = 1.5  # of the mask's
_FRAY = 0.06  # how far single strands reach over the edge, in the same measure
_GRAIN = 0.05  # contrast of filled hair beyond the photo's own: that may be blurred
_STRAND_TEXELS = 1.3, 24.0
_TYPICAL = 0.2, 0.6  # quantiles of light between which hair has its colour: no gloss, no skin
_FEWEST = 100  # texels that tell the hair's colour
_HEIGHT_CELLS, _LITTLE = 3.0, 0.05  # over which heights mix; share of the most seen at any
_FADES_OVER = 0.10  # of the way around the head: how far colours seen at the border reach
_COARSE = 8  # texels to a cell for colours without detail
_BORDER_CELLS = 1.5  # about which colours at the border are averaged
_DETAIL_TEXELS = 14.0  # what is wider is no detail
_MOST_DETAIL = 0.7  # natural logarithm: beyond are gaps and gloss
_MOST_CONTRAST = 0.12
_COLOURED = 0.4  # share of detail's own hues: cameras add some
_DARKEST = 0.04  # added to colours 0..1 before logarithms are taken: noise in black
_PIECE = 128, 80  # texels: of detail
_PIECES = 96
_WELL_FILLED = 0.85  # with hair, about a piece's middle
_ORDINARY = 0.7  # quantile of contrast: what has more is no plain hair, but its border, a badge, a comb
_MARGIN = 64  # texels beyond which no filter here looks
_CROWN_BLUR = 4.0  # texels
_INTERLOCK = 0.12
_SHADED_M, _SHADES = (-0.10, 0.0, 0.10), (0.72, 0.95, 1.03)
_BEHIND_DARKER = 0.12
_TEXELS_A_METRE = 1600.0  # around a head
_DEPTH_SIDE = 600
_DEPTH_TOLERANCE_M = 0.006


def hair_texture(
    seen_head: SeenHead,
    rays: Rays,
    radius: NDArray[np.float64],
    cover: NDArray[np.float64],
    mask: HairMask,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(512, 1024, 4) sRGB and alpha over the rays: rows as theirs, columns as theirs; and (512, 1024) 0..1,
    how much of each texel the photo itself shows.

    Args:
        seen_head: the photo and the fitted head.
        rays: the rays.
        radius: (R, C) metres: where the hair's surface is.
        cover: (R, C) 0..1 how surely there is hair.
        mask: which pixels show hair.
    """
    colour, seen, core, outline, edge = _seen(seen_head, rays, radius, mask)
    fine_cover = _fine(cover)
    at_edge = smoothstep(2 - np.abs(fine_cover - 0.5) / _NEAR_EDGE)
    # Elsewhere its border is that of a face before it.
    seen = core + (seen - core) * at_edge.astype(np.float32)
    mirrored = (1 - seen) * seen[:, ::-1]
    known = seen + mirrored
    summed = colour * seen[..., None] + colour[:, ::-1] * mirrored[..., None]
    mixed = (summed / np.maximum(known, 1e-6)[..., None]).astype(np.float32)
    rng = np.random.default_rng(5)
    white = rng.standard_normal((_ROWS, _COLUMNS)).astype(np.float32)
    across, along = _STRAND_TEXELS
    strands = around(lambda p: cv2.GaussianBlur(p, (0, 0), across, sigmaY=along), white, _MARGIN)
    strands = np.clip(strands / strands.std(), -2, 2)
    photo, sure = _photo_hair(seen_head, mask)
    usual = _typical(photo[sure > 0.5]) if (sure > 0.5).sum() >= _FEWEST else _typical(photo.reshape(-1, 3))
    detail = _continued(photo, sure, rng) + (_GRAIN * strands)[..., None]
    detail = _toward_crown(np.asarray(detail, dtype=np.float32))
    core = np.minimum(known, np.maximum(core, core[:, ::-1]))
    filled = _filled(mixed, core, fine_cover, usual) * _shading(rays)
    detail *= min(1.0, _MOST_CONTRAST / max(float(detail.std()), 1e-6))
    detail -= 0.5 * detail.var()  # the mean light stays
    filled = (filled + _DARKEST) * np.exp(detail) - _DARKEST
    # Locks that were seen end among those that were not.
    trusted = smoothstep((known + _INTERLOCK * strands * (known > 0.05) - 0.35) / 0.6)[..., None]
    picture = mixed * trusted + filled * (1 - trusted)
    fine = around(lambda p: cv2.GaussianBlur(p, (0, 0), 0.8, sigmaY=6.0), white, _MARGIN)
    fine = np.clip(fine / fine.std(), -2, 2)
    # Where the edge was not seen it may be anywhere near.
    width = _EDGE + _UNSURE_EDGE * (1 - smoothstep(known))
    # Near the edge that the rays tell, the photo tells it finer.
    fine_cover = fine_cover + (outline - fine_cover) * edge * at_edge
    alpha = 0.5 + (fine_cover + _FRAY * (0.5 * strands + fine) - 0.5) / width
    rgba = np.concatenate([picture, alpha[..., None]], axis=-1)
    own = trusted[..., 0] * seen / np.maximum(known, 1e-6)
    return (np.clip(rgba, 0, 1) * 255 + 0.5).astype(np.uint8), np.asarray(own, dtype=np.float32)


def _photo_hair(seen_head: SeenHead, mask: HairMask) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(H, W, 3) the photo's cut at the texture's own resolution, and (H, W) 1 where it surely shows hair."""
    side = round(SIDE * _TEXELS_A_METRE / mask.metre)
    ratio = SIDE / side
    rows, columns = np.mgrid[:side, :side] + 0.5
    place = np.stack([columns, rows], axis=-1).reshape(-1, 2) * (ratio / mask.scale) + mask.corner
    photo = np.clip(_photo_at(seen_head, mask, place), 0, 1).reshape(side, side, 3)
    inner = cv2.erode((mask.hair > 0.5).astype(np.uint8), np.ones((3, 3)), iterations=2)
    sure = cv2.resize(inner.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    return photo, np.asarray(sure, dtype=np.float32)


def _continued(
    photo: NDArray[np.float32], sure: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """(512, 1024, 3) the detail of the photo's hair, strands downward: logarithms of light about 0."""
    result = np.zeros((_ROWS, _COLUMNS, 3), dtype=np.float32)
    light = np.log(photo + _DARKEST)
    weight = np.maximum(cv2.GaussianBlur(sure, (0, 0), _DETAIL_TEXELS), 1e-3)[..., None]
    local = cv2.GaussianBlur(light * sure[..., None], (0, 0), _DETAIL_TEXELS) / weight
    detail = np.where(sure[..., None] > 0.5, np.clip(light - local, -_MOST_DETAIL, _MOST_DETAIL), 0)
    grey = detail.mean(axis=2, keepdims=True)
    detail = grey + _COLOURED * (detail - grey)
    pieces = _pieces(detail.astype(np.float32), (sure > 0.5).astype(np.float32), rng)
    if not pieces:
        return result
    high, wide = _PIECE
    window = np.outer(np.hanning(high + 2)[1:-1], np.hanning(wide + 2)[1:-1]).astype(np.float32)
    summed = np.zeros((_ROWS + high, _COLUMNS + wide, 3), dtype=np.float32)
    squares = np.zeros((_ROWS + high, _COLUMNS + wide), dtype=np.float32)
    for number, row in enumerate(range(0, _ROWS, high // 4)):
        shift = number % 2 * (wide // 6)
        for column in range(shift, _COLUMNS, _COLUMNS // 32):
            piece, cover = pieces[int(rng.integers(len(pieces)))]
            if rng.random() < 0.5:
                piece, cover = piece[:, ::-1], cover[:, ::-1]
            share = window * cover
            part = np.s_[row : row + high, column : column + wide]
            summed[part] += piece * share[..., None]
            squares[part] += share**2
    for field in (summed, squares):
        field[:, :wide] += field[:, _COLUMNS:]
    middle = np.s_[high // 2 : high // 2 + _ROWS, :_COLUMNS]
    # Sums of independent pieces keep their contrast when divided by the root of the squares.
    return np.asarray(summed[middle] / np.sqrt(squares[middle] + 0.05)[..., None], dtype=np.float32)


def _pieces(
    detail: NDArray[np.float32], sure: NDArray[np.float32], rng: np.random.Generator
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Pieces (h, w, 3) of detail that was seen, strands downward, and (h, w) where they show hair."""
    high, wide = _PIECE
    filling = cv2.boxFilter(sure, -1, (wide // 2, wide // 2), borderType=cv2.BORDER_CONSTANT)
    rows, columns = np.nonzero((sure > 0.5) & (filling >= min(_WELL_FILLED, 0.8 * float(filling.max()))))
    if len(rows) < _FEWEST:
        return []
    chosen = rng.choice(len(rows), _PIECES)
    light = np.asarray(detail.mean(axis=2) * sure, dtype=np.float32)
    across = cv2.Sobel(light, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(light, cv2.CV_32F, 0, 1)
    inner = cv2.erode(sure, np.ones((5, 5)))  # the mask's own edge has no say

    def blur(field: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(field * inner, (0, 0), wide / 5), dtype=np.float32)

    tensor = blur(across * across), blur(down * down), blur(across * down)
    busy = blur(light * light) / np.maximum(blur(np.ones_like(light)), 1e-3)
    limit = np.quantile(busy[rows[chosen], columns[chosen]], _ORDINARY)
    both = np.concatenate([detail, sure[..., None]], axis=2)
    found = []
    for row, column in zip(rows[chosen], columns[chosen], strict=True):
        if busy[row, column] > limit:
            continue
        xx, yy, xy = (field[row, column] for field in tensor)
        # Light changes most across the strands; turned by this, that is from left to right.
        turn = 0.5 * np.degrees(np.arctan2(2 * xy, xx - yy))
        matrix = np.asarray(cv2.getRotationMatrix2D((float(column), float(row)), turn, 1.0), dtype=np.float64)
        matrix[:, 2] += [wide / 2 - column, high / 2 - row]
        piece = np.asarray(cv2.warpAffine(both, matrix, (wide, high)), dtype=np.float32)
        found.append((piece[..., :3], piece[..., 3]))
    return found


def _toward_crown(detail: NDArray[np.float32]) -> NDArray[np.float32]:
    """Detail (512, 1024, 3) without the needles that it would turn to where the columns meet."""
    rows = int(_ROWS * 0.12)
    result = detail.copy()
    for row in range(rows):
        sigma = _CROWN_BLUR * (rows / (row + 1.0)) ** 0.5 * (1 - row / rows)
        if sigma > 0.3:
            wider = np.concatenate(
                [detail[row : row + 1, -_MARGIN:], detail[row : row + 1], detail[row : row + 1, :_MARGIN]],
                axis=1,
            )
            result[row] = cv2.GaussianBlur(wider, (0, 0), sigma, sigmaY=0.1)[0, _MARGIN:-_MARGIN]
    return result


def _shading(rays: Rays) -> NDArray[np.float32]:
    """(512, 1024, 1) light from above and before: the crown is lighter than the nape, and than the back."""
    height = np.interp(np.arange(_ROWS), np.linspace(0, _ROWS, len(rays.height)), rays.height)
    azimuth = np.abs((np.arange(_COLUMNS) + 0.5) / _COLUMNS * 2 - 1) * np.pi
    behind = 1 - _BEHIND_DARKER * smoothstep((azimuth - np.pi / 2.5) / (np.pi / 2.5))
    return np.asarray(np.outer(np.interp(height, _SHADED_M, _SHADES), behind)[..., None], dtype=np.float32)


def _fine(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """(512, 1024) or (512, 1024, 3) a field on the rays, between them too."""
    margin = values.shape[1] // 4
    wider = np.concatenate([values[:, -margin:], values, values[:, :margin]], axis=1).astype(np.float32)
    wide = cv2.resize(wider, (_COLUMNS * 3 // 2, _ROWS), interpolation=cv2.INTER_CUBIC)
    return np.asarray(wide[:, _COLUMNS // 4 : _COLUMNS * 5 // 4])


def _seen(
    seen_head: SeenHead, rays: Rays, radius: NDArray[np.float64], mask: HairMask
) -> tuple[NDArray[np.float32], ...]:
    """(512, 1024, 3) what the photo shows at each texel, and (512, 1024) how well it shows hair; the same
    without hair's border; how much of it is hair; how well one sees whether it is.
    """
    fit = seen_head.fit
    points = rays.points(radius)
    at = np.stack([_fine(points[..., k]) for k in range(3)], axis=-1).astype(np.float64)
    around_head = np.roll(at, -1, axis=1) - np.roll(at, 1, axis=1)
    normal = np.cross(np.gradient(at, axis=0), around_head)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    camera = fit.to_camera(at.reshape(-1, 3))
    toward = -camera / np.linalg.norm(camera, axis=1, keepdims=True)
    facing = np.einsum("nd,nd->n", normal.reshape(-1, 3) @ fit.rotation.T, toward)
    towards = np.flatnonzero(facing > _FACING_FROM)
    camera, facing = camera[towards], facing[towards]
    place = fit.camera.project(camera)
    height, width = seen_head.person.shape
    clear = np.clip((facing - _FACING_FROM) / (_FACING_FULL - _FACING_FROM), 0, 1)
    clear *= ((place > 1) & (place < [width - 1, height - 1])).all(axis=1)
    clear *= _in_front(seen_head, rays, points, -camera[:, 2], place)
    soft = np.asarray(cv2.GaussianBlur(mask.hair, (0, 0), _SOFT_PIXELS), dtype=np.float32)
    within = cv2.erode((mask.person > 0.5).astype(np.float32), np.ones((3, 3)), iterations=2)
    core = np.asarray(cv2.erode(mask.hair, np.ones((3, 3)), iterations=2), dtype=np.float32)
    # The photo's own hairline is soft; the outline has the ground's colours.
    hair = np.asarray(np.minimum(1.0, 3.0 * soft) * within, dtype=np.float32)
    found = np.zeros((_ROWS * _COLUMNS, 7), dtype=np.float32)
    found[towards, :3] = _photo_at(seen_head, mask, place)
    found[towards, 3] = clear * mask.sample(hair, place)
    found[towards, 4] = clear * mask.sample(core, place)
    found[towards, 5] = mask.sample(soft, place)
    found[towards, 6] = clear * (mask.sample(mask.hidden, place) < 0.5)
    found = np.clip(found, 0, 1).reshape(_ROWS, _COLUMNS, 7)
    return found[..., :3], found[..., 3], found[..., 4], found[..., 5], found[..., 6]


def _photo_at(seen_head: SeenHead, mask: HairMask, place: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N, 3) 0..1: the photo at (N, 2) pixels, averaged down to the texture's own resolution first: fine hair
    would turn to noise.
    """
    height, width = seen_head.pixels.shape[:2]
    low = np.clip(np.floor(mask.corner).astype(int), 0, [width - 2, height - 2])
    high = np.clip(np.ceil(mask.corner + SIDE / mask.scale).astype(int), low + 2, [width, height])
    cut = seen_head.pixels[low[1] : high[1], low[0] : high[0]]
    factor = min(1.0, _TEXELS_A_METRE / (mask.metre / mask.scale))
    if factor < 0.8:
        cut = np.asarray(cv2.resize(cut, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    scale = np.array(cut.shape[1::-1]) / (high - low)
    photo = cut.astype(np.float32) / np.float32(255.0)
    return sample_picture(photo, (place - low) * scale, cv2.BORDER_REPLICATE)


def _in_front(
    seen_head: SeenHead,
    rays: Rays,
    points: NDArray[np.float64],
    depth: NDArray[np.float64],
    place: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """(N,) whether neither head nor other hair lies before the points at these depths (m) and pixels."""
    model, fit = seen_head.model, seen_head.fit
    rows, columns = rays.shape
    index = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(index, -1, axis=1)
    upper = np.stack([index[:-1], right[1:], right[:-1]], axis=-1).reshape(-1, 3)
    lower = np.stack([index[:-1], index[1:], right[1:]], axis=-1).reshape(-1, 3)
    hair = fit.to_camera(points.reshape(-1, 3))[np.concatenate([upper, lower])]
    corners = np.concatenate([fit.to_camera(fit.posed(model))[model.triangles], hair])
    pixels = fit.camera.project(corners)
    shown = DepthMap.of_triangles(pixels, -corners[..., 2], _DEPTH_SIDE)
    return ~shown.hides(place, depth, _DEPTH_TOLERANCE_M)


def _filled(
    colour: NDArray[np.float32],
    known: NDArray[np.float32],
    cover: NDArray[np.float32],
    usual: NDArray[np.float64],
) -> NDArray[np.float32]:
    """(512, 1024, 3) colours for what nothing shows: the border's, turning to the hair's own at that
    height, or to the ``usual`` one where next to nothing was seen.
    """
    clear = (known > 0.6) & (cover > 0.5)
    sample = colour[clear]
    if len(sample) < _FEWEST:
        return np.broadcast_to(usual.astype(np.float32), colour.shape)
    weight = clear.astype(np.float32)[..., None]
    weighted = np.concatenate([colour * weight, weight], axis=2)
    small = cv2.resize(weighted, (_COLUMNS // _COARSE, _ROWS // _COARSE), interpolation=cv2.INTER_AREA)
    blurred = around(lambda p: cv2.GaussianBlur(p, (0, 0), _BORDER_CELLS), small)
    local = blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-3)
    told = np.concatenate([blurred[..., 3]] * 3, axis=1) > 0.15
    filled = np.asarray(around(lambda p: padded(p, told), local), dtype=np.float32)
    distance = around(
        lambda p: cv2.distanceTransform(p, cv2.DIST_L2, 3), (blurred[..., 3] <= 0.15).astype(np.uint8)
    )
    near = np.exp(-distance / (_FADES_OVER * _COLUMNS / _COARSE))[..., None]
    mixed = filled * near + _by_height(colour, clear) * (1 - near)
    return _fine(around(lambda p: cv2.GaussianBlur(p, (0, 0), _BORDER_CELLS), mixed))


def _by_height(colour: NDArray[np.float32], clear: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(64, 1, 3) the typical colour of what is ``clear`` at each height: a cap over hair, light ends."""
    light = luminance(colour)
    low, high = np.quantile(light[clear], _TYPICAL)
    weight = (clear & (light >= low) & (light <= high))[..., None].astype(np.float32)
    rows = np.concatenate([colour * weight, weight], axis=2).sum(axis=1)
    rows = rows.reshape(_ROWS // _COARSE, _COARSE, 4).sum(axis=1)
    rows = cv2.GaussianBlur(rows[:, None], (0, 0), 0.1, sigmaY=_HEIGHT_CELLS).astype(np.float64)
    little = _LITTLE * rows[..., 3].max()
    return (rows[..., :3] + little * _typical(colour[clear])) / (rows[..., 3:] + little)


def _typical(sample: NDArray[np.floating]) -> NDArray[np.float64]:
    """(3,) the mean of (N, 3) colours of middling light."""
    light = luminance(sample)
    low, high = np.quantile(light, _TYPICAL)
    return np.asarray(sample[(light >= low) & (light <= high)].mean(axis=0), dtype=np.float64)
