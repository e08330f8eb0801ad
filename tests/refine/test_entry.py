"""`configs/ensemble_2022.py` from a dataset to the server's zip, killed and taken up; minutes.

Members, views, fusion, zoom and boundaries are those of the config, with small networks for large:
the embedded model and one of random weights see every frame at one scale, and mirrored.

    python -m pytest -m slow tests/refine/test_entry.py
"""

import json
import os
import signal
import zipfile

import cv2
import numpy as np
import pytest
from PIL import Image
from support.clips import COLOURS
from support.processes import DIES, Workplace, made, stamps

from vosjax.checkpoints.weights import save_weights
from vosjax.io.palette import write_label_png
from vosjax.loading import pretrained

pytestmark = pytest.mark.slow
MEMBER = dict(family="deaot", model=dict(encoder="mobilenet_v2", layers=1))
SIZE, COUNTS = (96, 128), {"one": 13, "two": 11}  # frames; every second one is the server's

CONFIG = '''"""The entry with small networks, and crops of 96 pixels."""
import os
import signal

from vosjax.config import named
from vosjax.refine.zoom import choose
from vosjax.tracking import crops

{dies}

def get_config():
    if "DIES_AT" in os.environ:
        os.replace = dies
    crops.SHORT_SIDE = 96
    choose.ENTER, choose.LEAVE = 20_000, 30_000
    config = named("ensemble_2022")
    for name in ("stcn", "famnet"):
        del config.members[name]
    config.members.aot = dict(weights="default")
    config.members.random = dict({member!r}, weights={weights!r})
    config.tta.scales = (1.2,)
    config.refine.boundary = {boundary!r}
    return config
'''


def write_dataset(root):
    """Two videos as YouTube-VOS has them: a small square from the start, a large one later."""
    sparse, dense, meta = root / "test", root / "test_all_frames", {}
    for name, count in COUNTS.items():
        truth = np.zeros((count, *SIZE), np.uint8)
        for time in range(count):
            truth[time, 44:88, 70:114] = 2 * (time >= 2)
            truth[time, 12 + time : 28 + time, 10 + 2 * time : 26 + 2 * time] = 1
            image = cv2.GaussianBlur(COLOURS[truth[time]], (3, 3), 0)
            for folder in (dense, sparse)[: 2 - time % 2]:
                path = folder / "JPEGImages" / name / f"{time:05d}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(path, quality=95)
        names = [f"{time:05d}" for time in range(0, count, 2)]
        for id, start in ((1, 0), (2, 2)):
            given = np.where(truth[start] == id, truth[start], 0).astype(np.uint8)
            write_label_png(sparse / "Annotations" / name / f"{start:05d}.png", given)
        meta[name] = {
            "objects": {
                "1": {"category": "dog", "frames": names},
                "2": {"category": "emu", "frames": names[1:]},
            }
        }
    (sparse / "meta.json").write_text(json.dumps({"videos": meta}))
    return sparse


@pytest.fixture(scope="module")
def entry(tmp_path_factory, boundary):
    """Where the commands run; programs are compiled once for all of them."""
    root = tmp_path_factory.mktemp("entry")
    card = {
        "family": MEMBER["family"],
        "config": {"model": MEMBER["model"]},
        "source": "a test",
        "licence": "none",
    }
    save_weights(root / "random", pretrained.fresh(MEMBER).params, card=card)
    (root / "config.py").write_text(
        CONFIG.format(dies=DIES, member=MEMBER, weights=str(root / "random"), boundary=boundary)
    )
    (root / "temporary").mkdir()
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(root / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "TMPDIR": str(root / "temporary"),  # where what waited for a killed zoom is left
    }
    return Workplace(root, root / "config.py", write_dataset(root), environment)


def evaluate(entry, out, **variables):
    """The exit code; a cold start compiles for minutes where the processor is shared."""
    process = entry.start("--data", entry.data, "--output", out, **variables)
    try:
        process.communicate(timeout=1800)
    finally:
        process.kill()
    return process.returncode


def refined(folder, name):
    return json.loads((folder / "videos" / f"{name}.json").read_text())["refined"]


def test_the_whole_entry_killed_at_any_moment_gives_the_same_zip(entry):
    whole, out = entry.root / "whole", entry.root / "out"
    assert evaluate(entry, whole) == 0
    for name in COUNTS:
        counts = refined(whole, name)
        assert counts["zoom_frames"] > 0 and counts["patches"] > 0
    for moment, complete in (
        ("masks/one/00004.png", set()),  # within the first video
        ("videos/two.json", {"one"}),  # between the two
        ("/4.png", {"one", "two"}),  # while the first one is zoomed
        ("masks/one/00004.png", {"two"}),  # while its masks are replaced
        ("submission.zip", {"one", "two"}),
    ):
        assert evaluate(entry, out, DIES_AT=moment) == -signal.SIGKILL
        assert {path.stem for path in stamps(out) if path.parent.name == "videos"} == complete
        assert not (out / "submission.zip").exists()
    assert evaluate(entry, out) == 0
    kinds = ("masks", "scores", "submission.zip")
    assert made(out, *kinds) == made(whole, *kinds)
    assert [refined(out, name) for name in COUNTS] == [refined(whole, name) for name in COUNTS]


def test_the_zip_holds_the_refined_masks_of_the_server_s_frames(entry):
    whole = entry.root / "whole"
    if not whole.exists():
        assert evaluate(entry, whole) == 0
    with zipfile.ZipFile(whole / "submission.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    masks = {
        f"Annotations/{name}/{time:05d}.png": whole / "masks" / name / f"{time:05d}.png"
        for name, count in COUNTS.items()
        for time in range(0, count, 2)
    }
    assert files == {name: path.read_bytes() for name, path in masks.items()}
