"""Sections say what rows hold: numbers by hand."""

from dataclasses import replace

import numpy as np
import pytest

from fercli.core.rows import Face, Frame, Label, Prediction, SplitRow, Subject, Video, Vote
from fercli.labels.agreement import measure_agreement
from fercli.labels.annotators import compare_annotators
from fercli.labels.leaks import find_leaks
from fercli.labels.summary import summarise_labels
from fercli.models.table.specs import MODELS
from fercli.reports.page import Section, Table
from fercli.reports.sections.closing import cam_section, responsible_section, wrong_section
from fercli.reports.sections.data import data_section, split_section
from fercli.reports.sections.labels import label_section
from fercli.reports.sections.results import model_section, outcome_of, result_section, training_section

CLASSES = ("happy", "bored")
FACES = [
    Face("v/f0-0", "v/f0", "v", subject_id="s001"),
    Face("v/f0-1", "v/f0", "v", subject_id="s002"),
    Face("v/f1-0", "v/f1", "v", subject_id="s001", status="dropped", reason="too small"),
    Face("v/f1-1", "v/f1", "v", status="gone"),
]
LABELS = [Label("v/f0-0", "happy", "ok", "majority", 3, 2 / 3), Label("v/f0-1", "", "tie", "majority", 2, 0.5)]
VOTES = [
    *(Vote("v/f0-0", name, word, word) for name, word in (("a1", "happy"), ("a2", "happy"), ("a3", "bored"))),
    *(Vote("v/f0-1", name, word, word) for name, word in (("a1", "happy"), ("a2", "bored"))),
]


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def table(section: Section, caption: str) -> Table:
    return next(part for part in section.tables if part.caption.startswith(caption))


def row(section: Section, caption: str, name: str) -> list[str]:
    return [plain(cell) for line in table(section, caption).rows if line[0] == name for cell in line[1:]]


def test_data_counts_faces_by_what_became_of_them() -> None:
    videos = [Video("v", "videos/v.mp4", "0" * 64, 9, 640, 480, 25.0, 1625, 65.0)]
    frames = [Frame("v/f0", "v", 0, 0.0, "x"), Frame("v/f1", "v", 50, 2.0, "y")]
    section = data_section(videos, frames, FACES, [Subject("s001", "tracks", 1, 1, "v", "v/f0-0")])
    facts = dict(section.facts)
    assert facts["faces detected"] == "3"
    assert facts["faces used"] == "2"
    assert facts["subjects"] == "2"
    assert facts["duration"] == "1 min 5 s"
    assert row(section, "Videos", "v") == ["640 x 480", "25", "1 min 5 s", "-", "2", "2"]
    assert row(section, "Excluded faces (n = 1)", "too small") == ["1", "33.3%"]


def test_data_of_a_published_set_does_not_claim_a_detector() -> None:
    section = data_section([], [], [Face("f/1", "", "", status="given")], [])
    assert "no detector was used" in section.text[0]


def test_frames_without_faces_name_the_next_command() -> None:
    video, frame = Video("v", "p", "0", 1, 2, 2), Frame("v/f0", "v", 0, None, "x")
    assert [gap.command for gap in data_section([video], [], [], []).missing] == ["fer extract-frames"]
    assert [gap.command for gap in data_section([video], [frame], [], []).missing] == ["fer align"]


def test_labels_tell_ties_and_outvoted_votes() -> None:
    agreement, people = measure_agreement(VOTES, CLASSES), compare_annotators(VOTES, CLASSES)
    section = label_section(summarise_labels(LABELS, VOTES, CLASSES), agreement, people, ["majority"])
    facts = dict(section.facts)
    assert facts["faces with a label"] == "1 of 2"
    assert facts["votes"] == "5"
    assert row(section, "Vote outcomes", "tie: several classes share the most votes") == ["1", "50.0%"]
    # One of two votes for bored was outvoted on v/f0-0, the other is on the tie.
    assert row(section, "Classes", "bored")[2:5] == ["2", "1", "1"]
    # Pairs of votes that are alike: 1 of 3 on the first face, 0 of 1 on the second.
    assert row(section, "Inter-annotator agreement", "pairwise agreement")[0] == "25.0%"
    assert section.warnings == (
        "Class 'bored' has 2 votes but no labelled face (1 outvoted, 1 on faces without a majority).",
    )


def test_labels_that_came_with_the_data_claim_no_agreement() -> None:
    section = label_section(summarise_labels([Label("f", "happy", "given", "given", 0)], [], CLASSES), None, None, [])
    assert "its votes, and the agreement of its annotators, are unknown" in section.text[0]
    assert not section.pictures


def test_split_counts_faces_and_subjects_of_each_part() -> None:
    rows = [SplitRow("v/f0-0", "train"), SplitRow("v/f0-1", "test")]
    labels = [Label("v/f0-0", "happy", "ok", "m", 3), Label("v/f0-1", "bored", "ok", "m", 3)]
    leaks = find_leaks(rows, subjects={face.face_id: face.subject_id for face in FACES})
    section = split_section(
        "default", rows, faces=FACES, labels=labels, classes=CLASSES, how={"group": "subject"}, leaks=leaks
    )
    assert row(section, "Sets", "train") == ["1", "1", "1", "bored"]
    assert section.closing == ("Leakage check: no subject appears in more than one set.",)
    assert section.warnings == ()


def test_split_of_unknown_subjects_claims_nothing_of_them() -> None:
    rows = [SplitRow("v/f0-0", "train"), SplitRow("v/f0-1", "test")]
    nameless = [replace(face, subject_id="") for face in FACES]
    section = split_section(
        "default", rows, faces=nameless, labels=LABELS, classes=CLASSES, how={}, leaks=find_leaks(rows), num_identical=0
    )
    assert section.closing == (
        "Leakage check: no identical image appears in more than one set. Subjects are not assigned, so leakage between "
        "subjects cannot be checked.",
    )


@pytest.mark.parametrize(
    ("part", "words"),
    [("train", "so scores are overestimated"), ("val", "used to select the epoch"), ("test", "none used for training")],
)
def test_results_say_what_the_part_was_used_for(part: str, words: str) -> None:
    section = result_section(outcome_of(FOUR, {}, CLASSES, split=part))
    assert words in section.text[0]


def test_split_with_identical_pictures_is_warned_of() -> None:
    section = split_section(
        "official",
        [SplitRow("v/f0-0", "train")],
        faces=FACES,
        labels=LABELS,
        classes=CLASSES,
        how={},
        leaks=find_leaks([]),
        num_identical=280,
    )
    assert section.warnings == ("280 faces of the validation or test set: byte-identical to a face in another set.",)
    assert section.closing == ()


def predictions(*pairs: tuple[str, str]) -> list[Prediction]:
    return [
        Prediction(f"f{n}", f"s{n % 2}", "v", "test", true, said, {c: 0.75 if c == said else 0.25 for c in CLASSES})
        for n, (true, said) in enumerate(pairs)
    ]


FOUR = predictions(("happy", "happy"), ("happy", "bored"), ("happy", "happy"), ("bored", "bored"))


def test_results_give_scores_baseline_and_ceiling_side_by_side() -> None:
    metrics = {"accuracy": {"low": 0.5, "high": 0.9, "unit": "subject"}}
    section = result_section(outcome_of(FOUR, metrics, CLASSES, split="test", ceiling=0.8))
    assert row(section, "Test metrics", "accuracy")[:2] == ["75.0%", "50.0 to 90.0%"]
    assert row(section, "Test metrics", "balanced accuracy")[:2] == ["83.3%", "-"]  # (2/3 + 1) / 2
    assert row(section, "Test metrics", "majority-class baseline")[0] == "75.0%"
    assert row(section, "Test metrics", "human ceiling")[0] == "80.0%"
    assert row(section, "Per-class results", "happy") == ["66.7%", "100.0%", "80.0%", "3"]
    assert row(section, "Per-subject results", "s1") == ["50.0%", "2"]
    assert [(mark.kind, mark.value) for mark in section.marks] == [("baseline", 0.75), ("ceiling", 0.8)]
    assert "happy as bored (1)" in section.pictures[0].caption


def test_the_ceiling_says_whose_faces_it_is_of() -> None:
    own = {"human_ceiling": {"value": 0.8, "low": 0.7, "high": 0.85, "unit": "subject"}}
    of_these = row(
        result_section(outcome_of(FOUR, own, CLASSES, split="test", ceiling=0.8)), "Test metrics", "human ceiling"
    )
    of_all = row(
        result_section(outcome_of(FOUR, {}, CLASSES, split="test", ceiling=0.8)), "Test metrics", "human ceiling"
    )
    assert of_these[1] == "70.0 to 85.0%"
    assert of_these[2].endswith("on these faces")
    assert of_all[1] == "-"
    assert of_all[2].endswith("on all voted faces")


def test_results_without_an_interval_say_why() -> None:
    metrics = {"accuracy": {"low": None, "high": None, "unit": "subject", "reason": "only 2 subjects in this split"}}
    section = result_section(outcome_of(FOUR, metrics, CLASSES, split="test"))
    assert "No confidence interval: only 2 subjects in this split." in section.text


def test_results_name_a_class_that_no_face_has() -> None:
    section = result_section(outcome_of(FOUR[:3], {}, CLASSES, split="test"))
    assert section.warnings == ("No face in this set is labelled bored; the means exclude it.",)


def test_accuracy_without_duplicates_stands_beside_the_other() -> None:
    metrics = {"without_duplicates": {"accuracy": {"value": 0.7, "low": 0.6, "high": 0.8}}}
    section = result_section(outcome_of(FOUR, metrics, CLASSES, split="test"))
    assert row(section, "Test metrics", "accuracy without duplicates")[:2] == ["70.0%", "60.0 to 80.0%"]


def test_prediction_of_a_foreign_class_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="a class that the run does not know"):
        outcome_of(predictions(("happy", "sleepy")), {}, CLASSES, split="test")


def test_model_has_the_parameters_of_its_number_of_classes() -> None:
    spec = MODELS["drf-msam"]
    facts = dict(model_section(spec, "drf-msam", 7, {}).facts)
    assert facts["parameters"] == "97,223"
    assert facts["input"] == "48 x 48 grey"


def test_training_describes_its_last_epoch_in_words() -> None:
    columns = {
        "epoch": [1.0, 2.0],
        "train_loss": [1.0, 0.5],
        "val_loss": [1.1, 0.9],
        "train_accuracy": [0.4, 0.6],
        "val_accuracy": [0.3, 0.5],
    }
    (picture,) = training_section(columns, (), best_epoch=2).pictures
    assert plain(picture.alt).endswith(
        "over 2 epochs: loss and accuracy; at the end train accuracy 60.0%, val accuracy 50.0%."
    )


def test_mistakes_lead_back_to_the_video() -> None:
    section = wrong_section(None, FOUR[1:2], 1, 4)
    assert section.text == ("Misclassified: 1 of 4 faces.",)
    assert section.commands == ("fer trace f1",)
    assert row(section, "List of misclassified faces", "f1") == ["happy", "bored", "75.0%", "s1"]


def test_maps_are_shown_with_what_they_do_not_prove() -> None:
    section = cam_section(b"\x89PNG", ())
    assert "do not prove a cause" in section.closing[0]
    assert cam_section(None, ()).missing[0].command == "fer gradcam"


def test_the_law_is_quoted_with_its_article_and_its_exceptions() -> None:
    text = " ".join(responsible_section().text)
    for part in ("Article 5(1)(f)", "2024/1689", "education institutions", "medical or safety reasons", "Article 2(6)"):
        assert part in text
    assert "not legal advice" in text


def test_sections_draw_the_same_bytes_twice() -> None:
    first, second = (result_section(outcome_of(FOUR, {}, CLASSES, split="test")) for _ in range(2))
    assert [picture.data for picture in first.pictures] == [picture.data for picture in second.pictures]
    assert np.frombuffer(first.pictures[0].data[:8], np.uint8).tolist() == list(b"\x89PNG\r\n\x1a\n")


def test_results_of_a_model_that_was_not_evaluated_name_the_command() -> None:
    section = result_section(None)
    assert (section.key, section.scores, section.tables) == ("results", (), ())
    assert [(part.what, part.command) for part in section.missing] == [
        ("the model has not been evaluated.", "fer eval --confusion")
    ]
