# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in the open .blend that is not HoloTalk's, as text, to compare before and after."""

import bpy

from holotalk_addon.scene.own import role_of

PASSING = {
    "rna_type", "users", "session_uid", "is_updated", "is_updated_data", "tag", "original", "is_evaluated",
    "is_embedded_data", "is_runtime_data", "preview", "holotalk", "id_type", "library_weak_reference",
    "enabled", "is_unavailable", "is_inactive", "is_icon_visible",  # of a node's sockets: set when drawn
    "storage_type",  # of an attribute: how Blender 5.2 keeps it in memory, changed by reading it
    "particle_edit",  # names the active object, and forgets it on undo
    "depsgraph", "use_extra_user", "bindcode", "bl_rna",
}  # fmt: skip
"""Properties that are not in the file, or our own settings on a scene."""
KINDS = (
    "scenes", "collections", "objects", "meshes", "cameras", "lights", "materials", "images", "worlds",
    "actions", "texts", "node_groups", "textures", "curves", "armatures", "movieclips", "sounds",
)  # fmt: skip
DEPTH = 6


def dump() -> dict[str, str]:
    """A text for each data-block of the user's, by its kind and name."""
    found = {}
    for kind in KINDS:
        for block in getattr(bpy.data, kind):
            generated = kind == "images" and block.type in ("RENDER_RESULT", "COMPOSITING")
            if role_of(block) is None and not generated:
                found[f"{kind}/{block.name}"] = _text(block, 0)
    return found


def _text(struct, depth):
    lines = []
    for prop in struct.bl_rna.properties:
        name = prop.identifier
        if name in PASSING:
            continue
        try:
            value = getattr(struct, name)
        except (AttributeError, RuntimeError) as error:
            value = f"!{type(error).__name__}"
        lines.append(f"{' ' * depth}{name} = {_value(prop, value, depth)}")
    return "\n".join(lines)


def _value(prop, value, depth):
    if value is None or isinstance(value, str):
        return repr(value)
    if prop.type == "POINTER":
        if isinstance(value, bpy.types.ID) and not value.is_embedded_data:
            return f"-> {value.name_full}"
        return "..." if depth >= DEPTH else "\n" + _text(value, depth + 1)
    if prop.type == "COLLECTION":
        parts = []
        for item in value:
            if isinstance(item, bpy.types.ID) and not item.is_embedded_data:
                parts.append(f"-> {item.name_full}")
            elif depth < DEPTH:
                parts.append("\n" + _text(item, depth + 1))
        return f"[{len(value)}] " + " ".join(parts)
    if getattr(prop, "is_array", False):
        return repr([list(v) if hasattr(v, "__len__") else v for v in value])
    return repr(value)
