"""What the annotation of a dataclass field allows."""

import types
import typing
from typing import Any


def bare_type(annotation: Any) -> tuple[Any, bool]:  # any annotation
    """The type without `| None`, and whether None was allowed; what else is joined by `|` stays joined."""
    if not is_union(annotation):
        return annotation, False
    parts = [part for part in typing.get_args(annotation) if part is not types.NoneType]
    inner = parts[0] if len(parts) == 1 else typing.Union[tuple(parts)]  # noqa: UP007  # of a list
    return inner, len(parts) < len(typing.get_args(annotation))


def is_union(annotation: Any) -> bool:  # any annotation
    """Whether types are joined by `|`."""
    # `Literal[...] | None` is a typing.Union, `int | None` a types.UnionType.
    return typing.get_origin(annotation) in (types.UnionType, typing.Union)
