"""What the annotation of a dataclass field allows."""

import types
import typing
from typing import Any


def bare_type(annotation: Any) -> tuple[Any, bool]:  # any annotation
    """The type without `| None`, and whether None was allowed."""
    # `Literal[...] | None` is a typing.Union, `int | None` a types.UnionType.
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        (inner,) = (part for part in typing.get_args(annotation) if part is not types.NoneType)
        return inner, True
    return annotation, False
