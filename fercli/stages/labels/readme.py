"""What stands in the README.txt of an export: how to label, and how the labels come back."""

from collections.abc import Sequence

_TOOLS = {
    "csv": """\
Look at each picture in images/ and write one of the labels into the column `label` of your votes file.
Leave the cell empty to skip a picture. If the column `annotator` is empty, write your name into it, in every line,
or name yourself at the import: fer labels import votes.csv --annotator NAME
""",
    "label-studio": """\
1. Start Label Studio so that it may serve this folder's parent:
   LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=<parent folder> label-studio
2. Make a project, paste labelling-config.xml under Settings > Labeling Interface > Code.
3. Under Settings > Cloud Storage add "Local files" for the images folder, so that pictures are shown.
4. Import tasks.json (one tasks file, and one project, for each annotator where there are several).
5. Export as JSON, JSON-MIN or CSV, and: fer labels import EXPORT
""",
    "cvat": """\
1. Make a task; under "Raw" of the label constructor paste labels.json; upload images.zip.
2. Give each annotator a job of their own: one task for each, or "Consensus replicas" in the advanced settings.
3. Set the assignee of each job; CVAT does not note who set a tag, so the assignee is the annotator.
4. Export each job as "CVAT for images 1.1" (no images needed), and: fer labels import EXPORT.zip
""",
}
_FINAL = """
These are the faces on which the annotators could not agree. Whoever decides them has the last word: labels that come
back from the CSV sheet are final by their annotator's name, `adjudicator`; from other tools import them with --final.
"""


def readme_text(tool: str, classes: Sequence[str], *, num_sheets: int, is_final: bool) -> str:
    """The README of an export for `tool` (csv, label-studio or cvat)."""
    lines = [f"Labels: {', '.join(classes)}; or unknown, where nobody could tell.", ""]
    if num_sheets > 1 and tool != "cvat":
        lines = [f"{num_sheets} sheets, one for each annotator. Everybody works alone.", *lines]
    if num_sheets > 1 and tool == "cvat":
        lines = [f"{num_sheets} annotators. Everybody works alone.", *lines]
    return "\n".join(lines) + _TOOLS[tool] + (_FINAL if is_final else "")
