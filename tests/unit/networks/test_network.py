"""Probes find the sizes of any module, say what does not fit, and leave no trace."""

import inspect

import pytest
import torch
from torch import nn

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.networks import (
    MLP,
    Conv,
    NetworkSpec,
    ResNet,
    accepts_context,
    check_decoder,
    default_network,
    probe_features,
)


class Call(nn.Module):
    """A network that does what a function says."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.function(x)


class WithContext(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.layer = nn.Linear(n_in, n_out)

    def forward(self, x, c):
        return self.layer(torch.cat([x, c], -1))


class Noisy(nn.Module):
    """Everything that a forward pass may disturb: random numbers, statistics, modes."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(6)
        self.frozen = nn.BatchNorm1d(6).eval()
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        h = self.frozen(self.norm(x))
        return self.drop(h + torch.randn_like(h)) + torch.nn.functional.dropout(h)


def test_probing_counts_features():
    assert probe_features(nn.Flatten(), (2, 3), context_dim=0) == 6
    assert probe_features(nn.Linear(6, 4).double(), (6,), context_dim=0) == 4
    assert probe_features(WithContext(8, 5), (6,), context_dim=2) == 5


def test_probing_a_lazy_module_sets_its_sizes():
    network = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    assert probe_features(network, (2, 4), context_dim=0) == 3
    assert network[1].weight.shape == (3, 8)


@pytest.mark.parametrize(
    "probe",
    [
        lambda n: probe_features(n, (6,), context_dim=0),
        lambda n: check_decoder(n, (6,), (6,), context_dim=0),
    ],
)
def test_probing_leaves_no_trace(probe):
    network = Noisy()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [m.training for m in network.modules()]
    random_state = torch.get_rng_state()
    probe(network)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert [m.training for m in network.modules()] == modes == [True, True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())


def test_a_failed_probe_leaves_no_trace_either():
    network = Noisy()
    random_state = torch.get_rng_state()
    with pytest.raises(ShapeError, match=r"^Noisy: the network fails on x: .*\(B, 5\)"):
        probe_features(network, (5,), context_dim=0)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert [m.training for m in network.modules()] == [True, True, False, True]


@pytest.mark.parametrize(
    ("function", "got"),
    [
        (lambda x: x[:, None], r"\(2, 1, 6\) for a batch of 2"),
        (lambda x: x.sum(), r"\(\) for a batch of 2"),
        (lambda x: x.repeat(2, 1), r"\(4, 6\) for a batch of 2"),
        (lambda x: x[:, :0], r"\(2, 0\) for a batch of 2"),
        (lambda x: x.long(), r"\(2, 6\) of torch\.int64 for a batch of 2"),
        (lambda x: (x, x), "tuple"),
        (lambda x: None, "NoneType"),
    ],
)
def test_what_is_not_features_is_refused(function, got):
    message = rf"^Call: the encoder must return features; .*\(B, features\), got {got}\. End it"
    with pytest.raises(ShapeError, match=message):
        probe_features(Call(function), (6,), context_dim=0)


def broken(error):
    def function(x):
        raise error

    return Call(function)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("no"),
        ValueError("no"),
        TypeError("no"),
        IndexError("no"),
        AssertionError("no"),
    ],
)
def test_failures_inside_a_network_become_typed_errors(error):
    with pytest.raises(ShapeError, match=r"^Call: the network fails on x: no; ") as caught:
        probe_features(broken(error), (6,), context_dim=0)
    assert caught.value.__cause__ is error
    with pytest.raises(ShapeError, match=r"^Call: the network fails on z: no; "):
        check_decoder(broken(error), (6,), (6,), context_dim=0)


@pytest.mark.parametrize("error", [DataError("mine"), AttributeError("bug"), ZeroDivisionError()])
def test_typed_errors_and_plain_bugs_pass_through(error):
    with pytest.raises(type(error)) as caught:
        probe_features(broken(error), (6,), context_dim=0)
    assert caught.value is error


# --- decoders ---------------------------------------------------------------------------------


def test_a_decoder_of_the_right_shape_is_accepted():
    decoder = nn.Sequential(nn.Linear(2, 64), nn.Unflatten(1, (1, 8, 8)))
    assert check_decoder(decoder, (2,), (1, 8, 8), context_dim=0) is None
    assert check_decoder(WithContext(5, 7), (2,), (7,), context_dim=3) is None


@pytest.mark.parametrize(
    ("decoder", "got"),
    [
        (nn.Linear(2, 64), r"\(2, 64\)"),
        (nn.Sequential(nn.Linear(2, 128), nn.Unflatten(1, (2, 8, 8))), r"\(2, 2, 8, 8\)"),
        (nn.Sequential(nn.Linear(2, 32), nn.Unflatten(0, (1, 2))), r"\(1, 2, 32\)"),
        (Call(lambda z: [z]), "list"),
    ],
)
def test_a_decoder_of_the_wrong_shape_is_refused(decoder, got):
    message = (
        r"the decoder does not return what the likelihood reads; expected .*\(N, 1, 8, 8\), "
        rf"got {got}.*return 64 numbers .*nn\.Unflatten\(1, \(1, 8, 8\)\)$"
    )
    with pytest.raises(ShapeError, match=message):
        check_decoder(decoder, (2,), (1, 8, 8), context_dim=0)


def test_a_decoder_of_other_codes_is_refused():
    with pytest.raises(ShapeError, match=r"^Linear: the network fails on z: .*shape \(B, 2\)"):
        check_decoder(nn.Linear(3, 4), (2,), (4,), context_dim=0)
    with pytest.raises(ShapeError, match=r"fails on z: .*with a context of shape \(B, 9\)"):
        check_decoder(WithContext(5, 7), (2,), (7,), context_dim=9)


# --- context ----------------------------------------------------------------------------------


def test_accepts_context_reads_the_signature():
    assert accepts_context(WithContext(2, 2))
    assert accepts_context(Conv().encoder((1, 8, 8)))
    assert not accepts_context(nn.Sequential(nn.Flatten()))


@pytest.mark.parametrize(
    ("probe", "argument"),
    [
        (lambda n: probe_features(n, (6,), context_dim=2), "x"),
        (lambda n: check_decoder(n, (6,), (6,), context_dim=2), "z"),
    ],
)
def test_a_context_that_the_network_cannot_take_is_refused(probe, argument):
    message = (
        r"^the model has a context but Flatten\.forward takes none; "
        rf"expected forward\({argument}, c\), got forward\(input"
    )
    with pytest.raises(ConfigError, match=message):
        probe(nn.Flatten())


# --- defaults ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 28, 28), Conv()),
        ((3, 16, 300), Conv()),
        ((1, 8, 8), MLP(hidden=(256, 128))),
        ((1, 15, 300), MLP(hidden=(256, 128))),
        ((30,), MLP(hidden=(256, 128))),
        ((32, 32), MLP(hidden=(256, 128))),
        ((1, 32, 32, 32), MLP(hidden=(256, 128))),
    ],
)
def test_default_network(shape, expected):
    made = default_network(shape)
    assert made == expected
    assert made.encoder(shape)(torch.zeros(1, *shape)).dim() == 2


@pytest.mark.parametrize("cls", [MLP, Conv, ResNet])
def test_specs_satisfy_the_protocol(cls):
    assert isinstance(cls(), NetworkSpec)
    for name in ("encoder", "decoder"):
        parameters = inspect.signature(getattr(cls, name)).parameters
        assert parameters["context_dim"].kind is inspect.Parameter.KEYWORD_ONLY
