"""Writes a source of videos back as a plain folder, for evaluation and for other tools.

    JPEGImages/VIDEO/FRAME.jpg    Annotations/VIDEO/FRAME.png    meta.json where frames are listed

Files hold the stored bytes unchanged; `vosjax.eval.layout` and other projects read the result as
they read the original download.
"""

import pathlib

from vosjax.io.files import write_bytes, write_json

_STEP = 64  # frames read at a time


def unpack(source, folder, *, names=None):
    """Writes the videos of a source (see `datasets.protocol`) into a folder and returns their names.

    Args:
        source: `folders.Folder` or `prepared.Videos`.
        folder: made if it is not there; files of the same name are replaced.
        names: only these videos; None: all.

    Raises:
        DiskFull, InputError: as `io.files.write_bytes`.
    """
    folder, done, meta = pathlib.Path(folder), [], {}
    for index in range(len(source)):
        header = source.header(index)
        if names is not None and header.name not in names:
            continue
        stems = []
        for start in range(0, len(header.areas), _STEP):
            stop = min(start + _STEP, len(header.areas))
            for frame in source.read(index, range(start, stop)):
                stems.append(frame.name)
                ending = ".png" if frame.image.startswith(b"\x89PNG") else ".jpg"
                write_bytes(
                    folder / "JPEGImages" / header.name / f"{frame.name}{ending}", frame.image
                )
                if frame.mask:
                    write_bytes(
                        folder / "Annotations" / header.name / f"{frame.name}.png", frame.mask
                    )
        done.append(header.name)
        if header.listed and len(header.ids):
            first = (header.areas > 0).argmax(0)
            meta[header.name] = {
                "objects": {
                    str(i): {
                        "category": category,
                        "frames": [stems[t] for t in header.listed if t >= start],
                    }
                    for i, category, start in zip(header.ids, header.categories, first)
                }
            }
    if meta:
        write_json(folder / "meta.json", {"videos": meta})
    return done
