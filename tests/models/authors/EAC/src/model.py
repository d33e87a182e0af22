"""A stand-in for the authors' checkout of EAC: their names of layers, otherwise nothing of theirs."""

import pickle
from pathlib import Path
from types import SimpleNamespace

from resnet import resnet  # type: ignore[import-not-found]  # beside this file, as in the checkout
from torch import Tensor, nn


class Model(nn.Module):
    """Reads pretrained weights first, as theirs does; `blocks` are 3, 4, 6, 3 in theirs."""

    def __init__(self, args: SimpleNamespace, blocks: list[int]) -> None:
        super().__init__()
        network = resnet(blocks)
        network.load_state_dict(dict(pickle.loads(Path(args.resnet50_path).read_bytes())))
        *trunk, pool, _ = network.children()
        self.features, self.features2 = nn.Sequential(*trunk), nn.Sequential(pool)
        self.fc = nn.Linear(2048, 7)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.features(x)
        return self.fc(self.features2(maps).flatten(1)), maps
