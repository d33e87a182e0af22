"""`fer models`."""

from typing import Annotated

import typer

from fercli.cli.options import Call, makes_project
from fercli.core.baseline import NAME as BASELINE
from fercli.stages.models import ModelsResult
from fercli.stages.models import models as tell_models


@makes_project
def models(
    call: Call,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Show the details of this model.")] = None,
    weights: Annotated[bool, typer.Option("--weights", help="Show where to get pretrained weights.")] = False,
) -> ModelsResult:
    """Stage -> show; works outside a project."""
    result = tell_models(name, with_weights=weights)
    if not call.json:
        # Rich is loaded only to show.
        from fercli.cli.show.models import show_baseline, show_model, show_models, show_weights

        if weights:
            show_weights(result.weights)
        elif name is None:
            show_models(result.models, result.baseline)
        elif result.baseline and name == BASELINE:
            show_baseline(result.baseline)
        else:
            show_model(result.models[0], result.weights)
        call.has_shown = True
    return result
