"""Every mistake gives one line on stderr (given, expected, what to do) and exit code 2."""

import errno
import json
import os

import cv2
import jax
import numpy as np
import pytest
from PIL import Image
from support import toy
from support.command import FRAMES, LABELS, masks_of, write_frames

from vosjax.checkpoints.weights import save_weights
from vosjax.io import palette
from vosjax.io.palette import write_label_png


@pytest.fixture
def refused(capfd):
    """refused(code) -> the one line."""

    def line(code):
        out, err = capfd.readouterr()
        assert code == 2
        assert "Traceback" not in err and err.startswith("launch.py: ")
        assert err.count("\n") == 1 and err.endswith("\n"), err
        return err.removeprefix("launch.py: ").strip()

    return line


def test_a_misspelt_field(workdir, refused):
    assert refused(workdir.segment("--config.mem_evry=3")) == (
        f"the config {workdir.config} has no field 'mem_evry' (did you mean 'mem_every'?)"
    )


def test_a_misspelt_nested_field(workdir, refused):
    assert "no field 'repeat' (did you mean 'repeats'?)" in refused(
        workdir.segment("--config.bench.repeat=3")
    )


def test_a_value_of_another_type(workdir, refused):
    assert "five" in refused(workdir.segment("--config.mem_every=five"))


def test_a_misspelt_flag(workdir, refused):
    assert "'vidio'" in refused(workdir.run("--config", workdir.config, "--vidio", "x"))


def test_a_word_without_a_flag(workdir, refused):
    assert "'extra' was given without a flag" in refused(workdir.segment("extra"))


def test_a_missing_config(workdir, refused):
    assert "nope.py cannot be read" in refused(workdir.run("--config", "nope.py"))


def test_no_config(workdir, refused):
    assert "no --config was given" in refused(workdir.run())


@pytest.mark.parametrize(
    "text, words",
    [
        ("def get_config(:\n", "invalid syntax"),
        ("x = 1\n", "no function get_config()"),
        ("def get_config():\n    return 1 / 0\n", "division by zero"),
    ],
)
def test_a_broken_config(workdir, refused, text, words):
    (workdir.root / "broken.py").write_text(text)
    assert words in refused(workdir.run("--config", workdir.root / "broken.py"))


def test_an_unknown_mode_lists_those_there_are(workdir, refused):
    line = refused(workdir.segment("--mode", "segmnt"))
    assert "did you mean 'segment'?" in line and "quickstart" in line


@pytest.mark.parametrize("flag", ["video", "masks", "output"])
def test_what_the_main_command_needs(workdir, refused, flag):
    flags = dict(video=workdir.video, masks=workdir.mask, output=workdir.out)
    del flags[flag]
    words = [f"--{name}={value}" for name, value in flags.items()]
    assert f"--{flag} is missing" in refused(workdir.run("--config", workdir.config, *words))


def test_a_missing_video(workdir, refused):
    assert "there is no video at" in refused(workdir.segment(video="nowhere.mp4"))
    assert not workdir.out.exists()


def test_an_unreadable_video(workdir, refused):
    (workdir.root / "noise.mp4").write_bytes(b"this is no video" * 100)
    assert "cannot be opened" in refused(workdir.segment(video=str(workdir.root / "noise.mp4")))


def test_a_video_without_frames(workdir, refused):
    (workdir.root / "empty").mkdir()
    refused(workdir.segment(video=str(workdir.root / "empty")))
    film = cv2.VideoWriter(
        str(workdir.root / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48)
    )
    film.release()
    refused(workdir.segment(video=str(workdir.root / "v.avi")))


def test_frames_of_changing_size(workdir, refused):
    frames = write_frames(workdir.root / "odd", [*FRAMES[:5], FRAMES[5][:40]])
    assert "64x40" in refused(workdir.segment(video=frames))
    assert len(masks_of(workdir.out)) == 5, "what came before is there"
    assert json.loads((workdir.out / "run.json").read_text())["status"] != "complete"


def test_a_missing_mask(workdir, refused):
    assert "nomask.png" in refused(workdir.segment(masks="nomask.png"))


def test_a_mask_without_objects(workdir, refused):
    write_label_png(workdir.mask, np.zeros_like(LABELS[0]))
    assert "object" in refused(workdir.segment())


def test_a_mask_of_another_size(workdir, refused):
    write_label_png(workdir.mask, LABELS[0][:40])
    assert "is 64x40, the video is 64x48" in refused(workdir.segment())


def test_a_smoothed_mask(workdir, refused):
    soft = cv2.GaussianBlur((LABELS[0] == 1).astype(np.uint8) * 255, (7, 7), 2)
    Image.fromarray(soft).save(workdir.mask)
    refused(workdir.segment())


def test_a_mask_of_a_frame_that_is_not_there(workdir, refused):
    assert "99" in refused(workdir.segment(masks=f"99={workdir.mask}"))


def test_a_mask_behind_the_end_of_a_film(workdir, refused):
    film = cv2.VideoWriter(
        str(workdir.root / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48)
    )
    for frame in FRAMES[:3]:
        film.write(frame[..., ::-1])
    film.release()
    code = workdir.run(
        "--config",
        workdir.config,
        "--video",
        workdir.root / "v.avi",
        "--output",
        workdir.out,
        f"--masks=0={workdir.mask}",
        f"--masks=7={workdir.mask}",
    )
    assert "given for frame 7" in refused(code)


def test_ids_that_no_mask_file_holds(workdir, refused):
    np.save(workdir.root / "many.npy", LABELS[0].astype(np.uint16) * 300)
    assert "ids up to 600" in refused(workdir.segment(masks=str(workdir.root / "many.npy")))


def test_missing_weights(workdir, refused):
    assert "no weights at nothing" in refused(workdir.segment("--config.weights=nothing"))


def test_a_config_without_weights(workdir, refused):
    assert "--config.weights=FOLDER" in refused(workdir.segment("--config.weights="))


def test_weights_of_another_config(workdir, refused):
    params = toy.fresh(jax.random.PRNGKey(0))
    params["key"] = params["key"][:, :3]
    save_weights(
        workdir.root / "other",
        params,
        card={"family": "toynet", "config": {"model": {}}, "source": "", "licence": ""},
    )
    line = refused(workdir.segment(f"--config.weights={workdir.root / 'other'}"))
    assert "are not those of this config" in line and "key" in line


def test_damaged_weights(workdir, refused):
    file = workdir.root / "weights" / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"1234")
    assert "sha256" in refused(workdir.segment())


def test_an_output_that_cannot_be_a_folder(workdir, refused):
    (workdir.root / "file").write_text("")
    assert "is a file; name a folder" in refused(workdir.segment(out=workdir.root / "file"))


def test_a_full_disk(workdir, refused, monkeypatch):
    save = Image.Image.save

    def full(self, path, *rest, **options):
        if "00003" in str(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return save(self, path, *rest, **options)

    monkeypatch.setattr(palette.Image.Image, "save", full)
    line = refused(workdir.segment())
    assert "disk full" in line and "complete up to frame 2" in line
    assert sorted(p.name for p in (workdir.out / "masks").iterdir()) == [
        f"{t:05d}.png" for t in range(3)
    ]
    assert json.loads((workdir.out / "run.json").read_text())["status"] == "running"


def test_help_is_no_mistake(workdir, capsys):
    assert workdir.run("--help") == 0
    text = capsys.readouterr().out
    assert "--video" in text and "segment" in text


@pytest.mark.parametrize(
    "code, words",
    [
        (errno.EROFS, "cannot be read or written (the file system is read-only)"),
        (errno.EACCES, "may not be read or written: check its permissions"),
        (errno.ENAMETOOLONG, "the name is too long for the file system"),
        (errno.EFBIG, "larger than the file system or `ulimit -f` allows"),
        (errno.ENOSPC, "disk full while writing"),
    ],
)
def test_what_the_file_system_refuses_anywhere(workdir, refused, monkeypatch, code, words):
    """Also where no writer or reader has put it into words."""

    def refuse(config, options):
        raise OSError(code, os.strerror(code), "some/file")

    monkeypatch.setattr("vosjax.modes.report.run", refuse)
    line = refused(workdir.run("--config", workdir.config, "--mode", "report"))
    assert words in line and "some/file" in line


@pytest.mark.parametrize("code", [errno.EROFS, errno.EFBIG, errno.EACCES])
def test_masks_that_cannot_be_written(workdir, refused, monkeypatch, code):
    def refuse(image, path, **options):
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(palette.Image.Image, "save", refuse)
    line = refused(workdir.segment("--config.overlay=False"))
    assert "masks/00000.png" in line and "be written" in line
