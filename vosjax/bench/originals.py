"""The PyTorch originals, as functions that segment a frame: for `vosjax.bench.beside` alone.

They run from their authors' repositories, whose folders are given; nothing of them is part of this
package. Each keeps as many remembered frames as it is asked to, however many it segments, and has
random weights or those that its own code loads, which takes the same time.
"""

import contextlib
import importlib
import importlib.metadata
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from vosjax.errors import InputError
from vosjax.layers.norm import IMAGENET_MEAN, IMAGENET_STD
from vosjax.schema import NEVER

Labels = np.ndarray  # uint8 [H, W]
Step = Callable[[int, bool], Labels]  # (number of a frame, whether it is remembered) -> its labels

AOT = {
    **{f"{family}:{size}": f"{family}{size}" for family in ("aot", "deaot") for size in "tsbl"},
    **{
        f"{family}:{encoder}": f"{name}_{family}l"
        for family in ("aot", "deaot")
        for encoder, name in (("r50", "r50"), ("swin", "swinb"))
    },
}  # {config: name in aot-benchmark}


def original(
    name: str,
    folders: dict[str, pathlib.Path],
    *,
    frames: list[np.ndarray],
    labels: Labels,
    memory: int,
    dtype: str,
) -> Step:
    """Builds the original of a config, with a full memory, on the first GPU or else on the CPU.

        step = original("stcn", {"stcn": path}, frames=frames, labels=labels, memory=5,
            dtype="float32")
        step(0, False)      # labels of the first frame, which is not remembered

    Frames are brought to the network's size, normalised and on the device beforehand, as its own
    loader's processes do.

    Args:
        name: 'stcn' or a key of `AOT`.
        folders: the repositories, {'aot': aot-benchmark, 'stcn': STCN}.
        frames: uint8 [H, W, 3] of one size.
        labels: uint8 [H, W], the objects of the first frame, from 1 on without gaps.
        memory: number of remembered frames.
        dtype: 'float32', or 'bfloat16' for PyTorch's autocast to it.

    Raises:
        InputError: there is no original of that name, its repository was not given or is not one,
            or PyTorch is not installed.
    """
    family = "stcn" if name == "stcn" else "aot"
    if name != "stcn" and name not in AOT:
        raise InputError(f"{name!r} has no original: there are {', '.join([*AOT, 'stcn'])}")
    marker = {"stcn": "inference_memory_bank.py", "aot": "networks/engines/aot_engine.py"}[family]
    folder = folders.get(family)
    if folder is None:
        raise InputError(f"the original of {name} needs its repository: --{family} FOLDER")
    if not (folder / marker).is_file():
        raise InputError(f"--{family} is {folder}, where there is no {marker}")
    try:
        torch = importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise InputError("the originals need PyTorch: pip install torch torchvision") from error
    build = _stcn if family == "stcn" else _aot
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with _imports_from(folder), _mode(torch, device, dtype):
        step = build(AOT.get(name, name), torch, device, frames, labels, memory)

    def run(index: int, remember: bool) -> Labels:
        with _mode(torch, device, dtype):
            found: Labels = step(index, remember).to(torch.uint8).cpu().numpy()
        return found

    return run


def torch_version() -> str:
    """Returns the version of the installed PyTorch."""
    return importlib.metadata.version("torch")


@contextlib.contextmanager
def _imports_from(folder: pathlib.Path) -> Iterator[None]:
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(folder.resolve()))


@contextlib.contextmanager
def _mode(torch: Any, device: Any, dtype: str) -> Iterator[None]:
    half = dtype == "bfloat16"
    with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
        yield


def _tensors(torch: Any, device: Any, frames: list[np.ndarray], size: tuple[int, int]) -> list[Any]:
    """Returns normalised frames [1, 3, h, w] on the device."""
    mean, deviation = (torch.tensor(x).view(1, 3, 1, 1) for x in (IMAGENET_MEAN, IMAGENET_STD))
    ready = []
    for frame in frames:
        image = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
        image = torch.nn.functional.interpolate(image, size=size, mode="bilinear")
        ready.append(((image - mean) / deviation).to(device))
    return ready


def _aot(
    name: str, torch: Any, device: Any, frames: list[np.ndarray], labels: Labels, memory: int
) -> Callable[[int, bool], Any]:
    """Builds AOT or DeAOT, as `networks/managers/evaluator.py` runs it."""
    resize = torch.nn.functional.interpolate
    blocks: Any = importlib.import_module("networks.layers.transformer")
    if not blocks.enable_corr:
        # Without the extension for correlations the repository chooses a form that raises for
        # several heads; this one of its own does the same in plain PyTorch.
        blocks.MultiheadLocalAttentionV3 = blocks.MultiheadLocalAttentionV2
    config = importlib.import_module("configs.default").DefaultEngineConfig("beside", name)
    network = importlib.import_module("networks.models").build_vos_model(config.MODEL_VOS, config)
    engine = importlib.import_module("networks.engines").build_engine(
        config.MODEL_ENGINE,
        phase="eval",
        aot_model=network.to(device).eval(),
        gpu_id=0,
        long_term_mem_gap=NEVER,
        short_term_mem_skip=1,
    )
    engine.eval()
    odd = int(config.MODEL_ALIGN_CORNERS)  # sides are 16 n + 1 then, else 16 n
    high, wide = (round((side - odd) / 16) * 16 + odd for side in labels.shape)
    images = _tensors(torch, device, frames, (high, wide))
    marked = torch.from_numpy(labels)[None, None].float().to(device)
    marked = resize(marked, size=(high, wide), mode="nearest")
    for _ in range(memory):
        engine.add_reference_frame(images[0], marked, obj_nums=[int(labels.max())], frame_step=0)

    def step(index: int, remember: bool) -> Any:
        held = [one.long_term_memories for one in engine.aot_engines]
        for one in engine.aot_engines:
            one.long_term_mem_gap = 1 if remember else NEVER
        engine.match_propogate_one_frame(images[index])
        logits = engine.decode_current_logits(labels.shape)
        found = torch.softmax(logits, 1).argmax(1, keepdim=True).float()
        engine.update_memory(resize(found, size=engine.input_size_2d, mode="nearest"))
        for one, memories in zip(engine.aot_engines, held):
            one.long_term_memories = memories
        return found[0, 0]

    return step


def _stcn(
    name: str, torch: Any, device: Any, frames: list[np.ndarray], labels: Labels, memory: int
) -> Callable[[int, bool], Any]:
    """Builds STCN, as `inference_core.py` runs it, with its own top-k of 20."""
    network = importlib.import_module("model.eval_network").STCN().to(device).eval()
    aggregate = importlib.import_module("model.aggregate").aggregate
    pad_divide_by = importlib.import_module("util.tensor_util").pad_divide_by
    objects = int(labels.max())
    bank = importlib.import_module("inference_memory_bank").MemoryBank(k=objects, top_k=20)
    images = [
        pad_divide_by(image, 16)[0] for image in _tensors(torch, device, frames, labels.shape)
    ]
    masks = torch.stack([torch.from_numpy(labels == id) for id in range(1, objects + 1)])
    masks, (left, right, top, bottom) = pad_divide_by(masks[:, None].float().to(device), 16)
    key, _, deep, _, _ = network.encode_key(images[0])
    value = network.encode_value(images[0], deep, aggregate(masks, keep_bg=True)[1:])
    for _ in range(memory):
        bank.add_memory(key.unsqueeze(2), value)

    def step(index: int, remember: bool) -> Any:
        key, thin, deep, middle, shallow = network.encode_key(images[index])
        probs = aggregate(
            network.segment_with_query(bank, middle, shallow, key, thin), keep_bg=True
        )
        if remember:
            value = network.encode_value(images[index], deep, probs[1:])
            held = bank.mem_k, bank.mem_v
            bank.add_memory(key.unsqueeze(2), value)
            bank.mem_k, bank.mem_v = held
        high, wide = probs.shape[-2:]
        return probs.argmax(0)[0, top : high - bottom, left : wide - right]

    return step
