import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fercli.core.errors import InputError
from fercli.models.build import build_model
from fercli.models.networks.mobilenet import FaceMobileNet
from fercli.models.pretrained.tfjs import read_tfjs
from fercli.models.pretrained.tfjs_files import weight_files
from fercli.models.pretrained.weights import load_backbone_weights
from tests.models.tfjs_model import WIDTHS, face_arrays, reference_map, write_tfjs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_tfjs(face_arrays(), tmp_path / "faceres.json", num_parts=3)
    return tmp_path / "faceres.json"


@pytest.mark.parametrize("side", [64, 75])
def test_face_weights_give_the_reference_map(path: Path, side: int) -> None:
    model = FaceMobileNet(7, widths=WIDTHS).eval()
    report = load_backbone_weights(model, path)
    image = torch.randn(2, 3, side, side)
    with torch.no_grad():
        torch.testing.assert_close(model.backbone(image), reference_map(face_arrays(), image), atol=1e-3, rtol=1e-3)
    assert report.layout == "HSE-FaceRes MobileNet of TensorFlow.js"
    assert (len(report.loaded), report.missing, report.unexpected) == (67, (), ())
    assert report.folds_norms
    assert "1 entry of a head" in report.notes[0]
    assert "VGGFace2" in report.notes[1]


@pytest.mark.parametrize(("stored", "error"), [("float16", 2e-3), ("uint16", 1e-4), ("uint8", 0.02)])
def test_quantised_weights_are_turned_back(tmp_path: Path, stored: str, error: float) -> None:
    write_tfjs(face_arrays(), tmp_path / "model.json", stored=stored)
    found = read_tfjs(tmp_path / "model.json")
    for name, array in face_arrays().items():
        if array.ndim and array.dtype == np.float32:
            assert found[name].numel() == array.size
            np.testing.assert_allclose(np.sort(found[name].flatten()), np.sort(array.flatten()), atol=error)


def test_constants_of_the_graph_are_no_weights(path: Path) -> None:
    assert not {"conv1_relu/Cast", "global_pooling/Mean/reduction_indices"} & read_tfjs(path).keys()


def test_other_networks_refuse_the_file(path: Path) -> None:
    with pytest.raises(InputError, match="do not match the backbone of DrfMsam"):
        load_backbone_weights(build_model("drf-msam", num_classes=7), path)


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another folder": (lambda group: group["paths"].__setitem__(0, "../other.bin"), "not a file beside it"),
    "a whole path": (lambda group: group["paths"].__setitem__(0, "/etc/passwd"), "not a file beside it"),
    "a drive": (lambda group: group["paths"].__setitem__(0, "C:other.bin"), "not a file beside it"),
    "a number": (lambda group: group["paths"].__setitem__(0, 7), "not a file beside it"),
    "gone": (lambda group: group["paths"].__setitem__(0, "gone.bin"), "gone.bin: cannot be read"),
    "too short": (lambda group: group["paths"].pop(), "its .bin files at"),
    "too long": (lambda group: group["weights"].pop(), "its weights take"),
    "odd kind": (lambda group: group["weights"][0].update(dtype="string"), "'string' of shape"),
    "odd shape": (lambda group: group["weights"][0].update(shape=[-1, 4]), "of shape"),
    "no shape": (lambda group: group["weights"][0].pop("shape"), "it has no 'shape'"),
    "no name": (lambda group: group["weights"][0].pop("name"), "it has no 'name'"),
    "no table": (lambda group: group.update(weights=[3]), "not a TensorFlow.js model"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_manifest_that_does_not_fit_is_one_clear_line(path: Path, name: str) -> None:
    change, words = CHANGES[name]
    model = json.loads(path.read_text(encoding="utf-8"))
    change(model["weightsManifest"][0])
    path.write_text(json.dumps(model), encoding="utf-8")
    with pytest.raises(InputError, match=words) as caught:
        read_tfjs(path)
    assert path.parent.name in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]{}", '"word"', "3", "null", '{"weightsManifest": 4}', "[" * 100_000])
def test_text_that_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"odd\.json: not a TensorFlow\.js model"):
        read_tfjs(tmp_path / "odd.json")


def test_the_files_of_a_model_are_known_without_reading_them(path: Path) -> None:
    assert [file.name for file in weight_files(path)] == [path.name, *(f"group1-shard{n}of3.bin" for n in (1, 2, 3))]
    assert weight_files(Path("a.safetensors")) == [Path("a.safetensors")]
    (path.parent / "group1-shard2of3.bin").unlink()
    with pytest.raises(InputError, match=r"shard2of3\.bin: no such file"):
        weight_files(path)
