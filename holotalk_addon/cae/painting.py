# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a head's sides, blended back into the textures of the head and of its hair.

What is blended is the change: how much lighter or darker a picture is than what was drawn there. So the
texture keeps its own fine detail and its own colours, and pictures that agree with it leave no trace. Each
texel takes the change from the pictures that see it, best from straight before it; what none of them sees
takes its neighbours'. What the photo showed stays as it is: of the skin so far as the filling believed it.

A network makes mistakes that it shows itself: where the photo shows the truth, every change is one. Photos
unlike those it learnt from make it darken a whole cheek, say. So what it would change there is taken from its
change close by, which is thereby none at the edge of what the photo showed: no seam. Hair passes from the one
to the other more softly still. The face takes half of its change, and neither skin nor hair lightens much.

It has also learnt the light of rendered scenes, which is less behind than in front. So skin asks the photo's
own light (:mod:`.light`) as well: what the network says counts as far as that light agrees, and the mean of
both is taken. Hair darkens by no more than that light falls off from the hair which the photo showed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..head.colours import luminance
from ..head.completion import HeadTexture, SeenHead
from ..head.drawing import DrawnPerson
from ..head.fill import padded
from ..head.hair_rays import around
from ..head.head import Hair
from ..head.membrane import smoothstep
from ..head.raster import DepthMap, barycentric, pixel_centres, rasterize
from ..head.surface import vertex_normals
from ..head.texture import sample_picture
from ..head.view import View
from .light import LitSkin
from .stacks import DARKEST

_EVERY = 4  # texels of the head, along each side: pictures are much coarser than its texture
_FACING_FROM, _FACING_FULL = 0.05, 0.75  # cosine of the viewing angle
_COVERED = 0.9  # of a pixel: others show the ground too
_TOLERANCE_M = 0.004
_NEARBY = 0.05  # of the picture's side, standard deviation: how far mistakes are taken to reach
_ENOUGH = 0.05  # share of the surroundings that the photo must show to tell of mistakes
_LEAST = 0.02  # weight from which a texel's change is its own
_IN_FACE = 0.5  # of a change: all of it moved real people's likeness by up to 0.03, to and fro
_SKIN_LIGHTENS = 0.25  # at most, natural logarithm: spots on dark necks came to glow
_HAIR_LIGHTENS = 0.4  # the same: brown hair came to be golden
_FAR = 0.1  # of the way around: over which hair passes from what the photo showed to what the network says
_COARSE = 8  # texels
_MARGIN = 128  # texels beyond the right end of the hair's texture, where u goes on


@dataclass(frozen=True)
class SidePicture:
    """A picture of a side, and what was drawn there before."""

    view: View
    drawn: DrawnPerson
    before: NDArray[np.float32]
    """(S, S, 3) sRGB 0..1 on black."""
    after: NDArray[np.float32]
    """(S, S, 3) sRGB 0..1 on black."""
    seen: NDArray[np.float32]
    """(S, S) 0..1: how much of it the photo showed."""


def paint_sides(
    seen_head: SeenHead, filled: HeadTexture, sides: Sequence[SidePicture], lit: LitSkin | None = None
) -> HeadTexture:
    """Blend pictures of sides into a completed texture, and into its hair's.

    Args:
        seen_head: the photo and its head, posed as it was drawn.
        filled: the texture that was drawn.
        sides: the pictures.
        lit: the photo's light on the same head; None: the pictures alone are believed.
    """
    posed = seen_head.fit.posed(seen_head.model)
    changes = [_Change(side, posed) for side in sides]
    pixels = _on_head(seen_head, filled, posed, changes, lit)
    hair = filled.hair
    if hair is not None and seen_head.hair is not None:
        hair = replace(hair, texture=_on_hair(hair, seen_head.hair.seen, changes, lit))
    return replace(filled, pixels=pixels, hair=hair)


class _Change:
    """What one picture asks for, and which places it shows."""

    def __init__(self, side: SidePicture, posed: NDArray[np.floating]) -> None:
        self._view = side.view
        # What was never learnt, the fading bust, takes its change from above.
        ends = side.drawn.ends() & (side.drawn.hair_cover() < _COVERED)
        covered = (side.drawn.cover() > _COVERED) & ~ends
        after, before = luminance(side.after), luminance(side.before)
        change = np.log((after + DARKEST) / (before + DARKEST)).astype(np.float32)
        on_hair = side.drawn.hair_cover() > 0.5
        for part in (covered & on_hair, covered & ~on_hair):
            change[part] -= _mistake(change, side.seen * part)[part]
        self._change = padded(change, covered)
        head, hair = side.drawn.head, side.drawn.hair
        fine = head.samples
        depth = np.full(fine**2, np.inf)
        depth[head.sample] = -side.view.to_camera(head.at(side.drawn.model, posed))[:, 2]
        if hair is not None:
            solid = hair.rgba()[:, 3] > 0.5
            depth[hair.sample[solid]] = -side.view.to_camera(hair.points[solid])[:, 2]
        self._map = DepthMap(depth.reshape(fine, fine), scale=fine / self._view.size)

    def at(
        self, points: NDArray[np.floating], normals: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(N,) the change, in natural logarithms, and (N,) its weight at (N, 3) points (metres, head axes)
        of a surface with these normals.
        """
        camera = self._view.to_camera(points)
        place = self._view.camera.project(camera)
        toward = -camera / np.linalg.norm(camera, axis=1, keepdims=True)
        length = np.maximum(np.linalg.norm(normals, axis=1), 1e-9)
        facing = np.einsum("nd,nd->n", normals @ self._view.rotation.T, toward) / length
        weight = smoothstep((facing - _FACING_FROM) / (_FACING_FULL - _FACING_FROM))
        hidden = self._map.hides(place, -camera[:, 2], _TOLERANCE_M)
        change = sample_picture(self._change, place, cv2.BORDER_REPLICATE)
        return change, np.where(hidden, 0.0, weight).astype(np.float32)


def _mistake(change: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.float32]:
    """(S, S) the mean of a change where it is ``known`` to be none, around each pixel; none far off."""
    sigma = _NEARBY * known.shape[0]
    nearby = cv2.GaussianBlur(known, (0, 0), sigma)
    mean = cv2.GaussianBlur(change * known, (0, 0), sigma) / np.maximum(nearby, 1e-6)
    return np.asarray(mean * smoothstep(nearby / _ENOUGH), dtype=np.float32)


def _mixed(
    changes: Sequence[_Change], points: NDArray[np.floating], normals: NDArray[np.floating]
) -> NDArray[np.float32]:
    """(N, 2) the mean change at (N, 3) points, and how much all pictures weigh there."""
    total = np.zeros((len(points), 2), dtype=np.float32)
    for one in changes:
        change, weight = one.at(points, normals)
        total[:, 0] += change * weight
        total[:, 1] += weight
    total[:, 0] /= np.maximum(total[:, 1], 1e-6)
    return total


def _on_head(
    seen_head: SeenHead,
    filled: HeadTexture,
    posed: NDArray[np.floating],
    changes: Sequence[_Change],
    lit: LitSkin | None,
) -> NDArray[np.uint8]:
    """(S, S, 4) the head's texture."""
    model, layout = seen_head.model, seen_head.layout
    on_skin = layout.of_part(model, "skin")
    row, column = np.divmod(layout.texel[on_skin], layout.size)
    few = (row % _EVERY == 0) & (column % _EVERY == 0)
    chosen, row, column = on_skin[few], row[few], column[few]
    normals = model.normals(posed)
    found = _mixed(
        changes, layout.interpolate(model, posed, chosen), layout.interpolate(model, normals, chosen)
    )
    side = layout.size // _EVERY
    small = np.zeros((side, side, 2), dtype=np.float32)
    if lit is not None:
        asked = layout.interpolate(model, lit.change, chosen)
        agreed = np.clip(found[:, 0], np.minimum(asked, 0.0), np.maximum(asked, 0.0))
        found[:, 0] = (agreed + asked) / 2.0
    found[:, 0] = np.minimum(found[:, 0], _SKIN_LIGHTENS)
    found[:, 0] *= 1.0 - (1.0 - _IN_FACE) * layout.interpolate(model, model.region("face"), chosen)
    small[row // _EVERY, column // _EVERY] = found
    change = padded(small[..., 0].copy(), small[..., 1] > _LEAST)
    change = np.asarray(
        cv2.resize(change, (layout.size, layout.size), interpolation=cv2.INTER_LINEAR), dtype=np.float32
    )
    # Not eyes, teeth and mouth; but the gutters between the islands go on with what lies beside them.
    share = 1.0 - filled.seen.ravel()
    other = np.ones(len(layout.texel), dtype=bool)
    other[on_skin] = False
    share[layout.texel[other]] = 0.0
    return _changed(filled.pixels, change, share.reshape(filled.seen.shape))


def _on_hair(
    hair: Hair, seen: NDArray[np.float32], changes: Sequence[_Change], lit: LitSkin | None
) -> NDArray[np.uint8]:
    """(H, W, 4) the hair's texture."""
    rows, columns = hair.texture.shape[:2]
    uvs = hair.triangle_uvs.astype(np.float64)
    xy = np.stack([uvs[..., 0] * columns, (1.0 - uvs[..., 1]) * rows], axis=-1)
    texel, triangle, centre = pixel_centres(rasterize(xy, None, columns + _MARGIN, rows))
    weights = barycentric(xy, triangle, centre)
    corners = hair.triangles[triangle]
    points = np.einsum("nc,ncd->nd", weights, hair.vertices[corners].astype(np.float64))
    vertex_normal = vertex_normals(hair.vertices, hair.triangles)
    normals = np.einsum("nc,ncd->nd", weights, vertex_normal[corners])
    row, column = np.divmod(texel, columns + _MARGIN)
    found = np.zeros((rows, columns, 2), dtype=np.float32)
    mixed = _mixed(changes, points, normals)
    if lit is not None:
        length = np.maximum(np.linalg.norm(vertex_normal, axis=1, keepdims=True), 1e-9)
        shines = lit.light.brightness(vertex_normal / length)
        shines = np.einsum("nc,nc->n", weights, shines[corners])
        falls = _light_falls(hair, seen, shines, (row, column % columns))
        mixed[:, 0] = np.maximum(mixed[:, 0], falls)
    found[row, column % columns] = mixed
    change = around(lambda p: padded(p[..., 0].copy(), p[..., 1] > _LEAST), found)
    change = np.minimum(change, _HAIR_LIGHTENS)
    return _changed(hair.texture, change, np.minimum(1.0 - seen, _away(seen)))


def _light_falls(
    hair: Hair,
    seen: NDArray[np.float32],
    lit: NDArray[np.floating],
    at: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> NDArray[np.float64]:
    """(N,) natural logarithm, 0 or below: how much darker the light makes hair than the hair that the photo
    showed is on average.

    Args:
        hair: the hair.
        seen: (H, W) how much of each texel of its texture is the photo's.
        lit: (N,) how bright skin would be that faces as the hair does.
        at: (N,) rows and (N,) columns of its texture.
    """
    shown = hair.texture[at].astype(np.float64) / 255.0
    weight = shown[:, 3] * seen[at] + 1e-6
    share = lit / max(float(np.average(lit, weights=weight)), 1e-6)
    own = luminance(shown[:, :3])
    return np.minimum(np.log((own * share + DARKEST) / (own + DARKEST)), 0.0)


def _away(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) 0 at the hair that the photo showed, 1 where that is far, and smoothly from one to the other."""
    rows, columns = seen.shape
    coarse = (columns // _COARSE, max(1, rows // _COARSE))
    small = cv2.resize(seen, coarse, interpolation=cv2.INTER_AREA)
    distance = around(lambda p: cv2.distanceTransform((p < 0.5).astype(np.uint8), cv2.DIST_L2, 5), small)
    share = np.asarray(smoothstep(distance / (_FAR * coarse[0])), dtype=np.float32)
    # Enlarged with its neighbours on either side: the last column goes on with the first.
    thrice = cv2.resize(
        np.concatenate([share] * 3, axis=1), (3 * columns, rows), interpolation=cv2.INTER_LINEAR
    )
    return np.ascontiguousarray(thrice[:, columns : 2 * columns])


def _changed(
    pixels: NDArray[np.uint8], change: NDArray[np.float32], share: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """(H, W, 4) a texture with an (H, W) share of an (H, W) change of its light; its colours stay."""
    darkest = np.float32(255.0 * DARKEST)
    colour = pixels[..., :3].astype(np.float32)
    light = np.maximum(luminance(colour), 1.0)
    wanted = np.maximum((light + darkest) * np.exp(change * share) - darkest, 0.0)
    colour *= (wanted / light)[..., None]
    return np.concatenate([np.clip(colour + 0.5, 0, 255).astype(np.uint8), pixels[..., 3:]], axis=2)
