"""`--mode eval`: runs a dataset; writes masks, scores, tables, speed and the zip for the server.

The same command continues a run that was stopped. Videos whose frames, given masks or results have
changed since are run again (docs/runs.md). `--shard i/n`, or `--shard auto` on a cluster,
distributes the videos over processes; the one that finds all of them complete scores them.
"""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from tqdm import tqdm

from vosjax.config import Config
from vosjax.errors import DiskFull, InputError
from vosjax.eval import audit, dataset, leftovers, plan, refining, results, source
from vosjax.eval import folder as run_folder
from vosjax.eval.videos import EvalVideo
from vosjax.io import lock
from vosjax.io.terminal import say
from vosjax.loading import ensembles
from vosjax.loading.pretrained import Loaded
from vosjax.modes import Options
from vosjax.modes._engines import batch_of, make_engines, weights_of
from vosjax.modes._telling import tell, tell_audit
from vosjax.refine.offline import Stages
from vosjax.refine.refiner import load_refiner
from vosjax.runs import clear, cluster, record
from vosjax.runs.signals import stop_signals
from vosjax.tracking.zoomer import load_zoomer

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
    "refine",
)
ALSO = ("family", "model", "members")
STOPPED = 130  # exit code after Ctrl-C, as a shell tells of it


class Job(NamedTuple):
    """What a command asks for.

    config     the config of the command
    folder     the run's --output
    sequences  the videos of the dataset
    rules      the rules by which they are scored
    network    the network that runs them
    memory     which frames are remembered
    settings   everything that decides the results; compared when a run is continued
    stages     what refines the masks
    """

    config: Config
    folder: pathlib.Path
    sequences: list[EvalVideo]
    rules: results.ScoringRules
    network: Loaded
    memory: dataset.Memory
    settings: dict[str, Any]
    stages: Stages = Stages()

    @property
    def names(self) -> list[str]:
        """The names of the videos."""
        return [sequence.name for sequence in self.sequences]


def run(config: Config, options: Options) -> int:
    """Runs the videos of `options.data` into the folder `options.output`, and scores them.

        code = run(opened("aot:r50"), Options(data="DAVIS", output="runs/davis"))

    Args:
        config: the config.
        options: the command's flags.

    Returns:
        The exit code: 0; 1 if videos failed; 130 after Ctrl-C.

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
    stages = Stages(load_zoomer(config.refine, network), load_refiner(config.refine))
    memory = dataset.memory_of(config, network)
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
        **({"refine": stages.settings} if any(stages) else {}),
    }
    job = Job(config, folder, sequences, how, network, memory, settings, stages)
    begin(job, overwrite=options.overwrite)
    with lock.locked(folder / lock.NAME, what=folder, shared=True):
        record.resume(folder, settings)
        return _run(job, *share)


def _run(job: Job, part: int, parts: int) -> int:
    """Runs a share of the videos, and scores all if they are complete; returns the exit code."""
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
            make_engines(config, job.network, job.stages.online),
            dataset.RunConfig(folder, job.memory, batch_of(config.eval), config.eval.year),
            slots=job.network.model.vos.slots,
            stop=stop,
            progress=bar.update,
        )
        if job.stages.zoomer is not None:
            _zoom(job, mine, stop)
    say(*(f"{name} is passed over: {who} is at it" for name, who in busy.items()))
    if not stop and all(run_folder.done(folder, sequence) for sequence in sequences):
        check(job, [sequence for sequence in sequences if sequence not in mine])
    through = [video for video in sequences if refining.is_through(folder, video, job.stages)]
    if stop:
        say(
            f"stopped with {len(through)} of {len(sequences)} videos complete; the same command "
            "goes on from there"
        )
        return STOPPED
    failed = set(run_folder.failures(folder)) & set(names) - {sequence.name for sequence in through}
    if len(through) + len(failed) < len(sequences):
        say(
            f"share {part} of {parts} is through; {len(through)} of {len(sequences)} videos are "
            "complete, the rest belongs to other shares"
        )
        return 0
    return scored(job)


def _zoom(job: Job, sequences: list[EvalVideo], stop: Sequence[Any]) -> None:
    """Zooms small objects in the complete videos; a video that cannot be is recorded as failed.

    Videos that another process holds are left to it.
    """
    todo = [video for video in sequences if run_folder.done(job.folder, video)]
    for video in tqdm(todo, desc="zoom", unit="video", file=sys.stderr, disable=None):
        if stop:
            return
        try:
            with lock.locked(run_folder.lock_file(job.folder, video), what=video.name):
                refining.refine_in_place(job.folder, video, job.stages)
        except lock.Held:
            continue
        except DiskFull:
            raise
        except InputError as error:
            run_folder.forget(job.folder, video)
            run_folder.fail(job.folder, video.name, error)


def begin(job: Job, *, overwrite: bool = False) -> None:
    """Makes sure that a run can begin in its folder, or continue there.

        begin(job, overwrite=True)

    Args:
        job: what is run.
        overwrite: whether to remove what an earlier run wrote there.

    Raises:
        InputError: the folder holds something else; or it is to be overwritten while another
            process works there.
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
    """Audits the videos that are done, and prints which have changed and will be run again.

        check(job, job.sequences)

    Args:
        job: what is run.
        sequences: the videos to audit.
    """
    year = job.config.eval.year
    tell_audit(audit.audit(job.folder, sequences, lambda video: audit.inputs(video, year=year)))


def scored(job: Job) -> int:
    """Scores a run whose videos have all completed or failed; returns the exit code.

        code = scored(job)

    Args:
        job: what was run.

    Raises:
        InputError: the ground truth cannot be read or does not fit its frames.
    """
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
    return tell(written, job.folder, job.stages)


def shard(text: str | None) -> tuple[int, int]:
    """Parses `--shard`: 'i/n', 'auto' for the processes of a cluster, or None.

        shard("1/4")        # (1, 4)

    Args:
        text: the value of the flag.

    Returns:
        The number of this share, from 0, and the number of shares; (0, 1) for None.

    Raises:
        InputError: the text has another form, i is not below n, or there is no cluster.
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


def load(config: Config) -> Loaded:
    """Loads the config's network; a function of its own so that tests can replace it.

        network = load(opened("aot:r50"))

    Args:
        config: the config.

    Raises:
        InputError: there are no such weights, or the members of an ensemble do not fit together.
    """
    return ensembles.of_config(config)
