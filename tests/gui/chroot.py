# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian with a real Blender in it, in a folder of its own, for the tests that need a window.

    python tests/gui/chroot.py set-up       make it (goes on where it was; done before: over in a moment)
    python tests/gui/chroot.py why-not      print why it cannot be made or used here; nothing where it can
    python tests/gui/chroot.py run COMMAND  run a command in it
    python tests/gui/chroot.py remove       delete it

Debian's ``sid`` has the Blender that is tested; the mirror is the one of the system's own apt sources.
It lies in ``gui`` in HoloTalk's cache, or in ``$HOLOTALK_GUI_ROOT``, takes about 2 GB, and needs root,
debootstrap and Linux. The system itself is left as it was: everything is mounted in a mount namespace
that ends with its last process, so nothing can stay mounted, and nothing is deleted through a mount.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from holotalk_addon import assets

SUITE = "sid"
PACKAGES = (
    "blender",
    # what Blender's own extension system imports, which Debian's package only suggests
    "python3-numpy",
    "python3-requests",
    "python3-zstandard",
    "python3-cattr",
    # a screen, a driver that draws without a graphics card, real mouse and keyboard events, pictures
    "xvfb",
    "xauth",
    "xdotool",
    "x11-utils",
    "imagemagick",
    "libgl1-mesa-dri",
    "libegl1",
    "libegl-mesa0",
    "libgl1",
    "libglx-mesa0",
    "fonts-dejavu-core",
)
NEEDED_BYTES = 4_000_000_000
"""Free space asked for before the start: what is installed and, for a while, the packages themselves."""

# A mirror's copy may be older than the date written into its index.
APT = ("apt-get", "-o", "Acquire::Check-Valid-Until=false", "-o", "Acquire::Check-Date=false", "-y")
# What is half made after a power cut is made anew: no need to wait for the disk at every file.
FAST = ("-o", "Dpkg::Options::=--force-unsafe-io")
TOLD = {"Get": "fetched", "Unpacking": "unpacked", "Setting": "installed"}
"""First words of apt's lines -> what that means."""
DEBIAN = frozenset(
    ("stable", "testing", "unstable", "sid", "bullseye", "bookworm", "trixie", "forky", "duke")
)
TOOLS = ("debootstrap", "unshare", "setpriv", "mount", "chroot")
# Root's shells do not always have these on the path.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOME = "/home/ada"
"""Where a session's folder is seen from inside."""


class ChrootError(Exception):
    """It cannot be made or used; the message says in one line why, and what to do."""


def say(line: str) -> None:
    """Print a line of progress at once."""
    print(f"gui: {line}", flush=True)


def root_folder() -> Path:
    """The folder of the Debian; it may not exist yet.

    Raises:
        AssetError: the user has no home folder.

    """
    own = os.environ.get("HOLOTALK_GUI_ROOT")
    return Path(own).expanduser().absolute() if own else assets.cache_dir() / "gui"


def why_not() -> str | None:
    """One line on why there can be no chroot on this computer; None where there can."""
    if sys.platform != "linux":
        return "a window is tested in a Debian chroot, and this is not Linux"
    if os.geteuid() != 0:
        return "only root may make and enter a chroot (run it with sudo)"
    for tool in TOOLS:
        if shutil.which(tool, path=SYSTEM_PATH) is None:
            package = "debootstrap" if tool == "debootstrap" else "util-linux"
            return f"there is no {tool} (Debian and Ubuntu: apt-get install {package})"
    tried = subprocess.run(
        [*_namespace(), "mount", "-t", "tmpfs", "none", "/mnt"],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        return f"root may not mount here ({_last_line(tried.stderr)}): a container without that right?"
    return None


def mirrors(sources: Iterable[tuple[str, str]]) -> list[str]:
    """The Debian mirrors that apt's sources name, those of plain releases first, each once.

    Args:
        sources: names of the files (``.sources``: deb822, else one line an entry) and their text.

    Returns:
        Addresses without a slash at the end; http and https alone, which is what debootstrap takes.

    """
    found: list[tuple[bool, str]] = []
    for name, text in sources:
        for address, suite, components in _entries_822(text) if name.endswith(".sources") else _entries(text):
            base, _, pocket = suite.partition("-")
            if base.rstrip("/") not in DEBIAN or "main" not in components:
                continue
            if not address.startswith(("http://", "https://")) or "security" in f"{suite} {address}":
                continue
            found.append((bool(pocket), address.rstrip("/")))
    return list(dict.fromkeys(address for _, address in sorted(found, key=lambda entry: entry[0])))


def system_mirror() -> str:
    """The mirror to take packages from: ``$HOLOTALK_GUI_MIRROR``, else that of the system's apt sources.

    Raises:
        ChrootError: the sources name none.

    """
    own = os.environ.get("HOLOTALK_GUI_MIRROR")
    if own:
        return own.rstrip("/")
    folder = Path("/etc/apt")
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    texts = [(file.name, file.read_text(errors="replace")) for file in files if file.is_file()]
    found = mirrors([(name, text) for name, text in texts if name.endswith((".list", ".sources"))])
    if not found:
        raise ChrootError(
            "apt's sources in /etc/apt name no Debian mirror: set HOLOTALK_GUI_MIRROR to the address of one"
        )
    return found[0]


def _entries(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Address, suite and components of each line such as ``deb [arch=amd64] http://... sid main``."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if match:
            yield match[1], match[2], match[3].split()


def _entries_822(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """The same of paragraphs of ``Field: value`` lines."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for paragraph in re.split(r"\n\s*\n", kept):
        fields: dict[str, list[str]] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1].isspace():
                fields.setdefault(name, []).extend(line.split())
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields.setdefault(name, []).extend(value.split())
        if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
            continue
        for address in fields.get("uris", []):
            for suite in fields.get("suites", []):
                yield address, suite, fields.get("components", [])


@dataclass(frozen=True)
class Chroot:
    """The Debian in ``root``. Beside it lie ``root.lock`` and the log of its making, ``root.log``."""

    root: Path

    @property
    def log(self) -> Path:
        """Everything that debootstrap and apt said."""
        return self.root.with_name(f"{self.root.name}.log")

    @property
    def packages_cache(self) -> Path:
        """Packages that debootstrap fetched, kept until all is done."""
        return self.root.with_name(f"{self.root.name}.packages")

    def is_ready(self) -> bool:
        """Whether all that :data:`PACKAGES` names is installed."""
        return self._done("installed")

    def blender_version(self) -> str:
        """The version of the Blender in it, such as ``5.2.2``."""
        said = self.capture(["blender", "--version"])
        match = re.search(r"Blender (\d+\.\d+\.\d+)", said)
        return match[1] if match else said.strip()

    def python(self) -> str:
        """The Python that Debian's Blender runs on, as wheels name it, such as ``cp314``."""
        return self.capture(["python3", "-c", "import sys; print('cp%d%d' % sys.version_info[:2])"]).strip()

    def set_up(self) -> None:
        """Make it, or go on making it; at once where it is ready.

        Raises:
            ChrootError: no mirror, no network, no room, or a package that cannot be installed.

        """
        if self.is_ready():
            return
        try:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            with self._alone():
                if not self.is_ready():
                    self._set_up()
        except OSError as error:
            raise ChrootError(f"{error.filename or self.root}: {error.strerror}") from error

    def _set_up(self) -> None:
        mirror = system_mirror()
        began = time.monotonic()
        if not self._done("bootstrapped"):
            free = shutil.disk_usage(self.root.parent).free
            if free < NEEDED_BYTES:
                raise ChrootError(
                    f"{self.root.parent} has {free / 1e9:.1f} GB free and {NEEDED_BYTES / 1e9:.0f} are "
                    "needed: make room, or set HOLOTALK_GUI_ROOT to another disk"
                )
            # debootstrap does not go on in a half-made folder; what it fetched is kept in the cache.
            self._delete(self.root)
            self.packages_cache.mkdir(parents=True, exist_ok=True)
            say(f"Debian {SUITE} from {mirror} into {self.root}")
            options = ["--variant=minbase", "--include=ca-certificates", f"--cache-dir={self.packages_cache}"]
            self._step([*_namespace(), "debootstrap", *options, SUITE, str(self.root), mirror])
            self._mark("bootstrapped")
        shutil.copyfile("/etc/resolv.conf", self.root / "etc" / "resolv.conf")
        say(f"{len(PACKAGES)} packages and what they need; {self.log} has the details")
        # An interrupted apt-get takes a moment to be gone, and leaves packages unpacked: those first. Its
        # downloads are kept by itself.
        for lock in ("lock-frontend", "lock"):
            with (self.root / "var" / "lib" / "dpkg" / lock).open("a") as stream:
                fcntl.lockf(stream, fcntl.LOCK_EX)
        self._step(self._enter(["dpkg", "--configure", "-a"]))
        self._step(self._enter([*APT, "update"]))
        self._step(self._enter([*APT, "--fix-broken", "install"]))
        self._step(self._enter([*APT, *FAST, "--no-install-recommends", "install", *PACKAGES]))
        self._step(self._enter(["apt-get", "clean"]))
        (self.root / HOME.lstrip("/")).mkdir(parents=True, exist_ok=True)
        self._mark("installed")
        self._delete(self.packages_cache)
        say(f"Blender {self.blender_version()}, ready after {time.monotonic() - began:.0f} s")

    def command(self, arguments: Sequence[str], home: Path | None = None, offline: bool = True) -> list[str]:
        """A command line that runs a program inside; its end ends all that the program has started.

        Args:
            arguments: the program and its arguments, as seen from inside.
            home: a folder of this system that is :data:`HOME` inside, and keeps what is written there. The
                rest is read only, but for ``/tmp``, which is empty and forgotten.
            offline: without any network.

        """
        return self._enter(arguments, home, read_only=True, offline=offline)

    def capture(self, arguments: Sequence[str]) -> str:
        """What a program inside prints.

        Raises:
            ChrootError: it fails.

        """
        done = subprocess.run(
            self.command(arguments), env=_environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ChrootError(f"`{shlex.join(arguments)}` failed in {self.root}: {_last_line(done.stderr)}")
        return done.stdout

    def remove(self) -> None:
        """Delete it.

        Raises:
            ChrootError: something is mounted in it, or it cannot be deleted.

        """
        with self._alone():
            self._delete(self.root)
            self._delete(self.packages_cache)

    def _enter(
        self,
        arguments: Sequence[str],
        home: Path | None = None,
        read_only: bool = False,
        offline: bool = False,
    ) -> list[str]:
        root = shlex.quote(str(self.root))
        lines = ["set -e", f"mount --bind {root} {root}", f"cd {root}"]
        if read_only:
            lines.append("mount -o remount,bind,ro .")
        lines += ["mount -t proc proc proc", "mount --rbind /dev dev", "mount -t tmpfs tmpfs dev/shm"]
        if read_only:
            lines += [f"mount -t tmpfs tmpfs {folder}" for folder in ("tmp", "run", "root", "var/tmp")]
        if home:
            lines.append(f"mount --bind {shlex.quote(str(home))} .{HOME}")
        # `.` is what lies below the mounts: the folder must be entered anew to see them.
        lines.append(f'cd {root} && exec chroot . /usr/bin/env PATH={SYSTEM_PATH} "$@"')
        return [*_namespace(offline), "sh", "-c", "\n".join(lines), "sh", *arguments]

    def _step(self, command: Sequence[str]) -> None:
        """Run a long command; its output goes to the log, and a line now and then to the user."""
        with self.log.open("a") as log:
            log.write(f"$ {shlex.join(command)}\n")
            log.flush()
            process = subprocess.Popen(
                command,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            try:
                complaint = _follow(process, log)
            finally:
                process.kill()
                process.wait()
        if process.returncode:
            raise ChrootError(
                f"{complaint or 'it gave no reason'} (all of it: {self.log}): is there a network, and room "
                "on the disk? The same command goes on from here"
            )

    def _done(self, step: str) -> bool:
        try:
            return (self.root / f".{step}").read_text() == _pins()
        except OSError:
            return False

    def _mark(self, step: str) -> None:
        (self.root / f".{step}").write_text(_pins())

    def _delete(self, folder: Path) -> None:
        if not folder.exists():
            return
        # No mount of ours is ever seen from here; whatever else is mounted there is not ours to delete.
        mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        below = [place for place in mounted if Path(place).is_relative_to(folder.resolve())]
        if below:
            raise ChrootError(f"{below[0]} is a mounted folder: unmount it, then run this again")
        done = subprocess.run(
            ["rm", "-rf", "--one-file-system", "--", str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ChrootError(f"{folder} could not be deleted: {_last_line(done.stderr)}")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One set-up at a time; the system drops the lock with its process."""
        with self.root.with_name(f"{self.root.name}.lock").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _namespace(offline: bool = False) -> list[str]:
    """The beginning of a command whose mounts and processes are its own, and end with it or with this one."""
    unshare = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    network = ["--net"] if offline else []
    return ["setpriv", "--pdeathsig", "KILL", *unshare, *network, "--mount-proc"]


def _environment() -> Mapping[str, str]:
    """What programs inside know of this computer: the way to the network, and no more."""
    proxies = {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
    return {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **proxies}


def _pins() -> str:
    """It changes exactly when something else is to be installed."""
    return hashlib.sha256(" ".join((SUITE, *PACKAGES)).encode()).hexdigest()


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "it gave no reason"


def _follow(process: subprocess.Popen[str], log) -> str:
    """Copy a command's output to the log, say how far it is; returns its first complaint."""
    assert process.stdout is not None
    total, counts, told, complaint, last = 0, dict.fromkeys(TOLD, 0), time.monotonic(), "", ""
    for line in process.stdout:
        log.write(line)
        log.flush()
        last = line.strip() or last
        if line.startswith(("E:", "dpkg: error")) and not complaint:
            complaint = line.strip().removeprefix("E: ")
        new = re.search(r"(\d+) newly installed", line)
        total = int(new[1]) if new else total
        word = re.split(r"[:\s]", line, maxsplit=1)[0]
        if word in counts:
            counts[word] += 1
            if total and time.monotonic() - told > 10:
                told = time.monotonic()
                say(
                    ", ".join(f"{counts[word]} {done}" for word, done in TOLD.items())
                    + f" of {total} packages"
                )
    process.wait()
    return complaint or last


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="A Debian with a real Blender in it, for the tests with a window"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("set-up", help="make it, or go on making it")
    actions.add_parser("why-not", help="print why it cannot be made here; nothing where it can")
    actions.add_parser("remove", help="delete it")
    run = actions.add_parser("run", help="run a command in it, without a network")
    run.add_argument("command", nargs=argparse.REMAINDER)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit status: 2 with one line on standard error when something is wrong."""
    # So that an end asked for from outside is one that `finally` sees.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _parser().parse_args(arguments)
    try:
        reason = why_not()
        if options.action == "why-not":
            if reason:
                print(reason)
            return 0
        if reason:
            raise ChrootError(reason)
        chroot = Chroot(root_folder())
        if options.action == "remove":
            chroot.remove()
        elif options.action == "run":
            return subprocess.call(chroot.command(options.command), env=_environment())
        else:
            chroot.set_up()
            say(f"{chroot.root} is ready")
    except (ChrootError, assets.AssetError, OSError) as error:
        print(f"gui: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gui: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
