"""XML of LabelMe's older web tool, and of Pascal VOC, which holds boxes alone."""

import numpy as np
import pytest

from vosjax.errors import InputError
from vosjax.io.masks import read_marks

SIZE = (14, 20)
NAMES = ("a", "b", "c")
LEFT, RIGHT = ((2, 3), (8, 3), (8, 9), (2, 9)), ((12, 3), (16, 3), (16, 9), (12, 9))


def thing(corners, *, id, name="dog", deleted=0, parts=""):
    points = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in corners)
    return (
        f"<object><name>{name}</name><deleted>{deleted}</deleted><id>{id}</id>"
        f"<parts><hasparts>{parts}</hasparts><ispartof></ispartof></parts>"
        f"<polygon><username>me</username>{points}</polygon></object>"
    )


def file(*objects, image="b.jpg", size=SIZE):
    rows, columns = size
    return (
        f"<annotation><filename>\n{image}\n</filename>{''.join(objects)}<imagesize>"
        f"<nrows>{rows}</nrows><ncols>{columns}</ncols></imagesize></annotation>"
    ).encode()


def read(data):
    return read_marks(data, frames=NAMES, size=SIZE)


def test_polygons_become_objects_of_the_named_frame():
    marks = read(file(thing(LEFT, id=0), thing(RIGHT, id=1, name="cat")))
    expected = np.zeros(SIZE, np.uint8)
    expected[3:9, 2:8], expected[3:9, 12:16] = 1, 2
    assert list(marks.labels) == [1] and marks.names == {1: "dog", 2: "cat"}
    np.testing.assert_array_equal(marks.labels[1], expected)


def test_parts_belong_to_their_object_and_deleted_ones_to_none():
    gone = thing(((0, 0), (5, 0), (0, 5)), id=2, deleted=1)
    marks = read(file(thing(LEFT, id=0, parts="1"), thing(RIGHT, id=1, name="tail"), gone))
    assert marks.names == {1: "dog"} and (marks.labels[1] > 0).sum() == 36 + 24


@pytest.mark.parametrize(
    "data, message",
    [
        (file(thing(LEFT[:2], id=0)), "object 1 .dog.: it has no polygon"),
        (file(thing((("x", 1), (2, 3), (4, 5)), id=0)), "object 1 .dog.: could not convert"),
        (file(thing(LEFT, id=0), size=(28, 40)), "is 40x28, the video is 20x14"),
        (file(thing(LEFT, id=0, deleted=1)), "holds no object"),
        (
            b"<annotation><object><name>dog</name><bndbox><xmin>1</xmin></bndbox></object>"
            b"</annotation>",
            "Pascal VOC, whose boxes mark no area: give them as --boxes",
        ),
    ],
)
def test_what_cannot_be_a_mask_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        read(data)
