"""One person is one annotator in every form of file, and an import can be taken back."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from fercli.core.errors import InputError, UsageError
from fercli.core.project import Project
from fercli.core.rows import Label, Vote
from fercli.stages.labels.annotators import merge_annotators, remove_import, rename_annotator
from fercli.stages.labels.archive import read_key
from fercli.stages.labels.importing import LabelsImportResult, LabelsImportSettings, labels_import
from fercli.stages.labels.show import labels_show
from tests.stages.voted import face, make_faces

AUTO = LabelsImportSettings()
PEOPLE = {1: "Anna@School.org", 2: "ben@school.org"}
WORDS = {1: ["happy", "bored", "happy"], 2: ["bored", "bored", "neutral"]}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_faces(tmp_path / "p")


def image(place: int) -> str:
    return f"/data/upload/1/0123abcd-lesson-1__f00000{place}-0.png"


def studio_json(path: Path, *, who: str = "object", first: int = 10, day: int = 1) -> Path:
    """An export of one project of Label Studio: two people, three faces."""
    tasks = []
    for place in range(3):
        annotations = []
        for person, email in PEOPLE.items():
            by = {"object": {"id": person, "email": email}, "number": person}[who]
            choice = {"type": "choices", "from_name": "emotion", "value": {"choices": [WORDS[person][place]]}}
            stamp = f"2024-01-0{day}T00:00:0{person}Z"
            annotations.append(
                {"id": first + 40 * person + place, "completed_by": by, "created_at": stamp, "updated_at": stamp,
                 "result": [choice]}
            )  # fmt: skip
        tasks.append({"id": place, "data": {"image": image(place)}, "annotations": annotations})
    path.write_text(json.dumps(tasks), encoding="utf-8")
    return path


def studio_csv(path: Path) -> Path:
    """The same project as CSV, which writes addresses."""
    lines = ["annotation_id,annotator,created_at,emotion,id,image,lead_time,updated_at"]
    for place in range(3):
        for person, email in PEOPLE.items():
            stamp = f"2024-01-01T00:00:0{person}Z"
            number = 10 + 40 * person + place
            lines.append(f"{number},{email},{stamp},{WORDS[person][place]},{place},{image(place)},1.2,{stamp}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def studio_min(path: Path) -> Path:
    """The same project as JSON_MIN, which writes numbers."""
    entries = [
        {"image": image(place), "id": place, "emotion": WORDS[person][place], "annotator": person,
         "annotation_id": 10 + 40 * person + place, "created_at": f"2024-01-01T00:00:0{person}Z"}
        for place in range(3) for person in PEOPLE
    ]  # fmt: skip
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def votes_of(project: Project) -> list[tuple[str, str, str]]:
    return [(vote.face_id, vote.annotator, vote.label) for vote in project.rows(Vote)]


def everything_but_imports(project: Project) -> str:
    files = [path for path in project.root.rglob("*") if path.is_file() and "labels/imports" not in path.as_posix()]
    return "".join(path.name + path.read_bytes().decode("utf-8", "replace") for path in files)


FORMS = {
    "JSON with addresses": lambda folder: studio_json(folder / "a.json"),
    "JSON with numbers": lambda folder: studio_json(folder / "b.json", who="number"),
    "JSON_MIN": lambda folder: studio_min(folder / "c.json"),
    "CSV": lambda folder: studio_csv(folder / "d.csv"),
}


@pytest.mark.parametrize("second", FORMS)
@pytest.mark.parametrize("first", FORMS)
def test_same_people_in_two_exports_of_one_project_are_counted_once(
    project: Project, tmp_path: Path, first: str, second: str
) -> None:
    labels_import(project, AUTO, [FORMS[first](tmp_path)])
    once = votes_of(project)
    result = labels_import(project, AUTO, [FORMS[second](tmp_path)])
    assert votes_of(project) == once
    assert len(once) == 6
    assert result.num_new == result.num_changed == 0


def test_two_exports_in_one_call_are_counted_once(project: Project, tmp_path: Path) -> None:
    labels_import(project, AUTO, [studio_csv(tmp_path / "d.csv"), studio_json(tmp_path / "b.json", who="number")])
    assert len(votes_of(project)) == 6


def test_number_of_another_label_studio_is_somebody_else(project: Project, tmp_path: Path) -> None:
    labels_import(project, AUTO, [studio_json(tmp_path / "anna.json", who="number")])
    result = labels_import(project, AUTO, [studio_json(tmp_path / "carl.json", who="number", day=2)])
    assert {annotator for _, annotator, _ in votes_of(project)} == {"a1", "a2", "a3", "a4"}
    assert any("another Label Studio" in warning for warning in result.warnings)


def test_number_without_more_to_go_by_is_taken_for_the_same_and_said(project: Project, tmp_path: Path) -> None:
    labels_import(project, AUTO, [studio_json(tmp_path / "one.json", who="number")])
    result = labels_import(project, AUTO, [studio_json(tmp_path / "two.json", who="number", first=1000, day=2)])
    assert {annotator for _, annotator, _ in votes_of(project)} == {"a1", "a2"}
    assert any("a1 is known by a number alone" in warning for warning in result.warnings)


def test_two_pseudonyms_that_an_export_shows_to_be_one_person_become_one(project: Project, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(f"face_id,annotator,label\n{face(5, 0)},anna@school.org,happy\n", encoding="utf-8")
    labels_import(project, AUTO, [studio_json(tmp_path / "b.json", who="number")])
    labels_import(project, AUTO, [sheet])
    assert {annotator for _, annotator, _ in votes_of(project)} == {"a1", "a2", "a3"}
    result = labels_import(project, AUTO, [studio_csv(tmp_path / "d.csv")])
    assert {annotator for _, annotator, _ in votes_of(project)} == {"a1", "a2"}
    assert (face(5, 0), "a1", "happy") in votes_of(project)
    assert any("a3 is a1" in warning for warning in result.warnings)


def test_spellings_of_one_name_are_one_annotator(project: Project, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    text = f"face_id,annotator,label\n{face(0, 0)},Zoë,happy\n{face(1, 0)},zoë ,bored\n{face(2, 0)},Zoe\u0308,bored\n"
    sheet.write_text(text, encoding="utf-8")
    result = labels_import(project, AUTO, [sheet])
    assert {annotator for _, annotator, _ in votes_of(project)} == {"a1"}
    assert any("2 names differ from others in case or blanks only" in warning for warning in result.warnings)


def test_names_that_look_alike_are_told_not_joined(project: Project, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(f"face_id,annotator,label\n{face(0, 0)},anna,happy\n", encoding="utf-8")
    labels_import(project, AUTO, [sheet])
    result = labels_import(project, AUTO, [studio_csv(tmp_path / "d.csv")])
    assert any("fer labels annotators merge a1 a2" in warning for warning in result.warnings)
    assert {annotator for _, annotator, _ in votes_of(project)} == {"a1", "a2", "a3"}


def test_annotators_names_stand_in_labels_imports_only(project: Project, tmp_path: Path) -> None:
    sheet = tmp_path / "quirin.csv"
    sheet.write_text(f"face_id,label\n{face(0, 0)},happy\nnowhere,happy\n", encoding="utf-8")
    wide = tmp_path / "Zenobia.csv"
    wide.write_text(f"face_id,Zenobia,QUIRIN\n{face(1, 0)},happy,bored\n{face(1, 0)},happy,\n", encoding="utf-8")
    labels_import(project, AUTO, [sheet, wide])
    labels_import(project, LabelsImportSettings(annotator="Zenobia"), [sheet], force=True)
    assert set(read_key(project)) == {"quirin", "Zenobia"}
    text = everything_but_imports(project).casefold()
    assert "quirin" not in text
    assert "zenobia" not in text
    assert {vote.source for vote in project.rows(Vote)} == {"import-1", "import-2", "import-3"}
    assert not [path for path in (project.root / "labels/imports").iterdir() if "quirin" in path.name.casefold()]


def unnamed(folder: Path, place: int) -> Path:
    path = folder / str(place) / "annotations.xml"
    path.parent.mkdir()
    tag = f'<tag label="{("happy", "bored")[place]}" source="manual"/>'
    path.write_text(f'<annotations><image name="lesson-1__f000000-0.png">{tag}</image></annotations>', encoding="utf-8")
    return path


def test_second_file_whose_name_alone_stands_for_the_annotator_is_refused(project: Project, tmp_path: Path) -> None:
    first, second = unnamed(tmp_path, 0), unnamed(tmp_path, 1)
    said = labels_import(project, AUTO, [first]).warnings
    assert any("names no annotator" in warning for warning in said)
    with pytest.raises(InputError, match=r"an earlier file of this name \(import-1\) named none either"):
        labels_import(project, AUTO, [second])
    labels_import(project, LabelsImportSettings(annotator="ben"), [second])
    assert len(votes_of(project)) == 2


def test_several_answers_of_nobody_knows_whom_are_a_conflict(project: Project, tmp_path: Path) -> None:
    sheet = tmp_path / "crowd.csv"
    rows = [(0, "happy"), (0, "bored"), (1, "happy"), (1, "happy"), (2, "bored")]
    text = "".join(f"{face(place, 0)},{word}\n" for place, word in rows)
    sheet.write_text("face_id,label\n" + text, encoding="utf-8")
    result = labels_import(project, AUTO, [sheet])
    assert result.num_conflicts == 1
    assert votes_of(project) == [(face(1, 0), "a1", "happy"), (face(2, 0), "a1", "bored")]


def sheet_of(folder: Path, name: str, votes: Sequence[tuple[str, str, str]]) -> Path:
    path = folder / f"{name}.csv"
    lines = [f"{face_id},{who},{word}" for face_id, who, word in votes]
    path.write_text("\n".join(["face_id,annotator,label", *lines]) + "\n", encoding="utf-8")
    return path


def imported(project: Project, *files: Path) -> LabelsImportResult:
    results = [labels_import(project, AUTO, [path]) for path in files]
    return results[-1]


def test_two_names_of_one_person_are_merged_and_stay_so(project: Project, tmp_path: Path) -> None:
    first = sheet_of(tmp_path, "1", [(face(0, 0), "anna", "happy"), (face(1, 0), "anna", "bored")])
    second = sheet_of(tmp_path, "2", [(face(0, 0), "a.smith", "bored"), (face(0, 0), "ben", "bored")])
    imported(project, first, second)
    result = merge_annotators(project, "a1", ["a2"])
    assert votes_of(project) == [
        (face(0, 0), "a1", "bored"), (face(0, 0), "a3", "bored"), (face(1, 0), "a1", "bored"),
    ]  # fmt: skip
    assert result.num_overwritten == 1
    assert "On 1 face the votes differed" in result.warnings[0]
    imported(project, sheet_of(tmp_path, "3", [(face(2, 0), "a.smith", "happy"), (face(2, 0), "carl", "happy")]))
    assert (face(2, 0), "a1", "happy") in votes_of(project)
    assert (face(2, 0), "a4", "happy") in votes_of(project)


def test_merging_needs_two_annotators_that_exist(project: Project, tmp_path: Path) -> None:
    imported(project, sheet_of(tmp_path, "1", [(face(0, 0), "anna", "happy")]))
    with pytest.raises(InputError, match="annotator 'a7' not found"):
        merge_annotators(project, "a1", ["a7"])
    with pytest.raises(UsageError, match="merged with itself"):
        merge_annotators(project, "a1", ["a1"])


def test_change_of_annotators_that_is_made_again_is_done_already(project: Project, tmp_path: Path) -> None:
    imported(project, sheet_of(tmp_path, "1", [(face(0, 0), name, "happy") for name in ("anna", "ben", "carla")]))
    merge_annotators(project, "a1", ["a2"])
    rename_annotator(project, "a3", "expert")
    before = everything_but_imports(project)
    for again in (merge_annotators(project, "a1", ["a2"]), rename_annotator(project, "a3", "expert")):
        assert (again.is_unchanged, again.done_before, again.num_votes) == (True, "that was done before", 2)
    assert everything_but_imports(project) == before
    with pytest.raises(InputError, match="annotator 'a2' not found") as caught:
        rename_annotator(project, "a2", "boss")
    assert caught.value.hint == "Here 'a2' is a1."


def test_merging_somebody_without_votes_says_so(project: Project, tmp_path: Path) -> None:
    imported(project, sheet_of(tmp_path, "1", [(face(0, 0), "anna", "happy")]))
    imported(project, sheet_of(tmp_path, "2", [(face(0, 0), "ben", "happy")]))
    remove_import(project, "2")
    result = merge_annotators(project, "a1", ["a2"])
    assert any("a2 has no votes here" in warning for warning in result.warnings)
    imported(project, sheet_of(tmp_path, "3", [(face(1, 0), "ben", "happy")]))
    assert (face(1, 0), "a1", "happy") in votes_of(project)


def test_annotator_gets_another_pseudonym_but_no_name(project: Project, tmp_path: Path) -> None:
    imported(project, sheet_of(tmp_path, "1", [(face(0, 0), "Anna@x.org", "happy"), (face(0, 0), "ben", "happy")]))
    for taken, why in (
        ("anna", "is the name of an annotator"),
        ("a2", "exists or existed"),
        ("A b", "not a pseudonym"),
    ):
        with pytest.raises(InputError, match=why):
            rename_annotator(project, "a1", taken)
    rename_annotator(project, "a1", "expert")
    assert votes_of(project) == [(face(0, 0), "a2", "happy"), (face(0, 0), "expert", "happy")]
    imported(project, sheet_of(tmp_path, "2", [(face(1, 0), "anna@x.org", "bored"), (face(1, 0), "expert", "bored")]))
    assert (face(1, 0), "expert", "bored") in votes_of(project)


def test_import_that_is_taken_back_is_as_if_it_had_never_been(project: Project, tmp_path: Path) -> None:
    first = sheet_of(tmp_path, "1", [(face(0, 0), "anna", "happy"), (face(0, 0), "ben", "happy")])
    second = sheet_of(
        tmp_path, "2", [(face(0, 0), "anna", "bored"), (face(1, 0), "anna", "bored"), (face(1, 0), "carla", "bored")]
    )
    third = sheet_of(tmp_path, "3", [(face(2, 0), "ben", "neutral"), (face(0, 0), "ben", "happy")])
    imported(project, first, third)
    tables = [project.table_path(kind) for kind in (Vote, Label)]
    before = [path.read_text(encoding="utf-8") for path in tables]
    imported(project, second)
    assert remove_import(project, "import-3", dry_run=True).plan == ("take import-3 back: 3 votes",)
    result = remove_import(project, "import-3")
    assert (result.num_removed, result.num_restored) == (3, 1)
    assert [path.read_text(encoding="utf-8") for path in tables] == before
    assert "carla" not in (project.root / "labels/imports/annotators.json").read_text(encoding="utf-8")
    assert not (project.root / "labels/imports/import-3.csv").exists()
    again = remove_import(project, "3")
    assert again.is_unchanged
    assert again.done_before.startswith("import-3 was taken back before, on 2")
    with pytest.raises(InputError, match="import-9 does not exist"):
        remove_import(project, "9")
    # The same file can come in again, under a number of its own.
    imported(project, second)
    assert {vote.source for vote in project.rows(Vote)} == {"import-2", "import-4"}
    assert labels_show(project).num_imports == 3


@pytest.mark.parametrize("spelling", ["carla", "Carla "])
def test_who_returns_after_an_import_was_taken_back_is_the_same_and_nobody_else_is(
    project: Project, tmp_path: Path, spelling: str
) -> None:
    file = sheet_of(tmp_path, "1", [(face(0, 0), "anna", "happy"), (face(0, 0), "carla", "bored")])
    imported(project, file)
    remove_import(project, "1")
    assert "carla" not in (project.root / "labels/imports/annotators.json").read_text(encoding="utf-8")
    imported(project, sheet_of(tmp_path, "2", [(face(1, 0), "dora", "happy"), (face(1, 0), spelling, "happy")]))
    assert votes_of(project) == [(face(1, 0), "a2", "happy"), (face(1, 0), "a3", "happy")]
    imported(project, file)
    assert votes_of(project)[:2] == [(face(0, 0), "a1", "happy"), (face(0, 0), "a2", "bored")]


def test_taking_the_same_import_back_twice_leaves_everybody_the_same(project: Project, tmp_path: Path) -> None:
    file = sheet_of(tmp_path, "1", [(face(0, 0), "anna", "happy"), (face(0, 0), "ben", "bored")])
    for number in ("1", "2"):
        imported(project, file)
        assert votes_of(project) == [(face(0, 0), "a1", "happy"), (face(0, 0), "a2", "bored")]
        remove_import(project, number)
    key = read_key(project)
    assert sorted(key.values()) == ["a1", "a2"]
    assert not {"anna", "ben"} & set(key)


def test_label_of_a_data_set_is_back_when_the_votes_on_its_face_are_gone(project: Project, tmp_path: Path) -> None:
    given = [Label(face(place, 0), "neutral", "given", "folder", 0) for place in range(2)]
    project.write_rows(given, Label)
    before = project.table_path(Label).read_text(encoding="utf-8")
    imported(project, sheet_of(tmp_path, "1", [(face(0, 0), "anna", "happy"), (face(0, 0), "ben", "happy")]))
    assert project.rows(Label)[0].label == "happy"
    remove_import(project, "1")
    assert project.table_path(Label).read_text(encoding="utf-8") == before


def test_folder_that_was_sorted_into_is_replayed_from_its_list(project: Project, tmp_path: Path) -> None:
    for name, word in (("lesson-1__f000000-0", "happy"), ("lesson-1__f000001-0", "bored")):
        place = tmp_path / "sorted" / "anna" / word / f"{name}.png"
        place.parent.mkdir(parents=True)
        place.write_bytes(b"x")
    labels_import(project, AUTO, [tmp_path / "sorted"])
    before = votes_of(project)
    imported(project, sheet_of(tmp_path, "2", [(face(0, 0), "anna", "bored")]))
    assert votes_of(project) != before
    remove_import(project, "2")
    assert votes_of(project) == before


def test_votes_of_an_older_project_name_their_import_by_number(project: Project, tmp_path: Path) -> None:
    imported(project, sheet_of(tmp_path, "1", [(face(0, 0), "anna", "happy")]))
    archive = project.root / "labels/imports/imports.json"
    old = "labels/imports/0123abcd-anna.csv"
    (entry,) = json.loads(archive.read_text(encoding="utf-8"))
    kept = {
        name: value for name, value in entry.items() if name not in ("settings", "guessed", "renamed", "removed_at")
    }
    archive.write_text(json.dumps([kept | {"kept": old}]), encoding="utf-8")
    (project.root / "labels/imports/import-1.csv").rename(project.root / old)
    project.write_rows([Vote(face(0, 0), "a1", "happy", "happy", source=old)], Vote)
    imported(project, sheet_of(tmp_path, "2", [(face(0, 0), "ben", "happy")]))
    assert {vote.source for vote in project.rows(Vote)} == {"import-1", "import-2"}
    remove_import(project, "1")
    assert votes_of(project) == [(face(0, 0), "a2", "happy")]
