"""The measurement of corrections, on a drawn clip with the toy network."""

import pytest
from support.clips import clip
from support.command import write_frames
from support.studio import MODEL

from vosjax.bench.studio import corrected, measure
from vosjax.errors import InputError
from vosjax.io.palette import write_label_png

FRAMES, LABELS = clip(frames=14, height=48, width=64, objects=2)


@pytest.fixture
def data(tmp_path):
    """A folder in DAVIS layout, of one clip with truth and one without."""
    for name in ("cow", "unlabelled"):
        write_frames(tmp_path / "JPEGImages" / name, FRAMES)
    for t, labels in enumerate(LABELS):
        write_label_png(tmp_path / "Annotations" / "cow" / f"{t:05d}.png", labels)
    return tmp_path


def test_each_correction_mends_the_worst_frame(data):
    table = dict(measure(MODEL, data, corrections=3, max_short_side=48))
    assert list(table) == ["cow"]
    rounds = table["cow"]
    assert [row.made for row in rounds][0] == 13 and rounds[0].frame == 0
    assert rounds[0].j == pytest.approx(rounds[0].scratch_j), "without corrections, the same work"
    assert len({row.frame for row in rounds}) == 4, "no frame is corrected twice"
    assert rounds[-1].j > rounds[0].j
    assert all(row.made < 13 for row in rounds[1:]), "what lies nearer to other frames stays"


def test_it_ends_where_everything_is_corrected():
    rounds = corrected(MODEL, FRAMES[:3], list(LABELS[:3]), corrections=5)
    assert [row.frame for row in rounds][0] == 0 and len(rounds) == 3
    assert rounds[-1].j == 1


def test_a_clip_without_an_object_is_refused():
    with pytest.raises(InputError, match="no object"):
        corrected(MODEL, FRAMES, [labels * 0 for labels in LABELS], corrections=1)
