import contextlib
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from fercli.core.errors import InputError
from fercli.learn import checkpoints
from fercli.learn.checkpoints import copy_into, drop_state, load_checkpoint, load_state, save_checkpoint, save_state
from fercli.learn.state import _like

FIRST = {"weight": torch.arange(6.0).reshape(2, 3), "half": torch.ones(2, dtype=torch.bfloat16)}
SECOND = {"weight": torch.zeros(2, 3), "half": torch.zeros(2, dtype=torch.bfloat16)}


def test_checkpoint_comes_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, FIRST, {"epoch": 3, "classes": ["a", "b"]})
    loaded = load_checkpoint(path)
    assert loaded.meta == {"epoch": 3, "classes": ["a", "b"]}
    assert all(torch.equal(loaded.tensors[name], tensor) for name, tensor in FIRST.items())


def test_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, FIRST, {})
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"is corrupt or modified .SHA-256 mismatch") as caught:
        load_checkpoint(path)
    assert "--checkpoint last" in caught.value.hint


def test_missing_file_of_the_pair_is_named(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    with pytest.raises(InputError, match=r"best\.safetensors' does not exist"):
        load_checkpoint(path)
    save_checkpoint(path, FIRST, {})
    path.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"best\.json' does not exist"):
        load_checkpoint(path)


def test_pickled_file_is_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(FIRST, path)
    with pytest.raises(InputError, match="is not a fercli checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize("note", ["{", '{"schema": "other"}'])
def test_damaged_note_is_refused(tmp_path: Path, note: str) -> None:
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, FIRST, {})
    path.with_suffix(".json").write_text(note, encoding="utf-8")
    with pytest.raises(InputError, match=r"best\.json"):
        load_checkpoint(path)


def test_process_killed_between_the_two_files_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, FIRST, {"epoch": 1})

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "replace_bytes", die)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, SECOND, {"epoch": 2})
    loaded = load_checkpoint(path)
    assert loaded.meta == {"epoch": 1}
    assert torch.equal(loaded.tensors["weight"], FIRST["weight"])


def test_newest_state_is_loaded(tmp_path: Path) -> None:
    for position in (1, 2, 3):
        save_state(tmp_path, {"at": torch.tensor(position)}, {"position": position})
    state = load_state(tmp_path)
    assert state is not None
    assert int(state.tensors["at"]) == 3


def test_damaged_newest_state_falls_back_to_the_one_before(tmp_path: Path) -> None:
    for position in (1, 2):
        save_state(tmp_path, {"at": torch.tensor(position)}, {"position": position})
    (newest,) = [path for path in tmp_path.glob("*.json") if json.loads(path.read_text())["meta"]["position"] == 2]
    newest.with_suffix(".safetensors").write_bytes(b"cut off")
    state = load_state(tmp_path)
    assert state is not None
    assert int(state.tensors["at"]) == 1


def test_a_kill_while_saving_costs_no_newer_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for position in (10, 20):
        save_state(tmp_path, {"at": torch.tensor(position)}, {"position": position})

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "replace_bytes", die)
        with pytest.raises(KeyboardInterrupt):
            save_state(tmp_path, {"at": torch.tensor(30)}, {"position": 30})
    state = load_state(tmp_path)
    assert state is not None
    assert (int(state.tensors["at"]), state.meta["position"]) == (20, 20)
    save_state(tmp_path, {"at": torch.tensor(25)}, {"position": 25})
    positions = sorted(load_checkpoint(path).meta["position"] for path in tmp_path.glob("*.safetensors"))
    assert positions == [20, 25]


def test_all_states_damaged_is_an_error_not_a_new_start(tmp_path: Path) -> None:
    save_state(tmp_path, FIRST, {"position": 1})
    (tmp_path / "state-a.safetensors").write_bytes(b"cut off")
    with pytest.raises(InputError, match="is corrupt or modified"):
        load_state(tmp_path)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 9))
def test_a_kill_at_any_renaming_leaves_the_last_whole_state_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, moment: str
) -> None:
    renamed = []
    true_replace = Path.replace

    def replace(path: Path, target: Path) -> None:
        renamed.append(target)
        if len(renamed) < number or moment == "after":
            true_replace(path, target)
        if len(renamed) == number:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(Path, "replace", replace)
        for position in (1, 2, 3, 4):
            save_state(tmp_path, {"at": torch.tensor(position)}, {"position": position})
    assert len(renamed) == number
    # Two files make a state, its note and its data.
    num_whole = (number if moment == "after" else number - 1) // 2
    state = load_state(tmp_path)
    assert (int(state.tensors["at"]) if state else 0) == num_whole
    save_state(tmp_path, {"at": torch.tensor(9)}, {"position": 9})
    state = load_state(tmp_path)
    assert state is not None
    assert int(state.tensors["at"]) == 9


def test_states_that_were_there_and_vanished_are_an_error_not_a_new_start(tmp_path: Path) -> None:
    for position in (1, 2):
        save_state(tmp_path, FIRST, {"position": position})
    for path in tmp_path.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(InputError, match=r"state-a\.safetensors' cannot be read") as caught:
        load_state(tmp_path)
    assert "with --force, without --resume" in caught.value.hint


def test_state_that_was_saved_twice_in_its_place_and_vanished_is_an_error(tmp_path: Path) -> None:
    for position in (1, 2, 3):
        save_state(tmp_path, FIRST, {"position": position})
    for path in (*tmp_path.glob("*.safetensors"), tmp_path / "state-b.json"):
        path.unlink()
    with pytest.raises(InputError, match=r"state-a\.safetensors' cannot be read"):
        load_state(tmp_path)


def test_dropped_states_are_gone_and_weights_stay(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "best.safetensors", FIRST, {})
    save_state(tmp_path, FIRST, {"position": 1})
    drop_state(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.json", "best.safetensors"]
    assert load_state(tmp_path) is None


def test_restored_step_counter_lies_where_fused_updates_read_it() -> None:
    parameter = nn.Parameter(torch.zeros(3, device="meta"))
    assert _like(parameter, torch.tensor(5.0)).device.type == "meta"
    assert _like(nn.Parameter(torch.zeros(3)), torch.tensor(5.0)).item() == 5


def test_restored_tensor_takes_the_memory_format_of_its_place() -> None:
    target = torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last)
    source = torch.rand(2, 3, 4, 4)
    placed = copy_into(target, source)
    assert placed.stride() == target.stride()
    assert torch.equal(placed, source)


def test_note_whose_values_were_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, FIRST, {"classes": ["happy", "sad"]})
    note = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    note["meta"]["classes"].reverse()
    path.with_suffix(".json").write_text(json.dumps(note), encoding="utf-8")
    with pytest.raises(InputError, match=r"best\.json' is corrupt or modified"):
        load_checkpoint(path)


def test_state_whose_note_was_changed_is_not_gone_on_from(tmp_path: Path) -> None:
    for position in (1, 2):
        save_state(tmp_path, FIRST, {"position": position})
    (newest,) = [path for path in tmp_path.glob("*.json") if json.loads(path.read_text())["meta"]["position"] == 2]
    newest.write_text(newest.read_text().replace('"position": 2', '"position": 7'), encoding="utf-8")
    loaded = load_state(tmp_path)
    assert loaded is not None
    assert loaded.meta["position"] == 1


def test_note_of_the_version_before_has_no_digest_of_its_values_and_is_read(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, FIRST, {"epoch": 3})
    note = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    del note["meta_sha256"]
    path.with_suffix(".json").write_text(json.dumps(note), encoding="utf-8")
    assert load_checkpoint(path).meta == {"epoch": 3}
