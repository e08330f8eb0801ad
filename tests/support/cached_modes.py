"""A process in which every mode compiles: `python -m support.cached_modes FOLDER OUTPUT`.

The last line that it prints is JSON, {mode: [compiled programs stored, programs found]}. Before
each mode JAX is as new: without programs, and without a folder for them.
"""

import json
import os
import pathlib
import shutil
import sys

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

import vosjax
from support import small
from support.command import FAMILIES, FRAMES, LABELS
from vosjax import cli, models
from vosjax.modes import Options, train
from vosjax.server.device import Device
from vosjax.tracking.frame import frame_program
from vosjax.tracking.tracker import Tracker

HIT = "/jax/compilation_cache/cache_hits"


def commands(root, output):
    """{mode: the command's words}."""
    toy = ("--config", root / "config.py")
    video = ("--video", root / "frames", "--masks", root / "first.png")
    return {
        "segment": [*toy, *video, "--output", output / "segment"],
        "eval": [
            *toy, "--mode", "eval", "--data", root / "davis", "--output", output / "eval",
            "--config.eval.probabilities=8",
        ],
        "fuse": [
            *toy, "--mode", "fuse", "--input", output / "eval", output / "twin",
            "--output", output / "fused",
        ],
        "refine": [
            "--config", "base", "--mode", "refine", "--input", output / "segment",
            "--output", output / "refined",
            f"--config.refine.boundary={root / 'boundary'}",
        ],
        "export-step": [
            *toy, "--mode", "export-step", "--output", output / "step",
            "--config.export_step.height=48", "--config.export_step.width=64",
            "--config.export_step.objects=2", "--config.export_step.memory=2",
        ],
    }  # fmt: skip


def launched(words):
    assert cli.launch(["launch.py", *map(str, words)]) == 0, words


def segmented(root):
    for _ in vosjax.segment(root / "frames", root / "first.png", model=root / "weights"):
        pass


def tracked(root):
    Tracker(vosjax.load(root / "weights")).step(FRAMES[0], LABELS[0])


def session(root):
    """What a session of `serve`, and the studio, does with a frame."""
    tracker, device = Tracker(vosjax.load(root / "weights")), Device(batch=1)
    device.step(tracker, FRAMES[0], LABELS[0]).result(600)
    device.step(tracker, FRAMES[1], None).result(600)
    device.close()


def boxed(root):
    for _ in vosjax.track_box(root / "few", (20, 10, 16, 16), weights=None):
        pass


def trained(output):
    with pytest.MonkeyPatch.context() as patch:
        small.install(patch)
        train.run(small.config(steps=2), Options(output=str(output / "train")))


def main(root, output):
    models.__path__.append(str(FAMILIES))
    hits = []
    jax.monitoring.register_event_listener(
        lambda event, **more: hits.append(event) if event == HIT else None
    )
    cache = pathlib.Path(os.environ["VOSJAX_CACHE"])
    work = {
        name: lambda words=words: launched(words) for name, words in commands(root, output).items()
    }
    fuse = work["fuse"]
    work |= {
        "fuse": lambda: (shutil.copytree(output / "eval", output / "twin"), fuse()),
        "train": lambda: trained(output),
        "vosjax.segment": lambda: segmented(root),
        "Tracker": lambda: tracked(root),
        "session": lambda: session(root),
        "mark": lambda: vosjax.mark(np.asarray(FRAMES[0]), box=(20, 10, 16, 16)),
        "track_box": lambda: boxed(root),
    }
    counts = {}
    for name, run in work.items():
        jax.clear_caches()
        frame_program.cache_clear()
        jax.config.update("jax_compilation_cache_dir", None)
        compilation_cache.reset_cache()
        before, found = stored(cache), len(hits)
        run()
        counts[name] = [len(stored(cache) - before), len(hits) - found]
        print(name, counts[name], flush=True)
    print(json.dumps(counts))


def stored(cache):
    return {path.name for path in cache.glob("*-cache")}


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
