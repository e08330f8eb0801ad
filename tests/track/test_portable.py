"""A step that was exported: JAX alone runs it, and it gives the labels of `Tracker`."""

import json
import os
import pathlib
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
from vosjax.modes import export_step
from vosjax.tracking.portable import portable_step

FRAMES, LABELS = clip(frames=9, height=48, width=64, objects=3)
SIZE = FRAMES.shape[1:3]


def network(slots=4):
    return toy.model(slots=slots, mem_every=2, max_mem_frames=4)


def stepped(portable, marks):
    """Labels and scores of the clip; `marks` are {frame: objects that are given in it}."""
    step = jax.jit(portable.step.call, donate_argnums=1)
    params, state = portable.init.call(list(portable.weights.values()))
    results = []
    for index, frame in enumerate(FRAMES):
        given = np.isin([1, 2, 3], marks.get(index, ()))
        state, labels, scores = step(params, state, frame, LABELS[index].astype(np.uint8), given)
        results.append((np.asarray(labels), np.asarray(scores)))
    return results


def tracked(model, marks):
    tracker = vosjax.Tracker(model, objects=3, capacity=4)
    for index, frame in enumerate(FRAMES):
        only = np.where(np.isin(LABELS[index], marks.get(index, ())), LABELS[index], 0)
        yield tracker.step(frame, only.astype(np.uint8) if index in marks else None)


@pytest.mark.parametrize(  # with 2 slots, the objects take two groups
    ("marks", "slots"), [({2: (1, 2), 5: (3,)}, 4), ({0: (1,), 6: (1, 2)}, 2)]
)
def test_labels_and_scores_are_those_of_the_tracker(marks, slots):
    model = network(slots)
    portable = portable_step(model, SIZE, objects=3, capacity=4, platforms=("cpu",))
    for (labels, scores), expected in zip(stepped(portable, marks), tracked(model, marks)):
        np.testing.assert_array_equal(labels, expected.labels)
        for id, score in expected.scores.items():
            np.testing.assert_allclose(scores[id - 1, 0], score.mean_probability, rtol=1e-5)
            assert scores[id - 1, 2] == score.area


@pytest.mark.slow
def test_the_embedded_default_as_one_program_for_all_platforms():
    model = vosjax.load(mem_every=2, max_mem_frames=4)
    portable = portable_step(model, SIZE, objects=3, capacity=4)
    assert portable.step.platforms == ("cpu", "cuda", "rocm", "tpu")
    for (labels, _), expected in zip(stepped(portable, {0: (1, 2)}), tracked(model, {0: (1, 2)})):
        np.testing.assert_array_equal(labels, expected.labels)


def test_bfloat16_weights_are_stored_as_float32_without_loss():
    portable = portable_step(vosjax.load(dtype="bfloat16"), SIZE, objects=1, capacity=2)
    params, _ = portable.init.call(list(portable.weights.values()))
    for stored, used in zip(portable.weights.values(), params):
        assert stored.dtype in (np.float32, np.int32)
        np.testing.assert_array_equal(stored, np.asarray(used).astype(stored.dtype))
    assert {str(leaf.dtype) for leaf in params} >= {"bfloat16"}


def test_the_folder_runs_where_the_package_is_not(tmp_path):
    size = [f"--config.export_step.{name}={side}" for name, side in zip(("height", "width"), SIZE)]
    step = tmp_path / "step"
    words = ["export-step", "--output", str(step), *size, "--config.export_step.memory=4"]
    assert cli.main([*words, "--config.mem_every=2"]) == 0
    frames, done = tmp_path / "frames", tmp_path / "done"
    frames.mkdir(), done.mkdir()
    for index, frame in enumerate(FRAMES[:4]):
        Image.fromarray(frame).save(frames / f"{index:05d}.jpg", quality=95)
    Image.fromarray(LABELS[0].astype(np.uint8)).save(tmp_path / "mask.png")
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = [sys.executable, "-I", str(step / "run.py"), str(frames), str(tmp_path / "mask.png")]
    subprocess.run(program, cwd=done, env=clean, check=True)
    model = vosjax.load(mem_every=2)
    expected = vosjax.segment(str(frames), LABELS[0].astype(np.uint8), model=model)
    for index, result in enumerate(expected):
        np.testing.assert_array_equal(
            np.array(Image.open(done / f"{index:05d}.labels.png")), result.labels
        )
    source = (step / "run.py").read_text()
    assert "vosjax" not in source and len(source.split('"""')[2].strip().splitlines()) <= 12


def test_the_layout_names_everything_that_goes_in_and_comes_out(tmp_path):
    portable = portable_step(network(), SIZE, objects=3, capacity=4, platforms=("cpu",))
    export_step.write(portable, tmp_path)
    layout = json.loads((tmp_path / "layout.json").read_text())
    flat = [*layout["params"], *layout["state"], *layout["inputs"]]
    assert [(tuple(one["shape"]), one["dtype"]) for one in flat] == [
        (aval.shape, aval.dtype.name) for aval in portable.step.in_avals
    ]
    assert [one["name"] for one in layout["state"][:3]] == [
        "known objects",
        "time",
        "last remembered",
    ]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    assert cli.main(["export-step", "--output", str(tmp_path), "--overwrite"]) != 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(platforms=("gpu",)), r"platforms is \['gpu'\]; some of cpu, cuda"),
        (dict(platforms=()), r"platforms is \[\]"),
        (dict(objects=256), "objects is 256; 1 to 255 are expected"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    settings = dict(objects=3, capacity=4) | wrong
    with pytest.raises(InputError, match=message):
        portable_step(network(), SIZE, **settings)


def test_voting_on_the_host_is_refused(tmp_path, capsys):
    member = "weights='default'"
    place = pathlib.Path(tmp_path, "voting.py")
    place.write_text(
        "from vosjax.config import network\n"
        "def get_config(arg=None):\n"
        "    config = network()\n"
        "    config.fuse = 'keypoints'\n"
        f"    config.members = {{'a': dict({member}), 'b': dict({member})}}\n"
        "    return config\n"
    )
    assert cli.main(["export-step", str(place), "--output", str(tmp_path / "out")]) != 0
    assert "computed on the host" in capsys.readouterr().err
