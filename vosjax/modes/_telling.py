"""Prints the results of a run of evaluation, fusion or refinement over a dataset."""

import pathlib
import warnings
from typing import Any

from vosjax.errors import Note
from vosjax.eval import areas
from vosjax.eval.audit import Findings
from vosjax.io.names import some
from vosjax.io.terminal import say
from vosjax.refine.offline import Stages

NAMED = 3  # most objects named on the screen; results.json names all
FAILED = 1  # exit code if videos failed


def tell_audit(findings: Findings) -> None:
    """Prints what an audit found, one line for each kind of finding.

        tell_audit(audit.audit(folder, sequences, inputs))

    Args:
        findings: the result of the audit.
    """
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


def tell(written: dict[str, Any], folder: pathlib.Path, stages: Stages) -> int:
    """Prints the table of scores and what failed; returns the exit code.

        code = tell(results.write(folder, videos, rules, settings=settings, facts={}), folder,
        Stages())

    Args:
        written: the content of results.json, from `eval.results.write`.
        folder: the folder of the run.
        stages: what refined its masks.

    Returns:
        The exit code: 0, or 1 if videos failed.
    """
    table, failed = written["global"] or {}, written["failed"]
    if failed:
        say(
            f"{len(failed)} of {written['settings']['videos']} videos failed: no global score and "
            "no zip; the others' scores stand under global_of_finished"
        )
    if table:
        figures = [f"{name} {value:.3f}" for name, value in table.items() if value is not None]
        say("  ".join(figures))
        say(*areas.table(written.get("areas", {})))
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
    say(*stages.counts_lines(written.get("refined", {})))
    for name, why in failed.items():
        say(f"{name} failed: {why}")
    say(
        f"{folder / 'results.json'}: tables of every object, settings, versions"
        + (f"; {folder / 'submission.zip'}: for the server" if "submission" in written else "")
    )
    return FAILED if failed else 0
