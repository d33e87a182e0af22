"""A project and the settings of `fer annotate` to the seats at its desk: who sees which faces, in what order."""

from collections.abc import Sequence

from fercli.core.emotions import NO_CLASS
from fercli.core.errors import FerError
from fercli.core.project import Project
from fercli.core.rows import Label, Vote
from fercli.core.tables import read_columns
from fercli.labels.aggregate import is_open, is_short
from fercli.labels.journal import Journal
from fercli.labels.order import Item, shuffled, with_repeats
from fercli.labels.pseudonyms import ADJUDICATOR
from fercli.stages.annotate import AnnotateSettings
from fercli.stages.annotate.desk import Desk
from fercli.stages.annotate.faces import Faces
from fercli.stages.annotate.seat import Rules, Seat
from fercli.stages.labels.guide import read_guide
from fercli.stages.labels.repeats import items_seen
from fercli.stages.labels.waiting import journal_path


def fill(desk: Desk, settings: AnnotateSettings) -> None:
    """Read the project, and seat everybody; what fails is told to whoever asks the desk."""
    project = desk.project
    try:
        faces = Faces(project)
        desk.guide = read_guide(settings.guide, project.classes, faces.cards)
        wanted = wanted_faces(project, settings, faces)
        desk.seats = {annotator: _seat(project, settings, annotator, wanted, faces) for annotator in desk.names}
        desk.faces = faces
    except FerError as error:
        desk.failure = error
    finally:
        desk.ready.set()


def wanted_faces(project: Project, settings: AnnotateSettings, faces: Faces) -> list[str]:
    """The faces that are shown at all, as they were filmed."""
    order = faces.in_time()
    if settings.only is None:
        return order
    labels = {label.face_id: label for label in project.rows(Label)}
    if settings.only == "ties":
        return [face_id for face_id in order if face_id in labels and is_open(labels[face_id])]
    return [face_id for face_id in order if face_id not in labels or is_short(labels[face_id])]


def _seat(project: Project, settings: AnnotateSettings, annotator: str, wanted: Sequence[str], faces: Faces) -> Seat:
    rules = Rules((*project.classes, *NO_CLASS))
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
