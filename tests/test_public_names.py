"""One word, one meaning: names that were given up do not come back."""

import ast
import collections
import pathlib

import pytest

from vosjax import config, modes
from vosjax.schema.kinds import class_of, hints

ROOT = pathlib.Path(__file__).parents[1]
FILES = sorted(
    path for folder in ("vosjax", "configs", "data_prep") for path in (ROOT / folder).rglob("*.py")
)

# Names of modules, functions, classes, fields and parameters that nothing public bears.
RETIRED = {
    "Answer": "the step's, the tracker's and the user's result have names of their own",
    "Done": "StepResult",
    "Grouped": "GroupsState",
    "Judging": "ScoringRules",
    "Knobs": "StepScalars",
    "Outcome": "the step's, the tracker's and the user's result have names of their own",
    "Score": "ObjectScore",
    "SkipClips": "StcnVideoClips",
    "Together": "EnsembleState",
    "Tracked": "FrameOutput",
    "TripleClips": "StcnStillClips",
    "Way": "FusionConfig",
    "balanced_gap": "balanced_mem_every",
    "cap": "max_short_side",
    "examine": "validate",
    "fetched": "fetch",
    "gap": "mem_every of the memory, max_frame_gap of a clip's frames",
    "judge": "to_labels",
    "lay": "apply_prompt",
    "limit": "max_mem_frames",
    "look": "encode",
    "memory_gap": "mem_every",
    "perform": "animate",
    "play": "clip_jaccard",
    "propagate": "video",
    "recipe": "config",
    "recipes": "samplers",
    "recover": "prompt_from_probs",
    "room": "encoder",
    "seal": "assign_slots",
    "surest": "confidence_weighted",
    "verdict": "ObjectScore",
    "walk": "run_tracker",
    "waste": "max_padding",
}
# Names that are good elsewhere, and were given up in one file.
RETIRED_IN = {
    "vosjax/types.py": {
        "Model.fresh",
        "Model.names",
        "Model.group",
        "Model.depths",
        "Model.starts",
    },
    "vosjax/compose/combinators.py": {"Fusion.look", "Fusion.remember", "plain"},
    "vosjax/config/root.py": {"Config.gap", "Config.limit", "Config.size", "Config.recipe"},
    "vosjax/data/sets.py": {"Set"},
    "vosjax/data/config.py": {"Set", "ClipsConfig.recipe", "DatasetConfig.gap"},
    "vosjax/datasets/layout.py": {"Sequence", "Video"},
    "vosjax/eval/folder.py": {"kept"},
    "vosjax/tracking/tracker.py": {"judge", "certain", "prepare"},
    "vosjax/tracking/video.py": {"certain", "prepare", "Tracked"},
    "vosjax/train/step.py": {"Settings"},
    "vosjax/train/state.py": {"split"},
    "vosjax/data/jitter.py": {"split"},
}
# Classes whose name tells what they are; two of one name would need a look at the imports.
ALONE = "Aux Clock Family Frame Maps Outcome Result Sequence Settings State Video".split()


def public_names(body, within=""):
    """(qualified name, bare name) of what a module or class offers, parameters included."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        else:
            continue
        names = [name for name in names if not name.startswith("_")]
        yield from ((within + name, name) for name in names)
        if names and isinstance(node, ast.ClassDef):
            yield from public_names(node.body, f"{node.name}.")
        elif names and isinstance(node, ast.FunctionDef):
            arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            yield from ((f"{within}{node.name}({a.arg})", a.arg) for a in arguments)


def offered(path):
    return list(public_names(ast.parse(path.read_text(encoding="utf-8")).body))


NAMES = {str(path.relative_to(ROOT)): offered(path) for path in FILES}


@pytest.mark.parametrize("file", NAMES)
def test_no_public_name_is_one_that_was_given_up(file):
    parts = pathlib.PurePath(file).with_suffix("").parts
    here = NAMES[file] + [(part, part) for part in parts]
    back = {name: RETIRED[bare] for name, bare in here if bare in RETIRED}
    back |= {name: "given up here" for name, _ in here if name in RETIRED_IN.get(file, ())}
    assert not back


@pytest.mark.parametrize("file", RETIRED_IN)
def test_the_files_where_a_name_was_given_up_are_there(file):
    assert file in NAMES


def test_a_class_of_a_common_word_is_there_once():
    classes = collections.Counter(
        node.name
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert not {name: classes[name] for name in ALONE if classes[name] > 1}


def fields(kind):
    """The names of a config's fields, at any depth."""
    for name, hint in hints(kind).items():
        yield name
        if class_of(hint):
            yield from fields(class_of(hint))


def test_no_field_of_a_config_and_no_flag_is_one_that_was_given_up():
    flags = {flag for mode in modes.names() for flag in modes.described(mode).flags}
    assert not (set(fields(config.Config)) | flags) & set(RETIRED)
