"""The programs of examples/ run over a clip on disk with the weights of a toy."""

import pathlib

import pytest
from support.command import LABELS, workdir  # noqa: F401
from support.documents import ROOT, stand_ins
from support.served import TOKEN, alone, clip, png, running

from examples import come_and_go, ensemble, live_camera, own_network, serve_client
from vosjax.io.palette import read_label_png

PROGRAMS = sorted(path.stem for path in (ROOT / "examples").glob("[!_]*.py"))


def test_a_live_video_is_followed_frame_by_frame(workdir, capsys):  # noqa: F811
    live_camera.main([workdir.video, "--masks", workdir.mask, "--weights", workdir.weights])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(LABELS)
    assert lines[0].startswith("frame 0: object 1: ") and "object 2: " in lines[-1]


def test_without_a_mask_it_is_the_box_in_the_middle(workdir, capsys):  # noqa: F811
    live_camera.main([workdir.video, "--frames", "2", "--weights", workdir.weights])
    lines = capsys.readouterr().out.splitlines()
    height, width = LABELS[0].shape
    pixels = (2 * height // 3 - height // 3) * (2 * width // 3 - width // 3)
    assert len(lines) == 2 and lines[0].startswith(f"frame 0: object 1: {pixels} pixels")


def test_objects_come_and_go(workdir, capsys):  # noqa: F811
    come_and_go.main([workdir.video, workdir.mask, "--weights", workdir.weights])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "frame 0: followed [1, 2], seen [0, 1, 2]"
    assert lines[1].startswith("frame 1: followed [1, 2, 200]") and "200]" in lines[2]
    assert lines[3].startswith("frame 3: followed [1, 2], ") and "200" not in lines[3]


def test_an_ensemble_writes_its_masks(workdir, capsys, tmp_path):  # noqa: F811
    out = tmp_path / "fused"
    ensemble.main([workdir.video, workdir.mask, "--output", str(out), "--weights", workdir.weights])
    masks = sorted(out.iterdir())
    assert len(masks) == len(LABELS)
    assert (read_label_png(masks[0]) == LABELS[0]).all()


def test_a_network_of_ones_own_follows_objects(tmp_path, capsys):
    stand_ins(tmp_path)
    own_network.main([str(tmp_path / "dog.mp4"), str(tmp_path / "dog.png")])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    areas = [
        int(part)
        for part in lines[1].replace("}", ",").split(": ")[2:4]
        for part in [part.split(",")[0]]
    ]
    assert all(120 < area < 500 for area in areas)  # squares of 256 pixels


def test_a_client_has_a_server_segment_a_folder(tmp_path, capsys):
    video, (frames, out) = clip(), (tmp_path / "frames", tmp_path / "out")
    frames.mkdir()
    for index, (frame, _) in enumerate(video):
        (frames / f"{index:05d}.png").write_bytes(png(frame))
    (tmp_path / "mask.png").write_bytes(png(video[0][1]))
    with running(token=TOKEN) as client:
        flags = ["--output", str(out), "--server", client.running.address, "--token", TOKEN]
        serve_client.main([str(frames), str(tmp_path / "mask.png"), *flags])
        assert len(client.running.sessions) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(video)
    for path, labels in zip(sorted(out.iterdir()), alone(video), strict=True):
        assert (read_label_png(path) == labels).all()
    text = pathlib.Path(serve_client.__file__).read_text(encoding="utf-8")
    assert len([line for line in text.splitlines() if line.strip()]) <= 34


def test_a_network_of_ones_own_takes_60_lines():
    lines = pathlib.Path(own_network.__file__).read_text(encoding="utf-8").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("class State"))
    last = next(i for i, line in enumerate(lines) if line.startswith("def init_params"))
    code = [line for line in lines[first:last] if line.strip() and not line.strip().startswith("#")]
    assert len(code) <= 60


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_readme_beside_them_names_every_program(name):
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert f"[{name}.py]({name}.py)" in text and f"python -m examples.{name} " in text
