"""The example calls in the docstrings of the Python API: they run, with a toy for a network.

What an example takes from its surroundings (a frame, a network, a state) is made by `values_of`;
what it says behind a `#` in its last line is checked where that is a plain value.
"""

import ast
import contextlib
import functools
import importlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import toy
from support.api import listed_examples
from support.clips import clip
from support.documents import stand_ins

import vosjax
from vosjax import memory
from vosjax.compose.combinators import confidence_weighted, ensemble
from vosjax.data.config import ClipsConfig
from vosjax.data.types import ClipSpec
from vosjax.datasets import catalog
from vosjax.datasets.folders import Folder
from vosjax.eval import scoring
from vosjax.interactive.marker import Marker
from vosjax.io.scores import ObjectScore
from vosjax.io.video import open_video
from vosjax.loading import pretrained
from vosjax.tracking.step import MemoryClock
from vosjax.types import FrameStage, Prompt, Spec

LONG = "compiles or renders at full size"
NOT_RUN = {  # only compiled
    "vosjax.checkpoints.pth.read_pth": "needs a published checkpoint",
    "vosjax.checkpoints.weights.load_weights": "needs a converted checkpoint",
    "vosjax.runs.record.strange": "needs a run's folder",
    "vosjax.eval.config.recorded": "needs a run's record",
    "vosjax.eval.dataset.run": "needs a whole dataset run's engines",
    "vosjax.eval.protocols.davis": "continues an example of scoring.score",
    "vosjax.eval.protocols.vos_benchmark": "continues an example of scoring.score",
    "vosjax.eval.protocols.youtube_vos": "needs a dataset's meta.json",
    "vosjax.eval.rules.youtube": "needs a dataset's meta.json",
    "vosjax.eval.scoring.write_csv": "continues an example of scoring.score",
    "vosjax.loading.ensembles.composed_network": "loads the embedded network",
    "vosjax.loading.ensembles.parts": "loads the embedded network",
    "vosjax.loading.pretrained.configure": "loads the embedded network",
    "vosjax.loading.pretrained.load": "needs a converted checkpoint",
    "vosjax.loading.pretrained.fresh": LONG,
    "vosjax.refine.boundary.network.load_network": "needs a converted checkpoint",
    "vosjax.refine.refiner.load_refiner": "needs weights of a refinement network",
    "vosjax.tracking.box.track_box": "loads the embedded network",
    "vosjax.data.pipeline.clips": LONG,
    "vosjax.datasets.catalog.find": "needs a prepared dataset",
    "vosjax.datasets.catalog.open_videos": "needs a prepared dataset",
}


class Entry(NamedTuple):
    """An entry of a bank whose parts have names, as networks have them."""

    key: jax.Array
    value: jax.Array


EXAMPLES = list(listed_examples())
N, H, W = 10, 48, 64


@functools.cache
def network_values():
    """A toy with ten slots, the state and the values of one frame."""
    loaded = toy.model(slots=N)
    vos, params, spec = loaded.model.vos, loaded.params, Spec(H, W, N, 4)
    frames, labels = clip(frames=4, height=H, width=W, objects=2)
    frame = jnp.asarray(frames[0], jnp.float32) / 255
    state, features = vos.init(params, spec), vos.encode(params, frame)
    logits, aux = vos.predict(params, state, features)
    given = np.arange(N) < 2
    return dict(
        vos=vos,
        params=params,
        spec=spec,
        state=state,
        features=features,
        logits=logits,
        aux=aux,
        probs=jax.nn.softmax(logits, 0),
        given=jnp.asarray(given),
        frames=jnp.asarray(frames, jnp.float32) / 255,
        frame=frame,
        labels=jnp.asarray(labels[0], jnp.int32),
        prompt=Prompt(jnp.asarray(labels[0], jnp.int32), jnp.asarray(given)),
        clock=MemoryClock(jnp.int32(0), jnp.int32(0), jnp.int32(5)),
        live=jnp.asarray(given),
        stage=two_batches(),
        fixed=None,
        work=jnp.int32(0),
    )


def two_batches():
    """A stage that takes two batches and leaves the probabilities as they are."""
    return FrameStage(
        begin=lambda params, frame, probs, given: (probs, jnp.int32(0)),
        left=lambda work: 2 - work,
        empty=lambda: (),
        cut=lambda fixed, work, batch, at: batch,
        answer=lambda params, batch: (),
        paste=lambda fixed, work, batch, answers, at: work + 1,
        end=lambda fixed, work: (fixed, {"batches": work}),
        size=1,
        counted=(("batches", "batches"),),
    )


def bank_values():
    entry = {"key": jnp.zeros((6, 4)), "value": jnp.zeros((6, 3))}
    bank = memory.init(entry, capacity=3)
    return dict(memory=memory, bank=bank, entry=entry, remember=True, annotated=True, P=6, C=4, D=3)


def read_values():
    entry = Entry(jnp.zeros((6, 1, 4)), jnp.zeros((6, 2, 3)))
    return dict(memory=memory, entry=entry, query=jnp.ones((5, 1, 4)))


def tracker_values():
    """A tracker that follows the object 7."""
    frames, labels = clip(frames=3, height=H, width=W, objects=2)
    model = toy.model(slots=N)
    tracker = vosjax.Tracker(model)
    tracker.step(frames[0], np.where(labels[0] == 1, 7, labels[0]))
    camera = type("Camera", (), {"read": lambda self: frames[1]})()
    return dict(
        tracker=tracker,
        model=model,
        frame=frames[1],
        next_frame=frames[2],
        mask=labels[0],
        inside=labels[0] == 2,
        camera=camera,
    )


def values_of(example):
    """What the example takes as given."""
    frames, labels = clip(frames=4, height=H, width=W, objects=2)
    module = example.module
    if example.name == "Tracker.compile":
        return dict(tracker=vosjax.Tracker(toy.model(slots=N), objects=2))
    if module == "vosjax.tracking.tracker":
        return tracker_values()
    if module == "vosjax.interactive.marker":
        frame = np.full((480, 854, 3), 90, np.uint8)
        return dict(frame=frame, marker=Marker(frame))
    if module == "vosjax.memory.bank":
        return bank_values()
    if module == "vosjax.memory.read":
        return read_values()
    if module.startswith(
        ("vosjax.io", "vosjax.eval", "vosjax.data", "vosjax.datasets", "vosjax.exports")
    ):
        return dict(
            frame=frames[0],
            frames=frames[:3],
            labels=labels[:3] if module == "vosjax.data.types" else labels[0],
            predicted=labels[1],
            image=np.zeros((480, 854, 3), np.uint8),
            scores={1: ObjectScore(1, 0.9, 0.8, 256, False)},
            open_video=open_video,
            video=open_video(frames),
            use=lambda frame: None,
            rng=np.random.default_rng(0),
            other=(frames[:3], labels[:3]),
            ClipSpec=ClipSpec,
            ClipsConfig=ClipsConfig,
            catalog=catalog,
            scoring=scoring,
            source=Folder("DAVIS"),
        )
    values = dict(network_values())
    if example.name in ("mean", "confidence_weighted"):
        values["probs"] = jnp.stack([values["probs"]] * 2)
    if example.name == "as_logits":
        values["fused"] = values["probs"]
    if example.name == "merge_groups":
        values["logits"] = jnp.zeros((2, 6, H, W))
    if module == "vosjax.train.losses":
        values |= dict(prediction=values["labels"], pixels=jnp.arange(9.0), count=jnp.int32(4))
    one = toy.model(slots=N)
    members = [one.model.vos] * 2
    return values | dict(
        members=members,
        first=members[0],
        second=members[0],
        third=members[0],
        aot=one.model,
        stcn=one.model,
        aot_params=one.params,
        stcn_params=one.params,
        ensemble=ensemble,
        confidence_weighted=confidence_weighted,
    )


def said(text):
    """The plain value behind the `#` in the last line of an example, in a list; [] without one."""
    last, _, comment = text.splitlines()[-1].rpartition("#")
    with contextlib.suppress(SyntaxError, ValueError):
        return [ast.literal_eval(comment.strip())] if last.strip() else []
    return []


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """The stand-ins that examples name, in one folder for all of them."""
    folder = tmp_path_factory.mktemp("place")
    stand_ins(folder)
    return folder


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_runs(example, workdir, monkeypatch):
    code = ast.parse(example.text)
    if str(example) in NOT_RUN:
        return
    monkeypatch.chdir(workdir)
    monkeypatch.setattr(pretrained, "load", lambda source=None: toy.model(slots=N))
    for module in ("tracking.tracker", "tracking.video"):
        monkeypatch.setattr(f"vosjax.{module}.load", lambda source=None: toy.model(slots=N))
    names = dict(vosjax=vosjax, np=np, jnp=jnp, jax=jax, contextlib=contextlib)
    names |= vars(importlib.import_module(example.module))
    names |= values_of(example)
    if example.name in ("Tracker.restore",):
        names["tracker"].save("tracker.npz")
    *head, last = code.body
    exec(compile(ast.Module(head, []), str(example), "exec"), names)
    if not isinstance(last, ast.Expr):
        exec(compile(ast.Module([last], []), str(example), "exec"), names)
        return
    value = eval(compile(ast.Expression(last.value), str(example), "eval"), names)
    for expected in said(example.text):
        if isinstance(expected, tuple) and expected[-1:] == (...,):
            value, expected = value[: len(expected) - 1], expected[:-1]
        assert np.allclose(value, expected) if isinstance(expected, float) else value == expected


def test_examples_that_do_not_run_are_there():
    assert set(NOT_RUN) <= {str(example) for example in EXAMPLES}


def test_most_examples_run():
    assert len(NOT_RUN) < len(EXAMPLES) / 5
