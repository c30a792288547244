# SPDX-License-Identifier: GPL-3.0-or-later
"""What colours a thing has, learnt from pixels of it: a mixture of Gaussians in CIE Lab."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

FEWEST = 50
"""Pixels from which colours can be learnt."""


def luminance(rgb: NDArray[np.floating]) -> NDArray[np.float64]:
    """(...) relative luminance of (..., 3) RGB, Rec. 709 weights."""
    return np.asarray(rgb @ np.array([0.2126, 0.7152, 0.0722]))


def without_outliers(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples (N, 3) near their median: skin without spectacles, stubble and hard shadows."""
    for _ in range(3):
        middle = np.median(samples, axis=0)
        spread = 1.4826 * np.median(np.abs(samples - middle), axis=0) + 2.0
        near = (np.abs(samples - middle) < 2.5 * spread).all(axis=1)
        if near.sum() < FEWEST:
            break
        samples = samples[near]
    return samples


class Colours:
    """A mixture of Gaussians over colours in CIE Lab (OpenCV's 8-bit units)."""

    def __init__(self, samples: NDArray[np.float32], count: int) -> None:
        """Learn at most ``count`` Gaussians from (N, 3) samples."""
        samples = np.ascontiguousarray(samples[:: max(1, len(samples) // 4000)], dtype=np.float32)
        count = count if len(samples) >= 20 * count else 1
        cv2.setRNGSeed(0)
        rule = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 30, 0.1)
        first = np.zeros((len(samples), 1), dtype=np.int32)
        _, label, _ = cv2.kmeans(samples, count, first, rule, 3, cv2.KMEANS_PP_CENTERS)
        self._gaussians: list[tuple[NDArray[np.float64], NDArray[np.float64], float]] = []
        for k in range(count):
            part = samples[label.ravel() == k].astype(np.float64)
            if len(part) < 8 and self._gaussians:
                continue
            spread = np.cov(part.T) if len(part) > 3 else np.zeros((3, 3))
            covariance = spread + 12.0 * np.eye(3)  # rounding, noise and compression
            constant = 0.5 * np.log(np.linalg.det(covariance)) - np.log(len(part) / len(samples))
            self._gaussians.append((part.mean(axis=0), np.linalg.inv(covariance), float(constant)))

    @property
    def middle(self) -> NDArray[np.float64]:
        """(3,) the first Gaussian's."""
        return self._gaussians[0][0]

    def cost(self, lab: NDArray[np.float32]) -> NDArray[np.float64]:
        """(...) minus the logarithm of the likelihood of (..., 3) colours, but for a constant."""
        return np.min([0.5 * s + constant for s, constant in self._squares(lab)], axis=0)

    def distance(self, lab: NDArray[np.float32]) -> NDArray[np.float64]:
        """(...) standard deviations (Mahalanobis) of (..., 3) colours from the nearest Gaussian."""
        return np.sqrt(np.min([square for square, _ in self._squares(lab)], axis=0))

    def _squares(self, lab: NDArray[np.float32]) -> list[tuple[NDArray[np.float64], float]]:
        return [
            (np.einsum("...d,de,...e->...", lab - mean, inverse, lab - mean, optimize=True), constant)
            for mean, inverse, constant in self._gaussians
        ]
