import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from vaekit.data import ArrayCodec, DataCodec, ImageCodec, LabelCodec, RawData
from vaekit.data.codecs.noise import row_noise
from vaekit.errors import ConfigError, DataError
from vaekit.spec import from_json, to_json

SHAPES = st.one_of(
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.sampled_from([3, 4])),
)


def grey(n=6, size=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size), dtype=np.uint8)


# --- images --------------------------------


@given(arrays.arrays(np.uint8, SHAPES), st.integers(0, 3))
def test_uint8_images_come_back_exactly(images, padding):
    codec = ImageCodec.fit(images, padding=padding, low=0, high=255)
    stored = codec.encode(images)
    assert stored.dtype == torch.uint8
    assert stored.shape[1:] == codec.event_shape
    x = codec.to_model(stored)
    assert x.dtype == torch.float32
    assert 0 <= x.min() <= x.max() <= 1
    back = codec.decode(x)
    assert back.dtype == images.dtype
    np.testing.assert_array_equal(back, images)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("uint8", 0, 17),
        ("uint16", 0, 65535),
        ("int16", -1024, 3071),
        ("int64", 0, 255),
        ("int8", -128, 127),
        ("uint8", 0, 2),
    ],
)
def test_whole_numbers_come_back_exactly(dtype, low, high):
    images = np.linspace(low, high, 4 * 64 * 64).round().astype(dtype).reshape(4, 64, 64)
    codec = ImageCodec.fit(images)
    back = codec.decode(codec.to_model(codec.encode(images)))
    assert back.dtype == images.dtype
    np.testing.assert_array_equal(back, images)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 200], np.uint8), (0, 255)),
        (np.array([0, 16], np.uint8), (0, 16)),
        (np.array([0, 4000], np.uint16), (0, 4000)),
        (np.array([-5, 9], np.int16), (-5, 9)),
        (np.array([0.1, 0.9]), (0, 1)),
        (np.array([-0.1, 0.9]), (-1, 1)),
        (np.array([0.0, 250.0]), (0, 255)),
        (np.array([2.0, 7.0]), (2, 7)),
    ],
)
def test_range_is_found_from_the_values(values, expected):
    codec = ImageCodec.fit(values.reshape(1, 1, 2))
    assert (codec.low, codec.high) == expected


def test_scaling_is_the_stated_formula():
    images = np.array([[[0, 51], [102, 255]]], np.uint8)
    x = ImageCodec.fit(images).to_model(ImageCodec.fit(images).encode(images))
    expected = torch.tensor([[[[0, 0.2], [0.4, 1]]]])
    torch.testing.assert_close(x, expected, rtol=0, atol=1e-7)


def test_channels_move_to_the_front_and_back():
    images = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    codec = ImageCodec.fit(images)
    assert codec.event_shape == (3, 3, 4)
    np.testing.assert_array_equal(codec.encode(images)[1, 2].numpy(), images[1, :, :, 2])


def test_padding_has_the_low_value():
    images = np.array([[[7]], [[3]]], np.int16)
    codec = ImageCodec.fit(images, padding=1, low=-1, high=7)
    x = codec.to_model(codec.encode(images))
    assert x.shape == (2, 1, 3, 3)
    assert x[:, 0, 1, 1].tolist() == [1.0, 0.5]
    assert x.sum().item() == 1.5


def test_float_images_round_trip_to_float32():
    images = np.random.default_rng(0).normal(size=(5, 6, 7)) * 100 + 1000
    codec = ImageCodec.fit(images)
    back = codec.decode(codec.to_model(codec.encode(images)))
    assert back.dtype == np.float64
    np.testing.assert_allclose(back, images, rtol=0, atol=(codec.high - codec.low) * 2**-23)


def test_encoding_leaves_raw_data_and_stored_data_alone():
    images = grey()
    codec = ImageCodec.fit(images, binarise="fixed")
    before = images.copy()
    stored = codec.encode(images)
    copy = stored.clone()
    codec.to_model(stored).zero_()
    np.testing.assert_array_equal(images, before)
    assert torch.equal(stored, copy)
    floats = ImageCodec.fit(images / 255.0)
    stored = floats.encode(images / 255.0)
    copy = stored.clone()
    floats.to_model(stored).zero_()
    assert torch.equal(stored, copy)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((3, 8, 9), np.uint8), r"another shape; expected \('n', 8, 8\), got \(3, 8, 9\)"),
        (np.zeros((3, 8, 8)), "another dtype; expected uint8"),
        (
            np.where(np.arange(3)[:, None, None] == 1, 300, 5) + np.zeros((8, 8), int),
            r"out of range in row 1; expected values in 0 .. 255, got 300",
        ),
    ],
)
def test_images_that_do_not_fit_are_refused(images, message):
    with pytest.raises(DataError, match=message):
        ImageCodec.fit(grey()).encode(images)


def test_bytes_into_unit_range_are_refused():
    codec = ImageCodec.fit(grey() / 255.0)
    with pytest.raises(DataError, match=r"out of range in rows 0, 1, .*expected values in 0 .. 1"):
        codec.encode(grey().astype(float))


def test_nan_pixels_are_refused_at_encoding():
    codec = ImageCodec.fit(grey() / 255.0)
    images = np.zeros((2, 8, 8))
    images[1, 0, 3] = np.nan
    with pytest.raises(DataError, match=r"pixel \(0, 3\).*row 1"):
        codec.encode(images)


def test_constant_images_are_refused():
    with pytest.raises(DataError, match="all pixels have the same value"):
        ImageCodec.fit(np.full((3, 4, 4), 9, np.uint8))


def test_impossible_image_codecs_are_refused():
    with pytest.raises(ConfigError, match="high must be above low"):
        ImageCodec(8, 8, low=1.0, high=1.0)
    with pytest.raises(ConfigError, match="does not fit the dtype"):
        ImageCodec(8, 8, high=256.0)
    with pytest.raises(ConfigError, match="too large"):
        ImageCodec(16_384, 16_384, channels=4)
    with pytest.raises(ConfigError, match="too wide to be exact"):
        ImageCodec(8, 8, dtype="int32", high=2.0**30)
    with pytest.raises(ConfigError, match=r"codec/image\.height: out of bounds"):
        from_json({"kind": "codec/image", "height": 10**12, "width": 8})


# --- binarisation --------------------------------


def four_errors(share, p, draws):
    return abs(share - p) <= 4 * (p * (1 - p) / draws) ** 0.5


@pytest.mark.parametrize("level", [1, 51, 128, 254])
def test_dynamic_draws_have_the_grey_value_as_mean(level):
    codec = ImageCodec(50, 50, binarise="dynamic")
    stored = codec.encode(np.full((20, 50, 50), level, np.uint8))
    x = codec.to_model(stored, train=True)
    assert set(x.unique().tolist()) <= {0.0, 1.0}
    assert four_errors(x.mean().item(), level / 255, x.numel())


@pytest.mark.parametrize("mode", ["fixed", "dynamic"])
@pytest.mark.parametrize("level", [51, 128, 204])
def test_evaluation_draws_have_the_grey_value_as_mean(mode, level):
    images = grey(400, 16)  # every row is different, one pixel of interest
    images[:, 3:8, 3:8] = level
    codec = ImageCodec(16, 16, binarise=mode, seed=3)
    x = codec.to_model(codec.encode(images))[:, 0, 3:8, 3:8]
    assert four_errors(x.mean().item(), level / 255, x.numel())


def test_black_stays_black_and_white_white():
    images = np.where(np.arange(64).reshape(1, 8, 8) % 2, 255, 0).astype(np.uint8)
    for mode in ("fixed", "dynamic", "threshold"):
        codec = ImageCodec(8, 8, binarise=mode)
        for train in (True, False):
            x = codec.to_model(codec.encode(images), train=train)
            np.testing.assert_array_equal(codec.decode(x), images)


def test_dynamic_draws_anew_in_training_from_the_global_generator():
    codec = ImageCodec.fit(grey(), binarise="dynamic")
    stored = codec.encode(grey())
    torch.manual_seed(5)
    first, second = codec.to_model(stored, train=True), codec.to_model(stored, train=True)
    torch.manual_seed(5)
    assert torch.equal(first, codec.to_model(stored, train=True))
    assert not torch.equal(first, second)
    assert torch.equal(codec.to_model(stored), codec.to_model(stored))


@pytest.mark.parametrize("mode", ["none", "fixed", "dynamic", "threshold"])
@pytest.mark.parametrize("scale", [1, 1 / 255])
def test_a_row_does_not_depend_on_its_batch_mates(mode, scale):
    images = grey(9) if scale == 1 else grey(9) * scale
    codec = ImageCodec.fit(images, binarise=mode)
    together = codec.to_model(codec.encode(images))
    for row in (0, 4, 8):
        assert torch.equal(codec.to_model(codec.encode(images[row : row + 1]))[0], together[row])
    assert torch.equal(codec.to_model(codec.encode(images[::-1])).flip(0), together)


def test_fixed_is_the_draw_that_dynamic_evaluates_with():
    fixed, dynamic = (ImageCodec(8, 8, binarise=mode, seed=2) for mode in ("fixed", "dynamic"))
    drawn = dynamic.to_model(dynamic.encode(grey()))
    assert torch.equal(fixed.to_model(fixed.encode(grey())), drawn)
    other = fixed.replace(seed=3)
    assert not torch.equal(other.to_model(other.encode(grey())), drawn)


def test_threshold_is_at_half_the_range():
    images = np.array([[[0, 127], [128, 255]]], np.uint8)
    codec = ImageCodec.fit(images, binarise="threshold")
    assert codec.to_model(codec.encode(images)).flatten().tolist() == [0, 0, 1, 1]


def test_row_noise_is_uniform_and_uncorrelated():
    scipy_stats = pytest.importorskip("scipy.stats")
    rows = torch.from_numpy(grey(300, 10)).flatten(1)
    noise = row_noise(rows, 0)
    assert scipy_stats.kstest(noise.flatten().numpy(), "uniform").pvalue > 1e-3
    standard = (noise - 0.5) * 12**0.5
    across_pixels = (standard.T @ standard / 300).fill_diagonal_(0).abs().max()
    across_rows = (standard @ standard.T / 100).fill_diagonal_(0).abs().max()
    assert across_pixels < 5.5 / 300**0.5
    assert across_rows < 5.5 / 100**0.5


def test_row_noise_differs_between_near_rows_and_seeds():
    row = torch.zeros(1, 64, dtype=torch.uint8)
    near = row.clone()
    near[0, 63] = 1
    base = row_noise(row, 0)
    for other in (row_noise(near, 0), row_noise(row, 1)):
        assert (base - other).abs().mean() > 0.2


# --- suggestions --------------------------------


@pytest.mark.parametrize(
    ("images", "options", "likelihood", "network"),
    [
        (grey(size=8), {}, "gaussian", "mlp"),
        (grey(size=16), {}, "gaussian", "conv"),
        (grey(size=16), {"binarise": "dynamic"}, "bernoulli", "conv"),
        (grey(size=8) // 128 * 255, {}, "bernoulli", "mlp"),
    ],
)
def test_image_suggestions(images, options, likelihood, network):
    codec = ImageCodec.fit(images, **options)
    assert codec.suggest() == {"likelihood": likelihood, "network": network}


def test_descriptions():
    codec = ImageCodec.fit(grey(), padding=4, binarise="dynamic")
    assert codec.describe() == (
        "grey images 8 x 8, uint8 0 .. 255 scaled to 0 .. 1, padded to 16 x 16, "
        "binarised (drawn at every step)"
    )


# --- tables --------------------------------


@pytest.mark.parametrize(
    ("scaling", "oracle"), [("standard", StandardScaler()), ("minmax", MinMaxScaler())]
)
def test_scaling_agrees_with_scikit_learn(scaling, oracle):
    x = np.random.default_rng(0).normal(size=(50, 4)) * [1, 10, 100, 1e-3] + [0, 5, 1e9, 0]
    codec = ArrayCodec.fit(x, scaling=scaling)
    stored = codec.encode(x)
    np.testing.assert_allclose(stored.numpy(), oracle.fit_transform(x), rtol=1e-6, atol=1e-6)
    scale = np.array(codec.scale)
    assert (abs(codec.decode(codec.to_model(stored)) - x) <= 1e-6 * scale + 1e-15).all()


def test_unscaled_table_passes_through():
    x = np.array([[1, 2], [1, 3]], np.int32)
    codec = ArrayCodec.fit(x, scaling="none")
    np.testing.assert_array_equal(codec.decode(codec.encode(x)), x)
    assert codec.suggest() == {"likelihood": "gaussian", "network": "mlp"}


@pytest.mark.parametrize("scaling", ["standard", "minmax"])
def test_constant_column_is_named(scaling):
    x = np.array([[0.1, 1], [0.1, 2], [0.1, 4]])
    with pytest.raises(DataError, match=r"constant column 'flat'.*Drop it, or use scaling='none'"):
        ArrayCodec.fit(x, columns=("flat", "b"), scaling=scaling)


def test_tables_that_do_not_fit_are_refused():
    codec = ArrayCodec.fit(np.array([[1.0, 2], [3, 5]]), columns=("a", "b"))
    with pytest.raises(DataError, match=r"another shape; expected \('n', 2\), got \(1, 3\)"):
        codec.encode(np.zeros((1, 3)))
    with pytest.raises(DataError, match=r"column 'b' holds 1 value.*row 1"):
        codec.encode(np.array([[0, 0], [0, np.nan]]))
    with pytest.raises(DataError, match=r"after scaling to float32: column 'a'.*infinity"):
        codec.encode(np.array([[1e300, 0]]))
    with pytest.raises(DataError, match="not numbers"):
        codec.encode(np.array([["a", "b"]]))
    with pytest.raises(DataError, match="too large to scale"):
        ArrayCodec.fit(np.array([[1e308], [-1e308]]))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scaling", ["standard", "minmax"])
def test_numbers_near_the_largest_are_refused_without_warnings(scaling):
    with pytest.raises(DataError, match="column '0' are too large to scale"):
        ArrayCodec.fit(np.array([[1.7e308], [-1.7e308]]), scaling=scaling)
    codec = ArrayCodec.fit(np.array([[0.0], [1e-3]]), scaling=scaling)
    with pytest.raises(DataError, match="after scaling to float32"):
        codec.encode(np.array([[1.7e308]]))


def test_an_infinite_range_of_pixels_is_refused():
    images = np.array([[[1.7e308, -1.7e308]]])
    with pytest.raises(ConfigError, match="the range is too wide"):
        ImageCodec.fit(images)


def test_impossible_array_codecs_are_refused():
    with pytest.raises(ConfigError, match="loc does not fit 2 columns"):
        ArrayCodec((2,), scaling="standard", loc=(0.0,), scale=(1.0,))
    with pytest.raises(ConfigError, match="scale"):
        ArrayCodec((1,), scaling="standard", loc=(0.0,), scale=(0.0,))
    with pytest.raises(ConfigError, match="out of bounds"):
        from_json({"kind": "codec/array", "shape": [10**15]})


# --- labels --------------------------------


@given(st.lists(st.one_of(st.integers(-5, 5)), min_size=1) | st.lists(st.text("abc"), min_size=1))
def test_labels_come_back(labels):
    values = np.array(labels)
    codec = LabelCodec.fit(values)
    codes = codec.encode(values)
    assert codec.decode(codes).tolist() == labels
    hot = codec.to_model(codes)
    assert hot.sum(1).tolist() == [1.0] * len(labels)
    assert codec.decode(hot).tolist() == labels


def test_unknown_label_names_row_and_closest():
    codec = LabelCodec.fit(np.array(["bird", "horse"]))
    with pytest.raises(DataError, match=r"unknown label 'hose' in row 1.*id you mean 'horse'"):
        codec.encode(["bird", "hose"])
    with pytest.raises(DataError, match="codes out of range"):
        codec.decode(np.array([2]))
    with pytest.raises(ConfigError, match="distinct"):
        LabelCodec(("a", "a"))


# --- together --------------------------------


def table(n=30):
    rng = np.random.default_rng(0)
    return RawData(
        rng.normal(size=(n, 3)),
        labels=np.arange(n) % 4,
        context=rng.normal(size=(n, 2)),
        context_columns=("u", "v"),
    )


@pytest.mark.parametrize("context", ["labels", "columns", "none", None])
def test_data_codec_survives_json(context):
    codec = DataCodec.fit(table(), context=context, scaling="minmax")
    assert from_json(to_json(codec)) == codec
    assert codec.context_dim == {"labels": 4, "columns": 2, "none": 0, None: 2}[context]


def test_image_codec_survives_json():
    raw = RawData(grey(), labels=list("aabbcc"))
    codec = DataCodec.fit(raw, padding=2, binarise="fixed", seed=9)
    assert from_json(to_json(codec)) == codec
    assert codec.describe().splitlines()[1] == "labels: 3 classes: a, b, c"


def test_only_training_rows_are_measured():
    x = np.array([[0.0], [2.0], [100.0]])
    codec = DataCodec.fit(RawData(x, labels=[0, 0, 1]), train=np.array([0, 1]), scaling="minmax")
    assert (codec.x.loc, codec.x.scale) == ((0.0,), (2.0,))
    assert codec.labels.classes == (0, 1)


def test_wrong_options_and_contexts_are_refused():
    with pytest.raises(ConfigError, match=r"unknown codec option 'binarize'.*'binarise'"):
        DataCodec.fit(RawData(grey()), binarize="fixed")
    with pytest.raises(ConfigError, match="unknown codec option 'padding'"):
        DataCodec.fit(table(), padding=2)
    with pytest.raises(ConfigError, match="unknown context"):
        DataCodec.fit(table(), context="label")
    with pytest.raises(DataError, match="no labels to use as context"):
        DataCodec.fit(RawData(np.eye(3)), context="labels")
    with pytest.raises(ConfigError, match=r"codec/data.x: the wrong sort of codec"):
        DataCodec(LabelCodec((0, 1)))
    codec = DataCodec.fit(table(), context="columns")
    with pytest.raises(DataError, match="the model reads context, which the data lacks"):
        codec.encode_context(RawData(np.eye(3)))
