"""Conv and ResNet: any size, any number of channels, and what every network must keep."""

import math

import pytest
import torch
from sklearn.datasets import load_digits

from vaekit.errors import ConfigError
from vaekit.networks import Conv, ResNet, probe_features
from vaekit.networks.image import channels_last
from vaekit.spec import from_json, spec_of, to_json

SIZES = [(1, 1), (1, 9), (2, 2), (5, 3), (7, 13), (8, 8), (16, 17), (28, 20), (28, 28), (105, 105)]
SMALL = [
    pytest.param(Conv(channels=(6, 8), hidden=(10,)), id="conv"),
    pytest.param(Conv(channels=(6, 8), hidden=(10,), kernel=5, activation="gelu"), id="conv-5"),
    pytest.param(ResNet(channels=(8, 12), hidden=(10,), blocks=1), id="resnet"),
    pytest.param(ResNet(channels=(8, 12), hidden=(10,), blocks=2, norm="none"), id="resnet-none"),
]


def random_inputs(shape, context, *, n=5, dtype=torch.float64):
    x = torch.randn(n, *shape, dtype=dtype)
    return (x, torch.randn(n, context, dtype=dtype)) if context else (x,)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("channels", "factor"), [(1, 1), (1, 2), (3, 2), (2, 256), (5, 1)])
@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize(
    "net", [Conv(channels=(4, 6, 8), hidden=(9,)), ResNet(channels=(4, 8), blocks=1, hidden=())]
)
def test_shapes(net, size, channels, factor, context):
    event, params = (channels, *size), (channels * factor, *size)
    encoder = net.encoder(event, context_dim=context)
    h = encoder(*random_inputs(event, context, n=2, dtype=torch.float32))
    assert h.shape == (2, probe_features(encoder, event, context_dim=context))
    decoder = net.decoder((3,), params, context_dim=context)
    y = decoder(*random_inputs((3,), context, n=2, dtype=torch.float32))
    assert y.shape == (2, *params)
    assert y.is_contiguous()


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (8, 8), (28, 20), (105, 105), (1, 300)])
@pytest.mark.parametrize("net", [Conv(), ResNet(width=8, blocks=1)])
def test_defaults_end_on_a_small_grid(net, size):
    decoder = net.decoder((2,), (1, *size))
    channels, *grid = decoder.grid
    assert max(grid) <= 6
    first = 8 if isinstance(net, ResNet) else 32
    assert first <= channels <= 8 * first
    assert decoder(torch.randn(1, 2)).shape == (1, 1, *size)


def test_default_channels_double_up_to_eightfold():
    convolutions = [m for m in Conv().encoder((3, 105, 105)).stages if hasattr(m, "weight")]
    assert [m.out_channels for m in convolutions] == [32, 64, 128, 256, 256]


@pytest.mark.parametrize("net", SMALL)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 13), (1, 9, 2)])
@pytest.mark.parametrize("context", [0, 3])
def test_every_parameter_receives_a_finite_gradient(net, shape, context):
    for part, into in (
        (net.encoder(shape, context_dim=context), shape),
        (net.decoder((4,), shape, context_dim=context), (4,)),
    ):
        part.double()(*random_inputs(into, context, n=32)).square().sum().backward()
        for name, parameter in part.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("net", SMALL)
@pytest.mark.parametrize("training", [True, False])
def test_results_do_not_depend_on_batch_mates(net, training):
    shape = (2, 9, 14)
    for part, into in (
        (net.encoder(shape, context_dim=3), shape),
        (net.decoder((4,), shape, context_dim=3), (4,)),
    ):
        part.double().train(training)
        x, c = random_inputs(into, 3, n=6)
        together = part(x, c)
        alone = torch.cat([part(x[i : i + 1], c[i : i + 1]) for i in range(6)])
        mates = part(torch.cat([x[:1], 100 * x[1:]]), c)[:1]
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-10)
        torch.testing.assert_close(together[:1], mates, rtol=0, atol=1e-10)
        assert (together[0] - together[1]).abs().max() > 1e-3


@pytest.mark.parametrize("net", SMALL)
def test_the_context_reaches_both_outputs(net):
    shape = (1, 8, 8)
    for part, into in (
        (net.encoder(shape, context_dim=3), shape),
        (net.decoder((4,), shape, context_dim=3), (4,)),
    ):
        x, c = random_inputs(into, 3)
        part.double()
        assert (part(x, c) - part(x, c + 1)).abs().max() > 1e-3


@pytest.mark.parametrize("net", SMALL)
def test_construction_depends_on_the_seed_alone(net):
    def numbers(seed):
        torch.manual_seed(seed)
        parts = net.encoder((1, 9, 9)), net.decoder((2,), (1, 9, 9))
        return torch.cat([p.detach().flatten() for part in parts for p in part.parameters()])

    assert torch.equal(numbers(3), numbers(3))
    assert not torch.equal(numbers(3), numbers(4))


@pytest.mark.parametrize("net", SMALL)
def test_torch_compile_sees_one_graph(net):
    torch.compiler.reset()
    shape = (1, 9, 14)
    for part, into in (
        (net.encoder(shape, context_dim=3), shape),
        (net.decoder((4,), shape, context_dim=3), (4,)),
    ):
        inputs = random_inputs(into, 3, dtype=torch.float32)
        compiled = torch.compile(part, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(*inputs), part(*inputs))


@pytest.mark.parametrize("channels", [1, 3])
def test_convolutions_run_channels_last(channels):
    encoder = Conv(channels=(4, 6)).encoder((channels, 28, 28))
    seen = []
    for module in encoder.stages:
        module.register_forward_hook(
            lambda *call: seen.append(call[-1].is_contiguous(memory_format=torch.channels_last))
        )
    encoder(torch.rand(2, channels, 28, 28))
    assert seen == [True] * 4


@pytest.mark.parametrize("net", [Conv(channels=(16, 32)), ResNet(channels=(16, 32), blocks=1)])
def test_a_short_fit_lowers_the_loss(net):
    x = torch.tensor(load_digits().images[:256], dtype=torch.float32)[:, None] / 16
    encoder, decoder = net.encoder((1, 8, 8)), net.decoder((256,), (1, 8, 8))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
    for _ in range(60):
        loss = (decoder(encoder(x)) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    constant = x.var(0, correction=0).mean()  # what the best constant image leaves
    assert loss < constant / 2


# --- depth ----------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["group", "none"])
@pytest.mark.parametrize("activation", ["silu", "relu", "tanh"])
def test_activations_stay_of_order_one_over_fifty_blocks(norm, activation):
    net = ResNet(channels=(32,), blocks=50, norm=norm, activation=activation)
    stages = net.encoder((32, 6, 6)).stages
    variances = []
    h = torch.randn(16, 32, 6, 6)
    with torch.no_grad():
        for module in stages[:51]:
            h = module(h)
            variances.append(h.var().item())
    assert all(1 / 4 < v / variances[0] < 4 for v in variances)


@pytest.mark.parametrize("direction", ["encoder", "decoder"])
def test_gradients_survive_fifty_blocks(direction):
    net = ResNet(channels=(16, 16), blocks=25, hidden=())
    part = net.encoder((1, 9, 9)) if direction == "encoder" else net.decoder((4,), (1, 9, 9))
    inputs = torch.randn(8, 1, 9, 9) if direction == "encoder" else torch.randn(8, 4)
    part(inputs).square().mean().backward()
    firsts = [
        m.branch[2].weight.grad.norm().item() for m in part.modules() if hasattr(m, "branch")
    ]
    assert len(firsts) == 50
    assert max(firsts) / min(firsts) < 30


@pytest.mark.parametrize("activation", ["relu", "silu", "gelu", "tanh"])
def test_the_signal_survives_the_strided_stages(activation):
    net = Conv(channels=(32,) * 6, activation=activation)
    x = torch.randn(8, 32, 200, 200)
    with torch.no_grad():
        h = net.encoder((32, 200, 200)).stages(channels_last(x))
    assert 0.1 < h.square().mean().sqrt() < 2


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("net", [Conv(), ResNet()])
@pytest.mark.parametrize("shape", [(64,), (8, 8), (1, 4, 8, 8), (1, 0, 8), ()])
def test_what_is_not_an_image_is_refused_with_a_remedy(net, shape):
    message = (
        rf"^{net.kind}: this network is for images; expected a shape \(channels, height, width\), "
        r"got \(.*\)\. Use the network 'mlp'"
    )
    with pytest.raises(ConfigError, match=message):
        net.encoder(shape)
    with pytest.raises(ConfigError, match=message):
        net.decoder((2,), shape)


@pytest.mark.parametrize(
    ("make", "fields", "message"),
    [
        (Conv, {"kernel": 4}, r"^network/conv\.kernel: the kernel needs a centre; .*odd.*got 4$"),
        (Conv, {"channels": ()}, r"channels: the number of stages.*1 to 32.*got 0\. .*'mlp'$"),
        (ResNet, {"channels": (8,) * 33}, r"^network/resnet\.channels: the number of stages"),
        (ResNet, {"channels": (2,)}, r"channels\[0\]: out of bounds; expected between 4 and 4096"),
        (ResNet, {"blocks": 0}, r"blocks: out of bounds"),
        (ResNet, {"norm": "batch"}, r"norm: not one of the choices"),
    ],
)
def test_choices_that_make_no_sense_are_refused(make, fields, message):
    with pytest.raises(ConfigError, match=message):
        make(**fields)


@pytest.mark.parametrize("net", SMALL)
def test_networks_know_their_spec_and_it_survives_json(net):
    assert spec_of(net.encoder((1, 8, 8))) == spec_of(net.decoder((2,), (1, 8, 8))) == net
    assert from_json(to_json(net), role="network") == net


def test_the_work_of_a_default_network_is_bounded_by_its_grid():
    flat = {math.prod(Conv().decoder((2,), (1, n, n)).grid) for n in (16, 28, 64, 105, 200)}
    assert max(flat) <= 256 * 6 * 6
