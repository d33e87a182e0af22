import json
from pathlib import Path
from typing import Any

import pytest

from fercli.core.errors import InputError
from fercli.labels.formats.labelstudio import read_label_studio
from fercli.labels.formats.rawvotes import RawVote


def annotation(*labels: str, who: object = 1, control: str = "emotion", **fields: Any) -> dict[str, Any]:
    result = {"type": "choices", "from_name": control, "to_name": "image", "value": {"choices": list(labels)}}
    return {"id": 7, "completed_by": who, "created_at": "2024-05-01T10:00:00Z", "result": [result], **fields}


def task(*annotations: dict[str, Any], key: str = "annotations", **data: str) -> dict[str, Any]:
    return {"id": 1, "data": data or {"image": "/data/upload/1/0123abcd-v__f000000-0.png"}, key: list(annotations)}


def written(folder: Path, content: object) -> Path:
    path = folder / "export.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_each_annotation_is_one_annotators_vote(tmp_path: Path) -> None:
    tasks = [task(annotation("happy", who=3), annotation("sad", who={"id": 4, "email": "b@x.org"}), face_id="v/f1-0")]
    raw = read_label_studio(written(tmp_path, tasks))
    stamp = "2024-05-01T10:00:00Z"
    assert raw.votes == [RawVote("v/f1-0", "3", "happy", None, stamp), RawVote("v/f1-0", "b@x.org", "sad", None, stamp)]
    assert raw.people == [("b@x.org", "4")]


def test_annotator_without_id_is_known_by_email(tmp_path: Path) -> None:
    raw = read_label_studio(written(tmp_path, [task(annotation("sad", who={"email": "b@x.org"}))]))
    assert raw.votes[0].annotator == "b@x.org"


def test_cancelled_or_empty_is_a_skip_and_ground_truth_is_no_vote(tmp_path: Path) -> None:
    tasks = [
        task(annotation("happy", was_cancelled=True), annotation(), annotation("sad", ground_truth=True)),
        task(annotation("happy")),
    ]
    raw = read_label_studio(written(tmp_path, tasks))
    assert [vote.label for vote in raw.votes] == ["happy"]
    assert [vote.label for vote in raw.gold] == ["sad"]
    assert raw.num_skipped == 2


def test_predictions_and_drafts_are_no_votes(tmp_path: Path) -> None:
    one = task() | {"predictions": [annotation("happy")], "drafts": [annotation("sad")]}
    assert read_label_studio(written(tmp_path, [one])).votes == []


def test_old_key_completions_is_read(tmp_path: Path) -> None:
    raw = read_label_studio(written(tmp_path, [task(annotation("happy"), key="completions")]))
    assert [vote.label for vote in raw.votes] == ["happy"]


def test_two_choices_at_once_are_a_conflict(tmp_path: Path) -> None:
    raw = read_label_studio(written(tmp_path, [task(annotation("happy", "sad"), face_id="x")]))
    assert raw.votes == []
    assert raw.conflicts == ["x: happy, sad"]


def test_several_controls_need_a_field(tmp_path: Path) -> None:
    both = annotation("happy")
    both["result"] += annotation("left", control="gaze")["result"]
    path = written(tmp_path, [task(both)])
    with pytest.raises(InputError, match="has 2 choices: emotion, gaze") as caught:
        read_label_studio(path)
    assert "--field" in caught.value.hint
    assert [vote.label for vote in read_label_studio(path, control="gaze").votes] == ["left"]


def test_json_min_has_one_annotation_to_an_entry(tmp_path: Path) -> None:
    entries = [
        {"image": "/data/upload/1/a.png", "face_id": "x", "id": 5, "emotion": "happy", "annotator": 2,
         "annotation_id": 9, "created_at": "2024-05-01T10:00:00.5Z", "updated_at": "", "lead_time": 2.5},
        {"image": "/data/upload/1/b.png", "face_id": "y", "id": 6, "annotator": 2, "annotation_id": 10,
         "created_at": "", "lead_time": 1.0},
    ]  # fmt: skip
    raw = read_label_studio(written(tmp_path, entries))
    assert raw.format == "label-studio-json-min"
    assert raw.votes == [RawVote("x", "2", "happy", None, "2024-05-01T10:00:00.500000Z")]
    assert raw.num_skipped == 1


def test_csv_export_is_read(tmp_path: Path) -> None:
    text = (
        "annotation_id,annotator,created_at,emotion,face_id,id,image,lead_time,updated_at\n"
        "9,2,2024-05-01T10:00:00Z,happy,x,5,/data/upload/1/a.png,2.5,2024-05-01T10:00:00Z\n"
    )
    raw = read_label_studio(written(tmp_path, text))
    assert raw.format == "label-studio-csv"
    assert raw.votes == [RawVote("x", "2", "happy", None, "2024-05-01T10:00:00Z")]


def test_csv_export_with_other_data_needs_a_field(tmp_path: Path) -> None:
    text = "annotation_id,annotator,emotion,school,image\n9,2,happy,north,a.png\n"
    path = written(tmp_path, text)
    with pytest.raises(InputError, match="could be any of 'emotion', 'school'"):
        read_label_studio(path)
    assert [vote.label for vote in read_label_studio(path, control="emotion").votes] == ["happy"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"data": ', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "holds no tasks"),
        ("[1, 2]", "not a list of Label Studio tasks"),
        ([task(annotation("happy", who=None))], "annotation 7 has no annotator"),
        ([{"data": {"text": "hello"}, "annotations": []}], "task 1 has no image"),
    ],
    ids=["cut off", "nested without end", "empty list", "other JSON", "no annotator", "no picture"],
)
def test_file_that_is_no_export_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_label_studio(written(tmp_path, content))


REGION = {
    "id": "r1", "type": "rectanglelabels", "from_name": "box", "original_width": 1280, "original_height": 720,
    "value": {"x": 50.0, "y": 25.0, "width": 5.0, "height": 10.0, "rotation": 0, "rectanglelabels": ["happy"]},
}  # fmt: skip
WHERE = "f.jpg@640,180,64,72"


def of(*results: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": 7, "completed_by": 1, "result": list(results), **fields}


def test_label_of_a_rectangle_is_the_vote_on_the_face_that_it_covers(tmp_path: Path) -> None:
    raw = read_label_studio(written(tmp_path, [task(of(REGION), image="f.jpg")]))
    assert raw.votes == [RawVote(WHERE, "1", "happy")]


def test_choice_for_a_region_lies_where_the_region_does(tmp_path: Path) -> None:
    choice = {"id": "r1", "type": "choices", "from_name": "emo", "value": {"x": 1, "width": 3, "choices": ["sad"]}}
    raw = read_label_studio(written(tmp_path, [task(of(REGION, choice), image="f.jpg")]))
    assert raw.votes == [RawVote(WHERE, "1", "sad")]


def test_ellipse_and_polygon_lie_in_their_extent(tmp_path: Path) -> None:
    size = {"original_width": 100, "original_height": 100, "from_name": "shape"}
    ellipse = {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "ellipselabels": ["happy"]}
    polygon = {"points": [[10, 10], [30, 10], [20, 40]], "polygonlabels": ["sad"]}
    one = of(
        {"id": "a", "type": "ellipselabels", "value": ellipse, **size},
        {"id": "b", "type": "polygonlabels", "value": polygon, **size},
    )
    raw = read_label_studio(written(tmp_path, [task(one, image="f.jpg")]))
    assert raw.votes == [RawVote("f.jpg@40,30,20,40", "1", "happy"), RawVote("f.jpg@10,10,20,30", "1", "sad")]


def test_last_word_of_a_taxonomy_is_the_vote(tmp_path: Path) -> None:
    answer = {"type": "taxonomy", "from_name": "emo", "value": {"taxonomy": [["positive", "happy"]]}}
    raw = read_label_studio(written(tmp_path, [task(of(answer), image="f.jpg")]))
    assert raw.votes == [RawVote("f.jpg", "1", "happy")]


@pytest.mark.parametrize(
    "value",
    ["/data/local-files/?d=home/me/lesson-1/f1.png", "s3://bucket/lesson-1/f1.png", "https://x.org/f1.png?key=ab"],
    ids=["local files", "cloud", "signed address"],
)
def test_picture_is_found_under_any_key(tmp_path: Path, value: str) -> None:
    tasks = [task(annotation("happy"), note="Monday", photo=value)]
    assert [vote.item for vote in read_label_studio(written(tmp_path, tasks)).votes] == [value]


def test_later_change_is_the_time_of_a_vote(tmp_path: Path) -> None:
    raw = read_label_studio(written(tmp_path, [task(annotation("happy", updated_at="2024-05-02T09:00:00Z"))]))
    assert raw.votes[0].created_at == "2024-05-02T09:00:00Z"


def test_one_task_to_a_line_is_read(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(task(annotation(word), image=f"{word}.png")) for word in ("happy", "sad"))
    assert [vote.label for vote in read_label_studio(written(tmp_path, lines + "\n")).votes] == ["happy", "sad"]


def test_regions_in_json_min_and_csv_are_read(tmp_path: Path) -> None:
    region = REGION["value"] | {"original_width": 1280, "original_height": 720}
    entry = {"image": "f.jpg", "id": 5, "box": [region], "annotator": 2, "annotation_id": 9}
    assert read_label_studio(written(tmp_path, [entry])).votes == [RawVote(WHERE, "2", "happy")]
    cell = json.dumps([region]).replace('"', '""')
    path = written(tmp_path, f'annotation_id,annotator,box,image\n9,2,"{cell}",f.jpg\n')
    assert read_label_studio(path).votes == [RawVote(WHERE, "2", "happy")]


def test_what_holds_no_votes_says_what_it_holds(tmp_path: Path) -> None:
    rating = {"type": "rating", "from_name": "stars", "value": {"rating": 4}}
    tasks = [task(of(rating), image="f.jpg") | {"predictions": [{}]}, task(image="g.jpg")]
    raw = read_label_studio(written(tmp_path, tasks))
    assert raw.votes == []
    assert raw.holds == (
        "Label Studio's JSON with 2 tasks, 1 annotation, 1 answer of type rating, 1 prediction, which is not a vote"
    )


def test_coco_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="COCO's JSON"):
        read_label_studio(written(tmp_path, {"images": [], "annotations": [], "categories": []}))
