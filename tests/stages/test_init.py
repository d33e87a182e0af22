from pathlib import Path

import pytest

from fercli.core.emotions import PRESETS
from fercli.core.errors import ProjectError, SettingsError, UsageError
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


LEVELS = ("low", "mid", "high")


def test_the_order_of_classes_is_kept(tmp_path: Path) -> None:
    settings = InitSettings(classes=("odd", *LEVELS), order=LEVELS)
    assert init(tmp_path / "p", settings).order == LEVELS
    assert open_project(tmp_path / "p").order == LEVELS
    assert init(tmp_path / "p", settings).is_unchanged
    assert open_project(tmp_path / "p").classes == ("odd", *LEVELS)


def test_classes_have_no_order_unless_one_is_given(tmp_path: Path) -> None:
    assert init(tmp_path / "p", InitSettings(classes=LEVELS)).order == ()
    assert "order" not in (tmp_path / "p" / "fer.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        (("low", "hihg"), "order names 'hihg', which is not a class"),
        (("low", "high", "low"), "at least two classes, each once"),
        (("low",), "at least two classes, each once"),
    ],
    ids=["unknown", "twice", "alone"],
)
def test_an_order_that_is_none_is_refused_by_init_and_in_the_file(
    order: tuple[str, ...], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=problem):
        init(tmp_path / "p", InitSettings(classes=LEVELS, order=order))
    assert not (tmp_path / "p").exists()
    init(tmp_path / "q", InitSettings(classes=LEVELS))
    path = tmp_path / "q" / "fer.toml"
    path.write_text(path.read_text(encoding="utf-8") + f"order = {list(order)}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=problem):
        open_project(tmp_path / "q")


def test_another_order_in_a_project_is_refused_with_the_line_to_write(tmp_path: Path) -> None:
    init(tmp_path / "p", InitSettings(classes=LEVELS))
    with pytest.raises(ProjectError, match="classes without an order") as error:
        init(tmp_path / "p", InitSettings(classes=LEVELS, order=LEVELS))
    assert 'order = ["low", "mid", "high"]' in (error.value.hint or "")
