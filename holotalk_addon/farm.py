# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering training data on workers of Dask's ``distributed``: on this computer, or on a farm.

The same code for both: a scheduler deals people out, workers send arrays back, and what a lost worker had in
work is dealt out anew. On a farm start workers with one thread each, as ``dask worker ADDRESS --nthreads 1``,
in an environment in which ``holotalk`` is installed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dask.config  # type: ignore[import-not-found, import-untyped, unused-ignore]
from distributed import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
    Client,
    LocalCluster,
    WorkerPlugin,
    as_completed,
    get_worker,
)
from distributed.scheduler import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
    KilledWorker,
)

from .errors import HoloTalkError, OptionError

if TYPE_CHECKING:
    from .training_data import Batch, Batches, Order, PhotoSession

PLUGIN = "holotalk"
AHEAD = 3
"""People dealt out for each worker: one in work, the rest so that it never waits."""
PATIENCE_S = 60
"""How long a scheduler, and then a first worker, may take to answer."""


class FarmWorker(WorkerPlugin):  # type: ignore[misc, unused-ignore]
    """What a worker keeps between people: its photo session, begun with the first of them."""

    name = PLUGIN

    def __init__(self) -> None:
        self._session: PhotoSession | None = None

    def setup(self, worker: Any) -> None:
        """Called in the worker's process. Ctrl-C in a terminal reaches all its processes: the one that
        was called stops the others in order."""
        del worker
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def batch(self, order: Order, number: int) -> Batch:
        """The samples of one person."""
        from .training_data import PhotoSession

        if self._session is None or self._session.order != order:
            if self._session is not None:
                self._session.close()
            self._session = PhotoSession(order)
        return self._session.batch(number)


def batch_on_worker(order: Order, number: int) -> Batch:
    """The task: one person, in a worker.

    Raises:
        OptionError: the worker has several threads.
    """
    worker = get_worker()
    if worker.state.nthreads != 1:
        raise OptionError(
            "Blender has one state for all threads of a process: start the workers with --nthreads 1."
        )
    plugin: FarmWorker = worker.plugins[PLUGIN]
    return plugin.batch(order, number)


def render_there(order: Order, people: list[int], workers: int | None, scheduler: str | None) -> Batches:
    """Render people on workers; yields (number, batch) as they are done, in any order.

    Args:
        order: what to render.
        people: their numbers.
        workers: processes of the local cluster, None: one for each processor.
        scheduler: the address of a scheduler; None starts a local cluster.

    Raises:
        OptionError: no scheduler answers there, or it has no workers.
        HoloTalkError: somebody has ended several workers.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet_dask())
        if scheduler is None:
            count = min(workers or os.cpu_count() or 1, len(people))
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                memory_limit=0,
            )
            scheduler = stack.enter_context(cluster).scheduler_address
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
        yield from _dealt(client, order, people)


def _dealt(client: Any, order: Order, people: list[int]) -> Batches:
    """Keep every worker busy and no more: results wait for nobody in the workers' memory."""
    waiting = iter(people)
    numbers: dict[Any, int] = {}
    done = as_completed(loop=client.loop)

    def deal() -> None:
        while len(numbers) < AHEAD * max(1, len(client.nthreads())):
            number = next(waiting, None)
            if number is None:
                return
            future = client.submit(batch_on_worker, order, number, pure=False)
            numbers[future.key] = number
            done.add(future)

    deal()
    while numbers:
        future = next(done)
        number = numbers.pop(future.key)
        try:
            batch = future.result()
        except KilledWorker as error:
            raise HoloTalkError(
                f"Person {number} has ended {error.allowed_failures + 1} workers one after another: "
                "look into the workers' own messages; is there enough memory?"
            ) from error
        future.release()
        yield number, batch
        deal()


@contextlib.contextmanager
def _quiet_dask() -> Iterator[None]:
    """Without Dask's own log on the terminal, in this process and in those it starts: what matters comes as
    an exception."""
    settings = {
        "logging.distributed": "critical",
        "distributed.nanny.environ.PYTHONWARNINGS": "ignore",
    }
    with dask.config.set(settings):
        yield
