"""The crops of the first frame show the object where their shifts say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.boxes.augment import CROPS, augmented, without_channels

SIDE = 48


@pytest.fixture(scope="module")
def crops():
    """Crops of a bright dot in the middle of a region with a soft gradient, and their shifts."""
    rows, columns = np.mgrid[: 2 * SIDE, : 2 * SIDE]
    distance = np.hypot(rows - SIDE + 0.5, columns - SIDE + 0.5)
    region = np.exp(-((distance / 4) ** 2))[..., None] * [1.0, 0.5, 0.25] + columns[..., None] / 500
    images, shifts = jax.jit(augmented)(jnp.asarray(region, jnp.float32), jax.random.PRNGKey(0))
    return np.asarray(images), np.asarray(shifts), region


def test_the_object_is_where_the_shifts_say(crops):
    images, shifts, _ = crops
    assert images.shape == (CROPS, SIDE, SIDE, 3)
    assert abs(shifts).max() <= 0.3 * SIDE and len(np.unique(shifts, axis=0)) > 8
    for image, shift in zip(images, shifts):
        row, column = np.unravel_index(image[..., 0].argmax(), image.shape[:2])
        assert abs(np.array([row, column]) + 0.5 - SIDE / 2 - shift).max() <= 1


def test_the_first_is_the_crop_itself_and_others_are_mirrored_blurred_and_rotated(crops):
    images, shifts, region = crops
    half = SIDE // 2
    assert np.allclose(images[0], region[half:-half, half:-half], atol=1e-6)

    def at(image, shift):
        row, column = half - shift
        return image[row : row + SIDE, column : column + SIDE]

    assert np.allclose(images[5], at(region[:, ::-1], shifts[5]), atol=1e-6)
    for blurred in images[6:9]:
        assert blurred[..., 0].max() < images[0][..., 0].max() - 0.02
    steep = [image[5, -5, 0] - image[5, 4, 0] for image in images[[0, 9, 11]]]
    assert steep[0] > steep[1] > steep[2] > 0


def test_a_fifth_of_the_channels_is_dropped_and_the_mean_stays():
    dropped = without_channels(jnp.ones((3, 4, 1000)), jax.random.PRNGKey(1))
    channels = np.asarray(dropped[0, 0])
    assert set(np.unique(channels)) == {0.0, np.float32(1.25)}
    assert 0.15 < (channels == 0).mean() < 0.25
    assert (np.asarray(dropped) == channels).all()
