"""`--mode eval`: a dataset folder in; masks, scores, tables, speed and the server's zip out.

The same command goes on where it was stopped; videos whose frames, given masks or results changed
since are run again (docs/runs.md). `--shard i/n`, or `--shard auto` on a cluster, shares
the videos out over processes; whichever finds all of them complete scores them.
"""

import pathlib
import sys
import warnings
from typing import NamedTuple

import jax
from tqdm import tqdm

from vosjax.compose.combinators import mean
from vosjax.config import Config
from vosjax.errors import InputError, Note
from vosjax.eval import audit, cluster, dataset, leftovers, plan, results, source
from vosjax.eval import folder as files
from vosjax.eval.config import EvalConfig
from vosjax.eval.engine import Engine, Packing
from vosjax.eval.videos import EvalVideo
from vosjax.io import lock
from vosjax.io.terminal import say
from vosjax.io.video.types import some
from vosjax.loading import ensembles
from vosjax.loading.ensembles import Part
from vosjax.loading.pretrained import Loaded
from vosjax.modes import Options
from vosjax.runs import clear, record
from vosjax.runs.signals import stop_signals

FLAGS = ("data", "output", "shard", "overwrite")
FIELDS = (
    "weights",
    "mem_every",
    "max_mem_frames",
    "max_short_side",
    "top_k",
    "dtype",
    "tta",
    "balance",
    "balance_low",
    "balance_high",
    "only",
    "feedback",
    "fuse",
    "keypoints",
    "eval",
)
ALSO = ("family", "model", "members")
NAMED = 3  # objects that are named on the screen; results.json names all
FAILED, STOPPED = 1, 130  # exit codes: videos failed; Ctrl-C, as a shell tells of it


class Job(NamedTuple):
    """What one command asks for."""

    config: Config
    folder: pathlib.Path
    sequences: list[EvalVideo]
    rules: results.ScoringRules
    network: Loaded
    memory: dataset.Memory
    settings: dict  # everything that decides the results; compared when a run is taken up again

    @property
    def names(self) -> list[str]:
        """The videos' names."""
        return [sequence.name for sequence in self.sequences]


def run(config: Config, options: Options) -> int:
    """Runs the videos of `options.data` into the folder `options.output`, and scores them.

    Returns:
      0; 1 where videos failed; 130 after Ctrl-C.

    Raises:
      InputError: something that was given cannot be used.
    """
    for name in ("data", "output"):
        if getattr(options, name) is None:
            raise InputError(f"--{name} is missing; evaluating takes --data and --output")
    assert options.data is not None and options.output is not None
    folder = pathlib.Path(options.output)
    sequences = source.discover(options.data, config.eval)
    how = results.scoring_rules(options.data, config.eval)
    ensembles.fusion_of(config)  # before the cluster is asked, which starts XLA, as voting wants it
    if options.overwrite and options.shard is not None:
        raise InputError(
            "--overwrite begins the whole folder anew, --shard runs a part of it: remove "
            f"{folder}, or run once with --overwrite and without --shard"
        )
    share = shard(options.shard)  # before anything computes, as `jax.distributed` wants it
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
        "max_short_side": config.max_short_side,
        "videos": len(sequences),
        "eval": config.eval.selection(),
    }
    job = Job(config, folder, sequences, how, network, memory, settings)
    begin(job, overwrite=options.overwrite)
    with lock.locked(folder / lock.NAME, what=folder, shared=True):
        record.resume(folder, settings)
        return _run(job, *share)


def _run(job: Job, part: int, parts: int) -> int:
    """Runs a share of the videos, and scores all where they are complete; returns the exit code."""
    config, folder, sequences, names = job.config, job.folder, job.sequences, job.names
    record.write(folder, job.settings, status="running", frames=0, facts={"names": names})
    mine = plan.share(sequences, part, parts)
    check(job, mine)
    with (
        stop_signals() as stop,
        tqdm(
            total=sum(len(sequence.frames) for sequence in mine),
            unit="frame",
            file=sys.stderr,
            disable=None,
        ) as bar,
    ):
        busy = dataset.run(
            mine,
            make_engines(config, job.network),
            dataset.RunConfig(folder, job.memory, batch_of(config.eval), config.eval.year),
            slots=job.network.model.vos.slots,
            stop=stop,
            progress=bar.update,
        )
    say(*(f"{name} is passed over: {who} is at it" for name, who in busy.items()))
    if not stop and all(files.done(folder, sequence) for sequence in sequences):
        check(job, [sequence for sequence in sequences if sequence not in mine])
    through = [sequence for sequence in sequences if files.done(folder, sequence)]
    if stop:
        say(
            f"stopped with {len(through)} of {len(sequences)} videos complete; the same command "
            "goes on from there"
        )
        return STOPPED
    failed = set(files.failures(folder)) & set(names) - {sequence.name for sequence in through}
    if len(through) + len(failed) < len(sequences):
        say(
            f"share {part} of {parts} is through; {len(through)} of {len(sequences)} videos are "
            "complete, the rest belongs to other shares"
        )
        return 0
    return scored(job)


def begin(job: Job, *, overwrite: bool = False) -> None:
    """Sees to it that a run can begin in its folder, or go on there.

    Args:
      job: what is run.
      overwrite: removes what an earlier run made there.

    Raises:
      InputError: the folder holds something else; or another process works there, where it was to
        be overwritten.
    """
    folder, settings, names = job.folder, job.settings, job.names
    record.resume(folder, settings, overwrite=overwrite)
    if not overwrite:
        return
    with lock.locked(folder / lock.NAME, what=folder):
        record.resume(folder, settings, overwrite=True)
        clear.clear(folder, leftovers.made_by(folder, names))
        record.write(folder, settings, status="running", frames=0, facts={"names": names})


def check(job: Job, sequences: list[EvalVideo]) -> None:
    """Looks at the videos that are done; says which are not as they were, and will be run again."""
    year = job.config.eval.year
    tell_audit(audit.audit(job.folder, sequences, lambda video: audit.inputs(video, year=year)))


def tell_audit(findings: audit.Findings) -> None:
    """Says what an audit found, in one line of each kind."""
    if findings.again:
        reasons = "; ".join(f"{name} ({why})" for name, why in findings.again.items())
        say(f"made again, as they are not what they were: {reasons}")
    if findings.unknown:
        warnings.warn(
            f"{len(findings.unknown)} videos ({some(findings.unknown)}) were run by an earlier "
            "version, which kept no digests: they are taken as they are, --overwrite runs them "
            "again",
            Note,
            stacklevel=2,
        )


def scored(job: Job) -> int:
    """Scores a run whose videos are all complete or failed; returns the exit code."""
    written = results.write(
        job.folder,
        job.sequences,
        job.rules,
        settings=job.settings,
        facts={"weights": job.network.card, "options": vars(job.config.eval)},
    )
    finished = [video for video in job.sequences if video.name not in written["failed"]]
    record.write(
        job.folder,
        job.settings,
        status="complete" if written["complete"] else "incomplete",
        frames=sum(len(video.frames) for video in finished),
        facts={"names": job.names},
    )
    return tell(written, job.folder)


def shard(text: str | None) -> tuple[int, int]:
    """(part, parts) of '--shard i/n', of the cluster's processes for 'auto', (0, 1) for None.

    Raises:
      InputError: not of this form, or i not below n; or no cluster to be found.
    """
    if text is None:
        return 0, 1
    if text == "auto":
        say("waiting for the cluster's other processes (up to 5 minutes)")
        return cluster.place()
    part, slash, parts = text.partition("/")
    if not (part.isdecimal() and slash and parts.isdecimal() and int(part) < int(parts)):
        raise InputError(
            f"--shard is {text!r}; i/n is expected, i from 0 to n - 1, for example "
            "0/4, or auto on a cluster"
        )
    return int(part), int(parts)


def load(config: Config):
    """The config's network; one place for tests to put another."""
    return ensembles.of_config(config)


def memory_of(config: Config, network) -> dataset.Memory:
    """When frames are remembered: as the config says, else as the model does."""
    return dataset.Memory(
        config.mem_every or network.config["mem_every"],
        config.max_mem_frames or network.config["max_mem_frames"],
        config.balance,
        config.balance_low,
        config.balance_high,
    )


def weights_of(config: Config):
    """What the config names as weights."""
    if config.members:
        return {name: member.weights for name, member in config.members.items()}
    return config.weights


def make_engines(config: Config, network) -> list[Engine]:
    """One engine a device; one over all devices where the views are spread."""
    devices, evaluation = jax.local_devices(), config.eval
    chunk = evaluation.chunk or (8 if _accelerated() else 1)
    packing = (
        Packing(evaluation.probabilities, evaluation.scale) if evaluation.probabilities else None
    )
    common: dict = dict(chunk=chunk, max_short_side=config.max_short_side, packing=packing)
    if evaluation.spread:
        apart = ensembles.parts(config)
        return [Engine(apart.parts, fuse=apart.fuse, devices=devices, **common)]
    whole = [Part(network.model.vos, network.params, 0)]
    return [Engine(whole, fuse=mean, devices=[device], **common) for device in devices]


def batch_of(evaluation: EvalConfig) -> int:
    """Most videos side by side."""
    return evaluation.batch or (4 if _accelerated() else 1)


def _accelerated() -> bool:
    return jax.local_devices()[0].platform != "cpu"


def tell(written: dict, folder: pathlib.Path) -> int:
    """Prints the table and what failed; returns the exit code."""
    table, failed = written["global"] or {}, written["failed"]
    if failed:
        say(
            f"{len(failed)} of {written['settings']['videos']} videos failed: no global score and "
            "no zip; the others' scores stand under global_of_finished"
        )
    if table:
        figures = [f"{name} {value:.3f}" for name, value in table.items() if value is not None]
        say("  ".join(figures))
    unscored = [
        f"{name} object {key}, {why}"
        for name, sequence in written["sequences"].items()
        for key, why in sequence["unscored"].items()
    ]
    if unscored:
        say(
            f"objects that are not scored ({len(unscored)}): {'; '.join(unscored[:NAMED])}"
            + ("; ..." if len(unscored) > NAMED else "")
        )
    speed = written.get("speed")
    if speed and speed["frames_per_second"]:
        say(
            f"{speed['frames_per_second']:.2f} frames/s without first frames, on "
            f"{written['versions']['device']}"
        )
    for name, why in failed.items():
        say(f"{name} failed: {why}")
    say(
        f"{folder / 'results.json'}: tables of every object, settings, versions"
        + (f"; {folder / 'submission.zip'}: for the server" if "submission" in written else "")
    )
    return FAILED if failed else 0
