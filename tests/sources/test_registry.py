from pathlib import Path

import pytest

from fercli.core.emotions import PRESETS
from fercli.core.errors import InputError
from fercli.sources.items import SourceOptions
from fercli.sources.registry import SOURCES, Source, differences
from tests.sources.trees import options, read_all


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_the_named_preset_knows_the_classes_of_the_set(source: Source) -> None:
    if source.preset:
        source.check_classes(options(source.preset))


@pytest.mark.parametrize("source", [s for s in SOURCES.values() if s.emotions], ids=lambda source: source.name)
def test_a_project_of_other_classes_is_refused(source: Source) -> None:
    with pytest.raises(InputError, match=f"{source.name}'s class '.*' is not a class of this project") as caught:
        source.check_classes(options("scfed"))
    assert f"--preset {source.preset}" in caught.value.hint


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_folder_that_is_nothing_like_the_set_is_refused_with_what_it_looks_like(
    source: Source, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("nothing", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_all(source.read, tmp_path, options(source.preset or "scfed"))
    assert "/" in caught.value.hint or ".csv" in caught.value.hint


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_published_parts_have_a_role(source: Source) -> None:
    for counts in source.published.values():
        parts = {part for part in counts if part}
        assert parts <= set(source.roles(parts))


def test_affectnet_is_published_with_seven_and_with_eight_classes() -> None:
    source = SOURCES["affectnet"]
    assert source.published_counts(options("affectnet7")) == {"train_set": 283_901, "val_set": 3_500}
    assert source.published_counts(options("affectnet8"))["val_set"] == 4_000


def test_a_folder_of_ones_own_has_no_published_counts() -> None:
    assert SOURCES["folder"].published_counts(SourceOptions(PRESETS["scfed"])) == {}


def test_counts_that_differ_are_told_and_equal_ones_not() -> None:
    told = differences({"train": 12_000, "test": 3_068}, {"train": 12_271, "test": 3_068})
    assert told == ["train: 12,000 here, 12,271 published"]
