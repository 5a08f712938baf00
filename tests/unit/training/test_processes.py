"""One process alone, and how a batch is shared out."""

import pytest
import torch

from vaekit.data import Batch
from vaekit.distributions import batch_mean, sharing
from vaekit.errors import ConfigError
from vaekit.training import Processes
from vaekit.training.processes import Share


class Several:
    """Stands for processes of which only the number matters."""

    def __init__(self, count):
        self.count = count


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("rows", [1, 2, 7, 8, 20])
def test_shares_hold_every_row_once_and_sum_to_one(count, rows):
    shares = [Share(Several(count), rows, rank=rank) for rank in range(count)]
    batch = Batch(torch.arange(rows).float()[:, None])
    held = torch.cat([share.part(batch).x for share in shares if share.share])
    assert held[:, 0].tolist() == list(range(rows))
    assert sum(share.share for share in shares) == pytest.approx(1.0)
    assert all(len(share.part(batch)) for share in shares), "everybody takes part in the step"


def test_the_noise_of_a_share_is_that_of_its_rows():
    from vaekit.distributions import Normal, StandardNormal

    whole = Normal(torch.zeros(7, 3), torch.ones(7, 3))
    torch.manual_seed(0)
    expected, free = whole.rsample((2,)), StandardNormal(torch.zeros(3)).rsample((4,))
    for rank in range(2):
        share = Share(Several(2), 7, rank=rank)
        some = slice(share.first, share.last)
        with share.drawing():
            torch.manual_seed(0)
            part = Normal(whole.loc[some], whole.scale[some]).rsample((2,))
            assert torch.equal(part, expected[:, some])
            assert torch.equal(StandardNormal(torch.zeros(3)).rsample((4,)), free)


def test_a_mean_over_the_batch_sums_the_weighted_means_of_the_shares():
    x = torch.tensor([1.0, 2.0, 6.0])
    parts = []
    for mine in (x[:1], x[1:]):
        with sharing(len(mine) / 3, lambda mean: parts.append(mean) or mean):
            batch_mean(mine.mean())
    assert float(sum(parts)) == pytest.approx(3.0)
    assert float(batch_mean(x.mean())) == pytest.approx(3.0)


def test_one_process_is_first_and_holds_everything():
    alone = Processes(accelerator="cpu").launch()
    assert alone.is_first
    assert alone.share_of(5) is None
    assert alone.from_first(lambda: 3) == 3
    alone.wait()


@pytest.mark.parametrize(("accelerator", "devices"), [("tpu", 1), ("nonsense", 1)])
def test_devices_that_are_not_there_are_refused(accelerator, devices):
    with pytest.raises(ConfigError, match="devices cannot be used"):
        Processes(accelerator=accelerator, devices=devices)
