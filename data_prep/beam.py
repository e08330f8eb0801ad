"""Writes shards by Apache Beam, on a cluster whose machines share the folders; needs `.[beam]`.

Beam only distributes the shards. What a shard is, how it is written and how a killed run is resumed
is the same as with processes (see `shards`).
"""

from collections.abc import Sequence

from data_prep import shard, shards
from vosjax.errors import InputError


def runner(options: Sequence[str] = ()) -> shards.Run:
    """Returns a function that `shards.prepare` takes as its `run`.

        run = runner(["--runner=FlinkRunner"])
        shards.prepare("coco", source="COCO", output="datasets", run=run)

    Args:
        options: options of the Beam runner, as on its command line; without any, the local runner
            is used.

    Raises:
        InputError: apache_beam is not installed.
    """
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise InputError(
            "Apache Beam is not installed: install the extra 'beam' (an environment "
            "of its own is best, it pins older packages), or use --workers"
        ) from error

    def run(jobs: Sequence[shard.Job], workers: int, bar: shards.Progress) -> None:
        with apache_beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
            _ = (
                pipeline
                | apache_beam.Create(jobs)
                | apache_beam.Reshuffle()
                | apache_beam.Map(shard.write_shard)
            )
        bar.update(sum(len(job["units"]) for job in jobs))

    return run
