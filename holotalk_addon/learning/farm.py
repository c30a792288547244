# SPDX-License-Identifier: GPL-3.0-or-later
"""The same work on many things, by several processes: of this computer, or of a Dask scheduler's farm.

A farm knows nothing of the work: it is given a function that begins it, once in each process, and what that
returns is called for one thing after the other. What a lost worker had in work is dealt out anew.

On this computer processes are talked to through pipes that nobody else can reach. A scheduler of Dask's
``distributed`` listens on a port, and whoever reaches that port can run code on its workers: start it and its
workers with TLS, give a ``tls://`` address, and put certificates into Dask's configuration
(``distributed.comm.tls``). On a farm start workers with one thread each, as ``dask worker ADDRESS --nthreads
1``, in an environment in which ``holotalk`` is installed.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

from ..errors import HoloTalkError, MissingPartError, OptionError
from ..progress import Say, say_nothing

Made_co = TypeVar("Made_co", covariant=True)


class Work(Protocol[Made_co]):
    """Work that has begun; used from one thread."""

    def __call__(self, number: int, /) -> Made_co:
        """Make the thing with this number."""

    def close(self) -> None:
        """End it."""


Begin = Callable[[], Work[Any]]
"""Begins the work in a process; it must be picklable."""
Results = Generator[tuple[int, Any], None, None]
"""(number, what was made of it), in any order."""

MOST_WORKERS = 256
MOST_ON_WINDOWS = 61
"""Processes that Windows can wait for at once, less two that the pool needs."""
AHEAD = 3
"""Things dealt out for each worker: one in work, the rest so that it never waits."""
PATIENCE_S = 60
"""How long a scheduler, and then a first worker, may take to answer."""
LOSSES = 3
"""How often workers may be lost with nothing made between: one thing may end them all, one after another."""


def farm(
    begin: Begin, workers: int | None = None, scheduler: str | None = None, say: Say = say_nothing
) -> Callable[[Sequence[int]], Results]:
    """Where the work is to be done.

    Args:
        begin: begins the work.
        workers: processes of this computer, None: one for each processor; 0: this process alone.
        scheduler: the address of a Dask scheduler whose workers shall do it instead.
        say: told why there are no workers where some were asked for.

    Raises:
        OptionError: a number of workers that cannot work.
        MissingPartError: a scheduler is asked for where Dask is not installed.
    """
    if workers is not None and not 0 <= workers <= MOST_WORKERS:
        raise OptionError(f"{workers} workers cannot work: choose 0 to {MOST_WORKERS}.")
    if scheduler is not None:
        if find_spec("distributed") is None:
            raise MissingPartError(
                "A scheduler needs Dask's distributed, which is not installed: pip install 'holotalk[data]'."
            )
        address = scheduler
        return lambda numbers: _on_scheduler(begin, numbers, address, say)
    if workers != 0 and "bpy" in sys.modules:
        # Blender's Python is no interpreter that a worker could be started with; and a process that has
        # loaded the module hands Blender's own folders down, where another `bpy` lies, which is but a part.
        say("Rendering in one process: no workers can be started where Blender is loaded.")
        workers = 0
    if workers == 0:
        return lambda numbers: _here(begin, numbers)
    count = min(workers or _processors(), MOST_ON_WINDOWS if sys.platform == "win32" else MOST_WORKERS)
    return lambda numbers: _on_processes(begin, numbers, count)


def _processors() -> int:
    """How many of this computer's processors this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


def _here(begin: Begin, numbers: Sequence[int]) -> Results:
    with contextlib.closing(begin()) as work:
        for number in numbers:
            yield number, work(number)


# ---------------------------------------------------------------- processes of this computer

_begin: Begin | None = None
_work: Work[Any] | None = None
"""Both of a worker's process, which a pool leaves no other place for."""


def _begin_worker(begin: Begin) -> None:
    """Called in a worker's process. Ctrl-C in a terminal reaches all processes of it, and ends this one at
    once and in silence: the one that was called tells the user.

    Unless Ctrl-C means nothing to the one that was called, as where a script has sent it to the background:
    its worker, too, goes on then.
    """
    global _begin  # noqa: PLW0603
    _begin = begin
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # see _ctrl_c_waits


def _end_worker() -> None:
    """Called as a worker's process ends, which it then does at once: the clean end of Blender 4.5's module
    waits for a thread of its own, often forever, and whoever has called the worker would wait with it.
    """
    try:
        if _work is not None:
            _work.close()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


@contextlib.contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Ctrl-C is answered after what happens here, and a process that is started here answers it once it asks
    for it: until then it would answer with a traceback for the user. On Windows it does."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_worker(number: int) -> Any:
    global _work  # noqa: PLW0603
    if _work is None:
        if _begin is None:
            raise RuntimeError("The worker has not been told what to do.")
        # With the first thing, not as the process starts: so what it raises reaches whoever waits for it.
        _work = _begin()
        atexit.register(_end_worker)  # after those of what has begun: it is called before them
    return _work(number)


def _on_processes(begin: Begin, numbers: Sequence[int], workers: int) -> Results:
    left = list(numbers)
    losses = 0
    while losses < LOSSES:
        try:
            # Closed here, not when it is thrown away: an exception in there, Ctrl-C's, would be lost then.
            with contextlib.closing(_pool(begin, list(left), workers)) as results:
                for number, made in results:
                    left.remove(number)
                    losses = 0
                    yield number, made
            return
        except BrokenProcessPool:
            losses += 1
    raise HoloTalkError(
        f"Workers were ended {LOSSES} times, last by one of these: {', '.join(map(str, left[:workers]))}. "
        "Is there enough memory? Try fewer workers (--workers)."
    )


def _pool(begin: Begin, numbers: list[int], workers: int) -> Results:
    """Keep every worker busy and no more: results wait for nobody in memory."""
    executor = ProcessPoolExecutor(
        min(workers, len(numbers)), get_context("spawn"), initializer=_begin_worker, initargs=(begin,)
    )
    waiting = iter(numbers)
    going: dict[Future[Any], int] = {}
    try:
        while True:
            while len(going) < AHEAD * workers and (number := next(waiting, None)) is not None:
                with _ctrl_c_waits():  # a worker may be started here
                    future = executor.submit(_in_worker, number)
                going[future] = number
            if not going:
                return
            for future in wait(going, return_when=FIRST_COMPLETED).done:
                yield going.pop(future), future.result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


# ---------------------------------------------------------------- a scheduler's workers

PLUGIN = "holotalk"


def _on_scheduler(begin: Begin, numbers: Sequence[int], scheduler: str, say: Say) -> Results:
    from distributed import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
        Client,
        WorkerPlugin,
    )

    class FarmWorker(WorkerPlugin):  # type: ignore[misc, unused-ignore]
        """What a worker keeps from thing to thing."""

        name = PLUGIN

        def setup(self, worker: Any) -> None:
            """Called in the worker's process."""
            worker.holotalk_work = None

        def teardown(self, worker: Any) -> None:
            """Called as the worker ends, or the next one's work begins."""
            if worker.holotalk_work is not None:
                worker.holotalk_work.close()

    if not scheduler.startswith("tls://"):
        say(f"{scheduler} is not encrypted: whoever reaches it can run code there. See tls:// in the README.")
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet_dask())
        try:
            client = stack.enter_context(Client(scheduler, timeout=PATIENCE_S, set_as_default=False))
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            raise OptionError(
                f"No Dask scheduler answers at {scheduler}: start one with 'dask scheduler', "
                "or leave --scheduler out."
            ) from error
        try:
            client.wait_for_workers(1, timeout=PATIENCE_S)
        except TimeoutError as error:
            raise OptionError(
                f"The scheduler at {scheduler} has no workers: start some with "
                f"'dask worker {scheduler} --nthreads 1'."
            ) from error
        client.register_plugin(FarmWorker())
        yield from _dealt(client, begin, numbers)


def _on_dask_worker(begin: Begin, number: int) -> Any:
    """The task: one thing, in a worker.

    Raises:
        OptionError: the worker has several threads.
    """
    from distributed import get_worker

    worker = get_worker()
    if worker.state.nthreads != 1:
        raise OptionError(
            "Blender has one state for all threads of a process: start the workers with --nthreads 1."
        )
    if worker.holotalk_work is None:
        worker.holotalk_work = begin()
    return worker.holotalk_work(number)


def _dealt(client: Any, begin: Begin, numbers: Sequence[int]) -> Results:
    """Keep every worker busy and no more: results wait for nobody in the workers' memory."""
    from distributed import as_completed
    from distributed.scheduler import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
        KilledWorker,
    )

    waiting = iter(numbers)
    going: dict[Any, int] = {}
    done = as_completed(loop=client.loop)

    def deal() -> None:
        while len(going) < AHEAD * max(1, len(client.nthreads())):
            number = next(waiting, None)
            if number is None:
                return
            future = client.submit(_on_dask_worker, begin, number, pure=False)
            going[future.key] = number
            done.add(future)

    deal()
    while going:
        future = next(done)
        number = going.pop(future.key)
        try:
            made = future.result()
        except KilledWorker as error:
            raise HoloTalkError(
                f"Number {number} has ended {error.allowed_failures + 1} workers one after another: "
                "look into the workers' own messages; is there enough memory?"
            ) from error
        future.release()
        yield number, made
        deal()


@contextlib.contextmanager
def _quiet_dask() -> Iterator[None]:
    """Without Dask's own log on the terminal: what matters comes as an exception."""
    import dask.config  # type: ignore[import-not-found, import-untyped, unused-ignore]

    with dask.config.set({"logging.distributed": "critical"}):
        yield
