"""What users type: impossible cameras, missing devices, odd numbers."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest
from PIL import Image
from support import toy
from support.clips import clip

import vosjax
from vosjax import cli
from vosjax.errors import InputError
from vosjax.io.masks import read_masks
from vosjax.io.video import open_video
from vosjax.loading.pretrained import Loaded
from vosjax.tracking.tracker import Tracker
from vosjax.types import Model

FRAMES, LABELS = clip(frames=2, height=48, width=64, objects=2)
SETTINGS = {"family": "toy", "model": {}, "mem_every": 2, "max_mem_frames": 4, "dtype": "float32"}


@pytest.fixture(scope="module")
def model():
    vos = toy.vos(slots=4)
    return Loaded(Model(vos, toy.fresh, None, None), toy.fresh(jax.random.PRNGKey(0)), {}, SETTINGS)


@pytest.mark.parametrize("camera", [-1, 100, 10**9, 10**18, np.int64(-7)])
def test_a_camera_that_cannot_be(camera, model):
    with pytest.raises(InputError, match="there is no camera"):
        vosjax.segment(camera, LABELS[0], model=model)


@pytest.mark.parametrize("name", ["99999999999999", "9" * 5000, "-1", "²"])
def test_a_video_that_is_a_number(name, capfd):
    words = ["--video", name, "--masks", "x.png", "--output", "out"]
    assert cli.main(["segment", *words]) == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1 and "there is no" in err and "unexpected" not in err


@pytest.mark.parametrize(
    "video", [True, b"x", object(), 2.5, {"a": 1}, None], ids=lambda video: type(video).__name__
)
def test_what_is_no_video(video):
    with pytest.raises(InputError):
        open_video(video)


@pytest.mark.parametrize(
    "value", [2.5, 33.3, 0, -1, 10**18, True, "5", float("nan"), [3]], ids=repr
)
@pytest.mark.parametrize("name", ["mem_every", "max_mem_frames", "max_short_side"])
def test_a_setting_that_is_no_whole_number(name, value, model):
    with pytest.raises(InputError, match=f"^{name} is .*a whole number"):
        vosjax.segment(FRAMES, LABELS[0], model=model, **{name: value})
    with pytest.raises(InputError, match=f"^{name} is "):
        Tracker(model, **{name: value})


def test_whole_numbers_of_numpy_are_taken(model):
    assert Tracker(model, mem_every=np.int64(3), objects=np.int32(2)).mem_every == 3


def test_a_platform_that_jax_does_not_have():
    program = (
        "import sys; from vosjax import cli; import vosjax.modes.bench; "
        "sys.exit(cli.main(['bench', '--config.bench.models=default', '--output=/nowhere']))"
    )
    environment = os.environ | {"JAX_PLATFORMS": "nonsense"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 2, done.stderr
    assert "JAX_PLATFORMS is nonsense" in done.stderr and done.stderr.count("\n") == 1


def test_masks_are_copied_at_once():
    """The caller may use the memory of arrays and images again."""
    labels = LABELS[0].copy()
    image = Image.fromarray(LABELS[0].copy())
    for spec in (labels, {0: labels}, labels[None], labels.astype(np.int64), image):
        masks = read_masks(spec, size=labels.shape)
        before = masks.labels[0].copy()
        kept = labels.copy()
        labels[:] = 3
        image.paste(3, (0, 0, *image.size))
        assert np.array_equal(masks.labels[0], before) and before.any()
        labels[:] = kept
        image.paste(Image.fromarray(kept), (0, 0))


@pytest.mark.parametrize("word", ["~nobody/x", "nothere", "../../nothere", "a\0b", "x\udce9"])
def test_a_place_that_is_not_there(word, capfd):
    for words in (
        ["eval", "--data", word, "--output", "out"],
        ["fuse", "--input", word, word, "--output", "out"],
        ["report", "--input", word, "--output", "out.html"],
        ["absence", "--input", word],
        ["segment", "--video", word, "--masks", "x.png", "--output", "out"],
        ["segment", word],
    ):
        assert cli.main(words) == 2, words
        err = capfd.readouterr().err
        assert err.count("\n") == 1 and "unexpected" not in err, err
