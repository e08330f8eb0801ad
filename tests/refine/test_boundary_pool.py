"""Patches of several frames in one batch: the results of each frame alone, for fewer batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.refine import pool
from vosjax.refine.boundary.stage import BoundarySettings, boundary_stage
from vosjax.refine.refiner import Refiner, refine_program

BATCH = 4
SIZES = ((96, 120), (80, 100))


class Answer:
    """A network that moves every mask, and notes how often it was traced and how often it ran."""

    patch = 64

    def __init__(self):
        self.traces, self.runs = [], []

    def apply(self, params, images, masks):
        self.traces.append(images.shape)
        jax.debug.callback(lambda: self.runs.append(1))
        moved = jnp.roll(masks, 2, 2) * (1 + images.mean((1, 2, 3))[:, None, None])
        return jnp.stack([jnp.zeros_like(moved), 5 * moved], -1)


def frame_of(number, size=SIZES[0]):
    """(key, frame, probabilities, given) of a frame with two discs; every third has none."""
    y, x = np.mgrid[: size[0], : size[1]]
    labels = np.zeros(size, np.int32)
    if number % 3 != 2:
        for slot, column in ((1, 30 + 2 * number), (2, 70)):
            labels[(y - 40) ** 2 + (x - column) ** 2 < (22 + number) ** 2] = slot
    probs = np.where(np.arange(3)[:, None, None] == labels, 0.9, 0.05).astype(np.float32)
    frame = np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)
    return f"frame {number}", frame, probs, np.array([False, number == 4])


def refiner_of(answer):
    stage = boundary_stage(answer, BoundarySettings(guards=False), batch=BATCH, places=32)
    return Refiner(stage, {}, {})


@pytest.fixture(scope="module")
def alone():
    """Each of eight frames refined by itself: (key, probabilities, counts)."""
    refiner = refiner_of(Answer())
    program, results = refine_program(refiner.stage), []
    for key, *frame in map(frame_of, range(8)):
        probs, counts = program({}, *frame)
        results.append((key, np.asarray(probs), {name: int(n) for name, n in counts.items()}))
    return results


def pooled(answer, frames):
    return [
        (key, np.asarray(probs), {name: int(n) for name, n in counts.items()})
        for key, probs, counts in pool.refine_frames(refiner_of(answer), frames)
    ]


def test_frames_come_in_order_with_the_bits_that_they_have_alone(alone):
    answer = Answer()
    together = pooled(answer, map(frame_of, range(8)))
    for (key, probs, counts), (own_key, own, own_counts) in zip(together, alone, strict=True):
        assert key == own_key and counts == own_counts
        assert np.array_equal(probs, own)
    patches = [counts["patches"] for *_, counts in together]
    assert min(patches) == 0 and max(patches) > BATCH
    jax.effects_barrier()
    assert len(answer.runs) == -(-sum(patches) // BATCH) < sum(-(-n // BATCH) for n in patches)


def test_the_network_is_compiled_once_for_frames_of_all_sizes_and_numbers_of_objects():
    answer = Answer()
    key, frame, probs, given = frame_of(0)
    one_object = key, frame, np.stack([probs[0] + probs[2], probs[1]]), given[:1]
    results = pooled(answer, [frame_of(0), frame_of(1, SIZES[1]), one_object])
    assert [probs.shape for _, probs, _ in results] == [(3, 96, 120), (3, 80, 100), (2, 96, 120)]
    assert all(counts["patches"] for *_, counts in results)
    assert answer.traces == [(BATCH, 64, 64, 3)]


@pytest.mark.parametrize(("limits", "most"), [((3, 2**29), 3), ((8, 1), 1)])
def test_few_frames_wait(alone, monkeypatch, limits, most):
    monkeypatch.setattr(pool, "FRAMES", limits[0])
    monkeypatch.setattr(pool, "BYTES", limits[1])
    waiting, longest = [], []

    def frames():
        for number in range(8):
            waiting.append(number)
            longest.append(len(waiting))
            yield frame_of(number)

    results = []
    for key, probs, _ in pool.refine_frames(refiner_of(Answer()), frames()):
        waiting.pop(0)
        results.append((key, np.asarray(probs)))
    assert max(longest) == most
    for (key, probs), (own_key, own, _) in zip(results, alone, strict=True):
        assert key == own_key and np.array_equal(probs, own)
