"""`--mode eval`: a dataset folder in; masks, scores, tables, speed and the server's zip out.

The same command goes on where it was stopped. `--shard i/n`, or `--shard auto` on a cluster, shares
the videos out over processes; whichever finds all of them complete scores them.
"""

import pathlib
import sys

import jax
from tqdm import tqdm

from vosjax.compose.combinators import mean
from vosjax.errors import InputError
from vosjax.eval import cluster, dataset, plan, results, source
from vosjax.eval import folder as files
from vosjax.eval.engine import Engine, Packing
from vosjax.loading import ensembles
from vosjax.loading.ensembles import Part
from vosjax.modes.segment import stop_signals
from vosjax.runs import record

OPTIONS = dict(
    split=None,
    year=2017,
    resolution="480p",
    names=(),
    all_frames=False,
    protocol="auto",
    seen=(),
    drop_last=False,
    processes=1,
    zip=True,
    chunk=None,
    batch=None,
    spread=False,
    probabilities=0,
    scale=0.5,
)
# Settings that decide where and how fast something is computed, not what.
SPEED = ("processes", "zip", "chunk", "batch", "spread")
NAMED = 3  # objects that are named on the screen; results.json names all
MEMORY = dict(balance=None, balance_low=1, balance_high=20)


def run(config, options) -> int:
    """Runs the videos of `options.data` into the folder `options.output`, and scores them.

    Returns:
      0; 1 where videos failed; 130 after Ctrl-C.

    Raises:
      InputError: something that was given cannot be used.
    """
    for name in ("data", "output"):
        if getattr(options, name) is None:
            raise InputError(f"--{name} is missing; evaluating takes --data and --output")
    wanted, folder = eval_options(config), pathlib.Path(options.output)
    sequences = source.discover(options.data, wanted)
    how = results.scoring_rules(options.data, wanted)
    ensembles.fusion_of(config)  # before the cluster is asked, which starts XLA, as voting wants it
    part, parts = shard(options.shard)  # before anything computes, as `jax.distributed` wants it
    network = load(config)
    memory = memory_of(config, network)
    settings = {
        "data": str(options.data),
        "family": network.config["family"],
        "model": network.config["model"],
        "weights": weights_of(config),
        "weights_sha256": network.card.get("sha256", ""),
        "dtype": network.config.get("dtype"),
        **memory._asdict(),
        "size": config.get("size"),
        "videos": len(sequences),
        "eval": {name: value for name, value in wanted.items() if name not in SPEED},
    }
    record.resume(folder, settings)
    record.write(folder, settings, status="running", frames=0, facts={})
    mine = plan.share(sequences, part, parts)
    with (
        stop_signals() as stop,
        tqdm(
            total=sum(len(each.frames) for each in mine),
            unit="frame",
            file=sys.stderr,
            disable=None,
        ) as bar,
    ):
        engines = make_engines(config, network, wanted)
        dataset.run(
            mine,
            engines,
            dataset.RunConfig(folder, memory, batch_of(wanted), wanted["year"]),
            slots=network.model.vos.slots,
            stop=stop,
            progress=bar.update,
        )
    through = [each for each in sequences if files.done(folder, each)]
    if stop:
        print(
            f"stopped with {len(through)} of {len(sequences)} videos complete; the same command "
            "goes on from there"
        )
        return 130
    failed = files.failures(folder)
    if len(through) + len(failed) < len(sequences):
        print(
            f"share {part} of {parts} is through; {len(through)} of {len(sequences)} videos are "
            "complete, the rest belongs to other shares"
        )
        return 0
    found = results.write(
        folder,
        sequences,
        how,
        settings=settings,
        facts={"weights": network.card, "options": wanted},
    )
    record.write(
        folder,
        settings,
        status="incomplete" if failed else "complete",
        frames=sum(len(each.frames) for each in through),
        facts={},
    )
    return tell(found, folder)


def eval_options(config) -> dict:
    """The recipe's `eval` over the defaults.

    Raises:
      InputError: a field that is none, or out of its range.
    """
    given = dict(config.get("eval") or {})
    if set(given) - set(OPTIONS):
        raise InputError(
            f"config.eval has {sorted(set(given) - set(OPTIONS))}; it has {', '.join(OPTIONS)}"
        )
    wanted = OPTIONS | given
    wanted = wanted | {
        name: list(wanted[name]) for name in ("names", "seen") if not isinstance(wanted[name], str)
    }
    if wanted["probabilities"] not in (0, 8, 16) or not 0 < wanted["scale"] <= 1:
        raise InputError(
            f"config.eval.probabilities is {wanted['probabilities']} at scale "
            f"{wanted['scale']}; 8 or 16 bits (0 keeps none) at a scale up to 1 are "
            "expected"
        )
    return wanted


def shard(text: str | None) -> tuple[int, int]:
    """(part, parts) of '--shard i/n', of the cluster's processes for 'auto', (0, 1) for None.

    Raises:
      InputError: not of this form, or i not below n; or no cluster to be found.
    """
    if text is None:
        return 0, 1
    if text == "auto":
        print("waiting for the cluster's other processes (up to 5 minutes)", flush=True)
        return cluster.place()
    part, slash, parts = text.partition("/")
    if not (part.isdecimal() and slash and parts.isdecimal() and int(part) < int(parts)):
        raise InputError(
            f"--shard is {text!r}; i/n is expected, i from 0 to n - 1, for example "
            "0/4, or auto on a cluster"
        )
    return int(part), int(parts)


def load(config):
    """The recipe's network; one place for tests to put another."""
    return ensembles.of_config(config)


def memory_of(config, network) -> dataset.Memory:
    """When frames are remembered: the recipe's word, else the model's."""
    gap, limit = (config.get(name) or network.config[name] for name in ("gap", "limit"))
    given = {name: config.get(name, default) for name, default in MEMORY.items()}
    if min(gap, limit, given["balance_low"], given["balance"] or 1) < 1:
        raise InputError(
            f"gap {gap}, limit {limit} and balance {given} were given; at least 1 is "
            "expected of each"
        )
    return dataset.Memory(gap, limit, given["balance"], given["balance_low"], given["balance_high"])


def weights_of(config):
    """What the recipe names as weights."""
    members = config.get("members")
    if members:
        return {name: member.get("weights") for name, member in members.items()}
    return config.get("weights")


def make_engines(config, network, wanted: dict) -> list[Engine]:
    """One engine a device; one over all devices where the views are spread."""
    devices = jax.local_devices()
    accelerated = devices[0].platform != "cpu"
    chunk = wanted["chunk"] or (8 if accelerated else 1)
    packing = Packing(wanted["probabilities"], wanted["scale"]) if wanted["probabilities"] else None
    common = dict(chunk=chunk, max_short_side=config.get("size"), packing=packing)
    if wanted["spread"]:
        apart = ensembles.parts(config)
        return [Engine(apart.parts, fuse=apart.fuse, devices=devices, **common)]
    whole = [Part(network.model.vos, network.params, 0)]
    return [Engine(whole, fuse=mean, devices=[device], **common) for device in devices]


def batch_of(wanted: dict) -> int:
    """Most videos side by side."""
    return wanted["batch"] or (4 if jax.local_devices()[0].platform != "cpu" else 1)


def tell(found: dict, folder: pathlib.Path) -> int:
    """Prints the table and what failed; returns the exit code."""
    table, failed = found["global"] or {}, found["failed"]
    if failed:
        print(
            f"{len(failed)} of {found['settings']['videos']} videos failed: no global score and no "
            "zip; the others' scores stand under global_of_finished"
        )
    if table:
        print(
            *(f"{name} {value:.3f}" for name, value in table.items() if value is not None), sep="  "
        )
    unscored = [
        f"{name} object {key}, {why}"
        for name, each in found["sequences"].items()
        for key, why in each["unscored"].items()
    ]
    if unscored:
        print(
            f"objects that are not scored ({len(unscored)}): {'; '.join(unscored[:NAMED])}"
            + ("; ..." if len(unscored) > NAMED else "")
        )
    speed = found.get("speed")
    if speed and speed["frames_per_second"]:
        print(
            f"{speed['frames_per_second']:.2f} frames/s without first frames, on "
            f"{found['versions']['device']}"
        )
    for name, why in failed.items():
        print(f"{name} failed: {why}")
    print(
        f"{folder / 'results.json'}: tables of every object, settings, versions"
        + (f"; {folder / 'submission.zip'}: for the server" if "submission" in found else "")
    )
    return 1 if failed else 0
