"""Schedules: their ends, their corners, and that counts are exact."""

import pytest

from vosjax.train import schedule
from vosjax.train.config import TrainConfig


def polynomial(step, **changes):
    return schedule.polynomial(
        step, **{**dict(base=1.0, floor=0.1, total=100, warmup=0.1), **changes}
    )


def test_the_rate_rises_from_its_floor_to_its_base_and_falls_back():
    assert polynomial(0) == 0.1 and polynomial(10) == 1.0
    assert polynomial(100) == pytest.approx(0.1, abs=0.03) and polynomial(99) > 0.1
    assert polynomial(500) == 0.1


def test_no_warmup_starts_at_the_base():
    assert polynomial(0, warmup=0.0) == 1.0


def test_milestones_are_steps_at_which_the_rate_has_fallen():
    rates = [schedule.stepped(s, base=1.0, milestones=(10, 20)) for s in (9, 10, 20)]
    assert rates == pytest.approx([1, 0.1, 0.01])


def test_hard_share_of_stcn():
    shares = [schedule.hard_share(s, begin=20_000, end=70_000) for s in (0, 20_000, 45_000, 90_000)]
    assert shares == pytest.approx([1, 1, 0.575, 0.15])


def test_kept_pixels_are_truncated():
    assert schedule.kept(0.15, 1353) == 202 and schedule.kept(1.0, 1353) == 1353
    assert schedule.kept(0.0, 1353) == 1


def test_auxiliary_weight_fades():
    assert schedule.aux_weight(0, total=100, share=0.1) == 1
    assert schedule.aux_weight(5, total=100, share=0.1) == pytest.approx(0.5)
    assert schedule.aux_weight(11, total=100, share=0.1) == 0
    assert schedule.aux_weight(0, total=100, share=0.0) == 0


def test_the_average_follows_closely_at_first():
    assert schedule.ema_decay(1, total=1000) == pytest.approx(2 / 11)
    assert schedule.ema_decay(10_000, total=1000) == 0.99


def test_knobs_of_a_step():
    train = TrainConfig(steps=100, lr=1.0, lr_min=0.2, own_from=0.5, encoder_lr=0.1)
    before, after = (schedule.step_scalars(s, train, pixels=1000) for s in (49, 50))
    assert not before.own and after.own
    assert after.encoder_rate == pytest.approx((after.rate - 0.2) * 0.1 + 0.2)
    assert after.count == pytest.approx(150, abs=1)


def test_knobs_by_milestones():
    train = TrainConfig(lr=1.0, lr_min=0.0, encoder_lr=1.0, milestones=(3,))
    assert [float(schedule.step_scalars(s, train, pixels=9).rate) for s in (2, 3)] == pytest.approx(
        [1, 0.1]
    )
