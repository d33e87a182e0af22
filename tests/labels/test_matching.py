import pytest

from fercli.core.rows import Face, Frame
from fercli.labels.matching import FaceIndex, blind_code, boxed_item, flat_name


def face(face_id: str, **fields: object) -> Face:
    values = {"frame_id": "", "path": f"faces/{face_id}.png"} | fields
    return Face(face_id, video_id=face_id.split("/")[0], **values)  # type: ignore[arg-type]  # fields of Face


FACES = [
    face("lesson-1/f000000-0"),
    face("lesson-1/f000015-0"),
    face("lesson-2/f000000-0"),
    face("lesson-2/f000030-1"),
    face("lesson-2/f000045-0", status="gone"),
    Face("fer2013/f000007-0", "", "fer2013", path="fer2013.npy#7", status="given", source_row=7),
]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("lesson-1/f000000-0", "lesson-1/f000000-0"),
        ("faces/lesson-1/f000000-0.png", "lesson-1/f000000-0"),
        ("lesson-1/f000000-0.jpg", "lesson-1/f000000-0"),
        ("/home/me/class/faces/lesson-2/f000000-0.png", "lesson-2/f000000-0"),
        (r"C:\class\faces\lesson-2\f000000-0.png", "lesson-2/f000000-0"),
        ("f000015-0.png", "lesson-1/f000015-0"),
        ("/data/upload/3/0a1b2c3d-f000015-0.png", "lesson-1/f000015-0"),
        ("/data/upload/3/0a1b2c3d-lesson-2__f000000-0.png", "lesson-2/f000000-0"),
        ("/data/local-files/?d=faces/lesson-2/f000000-0.png", "lesson-2/f000000-0"),
        ("s3://bucket/x/lesson-1__f000000-0.png?token=1", "lesson-1/f000000-0"),
        (flat_name("lesson-1/f000000-0"), "lesson-1/f000000-0"),
        (blind_code("lesson-1/f000015-0", 2) + ".png", "lesson-1/f000015-0"),
        ("row 7", "fer2013/f000007-0"),
    ],
)
def test_item_finds_its_face(item: str, expected: str) -> None:
    assert FaceIndex(FACES).find(item) == expected


@pytest.mark.parametrize(
    "item",
    [
        "f000000-0.png",
        "lesson-3/f000015-0",
        "lesson-2/f000015-0.png",
        "lesson-2/f000045-0",
        "row 8",
        "",
        "/",
        "nobody.png",
    ],
    ids=[
        "in two videos",
        "face id of another video",
        "below another video's name",
        "gone",
        "no such row",
        "nothing",
        "only a slash",
        "unknown",
    ],
)
def test_item_that_names_none_or_several_finds_nothing(item: str) -> None:
    assert FaceIndex(FACES).find(item) is None


BOXES = FaceIndex(
    [
        face("lesson-1/f000000-0", frame_id="lesson-1/f000000", left=10.0, top=10.0, width=40.0, height=50.0),
        face("lesson-1/f000000-1", frame_id="lesson-1/f000000", left=100.0, top=10.0, width=40.0, height=50.0),
        face("lesson-2/f000000-0", frame_id="lesson-2/f000000", left=10.0, top=10.0, width=40.0, height=50.0),
    ],
    [Frame(f"lesson-{number}/f000000", f"lesson-{number}", 0, 0.0, "") for number in (1, 2)],
)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (boxed_item("lesson-1/f000000.jpg", 98.5, 12.0, 42.0, height=50.0), "lesson-1/f000000-1"),
        (boxed_item("frames/lesson-2/f000000.jpg", 10, 10, 40, height=50), "lesson-2/f000000-0"),
        (boxed_item("lesson-1/f000000-0.png", 0, 0, 5, height=5), "lesson-1/f000000-0"),
        (boxed_item("lesson-1/f000000.jpg", 70, 10, 40, height=50), None),
        (boxed_item("f000000.jpg", 10, 10, 40, height=50), None),
        (boxed_item("lesson-9/f000000.jpg", 10, 10, 40, height=50), None),
    ],
    ids=["second face", "by path", "box on a crop", "between the faces", "frame of two videos", "no such video"],
)
def test_box_on_a_frame_finds_the_face_that_it_covers(item: str, expected: str | None) -> None:
    assert BOXES.find(item) == expected


def test_row_that_several_sets_have_names_no_face() -> None:
    others = [
        Face(f"raf-db/f{row}", "", "raf-db", path=f"raf.npy#{row}", status="given", source_row=row) for row in (7, 8)
    ]
    index = FaceIndex([*FACES, *others])
    assert index.find("row 7") is None
    assert index.find("row 8") == "raf-db/f8"


def given(number: int, origin: str) -> Face:
    return Face(f"set/{number:06d}", "", "", path=f"faces/set/{number:06d}.png", status="given", origin=origin)


GIVEN = [
    given(0, "happy/S010_004_00000017.png"),
    given(1, "bored/Zo\u00eb.JPG"),
    given(2, "happy/000001.png"),
    given(3, "bored/same.png"),
    given(4, "happy/same.png"),
]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("S010_004_00000017.png", "set/000000"),
        ("/data/upload/3/0a1b2c3d-S010_004_00000017.png", "set/000000"),
        ("s010_004_00000017", "set/000000"),
        ("Zoe\u0308.jpg", "set/000001"),
        ("zo\u00eb.png", "set/000001"),
        ("C:\\faces\\bored\\same.png", "set/000003"),
        ("happy/same.png", "set/000004"),
        ("happy/000001.png", "set/000002"),
        ("set/000001", "set/000001"),
        ("same.png", None),
        ("000001.png", None),
        ("sad/same.png", None),
    ],
)
def test_face_is_found_by_the_file_that_it_came_from(item: str, expected: str | None) -> None:
    assert FaceIndex(GIVEN).find(item) == expected


def test_name_of_several_files_says_which() -> None:
    assert FaceIndex(GIVEN).why_not("same.png") == "may be any of 2 faces: set/000003, set/000004"
    assert FaceIndex(GIVEN).why_not("none.png") == "is no face of this project"


def test_picture_with_one_face_stands_for_it_and_one_with_two_does_not() -> None:
    frames = [
        Frame(f"photos/f00000{place}", "photos", place, None, "", origin=f"in/portrait {place}.JPG") for place in (0, 1)
    ]
    faces = [face(f"photos/f00000{place}", frame_id=f"photos/f00000{place[0]}") for place in ("0-0", "1-0", "1-1")]
    index = FaceIndex(faces, frames)
    assert index.find("portrait 0.jpg") == "photos/f000000-0"
    assert index.find("portrait 1.jpg") is None


def test_row_of_a_table_is_no_place_in_a_folder() -> None:
    faces = [Face("mine/000007", "", "", path="faces/mine.npy#7", source_row=7, origin="happy/x.png"), FACES[-1]]
    assert FaceIndex(faces).find("row 7") == "fer2013/f000007-0"
    assert FaceIndex(faces[:1]).find("row 7") is None
