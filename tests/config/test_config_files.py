"""Config files: found by path and name, with arguments; an error in one is one line."""

import pytest

from vosjax import config
from vosjax.config import files
from vosjax.errors import InputError


def test_a_config_is_found_by_name_by_path_and_by_its_place_in_the_project(monkeypatch, tmp_path):
    here = files.folder() / "aot_swin.py"
    monkeypatch.chdir(tmp_path)
    for asked in ("aot_swin", "aot_swin.py", "configs/aot_swin.py", str(here)):
        assert files.find(asked) == (here, None)
        assert config.named(asked).model.encoder == "swin:b"


def test_an_argument_follows_a_colon():
    assert config.named("aot:r50").model.encoder == "resnet:50"
    assert config.named("configs/aot.py:r101").model.encoder == "resnet:101"
    assert config.named("aot").model.layers == 1  # the first variant


def test_a_file_of_ones_own_comes_before_a_name(tmp_path, monkeypatch):
    (tmp_path / "aot.py").write_text(
        "from vosjax.config import network\n\n\ndef get_config(weights='w'):\n"
        "    config = network()\n    config.weights = weights\n    return config\n"
    )
    monkeypatch.chdir(tmp_path)
    assert config.opened("aot.py:mine").weights == "mine"
    assert config.opened("aot:t").family == "aot"


@pytest.mark.parametrize(
    "asked, said",
    [
        ("aot:r5", "there is no variant 'r5' of this config .did you mean 'r50'"),
        ("base:x", "takes no argument, and 'x' was given"),
        ("aot_swinn", "cannot be read: name a file, or one of .*did you mean 'aot_swin'"),
        ("nowhere/mine.py", "nowhere/mine.py cannot be read"),
    ],
)
def test_what_is_no_config_is_refused(asked, said):
    with pytest.raises(InputError, match=said):
        config.named(asked)


@pytest.mark.parametrize(
    "text, said",
    [
        ("def get_config():\n    return 3\n", "gave int; an ml_collections.ConfigDict is expected"),
        ("import nothing_of_this_name\n", "No module named 'nothing_of_this_name'"),
        ("get_config = 3\n", "has no function get_config"),
    ],
)
def test_a_file_that_gives_no_config_is_refused(tmp_path, text, said):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(InputError, match=said):
        config.named(str(tmp_path / "mine.py"))


@pytest.mark.parametrize("old, new", sorted(files.MOVED.items()))
def test_files_of_the_version_before_are_taken_with_a_note(old, new):
    with pytest.warns(UserWarning, match=f"{old} is now called {new}"):
        assert config.opened(f"configs/{old}.py") == config.opened(new)


def test_a_plain_dict_will_do(tmp_path):
    (tmp_path / "mine.py").write_text("def get_config():\n    return {'mem_every': 3}\n")
    assert config.opened(str(tmp_path / "mine.py")).mem_every == 3
