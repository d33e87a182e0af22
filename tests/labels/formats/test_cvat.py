import zipfile
from pathlib import Path

import pytest

from fercli.core.errors import InputError
from fercli.labels.formats import cvat as votes_cvat
from fercli.labels.formats.cvat import read_cvat
from fercli.labels.formats.rawvotes import RawVote

META = "<meta><job><id>1</id><assignee><username>anna</username></assignee></job></meta>"


def xml(*images: str, meta: str = META) -> str:
    inner = "".join(images)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>{meta}{inner}</annotations>'


def image(name: str, *inner: str) -> str:
    return f'<image id="0" name="{name}" width="112" height="112">{"".join(inner)}</image>'


def tag(label: str, source: str = "manual") -> str:
    return f'<tag label="{label}" source="{source}"></tag>'


def written(folder: Path, text: str) -> Path:
    path = folder / "job-7.xml"
    path.write_text(text, encoding="utf-8")
    return path


def zipped(folder: Path, text: str, name: str = "annotations.xml") -> Path:
    path = folder / "job-7.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
        archive.writestr("images/a.png", b"")
    return path


@pytest.mark.parametrize("pack", [written, zipped], ids=["xml", "zip"])
def test_tags_are_votes_of_the_assignee(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    raw = read_cvat(pack(tmp_path, xml(image("a.png", tag("happy")), image("b.png", tag("sad")))))
    assert raw.votes == [RawVote("a.png", "anna", "happy"), RawVote("b.png", "anna", "sad")]


@pytest.mark.parametrize(
    ("meta", "who", "expected"),
    [
        (META, "ben", "anna"),
        ("<meta><task><assignee><username>carl</username></assignee></task></meta>", "ben", "carl"),
        ("<meta><task><assignee></assignee></task></meta>", "ben", "ben"),
        ("", "", "job-7"),
    ],
    ids=["job", "task", "option", "file's name"],
)
def test_annotator_is_assignee_then_option_then_file_name(tmp_path: Path, meta: str, who: str, expected: str) -> None:
    raw = read_cvat(written(tmp_path, xml(image("a.png", tag("happy")), meta=meta)), annotator=who)
    assert raw.votes[0].annotator == expected
    assert raw.guessed == ("job-7" if expected == "job-7" else "")


def test_no_tag_is_no_vote_two_tags_are_a_conflict_and_automatic_tags_are_left_out(tmp_path: Path) -> None:
    text = xml(
        image("none.png"),
        image("two.png", tag("happy"), tag("sad")),
        image("same.png", tag("happy"), tag("happy")),
        image("auto.png", tag("happy", "auto")),
    )
    raw = read_cvat(written(tmp_path, text))
    assert raw.votes == [RawVote("same.png", "anna", "happy")]
    assert raw.conflicts == ["two.png: happy, sad"]
    assert raw.num_skipped == 2


def test_attribute_of_a_box_is_the_vote_when_asked_for(tmp_path: Path) -> None:
    inside = '<attribute name="expression">happy</attribute>'
    box = f'<box label="face" source="manual" xtl="1" ytl="1" xbr="9" ybr="9">{inside}</box>'
    path = written(tmp_path, xml(image("a.png", box, tag("sad"))))
    assert read_cvat(path, attribute="expression").votes == [RawVote("a.png@1,1,8,8", "anna", "happy")]
    assert read_cvat(path).votes == [RawVote("a.png", "anna", "sad")]


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE annotations [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    '<annotations><image name="&b;"/></annotations>'
)
THIEF = (
    '<?xml version="1.0"?><!DOCTYPE annotations [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    '<annotations><image name="x">&a;</image></annotations>'
)


@pytest.mark.parametrize("text", [BOMB, THIEF], ids=["entities that grow", "entity that reads a file"])
def test_entities_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="declares entities or a document type"):
        read_cvat(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [("<annotations><image", "not valid XML"), ("<html></html>", "begins with <html>"), ("no xml", "not valid XML")],
    ids=["cut off", "other root", "text"],
)
def test_other_xml_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_cvat(written(tmp_path, text))


def test_zip_that_climbs_out_writes_nothing_and_is_refused(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    path = zipped(inner, xml(image("a.png", tag("happy"))), name="../../annotations.xml")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="names a file outside itself"):
        read_cvat(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_zip_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path, xml(*[image("a.png", tag("happy"))] * 3000))
    monkeypatch.setattr(votes_cvat, "MAX_XML_BYTES", 100_000)
    with pytest.raises(InputError, match="unpacks to more than"):
        read_cvat(path)


def test_zip_without_annotations_or_broken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"contains 0 files called annotations\.xml"):
        read_cvat(zipped(tmp_path, "x", name="other.xml"))
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match="the zip cannot be read"):
        read_cvat(broken)


@pytest.mark.parametrize(
    "inner", ["<a>" * 30 + "</a>" * 30, image("x", tag("happy") * 200)], ids=["without bottom", "without end"]
)
def test_elements_that_would_fill_the_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    monkeypatch.setattr(votes_cvat, "MAX_PARTS", 100)
    with pytest.raises(InputError, match="too many or too deeply nested elements in one image"):
        read_cvat(written(tmp_path, xml(inner)))


def test_zip_with_damaged_contents_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path, xml(*[image(f"a{number}.png", tag("happy")) for number in range(300)]))
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 40] = bytes([255] * 40)
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read"):
        read_cvat(path)


def test_tag_without_a_label_is_no_vote(tmp_path: Path) -> None:
    raw = read_cvat(written(tmp_path, xml(image("a.png", tag("")), image("b.png", tag(""), tag("sad")))))
    assert raw.votes == [RawVote("b.png", "anna", "sad")]
    assert raw.conflicts == []


PROJECT = """<meta><project><id>3</id><tasks>
<task><id>1</id><assignee><username>anna</username></assignee></task>
<task><id>2</id><assignee><username>ben</username></assignee></task>
<task><id>3</id><assignee></assignee></task><task><id>4</id></task></tasks></project></meta>"""


def of_task(number: int, *inner: str, name: str = "a.png") -> str:
    return f'<image id="{number}" name="{name}" task_id="{number}" width="9" height="9">{"".join(inner)}</image>'


def box(label: str, left: int = 1, inner: str = "", source: str = "manual") -> str:
    return f'<box label="{label}" source="{source}" xtl="{left}" ytl="1" xbr="{left + 8}" ybr="9">{inner}</box>'


def attribute(name: str, value: str) -> str:
    return f'<attribute name="{name}">{value}</attribute>'


def test_each_task_of_a_project_is_its_own_assignees(tmp_path: Path) -> None:
    raw = read_cvat(written(tmp_path, xml(of_task(1, tag("happy")), of_task(2, tag("sad")), meta=PROJECT)))
    assert raw.votes == [RawVote("a.png", "anna", "happy"), RawVote("a.png", "ben", "sad")]


def test_answers_of_people_whom_a_project_does_not_name_are_a_conflict_where_they_differ(tmp_path: Path) -> None:
    images = [of_task(3, tag("happy")), of_task(4, tag("sad"))]
    images += [of_task(number, tag("sad"), name="b.png") for number in (3, 4)]
    raw = read_cvat(written(tmp_path, xml(*images, meta=PROJECT)))
    assert raw.votes == [RawVote("b.png", "job-7", "sad")]
    assert raw.conflicts == ["a.png: happy, sad"]
    assert raw.guessed == "job-7"


def test_label_of_a_box_is_the_vote_where_no_tag_names_a_class(tmp_path: Path) -> None:
    classes = {"happy", "sad"}.__contains__
    path = written(tmp_path, xml(image("f1.jpg", box("happy"), box("sad", left=20), tag("dark"))))
    raw = read_cvat(path, is_class=classes)
    assert raw.votes == [RawVote("f1.jpg@1,1,8,8", "anna", "happy"), RawVote("f1.jpg@20,1,8,8", "anna", "sad")]
    assert raw.notes == ["1 other tag or box was passed over"]


def test_attribute_of_a_tag_is_the_vote_when_asked_for_and_told_of_when_not(tmp_path: Path) -> None:
    inside = f'<tag label="face" source="manual">{attribute("emotion", "happy")}</tag>'
    path = written(tmp_path, xml(image("a.png", inside)))
    assert read_cvat(path, attribute="emotion").votes == [RawVote("a.png", "anna", "happy")]
    assert "--cvat-attribute emotion" in read_cvat(path).advice
    with pytest.raises(InputError, match="no tag or box has an attribute 'mood'") as caught:
        read_cvat(path, attribute="mood")
    assert caught.value.hint == "They have: emotion."


def test_consensus_is_no_vote_beside_its_replicas(tmp_path: Path) -> None:
    raw = read_cvat(written(tmp_path, xml(image("a.png", tag("happy", "consensus")), image("b.png", tag("sad")))))
    assert raw.votes == [RawVote("b.png", "anna", "sad")]
    assert any("1 marks by consensus" in note for note in raw.notes)


VIDEO = """<meta><task><id>1</id><mode>interpolation</mode><assignee><username>anna</username></assignee>
<source>lesson-1.mp4</source></task></meta>"""


def in_track(frame: int, value: str, *, outside: int = 0, keyframe: int = 1) -> str:
    return (
        f'<box frame="{frame}" outside="{outside}" keyframe="{keyframe}" xtl="1" ytl="2" xbr="5" ybr="8">'
        f"{attribute('emotion', value)}</box>"
    )


def test_tracks_of_a_video_are_votes_on_the_faces_of_its_frames(tmp_path: Path) -> None:
    boxes = in_track(0, "happy") + in_track(1, "happy", keyframe=0) + in_track(25, "sad") + in_track(26, "", outside=1)
    text = xml(f'<track id="0" label="face" source="manual">{boxes}</track>', meta=VIDEO)
    raw = read_cvat(written(tmp_path, text), attribute="emotion")
    assert raw.format == "cvat-video"
    assert raw.votes == [
        RawVote("lesson-1/f000000@1,2,4,6", "anna", "happy"),
        RawVote("lesson-1/f000001@1,2,4,6", "anna", "happy"),
        RawVote("lesson-1/f000025@1,2,4,6", "anna", "sad"),
    ]
    assert raw.is_dense
    assert any("1 box lies between" in note for note in raw.notes)


def test_video_that_is_not_named_is_refused_by_name(tmp_path: Path) -> None:
    track = f'<track id="0" label="happy" source="manual">{in_track(0, "x")}</track>'
    with pytest.raises(InputError, match="CVAT for video that does not name its video"):
        read_cvat(written(tmp_path, xml(track)))
    with pytest.raises(InputError, match="CVAT for video of a whole project"):
        read_cvat(written(tmp_path, xml(track, meta=PROJECT)))


def test_frame_of_an_export_of_images_from_a_video_belongs_to_that_video(tmp_path: Path) -> None:
    raw = read_cvat(written(tmp_path, xml(image("frame_000025", box("happy")), meta=VIDEO)))
    assert raw.votes == [RawVote("lesson-1/f000025@1,1,8,8", "anna", "happy")]


def test_export_without_votes_says_what_it_holds(tmp_path: Path) -> None:
    raw = read_cvat(written(tmp_path, xml(image("a.png"), image("b.png", tag("happy", "auto")))))
    assert raw.holds == "CVAT for images with 2 images, 0 tags, 0 boxes, 1 automatic marks"
