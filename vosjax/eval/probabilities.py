"""Probabilities of a run on disk: integers at a reduced size, one compressed file per frame.

`FOLDER/VIDEO/FRAME.npz` holds `probs` uint8 or uint16 [N, h, w] (255 or 65535 stands for 1), `ids`
[N] and `size` (H, W). The probability of the background is what remains to 1.
"""

import io
import os
import pathlib
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.errors import InputError
from vosjax.io.files import write_bytes
from vosjax.io.refusals import reading
from vosjax.io.video.images import MOST_PIXELS


def write(
    path: str | os.PathLike[str],
    packed: npt.NDArray[np.unsignedinteger],
    ids: Sequence[int],
    size: tuple[int, int],
) -> None:
    """Writes one frame atomically, but without flushing it to disk (`folder.finish` does).

        write("runs/a/probabilities/cow/00000.npz", packed, ids=(1, 2), size=(480, 854))

    Args:
        path: the file to write.
        packed: uint8 or uint16 [N, h, w], see `programs.pack`.
        ids: the ids of the N objects.
        size: (H, W) of the frame.

    Raises:
        DiskFull: the disk is full.
    """
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, probs=packed, ids=np.asarray(ids, np.uint8), size=np.asarray(size, np.int32)
    )
    write_bytes(path, buffer.getvalue(), durable=False)


def read(path: str | os.PathLike[str]) -> tuple[npt.NDArray[np.float32], tuple[int, ...]]:
    """Reads the probabilities of a frame, float32 [N+1, H, W], background first, and the ids.

        probs, ids = read("runs/a/probabilities/cow/00000.npz")

    Raises:
        InputError: the file is missing or damaged.
    """
    path = pathlib.Path(path)
    try:
        with reading(path), np.load(path, allow_pickle=False) as file:
            packed, ids, (height, width) = file["probs"], file["ids"], file["size"]
        top = np.iinfo(packed.dtype).max
        if packed.ndim != 3 or not packed.size or ids.shape != packed.shape[:1]:
            raise ValueError(f"{list(packed.shape)} for the ids {ids}")
        if not 0 < int(height) * int(width) <= MOST_PIXELS or ids.dtype != np.uint8:
            raise ValueError(f"a frame of {height}x{width}, ids of {ids.dtype}")
    except InputError:
        raise
    except Exception as error:  # NumPy and zipfile raise all kinds of errors on damaged data
        raise InputError(
            f"probabilities {path} cannot be read ({error}): they are missing or "
            "damaged, run the sequence again with config.eval.probabilities"
        ) from error
    objects = np.zeros((len(ids), height, width), np.float32)
    for plane, small in zip(objects, packed):
        plane[:] = cv2.resize(
            small.astype(np.float32) / top,
            (int(width), int(height)),
            interpolation=cv2.INTER_LINEAR,
        )
    rest = np.maximum(1 - objects.sum(0, keepdims=True), 0)
    probs = np.concatenate([rest, objects])
    return probs / probs.sum(0), tuple(ids.tolist())
