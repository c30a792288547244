# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of completions: every way to complete what a photo did not show, once.

Reading it loads nothing.
The command line, the panel, the add-on's builder, the measures and the tests offer what stands here. To add
one, write a function that makes it and add an entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import OptionError

if TYPE_CHECKING:
    from pathlib import Path

    from ..head.completion import Completion

AUTO = "auto"
"""What may be asked for instead of a name: the best of this version."""


@dataclass(frozen=True)
class CompletionKind:
    """A way to complete heads."""

    name: str
    """What it is asked for by."""
    label: str
    """Its name in the panel."""
    does: str
    """What the unseen is filled with, as the panel and the command line tell it; no period at the end."""
    make: Callable[[Path | None], Completion]
    """Loads it with its weights."""
    network: str | None = None
    """Its trained network's key in :data:`..networks.NETWORKS`; None: it has none."""
    pictures: tuple[str, ...] = ()
    """What the pictures show that it draws itself, in the order of
    :attr:`~..head.completion.HeadTexture.pictures`."""
    offered: bool = True
    """Whether the add-on offers it, and carries its weights; the command line offers all."""


def _mirror(_weights: Path | None) -> Completion:
    from ..head.fill import mirror_and_fill

    return mirror_and_fill


def _cae(weights: Path | None) -> Completion:
    from .learned import CompletionNetwork, learned_completion

    if weights is None:
        raise ValueError("The completion cae needs its weights.")
    return learned_completion(CompletionNetwork(weights))


def _holotalk(weights: Path | None) -> Completion:
    from .holotalk import HolotalkNetwork, holotalk_completion

    if weights is None:
        raise ValueError("The completion holotalk needs its weights.")
    return holotalk_completion(HolotalkNetwork(weights))


KINDS = (
    CompletionKind(
        "cae",
        "Network",
        "what a network expects that has seen many heads from all sides, over mirroring and filling",
        _cae,
        network="cae",
        pictures=("left", "right", "back", "sides"),
    ),
    CompletionKind(
        "mirror",
        "Mirror and fill",
        "the other side of the face, and skin and hair from the photo",
        _mirror,
    ),
    CompletionKind(
        "holotalk",
        "HOLOTALK's autoencoder",
        "what HOLOTALK's autoencoder paints on the sides, to compare with",
        _holotalk,
        network="holotalk",
        pictures=("left", "front", "right"),
        offered=False,
    ),
)
"""All there are; the first one is what :data:`AUTO` means."""


def completion_names() -> tuple[str, ...]:
    """What may be asked for."""
    return (AUTO, *(kind.name for kind in KINDS))


def completion_kind(name: str) -> CompletionKind:
    """The entry of this name. Nothing is loaded.

    Raises:
        OptionError: there is none.
    """
    if name == AUTO:
        return KINDS[0]
    for kind in KINDS:
        if name == kind.name:
            return kind
    *others, last = completion_names()
    raise OptionError(f"There is no completion '{name}': choose {', '.join(others)} or {last}.")
