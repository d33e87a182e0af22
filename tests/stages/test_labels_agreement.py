from dataclasses import replace
from pathlib import Path

import pytest

from fercli.core.errors import MissingStageError, UsageError
from fercli.core.project import Project, open_project
from fercli.core.rows import Face, Vote
from fercli.labels.ordinal import measure_ordinal
from fercli.metrics.intervals import units_of
from fercli.stages.labels.agreement import LabelsAgreementSettings, labels_agreement
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.report import ReportSettings
from fercli.stages.report.project import project_facts
from fercli.vision.images import read_image
from tests.stages.voted import all_votes, face, make_faces, write_votes


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_faces(tmp_path / "p", num_subjects=6)
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "votes.csv", all_votes(6))])
    return project


def test_all_coefficients_have_an_interval_over_subjects(project: Project) -> None:
    result = labels_agreement(project, LabelsAgreementSettings())
    assert result.coefficients.keys() == {"fleiss", "krippendorff", "cohen", "percent"}
    for name in ("fleiss", "krippendorff", "percent"):
        entry = result.coefficients[name]
        assert entry["low"] <= entry["value"] <= entry["high"]
        assert (entry["unit"], entry["num_units"]) == ("subject", 6)
    assert (result.num_faces, result.num_votes) == (36, 108)


def test_percent_is_that_counted_by_hand(tmp_path: Path) -> None:
    project = make_faces(tmp_path / "p")
    votes = {face(0, 0): "hhn", face(0, 1): "hh", face(0, 2): "nb", face(0, 3): "b"}
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "v.csv", votes)])
    result = labels_agreement(project, LabelsAgreementSettings())
    assert result.coefficients["percent"]["value"] == pytest.approx(2 / 5)
    assert "at least 5 subjects, and there are 3" in result.coefficients["percent"]["why_no_interval"]
    assert any("unequal numbers of votes" in warning for warning in result.warnings)


def test_pairs_and_annotators_are_told_apart(project: Project) -> None:
    result = labels_agreement(project, LabelsAgreementSettings(by="annotator"))
    assert set(result.by_annotator) == {"a1", "a2", "a3"}
    first = next(pair for pair in result.pairs if (pair["first"], pair["second"]) == ("a1", "a2"))
    assert (first["num_common"], first["percent"], first["kappa"]) == (36, 1.0, 1.0)


def test_coefficient_below_the_bound_is_a_failed_check(project: Project) -> None:
    result = labels_agreement(project, LabelsAgreementSettings(metric="krippendorff", minimum=0.99))
    assert len(result.failed_checks) == 1
    assert result.failed_checks[0].startswith("krippendorff is 0.")
    assert not labels_agreement(project, LabelsAgreementSettings(minimum=-1.0)).failed_checks


def test_anonymous_counts_cannot_be_told_apart(project: Project) -> None:
    project.write_rows([Vote(face(0, 0), f"ballot0{place}", "happy", "") for place in range(3)], Vote)
    result = labels_agreement(project, LabelsAgreementSettings(by="annotator"))
    assert result.is_anonymous
    assert "The votes are anonymous counts: annotators cannot be told apart." in result.warnings


def test_unit_is_the_subject_else_the_video_else_the_face() -> None:
    known, unknown = Face("v/a", "", "v", subject_id="s"), Face("v/b", "", "v")
    alone = Face("c", "", "")
    assert units_of([known]) == ("subject", {"v/a": "s"})
    assert units_of([known, unknown]) == ("video", {"v/a": "v", "v/b": "v"})
    assert units_of([known, alone]) == ("face", {"v/a": "v/a", "c": "c"})


def test_agreement_before_import_names_the_stage_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingStageError):
        labels_agreement(make_faces(tmp_path / "p"), LabelsAgreementSettings())


def test_plot_draws_pairs_and_classes(project: Project) -> None:
    result = labels_agreement(project, LabelsAgreementSettings(plot=True))
    assert result.outputs == ("reports/agreement-by-class.png", "reports/agreement.png")
    assert all(read_image(project.root / path).std() > 0 for path in result.outputs)


@pytest.mark.parametrize("unit", ["subject", "video", "face"])
def test_report_and_command_agree_on_unit_and_interval(project: Project, unit: str) -> None:
    lacks = {"video": {"subject_id": ""}, "face": {"subject_id": "", "video_id": ""}}.get(unit, {})
    faces = [replace(row, **lacks) for row in project.rows(Face)]
    # A face that nobody has judged has no say in what is resampled, nor has one that is dropped and was judged.
    nobody = replace(faces[0], face_id="lesson-2/f000000-0", subject_id="", video_id="")
    faces[0] = replace(faces[0], status="dropped")
    project.write_rows([*faces, nobody], Face)
    facts = project_facts(project, None, ReportSettings(seed=3))
    result = labels_agreement(project, LabelsAgreementSettings(seed=3))
    assert facts.agreement is not None
    assert facts.annotators is not None
    assert result.unit == unit
    for name, found in (
        ("fleiss", facts.agreement.fleiss),
        ("krippendorff", facts.agreement.krippendorff),
        ("percent", facts.agreement.percent),
    ):
        entry = result.coefficients[name]
        assert (entry.get("unit"), entry.get("low"), entry.get("high")) == (found.unit or None, found.low, found.high)
        assert found.unit == unit
    assert (result.ceiling.get("low"), result.ceiling.get("high")) == (
        facts.annotators.ceiling.low,
        facts.annotators.ceiling.high,
    )


def with_order(project: Project, *order: str) -> Project:
    path = project.root / "fer.toml"
    text = path.read_text(encoding="utf-8").replace("[project]\n", f"[project]\norder = {list(order)}\n", 1)
    path.write_text(text, encoding="utf-8")
    return open_project(project.root)


def test_classes_with_an_order_add_the_coefficients_of_an_order(project: Project) -> None:
    ordered = with_order(project, *project.classes)
    result = labels_agreement(ordered, LabelsAgreementSettings())
    added = ("kappa_linear", "kappa_quadratic", "alpha_ordinal", "alpha_interval", "icc1", "icc2", "icc3")
    assert [*result.coefficients] == ["fleiss", "krippendorff", "cohen", "percent", *added]
    alone = labels_agreement(ordered, LabelsAgreementSettings(metric="ordinal"))
    assert [*alone.coefficients] == [*added]
    assert result.order == project.classes
    votes = project.rows(Vote)
    expected = measure_ordinal(votes, project.classes, project.classes)
    assert result.coefficients["alpha_ordinal"]["value"] == expected.alphas["ordinal"].value
    assert result.coefficients["alpha_ordinal"]["unit"] == "subject"
    assert result.coefficients["icc2"] == {"value": expected.icc2, "num_complete": expected.num_complete}


def test_votes_without_a_place_in_the_order_are_counted(project: Project) -> None:
    result = labels_agreement(with_order(project, *project.classes[:2]), LabelsAgreementSettings(metric="ordinal"))
    votes = project.rows(Vote)
    number = sum(vote.label not in project.classes[:2] for vote in votes)
    assert number > 0
    assert any(words.startswith(f"{number} votes are for a class without a place") for words in result.warnings)


def test_ordinal_agreement_without_an_order_says_where_to_set_it(project: Project) -> None:
    with pytest.raises(UsageError, match="have no order") as error:
        labels_agreement(project, LabelsAgreementSettings(metric="ordinal"))
    assert "fer.toml" in (error.value.hint or "")


def test_one_annotator_cannot_disagree_in_an_order(tmp_path: Path) -> None:
    project = make_faces(tmp_path / "p", num_subjects=6)
    alone = {face_id: letters[0] for face_id, letters in all_votes(6).items()}
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "votes.csv", alone)])
    result = labels_agreement(with_order(project, *project.classes), LabelsAgreementSettings(metric="ordinal"))
    assert {entry["value"] for entry in result.coefficients.values()} == {None}
    assert result.warnings == (
        "No face has two votes, so nobody can agree or disagree.",
        "No face has two votes in the order, so the coefficients of ordered classes have no value.",
    )
