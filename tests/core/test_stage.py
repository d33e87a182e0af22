"""A stage of the tests' own, whose work is this module: it doubles the numbers in numbers.txt."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from fercli.core.batch import Batch
from fercli.core.commit import Commit, log_lines
from fercli.core.memory import read_state
from fercli.core.progress import Progress
from fercli.core.project import Project, create_project
from fercli.core.results import StageResult
from fercli.core.settings import setting
from fercli.core.stage import Argument, Inputs, Plan, Stage

CALLS: list[str] = []


@dataclass(frozen=True)
class DoubleSettings:
    times: int = setting(2, "Multiply by this.")
    person: str = setting("", "Somebody's name.")
    workers: int = setting(1, "Use this many processes.")


@dataclass(frozen=True, kw_only=True)
class DoubleResult(StageResult):
    total: int = 0


@dataclass(frozen=True, kw_only=True)
class DoublePlan(Plan):
    numbers: list[int]


def plan(project: Project, settings: DoubleSettings, name: str, *, force: bool, progress: Progress) -> DoublePlan:
    CALLS.append("plan")
    numbers = [int(line) for line in (project.root / name).read_text(encoding="utf-8").split()]
    return DoublePlan(lines=(f"multiply {len(numbers)} numbers",), numbers=numbers)


def run(
    project: Project, settings: DoubleSettings, plan: DoublePlan, commit: Commit | None = None, **more: object
) -> DoubleResult | list[int]:
    CALLS.append("run")
    made = [number * settings.times for number in plan.numbers]
    if commit is None:
        CHANGE.pop("now", lambda: None)()
        batch = more["batch"]
        assert isinstance(batch, Batch)
        batch.add("all", {"key": "k", "made": made})
        return made
    return _write(project, made, commit)


def fold(
    project: Project, settings: DoubleSettings, plan: DoublePlan, made: list[int], commit: Commit, *, force: bool
) -> DoubleResult:
    CALLS.append("fold")
    return _write(project, made, commit)


def _write(project: Project, made: list[int], commit: Commit) -> DoubleResult:
    outputs = (commit.text(project.root / "doubled.txt", " ".join(map(str, made))),)
    return DoubleResult(total=sum(made), outputs=outputs)


# What happens once while a long stage works without the lock.
CHANGE: dict[str, object] = {}


def make(**more: object) -> Stage[DoubleResult]:
    return Stage(
        words="double up",
        settings=DoubleSettings,
        result=DoubleResult,
        work=__name__,
        inputs=lambda project, settings, name: Inputs([project.root / name]),
        arguments=(Argument("name", str, "The file.", "FILE"),),
        not_identity=("workers",),
        private=("person",),
        told=lambda project, settings, name: [name],
        **more,  # type: ignore[arg-type]  # fields of a Stage
    )


double = make()
double_long = make(is_long=True, batch=lambda *_: "mark")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    CALLS.clear()
    CHANGE.clear()
    project = create_project(tmp_path, name="mine", classes=("a", "b"))
    (tmp_path / "numbers.txt").write_text("1 2 3", encoding="utf-8")
    return project


@pytest.mark.parametrize("stage", [double, double_long], ids=["short", "long"])
def test_second_identical_call_does_nothing(project: Project, stage: Stage[DoubleResult]) -> None:
    assert stage(project, "numbers.txt").total == 12
    CALLS.clear()
    again = stage(project, DoubleSettings(workers=4), "numbers.txt")
    assert (again.is_unchanged, again.total, CALLS) == (True, 12, [])


@pytest.mark.parametrize("stage", [double, double_long], ids=["short", "long"])
def test_call_is_made_again_when_settings_or_inputs_change_or_force_is_given(
    project: Project, stage: Stage[DoubleResult]
) -> None:
    stage(project, "numbers.txt")
    assert stage(project, DoubleSettings(times=3), "numbers.txt").total == 18
    (project.root / "numbers.txt").write_text("5", encoding="utf-8")
    assert stage(project, DoubleSettings(times=3), "numbers.txt").total == 15
    CALLS.clear()
    assert not stage(project, DoubleSettings(times=3), "numbers.txt", force=True).is_unchanged
    assert "run" in CALLS


def test_lost_output_is_made_again(project: Project) -> None:
    double(project, "numbers.txt")
    (project.root / "doubled.txt").unlink()
    assert not double(project, "numbers.txt").is_unchanged
    assert (project.root / "doubled.txt").exists()


def test_dry_run_says_the_plan_and_writes_nothing(project: Project) -> None:
    before = sorted(path for path in project.root.rglob("*"))
    result = double(project, "numbers.txt", dry_run=True)
    assert (result.is_dry_run, result.plan) == (True, ("multiply 3 numbers",))
    assert sorted(path for path in project.root.rglob("*")) == before


def test_log_tells_the_arguments_and_neither_log_nor_memory_a_persons_name(project: Project) -> None:
    double(project, DoubleSettings(person="Maria"), name="numbers.txt")
    (line,) = log_lines(project.root)
    assert (line["stage"], line["arguments"], line["settings"]["times"]) == ("double-up", ["numbers.txt"], 2)
    for path in (project.root / ".fer").rglob("*"):
        assert path.is_dir() or "Maria" not in path.read_text(encoding="utf-8")


def test_long_stage_works_again_when_its_inputs_change_meanwhile(project: Project) -> None:
    CHANGE["now"] = lambda: (project.root / "numbers.txt").write_text("10", encoding="utf-8")
    assert double_long(project, "numbers.txt").total == 20
    assert CALLS == ["plan", "run", "plan", "run", "fold"]


def test_long_stage_leaves_the_lock_to_others_while_it_works(project: Project) -> None:
    def save_a_vote() -> None:
        with project.commit() as commit:
            commit.text(project.root / "vote.txt", "happy")

    CHANGE["now"] = save_a_vote
    double_long(project, "numbers.txt")
    assert (project.root / "vote.txt").exists()


def test_call_that_changes_nothing_is_remembered_but_needs_no_lock(project: Project) -> None:
    look = make(writes=lambda _: False)
    with project.commit():
        assert look(project, "numbers.txt").total == 12
    assert look(project, "numbers.txt").total == 12
    state = read_state(project.root, "double-up")
    assert state is not None
    assert state.settings["times"] == 2


@pytest.mark.parametrize("given", [(), ("numbers.txt", "another")], ids=["too few", "too many"])
def test_wrong_number_of_arguments_is_a_wrong_call(project: Project, given: tuple[str, ...]) -> None:
    with pytest.raises(TypeError, match="double up: "):
        double(project, *given)


def test_plan_may_find_that_nothing_is_to_do(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    known = DoubleResult(total=7, is_unchanged=True)
    monkeypatch.setattr(f"{__name__}.plan", lambda *_, **__: DoublePlan(numbers=[], known=known))
    for stage in (double, double_long):
        assert stage(project, "numbers.txt") == known
    assert double(project, "numbers.txt", dry_run=True) == known
