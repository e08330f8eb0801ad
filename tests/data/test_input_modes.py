"""Preparing and previews as users start them; the input benchmark; the transfer to devices."""

import jax
import numpy as np
import pytest
from PIL import Image
from support import dataset_layouts as layouts

from vosjax.bench import clips
from vosjax.config import opened, parsed
from vosjax.data import pipeline, sheet
from vosjax.errors import InputError
from vosjax.modes import Options, prepare, preview
from vosjax.train import device


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """DOWNLOADS/vos in YouTube-VOS layout."""
    root = tmp_path_factory.mktemp("downloads")
    layouts.youtube_vos(root / "vos")
    return root


def test_prepare_mode_prints_reports_and_passes_over_what_is_missing(root, tmp_path, capsys):
    config = parsed(
        dict(
            workers=0,
            datasets=(
                dict(name="youtube_vos/2019", source="vos", splits=("train",)),
                dict(name="davis/2017_480p", source="DAVIS"),
            ),
        )
    )
    assert prepare.run(config, Options(data=str(root), output=str(tmp_path))) == 0
    said = capsys.readouterr().out
    assert "2 videos found" in said and "davis/2017_480p: passed over" in said
    assert (tmp_path / "youtube_vos/2019/1.0.0/dataset_info.json").is_file()


def test_prepare_mode_refuses_what_it_cannot_use(root, tmp_path):
    config = parsed(
        dict(workers=0, datasets=(dict(name="davis/2017_480p", source="vos", splits=("val",)),))
    )
    for flags, said in (
        (Options(output="x"), "--data"),
        (Options(data=str(root), output=str(tmp_path)), "no folder of DAVIS"),
        (Options(data=str(tmp_path), output=str(tmp_path)), "none of the datasets"),
    ):
        with pytest.raises(InputError, match=said):
            prepare.run(config, flags)


def _training(root, **data):
    return parsed(
        dict(
            train=dict(seed=3),
            stages=(),
            data=dict(
                stills="",
                frames=2,
                height=32,
                width=48,
                rendered_weight=0.0,
                sets=(dict(folder=str(root / "vos/train")),),
                **data,
            ),
        )
    )


def test_preview_mode_writes_sheets_of_every_phase(root, tmp_path, capsys):
    config = _training(root, phases=(dict(start=5, plain=True),))
    assert preview.run(config, Options(output=str(tmp_path))) == 0
    for folder in (tmp_path, tmp_path / "from_step_5"):
        with Image.open(folder / "clips_03.png") as image:
            assert image.size[0] == 2 * 244 and np.ptp(np.array(image)) > 100
    assert capsys.readouterr().out.count("clips_0") == 8


def test_preview_shows_the_clips_that_training_gets(root, tmp_path):
    config = pipeline.ClipsConfig(frames=2, height=32, width=48)
    (path,) = preview.sheets(config, tmp_path, seed=3, clips=6)
    stream = pipeline.clips(config, seed=3, batch=6)
    batch = next(stream)
    stream.close()
    rows = [{key: batch[key][i] for key in batch} for i in range(6)]
    assert np.array_equal(np.array(Image.open(path)), sheet.contact_sheet(rows))


def test_preview_needs_training_data(tmp_path):
    with pytest.raises(InputError, match="no training data"):
        preview.run(opened("base"), Options(output=str(tmp_path)))


def test_sheet_tints_objects_and_hatches_ignored_pixels():
    labels = np.zeros((1, 60, 60), np.uint8)
    labels[0, 5:25, 5:55], labels[0, 35:55] = 1, 255
    clip = dict(frames=np.full((1, 60, 60, 3), 100, np.uint8), labels=labels, objects=1)
    tile = sheet.contact_sheet([clip], width=60)[18:78, :60].astype(int)
    assert (tile[28:33] == 100).all()
    assert (tile[6:24, 6:15, 0] > tile[6:24, 6:15, 1]).all()
    assert 0.1 < (tile[36:54] == 255).all(-1).mean() < 0.5


def test_measure_tells_rates_and_the_ratio_to_plain_decoding(root):
    config = pipeline.ClipsConfig(
        frames=2,
        height=32,
        width=32,
        rendered_weight=0.0,
        sets=(dict(folder=str(root / "vos/train")),),
    )
    rates = clips.measure(config, batch=2, rounds=3, batches=2)
    low, high = rates["clips_per_second_range"]
    assert 0 < low <= rates["clips_per_second"] <= high
    assert rates["frames_per_second"] == 2 * rates["clips_per_second"]
    low, high = rates["ratio_range"]
    assert 0 < low <= rates["ratio"] <= high and rates["core_ms_per_clip"] > 0
    assert rates["core_ratio"] > 0


def test_measure_of_rendered_clips_has_no_decoding():
    rates = clips.measure(
        pipeline.ClipsConfig(frames=2, height=32, width=32), batch=1, rounds=1, batches=1
    )
    assert rates["ratio"] is None and rates["clips_per_second"] > 0


@pytest.fixture(scope="module")
def sharding():
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))


def test_batches_reach_the_devices_in_order_and_ahead(sharding):
    taken, closed = [], []

    def source():
        try:
            for i in range(5):
                taken.append(i)
                yield dict(frames=np.full((2, 3), i, np.uint8), objects=np.array([i, i], np.int32))
        finally:
            closed.append(True)

    stream = device.to_device(source(), sharding, ahead=2)
    first = next(stream)
    assert taken == [0, 1, 2] and first["frames"].sharding == sharding
    assert [int(batch["objects"][0]) for batch in stream] == [1, 2, 3, 4] and closed == [True]


def test_leaving_early_closes_the_source(sharding):
    stream = pipeline.clips(pipeline.ClipsConfig(frames=2, height=32, width=32), seed=0, batch=1)
    on_device = device.to_device(stream, sharding)
    next(on_device)
    on_device.close()
    with pytest.raises(StopIteration):
        next(stream)
