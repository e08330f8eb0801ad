"""Builds the network of a config: one model, or several that are fused frame by frame.

The members of an ensemble are `config.members`, {name: `MemberConfig`}, each with its test-time
augmentation; `config.only` selects one of them. Without members, the config is one network with
its own `tta`.
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
    member  number of the member that it is a view of
    """

    vos: Vos
    params: Any
    member: int


class Parts(NamedTuple):
    """An ensemble in parts.

    parts  the views of all members
    fuse   fuses probabilities [members, N+1, H, W] -> [N+1, H, W], after each member's views have
           been averaged
    """

    parts: list[Part]
    fuse: Callable


def composed_network(config: NetworkConfig) -> Loaded:
    """Builds the network of a config, with its members, their views and the fusion.

        loaded = composed_network(NetworkConfig(weights="default"))

    A single network without views is the result of `pretrained.single_network`.

    Raises:
        InputError: a member has no weights, or those of another network; a setting is unknown to
            the family.
    """
    fused = fusion_of(config)  # first: voting sizes XLA's thread pool, which starts with an array
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
    """Builds the network of a config in parts, each with its own memory.

        network = parts(NetworkConfig(weights="default"))

    Raises:
        InputError: as for `composed_network`; or the config asks for fused feedback or for voting
            along the video, so that its members depend on each other.
    """
    fusion_of(config)
    members = _members(config)
    for field, dependent in (
        ("feedback", config.feedback != "own"),
        ("fuse", config.fuse not in AVERAGES and len(members) > 1),
    ):
        if dependent:
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
    """Returns {name: member} for a config's members, or for the one that `only` selects.

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
    """Loads every member, and returns it with its test-time augmentation."""
    memory = dict(mem_every=config.mem_every, max_mem_frames=config.max_mem_frames)
    if not chosen(config):
        return [(pretrained.single_network(config, dtype=config.dtype, **memory), config.tta)]
    loaded = []
    for name, member in chosen(config).items():
        try:
            model = pretrained.single_network(member, dtype=member.dtype or config.dtype, **memory)
        except InputError as error:
            raise InputError(f"member {name!r}: {error}") from error
        loaded.append((model, member.tta or config.tta))
    return loaded


def fusion(name: str, *, method: str = "sift") -> combinators.Fusion:
    """Returns the fusion of this name.

        fused = fusion("mean")

    Args:
        name: 'mean', 'max' (`combinators.confidence_weighted`) or 'keypoints'
            (`voting.fusion.keypoint_fusion`).
        method: for 'keypoints', the kind of key points: 'sift' or 'orb'.

    Raises:
        InputError: the name or the method is unknown.
    """
    if name not in FUSIONS:
        raise InputError(f"config.fuse is {name!r}; there are {', '.join(FUSIONS)}")
    if name in AVERAGES:
        return combinators.stateless(AVERAGES[name])
    if method not in METHODS:
        raise InputError(f"config.keypoints is {method!r}; there are {', '.join(METHODS)}")
    return keypoint_fusion(method)


def fusion_of(config: NetworkConfig) -> combinators.Fusion:
    """Returns the `fusion` of a config.

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
    """Returns `Loaded.config` for several networks, or for one with views."""
    (first, tta), *others = members
    if not others:
        return first.config | {"model": first.config["model"] | {"tta": plain(tta)}}
    return first.config | {
        "family": "ensemble",
        "model": {
            "members": [
                {
                    "family": member.config["family"],
                    "model": member.config["model"],
                    "tta": plain(views),
                }
                for member, views in members
            ],
            "fuse": config.fuse,
            "keypoints": config.keypoints,
            "feedback": config.feedback,
        },
    }
