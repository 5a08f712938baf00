"""The network of mixed columns: what it makes of each, in any order, and where it learns."""

import itertools
import json
import math

import pytest
import torch

from vaekit.errors import ConfigError
from vaekit.networks import MLP, Columns
from vaekit.networks.columns import embedding_dim
from vaekit.spec import from_json, to_json

NAN = torch.nan
SPEC = Columns(
    MLP(hidden=(5,)),
    reals=(0, 6),
    bits=(1,),
    counts=(2,),
    count_locs=(0.5,),
    count_scales=(2.0,),
    levels=(3,),
    level_sizes=(5,),
    codes=(4, 7),
    code_sizes=(3, 2),
    circles=(5,),
    flags=(0, 4),
)
ROW = [0.25, 1.0, 3.0, 1.0, 2.0, 0.125, -4.0, 0.0]


def test_each_kind_of_column_has_its_features():
    encoder = SPEC.encoder((8,))
    found = encoder.features(torch.tensor([ROW]))[0]
    root = math.sqrt(0.5)
    wanted = [0.25, -4.0, 1.0, (math.log(4) - 0.5) / 2, -0.5, root, root]
    assert found[:7].tolist() == pytest.approx(wanted)
    first, second = encoder.embeddings
    assert torch.equal(found[7:10], first.weight[2])
    assert torch.equal(found[10:12], second.weight[0])
    assert found[12:].tolist() == [0.0, 0.0]


def test_a_missing_value_is_zero_a_vector_of_its_own_and_a_flag():
    encoder = SPEC.encoder((8,))
    found = encoder.features(torch.full((1, 8), NAN))[0]
    assert found[:12].tolist() == [0.0] * 12
    assert found[12:].tolist() == [1.0, 1.0]
    with torch.no_grad():
        encoder.embeddings[0].weight[3] = 7.0  # what missing codes have learned
    assert encoder.features(torch.full((1, 8), NAN))[0, 7:10].tolist() == [7.0] * 3


def test_columns_may_stand_in_any_order():
    """The same features from a table whose columns are permuted, and the spec with them."""
    encoder = SPEC.encoder((8,))
    x = torch.rand(6, 8)
    x[:, [1, 2, 3, 4, 7]] = x[:, [1, 2, 3, 4, 7]].round()
    x[2, 4] = x[3, 0] = NAN
    for order in itertools.islice(itertools.permutations(range(8)), 0, 40_320, 4_999):
        place = {column: at for at, column in enumerate(order)}
        lists = ("reals", "bits", "counts", "levels", "codes", "circles", "flags")
        moved = {name: tuple(place[i] for i in getattr(SPEC, name)) for name in lists}
        other = SPEC.replace(**moved).encoder((8,))
        other.load_state_dict(encoder.state_dict())
        torch.testing.assert_close(other(x[:, list(order)]), encoder(x))


def test_every_vector_that_is_used_learns_and_no_other():
    encoder = SPEC.encoder((8,))
    x = torch.tensor([ROW, ROW])
    x[1, 4] = NAN
    x[1, 7] = 1.0
    encoder.features(x).square().sum().backward()
    first, second = (table.weight.grad for table in encoder.embeddings)
    assert (first != 0).any(1).tolist() == [False, False, True, False]  # that of missing is 0 yet
    assert (second != 0).any(1).tolist() == [True, True, False]
    encoder.zero_grad()
    encoder(x).sum().backward()
    assert (encoder.embeddings[0].weight.grad != 0).any(1).tolist() == [False, False, True, True]


def test_codes_without_a_vector_are_taken_for_the_nearest():
    encoder = SPEC.encoder((8,))
    x = torch.tensor([ROW, ROW])
    x[0, 4], x[1, 4] = -3.0, 900.0
    found = encoder.features(x)[:, 7:10]
    assert torch.equal(found, encoder.embeddings[0].weight[[0, 3]])


def test_numbers_alone_pass_as_they_are():
    encoder = Columns(MLP(hidden=(4,)), reals=(0, 1, 2)).encoder((3,))
    assert encoder.only_reals
    x = torch.randn(5, 3)
    assert torch.equal(encoder(x), encoder.inner(x))
    assert torch.equal(encoder(torch.full((1, 3), NAN)), encoder.inner(torch.zeros(1, 3)))
    swapped = Columns(MLP(hidden=(4,)), reals=(2, 0, 1)).encoder((3,))
    assert torch.equal(swapped(x), swapped.inner(x[:, [2, 0, 1]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_and_context_are_those_of_the_inner_network(dtype):
    encoder = SPEC.encoder((8,), context_dim=2).to(dtype)
    x, c = torch.tensor([ROW], dtype=dtype), torch.randn(1, 2, dtype=dtype)
    assert encoder(x, c).dtype == dtype
    assert not torch.equal(encoder(x, c), encoder(x, -c))
    decoder = SPEC.decoder((3,), (9,))
    assert decoder(torch.randn(4, 3)).shape == (4, 9)


def test_sizes_of_vectors_grow_slowly():
    assert [embedding_dim(k) for k in (2, 3, 100, 1_000, 100_000)] == [2, 3, 21, 32, 32]


def test_it_survives_json_and_keeps_only_what_learns():
    again = from_json(json.loads(json.dumps(to_json(SPEC))))
    assert again == SPEC
    names = set(SPEC.encoder((8,)).state_dict())
    assert {name.split(".")[0] for name in names} == {"embeddings", "inner"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"reals": (0,)},
            r"each column belongs to one of the lists; .*got \[0, 1, 2, 3, 4, 5, 7\]",
        ),
        ({"reals": (0, 6, 1)}, r"belongs to one of the lists"),
        ({"flags": (8,)}, r"belongs to one of the lists"),
        ({"count_locs": ()}, r"one of count_locs for each of counts; expected 1, got 0"),
        ({"count_scales": (0.0,)}, r"out of bounds"),
        ({"level_sizes": (5, 5)}, r"one of level_sizes for each of levels"),
        ({"code_sizes": (3,)}, r"one of code_sizes for each of codes; expected 2, got 1"),
        ({"code_sizes": (3, 10**9)}, r"out of bounds"),
    ],
)
def test_damaged_specs_are_refused(changes, says):
    with pytest.raises(ConfigError, match=says):
        SPEC.replace(**changes)


def test_rows_of_another_length_are_refused():
    with pytest.raises(ConfigError, match=r"rows of another length; expected \(8,\), got \(7,\)"):
        SPEC.encoder((7,))
    with pytest.raises(ConfigError, match=r"belongs to one of the lists"):
        Columns()


def test_it_compiles_without_graph_breaks():
    torch.compiler.reset()
    encoder = SPEC.encoder((8,))
    x = torch.tensor([ROW, [NAN] * 8])
    compiled = torch.compile(encoder, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), encoder(x))
