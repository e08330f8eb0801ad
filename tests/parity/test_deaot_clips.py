"""DeAOT over whole clips: encoder, memory, propagation, logits and labels of the reference."""

import functools

import aot_goldens as aot
import jax
import numpy as np
import pytest
import tolerances

from vosjax import models
from vosjax.io import convert
from vosjax.io.weights import nest
from vosjax.models.aot.identity import CHANNELS, IdentityBank

FAST = ("deaott_97x129", "r50_deaotl_97x129")
SLOW = ("deaott_129x161", "r50_deaotl_129x161")
EVERY = [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


@functools.lru_cache(maxsize=None)
def network(name, layers, top_k):
    """A model with a reference's weights, strictly converted, and its compiled step."""
    model = models.build("deaot", encoder=aot.encoder_of(name), layers=layers, top_k=top_k)
    expected = {path: (shape, np.dtype("float32")) for path, shape in aot.goldens.shapes(
        jax.eval_shape(model.fresh, jax.random.key(0))).items()}
    flat = convert.convert(aot.rebuilt(name), model.names, expected=expected)
    return aot.Network(model, nest(flat), jax.jit(functools.partial(aot.step, model)))


class Case:
    """A golden and our run over its clip with the stored labels fed back."""

    def __init__(self, name):
        self.name = name
        self.golden, self.meta = aot.load(name)
        self.layers = self.meta["lstt_layers"]
        self.net = network(self.meta["model"], self.layers, self.meta["long_term_top_k"])
        self.frames, masks = aot.clip(self.meta["clip"])
        self.first, self.objects = masks[0], self.meta["objects"]
        self.grid = self.golden["id_emb/t0"].shape[1:]
        self.steps = range(1, len(self.frames))
        self.labels = [None, *(self.golden[f"pred/t{t}"] for t in self.steps)]
        self.states, self.seen = zip(*((state, seen) for _, state, seen in self.run(self.labels)))

    def run(self, labels):
        return aot.run(self.net, self.frames, self.first, labels, objects=self.objects,
                       gap=self.meta["long_term_mem_gap"])

    def limit(self, part):
        return tolerances.limit("aot", self.name, part)

    def off(self, tokens, member, stride):
        return aot.difference(aot.maps(tokens, self.grid, stride), self.golden[member])


@pytest.fixture(scope="module", params=EVERY)
def case(request):
    return Case(request.param)


@pytest.mark.parametrize("member", ["f4", "f8", "f16", "last"])
def test_encoder_maps(case, member):
    got = np.asarray(getattr(case.seen[1].features.maps, "deep" if member == "last" else member))
    got = got[..., ::max(1, got.shape[-1] // 64)].transpose(2, 0, 1)
    assert aot.difference(got, case.golden[f"enc/{member}"]) <= case.limit("enc")


def test_projected_map(case):
    assert case.off(case.seen[1].features.tokens, "enc/proj", 2) <= case.limit("enc")


def test_identity_embedding_is_normed(case):
    bank = case.net.params["identity"]
    got = jax.jit(lambda labels: IdentityBank(case.meta["align_corners"], True)
                  .apply({"params": bank}, jax.nn.one_hot(labels, CHANNELS)))(case.first)
    assert case.off(got, "id_emb/t0", 4) <= case.limit("id_emb")


def test_memory_after_the_reference(case):
    stored = case.states[0].long.data
    for layer in range(case.layers):
        value, identity = np.split(np.asarray(stored[layer]["v"][0]), 2, -1)
        for got, member in ((stored[layer]["k"][0], "K"), (value, "V"), (identity, "ID_V")):
            assert case.off(got, f"mem/t0/l{layer}/{member}", 8) <= case.limit("mem")


def test_outputs_of_every_frame_and_layer(case):
    for t in case.steps:
        for layer in range(case.layers):
            got = case.seen[t].outputs[layer]
            assert case.off(got, f"lstt/t{t}/l{layer}", got.shape[-1] // 128) <= case.limit("lstt")


def test_logits_of_every_frame(case):
    for t in case.steps:
        assert aot.difference(case.seen[t].logits4, case.golden[f"logits/t{t}"]) <= (
            case.limit("logits"))


def test_memory_holds_the_references_frames(case):
    used = [int(case.states[t - 1].long.valid.sum()) for t in case.steps]
    assert used == case.golden["mem_frames_used"].tolist()


def test_labels_of_the_clip_on_own_predictions(case):
    wrong = [np.mean(np.asarray(seen.logits).argmax(0) != case.golden[f"pred/t{t}"])
             for t, _, seen in case.run([None] * len(case.frames)) if t]
    assert max(wrong) <= tolerances.FLIPPED
