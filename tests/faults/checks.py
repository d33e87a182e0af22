"""What must hold of a project after a fault: it can be read at once, and the same command ends as if undisturbed."""

import contextlib
import hashlib
import io
from pathlib import Path

# What only shows something, and works in any state.
READERS = (("status",), ("runs",))


def read(root: str) -> dict[str, object]:
    """What readers find: the exit code and words of each command, a digest of each table.

    A table that cannot be read is an error here.
    """
    commands = {words[0]: _said(*words, "-p", root) for words in READERS}
    return {"commands": commands | {"doctor": _examined(root)}, "tables": tables(root)}


def _examined(root: str) -> tuple[int, str]:
    """What `fer doctor` finds wrong with the project; the machine, which takes it a second, stays the same."""
    from fercli.stages.doctor import _project_files
    from fercli.stages.table import open_project

    wrong = [finding for finding in _project_files(open_project(Path(root))) if finding.state == "problem"]
    return 5 * bool(wrong), str(wrong or "")


def tables(root: str) -> dict[str, str]:
    """A digest of each table and split as a reader finds them all together; none where there is no project yet."""
    from fercli.core.commit import read_settled
    from fercli.core.project import TABLES
    from fercli.stages.table import open_project

    if not (Path(root) / "fer.toml").exists():
        return {}
    project = open_project(Path(root))

    def look() -> dict[str, str]:
        found = {name: _digest(project.rows(kind)) for kind, name in TABLES.items()}
        return found | {f"split {name}": _digest(project.split_rows(name)) for name in project.splits()}

    return read_settled(project.root, look)


def _digest(rows: object) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:12]


def _said(*words: str) -> tuple[int, str]:
    from fercli.cli.app import run

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(words))
    return code, err.getvalue() + (out.getvalue() if code else "")


def settle(root: str) -> None:
    """What the next writer does first: finish what was committed."""
    from fercli.core.project import open_project

    with open_project(Path(root)).commit():
        pass
