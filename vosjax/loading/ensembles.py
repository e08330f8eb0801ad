"""A config's networks as one: several models, each with its augmentations, fused frame by frame.

A config names them in `config.members`, {name: `MemberConfig`}, of which `config.only` picks one;
without members it is one network, with the config's own `tta`.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from vosjax.compose import combinators, views
from vosjax.compose.config import ViewsConfig
from vosjax.errors import InputError
from vosjax.loading import pretrained
from vosjax.loading.config import FUSIONS, MemberConfig, NetworkConfig
from vosjax.loading.pretrained import Loaded
from vosjax.schema import plain
from vosjax.types import Model, Vos
from vosjax.voting.fusion import keypoint_fusion
from vosjax.voting.keypoints import METHODS

AVERAGES = {"mean": combinators.mean, "max": combinators.confidence_weighted}


class Part(NamedTuple):
    """One view of one member, which can run on its own.

    vos     the network
    params  its weights
    member  number of the model it is a view of
    """

    vos: Vos
    params: Any
    member: int


class Parts(NamedTuple):
    """An ensemble in parts.

    parts  list of `Part`
    fuse   probabilities [members, N+1, H, W] -> [N+1, H, W]; a member's own views are averaged
    """

    parts: list[Part]
    fuse: Callable


def of_config(config: NetworkConfig) -> Loaded:
    """The network of a config: `pretrained.of_config` where it is a single one without views.

    Raises:
      InputError: a member without weights, or with those of another network; a setting that the
        family does not know.
    """
    fused = fusion_of(config)  # before anything is computed, as voting wants it
    members = _members(config)
    first, tta = members[0]
    if len(members) == 1 and tta == ViewsConfig():
        return first
    viewed = [views.views(loaded.model.vos, **vars(tta)) for loaded, tta in members]
    if len(members) == 1:
        network, params = viewed[0], first.params
    else:
        network = combinators.ensemble(viewed, feedback=config.feedback, fusion=fused)
        params = tuple(loaded.params for loaded, _ in members)
    model = Model(network, None, None, None)  # type: ignore[arg-type]  # it cannot be trained
    return Loaded(model, params, _card(members), _described(members, config))


def parts(config: NetworkConfig) -> Parts:
    """The same network in parts, of which each keeps its own memory.

    Raises:
      InputError: as `of_config`; the config wants fused feedback or voting along the video, which
        tie the parts together.
    """
    fusion_of(config)
    members = _members(config)
    for field, tied in (
        ("feedback", config.feedback != "own"),
        ("fuse", config.fuse not in AVERAGES and len(members) > 1),
    ):
        if tied:
            raise InputError(
                f"config.{field} is {getattr(config, field)!r}, so the members cannot run "
                "apart; set config.eval.spread to False"
            )
    single = [
        Part(vos, loaded.params, number)
        for number, (loaded, tta) in enumerate(members)
        for vos in views.separate_views(loaded.model.vos, **vars(tta))
    ]
    return Parts(single, AVERAGES.get(config.fuse, combinators.mean))


def chosen(config: NetworkConfig) -> dict[str, MemberConfig]:
    """{name: member} of a config's members, or of the one that `only` picks; {} without members.

        members = chosen(NetworkConfig())

    Raises:
      InputError: there is no such member.
    """
    if config.only and config.only not in config.members:
        raise InputError(
            f"config.only is {config.only!r}; the members are {', '.join(config.members) or 'none'}"
        )
    return {name: member for name, member in config.members.items() if config.only in ("", name)}


def _members(config: NetworkConfig) -> list[tuple[Loaded, ViewsConfig]]:
    """Every model with its augmentations."""
    memory = dict(mem_every=config.mem_every, max_mem_frames=config.max_mem_frames)
    if not chosen(config):
        return [(pretrained.of_config(config, dtype=config.dtype, **memory), config.tta)]
    loaded = []
    for name, member in chosen(config).items():
        try:
            model = pretrained.of_config(member, dtype=member.dtype or config.dtype, **memory)
        except InputError as error:
            raise InputError(f"member {name!r}: {error}") from error
        loaded.append((model, member.tta or config.tta))
    return loaded


def fusion(name: str, *, method: str = "sift") -> combinators.Fusion:
    """How members are fused.

        fused = fusion("mean")

    Args:
      name: 'mean', 'max' (`combinators.confidence_weighted`) or 'keypoints'
        (`voting.fusion.keypoint_fusion`).
      method: key points: 'sift' or 'orb'.

    Raises:
      InputError: an unknown one of either.
    """
    if name not in FUSIONS:
        raise InputError(f"config.fuse is {name!r}; there are {', '.join(FUSIONS)}")
    if name in AVERAGES:
        return combinators.stateless(AVERAGES[name])
    if method not in METHODS:
        raise InputError(f"config.keypoints is {method!r}; there are {', '.join(METHODS)}")
    return keypoint_fusion(method)


def fusion_of(config: NetworkConfig) -> combinators.Fusion:
    """`fusion` of a config.

    fused = fusion_of(NetworkConfig(fuse="max"))
    """
    return fusion(config.fuse, method=config.keypoints)


def _card(members: Sequence[tuple[Loaded, ViewsConfig]]) -> dict:
    cards = [loaded.card for loaded, _ in members]
    if len(cards) == 1:
        return cards[0]
    total = hashlib.sha256("".join(card.get("sha256", "") for card in cards).encode())
    return {"family": "ensemble", "sha256": total.hexdigest(), "members": cards}


def _described(members: Sequence[tuple[Loaded, ViewsConfig]], config: NetworkConfig) -> dict:
    """What `Loaded.config` says of several networks, or of one with views."""
    (first, tta), *others = members
    if not others:
        return first.config | {"model": first.config["model"] | {"tta": plain(tta)}}
    return first.config | {
        "family": "ensemble",
        "model": {
            "members": [
                {"family": one.config["family"], "model": one.config["model"], "tta": plain(views)}
                for one, views in members
            ],
            "fuse": config.fuse,
            "keypoints": config.keypoints,
            "feedback": config.feedback,
        },
    }
