"""Pre-training clips from stills by AOT's recipe: every frame its own warp of a photo, merged.

Unlike `stills.Stills`, which also lifts objects off their background and lets them move, this is
the published recipe and nothing else (arXiv 2106.02638 and its public training code).
"""

import dataclasses

import numpy as np

from vosjax.data import jitter, photos, types
from vosjax.data import warp as warps


@dataclasses.dataclass(frozen=True)
class StaticSettings:
    """Probabilities and ranges; the values are those of AOT's pre-training."""

    warp: warps.Warp = warps.Warp()
    colour: jitter.Strength = jitter.STATIC_V1  # v2: jitter.V2
    merge: float = 1.0


@dataclasses.dataclass(frozen=True)
class StaticClips:
    """Source of clips from photos; `photos[i]` is (image, mask), paths or encoded bytes."""

    photos: object
    settings: StaticSettings = StaticSettings()

    def __len__(self):
        return len(self.photos)

    def clip(self, index, rng, spec):
        """A sealed clip (see `types`) whose main photo is `photos[index]`."""
        clip = self._raw(index, rng, spec)
        if rng.random() < self.settings.merge or not len(types.visible_ids(clip[1][0], 0)):
            clip = types.merge(clip, self._raw(rng.integers(len(self)), rng, spec))
        return types.assign_slots(*clip, spec=spec, rng=rng)

    def _raw(self, index, rng, spec):
        photo = photos.read(
            *self.photos[int(index)],
            enlarge=False,
            short_side=round(1.2 * max(spec.height, spec.width)),
        )
        frames, labels = warps.warped(photo, rng, spec, self.settings.warp)
        for t, frame in enumerate(frames):
            frames[t] = jitter.apply(frame, jitter.draw(rng, self.settings.colour))
        ids = types.visible_ids(labels[0], 0)
        if len(ids) > spec.max_objects:
            ids = rng.choice(ids, spec.max_objects, replace=False)
        return frames, types.keep(labels, np.asarray(ids, int))
