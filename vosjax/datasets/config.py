"""What can be set of the preparation of datasets (`--mode prepare`)."""

import dataclasses

from vosjax.schema import Checked, setting


@dataclasses.dataclass(frozen=True)
class SourceConfig(Checked):
    """A downloaded dataset that is to be prepared."""

    name: str = setting(dataclasses.MISSING, "NAME or NAME/CONFIG of `data_prep`")
    source: str = setting(dataclasses.MISSING, "its folder below --data")
    splits: tuple[str, ...] | None = setting(None, "its splits; None: all that are there")
    exclude: str = setting("", "a file below --data whose videos are left out; '': none")
