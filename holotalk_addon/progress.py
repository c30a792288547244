# SPDX-License-Identifier: GPL-3.0-or-later
"""How long work tells its caller how far it is, and how the caller stops it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float], None]
"""Called with the fraction done, 0..1. It may raise to cancel the work: every stage lets that
exception through and leaves nothing half-written."""


def silent(_fraction: float) -> None:
    """A :data:`Progress` that tells nobody."""


Say = Callable[[str], None]
"""Told a sentence for the user now and then."""


def say_nothing(_sentence: str) -> None:
    """A :data:`Say` that drops what it hears."""
