import torch

from fercli.learn.pretrained import ready_to_learn, some_inputs
from fercli.models.build import build_model
from fercli.models.pretrained.weights import LoadReport
from tests.learn.drawn import FORM, faces, plan


def test_some_inputs_are_drawn_from_the_seed_and_none_twice() -> None:
    many = faces(300)
    batches = list(some_inputs(many, FORM, seed=3))
    assert [len(batch) for batch in batches] == [64, 64, 64, 64]
    assert len(torch.cat(batches).flatten(1).unique(dim=0)) == 256
    again, other = (torch.cat(list(some_inputs(many, FORM, seed=seed))) for seed in (3, 4))
    assert torch.equal(torch.cat(batches), again)
    assert not torch.equal(again, other)


def test_few_faces_are_all_taken() -> None:
    assert [len(batch) for batch in some_inputs(faces(70), FORM, seed=0)] == [64, 6]


def test_network_with_norms_of_its_own_and_whole_weights_is_left_as_it_was() -> None:
    model = build_model("fercli-compact", num_classes=2, stem=8, widths=(8, 8, 16), depths=(1, 1, 1))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    report = LoadReport("own", ("stem.0.weight",), (), (), ())
    assert ready_to_learn(model, report, plan(), some_inputs(faces(8), FORM, seed=0)) == ("stem.0.weight",)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_head_that_the_file_left_fresh_is_not_taken_for_filled() -> None:
    model = build_model("drf-msam", num_classes=2, width=8, hidden=16)
    names = [name for name, _ in model.named_parameters()]
    filled = [name for name in names if not name.startswith("classify")]
    assert len(filled) < len(names)
    report = LoadReport("own", tuple(filled), tuple(set(names) - set(filled)), (), ())
    how = plan(adds_norms=True, epochs=3, freeze_epochs=3)
    loaded = ready_to_learn(model, report, how, some_inputs(faces(8), FORM, seed=0))
    # The head alone learns, normalised like the rest.
    assert set(loaded) >= set(filled)
    assert not [name for name in loaded if name.startswith("classify")]
    assert any(name.startswith("classify") for name, _ in model.named_buffers())
