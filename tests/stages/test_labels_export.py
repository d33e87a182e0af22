import csv
import json
import re
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from fercli.core.errors import InputError, MissingStageError, UsageError
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Label, Vote
from fercli.labels.matching import blind_code
from fercli.stages.labels.export import LabelsExportSettings, labels_export
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.vision.images import read_image, write_png
from tests.stages.labelled_page import make_project
from tests.stages.voted import CLASSES, face, make_faces, write_votes

AUTO = LabelsImportSettings()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_faces(tmp_path / "p", num_subjects=2, num_frames=3)
    for place, row in enumerate(project.rows(Face)):
        write_png(project.root / row.path, np.full((12, 12, 3), 20 * place, dtype=np.uint8))
    return project


def fill_in(path: Path, word: str, annotator: str = "") -> Path:
    """Write one label into every line, as an annotator would."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {"label": word, "annotator": annotator or row["annotator"]})
    return path


def test_csv_goes_out_is_filled_in_and_comes_back(project: Project) -> None:
    result = labels_export(project, LabelsExportSettings())
    folder = project.root / result.folder
    assert (result.num_faces, result.num_items, result.num_sheets) == (6, 6, 1)
    assert {path.stem for path in (folder / "images").iterdir()} == {
        row.face_id.replace("/", "__") for row in project.rows(Face)
    }
    imported = labels_import(project, AUTO, [fill_in(folder / "votes.csv", "bored", "me")])
    assert imported.num_votes == 6
    assert {vote.label for vote in project.rows(Vote)} == {"bored"}


def test_second_call_does_nothing_and_a_filled_sheet_is_never_written_over(project: Project, tmp_path: Path) -> None:
    first = labels_export(project, LabelsExportSettings())
    assert labels_export(project, LabelsExportSettings()).is_unchanged
    sheet = fill_in(project.root / first.folder / "votes.csv", "bored", "me")
    before = sheet.read_bytes()
    labels_import(project, AUTO, [write_votes(tmp_path / "v.csv", {face(0, 0): "hh"})])
    assert labels_export(project, LabelsExportSettings()).is_unchanged
    second = labels_export(project, LabelsExportSettings(), force=True)
    assert second.folder == "exports/labels-csv-2"
    assert sheet.read_bytes() == before


def test_adjudication_goes_round(project: Project, tmp_path: Path) -> None:
    votes = {face(0, 0): "hn", face(0, 1): "hh", face(1, 0): "nb", face(1, 1): "bb"}
    labels_import(project, AUTO, [write_votes(tmp_path / "v.csv", votes)])
    result = labels_export(project, LabelsExportSettings(only="ties"))
    assert result.num_faces == 2
    sheet = project.root / result.folder / "votes.csv"
    assert "happy 1, neutral 1" in sheet.read_text(encoding="utf-8")
    labels_import(project, AUTO, [fill_in(sheet, "neutral")])
    labels = {label.face_id: (label.label, label.status) for label in project.rows(Label)}
    assert labels == {
        face(0, 0): ("neutral", "adjudicated"),
        face(0, 1): ("happy", "ok"),
        face(1, 0): ("neutral", "adjudicated"),
        face(1, 1): ("bored", "ok"),
    }
    with pytest.raises(InputError, match=r"no face is left to export \(ties\)"):
        labels_export(project, LabelsExportSettings(only="ties"))


def test_only_unlabelled_takes_faces_that_lack_votes(project: Project, tmp_path: Path) -> None:
    votes = {face(0, 0): "hn", face(0, 1): "hh", face(1, 0): "n"}
    labels_import(project, AUTO, [write_votes(tmp_path / "v.csv", votes)])
    assert labels_export(project, LabelsExportSettings(only="unlabelled")).num_faces == 4


def test_blind_sheets_repeat_faces_and_what_comes_back_shows_how_alike(project: Project) -> None:
    result = labels_export(project, LabelsExportSettings(repeat=2, blind=0.5))
    folder = project.root / result.folder
    assert (result.num_items, result.num_sheets) == (9, 2)
    assert "lesson" not in (folder / "votes-1.csv").read_text(encoding="utf-8")
    imported = labels_import(project, AUTO, [fill_in(folder / f"votes-{n}.csv", "happy", f"p{n}") for n in (1, 2)])
    assert imported.self_agreement == {"a1": 1.0, "a2": 1.0}
    assert (imported.num_votes, imported.classes["happy"]) == (12, 6)


def test_label_studio_gets_tasks_config_and_pictures(project: Project) -> None:
    result = labels_export(project, LabelsExportSettings(to="label-studio", repeat=2))
    folder = project.root / result.folder
    tasks = json.loads((folder / "tasks-2.json").read_text(encoding="utf-8"))
    assert face(0, 0) in {task["data"]["face_id"] for task in tasks}
    images = {task["data"]["image"] for task in tasks}
    assert "/data/local-files/?d=labels-label-studio/images/lesson-1__f000000-0.png" in images
    assert "bored" in (folder / "labelling-config.xml").read_text(encoding="utf-8")
    assert "tasks-1.json to tasks-2.json" in (folder / "README.txt").read_text(encoding="utf-8")


def test_cvat_gets_labels_and_pictures_and_votes_come_back_by_job(project: Project, tmp_path: Path) -> None:
    labels_import(project, AUTO, [write_votes(tmp_path / "v.csv", {face(0, 0): "hn", face(0, 1): "bb"})])
    before = [(vote.face_id, vote.annotator, vote.label) for vote in project.rows(Vote)]
    result = labels_export(project, LabelsExportSettings(to="cvat", with_votes=True))
    folder = project.root / result.folder
    with zipfile.ZipFile(folder / "images.zip") as archive:
        assert len(archive.namelist()) == 6
    files = sorted(folder.glob("annotations-*.xml"))
    assert [path.name for path in files] == ["annotations-a1.xml", "annotations-a2.xml"]
    again = labels_import(project, AUTO, files)
    assert (again.num_new, again.num_changed) == (0, 0)
    assert [(vote.face_id, vote.annotator, vote.label) for vote in project.rows(Vote)] == before


def test_votes_go_out_and_come_back_unchanged(project: Project, tmp_path: Path) -> None:
    labels_import(project, AUTO, [write_votes(tmp_path / "v.csv", {face(0, 0): "hn", face(0, 1): "bb"})])
    result = labels_export(project, LabelsExportSettings(with_votes=True, name="with votes"))
    assert result.folder == "exports/with-votes"
    again = labels_import(project, AUTO, [project.root / result.folder / "votes.csv"])
    assert (again.num_votes, again.num_new, again.num_changed) == (4, 0, 0)


@pytest.mark.parametrize(("tool", "files"), [("csv", "votes.csv"), ("label-studio", "tasks.json"), ("cvat", "*.xml")])
def test_votes_come_into_a_new_project_as_they_were(
    tool: Literal["csv", "label-studio", "cvat"], files: str, project: Project, tmp_path: Path
) -> None:
    # The annotator met first is not the first one: her number must not go to somebody else.
    labels_import(project, AUTO, [write_votes(tmp_path / "v.csv", {face(0, 1): "hnb", face(0, 0): "--b"})])
    result = labels_export(project, LabelsExportSettings(to=tool, with_votes=True))
    twin = make_faces(tmp_path / "twin", num_subjects=2, num_frames=3)
    labels_import(twin, AUTO, sorted((project.root / result.folder).glob(files)))
    assert votes_of(twin) == votes_of(project)


def votes_of(project: Project) -> set[tuple[str, str, str]]:
    return {(vote.face_id, vote.annotator, vote.label) for vote in project.rows(Vote)}


def test_faces_of_a_pack_go_out_as_pictures(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", name="p", classes=CLASSES)
    images = np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8)
    (project.root / "faces").mkdir(exist_ok=True)
    np.save(project.root / "faces" / "set.npy", images)
    rows = [
        Face(f"set/{row:06d}", "", "", path=f"faces/set.npy#{row}", status="given", source_row=row) for row in range(2)
    ]
    project.write_rows(rows, Face)
    result = labels_export(project, LabelsExportSettings())
    image = read_image(project.root / result.folder / "images" / "set__000001.png")
    np.testing.assert_array_equal(image[:, :, 0], images[1])


def test_dry_run_writes_nothing_and_export_before_faces_is_refused(project: Project, tmp_path: Path) -> None:
    assert labels_export(project, LabelsExportSettings(), dry_run=True).plan == ("write 1 sheet of 6 images for csv",)
    assert not list((project.root / "exports").glob("*"))
    with pytest.raises(MissingStageError):
        labels_export(create_project(tmp_path / "q", name="q", classes=CLASSES), LabelsExportSettings())


def test_face_without_its_crop_is_left_out_and_told(project: Project) -> None:
    first, second, *_ = project.rows(Face)
    (project.root / first.path).unlink()
    result = labels_export(project, LabelsExportSettings())
    assert [failure.item for failure in result.failures] == [first.face_id]
    assert (result.num_faces, result.num_items) == (5, 5)
    with (project.root / result.folder / "votes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert not any(first.face_id in row.values() for row in rows)
    assert any(second.face_id in row.values() for row in rows)


def test_export_without_any_crop_is_refused(project: Project) -> None:
    for row in project.rows(Face):
        (project.root / row.path).unlink()
    with pytest.raises(InputError, match="no crop can be read"):
        labels_export(project, LabelsExportSettings())
    assert not list((project.root / "exports").glob("*"))


def test_alikeness_counts_the_faces_of_all_files_of_an_import(project: Project) -> None:
    result = labels_export(project, LabelsExportSettings(repeat=2, blind=0.5))
    folder = project.root / result.folder
    sheets = [fill_in(folder / "votes-1.csv", "happy", "p"), fill_in(folder / "votes-2.csv", "bored", "p")]
    imported = labels_import(project, AUTO, sheets)
    assert imported.self_agreement == {"a1": 1.0}


def test_html_has_every_face_in_an_order_of_each_sheet(tmp_path: Path) -> None:
    project = make_project(tmp_path / "mine")
    result = labels_export(project, LabelsExportSettings(to="html", repeat=2, blind=0.25, part_size=10))
    folder = project.root / result.folder
    assert (result.num_faces, result.num_items, result.num_sheets) == (12, 15, 2)
    names = ["README.txt", *(f"annotate-{sheet}-part-{part}.html" for sheet in (1, 2) for part in (1, 2))]
    assert sorted(path.name for path in folder.iterdir()) == names
    codes = [re.findall(r'"code":"(x\w{12})"', (folder / name).read_text(encoding="utf-8")) for name in names[1:]]
    assert [len(one) for one in codes] == [10, 5, 10, 5]
    assert codes[0] + codes[1] != codes[2] + codes[3]
    expected = {blind_code(face.face_id, 1) for face in project.rows(Face)}
    assert len(set(codes[0] + codes[1])) == 15
    assert expected <= set(codes[0] + codes[1])


def test_html_refuses_to_show_earlier_votes(tmp_path: Path) -> None:
    project = make_project(tmp_path / "mine")
    with pytest.raises(UsageError, match="does not go with --to html"):
        labels_export(project, LabelsExportSettings(to="html", with_votes=True))


def test_html_leaves_out_a_crop_that_cannot_be_read_and_says_so(tmp_path: Path) -> None:
    project = make_project(tmp_path / "mine")
    (project.root / project.rows(Face)[0].path).unlink()
    result = labels_export(project, LabelsExportSettings(to="html"))
    assert (result.num_faces, result.num_items) == (11, 11)
    assert [failure.item for failure in result.failures] == [project.rows(Face)[0].face_id]
