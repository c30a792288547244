# SPDX-License-Identifier: GPL-3.0-or-later
"""What turns in the hologram. A head with its hair is the first subject. Framing, the four views and the
video ask a subject, whatever it is, where it can be seen and for its objects; exports are of heads.

To add one, write a class with :class:`Subject`'s methods, and enter in :data:`SUBJECTS` what reads it back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .head_subject import HeadSubject
from .own import HEAD_ROLE, hologram_collection, is_own, role_of

if TYPE_CHECKING:
    from ..performance.performance import Performance


class Subject(Protocol):
    """Something that can stand on the turntable, in head axes: metres, turned about the y axis."""

    def points(self, performance: Performance | None = None) -> NDArray[np.float32]:
        """(N, 3) metres, head axes: the places that it takes up where it can be seen, at rest; with a
        performance at each of some moments of it, one after another."""

    def make(self, collection: Any) -> Any:
        """Make its objects and link them to a collection; returns the one that all others hang on, tagged
        with the subject's role (:func:`.own.tag`). Its own rotation is a performance's to change."""


SUBJECTS: dict[str, Callable[[Any], Subject]] = {HEAD_ROLE: HeadSubject.read}
"""By the role of a subject's first object, what makes a subject of that object, with all that the user has
changed since. It is for framing, so textures are left out."""


def is_subject(obj: Any) -> bool:
    """Whether an object is the one that a subject's others hang on."""
    return role_of(obj) in SUBJECTS


def read_subject(obj: Any) -> Subject:
    """The subject whose first object this is.

    Raises:
        OptionError: the user has changed it so that it cannot be shown any more.
    """
    return SUBJECTS[str(role_of(obj))](obj)


def hologram_subject() -> Any:
    """The first object of the hologram's subject, or None; HoloTalk's own before a renamed one."""
    collection = hologram_collection()
    found = [] if collection is None else [obj for obj in collection.objects if is_subject(obj)]
    return next((obj for obj in found if is_own(obj)), found[0] if found else None)
