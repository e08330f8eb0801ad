"""A recipe's networks as one: several models, each with its augmentations, fused frame by frame.

A recipe names them in `config.members`, {name: {family, model, weights, tta}}, of which
`config.only` picks one; without members it is one network, with the recipe's own `tta`.
"""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_collections

from vosjax.compose import combinators, views
from vosjax.errors import InputError
from vosjax.loading import pretrained
from vosjax.loading.pretrained import Loaded
from vosjax.types import Model, Vos
from vosjax.voting.fusion import keypoint_fusion
from vosjax.voting.keypoints import METHODS

AVERAGES = {"mean": combinators.mean, "max": combinators.confidence_weighted}
WAYS = (*AVERAGES, "keypoints")
TTA = {"flip": False, "scales": (1.0,), "short": None}


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


def of_config(config) -> Loaded:
    """The network of a recipe: `pretrained.of_config` where it is a single one without views.

    Raises:
      InputError: a member without weights, or with those of another network; an unknown kind of
        fusion or feedback, or augmentation.
    """
    fused = fusion_of(config)  # before anything is computed, as voting wants it
    found = _members(config)
    if len(found) == 1 and _plain(found[0][1]):
        return found[0][0]
    views = [_viewed(loaded, tta) for loaded, tta in found]
    first = found[0][0]
    if len(found) == 1:
        network, params = views[0], first.params
    else:
        network = _ensemble(views, config, fused)
        params = tuple(loaded.params for loaded, _ in found)
    return Loaded(Model(network, None, None, None), params, _card(found), _config(found, config))


def parts(config) -> Parts:
    """The same network in parts, of which each keeps its own memory.

    Raises:
      InputError: as `of_config`; the recipe wants fused feedback or voting along the video, which
        tie the parts together.
    """
    fusion_of(config)
    members, name = _members(config), config.get("fuse", "mean")
    for field, tied in (
        ("feedback", config.get("feedback", "own") != "own"),
        ("fuse", name not in AVERAGES and len(members) > 1),
    ):
        if tied:
            raise InputError(
                f"config.{field} is {config[field]!r}, so the members cannot run "
                "apart; set config.eval.spread to False"
            )
    single = [
        Part(vos, loaded.params, number)
        for number, (loaded, tta) in enumerate(members)
        for vos in _checked(views.separate_views, loaded.model.vos, tta)
    ]
    return Parts(single, AVERAGES.get(name, combinators.mean))


def _members(config) -> list[tuple[Loaded, dict]]:
    """Every model with its augmentations."""
    members = config.get("members")
    if not members:
        return [(pretrained.of_config(config), _tta(config.get("tta"), "config.tta"))]
    only = config.get("only")
    if only and only not in members:
        raise InputError(f"config.only is {only!r}; the members are {', '.join(members)}")
    found = []
    for name, member in members.items():
        if only and name != only:
            continue
        known = {"family", "model", "weights", "tta", "top_k", "dtype"}
        if set(member) - known:
            raise InputError(
                f"config.members.{name} has {sorted(set(member) - known)}; a member "
                f"has {', '.join(sorted(known))}"
            )
        own = ml_collections.ConfigDict({"model": {}, "dtype": config.get("dtype"), **member})
        own.unlock()
        own.gap, own.limit = config.get("gap"), config.get("limit")
        try:
            loaded = pretrained.of_config(own)
        except InputError as error:
            raise InputError(f"member {name!r}: {error}") from error
        found.append(
            (loaded, _tta(member.get("tta") or config.get("tta"), f"config.members.{name}.tta"))
        )
    return found


def _tta(given, where) -> dict:
    given = dict(given or {})
    if set(given) - set(TTA):
        raise InputError(f"{where} has {sorted(set(given) - set(TTA))}; it has {', '.join(TTA)}")
    tta = TTA | given
    return tta | {"scales": tuple(float(scale) for scale in tta["scales"])}


def _plain(tta) -> bool:
    return tta["scales"] == (1.0,) and not tta["flip"] and tta["short"] is None


def _viewed(loaded, tta) -> Vos:
    return _checked(views.views, loaded.model.vos, tta)


def _checked(make, vos, tta):
    try:
        return make(vos, **tta)
    except ValueError as error:
        raise InputError(str(error)) from error


def fusion(name: str, *, method: str = "sift") -> combinators.Fusion:
    """How members are fused.

    Args:
      name: of `WAYS`: 'mean', 'max' (`compose.surest`) or 'keypoints' (`voting.fusion.keypoint_fusion`).
      method: key points: 'sift' or 'orb'.

    Raises:
      InputError: an unknown one of either.
    """
    if name not in WAYS:
        raise InputError(f"config.fuse is {name!r}; there are {', '.join(WAYS)}")
    if name in AVERAGES:
        return combinators.stateless(AVERAGES[name])
    if method not in METHODS:
        raise InputError(f"config.keypoints is {method!r}; there are {', '.join(METHODS)}")
    return keypoint_fusion(method)


def fusion_of(config) -> combinators.Fusion:
    """`fusion` of a recipe; errors likewise."""
    return fusion(config.get("fuse", "mean"), method=config.get("keypoints", "sift"))


def _ensemble(views, config, fused) -> Vos:
    try:
        return combinators.ensemble(views, feedback=config.get("feedback", "own"), fusion=fused)
    except ValueError as error:
        raise InputError(str(error)) from error


def _card(found) -> dict:
    cards = [loaded.card for loaded, _ in found]
    if len(cards) == 1:
        return cards[0]
    total = hashlib.sha256("".join(card.get("sha256", "") for card in cards).encode())
    return {"family": "ensemble", "sha256": total.hexdigest(), "members": cards}


def _config(found, config) -> dict:
    first = found[0][0].config
    described = [
        {"family": loaded.config["family"], "model": loaded.config["model"], "tta": tta}
        for loaded, tta in found
    ]
    if len(found) == 1:
        return first | {"model": first["model"] | {"tta": found[0][1]}}
    return first | {
        "family": "ensemble",
        "model": {
            "members": described,
            "fuse": config.get("fuse", "mean"),
            "keypoints": config.get("keypoints", "sift"),
            "feedback": config.get("feedback", "own"),
        },
    }
