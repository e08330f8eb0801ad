"""What a prompt of the net says: checked against a session and its limits, and made into labels."""

import numpy as np

from vosjax.errors import InputError
from vosjax.interactive.marker import Marker
from vosjax.interactive.several import marked_labels
from vosjax.server.config import ServeConfig
from vosjax.server.forms import Prompt
from vosjax.tracking.slots import IDS, HostArray
from vosjax.tracking.tracker import Tracker

SPARE = 4  # times as many slots as objects are allowed, for objects that come and go


def check_removed(prompt: Prompt, tracker: Tracker) -> None:
    """Raises InputError unless the objects that a prompt removes are followed.

        check_removed(Prompt(remove=[7]), tracker)

    Args:
        prompt: the prompt.
        tracker: the session's tracker.
    """
    if set(prompt.remove) - set(tracker.objects) or len(set(prompt.remove)) < len(prompt.remove):
        raise InputError(
            f"objects {prompt.remove[:20]} cannot be removed: {tracker.objects} are followed, and "
            "each is removed once"
        )


def objects_of(prompt: Prompt, mask: HostArray | None) -> set[int]:
    """Returns the ids of the objects that a prompt marks.

        objects_of(Prompt(boxes={1: (0, 0, 8, 8)}), None)      # {1}

    Args:
        prompt: the prompt.
        mask: its mask, integers [H, W], or None.

    Raises:
        InputError: the mask holds ids above 255.
    """
    marked = {*prompt.boxes, *prompt.points}
    if mask is None:
        return marked
    if mask.max() >= IDS:
        raise InputError(f"the mask holds id {mask.max()}: ids of 1 to {IDS - 1} are expected")
    return marked | {id for id in np.unique(mask).tolist() if id}


def check_objects(tracker: Tracker, objects: set[int], prompt: Prompt, limits: ServeConfig) -> None:
    """Checks that a prompt asks for no more than a session may hold.

        check_objects(tracker, {1, 2}, prompt, ServeConfig())

    Frames with prompts are always remembered, and slots of removed objects are not free at once: a
    prompt, and nothing else, could let a session's state grow without end.

    Args:
        tracker: the session's tracker.
        objects: the ids that the prompt marks.
        prompt: the prompt, whose `remove` is carried out first.
        limits: the limits.

    Raises:
        InputError: there would be too many objects, or the session's state is too large already.
    """
    most, spec = limits.max_objects, tracker.spec
    count = len((set(tracker.objects) - set(prompt.remove)) | objects)
    if count > most:
        raise InputError(f"there would be {count} objects: at most {most} are followed at a time")
    if spec is None:
        return
    if spec.capacity > limits.max_mem_frames:
        raise InputError(
            f"more than {limits.max_mem_frames} frames have had prompts, all of which are kept: go "
            "on in a new session"
        )
    if spec.objects > most_slots(tracker.model.model.vos.slots, limits):
        raise InputError("too many objects have come and gone: go on in a new session")


def most_slots(slots: int | None, limits: ServeConfig) -> int:
    """Returns how many slots a session may have, in all groups.

        most_slots(10, ServeConfig())       # 128

    Args:
        slots: those of one group of the network, or None.
        limits: the limits.
    """
    return SPARE * max(limits.max_objects, slots or 0)


def marked(marker: Marker, prompt: Prompt, under: HostArray | None) -> HostArray:
    """Makes labels of boxes and points.

        labels = marked(Marker(frame), prompt, under=None)

    Where marked objects overlap, the more probable one is seen.

    Args:
        marker: looks at the frame.
        prompt: the prompt.
        under: labels of its mask, over which the marked objects are laid, or None.

    Returns:
        Integers [H, W] of ids.

    Raises:
        InputError: a mark lies outside of the frame, or no object is seen where one is.
    """
    marks = {
        id: (prompt.boxes.get(id), prompt.points.get(id, ()))
        for id in sorted({*prompt.boxes, *prompt.points})
    }
    labels: HostArray = marked_labels(marker, marks)
    return labels if under is None else np.where(labels > 0, labels, under)
