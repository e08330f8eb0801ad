"""Depthwise convolutions: the sums of shifts of CPUs and TPUs equal it, with derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.layers.conv import depthwise


@pytest.mark.parametrize(
    "height, width, size, stride, dilation",
    [(7, 9, 3, 1, 1), (7, 9, 3, 2, 1), (6, 8, 3, 2, 1), (7, 9, 3, 1, 2), (5, 7, 5, 1, 1)],
)
def test_value_and_gradients(monkeypatch, height, width, size, stride, dilation):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, height, width, 4)).astype(np.float32)
    kernel = rng.standard_normal((size, size, 1, 4)).astype(np.float32)

    def both(form):
        with monkeypatch.context() as patch:
            patch.setattr(jax.lax, "platform_dependent", lambda *args, **forms: forms[form](*args))
            return jax.value_and_grad(
                lambda x, kernel: jnp.sum(
                    jnp.sin(depthwise(x, kernel, stride=stride, dilation=dilation))
                ),
                (0, 1),
            )(x, kernel)

    expected = jax.tree.leaves(both("default"))
    for form in ("cpu", "tpu"):
        for one, other in zip(jax.tree.leaves(both(form)), expected):
            np.testing.assert_allclose(one, other, atol=2e-5)
