"""Sessions of one kind share calls of the device, and get what each would get alone."""

import gc
import threading
import time

import jax
import numpy as np
import pytest
from support import toy

import vosjax
from vosjax.bench import serving
from vosjax.server.batch import divided
from vosjax.server.device import Device, DeviceFailed
from vosjax.tracking.tracker import Tracker

SIZE = (32, 48)
MODEL = toy.model()


def clip(seed, frames=7, size=SIZE):
    """A square that moves over noise, and its masks."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 120, (*size, 3))
    for index in range(frames):
        frame = ground + rng.integers(0, 20, (*size, 3))
        mask = np.zeros(size, np.uint8)
        mask[8:24, 4 + index : 20 + index] = 1 + seed % 3
        frame[mask > 0] += 100
        yield frame.astype(np.uint8), mask


def alone(seed, prompts=(0,), **settings):
    tracker = Tracker(MODEL, **settings)
    return [
        tracker.step(frame, mask if index in prompts else None)
        for index, (frame, mask) in enumerate(clip(seed))
    ]


def equal(outputs, others):
    return all(
        (output.labels == other.labels).all() and list(output.scores) == list(other.scores)
        for output, other in zip(outputs, others, strict=True)
    )


@pytest.fixture(scope="module")
def device():
    made = Device(batch=8, gather=0.2)
    yield made
    made.close()


def together(device, seeds, prompts=(0,), **settings):
    """The outputs of several trackers whose frames are handed in side by side."""
    trackers = [Tracker(MODEL, **settings) for _ in seeds]
    outputs = [[] for _ in seeds]
    for index, frames in enumerate(zip(*map(clip, seeds))):
        futures = [
            device.step(tracker, frame, mask if index in prompts else None)
            for tracker, (frame, mask) in zip(trackers, frames)
        ]
        for own, future in zip(outputs, futures):
            own.append(future.result(120))
    return outputs


def compiled(device, count):
    """Waits until the programs of `count` sessions are there; meanwhile frames go one by one."""
    together(device, range(count))
    while device.compiling:
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("count", "parts"),
    [(1, [1]), (2, [2]), (3, [4]), (4, [4]), (5, [4, 1]), (6, [8]), (9, [8, 1]), (20, [8, 8, 4])],
)
def test_frames_are_divided_among_few_sizes(count, parts):
    assert divided(count, most=8) == parts


def test_a_batch_that_would_be_half_empty_is_divided():
    for count in range(1, 65):
        parts = divided(count, most=64)
        assert sum(parts) >= count and sum(parts) - count <= count / 3


@pytest.mark.parametrize("seeds", [(0,), (0, 1), (0, 1, 2), (3, 1, 4, 1, 5)])
def test_labels_are_those_of_a_tracker_alone(device, seeds):
    compiled(device, len(seeds))
    for seed, outputs in zip(seeds, together(device, seeds, prompts=(0, 4))):
        assert equal(outputs, alone(seed, prompts=(0, 4)))


def test_frames_that_wait_together_share_a_call(device):
    compiled(device, 4)
    before = device.calls.copy()
    together(device, range(4))
    made = device.calls - before
    assert made[4] == 6 and made[1] == 4  # given frames go alone
    assert set(made) == {1, 4}


def test_an_empty_place_of_a_batch_changes_nothing(device):
    compiled(device, 3)
    before = device.calls.copy()
    outputs = together(device, range(3))
    assert (device.calls - before)[4] == 6
    assert all(equal(own, alone(seed)) for seed, own in enumerate(outputs))


def test_sessions_of_other_sizes_settings_or_ages_keep_apart(device):
    trackers = [Tracker(MODEL), Tracker(MODEL, objects=2), Tracker(MODEL, mem_every=1), None]
    trackers[3] = Tracker(MODEL)
    videos = [list(clip(0)), list(clip(1)), list(clip(2)), list(clip(0, size=(48, 32)))]
    expected = [
        [own.step(f, m if i == 0 else None) for i, (f, m) in enumerate(video)]
        for own, video in zip(
            [
                Tracker(MODEL),
                Tracker(MODEL, objects=2),
                Tracker(MODEL, mem_every=1),
                Tracker(MODEL),
            ],
            videos,
        )
    ]
    outputs = [[] for _ in videos]
    for index in range(7):
        futures = [
            device.step(tracker, video[index][0], video[index][1] if index == 0 else None)
            for tracker, video in zip(trackers, videos)
        ]
        for own, future in zip(outputs, futures):
            own.append(future.result(120))
    assert all(map(equal, outputs, expected))


def test_a_session_joins_and_leaves_a_batch(device):
    first, second = Tracker(MODEL), Tracker(MODEL)
    a, b = list(clip(0)), list(clip(1))
    got = [device.step(first, *a[0]).result(120)]
    for index in range(1, 7):
        futures = [device.step(first, a[index][0])]
        if index >= 3:
            futures.append(device.step(second, b[index - 3][0], b[0][1] if index == 3 else None))
        got.append(futures[0].result(120))
        others = [future.result(120) for future in futures[1:]]
    assert equal(got, alone(0)) and others[0].labels.any()


def test_a_frame_without_objects_needs_no_call(device):
    before = device.calls.copy()
    output = device.step(Tracker(MODEL), next(clip(0))[0]).result(10)
    assert not output.labels.any() and output.scores == {} and device.calls == before


def test_a_mistake_of_one_session_is_its_own(device):
    good, bad = Tracker(MODEL), Tracker(MODEL)
    frame, mask = next(clip(0))
    futures = [device.step(good, frame, mask), device.step(bad, frame, mask[:4])]
    assert futures[0].result(120).labels.any()
    with pytest.raises(ValueError, match="labels were given as"):
        futures[1].result(120)


def test_a_cancelled_frame_is_never_taken(device):
    gate = threading.Event()
    device.call(gate.wait)
    tracker = Tracker(MODEL)
    future = device.step(tracker, *next(clip(0)))
    assert future.cancel()
    gate.set()
    device.call(lambda: None).result(10)
    assert tracker.time == 0 and tracker.objects == []


def test_a_device_that_fails_says_so_and_goes_on(device, monkeypatch):
    def broken(*arguments):
        raise RuntimeError("RESOURCE_EXHAUSTED: out of memory\nallocating 1 TB")

    compiled(device, 2)
    monkeypatch.setattr("vosjax.server.device.run_batch", broken)
    with pytest.raises(DeviceFailed, match="out of memory allocating"):
        together(device, range(2))
    monkeypatch.undo()
    assert equal(together(device, (1,))[0], alone(1))


def test_nothing_of_a_session_is_kept(device):
    compiled(device, 4)
    gc.collect()
    before = len(jax.live_arrays())
    for _ in range(3):
        together(device, range(4))
    gc.collect()
    assert len(jax.live_arrays()) <= before


@pytest.mark.slow
def test_the_labels_of_the_embedded_network_are_the_same_in_a_batch():
    model, videos = vosjax.load(), [list(clip(seed, 12, (96, 144))) for seed in range(3)]
    trackers = [[Tracker(model) for _ in videos] for _ in range(2)]
    device = Device(batch=4, gather=1)
    for index in range(12):
        frames = [(v[index][0], v[0][1] if index == 0 else None) for v in videos]
        expected = [tracker.step(*given) for tracker, given in zip(trackers[0], frames)]
        futures = [device.step(tracker, *given) for tracker, given in zip(trackers[1], frames)]
        assert equal([future.result(600) for future in futures], expected)
        while device.compiling:
            time.sleep(0.1)
    device.close()
    assert device.calls[4] >= 8


def test_a_state_that_cannot_grow_is_a_failure_of_the_device(device, monkeypatch):
    def full(*arguments, **options):
        raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")

    tracker = Tracker(MODEL, capacity=1)
    monkeypatch.setattr("vosjax.tracking.state.enlarge", full)
    with pytest.raises(DeviceFailed, match="out of memory"):
        for frame, mask in clip(0):
            device.step(tracker, frame, mask).result(120)


def test_a_closed_device_takes_nothing_more():
    device = Device()
    future = device.step(Tracker(MODEL), *next(clip(0)))
    device.close()
    assert future.result(0).labels.any()  # what was handed in before is done
    with pytest.raises(RuntimeError, match="closed"):
        device.call(lambda: None)


def test_the_bench_times_both_ways():
    row = serving.measure(MODEL, 2, size=SIZE, rounds=2, frames=1)
    assert len(row.alone) == len(row.batched) == len(row.ratios) == 2
    assert row.calls == {2: 2} and min(row.alone + row.batched) > 0
