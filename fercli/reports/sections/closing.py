"""Write the last sections of a report: visual explanations, errors, reproducibility, responsible use."""

from collections.abc import Mapping, Sequence

from fercli.core.rows import Prediction
from fercli.core.words import counted
from fercli.reports.page import Missing, Picture, Section, Table, percent


def cam_section(grid: bytes | None, facts: Sequence[tuple[str, str]]) -> Section:
    """Show the Grad-CAM grid, and say what a map is not."""
    title = "Visual explanations (Grad-CAM)"
    if grid is None:
        return Section("looks", title, missing=(Missing("no maps have been drawn.", "fer gradcam"),))
    picture = Picture(
        grid,
        "Grid of faces: one row for each class, correctly classified faces on the left, misclassified ones on the "
        "right, each beside the same face with its map overlaid.",
        "Faces with their class activation maps: bright regions contributed most to the class. Shown are the most "
        "confident cases, not a random sample.",
        is_photo=True,
    )
    closing = (
        "Maps that highlight the wall, a desk or a neighbour suggest the model relies on background. Maps show what "
        "this model used for this face; they are coarse and do not prove a cause.",
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
    title = "Error analysis"
    if num_faces is None:
        return Section("errors", title, missing=(Missing("the model has not been evaluated.", "fer eval"),))
    if not shown:
        return Section("errors", title, text=("Every face in this set was classified correctly.",))
    rows = tuple(
        (row.face_id, row.label, row.predicted, percent(row.probabilities.get(row.predicted)), row.subject_id or "-")
        for row in shown
    )
    picture = Picture(
        sheet or b"",
        f"Contact sheet of {counted(len(shown), 'misclassified face')}.",
        "The most confident misclassifications, at most two per subject. For each, ask whether the model or the label "
        "is wrong; faces with annotator disagreement are frequent here.",
        is_photo=True,
    )
    return Section(
        "errors",
        title,
        text=(f"Misclassified: {num_wrong:,} of {counted(num_faces, 'face')}.",),
        pictures=(picture,) if sheet else (),
        tables=(
            Table(
                "List of misclassified faces",
                ("face", "true", "predicted", "probability", "subject"),
                rows,
                is_folded=True,
            ),
        ),
        commands=(f"fer trace {shown[0].face_id}",),
        closing=(
            "Use `fer trace FACE_ID` to see a face's video frame, votes and set, and `fer annotate --review FACE_ID` "
            "to look at it in its frame.",
        ),
    )


def reproduce_section(
    commands: Sequence[str], notes: Sequence[str], settings: Sequence[tuple[str, str]], versions: Mapping[str, str]
) -> Section:
    """Give the commands, settings and versions that made this report; `notes` explain what stands for names."""
    tables = []
    if settings:
        tables.append(Table("Settings", ("setting", "value"), tuple(settings), is_folded=True))
    if versions:
        tables.append(Table("Versions and machine", ("what", "version"), tuple(versions.items()), is_folded=True))
    text = (
        "Run these commands in the project folder, in this order, in a POSIX shell (such as bash or zsh). Stages that "
        "are up to date are skipped.",
        *notes,
    )
    return Section("reproduce", "Reproducibility", text=text, tables=tuple(tables), commands=tuple(commands))


def responsible_section() -> Section:
    """Say what such a model must not be used for, in the European Union and anywhere."""
    return Section(
        "responsible-use",
        "Limitations and responsible use",
        text=(
            "The model assigns images of faces to the classes that annotators named. It does not read feelings: people "
            "show the same expression for different reasons, and different people and cultures show the same feeling "
            "differently. The results above hold for the people, room and camera of this data, and for no others.",
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
