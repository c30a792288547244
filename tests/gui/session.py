# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside the chroot as its first process: a screen, a Blender on it, and the end of both.

    python3 session.py SECONDS SCRIPT

Standard library alone. Blender's output goes to ``blender.log`` beside the script; the exit status is
Blender's, or 3 when the time is over or it hangs: then ``stacks.txt`` says what it was doing. When it
crashed, ``crash.log`` says where.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

SIZE = (1600, 900)
DISPLAY = ":0"
TOO_LATE = 3
STUCK_SECONDS = 240
"""Without a sign of life from Blender's main thread for this long it hangs: window.py touches ``alive``."""


def start_screen():
    width, height = SIZE
    # -ac: nobody but this session can reach it.
    screen = subprocess.Popen(
        ["Xvfb", DISPLAY, "-screen", "0", f"{width}x{height}x24", "-ac", "-nolisten", "tcp"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ends = time.monotonic() + 30
    while time.monotonic() < ends and screen.poll() is None:
        if subprocess.run(["xdpyinfo"], capture_output=True, check=False).returncode == 0:
            return screen
        time.sleep(0.1)
    sys.exit(f"Xvfb does not start (status {screen.poll()})")


def start_blender(script, log):
    screen = ["--gpu-backend", "opengl", "--window-geometry", "0", "0", *map(str, SIZE)]
    return subprocess.Popen(
        # Not --factory-startup: a new user's empty folder is the same, and what is saved there counts.
        ["blender", *screen, "--python-exit-code", "4", "--python", script],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )


def wait_for(blender, seconds, alive):
    """Blender's status when it has ended; None when the time is over, or it hangs."""
    began = time.monotonic()
    alive.touch()
    while blender.poll() is None:
        if time.monotonic() - began > seconds or time.time() - alive.stat().st_mtime > STUCK_SECONDS:
            return None
        time.sleep(0.5)
    return blender.returncode


def main():
    seconds, script = float(sys.argv[1]), sys.argv[2]
    os.environ.update(DISPLAY=DISPLAY, LIBGL_ALWAYS_SOFTWARE="1", HOLOTALK_GUI_SIZE="x".join(map(str, SIZE)))
    screen = start_screen()
    with Path(script).with_name("blender.log").open("w") as log:
        blender = start_blender(script, log)
        status = wait_for(blender, seconds, Path(script).with_name("alive"))
        if status is None:
            with contextlib.suppress(ProcessLookupError):
                blender.send_signal(signal.SIGUSR1)  # window.py answers it with what every thread is doing
                time.sleep(1)
                blender.kill()
            blender.wait()
            status = TOO_LATE
    for report in Path("/tmp").glob("*.crash.txt"):
        shutil.copy(report, Path(script).parent / "crash.log")
    screen.terminate()
    screen.wait()
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
