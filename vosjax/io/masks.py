"""Any mask a user may hold, read as object ids: palette, grey ids, 0/255, colours, .npy.

What a file's values mean can depend on the other masks of the same video (a colour must keep its
id), so files are read raw first and put into ids together.

- Palette PNG: the indices are the ids. Grey images, and RGB images that are grey: the values are.
- 255 in a grey or palette mask is one object (id 1) when the mask holds nothing else but 0. Beside
  other ids it is void, as in DAVIS and YouTube-VOS, and becomes background; then it is so in every
  mask of the video. Ids above 255 (uint16) leave 255 an id like any other.
- RGB(A): black and transparent are background. Colours that are all in the DAVIS palette take their
  index there; otherwise the ids are 1, 2, ... over the sorted colours of all masks of the video.
"""

import os
import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.palette import DAVIS
from vosjax.io.smoothing import check_sharp, smoothed
from vosjax.io.video import natural

MASKS = (".png", ".npy", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jpg", ".jpeg")
VOID = 255


class Mask(NamedTuple):
    """labels uint8 or uint16 [H, W] of object ids; palette uint8 [256, 3], None without colours."""

    labels: np.ndarray
    palette: np.ndarray | None


class Masks(NamedTuple):
    """labels: {frame index: uint8 or uint16 [H, W] of ids}, in order; palette as in `Mask`."""

    labels: dict[int, np.ndarray]
    palette: np.ndarray | None


class _Raw(NamedTuple):
    """A mask before its meaning: values [H, W] are ids or, for colours, r << 16 | g << 8 | b."""

    name: str
    values: np.ndarray
    kind: str  # 'ids': taken as they are, 'grey': may be smoothed, 'colours'
    palette: np.ndarray | None = None


def read_mask(source, *, size: tuple[int, int] | None = None) -> Mask:
    """Reads one mask: an image file, a .npy file or an array.

    Args:
        source: a path, an array [H, W] of bool or integers, or an array [H, W, 3 or 4] of uint8.
        size: (H, W) of the video, to be checked.

    Raises:
        InputError: missing or damaged, of another size, smoothed (anti-aliased), without an
            object, or an array of another type or shape.
    """
    raw = _raw(source)
    _check_size(raw, size)
    (labels,), palette = _ids([raw])
    if not labels.any():
        raise InputError(
            f"{raw.name} holds no object: every pixel is background, mark at least "
            "one pixel by a non-zero id or a colour"
        )
    return Mask(labels, palette)


def read_masks(spec, names=None, *, size=None, count=None) -> Masks:
    """Reads all masks of a video.

    Args:
        spec: one of
            - a mask as for `read_mask`: it belongs to frame 0;
            - a folder: every mask in it, each given to the frame whose name is the file's stem,
              or, where frames have no names, to the frame whose number the stem is;
            - 'FRAME=FILE', or a list of such: FRAME is a frame's name or else its 0-based index;
            - a dict {frame index: mask as for `read_mask`}.
        names: the names of the frames (`Video.names`), if they have some.
        size: (H, W) of the video, to be checked.
        count: the number of frames, where it is known for certain.

    Returns:
        `Masks`, in the order of the frames. Empty masks say nothing and are left out.

    Raises:
        InputError: as `read_mask`; a frame outside of the video; a file that matches no frame; two
            masks for one frame; no object in any mask.
    """
    sources = sorted(_sources(spec, names, count).items())
    raws = [_raw(source) for _, source in sources]
    for raw in raws:
        _check_size(raw, size if size is not None else raws[0].values.shape)
    labels, palette = _ids(raws)
    found = {frame: ids for (frame, _), ids in zip(sources, labels) if ids.any()}
    if not found:
        raise InputError(
            f"{_name(spec)}: no object in {len(raws)} mask(s), every pixel is "
            "background: mark at least one pixel by a non-zero id or a colour"
        )
    return Masks(found, palette)


def _name(source) -> str:
    if isinstance(source, (str, os.PathLike)):
        return f"mask {source}"
    if isinstance(source, (dict, list, tuple)):
        return "the masks"
    return "the mask"


def _sources(spec, names, count) -> dict:
    """{frame index: path or array} of any form of `spec`."""
    if isinstance(spec, dict):
        return _collect([(_frame(f, names, count, f"frame {f}"), s) for f, s in spec.items()], spec)
    if isinstance(spec, (str, os.PathLike)):
        path = pathlib.Path(spec).expanduser()
        if path.is_dir():
            return _folder(path, names, count)
        if "=" not in str(spec) or path.exists():
            return {0: path}
        spec = [spec]
    if not isinstance(spec, (list, tuple)):
        return {0: spec}
    if len(spec) == 1 and ("=" not in str(spec[0]) or pathlib.Path(spec[0]).exists()):
        return _sources(spec[0], names, count)
    pairs = []
    for item in spec:
        frame, equals, file = str(item).partition("=")
        if not equals or not file:
            raise InputError(
                f"several masks are given as FRAME=FILE, got {item!r}: write for "
                "example 0=first.png 25=later.png"
            )
        pairs.append((_frame(frame, names, count, str(item)), pathlib.Path(file).expanduser()))
    return _collect(pairs, spec)


def _folder(path: pathlib.Path, names, count) -> dict:
    files = sorted(
        (f for f in path.iterdir() if f.suffix.lower() in MASKS and not f.name.startswith(".")),
        key=lambda f: natural(f.name),
    )
    if not files:
        raise InputError(
            f"folder {path} holds no mask: {', '.join(e[1:] for e in MASKS)} files are expected"
        )
    if names is None:
        return _collect([(_frame(f.stem, None, count, str(f)), f) for f in files], path)
    index = {name: i for i, name in enumerate(names)}
    for file in files:
        if file.stem not in index:
            raise InputError(
                f"mask {file} matches no frame: its stem must be the name of a frame, "
                f"they run from {names[0]} to {names[-1]}"
            )
    return _collect([(index[f.stem], f) for f in files], path)


def _collect(pairs: list, spec) -> dict:
    if not pairs:
        raise InputError("no mask was given: at least one is needed")
    found = {}
    for frame, source in pairs:
        if frame in found:
            raise InputError(f"{_name(spec)}: two masks for frame {frame}, one is expected")
        found[frame] = source
    return found


def _frame(frame, names, count, given: str) -> int:
    """The index of a frame that is given by name or number."""
    if names is not None and isinstance(frame, str) and frame in names:
        return names.index(frame)
    count = len(names) if names is not None else count
    last = "" if count is None else f", 0 to {count - 1}"
    if not (isinstance(frame, (int, np.integer)) or str(frame).isdecimal()):
        raise InputError(
            f"{given}: {frame!r} is no frame: its number{last} is expected"
            f"{'' if names is None else ', or its name'}"
        )
    if int(frame) < 0 or (count is not None and int(frame) >= count):
        raise InputError(
            f"{given}: frame {frame} is outside of the video: its number{last} is "
            "expected, counted from 0"
        )
    return int(frame)


def _check_size(raw: _Raw, size):
    if size is not None and raw.values.shape != tuple(size):
        (h, w), (height, width) = raw.values.shape, size
        raise InputError(
            f"{raw.name} is {w}x{h}, the video is {width}x{height} (width x height): "
            "resize the mask with nearest neighbour"
        )


def _raw(source) -> _Raw:
    if not isinstance(source, (str, os.PathLike)):
        return _from_array(np.asarray(source), "the mask")
    path, name = pathlib.Path(source).expanduser(), f"mask {source}"
    if path.is_dir() or not path.exists():
        raise InputError(f"{name} is no file: name a PNG or .npy file")
    try:
        if path.suffix.lower() == ".npy":
            return _from_array(np.load(path, allow_pickle=False), name)
        with Image.open(path) as image:
            return _from_image(image, name)
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{name} cannot be read ({error}): replace it, it is damaged or not a mask"
        ) from error


def _from_array(array: np.ndarray, name: str) -> _Raw:
    if array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8:
        return _colours(array, name)
    if array.ndim != 2 or array.dtype.kind not in "bui" or not array.size:
        raise InputError(
            f"{name} is {array.dtype} {list(array.shape)}: integers [H, W] of object "
            "ids, or uint8 [H, W, 3 or 4] of colours are expected"
        )
    if array.dtype.kind != "b" and (array.min() < 0 or array.max() > 65535):
        raise InputError(
            f"{name} holds ids from {array.min()} to {array.max()}: 0 to 65535 are expected"
        )
    return _Raw(name, array.astype(np.int32), "grey" if array.dtype == np.uint8 else "ids")


def _from_image(image: Image.Image, name: str) -> _Raw:
    if image.mode == "P":
        stored = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)[:256]
        palette = DAVIS.copy()
        palette[: len(stored)] = stored
        return _Raw(name, np.array(image, np.int32), "ids", palette)
    if image.mode in ("1", "L") or image.mode.startswith("I"):
        kind = "grey" if image.mode == "L" else "ids"
        return _from_array(np.array(image).astype(np.int64), name)._replace(kind=kind)
    return _colours(np.array(image.convert("RGBA")), name)


def _colours(array: np.ndarray, name: str) -> _Raw:
    packed = array.astype(np.int32)
    values = packed[..., 0] << 16 | packed[..., 1] << 8 | packed[..., 2]
    if array.shape[2] == 4:
        alphas = np.unique(array[..., 3])
        if np.count_nonzero((alphas > 0) & (alphas < 255)) > 2:
            raise smoothed(name, f"{len(alphas)} degrees of transparency")
        values[array[..., 3] == 0] = 0
    return _Raw(name, values, "colours")


def _ids(raws: list[_Raw]) -> tuple[list[np.ndarray], np.ndarray | None]:
    """The ids of all masks of one video, and its palette."""
    for raw in raws:
        if raw.kind != "ids":
            check_sharp(raw.values, name=raw.name, colours=raw.kind == "colours")
    palette = next((raw.palette for raw in raws if raw.palette is not None), None)
    raws, colours = _map_colours(raws)
    if colours is not None and palette is None:
        palette = colours
    distinct = [set(np.unique(raw.values).tolist()) - {0} for raw in raws]
    void = any(VOID in ids and len(ids) > 1 for ids in distinct) and all(
        max(ids, default=0) <= 255 for ids in distinct
    )
    labels = []
    for raw, ids in zip(raws, distinct):
        values = raw.values
        if raw.kind != "mapped" and VOID in ids:
            if void:
                values = np.where(values == VOID, 0, values)
            elif ids == {VOID}:
                values = np.where(values == VOID, 1, values)
        labels.append(values.astype(np.uint8 if values.max() <= 255 else np.uint16))
    return labels, palette


def _map_colours(raws: list[_Raw]) -> tuple[list[_Raw], np.ndarray | None]:
    """Puts ids for colours, the same in all masks; also a palette that shows them."""
    colours = sorted(
        set().union(*(np.unique(raw.values).tolist() for raw in raws if raw.kind == "colours"))
        - {0}
    )
    if not colours:
        return raws, None
    davis = {r << 16 | g << 8 | b: i for i, (r, g, b) in enumerate(DAVIS.tolist())}
    palette, kind = DAVIS.copy(), "mapped"
    if all(colour in davis for colour in colours):
        ids = [davis[colour] for colour in colours]
        kind = "grey"  # so that the palette's 255 can be void, as it is in a palette PNG
    elif all(colour % 0x010101 == 0 for colour in colours):
        ids, kind, palette = [colour & 255 for colour in colours], "grey", None
    else:
        ids = list(range(1, len(colours) + 1))
        palette[ids] = [(c >> 16, c >> 8 & 255, c & 255) for c in colours]
    keys, values = np.array([0, *colours]), np.array([0, *ids], np.int32)
    return [
        raw
        if raw.kind != "colours"
        else raw._replace(values=values[np.searchsorted(keys, raw.values)], kind=kind)
        for raw in raws
    ], palette
