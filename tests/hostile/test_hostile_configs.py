"""Whatever a config file does, the command says so in one line and ends with exit code 2."""

import os

import pytest

from vosjax import cli

FUNCTION = "def get_config():\n    "
BROKEN = {
    "returns nothing": (FUNCTION + "pass\n", "gave NoneType"),
    "returns a list": (FUNCTION + "return []\n", "gave list"),
    "leaves while it is read": ("import sys\nsys.exit(7)\n", "line 2: it calls sys.exit(7)"),
    "leaves": ("import sys\n" + FUNCTION + "sys.exit(7)\n", "line 3: it calls sys.exit(7)"),
    "leaves without a code": ("raise SystemExit\n", "line 1: it calls sys.exit()"),
    "has a wrong syntax": ("x = 1\ndef get_config(:\n", "line 2: SyntaxError: invalid syntax"),
    "raises": (FUNCTION + "x = 1\n    return {}['a']\n", "line 3: KeyError: 'a'"),
    "raises in a helper": (
        "def half(x):\n    return 1 / x\n" + FUNCTION + "return half(0)\n",
        "line 2: ZeroDivisionError: division by zero",
    ),
    "never ends": ("def f():\n    return f()\n" + FUNCTION + "return f()\n", "RecursionError"),
    "imports what is not there": ("import nothere\n", "line 1: ModuleNotFoundError"),
    "imports itself": (
        "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parent))\n"
        "import first\n",
        "line 3: ImportError",
    ),
    "has a NUL": ("x = '\0'\n", "null bytes"),
    "has no function": ("x = 1\n", "has no function get_config()"),
    "has a number for a function": ("get_config = 3\n", "has no function get_config()"),
    "has a class for one": ("class get_config(dict): pass\n", "has no function get_config()"),
    "wants two arguments": ("def get_config(a, b):\n    return {}\n", "missing 2 required"),
    "forges lines": (FUNCTION + "raise ValueError('a\\n\\x1b[31mb')\n", r"a\n\x1b[31mb"),
    "holds itself": (FUNCTION + "d = {}\n    d['tta'] = d\n    return d\n", "holds itself"),
    "has fields without names": (FUNCTION + "return {1: 2}\n", "has no field '1'"),
    "has objects for values": (FUNCTION + "return {'mem_every': object()}\n", "mem_every"),
}
NAMED = list(BROKEN)[: list(BROKEN).index("holds itself")]  # those whose line names the file


@pytest.fixture
def refused(tmp_path, capfd):
    """refused(words) -> the line; the command must end with code 2 and one line on stderr."""

    def line(*words, launch=False):
        words = [str(word) for word in words]
        code = cli.launch(["launch.py", *words]) if launch else cli.main(words)
        err = capfd.readouterr().err
        assert code == 2 and err.count("\n") == 1 and "Traceback" not in err, (code, err)
        return err

    return line


@pytest.mark.parametrize("what", BROKEN)
def test_a_config_that(what, tmp_path, refused):
    text, words = BROKEN[what]
    (tmp_path / "mine.py").write_text(text)
    (tmp_path / "first.py").write_text("from second import x\n")
    (tmp_path / "second.py").write_text("from first import x\n")
    line = refused("segment", tmp_path / "mine.py")
    assert words in line
    if (
        "mode" not in what
        and "fields" not in what
        and "objects" not in what
        and "itself" not in what
    ):
        assert "mine.py" in line


def test_a_config_of_a_mode_that_is_none(tmp_path, refused):
    (tmp_path / "mine.py").write_text("def get_config():\n    return {'mode': '../x'}\n")
    assert "no mode '../x'" in refused("--config", tmp_path / "mine.py", launch=True)


def test_a_config_that_is_no_text(tmp_path, refused):
    (tmp_path / "mine.py").write_bytes(bytes(range(256)))
    assert "mine.py" in refused("segment", tmp_path / "mine.py")


def test_a_config_that_is_no_file(tmp_path, refused):
    os.mkfifo(tmp_path / "pipe.py")
    os.mkdir(tmp_path / "folder.py")
    for name in ("pipe.py", "folder.py"):
        assert "is no file but" in refused("segment", tmp_path / name)
    assert "cannot be read" in refused("segment", "a" * 5000)
    assert "cannot be read" in refused("segment", "a\0b")


@pytest.mark.parametrize("flag", ["video", "masks", "output", "config"])
def test_an_empty_flag(flag, refused):
    assert f"--{flag} is an empty text" in refused("segment", f"--{flag}=")


@pytest.mark.parametrize("word", ["--config.", "--config.=3", "--config..=3", "--config.a[=3",
                                  "--config.[0]=3", "--config.a[[=1", "--set=.a..b=1"])  # fmt: skip
def test_a_field_that_is_none(word, refused):
    refused("segment", word)


@pytest.mark.parametrize(
    "override",
    [
        "mem_every=" + "9" * 5000,
        "mem_every=" + "9" * 30,
        "tta.scales=" + "[" * 100_000,
        "tta.scales=(" + "9" * 5000 + ",)",
        "tta.scales=(1e999,)",
        "tta.scales=(1e6,)",
        "tta.scales=" + "-" * 100_000 + "1",
        "dtype=" + "x" * 5000,
    ],
)
def test_a_monstrous_value_is_shown_in_part(override, refused):
    assert len(refused("segment", f"--config.{override}")) < 400


def test_help_and_a_refusal_do_without_jax():
    """What a person waits for: neither needs the seconds that importing JAX takes."""
    import subprocess
    import sys

    program = (
        "import sys; from vosjax import cli; "
        "codes = [cli.main(['segment', '--help']), cli.main(['segment', '--vidoe=x']), "
        "cli.main(['segment', '--config.mem_evry=3']), cli.main(['segment', 'nothere'])]; "
        "assert codes == [0, 2, 2, 2], codes; assert 'jax' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
