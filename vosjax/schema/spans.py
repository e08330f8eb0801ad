"""Spans of numbers in a config, such as the steps that are profiled."""

from vosjax.schema.kinds import FieldError


def check_span(name: str, span: tuple[int, int] | None) -> None:
    """Checks that a span does not end before it begins.

        check_span("profile", (100, 105))

    Args:
        name: name of the field.
        span: its first and its last number; None passes.

    Raises:
        FieldError: the first number is above the last one.
    """
    if span is not None and span[0] > span[1]:
        raise FieldError((name,), f"is {span}; the first number may not be above the last one")
