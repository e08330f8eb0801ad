"""A config's members become one network; what does not fit is named."""

import jax
import jax.numpy as jnp
import ml_collections
import pytest
from support import toy

from vosjax import models
from vosjax.compose import combinators, views
from vosjax.config import named, network, opened, parsed
from vosjax.errors import InputError
from vosjax.loading import ensembles, pretrained
from vosjax.tracking import step as tracking
from vosjax.tracking.step import MemoryClock
from vosjax.types import Prompt, Spec


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    """Every member is a toy, with the settings that it was loaded with."""

    def single_network(config, **changes):
        if not config.weights:
            raise InputError("this config has no weights")
        loaded = toy.model()
        return loaded._replace(
            card={"sha256": config.weights},
            config=loaded.config | {"family": config.family, "model": config.settings},
        )

    monkeypatch.setattr(pretrained, "single_network", single_network)


def members(**changes):
    """A config of two members, with some fields changed."""
    made = network()
    made.members = {name: {"family": name, "weights": name} for name in ("a", "b")}
    values = {**made, **changes}
    return parsed(ml_collections.ConfigDict(values))


def test_without_views_or_members_it_is_the_network_itself():
    config = network("toy")
    config.weights = "w"
    assert ensembles.composed_network(parsed(config)).config["family"] == "toy"


def test_members_and_views_become_one_network():
    loaded = ensembles.composed_network(members(tta={"flip": True, "scales": (1.0, 1.3)}))
    assert len(loaded.params) == 2 and loaded.config["family"] == "ensemble"
    assert [member["family"] for member in loaded.config["model"]["members"]] == ["a", "b"]
    assert loaded.config["model"]["members"][0]["tta"]["scales"] == [1.0, 1.3]
    assert len(loaded.card["sha256"]) == 64 and loaded.config["mem_every"] == 2


def test_a_member_can_have_views_of_its_own():
    own = {"a": {"family": "a", "weights": "a", "tta": {"flip": True}}}
    config = members(members={**own, "b": {"family": "b", "weights": "b"}})
    flips = [
        m["tta"]["flip"] for m in ensembles.composed_network(config).config["model"]["members"]
    ]
    assert flips == [True, False]


def test_parts_are_all_views_of_all_members():
    apart = ensembles.parts(members(tta={"flip": True, "scales": (1.0, 1.3)}))
    assert [part.member for part in apart.parts] == [0] * 4 + [1] * 4


def test_one_member_can_run_alone():
    assert ensembles.composed_network(members(only="b")).config["family"] == "b"


def test_parts_with_fused_feedback_are_refused():
    with pytest.raises(InputError, match="cannot run apart"):
        ensembles.parts(members(feedback="fused"))


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"fuse": "median"}, "'median'; there are mean, max, keypoints"),
        ({"feedback": "none"}, "feedback is 'none'; there are own, fused"),
        ({"only": "c"}, "'c'; the members are a, b"),
        ({"tta": {"angles": 3}}, "angles"),
        ({"tta": {"scales": ()}}, "at least one is expected"),
        ({"tta": {"scales": (1.0, 0.0)}}, r"scales\[1\] is 0.0; a number above 0 and at most 16"),
        (
            {"members": {"a": {"family": "a", "weights": ""}}},
            "member 'a': this config has no weights",
        ),
        ({"members": {"a": {"family": "a", "wheights": ""}}}, "wheights"),
    ],
)
def test_what_does_not_fit_is_named(changes, words):
    with pytest.raises(InputError, match=words):
        ensembles.composed_network(members(**changes))


def test_the_paper_s_entry_has_eighteen_views():
    made = named("ensemble_2022")
    for name, member in made.members.items():
        member.weights = name
    config = parsed(made)
    apart = ensembles.parts(config)
    assert len(apart.parts) == 18 and apart.fuse is combinators.mean
    assert config.members["aot"].model["encoder"].startswith("swin") and config.balance == 30


def test_augmentation_of_one_network_is_told_in_its_config():
    config = opened("tta_aot_r50", ["weights=w"])
    recorded = ensembles.composed_network(config).config["model"]["tta"]
    assert recorded == {"flip": True, "scales": [1.2, 1.3, 1.4], "max_short_side": 480}
    assert len(ensembles.parts(config).parts) == 6


def test_three_families_keep_their_state_s_shape_in_one_step():
    """Traced only: shapes are what may not fit between families."""
    several = opened("ensemble_2022").members
    built = [models.build(name, **several[name].settings) for name in ("stcn", "famnet")]
    built.append(models.build("aot", layers=1))
    params = tuple(jax.eval_shape(model.init_params, jax.random.PRNGKey(0)) for model in built)
    vos = combinators.ensemble([views.views(model.vos) for model in built])

    def step(params, state, frame, labels):
        clock = MemoryClock(*[jnp.int32(0)] * 3)
        prompt = Prompt(labels, jnp.array([True, False]))
        answer = tracking.step(vos, params, state, frame, prompt, clock)
        return answer.state, answer.probs

    spec = Spec(50, 70, 2, 3)
    state = jax.eval_shape(lambda params: vos.init(params, spec), params)
    after, probs = jax.eval_shape(
        step, params, state, jnp.zeros((50, 70, 3)), jnp.zeros((50, 70), jnp.int32)
    )
    assert probs.shape == (3, 50, 70)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), after) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), state
    )
