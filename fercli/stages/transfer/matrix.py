"""`fer eval RUN... --on A --on B`: each run on each project, as papers print it: trained on by tested on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fercli.core.errors import UsageError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.runs import Run, digest
from fercli.core.tables import read_table
from fercli.core.words import counted
from fercli.data.run_crops import CROPS_FILE, CropRow, PresentCrops
from fercli.reports.score_words import MEASURES, with_interval
from fercli.reports.tables import html_tables, latex_tables, markdown_tables, records_csv
from fercli.reports.text_table import TextTable
from fercli.stages.evaluate import EvalResult, EvalSettings, evaluate, variant_of
from fercli.stages.transfer import MatrixResult, TransferResult, find_target, home_of, transfer
from fercli.stages.transfer.mapping import map_words


def score_on(
    project: Project,
    settings: EvalSettings,
    run: str,
    on: Path,
    *,
    given: Sequence[str] = (),
    all_faces: bool = False,
    **how: Any,  # progress, force, dry_run
) -> EvalResult | TransferResult:
    """A run on a project: by its own sets where it was trained on that project's faces, else by `transfer`."""
    home, found = home_of(project, run)
    if is_own(home, found, on) and not all_faces and not given:
        return evaluate(home, settings, found.run_id, **how)
    return transfer(home, settings, on, found.run_id, list(given), all_faces, **how)


def is_own(home: Project, run: Run, on: Path) -> bool:
    """Whether a run was trained on the faces of this very project, and does not only lie in it."""
    if on.resolve() != home.root.resolve():
        return False
    path = run.folder / CROPS_FILE
    if not path.exists():
        return (run.folder / "split.csv").exists()
    rows = [row for row in read_table(path, CropRow) if row.digest]
    found = PresentCrops(home).digests([row.face_id for row in rows])
    return any(found[row.face_id] == row.digest for row in rows)


def transfer_matrix(
    project: Project,
    settings: EvalSettings,
    runs: Sequence[str],
    projects: Sequence[Path],
    given: Sequence[str],
    *,
    all_faces: bool,
    progress: Progress,
    force: bool,
    dry_run: bool,
) -> MatrixResult:
    """Score every run on every project, unless that was done, and write reports/cross/.

    Raises:
        UsageError: two projects have one name, or a pair of `given` fits none of them.
        FerError: as `evaluate` and `transfer`.
    """
    targets = [find_target(place, settings, all_faces=all_faces).project for place in projects]
    names = [target.name for target in targets]
    if len(set(names)) < len(names):
        raise UsageError(f"two projects are called '{names[0]}'", hint="Give them names in fer.toml: [project] name.")
    words = [_words_for(target, given) for target in targets]
    _check_words(given, words)
    cells: list[dict[str, Any]] = []
    lines: list[str] = []
    warnings: list[str] = []
    found_runs = [home_of(project, run) for run in runs or [""]]
    ids = [found.run_id for _, found in found_runs]
    for home, found in found_runs:
        for place, target, own_words in zip(projects, targets, words, strict=True):
            own = is_own(home, found, place) and not all_faces
            how: dict[str, Any] = {"progress": progress, "force": force, "dry_run": dry_run}
            if own:
                result: EvalResult | TransferResult = evaluate(home, settings, found.run_id, **how)
            else:
                result = transfer(home, settings, place, found.run_id, own_words, all_faces, **how)
            lines += result.plan
            if not dry_run:
                cells.append(_cell(home, found, target, result, own=own))
                warnings += [f"{found.run_id} on {target.name}: {text}" for text in result.warnings]
    lines.append(f"write {_folder(project, settings, ids, names).relative_to(project.root).as_posix()}/")
    if dry_run:
        return MatrixResult(is_dry_run=True, plan=tuple(dict.fromkeys(lines)))
    return _write(project, _folder(project, settings, ids, names), cells, names, warnings)


def matrix_tables(cells: Sequence[Mapping[str, Any]], projects: Sequence[str]) -> list[TextTable]:  # JSON
    """One table a score: rows are runs, with what they were trained on, columns projects."""
    runs = list(dict.fromkeys(cell["run"] for cell in cells))
    by_place = {(cell["run"], cell["project"]): cell for cell in cells}
    tables = []
    for key, word in MEASURES.items():
        rows = []
        for run in runs:
            own = [by_place[run, name] for name in projects]
            rows.append((run, own[0]["trained_on"], *(_shown(cell, key) for cell in own)))
        notes = ["Rows: trained on; columns: tested on. 95% CI in brackets: bootstrap over subjects, videos or faces."]
        if any(cell["is_own"] for cell in cells):
            notes.append("*: the run's own test faces.")
        notes += [f"{name}: {_faces_words(cells, name)}." for name in projects]
        title = f"Across projects: {word}"
        tables.append(TextTable(title, ("run", "trained on", *projects), tuple(rows), tuple(notes)))
    return tables


def _shown(cell: Mapping[str, Any], key: str) -> str:
    marks = "".join(["*"] * cell["is_own"] + [" (other crops)"] * ("other-crops" in cell["variant"]))
    seen = f" ({cell['num_seen']:,} seen)" if cell["num_seen"] else ""
    return f"{with_interval(cell[key])}{marks}{seen}"


def _faces_words(cells: Sequence[Mapping[str, Any]], name: str) -> str:
    found = dict.fromkeys(
        counted(cell["num_faces"], f"{cell['faces']} face") + f" in {counted(cell['num_classes'], 'class', 'classes')}"
        for cell in cells
        if cell["project"] == name
    )
    return ", ".join(found)


def _cell(
    home: Project, run: Run, target: Project, result: EvalResult | TransferResult, *, own: bool
) -> dict[str, Any]:  # JSON values
    trained_on = run.record.data_set or (home.name if is_own(home, run, home.root) else "another project")
    faces, num_left_out, num_seen = "", 0, None
    if isinstance(result, TransferResult):
        faces, num_left_out, num_seen = result.faces, result.num_left_out, result.num_seen
    else:
        faces = result.split
    return {
        "run": run.run_id,
        "trained_on": trained_on,
        "project": target.name,
        "is_own": own,
        "faces": faces,
        "variant": result.variant,
        "num_faces": result.num_faces,
        "num_classes": sum(row["support"] > 0 for row in result.per_class.values()),
        "num_left_out": num_left_out,
        "num_seen": num_seen,
        **{name: getattr(result, name) for name in MEASURES},
    }


def _words_for(target: Project, given: Sequence[str]) -> list[str]:
    """The pairs that speak of this project's classes, or of the run's alone."""
    pairs = [(one, other) for one, other in map_words(given) if not one or one in target.classes]
    return [f'"{one}={other}"' for one, other in pairs]


def _check_words(given: Sequence[str], words: Sequence[Sequence[str]]) -> None:
    used = {pair for one in words for pair in map_words(one)}
    if strange := [pair for pair in map_words(given) if pair not in used]:
        one, other = strange[0]
        raise UsageError(f"--map {one}={other}: none of the projects has a class '{one}'", hint="Correct its name.")


def _folder(project: Project, settings: EvalSettings, ids: Sequence[str], names: Sequence[str]) -> Path:
    mark = digest([settings.split, variant_of(settings), list(ids), list(names)])[:6]
    return project.root / "reports" / "cross" / mark


def _write(
    project: Project,
    folder: Path,
    cells: list[dict[str, Any]],
    names: list[str],
    warnings: Sequence[str],
) -> MatrixResult:
    tables = matrix_tables(cells, names)
    texts = {
        "cross.csv": records_csv([_flat(cell) for cell in cells]),
        "cross.md": markdown_tables(tables),
        "cross.tex": latex_tables(tables),
        "cross.html": html_tables("Runs across projects", tables),
    }
    is_unchanged = all(_holds(folder / name, text) for name, text in texts.items())
    outputs = [f"{folder.relative_to(project.root).as_posix()}/{name}" for name in texts]
    if not is_unchanged:
        with project.commit() as commit:
            for name, text in texts.items():
                commit.text(folder / name, text)
    return MatrixResult(
        name=folder.name,
        runs=tuple(dict.fromkeys(cell["run"] for cell in cells)),
        projects=tuple(names),
        cells=tuple(cells),
        outputs=tuple(outputs),
        warnings=tuple(warnings),
        is_unchanged=is_unchanged,
    )


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_bytes() == text.encode("utf-8")


def _flat(cell: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: value for name, value in cell.items() if name not in MEASURES}
    for name in MEASURES:
        row |= {name: cell[name]["value"], f"{name}_low": cell[name]["low"], f"{name}_high": cell[name]["high"]}
    return row
