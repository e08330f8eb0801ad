"""`configs/ensemble.py` for real: AOT, STCN and FAMNet in one compiled step; takes minutes.

python -m pytest -m slow tests/eval/test_three_families.py
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.clips import textured_clip

from vosjax.checkpoints.weights import save_weights
from vosjax.config import named, parsed
from vosjax.loading import ensembles, pretrained
from vosjax.loading.config import FUSIONS
from vosjax.tracking.step import MemoryClock, step
from vosjax.tracking.tracker import Tracker
from vosjax.types import Prompt, Spec

pytestmark = pytest.mark.slow
FRAMES, LABELS = textured_clip(5, size=(64, 96), side=24)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The config with the embedded AOT and random weights for the others; AOT's are trained."""
    root, made = tmp_path_factory.mktemp("weights"), named("ensemble")
    made.mem_every = 2
    for name, member in made.members.items():
        if name == "aot":
            member.update(family="", weights="default")
            continue
        settings = {"family": member.family, "model": member.model.to_dict()}
        save_weights(
            root / name,
            pretrained.fresh(settings).params,
            card={
                "family": member.family,
                "config": {"model": settings["model"]},
                "source": "a test",
                "licence": "none",
            },
        )
        member.weights = str(root / name)
    return parsed(made)


def play(loaded):
    """Probabilities [T, N+1, H, W]; object 2 is given in frame 1."""
    vos = loaded.model.vos
    spec = Spec(*vos.size(*LABELS.shape[1:]), 2, 4)
    go = jax.jit(
        lambda params, state, frame, prompt, clock: step(vos, params, state, frame, prompt, clock)
    )
    state, clock, probs = vos.init(loaded.params, spec), MemoryClock(*np.int32([0, 0, 2])), []
    for index, frame in enumerate(FRAMES):
        given = np.array([index == 0, index == 1])
        marks = LABELS[index] * np.isin(LABELS[index], np.flatnonzero(given) + 1)
        answer = go(
            loaded.params,
            state,
            jnp.asarray(frame, jnp.float32) / 255,
            Prompt(jnp.asarray(marks, jnp.int32), given),
            clock,
        )
        state, clock = answer.state, answer.clock
        probs.append(answer.probs)
    return np.stack(probs)


def test_with_own_feedback_it_is_the_mean_of_runs_apart(config):
    apart = []
    for name in config.members:
        alone = dataclasses.replace(config, only=name)
        loaded = ensembles.composed_network(alone)
        viewed = ensembles.parts(alone).parts[0].vos  # at the frames' size, as in the ensemble
        apart.append(play(loaded._replace(model=loaded.model._replace(vos=viewed))))
    assert np.abs(apart[1] - apart[0]).max() > 0.1
    np.testing.assert_allclose(
        play(ensembles.composed_network(config)), np.mean(apart, 0), atol=1e-4
    )


@pytest.mark.parametrize("fuse", FUSIONS)
@pytest.mark.parametrize("feedback", ["own", "fused"])
def test_every_fusion_and_feedback_is_one_compilation(config, fuse, feedback):
    loaded = ensembles.composed_network(dataclasses.replace(config, fuse=fuse, feedback=feedback))
    tracker, sizes = Tracker(loaded, objects=2, mem_every=2, capacity=4), set()
    for index, frame in enumerate(FRAMES):
        marks = {0: 1, 1: 2}.get(index)
        labels = tracker.step(
            frame, None if marks is None else LABELS[index] * (LABELS[index] == marks)
        ).labels
        sizes.add(tracker.state_bytes)
        if marks is not None:
            assert (labels[LABELS[index] == marks] == marks).all()
    assert tracker.traces == 1 and len(sizes) == 1
