"""A dataset on disk and the folders that runs of it leave, made without a network."""

import json
import types

import cv2
import numpy as np

from support.clips import clip
from vosjax.eval import folder, probabilities, results, videos
from vosjax.eval.config import EvalConfig
from vosjax.io.palette import write_label_png
from vosjax.runs import record

SIZE = (48, 64)
IDS = (1, 2)


def dataset(root, counts=(("cow", 6), ("dog", 5))):
    """Writes a DAVIS folder of drawn clips; returns it."""
    for name, count in counts:
        frames, labels = clip(frames=count, height=SIZE[0], width=SIZE[1], objects=2)
        (root / "JPEGImages" / name).mkdir(parents=True)
        for index, (frame, truth) in enumerate(zip(frames, labels)):
            cv2.imwrite(str(root / "JPEGImages" / name / f"{index:05d}.jpg"), frame[..., ::-1])
            write_label_png(root / "Annotations" / name / f"{index:05d}.png", truth)
    return root


def run(data, out, *, late=0, sure=0.9, mem_every=5, bits=8):
    """The folder of a run whose masks lag `late` frames behind the truth, `sure` of them."""
    evaluation = EvalConfig(probabilities=bits)
    sequences = videos.discover(data)
    for video in sequences:
        for index in range(len(video.frames)):
            labels = videos.read_labels(video, max(index - late, 0))
            write_label_png(folder.mask_file(out, video, index), labels)
            one_hot = np.stack([labels == key for key in IDS])
            soft = np.where(one_hot, sure, (1 - sure) / 2)
            packed = np.round(soft * (2**bits - 1)).astype({8: np.uint8, 16: np.uint16}[bits])
            probabilities.write(
                folder.probabilities_file(out, video, index), packed, IDS, labels.shape
            )
        folder.finish(out, video, {"name": video.name})
    settings = {
        "data": str(data),
        "mem_every": mem_every,
        "videos": len(sequences),
        "family": "drawn",
        "weights": f"late {late}",
        "weights_sha256": "",
        "eval": evaluation.selection(),
    }
    settings = json.loads(json.dumps(settings))
    record.write(out, settings, status="complete", frames=11, facts={})
    rules = results.scoring_rules(data, evaluation)
    results.write(out, sequences, rules, settings=settings, facts={})
    return out


def table(out):
    return types.SimpleNamespace(**json.loads((out / "results.json").read_text()))
