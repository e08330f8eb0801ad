"""The categories of annotation files: one for each name that objects bear."""

from typing import Any

from vosjax.exports.segmentation import Segmentation


class Categories:
    """Numbers the names of objects from 1 on: given names by ids, others as they are asked for."""

    def __init__(self, segmentation: Segmentation) -> None:
        self._segmentation = segmentation
        self._ids: dict[str, int] = {}
        for id, known in sorted(segmentation.objects.items()):
            if known.name.strip():
                self.of(id)

    def of(self, id: int) -> int:
        """Returns the id of an object's category."""
        return self._ids.setdefault(self._segmentation.object(id).name, len(self._ids) + 1)

    def listed(self) -> list[dict[str, Any]]:
        """Returns the categories as COCO and YouTube-VIS list them."""
        return [{"id": id, "name": name, "supercategory": ""} for name, id in self._ids.items()]
