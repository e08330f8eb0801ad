"""Compiled programs are kept for later processes, in every mode: `pytest -m slow` runs this."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import pytest
from support.cached_modes import commands
from support.command import FRAMES, LABELS, workdir, write_frames  # noqa: F401

from vosjax.checkpoints.weights import save_weights
from vosjax.io.palette import write_label_png
from vosjax.refine.boundary import network

TESTS = pathlib.Path(__file__).parents[1]
BOUNDARY = dict(patch=32, widths=(4, 4, 4, 4), bottlenecks=1, modules=(1, 1, 1), blocks=1, stem=4)


@pytest.fixture
def folder(workdir):  # noqa: F811
    """Everything that the modes are given."""
    root = workdir.root
    write_frames(root / "davis" / "JPEGImages" / "cow", FRAMES[:3])
    for index in range(3):
        mask = root / "davis" / "Annotations" / "cow" / f"{index:05d}.png"
        write_label_png(mask, LABELS[index])
    write_frames(root / "few", FRAMES[:2])
    save_weights(
        root / "boundary",
        network.build(**BOUNDARY).init_params(jax.random.PRNGKey(0)),
        card={
            "family": network.FAMILY,
            "config": {"model": BOUNDARY},
            "source": "a test",
            "licence": "none",
        },
    )
    return root


@pytest.mark.slow
def test_a_second_process_compiles_nothing_in_any_mode(folder):
    counts = []
    others = {name: v for name, v in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    for number in (1, 2):
        done = subprocess.run(
            [sys.executable, "-m", "support.cached_modes", folder, folder / f"output{number}"],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            cwd=TESTS.parent,
            env=others
            | {
                "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}",
                "JAX_PLATFORMS": "cpu",
                "VOSJAX_CACHE": str(folder / "cache"),
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            },
        )
        assert done.returncode == 0, done.stdout
        counts.append(json.loads(done.stdout.splitlines()[-1]))
    first, second = counts
    assert set(commands(folder, folder)) < set(first)
    for name, (stored, found) in first.items():
        assert stored + found > 0, f"{name} does not keep what it compiles"
    assert {name: stored for name, (stored, _) in second.items() if stored} == {}
    assert all(found > 0 for _, found in second.values())
