from pathlib import Path

import pytest

from fercli.core.emotions import PRESETS
from fercli.core.errors import ProjectError, UsageError
from fercli.core.project import open_project
from fercli.stages.init import InitSettings, init
from tests.drawn import must


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_gives_the_published_classes_in_their_order(preset: str, tmp_path: Path) -> None:
    init(tmp_path / "p", InitSettings(preset=preset))  # type: ignore[arg-type]  # the registry's words
    assert open_project(tmp_path / "p").classes == PRESETS[preset]


def test_second_call_changes_nothing(tmp_path: Path) -> None:
    settings = InitSettings(classes=("happy", "bored"))
    init(tmp_path / "p", settings)
    before = (tmp_path / "p" / "fer.toml").read_bytes()
    assert init(tmp_path / "p", settings).is_unchanged
    assert (tmp_path / "p" / "fer.toml").read_bytes() == before


def test_other_classes_in_a_project_are_refused_and_leave_it_alone(tmp_path: Path) -> None:
    init(tmp_path / "p", InitSettings(classes=("happy", "bored")))
    with pytest.raises(ProjectError, match="is already a project, with classes happy, bored"):
        init(tmp_path / "p", InitSettings(classes=("happy", "tired")))
    assert open_project(tmp_path / "p").classes == ("happy", "bored")


@pytest.mark.parametrize(
    "settings",
    [InitSettings(), InitSettings(classes=("a", "b"), preset="scfed")],
    ids=["neither", "both"],
)
def test_classes_come_from_one_place(settings: InitSettings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="either --classes or --preset"):
        init(tmp_path / "p", settings)
    assert not (tmp_path / "p").exists()


def test_one_class_is_no_task(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least two different words"):
        init(tmp_path / "p", InitSettings(classes=("happy",)))


def test_classes_that_only_capitals_tell_apart_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'happy' and 'Happy' are equal but for capitals"):
        init(tmp_path / "p", InitSettings(classes=("bored", "happy", "Happy")))


def test_a_class_named_twice_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'happy' is named twice"):
        init(tmp_path / "p", InitSettings(classes=("bored", "happy", "happy")))


def test_a_class_in_quotation_marks_may_hold_a_comma(tmp_path: Path) -> None:
    must("init", tmp_path / "p", "--classes", 'away,"neutral, calm"')
    assert open_project(tmp_path / "p").classes == ("away", "neutral, calm")


def test_dry_run_makes_no_folder(tmp_path: Path) -> None:
    result = init(tmp_path / "p", InitSettings(classes=("a", "b")), dry_run=True)
    assert result.is_dry_run
    assert not (tmp_path / "p").exists()
