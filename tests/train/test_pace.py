"""The figures of a run's pace: speed, waiting, the average's distance, the use of the devices."""

import time
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import small

from vosjax import cost
from vosjax.ahead.peaks import peaks_of
from vosjax.train import build, clip_task, log, loop, optimizer, pace, schedule, state
from vosjax.train.utilisation import Utilisation, seconds_at_peak

NAMES = ("steps_per_second", "clips_per_second", "waiting", "distance")


@pytest.fixture(autouse=True)
def toy_family(monkeypatch):
    small.install(monkeypatch)


def rows(folder):
    head, *lines = (line.split(",") for line in (folder / "metrics.csv").read_text().split())
    return [dict(zip(head, line)) for line in lines]


def test_every_row_tells_the_pace(tmp_path):
    loop.train(small.config(steps=4), output=tmp_path)
    for row in rows(tmp_path):
        told = {name: float(row[name]) for name in NAMES}
        assert told["clips_per_second"] == pytest.approx(2 * told["steps_per_second"], rel=1e-4)
        assert 0 <= told["waiting"] <= 1 and told["distance"] == 0  # the average's decay is 0 yet
        assert row["utilisation"] == ""  # nobody knows a CPU's peak


def test_the_distance_is_that_of_the_weights_from_their_average(tmp_path):
    config = small.config(steps=24, log=dict(every=12))
    after = loop.train(config, output=tmp_path).state
    apart = [np.ravel(w - after.average[path]) for path, w in after.trainable.items()]
    whole = np.concatenate([np.ravel(w) for w in after.trainable.values()])
    expected = np.linalg.norm(np.concatenate(apart)) / np.linalg.norm(whole)
    assert expected > 0
    assert float(rows(tmp_path)[-1]["distance"]) == pytest.approx(expected, rel=1e-4)


def test_a_stated_peak_gives_the_utilisation(tmp_path):
    loop.train(small.config(steps=2, log=dict(every=2, peak=1e9)), output=tmp_path / "one")
    loop.train(small.config(steps=2, log=dict(every=2, peak=2e9)), output=tmp_path / "two")
    for folder, peak in (("one", 1e9), ("two", 2e9)):
        (row,) = rows(tmp_path / folder)
        steps = float(row["steps_per_second"]) / jax.device_count()
        assert float(row["utilisation"]) * peak / steps == pytest.approx(counted(), rel=1e-4)


def counted():
    """Operations of matrix products in the toy's step, forward and backward."""
    model = small.model()
    chain = optimizer.build({path: 1 for path in small.GROUPS if path != "fixed"})
    now = state.fresh(model.init_params(jax.random.key(0)), model.param_group, chain)
    clips = small.batch(frames=3, size=32)
    train = small.config(steps=2).train
    settings = build.step_settings(train)._replace(reference=False)
    scalars = schedule.step_scalars(1, train, pixels=1024)
    advance = clip_task.compile_step(model, chain, settings)
    return sum(cost.count(advance, now, clips, scalars, jax.random.key(0)).products.values())


def test_forward_and_backward_of_a_product_are_three_products():
    def advance(now, batch, scalars, key):
        return jax.grad(lambda w: jnp.sum((batch @ w @ now["b"]) ** 2))(now["a"])

    used = Utilisation(lambda: advance, peak=1e6)
    now = {"a": jnp.ones((4, 8)), "b": jnp.ones((8, 2))}
    scalars, key = SimpleNamespace(aux_weight=0.0), jax.random.key(0)
    share = used.share(now, jnp.ones((3, 4)), scalars, key, steps_per_second=2.0)
    first, second = 2 * 3 * 4 * 8, 2 * 3 * 8 * 2
    assert share == pytest.approx((2 * first + 2 * second) * 2.0 / 1e6 / jax.device_count())


@pytest.mark.parametrize(
    "kind, half, single",
    [
        ("NVIDIA H100 80GB HBM3", 989e12, 495e12),
        ("NVIDIA H100 PCIe", 756e12, 378e12),
        ("NVIDIA A100-SXM4-40GB", 312e12, 156e12),
        ("TPU v5 lite", 197e12, 197e12),
        ("TPU v5", 459e12, 459e12),
    ],
)
def test_peaks_of_known_devices(kind, half, single):
    assert peaks_of(kind) == (half, single)


@pytest.mark.parametrize("kind", ["cpu", "NVIDIA L40S", "TPU v55", ""])
def test_devices_that_are_not_in_the_table_have_no_peak(kind):
    assert peaks_of(kind) is None


def test_each_precision_has_its_own_peak():
    assert seconds_at_peak({"bfloat16": 3e12, "float32": 1e12}, (1e12, 5e11)) == 5.0


def test_the_distance_is_relative():
    weights = {"a": jnp.array([3.0, 0.0]), "b": jnp.array([4.0])}
    average = {"a": jnp.array([3.0, 0.5]), "b": jnp.array([4.0])}
    assert float(pace.distance(weights, average)) == pytest.approx(0.1)
    assert float(pace.distance(weights, weights)) == 0


class Loss:
    """A loss of which a test decides whether it is computed."""

    def __init__(self, ready):
        self.is_ready = lambda: ready


@pytest.fixture
def clock(monkeypatch):
    """clock(seconds) lets time go by; nothing else does."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def goes_by(seconds):
        now[0] += seconds

    return goes_by


def unknown():
    return Utilisation(lambda: None, peak=None)


def done(*, ready):
    metrics = SimpleNamespace(loss=Loss(ready))
    return SimpleNamespace(state=None, batch=None, scalars=None, metrics=metrics)


@pytest.mark.parametrize("ready, waiting", [(True, 0.75), (False, 0.75 / 4)])
def test_waiting_counts_where_the_devices_have_nothing_to_do(clock, ready, waiting):
    """Four times three seconds for a batch and one for a step; the first is always waited for."""

    def batches():
        while True:
            clock(3)
            yield 1

    measured = pace.Pace(batch=2, unit="clips", utilisation=unknown(), key=None)
    made = measured.timed(batches())
    for _ in range(4):
        next(made)
        clock(1)
        measured.step_done(done(ready=ready))
    figures = measured.figures()
    assert figures == {"clips_per_second": 0.5, "steps_per_second": 0.25, "waiting": waiting}


def test_what_is_left_out_is_no_training_time(clock):
    measured = pace.Pace(batch=1, unit="clips", utilisation=unknown(), key=None)
    clock(2)
    measured.step_done(done(ready=True))
    with measured.paused():
        clock(100)
    assert measured.figures()["steps_per_second"] == 0.5
    clock(4)
    measured.step_done(done(ready=True))
    assert measured.figures()["steps_per_second"] == 0.25


OLD = "step,loss,cross_entropy,jaccard,aux,j,gradient,rate,clips_per_second,validation_j"


def test_the_table_of_an_earlier_version_goes_on(tmp_path):
    """Its rows keep their figures, whatever columns came since."""
    (tmp_path / "metrics.csv").write_text(
        f"{OLD}\n2,0.5,0.4,0.3,0.2,0.1,9,1e-3,8,\n4,0.6,0.5,0.4,0.3,0.2,8,2e-3,7,0.25\n6,1,1\n"
    )
    again = log.Log(tmp_path, start=4)
    again.scalars(6, {"loss": 0.7, "waiting": 0.5})
    again.close()
    first, second, third = rows(tmp_path)
    assert set(OLD.split(",")) < set(first)
    assert (first["clips_per_second"], first["validation_j"], first["waiting"]) == ("8", "", "")
    assert (second["rate"], second["validation_j"]) == ("2e-3", "0.25")
    assert (third["step"], third["loss"], third["waiting"]) == ("6", "0.7", "0.5")


def test_tensorboard_gets_what_the_table_has(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    loop.train(small.config(steps=2, log=dict(every=2, validate=2)), output=tmp_path)
    (row,) = rows(tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    for name, value in row.items():
        if name != "step" and value:
            tag = name if name == "validation_j" else f"train/{name}"
            (scalar,) = events.Scalars(tag)
            np.testing.assert_allclose(scalar.value, float(value), rtol=1e-4)
    assert {"train/cross_entropy", "train/jaccard", "train/aux"} <= set(events.Tags()["scalars"])
