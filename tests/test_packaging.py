"""What an installation brings: groups of dependencies, and files that name the same ones."""

import pathlib
import tomllib

import pytest

import vosjax
from vosjax import cli
from vosjax.io import door

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BASE = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]


def required(name):
    """The lines of a requirements file."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def test_requirements_are_what_the_readme_s_commands_need():
    assert required("requirements.txt") == {
        *BASE,
        *EXTRAS["train"],
        *EXTRAS["data"],
        *EXTRAS["web"],
    }


def test_what_the_suite_needs_is_in_the_extra_of_developers():
    assert required("tests/requirements.txt") <= set(EXTRAS["dev"])


def test_what_the_site_needs_is_in_the_extra_of_the_documentation():
    assert required("docs/requirements.txt") == set(EXTRAS["docs"])


@pytest.mark.parametrize("module, extra", door.EXTRAS.items())
def test_a_missing_module_is_in_the_extra_that_the_error_names(module, extra):
    names = [line.partition(">")[0].replace("-", "_") for line in EXTRAS[extra]]
    assert any(name.startswith(module) for name in names)


def test_the_version_is_that_of_the_package():
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "vosjax/__init__.py"
    assert vosjax.__version__.startswith("0.2")


def test_the_command_is_the_command_line():
    module, _, function = PROJECT["project"]["scripts"]["vosjax"].partition(":")
    assert module == cli.__name__ and callable(getattr(cli, function))


def test_types_are_told_to_those_who_check_them():
    assert (ROOT / "vosjax" / "py.typed").is_file()
