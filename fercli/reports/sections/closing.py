"""Pictures, settings and versions to the last parts of a report: where the model looks, where it errs, what to mind."""

from collections.abc import Mapping, Sequence

from fercli.core.rows import Prediction
from fercli.core.words import counted
from fercli.reports.page import Missing, Picture, Section, Table, percent


def cam_section(grid: bytes | None, facts: Sequence[tuple[str, str]]) -> Section:
    """Show the Grad-CAM grid, and say what a map is not."""
    title = "Where the model looks"
    if grid is None:
        return Section("looks", title, missing=(Missing("no map has been drawn.", "fer gradcam"),))
    picture = Picture(
        grid,
        "Grid of faces: one row for each class, recognised faces on the left, mistaken ones on the right, each beside "
        "the same face with its map laid over it.",
        "Each face beside its map: bright places spoke most for the class. The most confident cases of each kind are "
        "shown, so the grid is no sample of all faces.",
    )
    closing = (
        "Look for maps on the wall, the desk or a neighbour: then the model learned the room. A map tells what this "
        "network used for this face; it is no proof of a cause, and it is coarse: its layer has few places.",
    )
    return Section("looks", title, facts=tuple(facts), pictures=(picture,), closing=closing)


def wrong_section(sheet: bytes | None, shown: Sequence[Prediction], num_wrong: int, num_faces: int | None) -> Section:
    """Show faces that the model got wrong while it was surest, with the ids that lead back to the video.

    Args:
        sheet: contact sheet of `shown`; None when the pictures are gone.
        shown: some of the mistaken faces, the surest first.
        num_wrong: all mistaken faces.
        num_faces: of the whole part; None when it has not been evaluated.
    """
    title = "Where it errs"
    if num_faces is None:
        return Section("errors", title, missing=(Missing("the model has not been evaluated.", "fer eval"),))
    if not shown:
        return Section("errors", title, text=("Every face of this part was recognised.",))
    rows = tuple(
        (row.face_id, row.label, row.predicted, percent(row.probabilities.get(row.predicted)), row.subject_id or "-")
        for row in shown
    )
    picture = Picture(
        sheet or b"",
        f"Contact sheet of {counted(len(shown), 'mistaken face')}.",
        "The mistakes that the model was surest of, the surest first, at most two of a subject. Ask of each whether "
        "the model or the label is wrong: faces on which annotators disagreed stand here often.",
    )
    return Section(
        "errors",
        title,
        text=(f"Mistaken: {num_wrong:,} of {counted(num_faces, 'face')}.",),
        pictures=(picture,) if sheet else (),
        tables=(
            Table("The same faces", ("face", "true", "predicted", "probability", "subject"), rows, is_folded=True),
        ),
        commands=(f"fer trace {shown[0].face_id}",),
        closing=("fer trace walks a face back to its second of the video, its votes and its split.",),
    )


def reproduce_section(
    commands: Sequence[str], settings: Sequence[tuple[str, str]], versions: Mapping[str, str]
) -> Section:
    """Give the commands, settings and versions that made this report."""
    tables = []
    if settings:
        tables.append(Table("Settings", ("setting", "value"), tuple(settings), is_folded=True))
    if versions:
        tables.append(Table("Versions and machine", ("what", "version"), tuple(versions.items()), is_folded=True))
    text = ("In the project folder, in this order. A stage whose inputs and settings have not changed does nothing.",)
    return Section("reproduce", "How to make it again", text=text, tables=tuple(tables), commands=tuple(commands))


def responsible_section() -> Section:
    """Say what such a model must not be used for, in the European Union and anywhere."""
    return Section(
        "responsible-use",
        "Before you use it",
        text=(
            "The model sorts pictures of faces by what annotators called them. It does not read feelings: people show "
            "the same expression for different reasons, and different people and cultures show the same feeling "
            "differently. The figures above hold for the people, room and camera of this data, and for no others.",
            "In the European Union, Article 5(1)(f) of the AI Act (Regulation (EU) 2024/1689) prohibits, since "
            "2 February 2025, placing on the market, putting into service for this specific purpose, or using AI "
            "systems to infer emotions of a natural person in the areas of workplace and education institutions, "
            "except for medical or safety reasons. AI systems specifically developed and put into service for the "
            "sole purpose of scientific research and development are outside the Act's scope (Article 2(6)); other "
            "law, such as data protection, stays in force, and a school's daily use of the result is no research.",
            "Never grade, rank, discipline or monitor a person by it. Faces of pupils are personal data: have consent "
            "of them and of their guardians and the approval of your ethics board, store no more than you need, and "
            "delete it when you promised to. This is a summary for researchers, not legal advice; RESPONSIBLE_USE.md "
            "says more.",
        ),
    )
