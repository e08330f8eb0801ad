"""Names of machines, and how fast a program can be on them."""

import pytest

from vosjax.ahead import roofline, targets
from vosjax.errors import InputError


@pytest.mark.parametrize(
    "text, shape, devices", [("v5e:4x4", (4, 4), 16), ("v5p", (1, 1, 1), 1), ("h100:8", (8,), 8)]
)
def test_a_target_has_a_kind_and_a_shape(text, shape, devices):
    target = targets.parsed(text)
    assert (target.shape, target.devices) == (shape, devices)
    assert targets.parsed(target.name) == target


@pytest.mark.parametrize("text", ["v9:2x2", "v5e:4", "v5e:0x4", "h100:2x2", "v5p:4x4", "v5e:", ""])
def test_another_target_is_one_line(text):
    with pytest.raises(InputError, match="target") as error:
        targets.parsed(text)
    assert "\n" not in str(error.value) and repr(text) in str(error.value)


def test_the_slowest_bound_is_the_roofline():
    chip = targets.Chip("tpu", products=100.0, memory=1, bandwidth=10.0, links=1.0)
    assert roofline.bounds(chip, products=1000.0, moved=50.0).bound == "products"
    by_bytes = roofline.bounds(chip, products=1000.0, moved=500.0)
    assert (by_bytes.bound, by_bytes.seconds) == ("bytes", 50.0)


def test_a_sum_over_devices_is_sent_twice_and_a_gathered_array_once():
    chip = targets.Chip("tpu", products=1.0, memory=1, bandwidth=1.0, links=1.0)
    sent = {"all-reduce": 8.0, "all-gather": 8.0}

    def links(devices):
        return roofline.bounds(
            chip, products=1.0, moved=1.0, collectives=sent, devices=devices
        ).links

    assert links(4) == 0.75 * 8 * 3 and links(1) == 0
