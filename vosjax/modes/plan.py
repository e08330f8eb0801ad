"""`--mode plan`: what a training would need and cost on a machine that is not there.

The step of every stage is compiled for `config.plan.target` ahead of time; nothing is computed, and
neither the machine nor data nor weights are needed. Speeds are those of a roofline: the machine's
stated peak figures, of which `config.plan.utilisation` is counted on.
"""

import pathlib

import jax

from vosjax.ahead import targets
from vosjax.bench import plan
from vosjax.bench.plan import gigabytes
from vosjax.compile_cache import compile_cache
from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.io.files import write_json
from vosjax.io.terminal import say
from vosjax.modes import Options

FLAGS = ("output",)
FIELDS = ("family", "model", "train", "data", "patches", "marks", "stages", "plan")
ALSO = ("top_k",)


def run(config: Config, options: Options) -> int:
    """Prints the plan of every stage; if `options.output` is named, writes it there as JSON, too.

    Raises:
        InputError: no machine is named, or there is no compiler for it; the config has no training
            or does not fit the machine.
    """
    if config.train is None:
        raise InputError("this config has no training part to plan: take one of configs/train_*.py")
    target = targets.parsed(config.plan.target)
    jax.config.update("jax_platforms", "cpu")  # whatever is there is not what is planned for
    compile_cache()
    facts = plan.planned(config, target, utilisation=config.plan.utilisation)
    for stage in facts:
        say(*lines(stage, target))
    if options.output:
        path = pathlib.Path(options.output) / "plan.json"
        write_json(path, {"stages": facts})
        say(f"{path}: the same as json")
    return 0


def lines(stage: dict, target: targets.Target) -> list[str]:
    """Formats the plan of a stage.

    print(*lines(facts, targets.parsed("v5e:4x4")), sep="\\n")
    """
    chip = target.chip
    rows = [
        ("weights", gigabytes(stage["weights"])),
        ("their average", gigabytes(stage["average"])),
        ("optimizer state", gigabytes(stage["moments"])),
        ("batch, results, padding", gigabytes(max(stage["other"], 0))),
        ("temporaries", gigabytes(stage["temporaries"])),
        ("program", gigabytes(stage["code"])),
    ]
    total = gigabytes(stage["memory"])
    if stage["available"]:
        share = 100 * stage["memory"] / stage["available"]
        total += f" of {gigabytes(stage['available'])} ({share:.0f} %)"
    rows += [
        ("sum", total),
        (
            "operations a step",
            f"{stage['operations'] / 1e9:,.1f} G, {stage['products'] / 1e9:,.1f} of them products",
        ),
        (
            "bytes a step",
            f"{gigabytes(stage['bytes'])}, {gigabytes(stage['main'])} of them in main memory",
        ),
    ]
    rows += [(kind, gigabytes(size)) for kind, size in sorted(stage["collectives"].items())]
    name = f"stage {stage['stage']}" if stage["stage"] else "the training"
    text = [
        f"{name}: {stage['steps']:,} steps of {stage['batch']} on {target.name} "
        f"({target.devices} device{'s' * (target.devices > 1)}); {stage['compiler']}; "
        f"{stage['compile_seconds']:.0f} s",
        "on each device:",
        *(f"  {label:<24}{figure}" for label, figure in rows),
    ]
    if stage["unbounded"]:
        text.append(f"  {stage['unbounded']} loops of unknown length count once")
    if stage["roofline"] is None:
        return [*text, f"no peak figures are stated for {target.kind}: no speed follows"]
    bounds = "; ".join(f"{key} {1e3 * value:.3g} ms" for key, value in stage["roofline"].items())
    stated = (
        f"{chip.products / 1e12:g} Tops/s, {chip.bandwidth / 1e9:g} GB/s, links "
        f"{chip.links / 1e9:g} GB/s"
    )
    counted_on = f"at {100 * stage['utilisation']:.0f} % of it"
    return [
        *text,
        f"at the stated peaks ({stated}) a step takes: {bounds}",
        f"  {'roofline':<24}{stage['roofline_steps_per_second']:.3g} steps/s, bound by "
        f"{stage['bound']}",
        f"  {counted_on:<24}{stage['steps_per_second']:.3g} steps/s: {stage['days']:.3g} days, "
        f"{stage['device_hours']:,.3g} device-hours",
        f"  {'largest batch that fits':<24}{stage['largest_batch']} (extrapolated from compiling "
        f"{stage['batch']} and {stage['compared_batch']})",
    ]
