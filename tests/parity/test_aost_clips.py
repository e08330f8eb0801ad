"""AOST at every depth, with and without masked slots, and AOTv2 over whole clips."""

import aost_goldens as aost
import aot_goldens as aot
import numpy as np
import pytest
import tolerances

FAST = ("aost_d1_97x129", "aost_d1_obj3_97x129", "aost_d2_97x129", "aost_d2_obj3_97x129",
        "aost_d3_97x129", "aost_d3_obj3_97x129", "r50_aotv2l_97x129")
SLOW = ("r50_aost_d1_97x129", "r50_aost_d1_obj3_97x129", "r50_aost_d2_97x129",
        "r50_aost_d2_obj3_97x129", "r50_aost_d3_97x129", "r50_aost_d3_obj3_97x129",
        "swinb_aotv2l_96x128")
EVERY = [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
SLOTS = 10


class Case:
    """A golden and our run over its clip with the stored labels fed back."""

    def __init__(self, name):
        self.name = name
        self.golden, self.meta = aost.load(name)
        self.net = aost.of(name, self.meta)
        frames, masks = aot.clip(self.meta["clip"])
        self.steps = range(1, len(frames))
        self.masked = self.meta["highest_live_identity"] == self.meta["objects"]
        labels = [None, *(self.golden[f"pred/t{t}"] for t in self.steps)]
        objects = self.meta["objects"] if self.masked else SLOTS
        told = aot.run(self.net, frames, masks[0], labels, objects=objects,
                       gap=self.meta["long_term_mem_gap"])
        self.states, self.seen = zip(*((state, seen) for _, state, seen in told))

    def limit(self, part):
        return tolerances.limit("aost", self.name, part)

    def off(self, tokens, member, stride):
        want = self.golden[member]
        return aot.difference(aot.maps(tokens, want.shape[1:], stride), want)

    def has(self, prefix):
        return any(member.startswith(prefix) for member in self.golden)


@pytest.fixture(scope="module", params=EVERY)
def case(request):
    return Case(request.param)


def test_encoder_maps(case):
    if not case.has("enc/"):
        pytest.skip("the golden of this name without '_obj3' holds the same encoder's maps")
    for ours, theirs in (("f4", "f4"), ("f8", "f8"), ("f16", "f16"), ("deep", "last")):
        got = np.asarray(getattr(case.seen[1].features.maps, ours))
        got = got[..., ::max(1, got.shape[-1] // 64)].transpose(2, 0, 1)
        assert aot.difference(got, case.golden[f"enc/{theirs}"]) <= case.limit("enc")


def test_memory_after_the_reference_has_the_depths_layers(case):
    stored = case.states[0].long.data
    assert stored["k"].shape[1] == case.meta["lstt_layers"]
    for layer in range(case.meta["lstt_layers"]) if case.has("mem/") else ():
        for ours, theirs in (("k", "K"), ("v", "V")):
            got = stored[ours][0, layer]
            assert case.off(got, f"mem/t0/l{layer}/{theirs}", 8) <= case.limit("mem")


def test_lstt_outputs_of_every_frame(case):
    last = case.meta["lstt_layers"] - 1
    for t in case.steps:
        for layer in range(last + 1) if case.has("mem/") else (last,):
            got = case.seen[t].outputs[layer]
            assert case.off(got, f"lstt/t{t}/l{layer}", 2) <= case.limit("lstt")


def test_logits_of_every_frame(case):
    for t in case.steps:
        assert aot.difference(case.seen[t].logits4, case.golden[f"logits/t{t}"]) <= (
            case.limit("logits"))


def test_labels_of_every_frame(case):
    wrong = [np.mean(np.asarray(case.seen[t].logits).argmax(0) != case.golden[f"pred/t{t}"])
             for t in case.steps]
    assert max(wrong) <= tolerances.FLIPPED


def test_memory_holds_the_references_frames(case):
    used = [int(case.states[t - 1].long.valid.sum()) for t in case.steps]
    if "mem_frames_used" in case.golden:
        assert used == case.golden["mem_frames_used"].tolist()
    assert used == [1, 1, 2, 2]
