# SPDX-License-Identifier: GPL-3.0-or-later
"""Head -> Blender: the head object, the four cameras, the hologram scene, renders and exports.

With ``ui``, the only rooms that import ``bpy``. Everything that is made here carries the custom
property ``holotalk_role``, so that a new hologram replaces the old one and touches nothing else.
"""

import sys

from .quiet import quiet

if "bpy" not in sys.modules:  # outside Blender: the module greets with a line about its colours
    with quiet():
        import bpy  # noqa: F401
