"""The zip files that the evaluation servers of DAVIS and YouTube-VOS take.

DAVIS: `SEQUENCE/FRAME.png` at the top; YouTube-VOS: `Annotations/VIDEO/FRAME.png`. Every file is an
8-bit palette PNG of the frame's size whose values are object ids. The same masks give the same
bytes: entries are sorted, stored (PNG is compressed already) and carry one fixed date.
"""

import pathlib
import zipfile

import numpy as np
from PIL import Image

from vosjax.errors import InputError
from vosjax.eval.stored import open_picture
from vosjax.io.files import atomic

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold


def davis_zip(path, predictions, sequences):
    """Writes the DAVIS server's zip of `predictions/SEQUENCE/FRAME.png`, atomically.

    Args:
        path: the zip file.
        predictions: folder with one folder of label PNGs a sequence.
        sequences: `layout.Sequence`s; the frames in `written` are packed, all others left out.

    Raises:
        InputError: a mask is missing or damaged, is no 8-bit palette PNG, has another size than its
            frame or an id that its sequence has not. Nothing is written then.
    """
    _write(path, predictions, sequences, "")


def youtube_zip(path, predictions, sequences):
    """Writes the YouTube-VOS server's zip; arguments and errors as `davis_zip`.

    Of videos tracked over all frames the frames of the sparse release are packed.
    """
    _write(path, predictions, sequences, "Annotations/")


def _write(path, predictions, sequences, prefix):
    predictions = pathlib.Path(predictions)
    if not sequences:
        raise InputError("no sequence to submit: expected those of one split")
    with atomic(path) as temp, zipfile.ZipFile(temp, "w", zipfile.ZIP_STORED) as archive:
        for sequence in sorted(sequences, key=lambda sequence: sequence.name):
            for frame in sorted(sequence.frames[i] for i in sequence.written):
                file = predictions / sequence.name / f"{frame.stem}.png"
                _check(file, frame, sequence)
                entry = zipfile.ZipInfo(f"{prefix}{sequence.name}/{frame.stem}.png", _DATE)
                entry.create_system = 3  # Unix, wherever this runs
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, file.read_bytes())


def _check(file, frame, sequence):
    if not file.is_file():
        raise InputError(
            f"sequence {sequence.name} has no mask {file}: the server wants one for "
            "every frame, run the sequence again"
        )
    try:
        with Image.open(file) as image:
            mode, size, labels = image.mode, image.size, np.asarray(image)
        with Image.open(open_picture(frame)) as image:
            expected = image.size
    except (OSError, SyntaxError) as error:
        raise InputError(
            f"{file} or its frame {frame} cannot be read ({error}): one is damaged, write it again"
        ) from error
    if mode != "P":
        raise InputError(
            f"{file} is a PNG of mode {mode}: the server wants palette PNGs, write "
            "masks with vosjax.io.palette.write_label_png"
        )
    if size != expected:
        raise InputError(
            f"{file} has {size[0]} x {size[1]} pixels (width x height), its frame "
            f"{expected[0]} x {expected[1]}: write masks at the frame's size"
        )
    unknown = sorted(set(np.unique(labels).tolist()) - set(sequence.starts) - {0})
    if unknown:
        raise InputError(
            f"{file} has ids {unknown}, but sequence {sequence.name} has the objects "
            f"{sorted(sequence.starts)}: remove the others"
        )
