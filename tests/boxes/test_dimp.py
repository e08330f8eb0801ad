"""DiMP-50's maps, first filter and IoU network are the reference's, by its own checkpoint names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import backbone_goldens as goldens
from support.dimp_goldens import channels_last, relative, state_dict

from vosjax.boxes import dimp
from vosjax.boxes.iou_net import best_mean, climb
from vosjax.checkpoints.convert import convert
from vosjax.checkpoints.paths import flatten, nest
from vosjax.errors import InputError

NETWORK = dimp.build()


@pytest.fixture(scope="module")
def shapes():
    return flatten(jax.eval_shape(NETWORK.init_params, jax.random.PRNGKey(0)))


@pytest.fixture(scope="module")
def published():
    """A state dict of the published form: 407 entries."""
    return state_dict()


@pytest.fixture(scope="module")
def params(shapes, published):
    expected = {path: (leaf.shape, leaf.dtype) for path, leaf in shapes.items()}
    return nest(convert(published, NETWORK.checkpoint_names, expected=expected))


@pytest.fixture(scope="module")
def images():
    arrays = goldens.arrays("dimp/input.npz")
    return arrays["images_rgb"].astype(np.float32) / 255, jnp.asarray(arrays["boxes_xywh"])


@pytest.fixture(scope="module")
def features(params, images):
    return jax.jit(NETWORK.encode)(params, images[0])


def test_a_missing_and_an_unknown_weight_are_named(published):
    changed = dict(published)
    del changed["classifier.filter_optimizer.filter_reg"]
    changed["classifier.filter_optimizer.momentum"] = np.zeros(1, np.float32)
    with pytest.raises(InputError, match="filter_reg.*momentum"):
        convert(changed, NETWORK.checkpoint_names)


def test_maps_and_classification_features(features):
    arrays = goldens.arrays("dimp/backbone.npz")
    f8, f16, target = features
    assert relative(f8[3, :, :, ::8], channels_last(arrays["layer2_test_every8"])) < 1e-5
    assert relative(f16[3, :, :, ::8], channels_last(arrays["layer3_test_every8"])) < 1e-5
    assert relative(target[3], channels_last(arrays["clf_test"])) < 2e-5
    for maps, name in ((f8, "layer2_mean"), (f16, "layer3_mean"), (target, "clf_mean")):
        assert relative(maps.mean((1, 2)), arrays[name]) < 1e-4  # means nearly cancel
    train = channels_last(goldens.arrays("dimp/clf_train.npz")["clf_train"])
    assert relative(target[:3], train) < 2e-5


def test_the_first_filter(params, features, images):
    filter_init = channels_last(goldens.arrays("dimp/filter.npz")["filter_init"])[0]
    ours = jax.jit(NETWORK.first_filter)(params, features.target[:3], images[1][:3])
    assert relative(ours, filter_init) < 1e-5


@pytest.fixture(scope="module")
def iou_net(params, features, images):
    """The modulation of image 0, the maps of image 3, and boxes -> IoU there."""
    first, test = (jax.tree.map(lambda x, i=i: x[i : i + 1], features) for i in (0, 3))
    modulation = jax.jit(NETWORK.modulation)(params, first, images[1][0])
    maps = jax.jit(NETWORK.iou_features)(params, test)
    return modulation, maps, lambda boxes: NETWORK.iou(params, maps, modulation, boxes)


def test_modulation_and_maps_of_the_iou_network(iou_net):
    arrays, (modulation, maps, _) = goldens.arrays("dimp/iounet.npz"), iou_net
    assert relative(modulation.f8, arrays["modulation3"].ravel()) < 1e-5
    assert relative(modulation.f16, arrays["modulation4"].ravel()) < 1e-5
    assert relative(maps.f8[..., ::8], channels_last(arrays["feat3_every8"])) < 1e-5
    assert relative(maps.f16[..., ::4], channels_last(arrays["feat4_every4"])) < 2e-5


def test_predictions_their_gradient_and_the_refined_boxes(iou_net):
    arrays, predict = goldens.arrays("dimp/iounet.npz"), iou_net[2]

    @jax.jit
    def run(boxes):
        iou, pull = jax.vjp(predict, boxes)
        return iou, pull(jnp.ones_like(iou))[0], *climb(predict, boxes, steps=5)

    iou, gradient, boxes, last = run(arrays["proposals"][0])
    assert relative(iou, arrays["iou"][0]) < 2e-5
    assert relative(gradient, arrays["iou_grad"][0]) < 5e-5
    assert relative(boxes, arrays["boxes_default5"]) < 2e-6
    assert relative(last, arrays["iou_default_last"]) < 1e-5


def test_the_best_boxes_of_a_plausible_shape_are_averaged():
    boxes = jnp.array([[0, 0, 10, 10], [2, 2, 10, 20], [4, 4, 70, 10], [6, 6, 0.5, 0.5]])
    iou = jnp.array([0.1, 0.2, 0.9, 0.8])
    box, usable = best_mean(boxes, iou, 3)
    assert np.allclose(box, [1, 1, 10, 15]) and usable  # two are left: too long, too small
    box, usable = best_mean(boxes[2:], iou[2:], 1)
    assert not usable and not box.any()
