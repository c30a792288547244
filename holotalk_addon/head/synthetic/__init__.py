# SPDX-License-Identifier: GPL-3.0-or-later
"""Random people whom a passer-by would take for people, and how they are photographed.

Plain NumPy data: shape, skin, hair, clothes (:func:`synthetic_person`), lights, cameras and backgrounds
(:func:`random_shot`). Whoever draws them knows the whole truth about them.
"""

from .make import synthetic_person
from .person import PersonAttributes, Prop, SyntheticPerson
from .shots import Lamp, Light, Shot, ShotCamera, random_shot
from .workshop import Workshop, open_workshop

__all__ = [
    "Lamp",
    "Light",
    "PersonAttributes",
    "Prop",
    "Shot",
    "ShotCamera",
    "SyntheticPerson",
    "Workshop",
    "open_workshop",
    "random_shot",
    "synthetic_person",
]
