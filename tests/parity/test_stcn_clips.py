"""Whole clips through STCN give the reference's probabilities and masks, whatever the protocol."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import matching_goldens as goldens

from vosjax.layers.objects import aggregate, crop

PROBS, MASKS = 5e-5, 1e-3  # largest difference; share of pixels (the goldens' README)
OBJECTS = 3


@pytest.fixture(scope="module")
def params():
    return goldens.params("stcn", "stcn")


def settings_of(golden):
    # Plain softmax is written as a huge or no k.
    top_k = int(golden["top_k"])
    settings = dict(top_k=top_k if 0 < top_k < 1000 else None)
    return settings | (dict(last_frame=True) if golden["include_last"] else {})


def shown(answer, annotated):
    """Probabilities [N+1, H, W]; the reference shows an annotated frame as it remembers it."""
    if not annotated:
        return answer.probs
    return jax.nn.softmax(aggregate(answer.probs[1:], answer.state.live), 0)


def check(answer, aux, expected, annotated):
    """expected [K+1, H', W'], padded; the borders only where they were predicted."""
    count, size = len(expected) - 1, answer.probs.shape[1:]
    inner = np.asarray(shown(answer, annotated))[: count + 1]
    assert np.abs(inner - np.asarray(crop(expected, *size))).max() < PROBS
    if not annotated:
        assert np.abs(np.asarray(aux.probs[:count]) - expected[1:]).max() < PROBS


def check_masks(masks, expected):
    assert np.mean(np.asarray(masks) != expected) <= MASKS


@pytest.mark.parametrize(
    "name",
    [
        "clip_100_one",
        "clip_100_top20",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("clip_112_top20", "clip_112_last", "clip_112_full", "clip_100_full")
        ),
    ],
)
def test_objects_of_the_first_frame(params, name):
    golden = goldens.arrays(f"stcn/{name}.npz")
    count = golden["prob"].shape[0] - 1
    labels = golden["labels"][0] * (golden["labels"][0] <= count)
    prompts = {0: (labels, np.arange(OBJECTS) < count)}
    for time, answer, (_, aux) in goldens.run(
        params,
        goldens.frames_of(golden),
        prompts,
        family="stcn",
        objects=OBJECTS,
        gap=int(golden["mem_every"]),
        **settings_of(golden),
    ):
        check(answer, aux, golden["prob"][:, time], time == 0)
        check_masks(jnp.argmax(shown(answer, time == 0), 0), golden["masks"][time])


@pytest.mark.parametrize(
    "name", ["yv_100", "yv_112_req", pytest.param("yv_112_last", marks=pytest.mark.slow)]
)
def test_objects_that_appear_later(params, name):
    golden = goldens.arrays(f"stcn/{name}.npz")
    prompts = {}
    for time in np.unique(golden["seen"][:, 0]):
        ids = golden["seen"][golden["seen"][:, 0] == time, 1]
        labels = golden["labels"][time]
        prompts[int(time)] = (
            labels * np.isin(labels, ids),
            np.isin(np.arange(1, OBJECTS + 1), ids),
        )
    frames_asked = set(golden["req_frames"].tolist()) or None
    sizes = [key for key in golden if key.startswith("masks_")]
    assert sizes
    seen = set()
    for time, answer, (_, aux) in goldens.run(
        params,
        goldens.frames_of(golden),
        prompts,
        family="stcn",
        objects=OBJECTS,
        gap=int(golden["mem_every"]),
        frames_asked=frames_asked,
        **settings_of(golden),
    ):
        check(answer, aux, golden["prob"][:, time], time in prompts)
        seen.add(time)
        for key in sizes:
            size = [int(side) for side in key.removeprefix("masks_").split("x")]
            masks = goldens.labels_at(shown(answer, time in prompts), *size)
            check_masks(masks, golden[key][time])
    skipped = sorted(set(range(len(golden["frames"]))) - seen)
    np.testing.assert_allclose(golden["prob"][1:, skipped], 0)
