"""What shape every module's output has, by the module's dotted name."""

import torch
from torch import Tensor, nn


def output_shapes(model: nn.Module, *inputs: Tensor) -> dict[str, tuple[int, ...]]:
    """Run `model` once in evaluation mode; modules that give no single tensor are left out."""
    shapes: dict[str, tuple[int, ...]] = {}

    def keep(name: str) -> None:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                shapes[name] = tuple(output.shape)

        handles.append(model.get_submodule(name).register_forward_hook(hook))

    handles: list[torch.utils.hooks.RemovableHandle] = []
    for name, _ in model.named_modules():
        keep(name)
    with torch.inference_mode():
        model.eval()(*inputs)
    for handle in handles:
        handle.remove()
    return shapes
