# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in a second Blender, in the background, so that the user's window stays free.

A Blender without a window opens a temporary copy of the open file (or none), does one thing, and tells how
far it is through a small file. Whatever happens, all that it wrote lies in one temporary folder, which goes;
a finished output is moved to its place in one step.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bpy

from ..errors import HoloTalkError, OutputError, explain
from ..outputs import check_output, replacing
from ..progress import Progress, silent
from .own import is_own

POLITE_SECONDS = 5.0
"""How long a stopped Blender may take to end before it is killed."""
DAY_SECONDS = 24 * 3600.0
_PREFIX = "holotalk-job-"
_EXTENSIONS = (".mp4", ".png")


class SecondBlender:
    """One call in a second Blender: begin, ask :attr:`done` now and then, take the result. Where there is no
    window to keep alive, :meth:`run` does it here."""

    folder: Path
    """From :meth:`begin` to the end: what the second Blender writes."""

    def __init__(
        self,
        call: str,
        *words: str | int | float,
        stage: str = "",
        with_file: bool = False,
        scratch: Path | None = None,
    ) -> None:
        """Prepare the call.

        Args:
            call: ``module:function`` inside this package. The function takes the words and a
                :data:`~..progress.Progress`, and returns something that JSON can hold.
            words: what the function is called with.
            stage: what it does, for the user.
            with_file: open a copy of the open file in the second Blender.
            scratch: where the temporary folder is made; the system's place for such by default.

        """
        self.stage = stage
        self._call, self._words = call, words
        self._with_file, self._scratch = with_file, scratch
        self._process: subprocess.Popen[bytes] | None = None
        self._said: dict[str, Any] = {}

    def begin(self) -> None:
        """Start the second Blender.

        Raises:
            OutputError: the copy of the open file cannot be saved.

        """
        if self._scratch is not None:
            _clear_old(self._scratch)
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._scratch))
        command = [bpy.app.binary_path, "--background"]
        if self._with_file:
            command.append(str(self._copy()))
        call = (
            f"from {__name__} import serve; "
            f"serve({self._call!r}, {self._words_there()!r}, {str(self._told)!r})"
        )
        command += ["--addons", _package(), "--python-exit-code", "1", "--python-expr", call]
        where = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.folder))
        # As the command renders training data: sums of several threads have other last bits.
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        with (self.folder / "log.txt").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **where, **one_thread},
            )

    def run(self) -> Any:
        """Call the function in this Blender; returns what it returns, raises what it raises."""
        return _function(self._call)(*self._words, silent)

    def _words_there(self) -> tuple[str | int | float, ...]:
        """What the function is called with in the second Blender."""
        return self._words

    def _copy(self) -> Path:
        path = self.folder / "copy.blend"
        for image in bpy.data.images:
            if image.is_dirty and is_own(image):
                image.pack()  # what was painted on the head: a saved copy has no unsaved pixels
        try:
            bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=False, relative_remap=True)
        except RuntimeError as error:
            self._clear()
            raise OutputError(f"The file cannot be copied to {self.folder}: {error}") from error
        return path

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
        """Whether it has ended."""
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

    def result(self) -> Any:
        """What the function returned; clears everything away.

        Raises:
            HoloTalkError: what the function raised for the user.
            RuntimeError: it failed otherwise; the message has its last words.

        """
        try:
            return self._taken()
        finally:
            self._clear()

    def _taken(self) -> Any:
        """The result, while the folder is still there."""
        _ = self.fraction  # the last word
        if "error" in self._said:
            raise HoloTalkError(self._said["error"])
        if self._process is None or self._process.returncode != 0 or "result" not in self._said:
            raise RuntimeError("The second Blender failed. It said:\n" + self._last_words())
        return self._said["result"]

    def _clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)  # what Windows still holds goes with the next job

    @property
    def _told(self) -> Path:
        return self.folder / "progress.json"

    def _last_words(self) -> str:
        log = self.folder / "log.txt"
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        return self._said.get("trace", "") + "\n".join(text.splitlines()[-30:])


def _clear_old(scratch: Path) -> None:
    """Remove what a Blender that crashed has left in the add-on's folder, a day later."""
    for folder in scratch.glob(f"{_PREFIX}*"):
        if folder.is_dir() and time.time() - folder.stat().st_mtime > DAY_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def serve(call: str, words: Sequence[str | int | float], told: str) -> None:
    """What the second Blender does: call the function, and write to the file ``told`` how far it is."""
    progress = Path(told)

    def say(**sentence: Any) -> None:
        beside = progress.with_suffix(".part")
        beside.write_text(json.dumps(sentence), encoding="utf-8")
        with contextlib.suppress(PermissionError):  # Windows: it is being read; the next word will do
            beside.replace(progress)

    try:
        result = _function(call)(*words, lambda fraction: say(fraction=fraction))
    except HoloTalkError as error:
        say(error=str(error))
    except OSError as error:
        say(error=explain(error))
    except Exception:
        say(trace=traceback.format_exc())
        raise
    else:
        say(fraction=1.0, result=result)


def _function(call: str) -> Callable[..., Any]:
    """The function that is called ``module:function`` inside this package."""
    module, _, function = call.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(f".{module}", _package()), function)
    return found


def _package() -> str:
    """HoloTalk's package, by whatever name Blender has given to it."""
    return __package__.rpartition(".")[0]


class BackgroundRender(SecondBlender):
    """A render of the open file's hologram.

    Its result: seconds that the video of the whole loop takes (measured on what was rendered). The output is
    put in its place when it is finished; until then one of earlier stays as it was.
    """

    def __init__(self, output: Path, scratch: Path | None = None) -> None:
        """Prepare a render.

        Args:
            output: a ``.mp4`` of the whole loop, or a ``.png`` of its first frame.
            scratch: as for :class:`SecondBlender`.

        Raises:
            OptionError: another extension.
            OutputError: the output's folder cannot be written.

        """
        self.output = check_output(output, _EXTENSIONS)
        call = f"{__name__.removeprefix(_package() + '.')}:render_here"
        super().__init__(call, str(self.output), stage="Rendering", with_file=True, scratch=scratch)

    @property
    def _made(self) -> Path:
        return self.folder / f"result{self.output.suffix.lower()}"

    def _words_there(self) -> tuple[str]:
        return (str(self._made),)

    def _taken(self) -> float:
        seconds = float(super()._taken())
        with replacing(self.output) as beside:
            try:
                shutil.copyfile(self._made, beside)
            except OSError as error:
                raise OutputError(f"Cannot write {self.output}: {error.strerror}.") from error
        return seconds


def render_here(output: Path | str, progress: Progress = silent) -> float:
    """Render the open file's hologram in this Blender.

    Args:
        output: a ``.mp4`` of the whole loop, or a ``.png`` of its first frame.
        progress: told the fraction done; may raise to cancel.

    Returns:
        Seconds that the video of the whole loop takes (measured on what was rendered).

    Raises:
        HoloTalkError: there is no hologram, or it cannot be rendered or written.

    """
    from .hologram_scene import find_hologram
    from .render import VIEWS_SHARE, render_hologram
    from .render_plan import view_frames

    output = Path(output)
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
