"""A process that trains the toy until it ends in some way: `python doomed.py FOLDER DEATH TRAIN`.

TRAIN is JSON, changes of `config.train`. DEATH is one of
    none              trains to the end
    step N            SIGKILL once the figures of step N are written, between two checkpoints
    commit N          SIGKILL when the arrays of checkpoint N are written, before it is complete
    write N           SIGKILL as soon as something of checkpoint N is on disk
    stop N            SIGTERM of its own once the figures of step N are written
    validation N      says 'validating' and sleeps in the validation of step N until it is stopped
"""

import json
import os
import pathlib
import signal
import sys
import threading
import time

import pytest

from support import small
from vosjax.modes import Options, train
from vosjax.train import clip_task, log


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def at_step(patch, number, do):
    scalars = log.Log.scalars

    def told(self, at, values):
        scalars(self, at, values)
        if at == number:
            do()

    patch.setattr(log.Log, "scalars", told)


def at_commit(patch, number):
    rename = os.rename

    def renamed(source, target):
        if pathlib.Path(target).name == str(number):
            die()
        rename(source, target)

    patch.setattr(os, "rename", renamed)


def at_write(folder, number):
    def watch():
        while not list(folder.glob(f"checkpoints/{number}.orbax-checkpoint-tmp*/*")):
            time.sleep(1e-4)
        die()

    threading.Thread(target=watch, daemon=True).start()


def at_validation(patch, number):
    count = []

    def validation(model, config):
        def validated(params):
            count.append(1)
            if len(count) * config.train.log.validate == number:
                print("validating", flush=True)
                time.sleep(600)
            return {"validation_j": 0.5}

        return validated

    patch.setattr(clip_task, "validation", validation)


def main(folder, death, changes):
    patch = pytest.MonkeyPatch()
    small.install(patch)
    kind, _, number = death.partition(" ")
    if kind == "step":
        at_step(patch, int(number), die)
    elif kind == "stop":
        at_step(patch, int(number), lambda: os.kill(os.getpid(), signal.SIGTERM))
    elif kind == "commit":
        at_commit(patch, int(number))
    elif kind == "write":
        at_write(folder, int(number))
    elif kind == "validation":
        at_validation(patch, int(number))
    return train.run(small.config(**changes), Options(output=str(folder)))


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])))
