"""The kernel for probabilities on TPUs, interpreted, agrees with softmax and prompt."""

import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.tracking.probabilities import probabilities
from vosjax.tracking.probability_kernel import probability_kernel
from vosjax.types import Prompt

SHAPE = (3, 20, 140)


@pytest.mark.parametrize("given", [(False, False), (False, True)], ids=["nothing", "marked"])
def test_agrees_with_softmax_and_prompt(given):
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.standard_normal(SHAPE) * 4, jnp.float32)
    marks = np.zeros(SHAPE[1:], np.int32)
    marks[2:9, 30:90] = 2
    prompt, allowed = Prompt(jnp.asarray(marks), np.array(given)), np.array([False, True])
    got = probability_kernel(logits, prompt, allowed, interpret=True)
    for ours, expected in zip(got, probabilities(logits, prompt, allowed)):
        np.testing.assert_allclose(ours, expected, atol=1e-6)
