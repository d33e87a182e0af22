"""Decide who sees which faces in which order on the labelling page."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fercli.core.emotions import NO_CLASS
from fercli.core.errors import FerError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Chosen, Label, Vote
from fercli.core.tables import read_columns
from fercli.labels.aggregate import is_open, is_short
from fercli.labels.journal import Journal
from fercli.labels.order import Item, shuffled, uncertain_first, with_repeats
from fercli.labels.pseudonyms import ADJUDICATOR
from fercli.stages.annotate import AnnotateSettings
from fercli.stages.annotate.desk import Desk, Suggestion
from fercli.stages.annotate.faces import Faces
from fercli.stages.annotate.seat import Rules, Seat
from fercli.stages.labels.guide import read_guide
from fercli.stages.labels.repeats import items_seen
from fercli.stages.labels.waiting import journal_path
from fercli.stages.predictions import FacePredictions, predict_faces


@dataclass(frozen=True)
class Models:
    """What runs make of the faces, where that was asked for: to suggest, and to put the uncertain ones first."""

    suggests: FacePredictions | None = None
    orders: FacePredictions | None = None


def read_models(project: Project, settings: AnnotateSettings, progress: Progress) -> Models:
    """Predict all faces with the runs that the settings name.

    Raises:
        MissingStageError: no run is finished.
        InputError: a run cannot be used.
    """
    suggests = predict_faces(project, settings.suggest, progress) if settings.suggest else None
    for text in suggests.warnings if suggests else ():
        progress.note(text)
    orders = predict_faces(project, settings.run, progress) if settings.order == "uncertain" else None
    return Models(suggests, orders)


def fill(desk: Desk, settings: AnnotateSettings, models: Models | None = None) -> None:
    """Read the project, and seat everybody; what fails is told to whoever asks the desk."""
    project = desk.project
    try:
        faces = Faces(project)
        desk.guide = read_guide(settings.guide, project.classes, faces.cards)
        models = models or Models()
        wanted = _by_doubt(project, settings, wanted_faces(project, settings, faces), faces, models.orders)
        desk.seats = {annotator: _seat(project, settings, annotator, wanted, faces) for annotator in desk.names}
        if models.suggests:
            found = {face_id: models.suggests.best(face_id) for face_id in models.suggests.rows}
            desk.suggestions = {face_id: Suggestion(*best) for face_id, best in found.items() if best}
            desk.suggested_by = models.suggests.run_id
        desk.faces = faces
    except FerError as error:
        desk.failure = error
    finally:
        desk.ready.set()


def wanted_faces(project: Project, settings: AnnotateSettings, faces: Faces) -> list[str]:
    """The faces that are shown at all: as they were filmed, or in the order of the table where that will be changed."""
    order = list(faces.cards) if settings.order == "shuffled" and settings.only != "ties" else faces.in_time()
    if settings.only is None:
        return order
    labels = {label.face_id: label for label in project.rows(Label)}
    if settings.only == "ties":
        return [face_id for face_id in order if face_id in labels and is_open(labels[face_id])]
    return [face_id for face_id in order if face_id not in labels or is_short(labels[face_id])]


def _by_doubt(
    project: Project, settings: AnnotateSettings, wanted: Sequence[str], faces: Faces, model: FacePredictions | None
) -> Sequence[str]:
    """The faces with those first of which the model is least certain; those that it has not seen come last."""
    if model is None:
        return wanted
    groups = {face_id: faces.card(face_id).group for face_id in wanted}
    labelled = (label.face_id for label in project.rows(Label) if label.label)
    counts = Counter(faces.cards[face_id].group or face_id for face_id in labelled if face_id in faces.cards)
    rows = {face_id: model.rows[face_id] for face_id in wanted if face_id in model.rows}
    first = uncertain_first(rows, groups, num_labelled=counts, measure=settings.uncertainty)
    return [*first, *(face_id for face_id in wanted if face_id not in rows)]


def _seat(project: Project, settings: AnnotateSettings, annotator: str, wanted: Sequence[str], faces: Faces) -> Seat:
    chosen: Chosen = "uncertain" if settings.order == "uncertain" else ""
    rules = Rules((*project.classes, *NO_CLASS), chosen, settings.suggest_when if settings.suggest else "")
    journal = Journal(journal_path(project, annotator))
    if annotator == ADJUDICATOR:
        return Seat(annotator, journal, rules, [(face_id, 1) for face_id in wanted], elsewhere=faces.by_code)
    seed = settings.seed
    order = wanted if settings.order != "shuffled" else shuffled(wanted, seed=seed, annotator=annotator)
    items = with_repeats(order, settings.blind, seed=seed, annotator=annotator)
    return Seat(annotator, journal, rules, items, _voted(project, annotator), faces.by_code)


def _voted(project: Project, annotator: str) -> dict[Item, str]:
    """What the annotator has voted on already, and when."""
    path = project.table_path(Vote)
    if not project.has(path):
        return {}
    columns = ("face_id", "annotator", "created_at")
    rows = project.read(path, lambda place: list(read_columns(place, Vote, columns)))
    voted: dict[Item, str] = {(face_id, 1): at for face_id, who, at in rows if who == annotator}
    return voted | {(face_id, 2): at for face_id, at in items_seen(project, annotator).items()}
