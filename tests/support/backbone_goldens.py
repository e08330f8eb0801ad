"""Weights and maps of the backbone goldens, in the form for parity tests."""

import importlib.util
import json

import jax
import numpy as np

from support import golden_root

PUBLISHED = {  # torchvision's state dict -> encoder
    "resnet18": "resnet:18",
    "resnet50": "resnet:50",
    "resnext50_32x4d": "resnet:resnext50_32x4d",
    "resnext101_32x8d": "resnet:resnext101_32x8d",
    "efficientnet_b0": "efficientnet:b0",
    "efficientnet_b3": "efficientnet:b3",
    "efficientnet_b4": "efficientnet:b4",
    "efficientnet_v2_s": "efficientnet:v2_s",
}


def parameters(entries, state):
    """A nested dict of our weights out of a reference's state dict; missing keys raise."""
    tree = {}
    for path, key, layout in entries:
        *parents, leaf = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = np.ascontiguousarray(layout(state[key]))
    return tree


def module(relative):
    """A Python file of the goldens (their recipes for weights), imported."""
    spec = importlib.util.spec_from_file_location("recipe", golden_root.path(relative))
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def seed(folder):
    """The seed of a folder's weights."""
    return json.loads(golden_root.path(f"{folder}/seed.json").read_text())["seed"]


def manifest(relative):
    """{key: [shape, dtype]} of a reference's state dict."""
    return json.loads(golden_root.path(relative).read_text())


def rebuilt(folder, forms):
    """The arrays of a state dict of these forms, as the goldens of a folder were made with."""
    return module("backbones/recipe_base.py").state_dict(forms, seed(folder))


def classifier(name):
    """The state dict of `backbones/NAME`: an ImageNet classifier with its head."""
    return rebuilt("backbones", manifest(f"backbones/{name}.manifest.json"))


def arrays(relative):
    """The members of an .npz file."""
    with np.load(golden_root.path(relative)) as file:
        return {name: file[name] for name in file.files}


def shapes(tree):
    """{path: shape} of a nested dict."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {"/".join(part.key for part in path): leaf.shape for path, leaf in leaves}
