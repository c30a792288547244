# SPDX-License-Identifier: GPL-3.0-or-later
"""Random people whom a passer-by would take for people, and how they are photographed.

Plain NumPy data: shape and skin (:func:`synthetic_person`), with hair and clothes from the wardrobe; lights,
cameras and backgrounds (:func:`random_shot`). Whoever draws them knows the whole truth about them. The head
model itself is compiled here (:mod:`.compile_model`): its statistics are those of random people.
"""

from ..wardrobe.prop import Prop
from .make import person_attributes, synthetic_person
from .person import PersonAttributes, SyntheticPerson
from .shot import Lamp, Shot, random_shot
from .workshop import Workshop, open_workshop

__all__ = [
    "Lamp",
    "PersonAttributes",
    "Prop",
    "Shot",
    "SyntheticPerson",
    "Workshop",
    "open_workshop",
    "person_attributes",
    "random_shot",
    "synthetic_person",
]
