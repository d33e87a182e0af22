"""Python API of fercli; each function mirrors a `fer` command.

```python
import fercli

project = fercli.create_project(Path("my-class"), name="my-class", classes=("happy", "bored"))
fercli.add(project, fercli.AddSettings(), [Path("lesson.mp4")])
fercli.extract_frames(project, fercli.ExtractFramesSettings(every_s=2.0))
```

Names are loaded when they are first asked for, so that `import fercli` costs nothing.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES: dict[str, tuple[str, ...]] = {
    "fercli.core.project": ("Project", "create_project", "find_project"),
    "fercli.stages.table": ("open_project",),
    "fercli.core.errors": ("FerError",),
    "fercli.data.frames": ("frame",),
    "fercli.models.build": ("build_model",),
    "fercli.models.table.specs": ("MODELS",),
    "fercli.stages.add": ("AddSettings", "add"),
    "fercli.stages.extract_frames": ("ExtractFramesSettings", "extract_frames"),
    "fercli.stages.align": ("AlignSettings", "align"),
    "fercli.stages.subjects": (
        "TrackSettings",
        "assign_subjects",
        "confirm_subjects",
        "match_subjects",
        "merge_subjects",
        "rename_subject",
        "split_subject",
        "track_subjects",
        "undo_subjects",
    ),
    "fercli.stages.labels.importing": ("LabelsImportSettings", "labels_import"),
    "fercli.stages.labels.vote": ("LabelsVoteSettings", "labels_vote"),
    "fercli.stages.split": ("SplitSettings", "split"),
    "fercli.stages.train": ("TrainSettings", "train"),
    "fercli.stages.train.series": ("train_series",),
    "fercli.stages.study": ("AblateSettings", "SweepSettings", "ablate", "sweep"),
    "fercli.stages.evaluate": ("EvalSettings", "evaluate"),
    "fercli.stages.compare": ("CompareSettings", "compare"),
    "fercli.stages.gradcam": ("GradcamSettings", "gradcam"),
    "fercli.stages.groups": ("groups",),
    "fercli.stages.pool": ("pool",),
    "fercli.stages.transfer": ("transfer",),
    "fercli.stages.predict": ("PredictSettings", "predict"),
    "fercli.stages.report": ("ReportSettings", "report"),
    "fercli.stages.trace": ("trace",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = [*sorted(_HOME_OF), "__version__"]


def __getattr__(name: str) -> Any:  # whatever the name stands for
    if name not in _HOME_OF:
        raise AttributeError(f"module 'fercli' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
