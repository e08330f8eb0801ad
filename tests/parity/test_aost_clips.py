"""AOST at every depth, with and without masked slots, and AOTv2 over whole clips."""

import pytest
from support import aost_goldens as aost
from support import clip_checks, tolerances

FAST = (
    "aost_d1_97x129",
    "aost_d2_97x129",
    "aost_d3_97x129",
    "aost_d3_obj3_97x129",
    "r50_aotv2l_97x129",
)
SLOW = (
    "aost_d1_obj3_97x129",
    "aost_d2_obj3_97x129",
    "r50_aost_d1_97x129",
    "r50_aost_d1_obj3_97x129",
    "r50_aost_d2_97x129",
    "r50_aost_d2_obj3_97x129",
    "r50_aost_d3_97x129",
    "r50_aost_d3_obj3_97x129",
    "swinb_aotv2l_96x128",
)
EVERY = [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
SLOTS = 10


@pytest.fixture(scope="module", params=EVERY)
def case(request):
    _, meta = aost.load(request.param)
    masked = meta["highest_live_identity"] == meta["objects"]
    return clip_checks.Case(
        request.param, aost.of(request.param, meta), aost.FOLDER, objects=None if masked else SLOTS
    )


class TestAost(clip_checks.Checks):
    def test_memory_has_the_depths_layers(self, case):
        assert case.states[0].long.data["k"].shape[1] == case.layers

    def test_labels_of_every_frame(self, case):
        wrong = [case.flipped(t, case.seen[t]) for t in case.steps]
        assert max(wrong) <= tolerances.FLIPPED
