"""`--mode summary`: a network's weights, operations, activations and bytes, without any weights.

Everything follows from shapes; nothing is computed or compiled.
"""

import functools
import pathlib
import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax import cost, models
from vosjax.compose.config import ViewsConfig
from vosjax.config import Config
from vosjax.io.files import write_json
from vosjax.io.terminal import say
from vosjax.layers.precision import cast
from vosjax.loading import ensembles, pretrained
from vosjax.loading.config import WeightsConfig
from vosjax.modes import Options
from vosjax.types import Model, Spec, When

FLAGS = ("output",)
FIELDS = ("family", "model", "members", "only", "dtype", "tta", "summary")
ALSO = ("top_k", "weights")


class Shapes(NamedTuple):
    """The shapes of a network's arrays."""

    params: Any
    state: Any
    frame: Any
    features: Any
    aux: Any
    probs: Any


def run(config: Config, options: Options) -> int:
    """Prints the summary of the config's network, or of all members of an ensemble.

    If `options.output` is named, it is written there as JSON, too.

    Raises:
        InputError: a setting is impossible, or there is neither a network nor weights.
    """
    members: dict[str, WeightsConfig] = {**ensembles.chosen(config)} or {"": config}
    facts = {}
    for name, member in members.items():
        views = getattr(member, "tta", None) or config.tta
        facts[name] = described(member, config, views)
        say(*([f"member {name}:"] if name else []), *lines(facts[name]), *([""] if name else []))
    if len(facts) > 1:
        say(*totals(facts))
    if options.output:
        path = pathlib.Path(options.output) / "summary.json"
        write_json(path, facts[""] if "" in facts else {"members": facts})
        say(f"{path}: the same as json")
    return 0


def described(member: WeightsConfig, config: Config, views: ViewsConfig) -> dict:
    """Returns the facts about one network, for the frame of `config.summary`.

    facts = described(config, config, config.tta)
    """
    frame, (model, dtype) = config.summary, network(member, member.dtype or config.dtype)
    slots = frame.objects if model.vos.slots is None else min(frame.objects, model.vos.slots)
    spec = Spec(*model.vos.size(frame.height, frame.width), slots, frame.memory)
    traced = shapes(model, spec, dtype)
    groups = -(-frame.objects // slots)
    return {
        "family": member.family or "that of the weights",
        "dtype": dtype,
        "model": member.settings,
        "views": len(views.scales) * (2 if views.flip else 1),
        "frame": [frame.height, frame.width],
        "network": [spec.height, spec.width],
        "objects": frame.objects,
        "memory": frame.memory,
        "groups": groups,
        "parameters": parameters(model, traced.params),
        "cost": costs(model, traced, groups),
        "maps": maps(traced.features),
        "bytes": byte_counts(model, traced, spec, dtype, groups),
    }


def network(member: WeightsConfig, dtype: str) -> tuple[Model, str]:
    """Builds a config's model, whose family its weights may tell; returns it with its dtype.

    model, dtype = network(config, "float32")
    """
    if not member.family:
        loaded = pretrained.single_network(member, dtype=dtype)
        return loaded.model, loaded.config["dtype"]
    return models.build(member.family, **member.settings), dtype


def totals(facts: dict[str, dict]) -> list[str]:
    """Returns lines on the cost of all members of an ensemble, each counted once for every view.

    text = totals({"aot": aot_facts, "stcn": stcn_facts})
    """
    views = {name: one["views"] for name, one in facts.items()}
    flops = sum(one["views"] * one["cost"]["frame"]["flops"] for one in facts.values())
    weights = sum(one["parameters"]["total"] for one in facts.values())
    return [
        f"together {weights:,} weights; a frame {flops / 1e9:.2f} GFLOPs, counted at the size "
        f"above in all views ({', '.join(f'{name} {count}' for name, count in views.items())})"
    ]


def shapes(model: Model, spec: Spec, dtype: str) -> Shapes:
    """Returns the shapes that go into the functions of a network.

    traced = shapes(model, Spec(480, 854, 10, 32), "float32")
    """

    def fresh(rng: jax.Array) -> Any:
        return cast(model.init_params(rng), dtype)

    vos = model.vos
    params = jax.eval_shape(fresh, jax.random.key(0))
    state = jax.eval_shape(lambda params: vos.init(params, spec), params)
    frame = jax.ShapeDtypeStruct((spec.height, spec.width, 3), jnp.float32)
    features = jax.eval_shape(vos.encode, params, frame)
    logits, aux = jax.eval_shape(vos.predict, params, state, features)
    return Shapes(params, state, frame, features, aux, logits)


def flat(params: Any) -> dict:
    """Returns {path: shape} of nested weights.

    flat({"head": {"bias": np.zeros(3)}})     # {'head/bias': (3,)}
    """
    return {
        "/".join(part.key for part in path): leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    }


def published(params: Any) -> int:
    """Counts weights as PyTorch's references do, to which frozen batch norms are buffers.

    published({"norm": {"var": np.zeros(3)}, "fc": {"bias": np.zeros(2)}})     # 2
    """
    every = flat(params)
    frozen = {path.rpartition("/")[0] for path in every if path.endswith("/var")}
    return sum(
        int(np.prod(shape))
        for path, shape in every.items()
        if path.rpartition("/")[0] not in frozen
    )


def parameters(model: Model, params: Any) -> dict:
    """Counts weights by module and by how they train, as {name: number}.

    parameters(model, params)["total"]
    """
    modules: dict[str, int] = {}
    training: dict[str, int] = {}
    for path, shape in flat(params).items():
        size = int(np.prod(shape))
        root, *rest = path.split("/")
        names = [root]
        if len(rest) > 1:
            names.append(f"{root}/{re.sub(r'_?[0-9]+$', '', rest[0])}")
        for name in names:
            modules[name] = modules.get(name, 0) + size
        group = model.param_group(path)
        training[group] = training.get(group, 0) + size
    return {
        "total": sum(training.values()),
        "published": published(params),
        "modules": modules,
        "training": training,
    }


def costs(model: Model, traced: Shapes, groups: int) -> dict:
    """Returns the costs of each function; all but `encode` run once for every group of objects.

        costs(model, traced, groups=1)["encode"]["flops"]

    The result is {function: {'flops', 'activations', 'unbounded'}}.
    """
    vos, objects = model.vos, traced.probs.shape[0] - 1

    def commit(annotated: Any) -> Any:
        when = When(np.bool_(annotated), np.True_, np.int32(1))
        later = functools.partial(vos.commit, given=np.full(objects, annotated), when=when)
        return cost.count(later, traced.params, traced.state, traced.aux, traced.probs)

    once = {
        "encode": cost.count(vos.encode, traced.params, traced.frame),
        "predict": cost.count(vos.predict, traced.params, traced.state, traced.features),
        "commit": commit(False),
        "commit, annotated": commit(True),
    }
    counted = {
        name: one if name == "encode" else cost.Cost({}).plus(one, groups)
        for name, one in once.items()
    }
    counted["frame"] = counted["encode"].plus(counted["predict"]).plus(counted["commit"])
    counted["frame, annotated"] = (
        counted["encode"].plus(counted["predict"]).plus(counted["commit, annotated"])
    )
    return {
        name: {"flops": one.flops, "activations": one.activations, "unbounded": one.unbounded}
        for name, one in counted.items()
    }


def maps(features: Any) -> list:
    """Returns [name, shape, dtype] of every array of the features.

    maps(traced.features)
    """
    return [
        [jax.tree_util.keystr(path, simple=True, separator="/"), list(leaf.shape), leaf.dtype.name]
        for path, leaf in jax.tree_util.tree_leaves_with_path(features)
    ]


def byte_counts(model: Model, traced: Shapes, spec: Spec, dtype: str, groups: int) -> dict:
    """Returns the bytes of weights, features, state, and of one more memory frame.

    byte_counts(model, traced, spec, "float32", groups=1)["state"]
    """

    def size(tree: Any) -> int:
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))

    larger = jax.eval_shape(
        lambda params: model.vos.init(params, spec._replace(capacity=spec.capacity + 1)),
        traced.params,
    )
    state = size(traced.state)
    return {
        "weights": size(traced.params),
        "features": size(traced.features),
        "state": groups * state,
        "memory frame": groups * (size(larger) - state),
    }


def lines(facts: dict) -> list[str]:
    """Returns the summary as lines of text.

    text = lines(described(config, config, config.tta))
    """
    weights = facts["parameters"]
    model = ", ".join(f"{name}={value}" for name, value in facts["model"].items())
    text = [
        f"{facts['family']} ({model}), {facts['dtype']}" if model else facts["family"],
        "",
        f"{'weights':<32}{'number':>14}",
    ]
    for name, size in weights["modules"].items():
        root, _, child = name.partition("/")
        text.append(f"{'  ' + child if child else root:<32}{size:>14,}")
    text.append(f"{'total':<32}{weights['total']:>14,}")
    training = ", ".join(f"{group} {size:,}" for group, size in weights["training"].items())
    text += [
        f"of these {training}",
        f"{weights['published'] / 1e6:.3f} M without frozen batch norms, as papers count",
        "",
    ]
    text.append(
        "a frame of {}x{}, {}x{} for the network, {} objects{}, {} memory frames".format(
            *facts["frame"],
            *facts["network"],
            facts["objects"],
            f" in {facts['groups']} groups" if facts["groups"] > 1 else "",
            facts["memory"],
        )
        + (f"; one of {facts['views']} views" if facts["views"] > 1 else "")
    )
    text += [
        f"  {name:<30}{' x '.join(map(str, shape)):>20}  {dtype}"
        for name, shape, dtype in facts["maps"]
    ]
    text += ["", f"{'operations':<32}{'GFLOPs':>14}{'activations M':>16}"]
    for name, one in facts["cost"].items():
        note = f"  {one['unbounded']} loops counted once" if one["unbounded"] else ""
        text.append(f"{name:<32}{one['flops'] / 1e9:>14.2f}{one['activations'] / 1e6:>16.1f}{note}")
    text += [
        "counted from the traced program, loops by their length (the compiler's own analysis "
        "counts a",
        "loop's body once), the memory full; activations are what products and "
        "convolutions put out",
        "",
    ]
    text += [f"{name:<32}{size / 2**20:>14.1f} MiB" for name, size in facts["bytes"].items()]
    return text
