"""The target model's filter and losses are the reference's after every step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import backbone_goldens as goldens
from support.dimp_goldens import channels_last, relative, state_dict, target_params

from vosjax.boxes import target_model
from vosjax.boxes.target_model import Samples, centres_of, equal_weights

STRIDE = 16
descent = jax.jit(target_model.descent, static_argnames="iterations")


@pytest.fixture(scope="module", params=[4, 3, 1])
def small(request):
    """(filter side, the golden's arrays for it): 16 channels, three images of 14 by 12 cells."""
    prefix = f"k{request.param}_"
    arrays = goldens.arrays("dimp/optimizer_small.npz")
    return request.param, {
        name.removeprefix(prefix): array for name, array in arrays.items() if prefix in name
    }


def filter_of(array):
    return channels_last(array)[0]


def samples_of(arrays, side):
    features = channels_last(arrays["feat"])
    return Samples(features, centres_of(arrays["bb"], side, stride=STRIDE), equal_weights(3))


def test_scores_and_their_transpose(small):
    side, arrays = small

    @jax.jit
    def run(features, target_filter, cotangent):
        scores, pull = jax.vjp(lambda f: target_model.correlate(features, f), target_filter)
        return scores, pull(cotangent)[0]

    features, start = channels_last(arrays["feat"]), filter_of(arrays["w0"])
    scores, gradient = run(features, start, arrays["adj_in"][:, 0])
    assert relative(scores, arrays["scores0"][:, 0]) < 2e-6
    assert relative(gradient, filter_of(arrays["adj_out"])) < 2e-6


def test_five_steps_with_filters_of_three_sides(small):
    side, arrays = small
    filters, losses = descent(
        target_model.initial_params(), filter_of(arrays["w0"]), samples_of(arrays, side), 5
    )
    assert relative(losses, arrays["losses"]) < 2e-6
    assert relative(filters, np.stack([filter_of(f) for f in arrays["iters"]])) < 5e-6


def test_the_number_of_steps_may_be_traced(small):
    side, arrays = small
    params, start = target_model.initial_params(), filter_of(arrays["w0"])
    fit = jax.jit(target_model.optimise)
    for steps in (0, 2):
        fitted = fit(params, start, samples_of(arrays, side), jnp.int32(steps))
        assert relative(fitted, filter_of(arrays["iters"][steps])) < 5e-6


def test_a_sample_of_weight_zero_does_not_count(small):
    side, arrays = small
    samples = samples_of(arrays, side)._replace(weights=jnp.array([0.5, 0.5, 0.0]))
    other = samples._replace(
        features=np.concatenate([samples.features[:2], np.ones_like(samples.features[:1])])
    )
    start = filter_of(arrays["w0"])
    filters, _ = descent(target_model.initial_params(), start, samples, 2)
    changed, _ = descent(target_model.initial_params(), start, other, 2)
    assert np.array_equal(filters, changed)


@functools.cache
def large():
    """Arrays of filter.npz, and samples of 512 channels."""
    arrays = goldens.arrays("dimp/filter.npz")
    features = channels_last(goldens.arrays("dimp/clf_train.npz")["clf_train"])
    boxes = goldens.arrays("dimp/input.npz")["boxes_xywh"][:3]
    return arrays, Samples(features, centres_of(boxes, 4, stride=STRIDE), equal_weights(3))


@pytest.mark.parametrize("weights", ["recipe", "init"])
def test_fifteen_steps_of_the_published_size(weights):
    arrays, samples = large()
    params = {
        "recipe": lambda: target_params(state_dict("filter_optimizer")),
        "init": target_model.initial_params,
    }[weights]()
    maps = target_model.target_maps(params, samples.centres, (19, 19))
    for ours, name, limit in zip(maps, ("label", "mask", "weight"), (5e-5, 5e-6, 5e-5)):
        assert relative(ours, arrays[f"{weights}_{name}"]) < limit  # 100 random bins are steep
    start = filter_of(arrays["filter_init"])
    weighted = samples._replace(weights=arrays["sample_weight"])
    for run, steps, fitted in (("it5", 5, samples), ("it10", 10, samples), ("it2w", 2, weighted)):
        filters, losses = descent(params, start, fitted, steps)
        assert relative(losses, arrays[f"{weights}_{run}_losses"]) < 5e-6
        assert relative(filters[-1], filter_of(arrays[f"{weights}_{run}_final"])) < 1e-5


def test_the_first_weights_are_those_of_the_reference():
    arrays = goldens.arrays("dimp/filter.npz")
    for name, reference in target_params(arrays, "initvalue/").items():
        assert relative(target_model.initial_params()[name], reference) < 1e-6
