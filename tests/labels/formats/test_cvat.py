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
    assert bool(raw.notes) == (expected == "job-7")


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
