"""A file of the user's to its place in the project: where it is, a copy, or a link."""

import shutil
from pathlib import Path

from fercli.core.errors import ProjectError
from fercli.core.files import replacing


def place_file(path: Path, root: Path, wanted: str, *, is_link: bool) -> str:
    """Bring a file into the project, unless it lies there already; its place relative to `root` comes back.

    Raises:
        ProjectError: it cannot be written, or not be linked.
    """
    source = path.resolve()
    if source.is_relative_to(root):
        return source.relative_to(root).as_posix()
    if is_link:
        _link(source, root / wanted)
    else:
        with replacing(root / wanted) as temporary:
            shutil.copyfile(source, temporary)
    return wanted


def _link(source: Path, place: Path) -> None:
    temporary = place.with_name(f".{place.name}.link")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(source)
        temporary.replace(place)
    except (OSError, NotImplementedError) as error:
        raise ProjectError(
            f"'{place}' cannot be made a link: {error}", hint="Use --copy; Windows allows links to developers only."
        ) from error
