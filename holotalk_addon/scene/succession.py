# SPDX-License-Identifier: GPL-3.0-or-later
"""A new subject in the place of a former one, and what of the former is the user's.

HoloTalk's own former head goes, with its hair: what hangs on them hangs on the new ones, in the same
collections. The user's keyframes of the sliders go on, those of the head object itself are kept in the file.
A head or hair that the user renamed or copied is the user's: it stays, hidden, in a collection of the
hologram's scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy

from .hair_object import hair_objects, hair_of, head_under
from .head_object import use_plain_names
from .own import HEAD_ROLE, is_own, keep_users_action, remove_object, role_of

KEPT_NAME = "Kept heads"


class Succession:
    """Hands over from former subjects to the one that has been made."""

    def __init__(self, obj: Any, former: Sequence[Any], collection: Any) -> None:
        """Look at what there is.

        Args:
            obj: the new subject's first object.
            former: those of former subjects in the hologram's collection.
            collection: the hologram's.
        """
        self._obj = obj
        self._former = list(former)
        self._hair = next(iter(hair_of(obj)), None)
        others = [other for other in collection.all_objects if other not in (obj, *obj.children_recursive)]
        self._replaced, self._kept_hair = _former_hair(self._former, others)

    def take_place(self) -> None:
        """Put the new hair where the former was, hidden as that is."""
        if self._hair is not None and self._replaced:
            _take_place(self._hair, self._replaced[0])

    def replace_former(self, hologram: Any) -> None:
        """Remove the former subjects, or set them aside in the hologram's scene."""
        for obj in self._replaced:
            if self._hair is not None:
                _replace_hair(obj, self._hair)
            else:  # what hangs on the hair hangs on the head, which is not in the hair's collections
                for place in obj.users_collection:
                    place.objects.unlink(obj)
                obj.user_remap(self._obj)
                remove_object(obj)
        for obj in self._kept_hair:
            if is_own(obj):  # it goes with a head of the user's
                obj.name = f"{head_under(obj).name} Hair"
            _set_aside(obj, hologram)
        for obj in self._former:
            if is_own(obj):
                _hand_over_keys(obj, self._obj)
                keep_users_action(obj)
                _replace(obj, self._obj)
            else:
                _set_aside(obj, hologram)
        if role_of(self._obj) == HEAD_ROLE:
            use_plain_names(self._obj)


def _hand_over_keys(former: Any, obj: Any) -> None:
    """The keyframes of the former head's sliders are the new one's, unless it performs by itself."""
    before, now = (getattr(one.data, "shape_keys", None) for one in (former, obj))
    if before is None or now is None or before.animation_data is None or before.animation_data.action is None:
        return
    action = before.animation_data.action
    taken = now.animation_data_create()
    if is_own(action):  # a performance of the former one's: it goes with it
        return
    if taken.action is None:
        taken.action = action
        taken.action_slot = before.animation_data.action_slot
    else:
        keep_users_action(before)


def _former_hair(heads: list[Any], others: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The hair of former heads, and what hangs loose among the other objects: HoloTalk's own, to be
    replaced, and what the user made his own, by itself or with its head. Hair may be in any collection."""
    found = hair_objects([*others, *(child for head in heads for child in hair_of(head))])
    found = [obj for obj in dict.fromkeys(found) if head_under(obj) in (None, *heads)]
    replaced = [obj for obj in found if is_own(obj) and (head_under(obj) is None or is_own(head_under(obj)))]
    return replaced, [obj for obj in found if obj not in replaced]


def _take_place(hair: Any, former: Any) -> None:
    """Put new hair into the collections where the user has put the former, and hide it as that is hidden."""
    hair.hide_render, hair.hide_viewport = former.hide_render, former.hide_viewport
    places = former.users_collection
    if not places:  # of the user's deletion something is left in the file
        return
    for collection in hair.users_collection:
        if collection not in places:
            collection.objects.unlink(hair)
    for collection in places:
        if collection not in hair.users_collection:
            collection.objects.link(hair)


def _replace_hair(former: Any, hair: Any) -> None:
    """Remove former hair for new, which is hidden in the same view layers (their eye)."""
    layers = [layer for scene in bpy.data.scenes for layer in scene.view_layers]
    hidden = [layer for layer in layers if former.hide_get(view_layer=layer)]
    _replace(former, hair)
    for layer in hidden:
        hair.hide_set(True, view_layer=layer)


def _replace(former: Any, obj: Any) -> None:
    """Remove a former object; what refers to it (children, constraints) refers to the new one."""
    for collection in former.users_collection:
        # By hand: Blender 5.2 would list the new one twice where it is already.
        if obj.name not in collection.objects:
            collection.objects.link(obj)
        collection.objects.unlink(former)
    former.user_remap(obj)
    remove_object(former)


def _set_aside(obj: Any, hologram: Any) -> None:
    """Keep a former head or hair that the user made his own: out of the picture, but in the file. In other
    scenes of the user's it stays."""
    kept = hologram.collection.children.get(KEPT_NAME)
    if kept is None:
        kept = bpy.data.collections.new(KEPT_NAME)
        kept.hide_render = kept.hide_viewport = True
        hologram.collection.children.link(kept)
    away = [kept, *kept.children_recursive]
    shown = [hologram.collection, *hologram.collection.children_recursive]
    for collection in obj.users_collection:
        if collection in shown and collection not in away:
            collection.objects.unlink(obj)
    if not any(collection in away for collection in obj.users_collection):
        kept.objects.link(obj)
