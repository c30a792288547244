# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the finished head look like the photo? Drawn where the photo shows it, and measured against it.

Three figures, none of which knows how the head was made: would a network that recognises people take the
drawn face for the photo's (dlib's descriptor), how much of that face is the photo's at all, and are the
landmarks found again where the photo has them. So whatever goes wrong on the way, it is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..face.descriptor import FaceDescriptor, descriptor_distance
from ..face.find import Face
from ..face.mesh import CROP_PER_BOX, crop_square, level_square, mesh_on_crop
from ..face.networks import Network
from ..head.camera import Camera
from ..head.completion import HeadTexture, SeenHead
from ..head.drawing import draw_person
from ..head.morphable_model import OUTER_EYE_CORNERS
from ..head.view import View

SIDE = 256
"""Pixels of the compared pictures' side; dlib's own chip has 150."""
SQUARE_PER_FACE = 1.8
"""Side of the compared square over the face's: brows to chin with the surroundings that dlib's chip shows."""

MOST_UNLIKE, LEAST_SEEN, MOST_OFF = 0.40, 0.55, 5.5
"""Distance, share and per cent beyond which a head is said not to look like its photo. Of 126 heads that eyes
called wrong without knowing the figures (broken on purpose, see ``evaluate_check.py``) none passes. Of 152
that they called good 16 do not: 15 had been broken too, but not enough for the eye."""


@dataclass(frozen=True)
class SelfCheck:
    """What the comparison says."""

    distance: float
    """Between the descriptors of the photo's face and the drawn head's."""
    seen: float
    """0..1: how much of the face that the camera should see is the photo's."""
    landmarks: float
    """Mean distance, % of that between the outer eye corners, of the points of the face that are found in the
    drawn head from those in the photo; infinite where no face is found in it."""
    picture: NDArray[np.uint8]
    """(SIDE, SIDE, 3) sRGB: the head, drawn where the photo shows it, on black."""
    photo: NDArray[np.uint8]
    """(SIDE, SIDE, 3) sRGB: the same square of the photo."""

    @property
    def found(self) -> bool:
        """Whether a face is found in the drawn head at all."""
        return bool(np.isfinite(self.landmarks))

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for the user where the head does not look like the photo, and why it may be."""
        if self.seen < LEAST_SEEN:
            why = (
                f"Only {100.0 * self.seen:.0f} % of the face could be taken from it. "
                "Use a photo in which nothing hides the face and its edge cuts nothing off"
            )
        elif self.landmarks > MOST_OFF:
            why = (
                "Eyes, nose and mouth do not lie where they should. It may be no face, or one that is upside "
                "down, hidden or cut off. Use a photo of an upright face, all of it"
            )
        elif self.distance > MOST_UNLIKE:
            why = (
                "It looks like somebody else. Hard shadows, a far turned head, blur or things before the "
                "face do that. Use a sharp, evenly lit photo from the front"
            )
        else:
            return ()
        return (f"This head does not look like the photo. {why}.",)


def check_head(
    seen_head: SeenHead, texture: HeadTexture, face: Face, landmark: Network, descriptor: FaceDescriptor
) -> SelfCheck:
    """Compare a finished head with its photo.

    Args:
        seen_head: the photo and the fitted head.
        texture: the head's, completed, with its hair.
        face: the photo's face that it was made of.
        landmark: the 468-point network.
        descriptor: says who a face is.
    """
    model, fit = seen_head.model, seen_head.fit
    centre, side, _ = level_square(face.mesh)
    side *= SQUARE_PER_FACE / CROP_PER_BOX
    unit = SIDE / side
    camera = Camera(
        fit.camera.focal * unit,
        (fit.camera.centre_x - centre[0]) * unit + SIDE / 2.0,
        (fit.camera.centre_y - centre[1]) * unit + SIDE / 2.0,
    )
    posed = fit.posed(model)
    drawn = draw_person(model, posed, texture.hair, View(SIDE, camera, fit.rotation, fit.translation))
    picture = (drawn.picture(texture) * 255.0 + 0.5).astype(np.uint8)
    photo = crop_square(seen_head.pixels, centre, side, 0.0, SIDE)

    def placed(points: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray((points[:, :2] - centre) * unit + SIDE / 2.0, dtype=np.float64)

    marks, mesh = placed(face.landmarks68), placed(face.mesh)
    apart = descriptor_distance(descriptor(photo, marks), descriptor(picture, marks))
    on_face = drawn.head.field(model, model.region("face")[:, None])[..., 0] > 0.5
    shown = drawn.head.texture(model, texture.seen[..., None])[..., 0]
    found, score = mesh_on_crop(landmark, picture, *level_square(mesh))
    off = np.linalg.norm(found[:, :2] - mesh, axis=1).mean()
    eyes = np.linalg.norm(mesh[OUTER_EYE_CORNERS[0]] - mesh[OUTER_EYE_CORNERS[1]])
    return SelfCheck(
        distance=float(apart),
        seen=float(shown[on_face].mean()) if on_face.any() else 0.0,
        landmarks=float(100.0 * off / eyes) if score > 0.5 else float("inf"),
        picture=picture,
        photo=photo,
    )
