"""The protocol of a video object segmentation network, `Vos`, and the types that all rooms share.

Letters used throughout: H, W size of a frame; h, w its stride-16 grid; P = h * w; N object slots; M
memory capacity; C key channels; D value channels; L layers. Names of features carry their stride:
f4, f8, f16. Arrays are channels-last; frames are uint8 RGB outside a network and float32 in 0..1
inside.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

UNUSED_LOGIT = -1e10  # logit of slots that hold no object, as in the AOT reference

Array = jax.Array | np.ndarray[Any, Any]
Scalar = jax.Array | np.bool_ | np.int32  # traced, or known while tracing


class Spec(NamedTuple):
    """Everything that decides a shape: static and hashable; each Spec is compiled once.

    height    height of the frame as the network sees it
    width     width of that frame
    objects   number of object slots N
    capacity  number of memory frames M
    """

    height: int
    width: int
    objects: int
    capacity: int


class When(NamedTuple):
    """What a frame is to the memory: scalars that all objects and all groups share.

    annotated  bool   whether the user marked objects in this frame
    remember   bool   whether the frame is written to the long-term memory
    time       int32  index of the frame

    They are traced, or NumPy scalars if they are known while tracing (in training), so that no
    branch is left. They are separate from the per-object flags so that a `vmap` over groups or
    videos leaves them unbatched, and a `lax.cond` on them does not become a select.
    """

    annotated: Scalar
    remember: Scalar
    time: Scalar


class Prompt(NamedTuple):
    """What the user marked in one frame.

    labels  [H, W] int32   slot 1..N of every marked pixel, 0 for pixels that are not marked
    given   [N] bool       the slots whose objects are given, even if no pixel shows them
    """

    labels: Array
    given: Array


class Release(NamedTuple):
    """Which objects are followed, for `Vos.forget`: objects were removed, or slots are needed.

    followed   [N] bool    the slots whose objects are followed
    reclaim    [N] bool    the slots, among the others, that have to be free afterwards even if
                           other objects lose remembered frames
    first      [N] int32   index of the first frame in which each slot held its latest object
    last       [N] int32   index of the last such frame; below `first` if it never held one
    annotated  [K] int32   indices of the annotated frames that still count, in which a followed
                           object was given, padded by -1; all other frames are unpinned
    """

    followed: Array
    reclaim: Array
    first: Array
    last: Array
    annotated: Array


def slots_used_once(state: Any, release: Release) -> tuple[Any, jax.Array]:
    """Implements `Vos.forget` for a network that cannot clear slots: none becomes free again."""
    return state, jnp.zeros(release.followed.shape, bool)


class Vos(NamedTuple):
    """A network as pure functions, and two facts about the sizes that it takes.

    Four functions take a frame through a network:

    init(params, spec) -> state
        An empty state: a pytree of arrays whose shapes depend on the Spec alone.
    encode(params, frame, rng=None) -> features
        frame [H, W, 3] float32 RGB in 0..1. Needs the image only, so frames can be encoded ahead,
        in batches (`jax.vmap`), and shared by groups of objects.
    predict(params, state, features, rng=None) -> (logits, aux)
        logits [N+1, H, W] float32, channel 0 is the background; those of slots without an object
        are -1e10. `aux` is what `commit` needs from this prediction.
    commit(params, state, aux, probs, given, when, rng=None) -> state
        Takes the frame into the state. probs [N+1, H, W] float32 are its final probabilities, given
        [N] bool, when a `When`. The network decides whether it remembers hard labels or soft
        probabilities, and at which resolution.

    Two facts say what it takes:

    size(height, width, scale=1.0) -> (height, width)
        The size rule: the height and width of the Spec for a frame of a given size; plain integers.
    slots
        The largest number of objects in one state; None if there is no limit. `compose.groups`
        makes room for more.

    One function is for objects that come and go:

    forget(state, release) -> (state, free)
        Removes the objects that are no longer followed, see `Release`. free [N] bool are the slots
        that hold no object and of which nothing is remembered; only these may be given to another
        object. A network whose objects share their memory cannot remove one from a remembered
        frame. It drops such frames for slots to `reclaim`, except annotated ones that still count;
        slots that are visible in these are not free. If no object is followed, the state becomes
        empty. The default clears nothing, so that slots are used once.

    One function is for what else can be done with a frame's features, such as following a box:

    appearance(features) -> [h, w, C]
        What the frame looks like at stride 16, as the network sees it: h and w are ceil(H / 16) and
        ceil(W / 16), and the middle of the map is that of the frame. None where there is no single
        such map, as in ensembles.

    `rng` is a PRNG key in training (for stochastic depth) and None otherwise. A frame is processed
    as encode -> predict -> lay the prompt over the probabilities -> commit (`tracking.step`).
    Predicting from an empty state is allowed and gives finite logits with the background on top.
    Predicting the frame that was just committed as the only annotated one decodes the reference
    frame, which auxiliary losses need.
    """

    init: Callable[..., Any]
    encode: Callable[..., Any]
    predict: Callable[..., Any]
    commit: Callable[..., Any]
    size: Callable[..., tuple[int, int]]
    slots: int | None
    forget: Callable[[Any, Release], tuple[Any, jax.Array]] = slots_used_once
    appearance: Callable[[Any], jax.Array] | None = None


class Model(NamedTuple):
    """A configured network with everything that is needed to load and to train it.

    vos                  the network
    init_params          init_params(rng) -> params: random weights, a nested dict of arrays
    checkpoint_names     `names.Names`: the names of the weights in the reference's PyTorch
                         checkpoints
    param_group          param_group(path) -> 'frozen' | 'encoder' | 'head': how the optimizer
                         treats the weight at the '/'-joined path; frozen weights (batch-norm
                         statistics, the first blocks) are never updated
    deep_logits          deep_logits(params, aux, rng=None) -> tuple of logits, one for each
                         supervised depth, of which the last are those of `predict`; None if only
                         the logits of `predict` are supervised
    pretrained_encoders  pairs (key in params, `backbones.PretrainedEncoder`): the encoders, each of
                         which can be initialised from a published ImageNet file
    """

    vos: Vos
    init_params: Callable[..., Any]
    checkpoint_names: Any
    param_group: Callable[[str], str]
    deep_logits: Callable[..., Any] | None = None
    pretrained_encoders: tuple[tuple[str, Any], ...] = ()


class FrameStage(NamedTuple):
    """A refinement of single frames as pure functions, which work under jit.

    A frame holds any number of patches, and programs have fixed shapes, so that patches go through
    the stage's network in batches of one size. The shape of a batch depends on nothing else: not on
    the frame's size, nor on its number of objects. These functions do it:

    begin(params, frame, probs, given) -> (fixed, work)
        frame [H, W, 3] uint8 RGB, probs [N+1, H, W] float32 at the same size, channel 0 the
        background, sums to one; given [N] bool, the slots whose objects the user marked in this
        frame, which is then left as it is. Both results are pytrees of arrays of fixed shape.
    left(work) -> int32 []
        The number of patches that have not been through the network.
    empty() -> batch
        A batch of no patches.
    cut(fixed, work, batch, at) -> batch
        The first `at` patches of the batch, followed by the frame's next ones, as many as the batch
        has room for.
    answer(params, batch) -> answers
        Takes a batch through the network, each patch for itself.
    paste(fixed, work, batch, answers, at) -> work
        Takes over the answers for the patches that `cut` laid from `at` on.
    end(fixed, work) -> (probs, counts)
        The refined probabilities, like those that were given to `begin`, and int32 scalars {name:
        how many} under the names of `counted`. Pixels without a patch keep their bits.

    size
        The number of patches of a batch.
    counted
        Pairs (name, what is counted, in words), in the order in which a run tells of them.

    `refine` runs them as one program. `refine.pool` fills batches with the patches of several
    frames.
    """

    begin: Callable[..., tuple[Any, Any]]
    left: Callable[[Any], jax.Array]
    empty: Callable[[], Any]
    cut: Callable[..., Any]
    answer: Callable[[Any, Any], Any]
    paste: Callable[..., Any]
    end: Callable[[Any, Any], tuple[jax.Array, dict[str, jax.Array]]]
    size: int
    counted: tuple[tuple[str, str], ...]

    def pending(self, work: Any) -> jax.Array:
        """Whether a frame has patches left that have not been through the network, bool [].

        stage.pending(work)
        """
        return self.left(work) > 0

    def advance(self, params: Any, fixed: Any, work: Any) -> Any:
        """Takes the next patches of a frame through the network, in a batch of their own.

            work = stage.advance(params, fixed, work)

        Args:
            params: the weights of the stage's network.
            fixed: of `begin`.
            work: what is done so far.

        Returns:
            What is done then.
        """
        batch = self.cut(fixed, work, self.empty(), 0)
        return self.paste(fixed, work, batch, self.answer(params, batch), 0)

    def refine(
        self, params: Any, frame: Array, probs: jax.Array, given: Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Refines the probabilities of a frame within a traced program.

            probs, counts = stage.refine(params, frame, probs, prompt.given)

        Args:
            params: the weights of the stage's network.
            frame: as for `begin`.
            probs: as for `begin`.
            given: as for `begin`.

        Returns:
            What `end` returns.
        """
        fixed, work = self.begin(params, frame, probs, given)
        work = jax.lax.while_loop(
            self.pending, lambda work: self.advance(params, fixed, work), work
        )
        return self.end(fixed, work)


@jax.tree_util.register_static
class Size(NamedTuple):
    """A frame's height and width as static data in a pytree, which transformations do not see."""

    height: int
    width: int
