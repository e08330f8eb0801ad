"""Splits that `data_prep` prepares of the small layouts, read back for tests to look into."""

import numpy as np
import tensorflow_datasets as tfds

from data_prep import pictures, shards


class PreparedSplit:
    """A prepared split.

    report    what `shards.prepare` told of it
    builder   that reads it
    records   all of them
    left_out  {kind: where} of what the report says is left out
    source    the folder that it was made of
    written   what the function that wrote that folder returned
    """

    def __init__(self, source, written, output, name, split, **options):
        self.source, self.written = source, written
        (self.report,) = shards.prepare(
            name, source=source, output=output, splits=[split], **options
        )
        (info,) = (output / name.split("/")[0]).rglob("dataset_info.json")
        self.builder = tfds.builder_from_directory(info.parent)
        self.records = list(self.builder.as_data_source(split))
        self.left_out = {kind: entry["where"] for kind, entry in self.report["left_out"].items()}

    def video(self, name):
        """One record of the whole video: the parts' lists joined."""
        parts = [record for record in self.records if record["video"] == name.encode()]
        assert [part["start"] for part in parts] == list(range(0, parts[0]["frames"], 8))
        whole = dict(parts[0])
        for key in ("names", "images", "masks"):
            whole[key] = [item for part in parts for item in part[key]]
        whole["areas"] = whole["areas"].reshape(whole["frames"], -1)
        return whole

    def still(self, name):
        """The record of a photo."""
        return next(record for record in self.records if record["name"] == name.encode())

    def has_records_of(self, folder):
        """Whether the training split prepared in a folder has the same records, in order."""
        others = list(tfds.builder_from_directory(folder).as_data_source("train"))
        return len(others) == len(self.records) and all(
            np.array_equal(one[key], other[key])
            for one, other in zip(self.records, others)
            for key in one
        )


def once(tmp_path_factory):
    """prepared(layout function, name, split) -> `PreparedSplit`; each is made once."""
    sources, splits = {}, {}

    def prepared(write, name, split="train", **options):
        key = (write, name, split, str(options))
        if key not in splits:
            if write not in sources:
                folder = tmp_path_factory.mktemp(write.__name__)
                sources[write] = folder, write(folder)
            output = tmp_path_factory.mktemp("out")
            splits[key] = PreparedSplit(*sources[write], output, name, split, **options)
        return splits[key]

    return prepared


def labels(data):
    """The labels [H, W] of a mask file's content."""
    return pictures.labels_of(data)
