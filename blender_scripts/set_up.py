# SPDX-License-Identifier: GPL-3.0-or-later
"""Make everything ready to run HoloTalk from a checkout; the Makefile calls this before each target.

    python3 blender_scripts/set_up.py [--extra test]

It looks for the system libraries Blender needs (and installs them when run by root on Debian or
Ubuntu), makes the virtual environment ``.venv/py311`` or ``.venv/py313``, installs the package there,
fetches the third-party data and compiles the head model. Each step that is done is noted in the
environment, so that an interrupted set-up goes on where it was and a finished one is over in a moment,
without a network. Needs nothing but Python's standard library.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from system_libraries import SetUpError, ensure_system, say

ROOT = Path(__file__).resolve().parent.parent

PYTHONS = {(3, 11): "Blender 4.5 LTS", (3, 13): "Blender 5.2 LTS"}


# Imported after the installation, so that a library missing on this computer shows here and by name.
IMPORTS = "import bpy, cv2, dlib, ai_edge_litert, skimage, PIL, holotalk_addon"


def check_python(version: tuple[int, int, int], executable: str) -> None:
    """Refuse a Python for which there is no Blender.

    Args:
        version: major, minor, micro.
        executable: path of that Python, for the message.

    Raises:
        SetUpError: it is neither 3.11 nor 3.13.

    """
    if version[:2] not in PYTHONS:
        raise SetUpError(
            f"Blender's Python module needs Python 3.11 or 3.13, and {executable} is "
            f"{'.'.join(map(str, version))}: install one (Debian 12: `sudo apt-get install python3.11 "
            "python3.11-venv`; Debian 13 and Ubuntu 25.04 on: the same with python3.13; elsewhere pyenv, uv "
            "or Ubuntu's deadsnakes archive), and if it is not found by itself say where: "
            "`make demo PYTHON=/path/to/python3.13`"
        )


def venv_python(venv: Path) -> Path:
    """The interpreter inside a virtual environment."""
    return venv / "Scripts" / "python.exe" if sys.platform == "win32" else venv / "bin" / "python"


def ensure_venv(venv: Path) -> None:
    """Make the virtual environment unless it is there and whole.

    Raises:
        SetUpError: it could not be made.

    """
    python = venv_python(venv)
    if python.exists():
        probe = subprocess.run([python, "-c", "import pip"], capture_output=True, check=False)
        if probe.returncode == 0:
            return
    say(f"making the virtual environment {venv.relative_to(ROOT)}")
    if venv.exists():
        shutil.rmtree(venv)  # what an interrupted set-up left
    done = subprocess.run(
        [sys.executable, "-m", "venv", venv], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        raise SetUpError(f"The virtual environment could not be made: {last_line(done.stdout + done.stderr)}")


def install_digest(root: Path, version: tuple[int, int]) -> str:
    """What an installation depends on: the requirements, this Python, and where the checkout is."""
    digest = hashlib.sha256((root / "pyproject.toml").read_bytes())
    # Scripts of a virtual environment, and an editable installation, hold absolute paths.
    digest.update(f"{version} {platform.machine()} {root}".encode())
    return digest.hexdigest()


def extras_to_install(stamp: Mapping[str, object], digest: str, wanted: Iterable[str]) -> list[str] | None:
    """Which extras the package has to be installed with now.

    Args:
        stamp: what :func:`read_stamp` gave.
        digest: today's :func:`install_digest`.
        wanted: extras that the caller needs.

    Returns:
        None when what is installed serves. Else all extras to install with: those already there stay.

    """
    extras = stamp.get("extras")
    there = {str(extra) for extra in extras} if isinstance(extras, list) else set()
    if stamp.get("install") == digest and there >= set(wanted):
        return None
    return sorted(there | set(wanted))


def install(venv: Path, extras: Sequence[str]) -> None:
    """Install the checkout into the environment, editable, with all it needs.

    Raises:
        SetUpError: pip failed, or something installed cannot be imported.

    """
    python = venv_python(venv)
    what = f".[{','.join(extras)}]" if extras else "."
    say(
        f"installing HoloTalk {'with ' + ', '.join(extras) + ' ' if extras else ''}and Blender (about 500 MB)"
    )
    temporary = venv / "tmp"  # /tmp may be a small memory disk, and Blender's wheel is big
    temporary.mkdir(exist_ok=True)
    log = venv / "pip-errors.log"
    # All in ONE command: a later one might lift numpy beyond what Blender's audio module takes.
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    if not sys.stdout.isatty():
        command += ["--quiet"]
    try:
        with log.open("w") as errors:
            code = subprocess.run(
                [*command, "--editable", what],
                cwd=ROOT,
                stderr=errors,
                env={**os.environ, "TMPDIR": str(temporary)},
                check=False,
            ).returncode
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if code:
        raise SetUpError(pip_message(log.read_text(errors="replace"), log))
    probe = subprocess.run(
        [python, "-c", IMPORTS], cwd=ROOT, capture_output=True, text=True, errors="replace", check=False
    )
    if probe.returncode:
        raise SetUpError(
            f"The installed packages cannot be loaded ({last_line(probe.stderr)}): install what is named "
            "there, then run the same command again"
        )


def pip_message(log: str, path: Path) -> str:
    """One line for a pip that failed.

    Args:
        log: what it wrote to standard error.
        path: where that is kept.

    """
    if "[Errno 28]" in log or "[Errno 122]" in log:
        return f"The disk is full ({path.parent}): free 3 GB, then run the same command again"
    # Indented where pip quotes the pip that it ran for the build.
    lines = [line.strip() for line in log.splitlines()]
    reasons = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    reason = reasons[-1] if reasons else last_line(log)
    signs = ("connection", "Connection", "Max retries", "timed out", "SSLError", "ProxyError")
    if "(from versions: none)" in log or any(sign in log for sign in signs):
        return (
            f"pip could not download what HoloTalk needs ({reason}): check the network and pip's settings "
            f"(`pip config list`), and that this is a 64-bit PC, then run the same command again; "
            f"all of pip's errors are in {path}"
        )
    return f"pip could not install HoloTalk ({reason}): all its errors are in {path}; then run it again"


def last_line(text: str) -> str:
    """The last line of an output that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def read_stamp(path: Path) -> dict[str, object]:
    """What is done so far; empty where that is not known."""
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(path: Path, stamp: Mapping[str, object]) -> None:
    """Note what is done, in one step."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    part.replace(path)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one set-up at a time work in a folder; the system drops the lock with its process."""
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with (folder / "set-up.lock").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up to end")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def run_module(venv: Path, *arguments: str) -> int:
    """Run one of HoloTalk's modules in the environment; its output goes where ours goes."""
    return subprocess.run([venv_python(venv), "-m", *arguments], cwd=ROOT, check=False).returncode


def ensure_data(venv: Path, stamp: dict[str, object], stamp_path: Path) -> None:
    """Fetch the third-party data, unless all of it is there, and compile the head model from it.

    Raises:
        SetUpError: one of the two failed; it has said why itself.

    """
    pins = hashlib.sha256((ROOT / "holotalk_addon" / "pins.py").read_bytes()).hexdigest()
    check = [str(venv_python(venv)), "-m", "holotalk_addon.assets", "--check"]
    there = subprocess.run(check, cwd=ROOT, capture_output=True, check=False).returncode == 0
    if stamp.get("assets") != pins or not there:
        say("third-party data")
        if run_module(venv, "holotalk_addon.assets"):
            raise SetUpError("the third-party data is not complete (see above)")
        stamp["assets"] = pins
        write_stamp(stamp_path, stamp)
    if run_module(venv, "holotalk_addon.people.compile_model"):
        raise SetUpError("the head model could not be compiled (see above)")


def set_up(wanted: Sequence[str]) -> None:
    """Do what is not done yet.

    Args:
        wanted: extras of the package to install with, such as ``test``.

    Raises:
        SetUpError: something is missing on this computer, or a step failed.
        OSError: the checkout cannot be written.

    """
    version = sys.version_info[:2]
    check_python(sys.version_info[:3], sys.executable)
    ensure_system()
    folder = ROOT / ".venv"
    venv = folder / f"py{version[0]}{version[1]}"
    with alone(folder):
        stamp_path = venv / "set-up.json"
        # Without a working interpreter (Python itself was removed, say) whatever was done is void.
        stamp = read_stamp(stamp_path) if venv_python(venv).exists() else {}
        digest = install_digest(ROOT, version)
        extras = extras_to_install(stamp, digest, wanted)
        if extras is not None:
            if stamp.get("root", str(ROOT)) != str(ROOT):
                shutil.rmtree(venv)  # the checkout was moved, and an environment cannot be
            ensure_venv(venv)
            stamp = {"extras": extras, "root": str(ROOT)}  # from here on not installed, until it is
            write_stamp(stamp_path, stamp)
            install(venv, extras)
            stamp["install"] = digest
            write_stamp(stamp_path, stamp)
        ensure_data(venv, stamp, stamp_path)


def main(argv: Sequence[str] | None = None) -> int:
    """Set up, and say what went wrong in one line.

    Args:
        argv: the arguments, ``sys.argv[1:]`` by default.

    Returns:
        The exit status: 0; 2 after an error that the user can mend; 130 when stopped.

    """
    parser = argparse.ArgumentParser(description="Make everything ready to run HoloTalk from a checkout.")
    parser.add_argument(
        "--extra",
        action="append",
        default=[],
        choices=["test", "data", "train"],
        help="install with this extra",
    )
    options = parser.parse_args(argv)
    try:
        set_up(options.extra)
    except SetUpError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        what = f"{error.filename or ROOT}: {error.strerror or error}"
        print(f"set-up: {what}: mend that, then run the same command again", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("set-up: stopped; the next run goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
