"""`fer train`: train a model on a split and save weights, metrics and provenance."""

from fercli.core.stage import Argument, Stage
from fercli.stages.train.identity import as_known_now, finished_before, glance, last_used, settle
from fercli.stages.train.result import TrainResult
from fercli.stages.train.settings import TrainSettings

__all__ = ["TrainResult", "TrainSettings", "train"]

train = Stage(
    words="train",
    settings=TrainSettings,
    result=TrainResult,
    work="fercli.stages.train.work",
    arguments=(Argument("resume", str, "Resume this interrupted run.", "RUN", default="", option="--resume"),),
    settle=settle,
    known=finished_before,
    last=last_used,
    glance=glance,
    is_whole=True,
    now=as_known_now,
)
