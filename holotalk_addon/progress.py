# SPDX-License-Identifier: GPL-3.0-or-later
"""How long work tells its caller how far it is, and how the caller stops it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

Progress = Callable[[float], None]
"""Called with the fraction done, 0..1. It may raise to cancel the work: every stage lets that
exception through and leaves nothing half-written."""


def silent(_fraction: float) -> None:
    """A :data:`Progress` that tells nobody."""


Say = Callable[[str], None]
"""Told a sentence for the user now and then."""


def say_nothing(_sentence: str) -> None:
    """A :data:`Say` that drops what it hears."""


Tell = Callable[[str, float], None]
"""Told a stage's name and the fraction of it done. It may raise to cancel."""


def tell_nobody(_stage: str, _fraction: float) -> None:
    """A :data:`Tell` that drops what it hears."""


@dataclass
class Stages:
    """Runs named stages: tells how far each is and keeps how long it took."""

    tell: Tell = tell_nobody
    seconds: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """Time what happens inside; yields the stage's own :data:`Progress`."""
        self.tell(name, 0.0)
        start = time.perf_counter()
        yield partial(self.tell, name)
        self.seconds.append((name, time.perf_counter() - start))
        self.tell(name, 1.0)
