import pytest

from fercli.core.rows import Face
from fercli.labels.matching import FaceIndex, blind_code, flat_name


def face(face_id: str, **fields: object) -> Face:
    return Face(face_id, "", face_id.split("/")[0], path=f"faces/{face_id}.png", **fields)  # type: ignore[arg-type]  # fields of Face


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
