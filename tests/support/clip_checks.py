"""Checks of every identification network over a whole clip of its reference."""

import numpy as np
import pytest

from support import aot_goldens as aot
from support import tolerances


class Case:
    """A golden and our run over its clip with the stored labels fed back."""

    def __init__(self, name, net, folder="aot", *, objects=None):
        self.name, self.net, self.folder = name, net, folder
        self.golden, self.meta = aot.load(name, folder)
        self.layers = self.meta["lstt_layers"]
        self.frames, masks = aot.clip(self.meta["clip"])
        self.first, self.objects = masks[0], objects or self.meta["objects"]
        self.steps = range(1, len(self.frames))
        labels = [None, *(self.golden[f"pred/t{t}"] for t in self.steps)]
        self.states, self.seen = zip(*((state, seen) for _, state, seen in self.run(labels)))

    def run(self, labels):
        return aot.run(
            self.net,
            self.frames,
            self.first,
            labels,
            objects=self.objects,
            gap=self.meta["long_term_mem_gap"],
        )

    def alone(self):
        """(t, share of pixels with another label) on own predictions."""
        for t, _, seen in self.run([None] * len(self.frames)):
            if t:
                yield t, self.flipped(t, seen)

    def flipped(self, t, seen):
        return np.mean(np.asarray(seen.logits).argmax(0) != self.golden[f"pred/t{t}"])

    def limit(self, part):
        return tolerances.limit(self.folder, self.name, part)

    def off(self, tokens, member, stride):
        want = self.golden[member]
        return aot.difference(aot.maps(tokens, want.shape[1:], stride), want)

    def has(self, prefix):
        return any(member.startswith(prefix) for member in self.golden)


class Checks:
    """The tests of every family; a module has a fixture `case`."""

    def entries(self, stored, layer):
        """(the golden's name, tokens) of what the bank's first slot holds of a layer."""
        yield from (("K", stored["k"][0, layer]), ("V", stored["v"][0, layer]))

    def test_encoder_maps(self, case):
        if not case.has("enc/"):
            pytest.skip("the golden of this name without '_obj3' holds the same encoder's maps")
        for ours, theirs in (("f4", "f4"), ("f8", "f8"), ("f16", "f16"), ("deep", "last")):
            got = np.asarray(getattr(case.seen[1].features.maps, ours))
            got = got[..., :: max(1, got.shape[-1] // 64)].transpose(2, 0, 1)
            assert aot.difference(got, case.golden[f"enc/{theirs}"]) <= case.limit("enc")
        assert case.off(case.seen[1].features.tokens, "enc/proj", 2) <= case.limit("enc")

    def test_memory_after_the_reference(self, case):
        for layer in range(case.layers) if case.has("mem/") else ():
            for member, tokens in self.entries(case.states[0].long.data, layer):
                assert case.off(tokens, f"mem/t0/l{layer}/{member}", 8) <= case.limit("mem")

    def test_outputs_of_every_frame_and_layer(self, case):
        for t in case.steps:
            for layer in range(case.layers) if case.has("mem/") else (case.layers - 1,):
                got = case.seen[t].outputs[layer]
                assert case.off(got, f"lstt/t{t}/l{layer}", got.shape[-1] // 128) <= (
                    case.limit("lstt")
                )

    def test_logits_of_every_frame(self, case):
        for t in case.steps:
            assert aot.difference(case.seen[t].logits4, case.golden[f"logits/t{t}"]) <= (
                case.limit("logits")
            )

    def test_memory_holds_the_references_frames(self, case):
        used = [int(case.states[t - 1].long.valid.sum()) for t in case.steps]
        remembered = case.golden.get(
            "mem_frames_used", np.array([1, 1, 2, 2])
        )  # all of AOST's ran so
        assert used == remembered.tolist()
