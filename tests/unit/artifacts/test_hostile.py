"""Folders that are corrupt, foreign or hostile are refused, cheaply and with a reason."""

import json
import os
import pickle  # noqa: TID251 - hostile files are made with it
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vaekit import files
from vaekit.artifacts import load, save
from vaekit.data import ArrayCodec, DataCodec
from vaekit.errors import ArtifactError
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.tasks import open_run

CODEC = DataCodec(x=ArrayCodec(shape=(5,)))


@pytest.fixture
def folder(tmp_path):
    model = FlatVAE(encoder=MLP(hidden=(6,))).build(event_shape=(5,))
    return save(tmp_path / "run", model, CODEC)


def change(folder, **changes):
    """Rewrite fields of model.json; a double underscore goes deeper."""
    path = folder / "model.json"
    value = json.loads(path.read_text())
    for key, new in changes.items():
        at = value
        *way, last = key.split("__")
        for name in way:
            at = at[name]
        at[last] = new
    path.write_text(json.dumps(value))
    return folder


def change_weights(folder, change):
    path = folder / "weights.safetensors"
    state = load_file(path)
    save_file(change(state) or state, path)
    return folder


def refused(folder, match):
    start = time.monotonic()
    with pytest.raises(ArtifactError, match=match):
        load(folder)
    assert time.monotonic() - start < 5.0


# --- files that are missing or no such files ----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("model.json", r"no model here.*expected a run folder with model\.json.*--resume"),
        ("weights.safetensors", r"weights\.safetensors: cannot read the weights \(No such file"),
        ("codec.json", r"codec\.json: no such file"),
    ],
)
def test_missing_files(folder, name, match):
    (folder / name).unlink()
    refused(folder, match)


def test_no_folder_at_all(tmp_path):
    refused(tmp_path / "nothing", "no model here")


def test_truncated_weights(folder):
    path = folder / "weights.safetensors"
    for length in (0, 4, 30, path.stat().st_size - 1):
        path.write_bytes(path.read_bytes()[:length] if length else b"")
        refused(folder, "cannot read the weights")


class Bomb:
    def __reduce__(self):
        return os.system, ("touch exploded",)


def test_a_pickle_under_the_name_of_weights(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (folder / "weights.safetensors").write_bytes(pickle.dumps(Bomb()))
    refused(folder, "cannot read the weights")
    torch.save({"a": Bomb()}, folder / "weights.safetensors")  # noqa: TID251 - hostile too
    refused(folder, "cannot read the weights")
    (folder / "model.json").write_bytes(pickle.dumps(Bomb()))
    refused(folder, r"model\.json: not valid JSON")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("file", ["model.json", "codec.json"])
@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("\x00\xff", "not valid JSON"),
        ("[" * 1000 + "]" * 1000, "a foreign file|not valid JSON"),
        ("[" * 1_000_000, "not valid JSON"),
        ('{"a":' * 100_000, "not valid JSON"),
        ("[]", "a foreign file; expected format vaekit-.*, got list"),
        ("null", "a foreign file"),
        ("9" * 5_000, "not valid JSON"),
        ('{"format": "vaekit-model-99"}', "a foreign file; .*got vaekit-model-99"),
        ('{"format": ["x"]}', "a foreign file"),
        ('{"format": NaN}', "not valid JSON.*NaN is no JSON number"),
        ('{"format": -Infinity}', "not valid JSON.*-Infinity is no JSON number"),
    ],
    ids=lambda v: v[:20] if isinstance(v, str) else str(v),
)
def test_files_that_are_no_description(folder, file, content, match):
    (folder / file).write_bytes(content.encode("latin-1"))
    refused(folder, match)


def test_a_field_that_is_missing(folder):
    value = json.loads((folder / "model.json").read_text())
    for name in ("model", "event_shape", "context_dim", "shared"):
        less = {key: item for key, item in value.items() if key != name}
        (folder / "model.json").write_text(json.dumps(less))
        refused(folder, f"the field '{name}' is missing")


def test_json_that_is_too_large(folder):
    with (folder / "model.json").open("wb") as file:
        file.truncate(files.MAX_JSON_BYTES + 1)
    refused(folder, r"too large; expected at most 67108864 bytes, got 67108865")


def test_a_description_that_is_nested_too_deep(folder):
    inner = {"kind": "network/mlp"}
    for _ in range(400):
        inner = {"kind": "network/mlp", "hidden": inner}
    refused(change(folder, model__encoder=inner), "nested more than 16 deep")


# --- what is described --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"model__kind": "model/vea"}, "unknown model 'model/vea'.*[Dd]id you mean 'model/vae'"),
        ({"model__kind": "network/mlp"}, "unknown model 'network/mlp'"),
        ({"model__kind": "os/system"}, "unknown model 'os/system'"),
        ({"model__kind": 3}, "not a spec"),
        ({"model": "model/vae"}, "not a spec; expected an object with a 'kind'"),
        ({"model__priour": 1}, "unknown field 'priour'.*[Dd]id you mean 'prior'"),
        ({"model__build": "x"}, "unknown field 'build'"),
        ({"model__latent_dim": 10**9}, "out of bounds; expected between 1 and 65536"),
        ({"model__latent_dim": -1}, "out of bounds"),
        ({"model__latent_dim": True}, "wrong type; expected a whole number, got True"),
        ({"model__latent_dim": 2.0}, "wrong type"),
        ({"model__latent_dim": float("inf")}, "not valid JSON.*Infinity is no JSON number"),
        ({"model__prior": {"kind": "network/mlp"}}, "not a prior"),
        ({"model__encoder__hidden": [10**9]}, "out of bounds; expected between 1 and 65536"),
        ({"model__encoder__hidden": [8] * 100_001}, "too many items; expected at most 100000"),
        ({"model__encoder__hidden": [8] * 100_000}, "more weights than the file; .* got more"),
        ({"model__encoder__activation": "__import__"}, "not one of the choices"),
        ({"event_shape": [2**28, 2]}, "not a shape of data; .*product of at most 268435456"),
        ({"event_shape": [2**62] * 4}, "not a shape of data"),
        ({"event_shape": [-5]}, r"not a shape of data; .*got \[-5\]"),
        ({"event_shape": [0]}, "not a shape of data"),
        ({"event_shape": [True]}, r"not a shape of data; .*got \[True\]"),
        ({"event_shape": [5.0]}, "not a shape of data"),
        ({"event_shape": []}, "not a shape of data"),
        ({"event_shape": [1] * 5}, "not a shape of data; expected 1 to 4 whole numbers"),
        ({"event_shape": "5"}, "not a shape of data"),
        ({"event_shape": None}, "not a shape of data"),
        ({"event_shape": [6]}, "has another shape than model.json says"),
        ({"context_dim": -1}, "not a context size; .*got -1"),
        ({"context_dim": True}, "not a context size; .*got True"),
        ({"context_dim": 2**21}, "not a context size"),
        ({"context_dim": "3"}, "not a context size"),
        ({"context_dim": 3}, "has another shape than model.json says"),
        ({"shared": []}, "not references"),
        ({"shared": {"a": "b"}}, "not references"),
        ({"shared": {"a": {"$ref": 1}}}, "not references"),
        ({"shared": {"a": {"$ref": "nothing"}}}, "a reference to weights that are not there"),
        (
            {"shared": {"prior.like": {"$ref": "../../etc/passwd"}}},
            "a reference to weights that are not there",
        ),
        (
            {"shared": {"prior.like": {"$ref": "prior.like"}}},
            "a reference to weights that are not there",
        ),
    ],
    ids=lambda v: str(v)[:60],
)
def test_descriptions_that_make_no_sense(folder, changes, match):
    refused(change(folder, **changes), match)


@pytest.mark.parametrize(
    ("change_state", "match"),
    [
        (lambda s: {k: v for k, v in s.items() if k != "prior.like"}, "'prior.like' is missing"),
        (lambda s: s.update(extra=torch.zeros(3)), "'extra' is not part of the model"),
        (
            lambda s: s.update({"posterior.head.bias": torch.zeros(5)}),
            r"'posterior.head.bias' has another shape.*expected \(4,\), got \(5,\)",
        ),
        (
            lambda s: s.update({"posterior.head.bias": torch.zeros(4, dtype=torch.float64)}),
            "'posterior.head.bias' has numbers of another type.*expected float32, got F64",
        ),
        (
            lambda s: s.update({"posterior.head.bias": torch.zeros(4, dtype=torch.int32)}),
            "another type.*got I32",
        ),
        (
            lambda s: s.update({"posterior.head.bias": torch.full((4,), torch.nan)}),
            "not finite",
        ),
        (
            lambda s: s.update({"posterior.head.bias": torch.full((4,), -torch.inf)}),
            r"posterior\.head\.bias: weights that are not finite",
        ),
    ],
)
def test_weights_that_do_not_fit(folder, change_state, match):
    refused(change_weights(folder, change_state), match)


def test_a_reference_to_weights_of_another_shape(folder):
    change_weights(folder, lambda s: {k: v for k, v in s.items() if k != "prior.like"})
    change(folder, shared={"prior.like": {"$ref": "posterior.head.bias"}})
    refused(folder, r"'prior.like' has another shape.*expected \(2,\), got \(4,\)")


def test_a_reference_beside_the_weights_it_stands_for(folder):
    change(folder, shared={"encoder.layers.0.bias": {"$ref": "decoder.layers.0.bias"}})
    refused(folder, "a reference to weights that are not there")


@pytest.mark.parametrize(
    ("codec", "match"),
    [
        ({"kind": "codec/nothing"}, "cannot read the codec: unknown codec"),
        ({"kind": "codec/array", "shape": [5]}, "not a data codec; expected codec/data"),
        ({"kind": "codec/data", "x": {"kind": "codec/labels", "classes": ["a"]}}, "wrong sort"),
        ({"kind": "codec/data", "x": {"kind": "codec/array", "shape": [4]}}, "do not belong"),
        ({"kind": "codec/data", "x": {"kind": "codec/array", "shape": [10**9]}}, "out of bounds"),
        (
            {"kind": "codec/data", "x": {"kind": "codec/image", "height": 10**9, "width": 1}},
            "out of bounds",
        ),
    ],
    ids=lambda v: str(v)[:60],
)
def test_codecs_that_make_no_sense(folder, codec, match):
    path = folder / "codec.json"
    path.write_text(json.dumps({"format": "vaekit-codec-1", "codec": codec}))
    refused(folder, match)


def test_a_history_of_something_else(folder):
    (folder / "history.jsonl").write_bytes(b"\x00\xff\n\x80abc\n{}")
    with pytest.raises(ArtifactError, match=r"history.jsonl:1"):
        _ = load(folder).history


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("[]", "not a run"),
        ("{}", "cannot read the run: .*not a spec"),
        ('{"run": {"kind": "codec/array", "shape": [3]}}', "cannot read the run: unknown run"),
        ('{"run": {"kind": "run/vae", "data": {"kind": "prior/standard"}}}', "not a data"),
    ],
)
def test_run_files_that_are_no_run(tmp_path, content, match):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ArtifactError, match=match):
        open_run(tmp_path)


# --- the cost of refusing -----------------------------------------------------------------------

HUGE = [
    {"event_shape": [2**28], "model__encoder__hidden": [65_536] * 40},
    {"model__encoder__hidden": [1] * 100_000},
    {"model__latent_dim": 65_536, "model__posterior": {"kind": "posterior/full"}},
    {
        "event_shape": [1, 16_384, 16_384],
        "model__encoder": {"kind": "network/resnet", "blocks": 1000, "channels": [4096] * 32},
    },
    {
        "event_shape": [1, 16_384, 16_384],
        "model__likelihood": {"kind": "likelihood/categorical", "categories": 65_536},
    },
]
WATCH = """
import json, resource, sys, time
from pathlib import Path
from vaekit.artifacts import load
from vaekit.errors import ArtifactError

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def refuse(folder):
    try:
        load(folder)
    except ArtifactError as error:
        return str(error)
    raise SystemExit("it was loaded")

refuse(sys.argv[1])  # imports what building imports
found = []
for folder in sys.argv[2:]:
    before, start = peak(), time.perf_counter()
    text = refuse(folder)
    found.append([time.perf_counter() - start, (peak() - before) / 1024, text])
print(json.dumps(found))
"""


def test_huge_models_cost_nothing_to_refuse(tmp_path):
    model = FlatVAE(encoder=MLP(hidden=(6,))).build(event_shape=(5,))
    folders = [
        change(save(tmp_path / str(i), model, CODEC), **changes)
        for i, changes in enumerate([{"event_shape": [6]}, *HUGE])
    ]
    source = Path(files.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *map(str, folders)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    )
    for seconds, megabytes, text in json.loads(done.stdout):
        assert seconds < 1.0, text
        assert megabytes < 50, text
        assert "another shape" in text or "more weights than the file" in text or "tensor" in text
