"""Whole clips through STM give the reference's logits, masks and memory."""

import numpy as np
import pytest
from support import matching_goldens as goldens

LOGITS, MEMORY, MASKS = 1e-4, 1e-4, 1e-3  # the goldens' README; share of pixels
OBJECTS = 3
STM = dict(align=False, aspp=False, top_k=None)


@pytest.mark.parametrize(
    "name", ["clip_100_one", "clip_100", pytest.param("clip_112", marks=pytest.mark.slow)]
)
def test_clip(name):
    golden = goldens.arrays(f"stm/{name}.npz")
    params = goldens.params("stm", "famnet", **STM)
    count, last = int(golden["num_objects"]), len(golden["frames"]) - 2
    labels = golden["labels"][0]
    prompts = {0: (labels * (labels <= count), np.arange(OBJECTS) < count)}
    for time, answer, (logits, _) in goldens.run(
        params,
        goldens.frames_of(golden),
        prompts,
        family="famnet",
        objects=OBJECTS,
        gap=int(golden["mem_every"]),
        **STM,
    ):
        labels = np.asarray(answer.probs).argmax(0)
        assert np.mean(labels != golden["pred"][time]) <= MASKS
        if time > 0:
            assert np.abs(logits[: count + 1] - golden["logit"][time - 1]).max() < LOGITS
        if time == last:
            bank = answer.state.bank
            slot = int(np.argmax(np.asarray(bank.valid & (bank.time == time))))
            for rows, expected, every in (
                (bank.data.key, golden["mem_k_last"], 4),
                (bank.data.value, golden["mem_v_last"], 16),
            ):
                rows = np.asarray(rows[slot]).transpose(1, 2, 0)[:count, ::every]
                assert np.abs(rows.reshape(expected.shape) - expected).max() < MEMORY


def test_the_previous_frame_is_remembered_until_the_next():
    golden = goldens.arrays("stm/clip_100_one.npz")
    params = goldens.params("stm", "famnet", **STM)
    labels = golden["labels"][0]
    prompts = {0: (labels * (labels == 1), np.arange(OBJECTS) < 1)}
    held = [
        sorted(np.asarray(answer.state.bank.time)[np.asarray(answer.state.bank.valid)].tolist())
        for _, answer, _ in goldens.run(
            params,
            goldens.frames_of(golden),
            prompts,
            family="famnet",
            objects=OBJECTS,
            gap=3,
            **STM,
        )
    ]
    assert held == [[0], [0, 1], [0, 2], [0, 3], [0, 3, 4], [0, 3, 5]]
