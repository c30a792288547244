# SPDX-License-Identifier: GPL-3.0-or-later
"""The .glb in a real browser: three.js loads and draws it in Chromium, and turns eyes and lips by name."""

from __future__ import annotations

import io
import json
import queue
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from holotalk_addon.outputs import ExportOptions
from holotalk_addon.scene.export import export_head
from holotalk_addon.scene.hologram_scene import new_file

THREE = "three@0.180.0"
SIZE, HEIGHT_M = 400, 0.4
SECONDS = 400
PAGE = """<!doctype html><meta charset="utf-8">
<script type="importmap">{"imports": {"three": "./node_modules/three/build/three.module.js",
  "three/addons/": "./node_modules/three/examples/jsm/"}}</script>
<script type="module">
const tell = (name, body) => fetch('/tell/' + name, {method: 'POST', body});
try {
  const THREE = await import('three');
  const {GLTFLoader} = await import('three/addons/loaders/GLTFLoader.js');
  const renderer = new THREE.WebGLRenderer({antialias: true, preserveDrawingBuffer: true});
  renderer.setSize(SIZE, SIZE);
  const scene = new THREE.Scene(), half = HEIGHT_M / 2;
  scene.add(new THREE.AmbientLight(0xffffff, Math.PI));
  const camera = new THREE.OrthographicCamera(-half, half, half, -half, 0.1, 2);
  camera.position.z = 1;
  const {scene: head} = await new GLTFLoader().loadAsync('head.glb');
  scene.add(head);
  const meshes = {}, bones = {};
  head.traverse(node => {
    if (node.isBone) bones[node.name] = node;
    if (node.isMesh) (meshes[node.parent.type === 'Group' ? node.parent.name : node.name] ??= []).push(node);
  });
  const draw = async name => {
    renderer.render(scene, camera);
    await tell(name, await new Promise(done => renderer.domElement.toBlob(done)));
  };
  const set = (name, strength) => Object.values(meshes).flat().forEach(mesh => {
    const number = mesh.morphTargetDictionary?.[name];
    if (number !== undefined) mesh.morphTargetInfluences[number] = strength;
  });
  await draw('photo');
  bones.LeftEye.rotation.y += 0.5;
  await draw('left eye');
  bones.LeftEye.rotation.y -= 0.5;
  set('viseme_aa', 1);
  await draw('viseme_aa');
  set('viseme_aa', 0);
  bones.Head.rotation.y = Math.PI / 2;
  await draw('turned');
  const shapes = Object.fromEntries(Object.entries(meshes).map(([name, [mesh]]) =>
    [name, {names: mesh.morphTargetDictionary, strengths: mesh.morphTargetInfluences}]));
  await tell('done', JSON.stringify({bones: Object.keys(bones), shapes}));
} catch (error) {
  await tell('error', String(error.stack ?? error));
}
</script>"""


class _Pages(SimpleHTTPRequestHandler):
    """The folder's files; what a page posts goes into the queue."""

    def __init__(self, *arguments, told, **named):
        self.told = told
        super().__init__(*arguments, **named)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.told.put((self.path.removeprefix("/tell/").replace("%20", " "), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def browser(npm, tmp_path_factory):
    """``browser(GLB)`` opens a .glb with three.js in Chromium and gives, by name, the pictures and words that
    come back."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    folder = npm(THREE)

    def show(glb):
        shutil.copy(glb, folder / "head.glb")
        page = PAGE.replace("SIZE", str(SIZE)).replace("HEIGHT_M", str(HEIGHT_M))
        (folder / "index.html").write_text(page, encoding="utf-8")
        told = queue.Queue()
        with ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(_Pages, told=told, directory=str(folder))
        ) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            command = [chromium, "--headless=new", "--no-sandbox", "--use-angle=swiftshader"]
            command += ["--enable-unsafe-swiftshader", "--disable-dev-shm-usage", "--no-first-run"]
            command += [f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]
            command.append(f"http://127.0.0.1:{server.server_port}/index.html")
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                results = {}
                try:
                    while not {"done", "error"} & set(results):
                        name, body = told.get(timeout=SECONDS)
                        results[name] = body
                except queue.Empty:
                    pytest.fail(f"Chromium said nothing more for {SECONDS} s; before: {', '.join(results)}")
                finally:
                    process.terminate()
                    server.shutdown()
        assert "error" not in results, results["error"].decode()
        return results

    return show


def _pixels(content):
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB")).astype(float)


@pytest.mark.slow
def test_three_js_draws_the_head_and_moves_it_by_name(browser, demo_person, tmp_path):
    new_file()
    head = demo_person.head
    export_head(head, tmp_path / "head.glb", ExportOptions(shape_names="rpm", eye_bones=True))
    results = browser(tmp_path / "head.glb")
    found = json.loads(results["done"])
    assert sorted(found["bones"]) == ["Head", "LeftEye", "RightEye"]
    body = found["shapes"]["HoloTalk_Head"]
    names = body["names"]
    assert len(names) == 72
    assert names["viseme_PP"] == list(names).index("viseme_PP")
    strengths = [body["strengths"][names[name]] for name in head.expression_names]
    np.testing.assert_allclose(strengths, head.expression, atol=1e-5)

    # The picture is the head: its outline, and the texture's colours on the cheek.
    shown = _pixels(results["photo"])
    place = SIZE / HEIGHT_M

    def at(point):
        return SIZE / 2 - place * point[1], SIZE / 2 + place * point[0]

    drawn = shown.max(axis=2) > 0
    every = np.concatenate([head.posed_vertices(), head.hair.vertices])
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    (top, left), (bottom, right) = (
        at((every[:, 0].min(), every[:, 1].max())),
        at((every[:, 0].max(), every[:, 1].min())),
    )
    np.testing.assert_allclose(
        [rows[0], rows[-1], columns[0], columns[-1]], [top, bottom, left, right], atol=4
    )

    def change(name):
        return np.abs(_pixels(results[name]) - shown).max(axis=2)

    def box(point, radius):
        y, x = (round(value) for value in at(point))
        r = int(radius * place)
        return slice(y - r, y + r), slice(x - r, x + r)

    # A bone turns the left eye, and nothing else.
    balls = head.vertices[np.unique(head.polygons[head.polygon_parts == 1].clip(0))]
    left_eye = balls[balls[:, 0] > 0].mean(axis=0)
    moved = change("left eye")
    around = box(left_eye, 0.02)
    assert (moved[around] > 20).sum() > 10
    moved[around] = 0
    assert moved.max() < 3
    # A viseme opens the mouth, and leaves the upper half of the face alone.
    moved = change("viseme_aa")
    assert (moved[box((0.0, -0.07, 0.0), 0.03)] > 20).sum() > 100
    assert moved[: int(at((0, 0.02))[0])].max() < 3
    # All of it turns with the head: face, eyes and hair.
    side = _pixels(results["turned"]).max(axis=2) > 0
    columns = np.flatnonzero(side.any(axis=0))
    _, first = at((every[:, 2].min(), 0))
    _, last = at((every[:, 2].max(), 0))
    np.testing.assert_allclose([columns[0], columns[-1]], [first, last], atol=5)
