import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fercli.core.rows import Face, Vote
from fercli.labels.formats.registry import read_votes
from fercli.labels.importing import match_votes
from fercli.labels.matching import FaceIndex
from fercli.labels.sheets import (
    csv_sheet,
    cvat_annotations,
    cvat_labels,
    label_studio_config,
    label_studio_tasks,
    make_sheets,
)
from fercli.labels.vocabulary import Vocabulary

CLASSES = ("happy", "on task", "bored & tired", 'so "sad"')
FACE_IDS = [f"lesson-{video}/f{frame:06d}-0" for video in (1, 2) for frame in range(4)]
FACES = FaceIndex([Face(face_id, "", face_id.split("/")[0], path=f"faces/{face_id}.png") for face_id in FACE_IDS])
ANNOTATORS = ("a1", "a2", "a10")
KEY = {f"person {name}": name for name in ANNOTATORS}
RNG = np.random.default_rng


@st.composite
def some_votes(draw: st.DrawFn) -> list[Vote]:
    """At most one vote for each face and annotator, sorted."""
    pairs = draw(st.sets(st.tuples(st.sampled_from(FACE_IDS), st.sampled_from(ANNOTATORS)), min_size=1))
    votes = []
    for face_id, annotator in sorted(pairs):
        label = draw(st.sampled_from((*CLASSES, "unknown", "nf")))
        confidence = draw(st.none() | st.floats(0, 1))
        moment = draw(st.none() | st.datetimes())
        created_at = "" if moment is None else moment.isoformat() + "Z"
        votes.append(Vote(face_id, annotator, label, label, confidence, created_at, "x"))
    return votes


def read_back(path: Path) -> list[Vote]:
    raw = read_votes(path)
    return match_votes(raw, FACES, Vocabulary(CLASSES), pseudonyms=KEY, source="x").votes


IN_ONE_FOLDER = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(votes=some_votes())
@IN_ONE_FOLDER
def test_csv_brings_back_exactly_the_votes_that_went_out(tmp_path: Path, votes: list[Vote]) -> None:
    (sheet,) = make_sheets(FACE_IDS, num_sheets=1, blind_share=0, rng=RNG(0))
    path = tmp_path / "votes.csv"
    path.write_text(csv_sheet(sheet, votes=votes), encoding="utf-8")
    assert read_back(path) == votes


@given(votes=some_votes())
@IN_ONE_FOLDER
def test_label_studio_brings_back_all_but_confidence(tmp_path: Path, votes: list[Vote]) -> None:
    (sheet,) = make_sheets(FACE_IDS, num_sheets=1, blind_share=0, rng=RNG(0))
    path = tmp_path / "tasks.json"
    path.write_text(label_studio_tasks(sheet, votes=votes), encoding="utf-8")
    bare = [Vote(v.face_id, v.annotator, v.label, v.raw_label, None, v.created_at, v.source) for v in votes]
    assert read_back(path) == bare


@given(votes=some_votes())
@IN_ONE_FOLDER
def test_cvat_brings_back_faces_annotators_and_labels(tmp_path: Path, votes: list[Vote]) -> None:
    (sheet,) = make_sheets(FACE_IDS, num_sheets=1, blind_share=0, rng=RNG(0))
    found: list[Vote] = []
    for annotator in sorted({vote.annotator for vote in votes}):
        path = tmp_path / f"{annotator}.xml"
        path.write_text(cvat_annotations(sheet, votes, annotator=annotator, size=(112, 112)), encoding="utf-8")
        found += read_back(path)
    bare = [Vote(v.face_id, v.annotator, v.label, v.raw_label, None, "", v.source) for v in votes]
    assert sorted(found, key=lambda vote: (vote.face_id, vote.annotator)) == bare


def test_sheet_to_fill_in_has_an_empty_label_for_each_face() -> None:
    (sheet,) = make_sheets(FACE_IDS[:1], num_sheets=1, blind_share=0, rng=RNG(0))
    assert csv_sheet(sheet, annotator="me").splitlines() == [
        "face_id,image,annotator,label,confidence,created_at",
        "lesson-1/f000000-0,images/lesson-1__f000000-0.png,me,,,",
    ]


def test_blind_sheets_show_some_faces_twice_under_names_that_tell_nothing() -> None:
    sheets = make_sheets(FACE_IDS, num_sheets=2, blind_share=0.25, rng=RNG(0))
    for sheet in sheets:
        shown = [face_id for _, face_id in sheet.items]
        assert sorted(set(shown)) == sorted(FACE_IDS)
        assert len(shown) == 10
        assert all(FACES.find(f"images/{name}.png") == face_id for name, face_id in sheet.items)
        text = csv_sheet(sheet) + label_studio_tasks(sheet)
        assert "lesson" not in text
    assert sheets[0].items != sheets[1].items
    assert set(sheets[0].items) == set(sheets[1].items)


def test_votes_on_a_blind_sheet_show_how_alike_somebody_judges_twice(tmp_path: Path) -> None:
    (sheet,) = make_sheets(FACE_IDS, num_sheets=1, blind_share=0.25, rng=RNG(0))
    twice = sorted({face for _, face in sheet.items if [f for _, f in sheet.items].count(face) == 2})
    lines = ["image,annotator,label"]
    seen: set[str] = set()
    for name, face_id in sheet.items:
        # The first of the two faces is judged alike both times, the second is not.
        word = "on task" if face_id == twice[1] and face_id in seen else "happy"
        seen.add(face_id)
        lines.append(f"images/{name}.png,me,{word}")
    path = tmp_path / "v.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    matched = match_votes(read_votes(path), FACES, Vocabulary(CLASSES), pseudonyms={}, source="x")
    assert matched.repeats == {"a1": (2, 1)}
    assert len(matched.votes) == len(FACE_IDS)


def test_label_studio_config_is_xml_with_every_class_and_a_key() -> None:
    from defusedxml.ElementTree import fromstring

    choices = fromstring(label_studio_config(CLASSES)).findall(".//Choice")
    assert [choice.get("value") for choice in choices] == [*CLASSES, "unknown"]
    keys = [choice.get("hotkey") for choice in choices]
    assert len(set(keys)) == len(keys)


def test_cvat_labels_are_tags() -> None:
    assert [(entry["name"], entry["type"]) for entry in json.loads(cvat_labels(("happy",)))] == [
        ("happy", "tag"),
        ("unknown", "tag"),
    ]


@pytest.mark.parametrize("num_sheets", [1, 3])
def test_every_annotator_gets_a_sheet(num_sheets: int) -> None:
    sheets = make_sheets(FACE_IDS, num_sheets=num_sheets, blind_share=0, rng=RNG(0))
    assert len(sheets) == num_sheets
    assert all(set(sheet.items) == {(face_id.replace("/", "__"), face_id) for face_id in FACE_IDS} for sheet in sheets)
    assert len({sheet.items for sheet in sheets}) == num_sheets
