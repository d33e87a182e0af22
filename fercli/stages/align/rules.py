"""Give the cutting rules of a project or run, so that faces of other images are found and cut in the same way."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fercli.core.project import Project
from fercli.core.runs import Run
from fercli.stages.align import RULE_OF, AlignSettings, rules_of, told_rules
from fercli.vision.cutting import CuttingRules


def settings_rules(settings: AlignSettings) -> CuttingRules:
    """The rules that the settings ask for."""
    return CuttingRules(
        min_confidence=settings.min_confidence,
        min_face_px=settings.min_face,
        max_faces=settings.max_faces,
        size=settings.size,
        margin=settings.margin,
        template=settings.template,
        max_roll_deg=settings.max_roll,
        max_yaw=settings.max_yaw,
        max_blur=settings.max_blur,
    )


def cutting_rules(project: Project) -> CuttingRules:
    """The rules by which the project's own faces were cut; the built-in ones where it has none."""
    return replace(CuttingRules(), **told_rules(project))


def recorded_rules(project: Project) -> dict[str, Any]:  # JSON
    """The same as a run records them: only what says how a face is found and cut, not which faces are learnt from."""
    rules = cutting_rules(project)
    return {rule: getattr(rules, rule) for rule in RULE_OF.values()}


def run_rules(project: Project, run: Run) -> CuttingRules:
    """The rules by which the faces of a run were cut."""
    return replace(CuttingRules(), **rules_of(project, run))


def rule_words(project: Project, run: Run) -> list[str]:
    """A sentence where the faces of a run were, or may have been, cut otherwise than the project's are now."""
    now = recorded_rules(project)
    if run.record.cutting is None:
        return [
            f"Run '{run.run_id}' does not record how its faces were cut; they are cut by the project's present "
            f"settings ({_listed(now)})."
        ]
    if not (differing := _differing(now, run)):
        return []
    return [
        f"Faces are cut as they were for run '{run.run_id}' ({differing[0]}), not as the project's are now "
        f"({differing[1]})."
    ]


def crop_words(project: Project, run: Run) -> list[str]:
    """A sentence where the project's crops, which are predicted as they are, were cut otherwise than those of a run."""
    clause = crop_difference(project, run)
    return [f"{clause[0].upper()}{clause[1:]}, so its predictions may be less accurate."] if clause else []


def crop_difference(project: Project, run: Run) -> str:
    """How the project's crops were, or may have been, cut otherwise than those of a run; empty where they were not."""
    if run.record.cutting is None or not (differing := _differing(recorded_rules(project), run)):
        return ""
    before, now = differing
    if not told_rules(project):
        return f"the crops of this project were not cut by fercli, those of '{run.run_id}' by other rules ({before})"
    return f"the crops of this project are cut otherwise ({now}) than those of '{run.run_id}' ({before})"


def is_measured_on(run: Run, rules: Mapping[str, Any]) -> bool:  # JSON
    """Whether a run's record tells how accurate it is on faces that are cut by these rules, which are not its own."""
    return rules in run.record.result.get("also_measured_on", ())  # type: ignore[operator]  # JSON


def _differing(now: Mapping[str, Any], run: Run) -> tuple[str, str] | None:  # JSON
    """The run's rules and the present ones, as far as they differ."""
    before = run.record.cutting or {}
    changed = [name for name in now if name in before and before[name] != now[name]]
    if not changed:
        return None
    return _listed({name: before[name] for name in changed}), _listed({name: now[name] for name in changed})


def _listed(rules: Mapping[str, Any]) -> str:  # JSON
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in rules.items()
    )
