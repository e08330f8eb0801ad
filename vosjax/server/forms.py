"""The forms of requests and answers of the programs' API, which its OpenAPI page shows."""

from typing import Annotated

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from vosjax.io.scores import ObjectScore

ObjectId = Annotated[int, Field(ge=1, le=255)]
Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Pixels = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Box = tuple[Number, Number, Pixels, Pixels]
Point = tuple[Number, Number] | tuple[Number, Number, bool]


class Form(BaseModel):
    """Base of all forms: other fields than those that are named are refused."""

    model_config = ConfigDict(extra="forbid")


class Settings(Form):
    """What a session is made with; everything may be left out."""

    width: int | None = Field(
        default=None, ge=1, description="width of the frames in pixels, if known"
    )
    height: int | None = Field(
        default=None, ge=1, description="height of the frames in pixels, if known"
    )
    objects: int | None = Field(default=None, ge=1, description="expected number of objects")
    mem_every: int | None = Field(
        default=None, ge=1, le=2**30, description="frames from one remembered frame to the next"
    )
    max_mem_frames: int | None = Field(default=None, ge=1, description="most memory frames")
    max_short_side: int | None = Field(
        default=None, ge=1, le=2**30, description="largest short side that the network sees"
    )


class Prompt(Form):
    """What the user says about one frame: objects by their ids, in pixels of the frame."""

    mask: Base64Bytes | None = Field(
        default=None, description="a PNG of object ids in base64, 0 for pixels that are not marked"
    )
    boxes: dict[ObjectId, Box] = Field(default={}, description="{id: [x, y, width, height]}")
    points: dict[ObjectId, Annotated[list[Point], Field(min_length=1, max_length=256)]] = Field(
        default={}, description="{id: [[x, y], or [x, y, false] beside the object, ...]}"
    )
    remove: list[ObjectId] = Field(default=[], description="objects that are no longer followed")

    def is_empty(self) -> bool:
        """Returns whether nothing is said: `Prompt().is_empty()`."""
        return self.mask is None and not (self.boxes or self.points or self.remove)


class FrameForm(Prompt):
    """A frame with its prompt."""

    image: Base64Bytes = Field(description="the frame, a JPEG or PNG in base64")


class ObjectResult(Form):
    """How sure the network is of an object in a frame."""

    object: int
    mean_probability: float = Field(description="over the pixels of its mask, 0..1")
    margin: float = Field(description="mean distance to the second-best object there, 0..1")
    area: int = Field(description="pixels of its mask")
    absent: bool = Field(description="whether it has no pixel")


class Result(Form):
    """The result of a frame."""

    frame: int = Field(description="index of the frame in its session, from 0")
    scores: list[ObjectResult]
    labels: str = Field(
        description="an 8-bit grey PNG of object ids in base64, of the frame's size"
    )


class SessionState(Form):
    """A session."""

    id: str
    frames: int = Field(description="frames taken so far: the index of the next one")
    width: int | None
    height: int | None
    objects: list[int] = Field(description="ids of the objects that are followed")
    waiting: bool = Field(description="whether a prompt waits for the next frame")
    mem_every: int
    max_mem_frames: int
    state_bytes: int = Field(description="bytes of its state on the device")


class Facts(Form):
    """What a server is, and its limits."""

    version: str
    weights: str = Field(description="sha256 of the network's weights")
    sessions: int = Field(description="sessions that there are")
    batch: int = Field(description="most sessions in one call of the device")
    max_sessions: int
    max_objects: int
    max_pixels: int
    max_mem_frames: int
    max_frame_bytes: int
    max_video_bytes: int
    max_snapshot_bytes: int
    idle: float = Field(description="seconds without a frame after which a session is removed")


class Error(Form):
    """Why something could not be done, in one line for a person."""

    error: str


def scores_of(scores: dict[int, ObjectScore]) -> list[ObjectResult]:
    """Returns a tracker's scores as forms: `scores_of(output.scores)`."""
    return [ObjectResult(**score._asdict()) for score in scores.values()]
