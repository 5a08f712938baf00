"""Critics: their scores by hand, and their widths."""

import pytest
import torch

from vaekit.networks import Critic


def test_a_score_by_hand():
    critic = Critic(2, hidden=(2,))
    first, _, last = critic.layers
    with torch.no_grad():
        first.weight.copy_(torch.eye(2))
        first.bias.zero_()
        last.weight.copy_(torch.tensor([[1.0, 10.0]]))
        last.bias.fill_(0.5)
    assert critic(torch.tensor([3.0, -1.0])).item() == pytest.approx(3 - 10 * 0.2 + 0.5)


@pytest.mark.parametrize("shape", [(), (4,), (2, 4)])
def test_there_is_a_score_for_each_point(shape):
    assert Critic(3, hidden=(5, 4))(torch.randn(*shape, 3)).shape == shape


def test_scores_are_in_single_precision_at_least():
    half = Critic(3, hidden=(5,)).to(torch.bfloat16)
    assert half(torch.zeros(4, 3, dtype=torch.bfloat16)).dtype == torch.float32
