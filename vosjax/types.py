"""The words that every room shares: what a video object segmentation network is, and its sizes.

Letters used throughout: H W frame, h w its stride-16 grid, P = h*w, N object slots, M memory
capacity, C key channels, D value channels, L layers. Features carry their stride: f4 f8 f16.
Arrays are channels-last; frames are uint8 RGB outside of a network and float32 in 0..1 inside.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax


class Spec(NamedTuple):
    """Everything that decides a shape; static and hashable, one compilation each."""

    height: int  # of the frame as the network sees it
    width: int
    objects: int  # object slots N
    capacity: int  # memory frames M


class When(NamedTuple):
    """What a frame is to the memory. Scalars, shared by all objects and all groups; traced, or
    NumPy's where they are known while tracing (training), so that no branch is left.

    They are kept apart from the per-object flags so that a `vmap` over groups or videos leaves
    them unbatched, and `lax.cond` on them stays a branch instead of becoming a select.
    """

    annotated: jax.Array  # bool: the user marked objects in this frame
    remember: jax.Array  # bool: write the frame into the long-term memory
    time: jax.Array  # int32: index of the frame


class Prompt(NamedTuple):
    """What the user says about one frame, at the size of the Spec.

    labels  [H, W] int32   slot 1..N of every marked pixel, 0 where nothing is said
    given   [N] bool       the slots that `labels` speaks of, also when no pixel shows them
    """

    labels: jax.Array
    given: jax.Array


class Vos(NamedTuple):
    """A network as four pure functions, and two facts about the sizes it takes.

    init(params, spec) -> state
        An empty state: a pytree of arrays whose shapes depend on the Spec alone.
    encode(params, frame, rng=None) -> features
        frame [H, W, 3] float32 RGB in 0..1. Needs the image only, so frames can be encoded ahead,
        in batches (`jax.vmap`), and shared by groups of objects.
    predict(params, state, features, rng=None) -> (logits, aux)
        logits [N+1, H, W] float32, channel 0 is the background; the slots that nobody has given
        yet are filled with -1e10. `aux` is what `commit` will want of this prediction.
    commit(params, state, aux, probs, given, when, rng=None) -> state
        probs [N+1, H, W] float32, given [N] bool, when a `When`. Whether hard labels or soft
        probabilities are fed back, and at which resolution, is the network's own affair.
    size(height, width, scale=1.0) -> (height, width)
        The size rule: which Spec a frame of the given size needs. Plain integers.
    slots
        The most objects that one state can hold; None when any number can. `compose.groups` makes
        room for more.

    `rng` is a PRNG key while training (stochastic depth), None otherwise. A frame is processed as
    encode -> predict -> lay the prompt over the probabilities -> commit (`track.step`); predicting
    from an empty state is allowed and gives finite logits with the background on top. Predicting
    the frame that has just been committed as the only annotated one gives the decoding of the
    reference frame, which is what auxiliary losses ask for.
    """

    init: Callable[..., Any]
    encode: Callable[..., Any]
    predict: Callable[..., Any]
    commit: Callable[..., Any]
    size: Callable[..., tuple[int, int]]
    slots: int | None


class Model(NamedTuple):
    """A configured family: its network, its weights' layout and how they train.

    vos                  the network
    init_params          init_params(rng) -> params: random weights, a nested dict of arrays
    checkpoint_names     `names.Names`: where each weight stands in the reference's PyTorch
                         checkpoints
    param_group          param_group(path) -> 'frozen' | 'encoder' | 'head': how the optimizer
                         treats the weight at the '/'-joined path; frozen weights (batch-norm
                         statistics, the first blocks) never move
    deep_logits          deep_logits(params, aux, rng=None) -> tuple of logits, one for each
                         supervised depth, the last of them those of `predict`; None when only
                         `predict`'s logits are supervised
    pretrained_encoders  pairs (key in params, `backbones.PretrainedEncoder`): its encoders, each
                         of which can start from a published ImageNet file
    """

    vos: Vos
    init_params: Callable[..., Any]
    checkpoint_names: Any
    param_group: Callable[[str], str]
    deep_logits: Callable[..., Any] | None = None
    pretrained_encoders: tuple[tuple[str, Any], ...] = ()


@jax.tree_util.register_static
class Size(NamedTuple):
    """A frame's height and width inside a pytree, invisible to transformations."""

    height: int
    width: int


UNUSED_LOGIT = -1e10  # of slots that nobody has given; the value of the AOT reference
