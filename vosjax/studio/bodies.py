"""What requests of the studio's page send, as checked by pydantic."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[float, Field(allow_inf_nan=False)]
Frame = Annotated[int, Field(ge=0)]
ObjectId = Annotated[int, Field(ge=1, le=255)]
Pair = tuple[Number, Number]
MOST_POINTS = 20_000  # of a stroke or a polygon


class Body(BaseModel):
    """A request's body; fields that are not known are refused."""

    model_config = ConfigDict(extra="forbid")


class OpenBody(Body):
    """A video that lies on the server's disk."""

    path: str


class NewObjectBody(Body):
    """A new object."""

    name: str | None = None
    colour: str | None = None


class ObjectBody(Body):
    """What is changed of an object."""

    name: str | None = None
    colour: str | None = None
    hidden: bool | None = None


class MergeBody(Body):
    """The object that another one is merged into."""

    into: ObjectId


class MarkBody(Body):
    """A box and clicks."""

    frame: Frame
    object: ObjectId
    box: tuple[Number, Number, Number, Number] | None = None
    points: list[tuple[Number, Number, bool]] = Field(default=[], max_length=1000)


class Stroke(Body):
    """A stroke of a scribble."""

    points: list[Pair] = Field(min_length=1, max_length=MOST_POINTS)
    inside: bool = True


class ScribbleBody(Body):
    """Strokes on and beside an object."""

    frame: Frame
    object: ObjectId
    strokes: list[Stroke] = Field(min_length=1, max_length=100)


class PaintBody(Body):
    """A stroke of the brush or the eraser, or a polygon."""

    frame: Frame
    object: ObjectId
    kind: Literal["brush", "polygon"]
    points: list[Pair] = Field(min_length=1, max_length=MOST_POINTS)
    radius: Annotated[float, Field(gt=0, le=1000)] = 1.0
    erase: bool = False


class ClearBody(Body):
    """A frame, and possibly one object of it."""

    frame: Frame
    object: ObjectId | None = None


class PinBody(Body):
    """A frame."""

    frame: Frame


class PropagateBody(Body):
    """Where a propagation begins, and where it goes."""

    frame: Frame
    direction: Literal["forward", "backward", "both"] = "forward"
    to: Frame | None = None
