# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on keeps in memory between clicks, from its registration to its end, never in the file.

The one place with module-level state: Blender makes operators and panels anew for every click and redraw, so
what outlives them needs a home.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import bpy
import bpy.utils.previews

from .jobs import InTurn

if TYPE_CHECKING:
    from ..pipeline import Tools
    from .jobs import Job
    from .panels_overlay import PanelsOverlay
    from .viewport import View


class Session:
    """Loaded models, thumbnails, the jobs at work, the overlay in the viewport."""

    def __init__(self) -> None:
        """Begin with nothing loaded."""
        self.jobs: dict[str, Job] = {}
        """The work that goes on behind the window: by lane (:data:`~.jobs.LANES`), one at a time in each."""
        self.copying = False
        """True while settings are copied, see :meth:`copies`: their update functions then do nothing."""
        self.overlay: PanelsOverlay | None = None
        self.alone = InTurn()
        """Held by the thread that uses the networks; for one piece of work by a job that goes on for minutes
        (:class:`~.jobs.ThreadJob`)."""
        self.former_views: dict[str, list[View]] = {}
        """What the viewports showed before a scene of this role came, for its undoing."""
        self.asked: set[object] = set()
        """Thumbnails that a timer is about to make, or that cannot be made."""
        self._tools: Tools | None = None
        self._thumbnails: Any = None
        self._thumbnail_keys: dict[str, object] = {}

    @contextmanager
    def copies(self) -> Iterator[None]:
        """Settings are copied from what they describe: nothing needs to be brought up to date."""
        self.copying = True
        try:
            yield
        finally:
            self.copying = False

    def tools(self) -> Tools:
        """Head model and face networks, loaded once.

        Raises:
            AssetError: a file of the add-on is missing or damaged.

        """
        if self._tools is None:
            from ..pipeline import load_tools

            self._tools = load_tools()
        return self._tools

    def thumbnail(self, name: str, key: object) -> Any:
        """The picture kept under a name if it was made for this key, else None."""
        if self._thumbnails is None or self._thumbnail_keys.get(name) != key:
            return None
        return self._thumbnails.get(name)

    def set_thumbnail(self, name: str, key: object, pixels: Any) -> None:
        """Keep a picture for the panel.

        Args:
            name: what it shows.
            key: what it was made from; another key means another picture.
            pixels: (H, W, 4) float32 0..1, first row on top.

        """
        import numpy as np

        if self._thumbnails is None:
            self._thumbnails = bpy.utils.previews.new()
        if name in self._thumbnails:
            del self._thumbnails[name]
        preview = self._thumbnails.new(name)
        preview.image_size = (pixels.shape[1], pixels.shape[0])
        flat = np.ascontiguousarray(np.flipud(pixels), dtype=np.float32).ravel()
        preview.image_pixels_float.foreach_set(flat)
        self._thumbnail_keys[name] = key

    def stop_jobs(self) -> None:
        """Stop what is at work, in every lane."""
        with ExitStack() as stack:  # all of them, even if one cannot be stopped
            for job in self.jobs.values():
                stack.callback(job.cancel)
            self.jobs.clear()

    def close(self) -> None:
        """Stop what is at work and free everything."""
        self.stop_jobs()
        if self.overlay is not None:
            self.overlay.remove()
            self.overlay = None
        if self._thumbnails is not None:
            bpy.utils.previews.remove(self._thumbnails)
            self._thumbnails = None
        self._tools = None


_current: Session | None = None


def begin() -> None:
    """Called once by the registration."""
    global _current  # noqa: PLW0603 - see the module's text
    _current = Session()


def end() -> None:
    """Called once by the unregistration."""
    global _current  # noqa: PLW0603
    if _current is not None:
        _current.close()
    _current = None


def current() -> Session:
    """The session of the registered add-on."""
    if _current is None:
        raise RuntimeError("HoloTalk is not registered.")
    return _current
