"""The rooms of docs/architecture.md, compared with the imports."""

import ast
import graphlib
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))
import make_rooms  # noqa: E402  # a script beside the document

FILES = sorted(
    path
    for folder in ("vosjax", "configs", "data_prep", "docs", "examples")
    for path in (ROOT / folder).rglob("*.py")
) + [ROOT / "launch.py"]
NAMES = [str(path.relative_to(ROOT)) for path in FILES]
SOURCES = {name: path.read_text(encoding="utf-8") for name, path in zip(NAMES, FILES)}
TREES = {name: ast.parse(text) for name, text in SOURCES.items()}

NETWORKS = ("types", "names", "memory", "prompt", "compose", "layers", "backbones", "models")
FOREIGN = (
    "cv2",
    "PIL",
    "absl",
    "logging",
    "tensorflow_datasets",
    "grain",
    "tqdm",
    "vosjax.io",
    "vosjax.data",
    "vosjax.train",
    "vosjax.eval",
    "vosjax.modes",
)
ARROWS = make_rooms.arrows((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))


def room(name):
    return pathlib.PurePath(name).with_suffix("").parts[1]


def imports(name):
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inside(module, package):
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize(
    "name", [n for n in NAMES if n.startswith("vosjax/") and room(n) in NETWORKS]
)
def test_networks_import_arrays_only(name):
    foreign = {m for m in imports(name) for package in FOREIGN if inside(m, package)}
    assert not foreign


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("vosjax/io/")])
def test_io_imports_no_network(name):
    ours = {m for m in imports(name) if inside(m, "vosjax")}
    assert all(inside(m, "vosjax.io") or inside(m, "vosjax.errors") or m == "vosjax" for m in ours)
    assert not any(inside(m, package) for m in imports(name) for package in ("jax", "flax"))


READERS = ("vosjax.datasets", "vosjax.io", "vosjax.errors")  # of files; they know no JAX


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("data_prep/")])
def test_data_preparation_imports_readers_of_files_only(name):
    ours = {m for m in imports(name) if inside(m, "vosjax") and m != "vosjax"}
    assert all(any(inside(m, package) for package in READERS) for m in ours)


@pytest.mark.parametrize(
    "name", [n for n in NAMES if n.startswith(("data_prep/", "vosjax/datasets/", "vosjax/data/"))]
)
def test_datasets_and_clips_import_no_jax(name):
    assert not any(inside(m, package) for m in imports(name) for package in ("jax", "flax"))


def room_of(name):
    return room(name) if name.startswith("vosjax/") else name.partition("/")[0]


def rooms_imported(name):
    """The rooms that a file imports, its own left out."""
    for module in imports(name):
        first, *rest = module.split(".")
        imported = "".join(rest[:1]) if first == "vosjax" else "data_prep"
        if first in ("vosjax", "data_prep") and imported in ARROWS and imported != room_of(name):
            yield imported


def below(room):
    """All rooms that a room may import: what the arrows lead to."""
    reached, waiting = set(), list(ARROWS[room])
    while waiting:
        lower = waiting.pop()
        if lower not in reached:
            reached.add(lower)
            waiting += ARROWS[lower]
    return reached


IN_ROOMS = [
    name
    for name in NAMES
    if name.startswith(("vosjax/", "data_prep/")) and name != "vosjax/__init__.py"
]


@pytest.mark.parametrize("name", IN_ROOMS)
def test_every_import_goes_along_the_arrows_of_the_document(name):
    assert set(rooms_imported(name)) <= below(room_of(name))


def test_the_document_has_every_room_and_no_other():
    assert set(ARROWS) == {room_of(name) for name in IN_ROOMS}


def test_the_arrows_make_no_circle():
    assert set(graphlib.TopologicalSorter(ARROWS).static_order()) == set(ARROWS)


def test_every_arrow_stands_for_an_import():
    true = {(lower, room_of(name)) for name in IN_ROOMS for lower in rooms_imported(name)}
    assert {(lower, upper) for upper in ARROWS for lower in ARROWS[upper]} <= true


def test_the_picture_of_the_rooms_is_the_one_of_today():
    assert make_rooms.PICTURE.read_text(encoding="utf-8") == make_rooms.drawn(ARROWS), (
        "python -m docs.make_rooms draws it anew"
    )


def test_families_do_not_know_each_other_by_registry():
    """A family is found by its folder: nothing but its own folder names it in an import."""
    for name in NAMES:
        if name.startswith("vosjax/") and room(name) not in ("models", "modes"):
            assert not [m for m in imports(name) if m.startswith("vosjax.models.")], name


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_first_what_it_is_for(name):
    doc = ast.get_docstring(TREES[name])
    assert doc and SOURCES[name].startswith(('"""', 'r"""')), "the first line is a docstring"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_can_be_read_in_one_go(name):
    lines = SOURCES[name].splitlines()
    assert len(lines) <= 400
    assert max(map(len, lines), default=0) <= 120


@pytest.mark.parametrize("name", NAMES)
def test_no_star_imports_and_no_global_state(name):
    stars = [
        node
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
    ]
    changed = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.Global)]
    assert not stars and not changed


def test_no_torch_and_no_tensorflow():
    foreign = [
        (name, m)
        for name in NAMES
        for m in imports(name)
        for package in ("torch", "torchvision", "tensorflow")
        if inside(m, package)
    ]
    assert not foreign


def test_the_plan_names_every_room():
    plan = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name in sorted({room(n) for n in NAMES if n.startswith("vosjax/")} - {"__init__"}):
        assert f"{name}.py" in plan or f"{name}/" in plan, f"{name} is not in docs/architecture.md"


def test_one_place_prints():
    """What is printed goes through `vosjax.io.terminal.say`, so that no name forges a line."""
    for name, tree in TREES.items():
        if name == "vosjax/io/terminal.py" or name.startswith("examples/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{name}:{node.lineno}: print() in place of say()"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                written = ast.unparse(node.func)
                streams = ("sys.stdout.write", "sys.stderr.write")
                assert written not in streams, f"{name}:{node.lineno}: {written}"


def test_a_warning_of_ours_is_a_note():
    """The command line shows notes, and nothing else that libraries warn of."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn":
                kinds = [ast.unparse(word) for word in node.args[1:2]]
                assert kinds and kinds[0].endswith("Note"), f"{name}:{node.lineno}"


def test_a_progress_bar_is_for_terminals():
    """A bar in a file or a pipe is noise; its name is a word of ours, or made printable."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("tqdm", "tqdm.tqdm"):
                words = {word.arg: word.value for word in node.keywords}
                assert ast.unparse(words["disable"]) == "None", f"{name}:{node.lineno}"
                called = words.get("desc", ast.Constant("frames"))
                written = isinstance(called, ast.Constant) and called.value.isprintable()
                assert written or ast.unparse(called).startswith("printable("), name
