# SPDX-License-Identifier: GPL-3.0-or-later
"""What HoloTalk needs of the system itself: the libraries that Blender loads, and Python's own venv module.

Needs nothing but Python's standard library.
"""

from __future__ import annotations

import ctypes
import glob
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence

LIBRARIES = {
    # `import bpy` needs these,
    "libx11-6": "libX11.so.6",
    "libxrender1": "libXrender.so.1",
    "libxfixes3": "libXfixes.so.3",
    "libxi6": "libXi.so.6",
    "libxkbcommon0": "libxkbcommon.so.0",
    "libsm6": "libSM.so.6",
    "libice6": "libICE.so.6",
    "libgl1": "libGL.so.1",
    # and EEVEE without a screen these: the second is a set of drivers, found by DRIVERS.
    "libegl1": "libEGL.so.1",
    "libgl1-mesa-dri": "",
}
"""Debian's package -> the library in it that must load."""
DRIVERS = (
    "/usr/lib*/dri/*_dri.so",
    "/usr/lib/*/dri/*_dri.so",
    "/usr/lib*/libgallium-*.so",
    "/usr/lib/*/libgallium-*.so",
    # A vendor's own driver does as well as Mesa's.
    "/usr/share/glvnd/egl_vendor.d/*nvidia*.json",
    "/etc/glvnd/egl_vendor.d/*nvidia*.json",
)


class SetUpError(Exception):
    """The set-up cannot go on; the message says in one line why, and what to do."""


def say(line: str) -> None:
    """Print a line at once, so that it stands before what a step itself prints."""
    print(f"set-up: {line}", flush=True)


def loads(soname: str) -> bool:
    """Whether the system's loader finds a shared library."""
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def has_driver(patterns: Iterable[str] = DRIVERS) -> bool:
    """Whether there is any driver through which EGL can draw."""
    return "LIBGL_DRIVERS_PATH" in os.environ or any(glob.glob(pattern) for pattern in patterns)  # noqa: PTH207


def missing_libraries(
    load: Callable[[str], bool] = loads, driver: Callable[[], bool] = has_driver
) -> list[str]:
    """Debian's packages of the libraries that are not on this computer, in the order of LIBRARIES."""
    return [package for package, soname in LIBRARIES.items() if not (load(soname) if soname else driver())]


def missing_message(missing: Sequence[str], apt: bool) -> str:
    """What a user who is not root is told.

    Args:
        missing: Debian's names of the packages, not empty.
        apt: whether this system has apt-get.

    """
    names = " ".join(missing)
    if apt:
        return (
            f"Blender needs system packages that are missing: {', '.join(missing)}. Run this, then the same "
            f"command again: sudo apt-get update && sudo apt-get install --no-install-recommends -y {names}"
        )
    libraries = ", ".join(LIBRARIES.get(package, package) or "Mesa's DRI drivers" for package in missing)
    return (
        f"Blender needs system libraries that are missing: {libraries}. Install them with this system's "
        f"package manager (Debian's names: {names}), then run the same command again"
    )


def apt_install(packages: Sequence[str]) -> None:
    """Install Debian packages; root only.

    Raises:
        SetUpError: apt-get failed.

    """
    say(f"installing {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    for command in (
        ["apt-get", "update"],
        ["apt-get", "install", "--no-install-recommends", "-y", *packages],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            complaints = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            raise SetUpError(
                f"`{shlex.join(command)}` failed ({complaints[0] if complaints else 'it gave no reason'}): "
                "mend that (is there a network?), then run the same command again"
            )


def is_root() -> bool:
    """Whether system packages can be installed from here."""
    return sys.platform != "win32" and os.geteuid() == 0


def missing_venv_package() -> list[str]:
    """Debian's package of the venv module, in a list, where that is not on this computer.

    Raises:
        SetUpError: this Python cannot make virtual environments, and no package of the system's mends that.

    """
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return []
    if sys.base_prefix == "/usr" and shutil.which("apt-get"):
        return [f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"]
    raise SetUpError(
        f"{sys.executable} has no venv and ensurepip modules: use a complete Python, "
        "`make demo PYTHON=/path/to/python3.13`"
    )


def ensure_system() -> None:
    """See that the system has the libraries Blender needs, and that Python can make environments.

    Raises:
        SetUpError: something is missing and could not be installed.

    """
    missing = missing_libraries() if sys.platform == "linux" else []
    missing += missing_venv_package()
    if not missing:
        return
    apt = shutil.which("apt-get") is not None
    if not (apt and is_root()):
        raise SetUpError(missing_message(missing, apt))
    apt_install(missing)
    # In a new process: the loader remembers what it did not find.
    code = f"import ctypes; [ctypes.CDLL(name) for name in {[v for v in LIBRARIES.values() if v]!r}]"
    if subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode:
        raise SetUpError(
            f"{' '.join(missing)} were installed, but some of their libraries still do not load in "
            f"{sys.executable}: use the system's own Python, `make demo PYTHON=/usr/bin/python3`"
        )
