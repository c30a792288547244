# SPDX-License-Identifier: GPL-3.0-or-later
"""The farm of processes, on work that takes no time and no Blender: results, losses, Ctrl-C, its end."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from processes import group_is_there, wait_until

from holotalk_addon.errors import HoloTalkError, OptionError
from holotalk_addon.learning import farm as farming

ROOT = Path(__file__).parents[1]
SECONDS = 120
"""Far more than any of these takes: what hangs is told from what is slow."""

SCRIPT = """
import atexit, os, sys, time
from functools import partial
from pathlib import Path

from holotalk_addon.learning.farm import farm

class Squares:
    '''Numbers times themselves, in a process whose clean end never comes, as that of Blender's module.'''

    def __init__(self, folder, seconds):
        self.folder, self.seconds = folder, seconds
        atexit.register(time.sleep, 3600)
        (folder / f"begun_{os.getpid()}").touch()

    def __call__(self, number):
        time.sleep(self.seconds)
        return number * number

    def close(self):
        (self.folder / f"closed_{os.getpid()}").touch()

if __name__ == "__main__":
    begin = partial(Squares, Path(sys.argv[1]), float(sys.argv[2]))
    try:
        print("ready", flush=True)
        print(sorted(farm(begin, 2)(range(int(sys.argv[3])))), flush=True)
    except KeyboardInterrupt:
        print("stopped", flush=True)
        sys.exit(130)
"""


class Numbers:
    """Work in this process or another: a number's double; ends its process at 7, fails at 13."""

    def __call__(self, number):
        if number == 7:
            os._exit(1)
        if number == 13:
            raise HoloTalkError("thirteen cannot be doubled")
        return 2 * number

    def close(self):
        pass


@pytest.fixture
def squares(tmp_path):
    """Start the script: (seconds that a number takes, how many numbers, what Ctrl-C means at first)."""
    script = tmp_path / "squares.py"
    script.write_text(SCRIPT)
    begun = []

    def start(seconds, numbers, ctrl_c=signal.SIG_DFL):
        process = subprocess.Popen(
            [sys.executable, script, tmp_path, str(seconds), str(numbers)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, ctrl_c),  # noqa: PLW1509 - it takes no lock
        )
        begun.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in begun:
        if process.poll() is None or group_is_there(process):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close(), process.stderr.close()


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_number_comes_back_once(monkeypatch, workers):
    monkeypatch.delitem(sys.modules, "bpy", raising=False)  # another test's, which would forbid workers
    numbers = [n for n in range(12) if n != 7]
    assert sorted(farming.farm(Numbers, workers)(numbers)) == [(n, 2 * n) for n in numbers]


def cannot_begin():
    raise HoloTalkError("nothing is there to begin with")


@pytest.mark.parametrize("workers", [0, 2])
def test_work_that_cannot_begin_says_why(monkeypatch, capfd, workers):
    monkeypatch.delitem(sys.modules, "bpy", raising=False)
    with pytest.raises(HoloTalkError, match="nothing is there to begin with"):
        list(farming.farm(cannot_begin, workers)([1, 2, 3]))
    assert "Traceback" not in capfd.readouterr().err


def test_what_fails_in_a_worker_fails_here(monkeypatch):
    monkeypatch.delitem(sys.modules, "bpy", raising=False)
    with pytest.raises(HoloTalkError, match="thirteen"):
        list(farming.farm(Numbers, 2)([1, 13, 2]))


def test_a_number_that_ends_every_worker_is_told(monkeypatch):
    monkeypatch.delitem(sys.modules, "bpy", raising=False)
    with pytest.raises(HoloTalkError, match=r"ended 3 times, last by one of these: .*7"):
        list(farming.farm(Numbers, 1)([7]))


@pytest.mark.parametrize("workers", [-1, 257])
def test_numbers_of_workers_that_cannot_work(workers):
    with pytest.raises(OptionError, match=f"{workers} workers"):
        farming.farm(Numbers, workers)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_workers_end_though_their_clean_end_never_comes(squares, tmp_path):
    """And what they have begun is closed."""
    process = squares(0.0, 6)
    said, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, errors) == (0, "")
    assert said.strip() == str([(n, n * n) for n in range(6)])
    begun = {path.name.partition("_")[2] for path in tmp_path.glob("begun_*")}
    assert begun == {path.name.partition("_")[2] for path in tmp_path.glob("closed_*")}
    assert 1 <= len(begun) <= 2
    wait_until(lambda: not group_is_there(process), "all processes end")


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("delay", [0.0, 0.05, 0.15, 0.3, "begun"])
def test_ctrl_c_ends_all_processes_in_silence_whenever_it_comes(squares, tmp_path, delay):
    """As workers are started, as they load their modules, and as they work."""
    process = squares(0.5, 1000)
    if delay == "begun":
        wait_until(lambda: len(list(tmp_path.glob("begun_*"))) == 2, "two workers begin")
    else:
        time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes of the command
    said, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, said, errors) == (130, "stopped\n", "")
    wait_until(lambda: not group_is_there(process), "all processes end")


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_command_that_ctrl_c_does_not_reach_keeps_its_workers(squares, tmp_path):
    """A script's background: Ctrl-C is ignored there, by the command and so by its workers."""
    process = squares(0.1, 8, ctrl_c=signal.SIG_IGN)
    wait_until(lambda: len(list(tmp_path.glob("begun_*"))) == 2, "two workers begin")
    os.killpg(process.pid, signal.SIGINT)
    said, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, errors) == (0, "")
    assert said.strip() == str([(n, n * n) for n in range(8)])
    assert len(list(tmp_path.glob("begun_*"))) == 2, "none was lost and begun anew"
