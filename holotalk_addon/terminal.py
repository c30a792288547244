# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command says on standard error: sentences, and bars where that is a terminal."""

from __future__ import annotations

import sys
from typing import Any


def say(sentence: str) -> None:
    """A sentence for the user."""
    print(f"holotalk: {sentence}", file=sys.stderr)


class StageBar:
    """One bar for the stage at work, on standard error, where that is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def __call__(self, stage: str, fraction: float) -> None:
        """Show how much of a stage is done."""
        if not sys.stderr.isatty():
            return
        from tqdm import tqdm

        if stage != self._stage or self._bar is None:
            self.close()
            self._stage = stage
            self._bar = tqdm(
                total=100,
                desc=f"{stage:<24}",
                leave=False,
                bar_format="{desc} {bar} {percentage:3.0f} %  {elapsed}<{remaining}",
            )
        self._bar.update(int(100 * fraction) - self._bar.n)

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class SampleBar:
    """A bar that counts samples, with rate and time left, on standard error, where that is a terminal."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._bar: Any = None

    def __call__(self, fraction: float) -> None:
        """Show how much is done."""
        if not sys.stderr.isatty():
            return
        done = round(fraction * self._samples)
        if self._bar is None:
            from tqdm import tqdm

            # What an earlier run has left counts as done, not toward the rate.
            self._bar = tqdm(total=self._samples, initial=done, unit="sample", smoothing=0.05, leave=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            self._bar.close()
