from pathlib import Path

import pytest
import torch

from fercli.core.errors import UsageError
from fercli.learn import device
from fercli.learn.device import Machine, choose_machine


def test_asked_precision_is_obeyed() -> None:
    machine = choose_machine("cpu", "bf16")
    assert (machine.device, machine.precision, machine.reason) == ("cpu", "bf16", "as asked")


@pytest.mark.parametrize(
    ("features", "precision", "word"),
    [({"amx_bf16": True}, "bf16", "AMX"), ({"avx512_bf16": True}, "bf16", "AVX-512"), ({}, "fp32", "no bf16")],
    ids=["amx", "avx512", "neither"],
)
def test_auto_precision_follows_the_processor_and_says_why(
    monkeypatch: pytest.MonkeyPatch, features: dict[str, bool], precision: str, word: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    machine = choose_machine("cpu")
    assert machine.precision == precision
    assert word in machine.reason


@pytest.mark.parametrize(
    ("flags", "precision"),
    [("flags\t\t: fpu avx512_bf16 sse\n", "bf16"), ("flags\t\t: fpu sse\n", "fp32"), (None, "fp32")],
    ids=["with bf16", "without", "no Linux"],
)
def test_older_torch_takes_the_features_from_linux(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str | None, precision: str
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(device, "_CPUINFO", tmp_path / "cpuinfo")
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{flags}\nprocessor\t: 1\n{flags}", encoding="utf-8")
    assert choose_machine("cpu").precision == precision


def test_a_machine_is_read_back_from_what_run_json_says_of_it() -> None:
    machine = choose_machine("cpu", "bf16", 1)
    assert Machine.from_json({**machine.to_json(), "num_processes": 2}) == machine
    before_compiling = {"device": "cpu", "precision": "fp32", "reason": "", "num_threads": 1, "device_name": "x"}
    assert not Machine.from_json(before_compiling).is_compiled


@pytest.mark.parametrize("name", ["warp", "", "meta", "privateuseone", "openvino"])
def test_device_that_cannot_compute_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match=f"device '{name}' is not available"):
        choose_machine(name)


def test_autocast_runs_in_the_chosen_precision() -> None:
    for precision, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with choose_machine("cpu", precision).autocast():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == kind
