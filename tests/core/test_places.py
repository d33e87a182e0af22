"""Names that a table holds, and which of them may be opened."""

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from fercli.core.commit import RECORD
from fercli.core.errors import ProjectError, TableError
from fercli.core.files import replace_text
from fercli.core.project import Project, create_project, open_project
from fercli.core.rows import Face, Frame, Link, Video
from fercli.core.tables import write_table

HOSTILE = {
    "up": "../outside/x.png",
    "up again": "faces/../../outside/x.png",
    "only up": "..",
    "absolute": "/dev/zero",
    "drive": "C:\\x.png",
    "drive with slash": "C:/x.png",
    "backslash": "faces\\..\\x.png",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.png").write_bytes(b"secret")
    return create_project(tmp_path / "mine", name="mine", classes=("a", "b"))


@pytest.mark.parametrize("place", [*HOSTILE.values(), "", "faces/a\0b.png", "faces/a\n../b"], ids=ascii)
def test_name_that_leads_out_is_refused(project: Project, place: str) -> None:
    with pytest.raises(TableError, match="leads out of the project"):
        project.inside(place)


@pytest.mark.parametrize("place", ["faces/a.png", "faces/..a/b..png", "faces/a:b.png", "new/folder/x.png"])
def test_name_within_is_taken_though_there_is_no_file(project: Project, place: str) -> None:
    assert project.inside(place) == project.root / place


@pytest.mark.parametrize("column", ["video_id", "frame_id", "path"])
@pytest.mark.parametrize("name", HOSTILE)
def test_table_that_names_what_is_outside_is_refused_with_its_line(project: Project, column: str, name: str) -> None:
    good = [Frame(f"v/f00000{n}", "v", n, 1.0 * n, f"frames/v/f00000{n}.jpg") for n in range(3)]
    # Sorted by their ids, the hostile row may stand in any line.
    bad = dataclasses.replace(good[1], **{column: HOSTILE[name]})
    project.write_rows([good[0], bad, good[2]], Frame)
    lines = project.table_path(Frame).read_text(encoding="utf-8").splitlines()
    number = next(number for number, line in enumerate(lines, start=1) if HOSTILE[name] in line)
    with pytest.raises(TableError, match=rf"frames\.csv:{number}: .*leads out of the project"):
        project.rows(Frame)


def test_row_of_a_pack_is_refused_with_its_line(project: Project) -> None:
    project.write_rows([Face("s/0", "", "", path="../outside/x.npy#0")], Face)
    with pytest.raises(TableError, match=r"faces\.csv:2: path"):
        project.rows(Face)


def test_link_that_leads_out_is_refused_with_the_line_that_names_it(project: Project, tmp_path: Path) -> None:
    (project.root / "faces" / "l.png").symlink_to(tmp_path / "outside" / "x.png")
    (project.root / "frames" / "v").symlink_to(tmp_path / "outside")
    project.write_rows([Face("v/f000001-0", "v/f000001", "v", path="faces/l.png")], Face)
    with pytest.raises(TableError, match=r"faces\.csv:2: path 'faces/l\.png' leads out"):
        project.inside("faces/l.png", "faces.csv")
    with pytest.raises(TableError, match="leads out"):
        project.inside("frames/v/x.png")


def test_link_within_the_project_is_followed(project: Project) -> None:
    (project.root / "faces" / "a.png").write_bytes(b"a")
    (project.root / "faces" / "l.png").symlink_to("a.png")
    assert project.inside("faces/l.png").read_bytes() == b"a"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_pipe_is_refused(project: Project) -> None:
    os.mkfifo(project.root / "faces" / "p.png")
    with pytest.raises(TableError, match="is not a regular file"):
        project.inside("faces/p.png")


def recorded(project: Project, file: Path, **changes: object) -> None:
    status, digest = file.stat(), "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    link = Link("videos/x.mp4", str(file), status.st_size, digest)
    write_table(project.root / "manifests" / "links.csv", [dataclasses.replace(link, **changes)], Link)


def test_recorded_link_is_followed_while_its_file_is_the_same(project: Project, tmp_path: Path) -> None:
    target = tmp_path / "outside" / "x.png"
    (project.root / "videos" / "x.mp4").symlink_to(target)
    with pytest.raises(TableError, match="a link to a file that was not added"):
        project.inside("videos/x.mp4")
    recorded(project, target)
    assert open_project(project.root).inside("videos/x.mp4").read_bytes() == b"secret"
    target.write_bytes(b"another")
    with pytest.raises(TableError, match="has changed since"):
        open_project(project.root).inside("videos/x.mp4")


@pytest.mark.parametrize("changes", [{"target": "/dev/zero"}, {"sha256": "0" * 64}, {"bytes": 5}], ids=str)
def test_link_with_a_false_record_is_refused(project: Project, tmp_path: Path, changes: dict[str, object]) -> None:
    target = tmp_path / "outside" / "x.png"
    (project.root / "videos" / "x.mp4").symlink_to(target)
    recorded(project, target, **changes)
    with pytest.raises(TableError, match="a link to a file that was not added"):
        project.inside("videos/x.mp4")


def test_link_of_an_older_version_is_known_by_the_table_of_videos(project: Project, tmp_path: Path) -> None:
    target = tmp_path / "outside" / "x.png"
    (project.root / "videos" / "x.mp4").symlink_to(target)
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    project.write_rows([Video("x", "videos/x.mp4", digest, 6, 0, 0)], Video)
    assert project.inside("videos/x.mp4").read_bytes() == b"secret"


def test_recorded_link_whose_disk_is_away_is_a_missing_file(project: Project, tmp_path: Path) -> None:
    (project.root / "videos" / "x.mp4").symlink_to(tmp_path / "gone" / "x.mp4")
    assert not project.inside("videos/x.mp4").exists()


def test_file_that_waits_for_its_place_is_found_where_it_waits(project: Project) -> None:
    (project.root / "faces" / "a.png").write_bytes(b"old")
    assert project.inside("faces/a.png").read_bytes() == b"old"
    for waiting, data in ((".fer/commit/0", "new"), (".fer/running/align/faces/b.png", "other")):
        replace_text(project.root / waiting, data)
    folders = '"folders": [".fer/running/align"]'
    record = '{"number": 1, "exchanges": {"faces/a.png": ".fer/commit/0"}, ' + folders + "}"
    replace_text(project.root / RECORD, record)
    assert project.inside("faces/a.png").read_bytes() == b"new"
    assert project.inside("faces/b.png").read_bytes() == b"other"


@pytest.mark.parametrize("folder", [".fer", ".fer/running", "manifests", "runs", "faces"])
def test_project_whose_own_folder_leads_out_is_refused(project: Project, tmp_path: Path, folder: str) -> None:
    shutil.rmtree(project.root / folder, ignore_errors=True)
    (project.root / folder).symlink_to(tmp_path / "outside")
    with pytest.raises(ProjectError, match=f"the folder '{folder}' leads out"):
        open_project(project.root)


def test_nothing_is_written_or_deleted_behind_a_link(project: Project, tmp_path: Path) -> None:
    (project.root / "frames" / "v").symlink_to(tmp_path / "outside")
    behind = project.root / "frames" / "v"

    def write() -> None:
        with project.commit() as commit:
            commit.text(behind / "new.png", "new")

    def delete() -> None:
        with project.commit() as commit:
            commit.delete(behind / "x.png")

    for change in (write, delete):
        with pytest.raises(ProjectError, match="the folder 'frames/v' leads out"):
            change()
    assert {path.name: path.read_bytes() for path in (tmp_path / "outside").iterdir()} == {"x.png": b"secret"}
    with project.commit() as commit:
        commit.text(project.root / "frames" / "good.png", "new")
    assert (project.root / "frames" / "good.png").exists()
