import torch
from torch import nn

from fercli.learn.ema import WeightAverage


def test_average_follows_the_weights_with_a_warmed_up_decay() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
    average = WeightAverage(model, 0.9)
    with torch.no_grad():
        model.weight.fill_(1.0)
    average.update()  # decay 1/10: 0.9
    average.update()  # decay 2/11: 1 - 0.1 * 2/11
    torch.testing.assert_close(average.model.weight, torch.tensor([[1 - 0.1 * 2 / 11]]))


def test_counters_are_copied_and_running_means_averaged() -> None:
    model = nn.BatchNorm1d(1)
    average = WeightAverage(model, 0.0)
    model(torch.tensor([[1.0], [3.0]]))
    average.update()
    assert average.model.num_batches_tracked is not None
    assert int(average.model.num_batches_tracked) == 1
    torch.testing.assert_close(average.model.running_mean, model.running_mean)


def test_average_needs_no_gradient_and_does_not_touch_the_model() -> None:
    model = nn.Linear(2, 2)
    before = model.weight.clone()
    average = WeightAverage(model, 0.5)
    average.update()
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
    assert torch.equal(model.weight, before)
