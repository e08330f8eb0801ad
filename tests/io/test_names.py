"""Names in natural order, and names that are safe to print."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vosjax.io.names import in_order, natural, number, printable

ORDERS = {
    "numbers": ["f2.png", "f10.png", "f101.png"],
    "a name before its continuation": [
        "IMG_170430.jpg",
        "IMG_170431.jpg",
        "IMG_170431 (1).jpg",
        "IMG_170431 (2).jpg",
        "IMG_170431 (10).jpg",
        "IMG_170432.jpg",
    ],
    "continued by a dash": ["NAME.jpg", "NAME-1.jpg", "NAME-2.jpg", "NAME-10.jpg", "NAMES.jpg"],
    "continued by a low line": ["NAME.jpg", "NAME_1.jpg", "NAME_2.jpg", "NAME_10.jpg"],
    "mixed endings": ["0000.jpg", "0001.tif", "0002.jpg", "0003.tif", "0004.png"],
    "decimals": ["t=0.25.png", "t=0.5.png", "t=1.25.png", "t=10.0.png"],
    "time stamps": ["1700000000.25.png", "1700000000.5.png", "1700000001.png"],
    "counting behind a dot": ["v1.8.png", "v1.9.png", "v1.10.png", "v1.11.png"],
    "a number behind a dot": ["shot.0002.png", "shot.0010.png", "shot.0100.png"],
    "dates": ["2023.12.31.png", "2024.1.2.png", "2024.1.10.png"],
    "signs": ["-10.png", "-1.png", "0.png", "1.png"],
    "signs after =": ["t=-2.png", "t=-1.png", "t=+1.png", "t=2.png"],
    "padding": ["08.png", "9.png", "010.png"],
    "mixed case": ["IMG_1.jpg", "img_2.JPG", "IMG_3.jpg"],
    "unicode digits": ["f\u0662.png", "f\uff13.png", "f4.png"],
}


@pytest.mark.parametrize("kind", ORDERS)
def test_order(kind):
    names = ORDERS[kind]
    for seed in range(5):
        shuffled = random.Random(seed).sample(names, len(names))
        assert in_order(shuffled) == names


@pytest.mark.parametrize("kind", sorted(ORDERS.keys() - {"counting behind a dot"}))
def test_one_name_is_enough_for_a_key(kind):
    assert sorted(reversed(ORDERS[kind]), key=natural) == ORDERS[kind]


@pytest.mark.parametrize("kind", ["a name before its continuation", "decimals", "signs"])
def test_stems_have_the_order_of_their_files(kind):
    stems = [name.rsplit(".", 1)[0] for name in ORDERS[kind]]
    assert in_order(reversed(stems)) == stems


@given(st.lists(st.text(), max_size=6))
def test_any_names_have_an_order_that_does_not_depend_on_where_they_stood(names):
    assert in_order(names) == in_order(names[::-1])


def test_items_are_ordered_by_their_names():
    assert in_order([(1, "b10"), (2, "b9")], name=lambda item: item[1]) == [(2, "b9"), (1, "b10")]


@pytest.mark.parametrize(
    "text, value",
    [("00012", 12), ("0", 0), ("000", 0), ("\u0663", 3), ("-1", None), ("", None), ("1.0", None)],
)
def test_numbers_are_digits_alone(text, value):
    assert number(text) == value


def test_a_number_longer_than_any_frames_is_none():
    assert number("9" * 5000) is None


@given(st.text(st.characters()))
def test_what_is_printable_prints(text):
    shown = printable(text)
    assert shown.isprintable() and shown.encode("utf-8") is not None
    assert printable(shown) == shown


def test_what_is_not_printable_is_escaped():
    assert printable("a\nb\x1b[2J\udce9\u00e9") == "a\\nb\\x1b[2J\\udce9\u00e9"
