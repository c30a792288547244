# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering in a second Blender, in the background, so that the user's window stays free.

The open file is saved as a temporary copy; a Blender without a window opens the copy, renders the hologram in
it and tells how far it is through a small file. Whatever happens, all that it wrote lies in one temporary
folder, which goes; the finished output is moved to its place in one step.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import bpy

from ..errors import HoloTalkError, OutputError
from ..outputs import check_output, replacing
from ..progress import Progress, silent

POLITE_SECONDS = 5.0
"""How long a stopped Blender may take to end before it is killed."""
_EXTENSIONS = (".mp4", ".png")


class BackgroundRender:
    """One render in a second Blender: begin, ask :attr:`done` now and then, take the result."""

    def __init__(self, output: Path, scratch: Path | None = None) -> None:
        """Prepare a render.

        Args:
            output: a ``.mp4`` of the whole loop, or a ``.png`` of its first frame.
            scratch: where the temporary folder is made; the system's place for such by default.

        Raises:
            OptionError: another extension.
            OutputError: the output's folder cannot be written.

        """
        self.output = check_output(output, _EXTENSIONS)
        self._folder = Path(tempfile.mkdtemp(prefix="holotalk-render-", dir=scratch))
        self._process: subprocess.Popen[bytes] | None = None
        self._said: dict[str, Any] = {}

    def begin(self) -> None:
        """Save the copy and start the second Blender."""
        copy, result = self._folder / "copy.blend", self._folder / f"result{self.output.suffix.lower()}"
        try:
            bpy.ops.wm.save_as_mainfile(filepath=str(copy), copy=True, compress=False, relative_remap=True)
        except RuntimeError as error:
            self._clear()
            raise OutputError(f"The file cannot be copied to {self._folder}: {error}") from error
        package = __package__.rpartition(".")[0]
        call = f"from {__package__}.background import serve; serve({str(result)!r}, {str(self._told)!r})"
        command = [bpy.app.binary_path, "--background", str(copy), "--addons", package]
        command += ["--python-exit-code", "1", "--python-expr", call]
        where = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._folder))
        with (self._folder / "log.txt").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **where}
            )

    @property
    def fraction(self) -> float:
        """How much is done, 0..1."""
        if self._told.is_file():
            # On Windows the file may be busy just now: then the next look will tell.
            with contextlib.suppress(OSError, ValueError):
                self._said = json.loads(self._told.read_text(encoding="utf-8"))
        return float(self._said.get("fraction", 0.0))

    @property
    def done(self) -> bool:
        """Whether the second Blender has ended."""
        return self._process is None or self._process.poll() is not None

    def cancel(self) -> None:
        """Stop it and clear everything away."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(POLITE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._clear()

    def result(self) -> float:
        """Put the finished output in its place.

        Returns:
            Seconds that the video of the whole loop takes (measured on what was rendered).

        Raises:
            HoloTalkError: the render failed; the message says why.

        """
        _ = self.fraction  # the last word
        result = self._folder / f"result{self.output.suffix.lower()}"
        try:
            if "error" in self._said:
                raise HoloTalkError(self._said["error"])
            if self._process is None or self._process.returncode != 0 or not result.is_file():
                raise RuntimeError("The second Blender failed. It said:\n" + self._said_last())
            with replacing(self.output) as beside:
                try:
                    shutil.copyfile(result, beside)
                except OSError as error:
                    raise OutputError(f"Cannot write {self.output}: {error.strerror}.") from error
            return float(self._said["video_seconds"])
        finally:
            self._clear()

    @property
    def _told(self) -> Path:
        return self._folder / "progress.json"

    def _said_last(self) -> str:
        log = self._folder / "log.txt"
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        return self._said.get("trace", "") + "\n".join(text.splitlines()[-30:])

    def _clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)  # what Windows still holds goes with the system's


def render_here(output: Path, progress: Progress = silent) -> float:
    """Render the open file's hologram in this Blender.

    Returns:
        Seconds that the video of the whole loop takes (measured on what was rendered).

    Raises:
        HoloTalkError: there is no hologram, or it cannot be rendered or written.

    """
    from .hologram_scene import find_hologram
    from .render import VIEWS_SHARE, render_hologram, view_frames

    hologram = find_hologram()
    if hologram is None:
        raise HoloTalkError("There is no hologram in this file: generate one first.")
    began = time.monotonic()
    marks = [began]

    def told(fraction: float) -> None:
        if fraction < VIEWS_SHARE:
            marks.append(time.monotonic())
        progress(fraction)

    render_hologram(hologram, output, told)
    if output.suffix.lower() == ".mp4":
        return time.monotonic() - began
    # Blender's start-up for the first picture is left out where there are others to go by.
    first = 1 if len(marks) > 2 else 0
    each = (marks[-1] - marks[first]) / max(1, len(marks) - 1 - first)
    return each * view_frames(hologram) / VIEWS_SHARE


def serve(output: str, told: str) -> None:
    """What the second Blender does: render its file to ``output``, and write to the file ``told``."""
    progress = Path(told)

    def say(**words: Any) -> None:
        beside = progress.with_suffix(".part")
        beside.write_text(json.dumps(words), encoding="utf-8")
        with contextlib.suppress(PermissionError):  # Windows: it is being read; the next word will do
            beside.replace(progress)

    try:
        seconds = render_here(Path(output), lambda fraction: say(fraction=fraction))
    except HoloTalkError as error:
        say(error=str(error))
    except Exception:
        say(trace=traceback.format_exc())
        raise
    else:
        say(fraction=1.0, video_seconds=seconds)
