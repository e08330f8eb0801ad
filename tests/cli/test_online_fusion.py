"""Fusing members in one step and fusing the runs of each from files give the same masks."""

import cv2
import jax
import numpy as np
import pytest
from support import toy
from support.clips import textured_clip

from vosjax.checkpoints.weights import save_weights
from vosjax.io.palette import read_label_png, write_label_png

FRAMES, LABELS = textured_clip()
CONFIG = '''"""Two toys."""
from vosjax.config import network


def get_config():
    config = network(mem_every=2)
    config.members = {{name: {{"family": "toynet", "model": {{"slots": 4}},
                              "weights": {root!r} + "/" + name}} for name in "ab"}}
    return config
'''


@pytest.fixture
def data(workdir):
    """A data set of one video, and two sets of weights."""
    for index, (frame, truth) in enumerate(zip(FRAMES, LABELS)):
        folder = workdir.root / "data" / "JPEGImages" / "squares"
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{index:05d}.png"), frame[..., ::-1])
        write_label_png(
            workdir.root / "data" / "Annotations" / "squares" / f"{index:05d}.png", truth
        )
    for name, sharp in (("a", 1), ("b", 0.1)):
        params = toy.fresh(jax.random.PRNGKey(0))
        params["key"] *= sharp
        save_weights(
            workdir.root / name,
            params,
            card={
                "family": "toynet",
                "config": {"model": {"slots": 4}},
                "source": "a test",
                "licence": "none",
            },
        )
    (workdir.root / "two.py").write_text(CONFIG.format(root=str(workdir.root)))
    return workdir.root / "data"


def masks(folder):
    return np.stack([read_label_png(path) for path in sorted(folder.glob("masks/squares/*.png"))])


@pytest.mark.parametrize("way", ["mean", pytest.param("max", marks=pytest.mark.slow), "keypoints"])
def test_fused_in_one_step_or_from_files(workdir, data, way):
    def evaluate(out, *more):
        assert (
            workdir.run(
                "--mode",
                "eval",
                "--config",
                workdir.root / "two.py",
                "--data",
                data,
                "--output",
                workdir.root / out,
                *more,
            )
            == 0
        )
        return workdir.root / out

    online = evaluate("online", f"--config.fuse={way}")
    runs = [
        evaluate(
            f"run_{name}",
            f"--config.only={name}",
            "--config.eval.probabilities=16",
            "--config.eval.scale=1.0",
        )
        for name in "ab"
    ]
    assert (
        workdir.run(
            "--mode",
            "fuse",
            "--config",
            "configs/base.py",
            "--input",
            *runs,
            "--output",
            workdir.out,
            f"--config.fuse={way}",
        )
        == 0
    )
    fused, expected = masks(online), masks(workdir.out)
    assert fused.shape == LABELS.shape and (masks(runs[0]) != masks(runs[1])).any()
    assert (fused != expected).mean() < 1e-3, "16 bits a probability are all that lies between"


@pytest.mark.parametrize("feedback", ["own", "fused"])
def test_segmenting_votes_too(workdir, data, feedback):
    write_label_png(workdir.root / "m.png", LABELS[0])
    assert (
        workdir.run(
            "--config",
            workdir.root / "two.py",
            "--video",
            data / "JPEGImages" / "squares",
            "--masks",
            workdir.root / "m.png",
            "--output",
            workdir.out,
            "--config.fuse=keypoints",
            f"--config.feedback={feedback}",
        )
        == 0
    )
    assert len(list((workdir.out / "masks").glob("*.png"))) == 6


def test_voting_members_cannot_run_apart(workdir, data, capsys):
    assert (
        workdir.run(
            "--mode",
            "eval",
            "--config",
            workdir.root / "two.py",
            "--data",
            data,
            "--output",
            workdir.out,
            "--config.fuse=keypoints",
            "--config.eval.spread=True",
        )
        == 2
    )
    assert "config.fuse is 'keypoints', so the members cannot run apart" in capsys.readouterr().err
