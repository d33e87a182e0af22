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
    before = run.record.cutting
    changed = [name for name in now if name in before and before[name] != now[name]]
    if not changed:
        return []
    return [
        f"Faces are cut as they were for run '{run.run_id}' ({_listed({name: before[name] for name in changed})}), "
        f"not as the project's are now ({_listed({name: now[name] for name in changed})})."
    ]


def _listed(rules: Mapping[str, Any]) -> str:  # JSON
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in rules.items()
    )
