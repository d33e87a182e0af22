"""Import the waiting votes of the labelling page like any others: keep the file, update the labels."""

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from fercli.core.commit import Commit
from fercli.core.files import replace_text
from fercli.core.memory import fingerprint, remember
from fercli.core.progress import SILENT
from fercli.core.project import Project
from fercli.core.rows import Label, Vote
from fercli.labels.journal import JournalPart, journal_csv, read_journal
from fercli.labels.people import People
from fercli.stages.labels.archive import content_digest, read_imports
from fercli.stages.labels.import_work import STAGE, ImportPlan, fold
from fercli.stages.labels.importing import LabelsImportResult, LabelsImportSettings
from fercli.stages.labels.reading import Readings, read_all
from fercli.stages.labels.waiting import FOLDER, TAKEN, journals, page_lock, read_taken


def take_waiting(project: Project, *, is_last: bool = False, patience_s: float = 2.0) -> LabelsImportResult | None:
    """Import all votes of the page that wait; None where none does.

    Journals that nobody adds to any more are deleted with the import; of others, what was read is noted.

    Args:
        project: its lock is taken.
        is_last: the caller holds the page, and adds nothing more.
        patience_s: how long another command that writes is waited for.

    Raises:
        ProjectError: another command is writing.
        InputError: a vote cannot be read any more, because its class is gone, say; all of them go on waiting.
    """
    if is_last:
        return _take(project, is_over=True, patience_s=patience_s)
    with page_lock(project) as is_over:
        return _take(project, is_over=is_over, patience_s=patience_s)


def _take(project: Project, *, is_over: bool, patience_s: float) -> LabelsImportResult | None:
    with project.commit(patience_s=patience_s) as commit:
        taken = read_taken(project)
        parts = [(path.stem, read_journal(path, taken.get(path.stem, 0))) for path in journals(project)]
        result = _import(project, commit, parts)
        folder = project.root / FOLDER
        if is_over:
            for path in journals(project):
                commit.delete(path)
            commit.delete(folder / TAKEN)
        elif result is not None:
            ends = taken | {annotator: part.end for annotator, part in parts}
            commit.text(folder / TAKEN, json.dumps(ends) + "\n")
        return result


def _import(project: Project, commit: Commit, parts: list[tuple[str, JournalPart]]) -> LabelsImportResult | None:
    withdrawn = {(cast.face_id, annotator, cast.at) for annotator, part in parts for cast in part.withdrawn}
    has_votes = any(cast.label for _, part in parts for cast in part.casts)
    if not has_votes and not withdrawn:
        return None
    settings = LabelsImportSettings(votes_format="csv")
    number = len(read_imports(project)) + 1
    with TemporaryDirectory() as folder:
        plan = (
            _plan(project, settings, Path(folder), parts)
            if has_votes
            else ImportPlan(readings=Readings([], [], People({})))
        )
        result = fold(project, settings, plan, commit, withdrawn=withdrawn)
    mark = fingerprint(LabelsImportSettings(), [project.table_path(Vote), project.table_path(Label)], commit=commit)
    remember(commit, STAGE, mark, settings, result=result, words=[f"import-{number}"] if has_votes else [])
    return result


def _plan(
    project: Project, settings: LabelsImportSettings, folder: Path, parts: list[tuple[str, JournalPart]]
) -> ImportPlan:
    """The journals as a file of votes, read as any other is."""
    path = folder / f"annotate-{datetime.now(UTC):%Y%m%d-%H%M%S}.csv"
    replace_text(path, journal_csv(parts))
    digests = {path: content_digest(path)}
    return ImportPlan(readings=read_all(project, settings, [path], digests, progress=SILENT))
