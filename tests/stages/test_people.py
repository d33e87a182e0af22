"""One class filmed twice: subjects that are known only within a video, and every place that says so."""

import json
import shutil
from pathlib import Path

import pytest

from fercli.core import people
from fercli.core.errors import MissingStageError
from fercli.core.people import people_doubt
from fercli.core.project import Project, open_project
from fercli.core.rows import Face, Subject
from fercli.stages.check.leakage import CheckLeakageSettings, check_leakage
from fercli.stages.split import SplitSettings, split
from fercli.stages.subjects import (
    TrackSettings,
    assign_subjects,
    confirm_subjects,
    merge_subjects,
    track_subjects,
    undo_subjects,
)
from tests.cli.run import run_fer
from tests.drawn import must
from tests.twice import NUM_PUPILS, film_project, vote_all

ACCEPTED = SplitSettings(accept_unknown_subjects=True)
DOUBT = "people may be in both the training and the test set"


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The project's folder, and the pupil of each subject; copy it."""
    folder = tmp_path_factory.mktemp("twice")
    project, pupils = film_project(folder)
    vote_all(project, folder)
    return project.root, pupils


@pytest.fixture
def project(tmp_path: Path, filmed: tuple[Path, dict[str, str]]) -> Project:
    return open_project(Path(shutil.copytree(filmed[0], tmp_path / "class")))


def test_one_class_filmed_twice_is_not_split_as_if_it_were_two(
    project: Project, filmed: tuple[Path, dict[str, str]]
) -> None:
    assert (len(filmed[1]), len(set(filmed[1].values()))) == (2 * NUM_PUPILS, NUM_PUPILS)
    with pytest.raises(MissingStageError, match=r"only within one video, and 2 videos .*monday, tuesday") as caught:
        split(project, SplitSettings())
    for way in ("fer subjects match", "fer subjects assign", "confirm --distinct", "--accept-unknown-subjects"):
        assert way in caught.value.hint
    assert project.splits() == []


@pytest.mark.parametrize("group", ["video", "session", "none"])
def test_no_other_group_makes_the_people_known(project: Project, group: str) -> None:
    with pytest.raises(MissingStageError, match="only within one video"):
        split(project, SplitSettings(group=group))  # type: ignore[arg-type]


def test_what_was_accepted_once_is_up_to_date_without_being_accepted_again(project: Project) -> None:
    split(project, ACCEPTED)
    again = split(project, SplitSettings())
    assert again.is_unchanged
    assert DOUBT in again.warnings[0]


def test_tracking_is_done_after_steps_by_hand_and_tells_what_is_there_now(project: Project) -> None:
    def step_of(words: str) -> str:
        steps = must("status", "-p", project.root)["result"]["steps"]
        return next(str(step["state"]) for step in steps if step["words"] == words)

    assert step_of("subjects track") == "done"
    one, other = (subject.subject_id for subject in project.rows(Subject)[:2])
    split(project, ACCEPTED)
    merge_subjects(project, one, [other])
    confirm_subjects(project, [], True)
    assert step_of("subjects track") == "done"
    told = track_subjects(project, TrackSettings())
    assert told.is_unchanged
    assert told.num_subjects == 2 * NUM_PUPILS - 1
    assert any("by hand since they were tracked" in text for text in told.warnings)
    assert any("subjects have changed since it was made" in text for text in told.warnings)
    split(project, SplitSettings())
    assert not any("out of date" in text for text in track_subjects(project, TrackSettings()).warnings)


def test_accepted_split_says_so_in_words_wherever_it_is_looked_at(project: Project) -> None:
    result = split(project, ACCEPTED)
    assert DOUBT in result.warnings[0]
    record = json.loads((project.root / "manifests/splits/default.json").read_text(encoding="utf-8"))
    assert (record["accept_unknown_subjects"], record["unmatched_videos"]) == (True, ["monday", "tuesday"])
    checked = check_leakage(project, CheckLeakageSettings())
    assert DOUBT in checked.warnings[0]
    assert any(DOUBT in sentence for sentence in must("status", "-p", project.root)["warnings"])
    for command in ("split --accept-unknown-subjects --force", "check leakage"):
        _, out, _ = run_fer(*command.split(), "-p", project.root)
        assert "no subject" not in out
        assert "0 subjects, " not in out
        assert "known" in out.replace("\n", " ")


def test_every_score_stands_beside_the_doubt(project: Project) -> None:
    split(project, ACCEPTED)
    small = ("--set", "model.width=4", "--set", "model.hidden=16", "--set", "image_size=24", "--set", "threads=1")
    trained = must("train", "--model", "drf-msam", "--epochs", "1", *small, "--no-tensorboard", "-p", project.root)
    run = trained["result"]["run"]
    # All classes are drawn by turns, so that nothing can be learnt: that is said first.
    assert any("both the training and the validation set" in sentence for sentence in trained["warnings"][:2])
    assert "both the training" in (project.root / "runs" / run / "model_card.md").read_text(encoding="utf-8")
    for command in ("eval", "eval", "runs", "report", "report", "status", "run"):
        assert any(DOUBT in sentence for sentence in must(command, "-p", project.root)["warnings"]), command
    folder = project.root / "runs" / run
    metrics = json.loads((folder / "eval/test/metrics.json").read_text(encoding="utf-8"))
    assert DOUBT in metrics["subjects"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count(DOUBT) >= 2
    assert "no subject" not in page
    confirm_subjects(project, distinct=True)
    for command in ("eval", "status", "runs"):
        assert not any(DOUBT in sentence for sentence in must(command, "-p", project.root)["warnings"]), command


def test_split_of_before_is_still_done_and_says_what_it_does_not_know(project: Project) -> None:
    """As an older version left it, which knew no such setting."""
    confirm_subjects(project, distinct=True)
    split(project, SplitSettings())
    known = project.rows(Subject)
    project.write_rows([Subject(s.subject_id, "tracks", s.num_faces, s.num_tracks, s.videos, s.first_face_id)
                        for s in known], Subject)  # fmt: skip
    answer = must("status", "-p", project.root)
    states = {step["words"]: step["state"] for step in answer["result"]["steps"]}
    assert states["split"] == "done"
    assert any(DOUBT in sentence for sentence in answer["warnings"])
    again = split(project, SplitSettings())
    assert again.is_unchanged
    assert DOUBT in again.warnings[0]


def test_matched_assigned_or_confirmed_people_can_be_split(
    project: Project, filmed: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    table = tmp_path / "pupils.csv"
    lines = [f"{subject},{pupil}" for subject, pupil in filmed[1].items()]
    table.write_text("\n".join(["subject_id,subject", *lines]) + "\n", encoding="utf-8")
    assert assign_subjects(project, table).num_subjects == NUM_PUPILS
    assert DOUBT not in " ".join(split(project, SplitSettings()).warnings)
    undo_subjects(project)
    assert len({face.subject_id for face in project.rows(Face) if face.subject_id}) == 2 * NUM_PUPILS
    with pytest.raises(MissingStageError, match="only within one video"):
        split(project, SplitSettings(seed=1))
    of_pupil: dict[str, list[str]] = {}
    for subject, pupil in sorted(filmed[1].items()):
        of_pupil.setdefault(pupil, []).append(subject)
    pairs = ["=".join(names) for names in of_pupil.values()]
    partly = confirm_subjects(project, pairs[:-1])
    assert "2 subjects are matched to nobody" in partly.warnings[0]
    assert confirm_subjects(project, pairs[-1:]).num_subjects == NUM_PUPILS
    assert not split(project, SplitSettings(seed=2)).unmatched_videos


def test_merging_some_by_hand_leaves_the_rest_unknown(project: Project) -> None:
    merge_subjects(project, "s001", ["s013"])
    with pytest.raises(MissingStageError, match="only within one video"):
        split(project, SplitSettings())


def test_new_video_makes_matched_people_unknown_again(project: Project) -> None:
    confirm_subjects(project, distinct=True)
    faces = [face for face in project.rows(Face) if face.video_id == "monday"]
    subjects = {subject.subject_id: subject for subject in project.rows(Subject)}
    track_subjects(project, TrackSettings(), force=True)
    assert {subject.source for subject in project.rows(Subject)} == {"matched"}
    assert faces
    assert subjects


@pytest.mark.parametrize("is_installed", [True, False])
def test_what_compares_faces_is_installed_first(monkeypatch: pytest.MonkeyPatch, is_installed: bool) -> None:
    monkeypatch.setattr(people, "find_spec", lambda _: object() if is_installed else None)
    said = people_doubt(["monday", "tuesday"])[0]
    assert ("To find out: fer subjects match (" in said) is is_installed
    assert ("To find out: pip install 'fercli[reid]' and then fer subjects match (" in said) is not is_installed


def test_long_list_of_videos_is_cut() -> None:
    (sentence,) = people_doubt([f"v{number}" for number in range(9)])
    assert "(v0, v1, v2, v3 and 5 more)" in sentence
    assert people_doubt([]) == ()
