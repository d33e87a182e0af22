"""Prepare a network with pretrained weights for further training.

C channels, H W pixels.
"""

from collections.abc import Iterable, Iterator
from random import Random

from jaxtyping import Float
from torch import Tensor, nn

from fercli.data.seeding import derive_seed
from fercli.data.transforms import InputFormat, to_input
from fercli.learn.freezing import check_something_learns
from fercli.learn.norms import add_calibrated_norms
from fercli.learn.recipe import Plan
from fercli.learn.training import Faces
from fercli.models.pretrained.refit import refit_norms
from fercli.models.pretrained.weights import LoadReport

# What normalisation is given the statistics of, and how many of them go through the network at once.
_NUM_FACES, _BATCH = 256, 64


def ready_to_learn(
    model: nn.Module, report: LoadReport, plan: Plan, batches: Iterable[Float[Tensor, "batch C H W"]]
) -> tuple[str, ...]:
    """Give normalisation the statistics of `batches` where the file has none; what the network says of them stays.

    Args:
        model: filled from the file.
        report: what became of the file.
        plan: says whether normalisation is added, and what rests at first.
        batches: inputs of the network, as it is fed.

    Returns:
        Names of all that came from the file.

    Raises:
        UsageError: all of it is to rest, and nothing would learn.
    """
    loaded = list(report.loaded)
    if report.folds_norms:
        loaded += refit_norms(model, batches, report.loaded)
    elif plan.adds_norms:
        # A layer that the file left fresh is normalised too, and stays fresh.
        filled = {name.rpartition(".")[0] for name in report.loaded}
        loaded += [name for name in add_calibrated_norms(model, batches) if name.rpartition(".")[0] in filled]
    check_something_learns(model, loaded, plan)
    return tuple(loaded)


def some_inputs(faces: Faces, form: InputFormat, seed: int) -> Iterator[Float[Tensor, "batch C H W"]]:
    """A few faces drawn from `seed`, as the network is fed them, in batches."""
    num = len(faces.targets)
    places = sorted(Random(derive_seed(seed, "norms")).sample(range(num), min(_NUM_FACES, num)))
    orders = [places[start : start + _BATCH] for start in range(0, len(places), _BATCH)]
    return (to_input(images, form) for images in faces.crops.batches(orders))
