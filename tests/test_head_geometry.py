# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera, z-buffer, membrane and alignment against closed forms and brute force."""

import numpy as np
import pytest
from scipy.spatial import Delaunay

from holotalk_addon.head.camera import Camera
from holotalk_addon.head.membrane import membrane
from holotalk_addon.head.morphable_model import align_similarity
from holotalk_addon.head.raster import barycentric, pixel_centres, rasterize
from holotalk_addon.head.surface import triangulate, vertex_normals

# --- camera ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_unproject_undoes_project(seed):
    rng = np.random.default_rng(seed)
    camera = Camera.of_picture(*rng.integers(1, 8000, 2).tolist(), focal=10 ** rng.uniform(1.7, 3.7))
    distance = 10 ** rng.uniform(-1.3, 1.7, 200)
    points = np.column_stack([rng.uniform(-2, 2, (200, 2)), -distance])
    pixels = camera.project(points)
    assert np.allclose(camera.unproject(pixels, distance), points, atol=1e-9)
    assert np.allclose(camera.unproject(pixels[:1], distance[0]), points[:1], atol=1e-9)


def test_a_point_before_the_camera_lands_where_it_should():
    camera = Camera.of_picture(640, 480, 800.0)
    found = camera.project(np.array([[0.0, 0.0, -2.0], [0.5, 0.0, -2.0], [0.0, 0.25, -1.0]]))
    # x to the right, y up in space and down in the picture.
    assert np.allclose(found, [[320, 240], [320 + 200, 240], [320, 240 - 200]])


def test_the_jacobian_is_the_derivative_of_the_projection():
    rng = np.random.default_rng(1)
    points = np.column_stack([rng.uniform(-0.3, 0.3, (50, 2)), rng.uniform(-3.0, -0.3, 50)])
    camera = Camera(900.0, 310.0, 255.0)
    found = camera.jacobian(points)
    step = 1e-6
    for axis in range(3):
        shift = np.eye(3)[axis] * step
        difference = (camera.project(points + shift) - camera.project(points - shift)) / (2 * step)
        assert np.allclose(found[:, :, axis], difference, rtol=1e-6, atol=1e-4)


# --- rotations ---------------------------------------------------------------------------------------


# --- z-buffer ----------------------------------------------------------------------------------------

WIDTH, HEIGHT = 37, 29


def _inside(corners, x, y):
    """Whether (x, y) lies inside a triangle, and how far from its edges at least (in area units)."""
    (ax, ay), (bx, by), (cx, cy) = corners
    turns = np.array(
        [
            (bx - ax) * (y - ay) - (by - ay) * (x - ax),
            (cx - bx) * (y - by) - (cy - by) * (x - bx),
            (ax - cx) * (y - cy) - (ay - cy) * (x - cx),
        ]
    )
    return (turns > 0).all() or (turns < 0).all(), np.abs(turns).min()


def _brute_force(xy, depth):
    owner = np.full((HEIGHT, WIDTH), -1)
    nearest = np.full((HEIGHT, WIDTH), np.inf)
    sure = np.ones((HEIGHT, WIDTH), dtype=bool)
    for t, corners in enumerate(xy):
        system = np.column_stack([corners, np.ones(3)])
        plane = np.linalg.solve(system, depth[t])
        for row in range(HEIGHT):
            for column in range(WIDTH):
                x, y = column + 0.5, row + 0.5
                inside, margin = _inside(corners, x, y)
                sure[row, column] &= margin > 1e-9
                z = plane @ [x, y, 1.0]
                if inside and z < nearest[row, column]:
                    nearest[row, column], owner[row, column] = z, t
    return owner, nearest, sure


@pytest.mark.parametrize("seed", range(3))
def test_triangles_are_drawn_as_by_brute_force(seed):
    rng = np.random.default_rng(seed)
    # Some reach over the border of the picture, some lie wholly outside.
    xy = rng.uniform([-15, -12], [WIDTH + 15, HEIGHT + 12], (14, 3, 2))
    depth = rng.uniform(1.0, 5.0, (14, 3))
    owner, nearest, sure = _brute_force(xy, depth)
    found = rasterize(xy, depth, WIDTH, HEIGHT)
    assert sure.mean() > 0.99
    assert 0.2 < (owner >= 0).mean() < 1.0
    assert np.array_equal(found.triangle[sure], owner[sure])
    assert np.allclose(found.depth[sure], nearest[sure], rtol=1e-5)
    assert np.array_equal(np.isfinite(found.depth), found.triangle >= 0)


def test_the_nearer_triangle_wins_in_either_order_and_winding():
    big = np.array([[-50.0, -50.0], [150.0, -50.0], [-50.0, 150.0]])
    xy = np.stack([big, big[::-1]])
    near_first = rasterize(xy, np.array([[1.0] * 3, [2.0] * 3]), WIDTH, HEIGHT)
    near_last = rasterize(xy, np.array([[2.0] * 3, [1.0] * 3]), WIDTH, HEIGHT)
    assert (near_first.triangle == 0).all()
    assert (near_last.triangle == 1).all()
    assert (near_first.depth == 1.0).all()
    assert (near_last.depth == 1.0).all()


@pytest.mark.parametrize("grid", [0.5, 0.125, None], ids=["through pixel centres", "eighths", "anywhere"])
@pytest.mark.parametrize("seed", range(4))
def test_neighbours_neither_leave_gaps_nor_share_pixels(grid, seed):
    rng = np.random.default_rng(seed)
    inner = rng.uniform([0, 0], [WIDTH, HEIGHT], (60, 2))
    if grid is not None:
        inner = np.round(inner / grid) * grid
    frame = np.array([[-3.0, -3.0], [WIDTH + 3.0, -3.0], [WIDTH + 3.0, HEIGHT + 3.0], [-3.0, HEIGHT + 3.0]])
    points = np.unique(np.concatenate([inner, frame]), axis=0)
    xy = points[Delaunay(points).simplices]
    count = np.zeros((HEIGHT, WIDTH), dtype=int)
    for triangle in xy:
        count += rasterize(triangle[None], None, WIDTH, HEIGHT).triangle >= 0
    assert (count == 1).all(), f"gaps: {(count == 0).sum()}, shared: {(count > 1).sum()}"


@pytest.mark.parametrize(
    "edge_and_tips",
    [
        [[12.25, 2.75], [1.75, 13.25], [4.5, 13.25], [1.0, 11.25]],
        [[1.25, 14.0], [15.0, 8.5], [2.75, 13.75], [0.25, 8.0]],
    ],
)
def test_neighbours_agree_on_a_pixel_centre_on_their_edge(edge_and_tips):
    a, b, c, d = np.array(edge_and_tips)
    first = rasterize(np.array([[a, b, c]]), None, WIDTH, HEIGHT).triangle >= 0
    second = rasterize(np.array([[b, a, d]]), None, WIDTH, HEIGHT).triangle >= 0
    assert first.any()
    assert second.any()
    assert not (first & second).any()


def test_degenerate_and_infinite_triangles_draw_nothing():
    line = [[3.0, 3.0], [20.0, 14.0], [37.0, 25.0]]
    point = [[5.5, 5.5]] * 3
    broken = [[np.nan, 1.0], [5.0, 5.0], [9.0, 1.0]]
    far = [[np.inf, 1.0], [5.0, 5.0], [9.0, 1.0]]
    found = rasterize(np.array([line, point, broken, far]), np.ones((4, 3)), WIDTH, HEIGHT)
    assert (found.triangle == -1).all()
    assert rasterize(np.zeros((0, 3, 2)), np.zeros((0, 3)), 4, 3).triangle.shape == (3, 4)


def test_many_triangles_are_drawn_in_chunks_as_at_once(monkeypatch):
    rng = np.random.default_rng(5)
    centre = rng.uniform([0, 0], [WIDTH, HEIGHT], (400, 1, 2))
    xy = centre + rng.uniform(-5, 5, (400, 3, 2))
    depth = rng.uniform(1, 2, (400, 3))
    at_once = rasterize(xy, depth, WIDTH, HEIGHT)
    monkeypatch.setattr("holotalk_addon.head.raster._SPANS_AT_A_TIME", 16)
    in_chunks = rasterize(xy, depth, WIDTH, HEIGHT)
    assert np.array_equal(at_once.triangle, in_chunks.triangle)
    assert np.array_equal(at_once.depth, in_chunks.depth)


def test_barycentric_weights_give_the_point_back():
    rng = np.random.default_rng(2)
    xy = rng.uniform(-50, 50, (20, 3, 2))
    triangle = rng.integers(0, 20, 300)
    points = rng.uniform(-80, 80, (300, 2))
    weights = barycentric(xy, triangle, points)
    assert np.allclose(weights.sum(axis=1), 1.0)
    assert np.allclose(np.einsum("nc,ncd->nd", weights, xy[triangle]), points, atol=1e-6)


def test_a_degenerate_triangle_has_all_its_weight_on_the_first_corner():
    xy = np.array([[[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]])
    assert barycentric(xy, np.array([0]), np.array([[7.0, -2.0]])).tolist() == [[1.0, 0.0, 0.0]]


def test_pixel_centres_lists_every_covered_pixel():
    found = rasterize(np.array([[[2.0, 2.0], [9.0, 3.0], [4.0, 11.0]]]), None, WIDTH, HEIGHT)
    pixel, triangle, centre = pixel_centres(found)
    assert len(pixel) == (found.triangle >= 0).sum() > 10
    assert (found.triangle.ravel()[pixel] == triangle).all()
    assert np.array_equal(centre, np.column_stack([pixel % WIDTH, pixel // WIDTH]) + 0.5)


# --- polygons ----------------------------------------------------------------------------------------


def test_quads_become_two_triangles_that_face_the_same_way():
    polygons = np.array([[0, 1, 2, 3], [3, 2, 4, -1]], dtype=np.int32)
    triangles, polygon = triangulate(polygons)
    assert triangles.tolist() == [[0, 1, 2], [0, 2, 3], [3, 2, 4]]
    assert polygon.tolist() == [0, 0, 1]


def test_vertex_normals_of_a_sphere_point_outward():
    rng = np.random.default_rng(3)
    points = rng.standard_normal((400, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    from scipy.spatial import ConvexHull

    triangles = ConvexHull(points).simplices
    corners = points[triangles]
    outward = np.einsum(
        "td,td->t",
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]),
        corners.mean(axis=1),
    )
    triangles = np.where(outward[:, None] > 0, triangles, triangles[:, ::-1])
    normals = vertex_normals(points, triangles)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-6)
    assert (np.einsum("vd,vd->v", normals, points) > 0.95).all()


# --- membrane ----------------------------------------------------------------------------------------


def test_the_membrane_is_what_a_dense_solve_gives():
    rng = np.random.default_rng(4)
    points = rng.uniform(0, 1, (120, 3))
    simplices = Delaunay(points[:, :2]).simplices
    pairs = np.concatenate([simplices[:, [0, 1]], simplices[:, [1, 2]], simplices[:, [2, 0]]])
    edges = np.unique(np.sort(pairs, axis=1), axis=0)
    values = rng.uniform(0, 1, (120, 2))
    confidence = np.where(rng.random(120) < 0.2, rng.uniform(0.1, 5.0, 120), 0.0)
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    weight = length.mean() / np.maximum(length, 0.05 * length.mean())
    A = np.diag(confidence)
    for (i, j), w in zip(edges, weight, strict=True):
        A[i, i] += w
        A[j, j] += w
        A[i, j] -= w
        A[j, i] -= w
    expected = np.linalg.solve(A, confidence[:, None] * values)
    found = membrane(edges, points, values, confidence, tolerance=1e-9)
    assert np.abs(found - expected).max() < 1e-5
    # With the default tolerance it is still good to a grey level.
    assert np.abs(membrane(edges, points, values, confidence) - expected).max() < 1e-3


def test_the_membrane_keeps_a_constant_and_stays_between_the_extremes():
    points = np.column_stack([np.arange(30.0), np.zeros((30, 2))])
    edges = np.column_stack([np.arange(29), np.arange(1, 30)])
    confidence = np.zeros(30)
    confidence[[0, 29]] = 100.0
    values = np.linspace(0, 0, 30)[:, None]
    values[29] = 1.0
    found = membrane(edges, points, values, confidence)[:, 0]
    assert np.allclose(found, np.linspace(found[0], found[-1], 30), atol=1e-3)  # straight: a soap film
    assert found[0] < 0.01
    assert found[-1] > 0.99
    constant = membrane(edges, points, np.full((30, 1), 0.3), confidence)
    assert np.allclose(constant, 0.3, atol=1e-5)


# --- similarity --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("seed", range(6))
def test_alignment_undoes_any_similarity(seed, scale):
    rng = np.random.default_rng(seed)
    source = rng.standard_normal((12, 3))
    R = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    R *= np.sign(np.linalg.det(R))
    target = scale * source @ R.T + rng.standard_normal(3)
    assert np.allclose(align_similarity(source, target), target, atol=1e-8 * max(1.0, scale))
    others = rng.standard_normal((5, 3))
    moved = align_similarity(source, target, others)
    assert np.allclose(
        moved, scale * others @ R.T + target[0] - scale * source[0] @ R.T, atol=1e-6 * max(1, scale)
    )


def test_alignment_never_mirrors():
    rng = np.random.default_rng(6)
    source = rng.standard_normal((40, 3))
    found = align_similarity(source, source * [-1.0, 1.0, 1.0])
    # The best rotation leaves a real distance; a reflection would leave none.
    assert np.linalg.norm(found - source * [-1.0, 1.0, 1.0], axis=1).mean() > 0.3
    tetrahedron = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    moved = align_similarity(source, source * [-1.0, 1.0, 1.0], tetrahedron)
    edges = moved[1:] - moved[0]
    assert np.linalg.det(edges) > 0
