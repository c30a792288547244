# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit identity, expression and pose of the morphable model to a face's landmarks.

Perspective projection, x and y of the 468 points only, Gauss-Newton with priors. The depth of the
points is a guess of their network: it gives the first rotation and holds on to it softly, and never
moves a vertex (measured: it ruins the profile). Afterwards a smooth residual in the image plane brings
the surface on to the points that the model could not reach.

Expressions are few and strong rather than many and weak, and the network's points fall behind them. Of smiles
of 0.6 on plainly painted people a ridge left 0.14 and others that cancel one another. Here the first pass
finds 0.25 with an exponential prior alone, 0.45 with the network's measured response; the second keeps 0.32.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import Camera
from .head import PARTS
from .landmark_errors import certainty, drift_of, eye_distance, upright
from .morphable_model import OUTER_EYE_CORNERS, HeadModel

# The priors. Identity is in standard deviations and landmark errors follow the network's measured
# statistics (HeadModel.landmark_noise), so both priors are what they are: 1. Expressions are distributed
# exponentially about their mean in portraits (HeadModel.expression_mean), none more seldom than this one.
_RAREST_MEAN = 0.05
_GAZE_PRIOR = 3.0  # eyes turn freely: nothing but the iris tells where they look
_OPPOSED = -0.6
"""Cosine between what two expressions do in the image plane from which on one undoes the other. The next ones
below are jawOpen and mouthShrugLower (-0.58), above jawOpen and mouthClose (-0.65)."""
ROTATION_SIGMA = np.radians(3.0)
_HOLD_FROM = 20.0  # degrees of turn from which identity is held back
_IRIS_SIGMA = 0.02  # of the distance between the outer eye corners
_ITERATIONS = 6
_SWEEPS, _STILL = 200, 1e-4  # of the bounded expressions

# What the known ways to be wrong leave of the network's errors is much alike at neighbouring points: 468 of
# them tell no more than a sixth as many independent ones would. Measured on 150 rendered people that nothing
# else is measured on: nearer to the truth than the mean head for 89 %, with 1.0 for 81 %; on 160 others 89 %,
# and 91 % once the drift is known. The second pass knows of no drift: the texture follows the points.
FIRST_SIGMA = 2.5

# The second pass: identity and expression held close to the first's, and the points themselves. Held is what
# moves the face, in distance; a little also each component by itself, so that none runs away where it moves
# nothing. Expressions: with 30 half the smile is lost again, with 600 the points of real faces are met by 5 %
# less well than with 200.
_CLOSE_PRIOR = 50.0
_CLOSE_EACH = 0.3
_CLOSE_ROTATION_SIGMA = np.radians(0.5)
_CLOSE_EXPRESSION = 250.0  # per squared strength
_KNOWN = 1e9  # weight of an identity that is known: nothing moves it

_INNER_LIPS = (
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
"""Points of the face mesh around the lips' inner edge: from the person's right corner over the upper lip to
the left one, and back."""

# The residual: how far a landmark's pull reaches on the surface, and how much of it is believed.
_RESIDUAL_REACH_M = 0.014
_RESIDUAL_RIDGE = 2.0
_RESIDUAL_LIMIT_M = 0.006


@dataclass(frozen=True)
class HeadFit:
    """A person's head, and where it was before the camera."""

    identity: NDArray[np.float64]
    """(K,) standard deviations."""
    expression: NDArray[np.float64]
    """(52,) strengths 0..1."""
    rotation: NDArray[np.float64]
    """(3, 3) head axes -> camera axes."""
    translation: NDArray[np.float64]
    """(3,) metres, camera axes: the head's origin."""
    camera: Camera
    vertices: NDArray[np.float32]
    """(V, 3) metres, head axes: the neutral face, residual included."""
    nme_percent: float
    """Mean distance of the 468 points before any residual, % of the distance between the eyes' outer
    corners."""
    residual_nme_percent: float
    """The same with the residual."""
    lips: NDArray[np.float64] | None = None
    """(20, 2) pixels: the inner edge of the lips as the network found it, from the person's right corner over
    the upper lip to the left one, and back; None where it is not known."""

    def to_camera(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 3) head axes -> (N, 3) camera axes, metres."""
        return np.asarray(points, dtype=np.float64) @ self.rotation.T + self.translation

    def posed(self, model: HeadModel) -> NDArray[np.float64]:
        """(V, 3) metres, head axes: vertices with the photo's expression."""
        return np.asarray(self.vertices + np.tensordot(self.expression, model.expression_basis, axes=1))


def fit_head(
    model: HeadModel,
    camera: Camera,
    mesh468: NDArray[np.floating],
    iris_centres: NDArray[np.floating] | None,
    rotation: NDArray[np.floating],
    known: HeadFit | None = None,
) -> HeadFit:
    """Fit the model to one face.

    Args:
        model: the morphable model.
        camera: intrinsics of the picture the points were found in.
        mesh468: (468, 3) pixels; z is not used.
        iris_centres: (2, 2) pixels, first the person's right eye; None where unknown.
        rotation: (3, 3) first estimate, head axes to camera axes (from the points in 3D).
        known: a fit of the same person, from another picture: its identity is held to the last digit, and so
            are its vertices; pose and expression alone are looked for.

    Returns:
        The :class:`HeadFit`.
    """
    points = np.asarray(mesh468, dtype=np.float64)[:, :2]
    solver = _Solver(model, camera, points, iris_centres, rotation, known)
    solver.run()
    return solver.result()


def opposed_expressions(model: HeadModel) -> NDArray[np.intp]:
    """(P, 2) pairs of expressions that undo one another where a photo shows it, in the image plane of a level
    face. The iris tells gaze from lids, so gaze opposes gaze alone.
    """
    flat = model.expression_basis[:, :, :2].reshape(len(model.expression_basis), -1).astype(np.float64)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    gaze = _is_gaze(model)
    opposed = (flat @ flat.T < _OPPOSED) & (gaze[:, None] == gaze[None])
    return np.argwhere(np.triu(opposed))


def _is_gaze(model: HeadModel) -> NDArray[np.bool_]:
    """(52,) whether an expression turns an eye."""
    return np.asarray(np.char.startswith(model.expression_names, "eyeLook"))


@dataclass(frozen=True)
class _Prior:
    """Minus the logarithm of a probability of the U unknowns: a quadratic form about what is expected, and a
    slope besides."""

    form: NDArray[np.float64]
    """(U, U)"""
    expected: NDArray[np.float64]
    """(U,)"""
    slope: NDArray[np.float64]
    """(U,)"""


class _Solver:
    """The Gauss-Newton iterations; its unknowns are [turn (3), shift (3), identity, expression, noise].

    The noise is how much of each of the network's known ways to be wrong there is in these points, beyond the
    drift that goes with the face's turn and the response to its expression.
    """

    def __init__(
        self,
        model: HeadModel,
        camera: Camera,
        points: NDArray[np.float64],
        iris: NDArray[np.floating] | None,
        rotation: NDArray[np.floating],
        known: HeadFit | None,
    ) -> None:
        self.model, self.camera, self.known = model, camera, known
        self.points = points if iris is None else np.concatenate([points, np.asarray(iris, dtype=np.float64)])
        self.first_rotation = np.asarray(rotation, dtype=np.float64)
        self.turn = float(np.degrees(np.arccos(np.clip(self.first_rotation[2, 2], -1.0, 1.0))))
        self.eye_distance = eye_distance(points, self.first_rotation)
        with_iris = iris is not None
        self.mean = self._at_points(model.mean, with_iris)
        self.identity_basis = np.stack([self._at_points(b, with_iris) for b in model.identity_basis])
        self.expression_basis = np.stack([self._at_points(b, with_iris) for b in model.expression_basis])
        self.normals = self._at_points(model.normals(model.mean), with_iris)
        self.sigma = np.full(len(self.points), _IRIS_SIGMA)
        self.sigma[:468] = model.landmark_sigma
        self.sigma *= self.eye_distance
        modes = model.landmark_noise.astype(np.float64) @ upright(self.first_rotation).T
        self.noise_basis = np.zeros((len(modes), len(self.points), 2))
        self.noise_basis[:, :468] = modes * self.eye_distance
        self.drift = np.zeros((len(self.points), 2))
        self.drift[:468] = drift_of(model.landmark_drift, self.first_rotation, self.eye_distance)
        self.response = np.zeros((len(model.expression_basis), len(self.points), 2))
        self.response[:, :468] = model.landmark_response @ upright(self.first_rotation).T * self.eye_distance
        self.opposed = opposed_expressions(model)
        self.noise_columns = self.noise_basis.transpose(1, 2, 0)
        self.noise = np.zeros(len(modes))
        self.identity = np.zeros(len(self.identity_basis)) if known is None else known.identity.copy()
        self.expression = np.zeros(len(self.expression_basis))
        self.expected_rotation, self.rotation_sigma = self.first_rotation, ROTATION_SIGMA
        self.rotation = self.first_rotation.copy()
        self.translation = self._first_translation()

    def _at_points(self, field: NDArray[np.floating], with_iris: bool) -> NDArray[np.float64]:
        """A (V, 3) field read at the landmarks: (468 or 470, 3)."""
        found = self.model.landmarks(field)
        if with_iris:
            found = np.concatenate([found, self.model.poles(field)])
        return found

    def _first_translation(self) -> NDArray[np.float64]:
        """Weak perspective: scale and shift by least squares with the first rotation."""
        turned = self.mean @ self.rotation.T
        xy = np.stack(
            [self.points[:, 0] - self.camera.centre_x, self.camera.centre_y - self.points[:, 1]], axis=1
        )
        model_xy = turned[:, :2] - turned[:, :2].mean(axis=0)
        scale = (model_xy * (xy - xy.mean(axis=0))).sum() / (model_xy**2).sum()
        distance = self.camera.focal / max(scale, 1e-6)
        shift = xy.mean(axis=0) / max(scale, 1e-6) - turned[:, :2].mean(axis=0)
        return np.array([shift[0], shift[1], -distance - turned[:, 2].mean()])

    def _shape(self) -> NDArray[np.float64]:
        return np.asarray(
            self.mean
            + np.tensordot(self.identity, self.identity_basis, axes=1)
            + np.tensordot(self.expression, self.expression_basis, axes=1)
        )

    def run(self) -> None:
        """First what is most probable given how the network errs; then, held close to that, the points."""
        k, m, n = len(self.identity), len(self.expression), len(self.noise)
        hold = 1.0 + (max(0.0, self.turn - _HOLD_FROM) / 20.0) ** 2 if self.known is None else _KNOWN
        gaze = _is_gaze(self.model)
        turned_eyes = np.where(gaze, _GAZE_PRIOR, 0.0)
        rarity = np.where(gaze, 0.0, 1.0 / np.maximum(self.model.expression_mean, _RAREST_MEAN))
        form = np.diag(np.concatenate([np.zeros(6), np.full(k, hold), turned_eyes, np.ones(n)]))
        slope = np.concatenate([np.zeros(6 + k), rarity, np.zeros(n)])
        close_sigma, self.sigma = self.sigma, FIRST_SIGMA * self.sigma
        likely = _Prior(form, self._unknowns(), slope)
        for _ in range(_ITERATIONS):
            self._step(likely)
        self.sigma = close_sigma
        self.expected_rotation, self.rotation_sigma = self.rotation.copy(), _CLOSE_ROTATION_SIGMA
        self.drift[:] = self.response[:] = self.noise[:] = 0.0
        held = np.where(gaze, _GAZE_PRIOR, _CLOSE_EXPRESSION)
        form = np.diag(np.concatenate([np.zeros(6 + k), held, np.full(n, 1e9)]))
        form[6 : 6 + k, 6 : 6 + k] = _CLOSE_PRIOR * hold * self._face_moved()
        close = _Prior(form, self._unknowns(), np.zeros(6 + k + m + n))
        for _ in range(_ITERATIONS):
            self._step(close)

    def _unknowns(self) -> NDArray[np.float64]:
        """(U,) where they are now; turn and shift count from here."""
        return np.concatenate([np.zeros(6), self.identity, self.expression, self.noise])

    def _face_moved(self) -> NDArray[np.float64]:
        """(K, K) quadratic form of how far identity components move the face, of average strength 1."""
        face = self.model.region("face") > 0.5
        basis = self.model.identity_basis[:, face].reshape(len(self.identity), -1).astype(np.float64)
        form = basis @ basis.T
        form *= len(form) / np.trace(form)
        return np.asarray(form + _CLOSE_EACH * np.eye(len(form)))

    def _step(self, prior: _Prior) -> None:
        """One Gauss-Newton step toward the points."""
        k, m, n = len(self.identity), len(self.expression), len(self.noise)
        turned = self._shape() @ self.rotation.T
        at = turned + self.translation
        weight = self._weights(at)
        J = self.camera.jacobian(at)
        by_turn = np.einsum("nij,njk->nik", J, -_cross_matrix(turned))
        by_shape = np.einsum("nij,jk->nik", J, self.rotation)
        by_identity = np.einsum("nij,knj->nik", by_shape, self.identity_basis)
        by_expression = np.einsum("nij,knj->nik", by_shape, self.expression_basis)
        by_expression += self.response.transpose(1, 2, 0)
        A = np.concatenate([by_turn, J, by_identity, by_expression, self.noise_columns], axis=2)
        A = (A * weight[:, None, None]).reshape(-1, 6 + k + m + n)
        predicted = self.camera.project(at) + self.drift
        predicted += np.tensordot(self.expression, self.response, axes=1)
        predicted += np.tensordot(self.noise, self.noise_basis, axes=1)
        error = ((self.points - predicted) * weight[:, None]).ravel()
        H = A.T @ A + prior.form
        g = A.T @ error - prior.form @ (self._unknowns() - prior.expected) - prior.slope
        H[:3, :3] += np.eye(3) / self.rotation_sigma**2
        g[:3] += cv2.Rodrigues(self.expected_rotation @ self.rotation.T)[0].ravel() / self.rotation_sigma**2
        step = self._solve_bounded(H, g, 6 + k)
        self.rotation = cv2.Rodrigues(step[:3])[0] @ self.rotation
        self.translation = self.translation + step[3:6]
        if self.known is None:
            self.identity = self.identity + step[6 : 6 + k]
        self.expression = np.clip(self.expression + step[6 + k : 6 + k + m], 0.0, 1.0)
        self.noise = self.noise + step[6 + k + m :]

    def _weights(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) one over the standard deviation of each point."""
        return np.asarray(certainty(self._facing(at)) / self.sigma)

    def _facing(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) cosine between the surface at the points and the direction to the camera."""
        toward = -at / np.linalg.norm(at, axis=1, keepdims=True)
        return np.asarray(np.einsum("nd,nd->n", self.normals[: len(at)] @ self.rotation.T, toward))

    def _solve_bounded(
        self, H: NDArray[np.float64], g: NDArray[np.float64], offset: int
    ) -> NDArray[np.float64]:
        """Solve H step = g with expressions (from ``offset`` on) kept in 0..1, and of two opposed ones the
        weaker at 0: by coordinate descent on them, all else eliminated.
        """
        m = len(self.expression)
        bound = np.zeros(len(g), dtype=bool)
        bound[offset : offset + m] = True
        across = H[np.ix_(~bound, bound)]
        solved = np.linalg.solve(H[np.ix_(~bound, ~bound)], np.column_stack([across, g[~bound]]))
        Q = H[np.ix_(bound, bound)] - across.T @ solved[:, :-1] + 1e-6 * np.eye(m)
        wanted = g[bound] - across.T @ solved[:, -1] + Q @ self.expression
        strengths, barred = self.expression.copy(), np.zeros(m, dtype=bool)
        while True:
            strengths[barred] = 0.0
            for _ in range(_SWEEPS):
                before = strengths.copy()
                for i in np.flatnonzero(~barred):
                    best = strengths[i] + (wanted[i] - Q[i] @ strengths) / Q[i, i]
                    strengths[i] = min(max(best, 0.0), 1.0)
                if np.abs(strengths - before).max() < _STILL:
                    break
            both = self.opposed[(strengths[self.opposed] > 0.0).all(axis=1)]
            if not len(both):
                break
            barred[np.take_along_axis(both, strengths[both].argmin(axis=1)[:, None], axis=1)] = True
        step = np.zeros_like(g)
        step[bound] = strengths - self.expression
        step[~bound] = solved[:, -1] - solved[:, :-1] @ step[bound]
        return step

    def result(self) -> HeadFit:
        """The finished fit, with the residual on the vertices."""
        at = self._shape() @ self.rotation.T + self.translation
        miss = self.points - self.camera.project(at)
        if self.known is None:
            vertices = self.model.vertices(self.identity)
            moved = vertices + self._residual(miss[:468], at[:468], vertices)
        else:
            moved = self.known.vertices
        after = self.model.landmarks(
            moved + np.tensordot(self.expression, self.model.expression_basis, axes=1)
        )
        miss_after = self.points[:468] - self.camera.project(after @ self.rotation.T + self.translation)
        raw_distance = np.linalg.norm(self.points[OUTER_EYE_CORNERS[0]] - self.points[OUTER_EYE_CORNERS[1]])

        def nme(d: NDArray[np.float64]) -> float:
            return float(100.0 * np.linalg.norm(d[:468], axis=1).mean() / raw_distance)

        return HeadFit(
            self.identity,
            self.expression,
            self.rotation,
            self.translation,
            self.camera,
            np.asarray(moved, dtype=np.float32),
            nme(miss),
            nme(miss_after),
            self.points[list(_INNER_LIPS)],
        )

    def _residual(
        self, miss: NDArray[np.float64], at: NDArray[np.float64], vertices: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """(V, 3) metres, head axes: a smooth field in the image plane that closes the landmarks' misses.

        Gaussian kernels on the mean head's surface with a ridge; depth stays the model's. Only the
        skin moves: eyes, teeth, tongue and lashes follow lids, lips and jaw by the model.
        """
        metres = -at[:, 2:3] / self.camera.focal
        pull = np.concatenate([miss[:, :1] * metres, -miss[:, 1:] * metres], axis=1)
        trust = np.clip(self._facing(at) * 2.0, 0.05, 1.0)
        places = self.model.landmarks(self.model.mean)
        kernel = _gaussian(places, places)
        ridge = np.diag(_RESIDUAL_RIDGE / trust)
        strength = np.linalg.solve(kernel + ridge, pull)
        skin = self.model.vertex_parts == PARTS.index("skin")
        field = np.zeros((len(vertices), 2))
        field[skin] = _gaussian(self.model.mean[skin].astype(np.float64), places) @ strength
        length = np.linalg.norm(field, axis=1, keepdims=True)
        field *= np.minimum(1.0, _RESIDUAL_LIMIT_M / np.maximum(length, 1e-12))
        in_camera = np.concatenate([field, np.zeros((len(field), 1))], axis=1)
        return np.asarray(in_camera @ self.rotation)


def _gaussian(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2.0 * a @ b.T
    return np.asarray(np.exp(-np.maximum(squared, 0.0) / (2.0 * _RESIDUAL_REACH_M**2)))


def _cross_matrix(v: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3, 3) matrices of (v x .)."""
    M = np.zeros((len(v), 3, 3))
    M[:, 0, 1], M[:, 0, 2] = -v[:, 2], v[:, 1]
    M[:, 1, 0], M[:, 1, 2] = v[:, 2], -v[:, 0]
    M[:, 2, 0], M[:, 2, 1] = -v[:, 1], v[:, 0]
    return M
