"""The stream of batches: one order for all workers and hosts, resumable from a step."""

import numpy as np
import pytest

from vosjax.data import pipeline

RENDERED = pipeline.ClipsConfig(frames=2, height=48, width=64)


def _take(count, config=RENDERED, **options):
    stream = pipeline.clips(config, **{"seed": 4, "batch": 4, **options})
    batches = [{key: np.array(value) for key, value in next(stream).items()} for _ in range(count)]
    stream.close()
    return batches


def _same(left, right):
    return all(np.array_equal(left[key], right[key]) for key in left)


@pytest.fixture(scope="module")
def plain():
    return _take(4)


def test_batch_has_the_documented_arrays(plain):
    batch = plain[0]
    assert batch["frames"].shape == (4, 2, 48, 64, 3) and batch["frames"].dtype == np.uint8
    assert batch["labels"].shape == (4, 2, 48, 64) and batch["labels"].dtype == np.uint8
    assert batch["live"].shape == (4, 10) and batch["live"].dtype == bool
    assert np.array_equal(batch["objects"], batch["live"].sum(1))


def test_seed_decides_the_stream(plain):
    assert _same(_take(1)[0], plain[0])
    assert not _same(_take(1, seed=5)[0], plain[0])
    assert not _same(plain[0], plain[1])


def test_resuming_at_a_step_continues_the_stream(plain):
    assert all(_same(a, b) for a, b in zip(_take(2, start_step=2), plain[2:]))


def test_two_hosts_share_the_stream_of_one(plain):
    halves = [_take(2, host=host, hosts=2) for host in range(2)]
    for step in range(2):
        for host in range(2):
            rows = np.split(plain[step]["frames"], 2)[host]
            assert np.array_equal(halves[host][step]["frames"], rows)


def test_threads_do_not_change_the_stream(plain):
    assert all(_same(a, b) for a, b in zip(_take(3, threads=2), plain))


def test_processes_do_not_change_the_stream(plain):
    assert all(_same(a, b) for a, b in zip(_take(4, workers=2), plain))


def test_motion_knob_slows_things_down():
    def change(motion):
        config = pipeline.ClipsConfig(frames=2, height=48, width=64, motion=motion)
        return np.mean([(b["labels"][:, 0] != b["labels"][:, 1]).mean() for b in _take(4, config)])

    assert change(0.1) < 0.6 * change(1.0)


def test_batch_must_divide_among_hosts():
    with pytest.raises(ValueError, match="multiple of the number of hosts"):
        pipeline.clips(RENDERED, seed=0, batch=3, hosts=2)


def test_no_source_is_refused():
    with pytest.raises(ValueError, match="no source of clips"):
        pipeline.clips(pipeline.ClipsConfig(rendered_weight=0.0), seed=0, batch=1)
