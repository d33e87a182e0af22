import os
import shutil
import sys
from pathlib import Path

import pytest

from fercli.core.errors import InputError
from fercli.vision.media import MediaItem, find_media, list_files, shown


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * len(name))


def told(items: list[MediaItem]) -> list[tuple[str, list[str], bool]]:
    return [(item.name, [file.name for file in item.files], item.is_pictures) for item in items]


def found(root: Path, *paths: Path) -> list[tuple[str, list[str], bool]]:
    return told(find_media(list_files(paths, root / "project")).items)


def test_videos_are_one_item_each_and_a_folder_of_pictures_is_one(tmp_path: Path) -> None:
    touch(tmp_path, "in/b.mp4", "in/a.MKV", "in/2.jpg", "in/1.PNG", "in/deep/3.jpg")
    assert found(tmp_path, tmp_path / "in") == [
        ("a.MKV", ["a.MKV"], False),
        ("b.mp4", ["b.mp4"], False),
        ("in", ["1.PNG", "2.jpg"], True),
        ("deep", ["3.jpg"], True),
    ]


def test_file_named_itself_is_a_video_unless_it_is_a_picture(tmp_path: Path) -> None:
    touch(tmp_path, "face.jpg")
    (tmp_path / "odd.video").write_bytes(bytes(range(200)))
    assert found(tmp_path, tmp_path / "odd.video", tmp_path / "face.jpg") == [
        ("odd.video", ["odd.video"], False),
        ("face", ["face.jpg"], True),
    ]


def test_other_files_of_a_folder_are_counted(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.mp4", "in/1.jpg", "in/notes.txt", "in/more/data.csv")
    assert find_media(list_files([tmp_path / "in"], tmp_path / "project")).num_foreign == 2


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.mp4", "in/.b.mp4", "in/.git/c.mp4")
    assert [name for name, _, _ in found(tmp_path, tmp_path / "in")] == ["a.mp4"]


def test_a_projects_own_folders_are_passed_over_unless_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "project/new.mp4", "project/frames/1.jpg", "project/faces/2.jpg", "project/mine/frames/3.jpg")
    assert [name for name, _, _ in found(tmp_path, tmp_path / "project")] == ["new.mp4", "frames"]
    every = list_files([tmp_path / "project"], tmp_path / "project", skip_own=False)
    assert sorted(item.name for item in find_media(every).items) == ["faces", "frames", "frames", "new.mp4"]


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    listing = list_files([tmp_path / "a.mp4", tmp_path / "gone.mp4"], tmp_path / "project")
    assert (listing.named, listing.missing) == ((tmp_path / "a.mp4",), (tmp_path / "gone.mp4",))


def test_facts_change_with_a_file_and_not_with_the_place_of_the_project(tmp_path: Path) -> None:
    touch(tmp_path, "one/videos/a.mp4")
    before = list_files([tmp_path / "one/videos"], tmp_path / "one").facts
    assert [(name, size) for name, size, _ in before] == [("videos/a.mp4", len("one/videos/a.mp4"))]
    shutil.move(tmp_path / "one", tmp_path / "two")
    assert list_files([tmp_path / "two/videos"], tmp_path / "two").facts == before
    os.utime(tmp_path / "two/videos/a.mp4", (1, 1))
    assert list_files([tmp_path / "two/videos"], tmp_path / "two").facts != before


def test_key_of_an_item_changes_with_any_of_its_files(tmp_path: Path) -> None:
    touch(tmp_path, "in/1.jpg", "in/2.jpg")

    def key() -> str:
        (item,) = find_media(list_files([tmp_path / "in"], tmp_path / "project")).items
        return item.key

    before = key()
    assert key() == before
    os.utime(tmp_path / "in/2.jpg", (1, 1))
    assert key() != before


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text there")
def test_name_that_is_no_text_is_shown_in_hexadecimal() -> None:
    assert shown(Path(os.fsdecode(b"caf\xe9.mp4"))) == "caf\\xe9.mp4"
    assert shown(Path("café.mp4")) == "café.mp4"


def test_text_named_itself_is_no_video_and_is_counted(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Monday: the camera stood at the back.", encoding="utf-8")
    media = find_media(list_files([tmp_path / "notes.txt"], tmp_path / "project"))
    assert media.items == []
    assert media.passed_over() == "1 .txt"


def test_what_was_passed_over_is_told_by_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.mp4", "in/1.txt", "in/2.txt", "in/README", "in/x.csv")
    media = find_media(list_files([tmp_path / "in"], tmp_path / "project"))
    assert media.passed_over() == "2 .txt, 1 without suffix, 1 .csv"


@pytest.mark.parametrize("address", ["http://x.org/a.mp4", "rtsp://camera/1"])
def test_address_is_refused_by_name(tmp_path: Path, address: str) -> None:
    with pytest.raises(InputError, match=f"is an address \\({address.partition(':')[0]}\\)"):
        list_files([Path(address)], tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_linked_folder_is_followed_once_and_broken_links_are_told(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "elsewhere").mkdir()
    for name in ("all/a.mp4", "elsewhere/b.mp4"):
        (tmp_path / name).write_bytes(b"video")
    (tmp_path / "all" / "first").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "all" / "second").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "all")
    (tmp_path / "all" / "gone.mp4").symlink_to(tmp_path / "nowhere")
    listing = list_files([tmp_path / "all"], tmp_path / "project")
    assert [item.name for item in find_media(listing).items] == ["a.mp4", "b.mp4"]
    assert [path.name for path in listing.missing] == ["gone.mp4"]
