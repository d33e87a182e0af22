"""What every stage shares, once: identity, cached result, dry run, lock, commit, log, and what a command line says.

A stage is a package: its light half (settings, result, a `Stage`) loads nothing heavy, its `work.py` does the work:

* `plan(project, settings, *arguments, force, progress) -> Plan`: what is to be done, read from the project;
* `run(project, settings, plan, commit, *, progress) -> result`: do it, and give what changes to the commit.

A long stage (align, train for hours) holds the project's lock for neither of the two: its `run(project, settings,
plan, *, progress) -> made` works in a folder of its own, and `fold(project, settings, plan, made, commit, *,
force) -> result` puts it into the project, under the lock, if the inputs are still those of the plan.

What a result depends on besides tables and settings, such as the crops that it looks at, only the work knows: it sets
`commit.reads` to the digests that these files had before it read them, and the result stands while they have them.
"""

import dataclasses
import functools
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from fercli.core.batch import Batch
from fercli.core.commit import ROOM, Commit, read_record, read_settled
from fercli.core.errors import ProjectError
from fercli.core.locks import WRITING
from fercli.core.memory import fingerprint, recall, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.settings import plain_settings
from fercli.core.words import counted

R = TypeVar("R", bound=StageResult)
REQUIRED: Any = object()
# How long hours of work wait for a command that is writing.
_PATIENCE_S = 3600.0


@dataclass(frozen=True)
class Argument:
    """A word on the command line that is no setting: what a call works on.

    Attributes:
        name: of the parameter.
        kind: `str`, `Path`, `list[Path]`, `bool`, ...
        help: verb first, a period last.
        metavar: as the help shows it.
        default: `REQUIRED` where a call must name it.
        option: the option, such as "--run"; without it, the argument goes by its place.
        alias: another name of the option.
    """

    name: str
    kind: Any
    help: str
    metavar: str = ""
    default: Any = REQUIRED
    option: str = ""
    alias: str = ""


@dataclass(frozen=True)
class Inputs:
    """What a result depends on besides its settings.

    Attributes:
        files: by their contents; a missing one counts as such.
        extra: anything JSON can hold.
        counted: a folder of the project whose files are counted, after a list in `extra`: lost ones are missed so.
    """

    files: Iterable[Path] = ()
    extra: Any = None
    counted: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a stage is about to do; each stage adds what its work needs.

    Attributes:
        lines: what a dry run says, one thing a line.
        warnings: full sentences that a dry run says too.
        counts: fields of the result that are known before the work.
        known: the answer when nothing is to be done after all.
    """

    lines: Sequence[str] = ()
    warnings: Sequence[str] = ()
    counts: Mapping[str, Any] = field(default_factory=dict)
    known: StageResult | None = None


@dataclass(frozen=True)
class Stage(Generic[R]):
    """One verb of the pipeline; call it with a project, settings and arguments.

    Attributes:
        words: what a user types, "labels import".
        settings: the settings class; None for a stage that has none.
        result: the class of its result.
        work: the module that does the work, imported only when there is something to do.
        planning: the module of its `plan`, where a dry run would otherwise load torch; without it, that of the work.
        inputs: what a result depends on; None for a stage that looks afresh each time.
        older: the inputs as a version before this one counted them, whose results stand while these are the same; None
            where this call asks for what that version did not give.
        arguments: the words on the command line that are no settings.
        not_identity: settings that make no difference to the result.
        private: settings that may hold a person's name, and stand neither in the log nor in what is remembered.
        settle: fills in what depends on the project: the run that is meant, the split in use.
        name: under which a result is remembered; differs from `words` where there are several ("split-mine").
        is_long: holds the lock only to read its inputs and to commit.
        batch: the mark of a long stage's items, which lets a killed run go on; see `core.batch`.
        writes: whether a call with these settings changes the project.
        looks: whether a call with these settings only shows something: `look(project, settings, plan, *, progress)`.
        retries: whether a call that had failures tries those items again.
        remakes: its calls that write count for "how to reproduce", though the pipeline does not take it in turn.
        known: looks for the result of an earlier call where that is not remembered but lies in the project itself.
        last: the settings of the last finished call, where these are not remembered but lie in the project itself.
        is_whole: its work has a lock, commits and a resume of its own: `call(project, settings, *arguments, progress,
            force, dry_run) -> result`.
        now: adds to a result, a new one as well as that of an earlier call, what depends on the present of the
            project: whom the subjects are known to be, what is out of date, what comes next. What is remembered are
            facts of the work alone. Takes project, settings, the result and the arguments.
        told: the words of the log that stand for the arguments: no person's name, nothing of this machine. Where only
            the work knows them, it gives them to the commit.
        glance: what would be done, in words that the light half knows: `glance(project, settings, *arguments)`. A
            status shows these where a dry run would load the heavy half for seconds.
        skip: why the pipeline does not need the stage; empty where it does.
        before: brings in what has to come first, such as votes that wait: `before(project, progress)`; no dry run does.
    """

    words: str
    settings: type[Any] | None
    result: type[R]
    work: str
    planning: str = ""
    inputs: Callable[..., Inputs] | None = None
    older: Callable[..., Inputs | None] | None = None
    arguments: tuple[Argument, ...] = ()
    not_identity: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    settle: Callable[..., tuple[Any, tuple[Any, ...]]] | None = None
    name: Callable[..., str] | None = None
    is_long: bool = False
    batch: Callable[..., str] | None = None
    writes: Callable[[Any], bool] = lambda _: True
    looks: Callable[[Any], bool] = lambda _: False
    retries: bool = False
    remakes: bool = False
    known: Callable[..., Any] | None = None
    last: Callable[[Project], Mapping[str, Any]] | None = None
    is_whole: bool = False
    now: Callable[..., Any] = lambda _project, _settings, result, *_: result
    told: Callable[..., Sequence[str]] | None = None
    glance: Callable[..., Sequence[str]] | None = None
    skip: Callable[[Project], str] = lambda _: ""
    before: Callable[[Project, Progress], None] | None = None

    @property
    def section(self) -> str:
        """The section of fer.toml that holds its settings."""
        return self.words.replace(" ", "-")

    def __call__(
        self,
        project: Project,
        *given: Any,  # the settings, where the stage has some, then its arguments
        progress: Progress = SILENT,
        force: bool = False,
        dry_run: bool = False,
        **more: Any,  # arguments by name, and what only this stage's work knows, such as an engine
    ) -> R:
        """Do the stage's work, unless the last call did the same; see `work` for what is raised.

        Args:
            project: what to work on.
            given: settings (the built-in ones where left out), then arguments, in their order.
            progress: told how far it is.
            force: do it again although nothing has changed.
            dry_run: only say what would be done.
            more: arguments by name; options of the work.
        """
        _finish_pending(project)
        if self.before and not dry_run:
            self.before(project, progress)
        settings, arguments = self._bind(project, list(given), more)
        call = _Call(self, project, settings, arguments, progress, force, more)
        if self.looks(settings):
            return cast(R, call.work.look(project, settings, call.plan(), progress=progress))
        result = call.answer(dry_run=dry_run)
        return result if result.is_dry_run else cast(R, self.now(project, settings, result, *arguments))

    def outlook(self, project: Project, settings: Any) -> StageResult:
        """What a dry run says, or a glance where the stage has one."""
        if self.glance is None:
            return self(project, settings, dry_run=True)
        settings, arguments = self._bind(project, [settings], {})
        known = _Call(self, project, settings, arguments, SILENT, force=False, more={}).recall()
        return known or StageResult(is_dry_run=True, plan=tuple(self.glance(project, settings, *arguments)))

    def name_of(self, project: Project, settings: Any, *arguments: Any) -> str:
        """The name under which the result of such a call is remembered."""
        return self.name(project, settings, *arguments) if self.name else self.section

    def mark_of(self, project: Project, settings: Any, *arguments: Any) -> str:
        """One name for all that the result of such a call depends on."""
        return _Call(self, project, settings, arguments, SILENT, force=False, more={}).mark()

    def name_in(self, project: Project) -> str:
        """The name under which the result of a plain call is remembered: the newest run, the built-in settings.

        Raises:
            FerError: the project has nothing that such a call could work on.
        """
        settings, arguments = self._bind(project, [], {})
        return self.name_of(project, settings, *arguments)

    def _bind(self, project: Project, given: list[Any], more: dict[str, Any]) -> tuple[Any, tuple[Any, ...]]:
        settings = None
        if self.settings is not None:
            is_given = bool(given) and isinstance(given[0], self.settings)
            settings = given.pop(0) if is_given else more.pop("settings", None) or self.settings()
        values = []
        for argument in self.arguments:
            value = given.pop(0) if given else more.pop(argument.name, argument.default)
            if value is REQUIRED:
                raise TypeError(f"{self.words}: argument '{argument.name}' is missing")
            values.append(value)
        if given:
            raise TypeError(f"{self.words}: {counted(len(given), 'argument')} too many")
        if self.is_whole and more:
            raise TypeError(f"{self.words}: unknown argument '{next(iter(more))}'")
        if self.settle:
            settings, settled = self.settle(project, settings, *values)
            values = list(settled)
        return settings, tuple(values)


@dataclass
class _Call(Generic[R]):
    """One call of a stage."""

    stage: Stage[R]
    project: Project
    settings: Any
    arguments: tuple[Any, ...]
    progress: Progress
    force: bool
    more: Mapping[str, Any]

    @property
    def work(self) -> Any:
        """The stage's heavy half."""
        return importlib.import_module(self.stage.work)

    @property
    def name(self) -> str:
        return self.stage.name_of(self.project, self.settings, *self.arguments)

    def answer(self, *, dry_run: bool) -> R:
        """The result: of an earlier call, of a dry run, or of the work."""
        if not self.force and (known := self.recall()):
            return known
        if self.stage.is_whole:
            do = functools.partial(
                self.work.call,
                self.project,
                self.settings,
                *self.arguments,
                progress=self.progress,
                force=self.force,
                dry_run=dry_run,
            )
            return cast(R, do() if self.stage.writes(self.settings) else read_settled(self.project.root, do))
        if dry_run:
            return self.preview()
        if not self.stage.writes(self.settings):
            return self.look()
        return self.work_long() if self.stage.is_long else self.work_short()

    def mark(self, commit: Commit | None = None) -> str:
        """One name for all that the result depends on, now or as `commit` will leave it."""
        assert self.stage.inputs is not None
        return self._mark_of(self.stage.inputs(self.project, self.settings, *self.arguments), commit)

    def _mark_of(self, inputs: Inputs, commit: Commit | None = None) -> str:
        extra = inputs.extra
        if inputs.counted:
            folder = self.project.root / inputs.counted
            extra = [*extra, (commit or Commit(self.project.root)).count_files(folder)]
        return fingerprint(self._identity(), inputs.files, extra, commit=commit)

    def recall(self) -> R | None:
        """The result of the last call, if it was the same and its outputs are still there."""
        if self.stage.known:
            return cast(R | None, self.stage.known(self.project, self.settings, *self.arguments))
        if self.stage.inputs is None:
            return None
        known = recall(self.project.root, self.name, self.mark(), self.stage.result)
        if known is None and self.stage.older:
            before = self.stage.older(self.project, self.settings, *self.arguments)
            known = recall(self.project.root, self.name, self._mark_of(before), self.stage.result) if before else None
        return None if known and known.failures and self.stage.retries else known

    def plan(self) -> Plan:
        home = importlib.import_module(self.stage.planning or self.stage.work)
        made = home.plan(self.project, self.settings, *self.arguments, force=self.force, progress=self.progress)
        return cast(Plan, made)

    def preview(self) -> R:
        """What a dry run says."""
        plan = read_settled(self.project.root, self.plan)
        if plan.known:
            return cast(R, plan.known)
        lines, warnings = tuple(plan.lines), tuple(plan.warnings)
        return self.stage.result(**plan.counts, is_dry_run=True, plan=lines, warnings=warnings)

    def look(self) -> R:
        """The result of a call that changes nothing; it is remembered where the project can be written."""

        def settled() -> tuple[R, dict[str, str]]:
            commit = Commit(self.project.root)
            done = self.work.run(self.project, self.settings, self.plan(), commit, progress=self.progress, **self.more)
            return cast(R, done), commit.reads

        result, reads = read_settled(self.project.root, settled)
        if self.stage.inputs is not None:
            # A project on a read-only disk, or of somebody who is writing: the look is done again next time.
            with suppress(ProjectError), self.project.commit() as commit:
                commit.reads = reads
                self._remember(commit, result)
        return result

    def work_short(self) -> R:
        """Plan, run and commit under the lock, so that what decides the result cannot change in between."""
        with self.project.commit() as commit:
            if not self.force and (known := self.recall()):
                return known
            plan = self.plan()
            if plan.known:
                return cast(R, plan.known)
            result: R = self.work.run(self.project, self.settings, plan, commit, progress=self.progress, **self.more)
            if self.stage.inputs is None and not commit.has_changes:
                return dataclasses.replace(result, is_unchanged=True)
            self._remember(commit, result)
        return result

    def work_long(self) -> R:
        """Plan under the lock, work without it, and commit under it if the inputs are still those of the plan."""
        if self.stage.batch is None:
            return self._attempts({})
        mark = self.stage.batch(self.project, self.settings, *self.arguments)
        if read_record(self.project.root).is_pending:
            with self.project.commit():  # or say why that cannot be finished
                pass
        with Batch(self.project.root, self.name, mark) as batch:
            if self.force:
                batch.clear()
            return self._attempts({"batch": batch})

    def _attempts(self, more: Mapping[str, Any]) -> R:
        while True:
            with self.project.commit():
                if not self.force and (known := self.recall()):
                    return known
                plan, mark = self.plan(), self.mark()
            if plan.known:
                return cast(R, plan.known)
            made = self.work.run(self.project, self.settings, plan, progress=self.progress, **more, **self.more)
            with self.project.commit(patience_s=_PATIENCE_S) as commit:
                if self.mark() == mark:
                    result: R = self.work.fold(self.project, self.settings, plan, made, commit, force=self.force)
                    self._remember(commit, result)
                    return result
            self.progress.note(f"fer {self.stage.words}: its inputs changed in the meantime; checking them again")

    def _remember(self, commit: Commit, result: R) -> None:
        """Note the result, and the line of the log; of a stage without inputs the line alone."""
        told: Sequence[str] = commit.words
        if self.stage.told:
            told = self.stage.told(self.project, self.settings, *self.arguments)
        settings = self._plain(self.stage.private)
        if self.stage.inputs is None and result.is_unchanged:
            return
        if self.stage.inputs is None:
            counts = {name: value for name, value in vars(result).items() if isinstance(value, int)}
            commit.log(self.name, plain_settings(settings), counts, told)
            return
        kept = dataclasses.replace(commit.kept or result, is_unchanged=result.is_unchanged)
        mark = self.mark(commit)
        remember(commit, self.name, mark, settings, result=kept, items=commit.items, words=told)

    def _identity(self) -> Any:
        """The settings with those at their defaults that make no difference to the result."""
        return self._plain(self.stage.not_identity)

    def _plain(self, names: Iterable[str]) -> Any:
        """The settings with some of them at their defaults."""
        if self.settings is None:
            return _NoSettings()
        fields = {column.name: column for column in dataclasses.fields(self.settings)}
        defaults = {name: _default_of(fields[name]) for name in names}
        return dataclasses.replace(self.settings, **defaults)


def _finish_pending(project: Project) -> None:
    """Finish what a killed command has committed, and sweep up after it, where that can be done now.

    While somebody writes it cannot: readers read through what is committed meanwhile.
    """
    left_over = any((project.root / name).exists() for name in (WRITING, ROOM))
    if left_over or read_record(project.root).is_pending:
        with suppress(ProjectError), project.commit(patience_s=0):
            pass


@dataclass(frozen=True)
class _NoSettings:
    """Of a stage that has none."""


def _default_of(column: "dataclasses.Field[Any]") -> Any:
    return column.default_factory() if column.default_factory is not dataclasses.MISSING else column.default
