"""The words that every room shares: what a video object segmentation network is, and its sizes.

Letters used throughout: H W frame, h w its stride-16 grid, P = h*w, N object slots, M memory
capacity, C key channels, D value channels, L layers. Features carry their stride: f4 f8 f16.
Arrays are channels-last; frames are uint8 RGB outside of a network and float32 in 0..1 inside.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

UNUSED_LOGIT = -1e10  # of slots that hold no object; the value of the AOT reference

Array = jax.Array | np.ndarray[Any, Any]
Scalar = jax.Array | np.bool_ | np.int32  # traced, or known while tracing


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

    annotated: Scalar  # bool: the user marked objects in this frame
    remember: Scalar  # bool: write the frame into the long-term memory
    time: Scalar  # int32: index of the frame


class Prompt(NamedTuple):
    """What the user says about one frame.

    labels  [H, W] int32   slot 1..N of every marked pixel, 0 where nothing is said
    given   [N] bool       the slots that `labels` speaks of, also when no pixel shows them
    """

    labels: Array
    given: Array


class Release(NamedTuple):
    """Which objects are followed, told when one is removed or when its slot is to be reclaimed.

    followed   [N] bool    the slots whose objects are followed
    reclaim    [N] bool    slots, of those that are not, that are to be free afterwards even if
                           other objects lose remembered frames by it
    first      [N] int32   index of the first frame in which each slot held its latest object
    last       [N] int32   and of the last one; below `first` where it never held any
    annotated  [K] int32   indices of the annotated frames that still count, those in which an
                           object was given that is followed; -1 fills up. The others lose their pin
    """

    followed: Array
    reclaim: Array
    first: Array
    last: Array
    annotated: Array


def slots_used_once(state: Any, release: Release) -> tuple[Any, jax.Array]:
    """`Vos.forget` of a network that cannot clear a slot: none is ever free again."""
    return state, jnp.zeros(release.followed.shape, bool)


class Vos(NamedTuple):
    """A network as pure functions, and two facts about the sizes it takes.

    Four functions carry a frame through a network:

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

    Two facts say what it takes:

    size(height, width, scale=1.0) -> (height, width)
        The size rule: which Spec a frame of the given size needs. Plain integers.
    slots
        The most objects that one state can hold; None when any number can. `compose.groups` makes
        room for more.

    One function is for objects that come and go:

    forget(state, release) -> (state, free)
        The state without the objects that are followed no more, see `Release`. free [N] bool are
        the slots that hold no object and of which nothing is remembered: only they may be given to
        another object. A network whose objects share their memory cannot take one out of a frame
        that it has remembered: it drops such frames for slots to `reclaim`, but for annotated ones
        that still count; slots that those hold are not free. A state none of whose objects is
        followed is as new. The default clears nothing, and slots are used once.

    `rng` is a PRNG key while training (stochastic depth), None otherwise. A frame is processed as
    encode -> predict -> lay the prompt over the probabilities -> commit (`tracking.step`);
    predicting from an empty state is allowed and gives finite logits with the background on top.
    Predicting the frame that has just been committed as the only annotated one gives the decoding
    of the reference frame, which is what auxiliary losses ask for.
    """

    init: Callable[..., Any]
    encode: Callable[..., Any]
    predict: Callable[..., Any]
    commit: Callable[..., Any]
    size: Callable[..., tuple[int, int]]
    slots: int | None
    forget: Callable[[Any, Release], tuple[Any, jax.Array]] = slots_used_once


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
