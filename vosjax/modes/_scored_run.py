"""A dataset of finished masks worked through by one process: locked, recorded, audited, scored."""

import pathlib
from collections.abc import Callable
from typing import Any

from vosjax.config import Config
from vosjax.eval import audit, leftovers, results
from vosjax.eval.config import EvalConfig
from vosjax.eval.videos import EvalVideo
from vosjax.loading.ensembles import composed_network
from vosjax.modes._telling import tell, tell_audit
from vosjax.refine.offline import Stages
from vosjax.refine.refiner import load_refiner
from vosjax.runs import record
from vosjax.runs.hold import held
from vosjax.tracking.zoomer import load_zoomer


def load_stages(config: Config) -> Stages:
    """Loads what a config asks for: the network for small objects' crops, and that for boundaries.

        stages = load_stages(config)

    The config's own network is loaded for the zoom only.

    Raises:
        InputError: there are no such weights, or those of another network.
    """
    zoomer = load_zoomer(config.refine, composed_network(config)) if config.refine.zoom else None
    return Stages(zoomer, load_refiner(config.refine))


def run_scored(
    folder: pathlib.Path,
    data: str,
    sequences: list[EvalVideo],
    settings: dict[str, Any],
    evaluation: EvalConfig,
    stages: Stages,
    *,
    overwrite: bool,
    inputs: Callable[[EvalVideo], Any],
    work: Callable[[], None],
) -> int:
    """Works through a dataset in a run's folder, and scores it; returns the exit code.

        run_scored(folder, "DAVIS", sequences, settings, evaluation, stages, overwrite=False,
                   inputs=lambda video: refining.inputs(masks, video, year=2017), work=refine_all)

    Args:
        folder: the run's folder.
        data: the dataset's folder or name.
        sequences: its videos.
        settings: what decides the results, for the record.
        evaluation: how videos are chosen and scored.
        stages: what refines the masks.
        overwrite: whether what an earlier run wrote is removed.
        inputs: inputs(video) -> what its results are made from, as `audit.audit` takes it.
        work: makes the videos that are not done, and records those that cannot be as failed.

    Raises:
        InputError: the folder holds something else, or a run of other settings.
    """
    names = [video.name for video in sequences]
    with held(
        folder,
        settings,
        overwrite=overwrite,
        files=lambda: leftovers.made_by(folder, names),
    ):
        record.write(folder, settings, status="running", frames=0, facts={"names": names})
        tell_audit(audit.audit(folder, sequences, inputs))
        work()
        written = results.write(
            folder,
            sequences,
            results.scoring_rules(data, evaluation),
            settings=settings,
            facts={"options": vars(evaluation)},
        )
        record.write(
            folder,
            settings,
            status="complete" if written["complete"] else "incomplete",
            frames=sum(len(video.frames) for video in sequences),
            facts={"names": names},
        )
    return tell(written, folder, stages)
