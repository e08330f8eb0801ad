"""DeAOT over whole clips: encoder, memory, propagation, logits and labels of the reference."""

import jax
import numpy as np
import pytest
from support import aot_goldens as aot
from support import clip_checks, tolerances

from vosjax.models.aot.identity import CHANNELS, IdentityBank

FAST = ("deaott_97x129", "r50_deaotl_97x129")
SLOW = ("deaott_129x161", "r50_deaotl_129x161")
EVERY = [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


@pytest.fixture(scope="module", params=EVERY)
def case(request):
    _, meta = aot.load(request.param)
    return clip_checks.Case(request.param, aot.of(meta))


class TestDeaot(clip_checks.Checks):
    def entries(self, stored, layer):
        value, identity = np.split(np.asarray(stored[layer]["v"][0]), 2, -1)
        yield from (("K", stored[layer]["k"][0]), ("V", value), ("ID_V", identity))

    def test_identity_embedding_is_normed(self, case):
        bank = case.net.params["identity"]
        got = jax.jit(
            lambda labels: IdentityBank(case.meta["align_corners"], True).apply(
                {"params": bank}, jax.nn.one_hot(labels, CHANNELS)
            )
        )(case.first)
        assert case.off(got, "id_emb/t0", 4) <= case.limit("id_emb")

    def test_labels_of_the_clip_on_own_predictions(self, case):
        assert max(wrong for _, wrong in case.alone()) <= tolerances.FLIPPED
