"""A run that is stopped anywhere and resumed is the uninterrupted run, to the last bit."""

import json
import os
import shutil
import signal

import pytest
import torch
from torch import nn

from vaekit.errors import ArtifactError, ConfigError
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.objectives import ELBO, Cosine, Linear, Loss
from vaekit.training import (
    CHECKPOINT,
    HISTORY,
    SGD,
    Adam,
    AdamW,
    Callback,
    Player,
    Trainer,
    read_history,
)


class Critic(nn.Module):
    """Tells codes of the posterior from codes of the prior; has a buffer that changes, too."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 1))

    def forward(self, z):
        return self.net(z.flatten(0, -2)).mean()


def two_players(model, critic):
    def model_loss(evidence, **_):
        gap = critic(evidence.nodes[0].z)
        return Loss(-evidence.elbo.mean() + gap, {"gap": gap})

    def critic_loss(evidence, *, model, **_):
        z = evidence.nodes[0].z.detach()
        total = critic(torch.randn_like(z)) - critic(z)
        return Loss(total, {"loss": total})

    return [
        [
            Player("model", p := [*model.parameters()], Adam(lr=1e-2).build(p), model_loss),
            Player("critic", p := [*critic.parameters()], SGD(lr=1e-2).build(p), critic_loss),
        ]
    ]


@pytest.fixture
def cases(make_model, make_trainer, data, images, settings):
    """Trainers of several kinds; each call builds everything anew, as a new process would."""

    def with_players(folder, callbacks=()):
        model = make_model()
        critic = Critic()
        return Trainer(
            model,
            data,
            settings(),
            objective=ELBO(),
            rounds=two_players(model, critic),
            extras=critic,
            folder=folder,
            callbacks=callbacks,
            accelerator="cpu",
        )

    def single(model=lambda: make_model(), **options):
        return lambda folder, callbacks=(): make_trainer(
            folder, model=model(), callbacks=callbacks, **options
        )

    return {
        "plain": single(),
        "average": single(average=0.8),
        "schedules": single(
            lr_schedule=Cosine(warm_up=0.3),
            objective=ELBO(beta=Linear(over=0.7), free_bits=0.05),
            optimizer=AdamW(),
            clip=0.5,
        ),
        "optimal sigma": single(lambda: make_model(scale="optimal")),
        "optimal sigma, average": single(lambda: make_model(scale="optimal"), average=0.9),
        "dynamic binarisation": single(
            lambda: make_model((1, 3, 3), likelihood=Bernoulli()), parts=images
        ),
        "momentum": single(optimizer=SGD(lr=1e-3)),
        "no held-out data": single(parts={"train": data["train"]}),
        "patience": single(epochs=8, patience=1, min_delta=0.5),
        "two players": with_players,
    }


CASES = [
    "plain",
    "average",
    "schedules",
    "optimal sigma",
    "optimal sigma, average",
    "dynamic binarisation",
    "momentum",
    "no held-out data",
    "patience",
    "two players",
]


class Copies(Callback):
    """Copies the whole folder after each step and after each epoch, as kill -9 would find it."""

    def __init__(self, folder, into):
        self.folder, self.into, self.count = folder, into, 0

    def copy(self, name):
        if (self.folder / CHECKPOINT).exists():
            shutil.copytree(self.folder, self.into / f"{self.count:03}-{name}")
            self.count += 1

    def on_step(self, *, step):
        self.copy(f"step-{step}")

    def on_epoch(self, record):
        self.copy(f"epoch-{record['epoch']}")


class Stop(Callback):
    """Raises an error at a given event, once."""

    def __init__(self, error, *, step=None, epoch=None):
        self.error, self.step, self.epoch = error, step, epoch

    def on_step(self, *, step):
        if step == self.step:
            raise self.error

    def on_epoch(self, record):
        if record["epoch"] == self.epoch:
            raise self.error


def everything(trainer):
    """All tensors that a run leaves behind."""
    kept = {f"model.{k}": v for k, v in trainer.model.state_dict().items()}
    kept |= {f"extras.{k}": v for k, v in trainer.extras.state_dict().items()}
    kept |= {f"best.{k}": v for k, v in trainer.selection.weights.items()}
    if trainer.average is not None:
        kept |= {f"average.{k}": v for k, v in trainer.average.average.items()}
    for player in trainer.players:
        for i, values in player.optimizer.state_dict()["state"].items():
            kept |= {f"{player.name}.{i}.{k}": torch.as_tensor(v) for k, v in values.items()}
    return {name: value.clone() for name, value in kept.items()}


def differences(one, other):
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


@pytest.fixture
def reference(cases, tmp_path, without_seconds):
    """The uninterrupted run of a case, and copies of its folder at every moment."""

    def run(name):
        folder, copies = tmp_path / "whole", tmp_path / "copies"
        trainer = cases[name](folder, [Copies(folder, copies)])
        records = without_seconds(trainer.fit().records)
        return everything(trainer), records, sorted(copies.iterdir())

    return run


@pytest.mark.parametrize("name", CASES)
def test_resuming_from_every_checkpoint_is_bit_identical(name, cases, reference, without_seconds):
    expected, records, copies = reference(name)
    assert len(copies) >= 2 * len(records)
    for folder in copies:
        trainer = cases[name](folder)
        history = trainer.fit(resume=True)
        assert differences(expected, everything(trainer)) == [], folder.name
        assert without_seconds(history.records) == records, folder.name
        assert without_seconds(read_history(folder / HISTORY)) == records, folder.name
        assert [list(record) for record in history.records][-1][:3] == [
            "epoch",
            "step",
            "loss",
        ] or (name == "two players")


@pytest.mark.parametrize("name", CASES)
def test_chains_of_interruptions_are_bit_identical(
    name, cases, reference, tmp_path, without_seconds
):
    """Ctrl-C after every single step, each time in what would be a new process."""
    expected, records, _ = reference(name)
    folder, step, resume = tmp_path / "chain", 1, False
    while True:
        trainer = cases[name](folder, [Stop(KeyboardInterrupt(), step=step)])
        try:
            trainer.fit(resume=resume)
            break
        except KeyboardInterrupt:
            assert trainer.step == step
            step, resume = step + 1, True
    assert step > len(records)
    assert differences(expected, everything(trainer)) == []
    assert without_seconds(trainer.history.records) == records
    assert without_seconds(read_history(folder / HISTORY)) == records


def test_ctrl_c_between_two_checkpoints_loses_nothing(make_trainer, tmp_path, without_seconds):
    """Nothing is on disk yet when it comes."""
    whole = make_trainer(tmp_path / "whole", checkpoint_seconds=1e6)
    records = without_seconds(whole.fit().records)
    folder = tmp_path / "run"
    first = make_trainer(
        folder, callbacks=[Stop(KeyboardInterrupt(), step=5)], checkpoint_seconds=1e6
    )
    with pytest.raises(KeyboardInterrupt):
        first.fit()
    second = make_trainer(folder, checkpoint_seconds=1e6)
    assert without_seconds(second.fit(resume=True).records) == records
    assert differences(everything(whole), everything(second)) == []


def interrupting(at, times=1, where="train"):
    """An objective during which Ctrl-C is pressed: signals arrive in the middle of a step."""
    calls = [0]

    def objective(evidence, *, batch, model, progress):
        if model.training is (where == "train"):
            calls[0] += 1
            if calls[0] == at:
                for _ in range(times):
                    os.kill(os.getpid(), signal.SIGINT)
        return ELBO()(evidence, batch=batch, model=model, progress=progress)

    return objective


@pytest.mark.parametrize("where", ["train", "valid"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_real_ctrl_c_waits_until_the_step_is_whole(
    make_trainer, tmp_path, without_seconds, where, at
):
    quiet = interrupting(at=0)
    whole = make_trainer(tmp_path / "whole", objective=quiet)
    records = without_seconds(whole.fit().records)
    folder = tmp_path / "run"
    first = make_trainer(folder, objective=interrupting(at, where=where), checkpoint_seconds=1e6)
    with pytest.raises(KeyboardInterrupt):
        first.fit()
    assert first.step == (at if where == "train" else 3 * at)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    second = make_trainer(folder, objective=quiet, checkpoint_seconds=1e6)
    assert without_seconds(second.fit(resume=True).records) == records
    assert differences(everything(whole), everything(second)) == []


@pytest.mark.parametrize("where", ["train", "valid"])
def test_a_second_ctrl_c_strikes_at_once_and_spoils_no_checkpoint(
    make_trainer, tmp_path, without_seconds, where
):
    quiet = interrupting(at=0)
    whole = make_trainer(tmp_path / "whole", objective=quiet)
    records = without_seconds(whole.fit().records)
    folder = tmp_path / "run"
    first = make_trainer(folder, objective=interrupting(2, times=2, where=where))
    with pytest.raises(KeyboardInterrupt):
        first.fit()
    second = make_trainer(folder, objective=quiet)
    assert without_seconds(second.fit(resume=True).records) == records
    assert differences(everything(whole), everything(second)) == []


def test_an_interrupted_trainer_can_go_on_in_memory(make_trainer, without_seconds):
    whole = make_trainer()
    records = without_seconds(whole.fit().records)
    trainer = make_trainer(callbacks=[Stop(KeyboardInterrupt(), step=4)])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit()
    assert without_seconds(trainer.fit().records) == records
    assert differences(everything(whole), everything(trainer)) == []


def test_resuming_a_finished_run_changes_nothing(make_trainer, tmp_path, without_seconds):
    first = make_trainer(tmp_path)
    records = first.fit().records
    content = (tmp_path / HISTORY).read_bytes()
    second = make_trainer(tmp_path)
    assert second.fit(resume=True).records == records
    assert (tmp_path / HISTORY).read_bytes() == content
    assert differences(everything(first), everything(second)) == []


def test_a_new_start_forgets_the_records_of_a_run_without_checkpoint(
    make_trainer, tmp_path, without_seconds
):
    """Killed before the first checkpoint: epochs are on record that must be made again."""
    folder = tmp_path / "run"
    killed = make_trainer(folder, callbacks=[Stop(SystemExit(9), epoch=2)], checkpoint_seconds=1e6)
    with pytest.raises(SystemExit):
        killed.fit()
    assert len(read_history(folder / HISTORY)) == 2
    assert not (folder / CHECKPOINT).exists()
    history = make_trainer(folder).fit()
    assert [record["epoch"] for record in read_history(folder / HISTORY)] == [1, 2, 3]
    assert read_history(folder / HISTORY) == history.records


def test_half_written_files_of_killed_runs_are_removed(make_trainer, tmp_path):
    for name in (f".{CHECKPOINT}.4711.tmp", f".{HISTORY}.4711.tmp", ".tmpjU1CRC"):
        (tmp_path / name).write_bytes(b"half")
    make_trainer(tmp_path).fit()
    assert {path.name for path in tmp_path.iterdir()} == {CHECKPOINT, HISTORY}


# --- what cannot be resumed ------------------------------------------------------------------


@pytest.fixture
def stopped(make_trainer, tmp_path):
    """The folder of a run that was stopped in its second epoch."""
    with pytest.raises(KeyboardInterrupt):
        make_trainer(tmp_path, callbacks=[Stop(KeyboardInterrupt(), step=4)]).fit()
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"epochs": 4}, "training.epochs; expected 3, got 4"),
        ({"batch_size": 11}, "training.batch_size; expected 8, got 11"),
        ({"seed": 1}, "training.seed; expected 0, got 1"),
        ({"optimizer": Adam(lr=2e-2)}, "training.optimizer.lr; expected 0.01, got 0.02"),
        ({"optimizer": SGD()}, "players.model; expected"),
        ({"average": 0.9}, "training.average; expected none, got 0.9"),
        ({"lr_schedule": Linear()}, "training.lr_schedule"),
        ({"clip": 1.0}, "training.clip"),
        ({"objective": ELBO(beta=2.0)}, "objective.beta; expected 1.0, got 2.0"),
        ({"objective": ELBO(beta=Linear())}, "objective.beta"),
    ],
)
def test_other_settings_are_refused_by_name(make_trainer, stopped, changes, name):
    with pytest.raises(ArtifactError, match=f"a run with another {name}"):
        make_trainer(stopped, **changes).fit(resume=True)


def test_another_model_is_refused(make_trainer, make_model, stopped):
    other = make_model(likelihood=Gaussian(scale="shared"))
    with pytest.raises(ArtifactError, match=r"a run with another players.model"):
        make_trainer(stopped, model=other).fit(resume=True)
    same_size = make_model(likelihood=Gaussian(scale=2.0))
    with pytest.raises(
        ArtifactError, match=r"another model.likelihood.scale; expected 1.0, got 2"
    ):
        make_trainer(stopped, model=same_size).fit(resume=True)


def test_other_data_is_refused(make_trainer, stopped, data):
    changed = data["train"].subset(torch.arange(22))
    changed.x = changed.x + 1e-3
    with pytest.raises(ArtifactError, match="a run with another train data"):
        make_trainer(stopped, parts={**data, "train": changed}).fit(resume=True)
    fewer = data["validation"].subset(torch.arange(8))
    with pytest.raises(ArtifactError, match=r"another validation data; expected \(9, 5\)"):
        make_trainer(stopped, parts={**data, "validation": fewer}).fit(resume=True)


def test_the_time_between_checkpoints_may_change(make_trainer, stopped):
    assert len(make_trainer(stopped, checkpoint_seconds=60.0).fit(resume=True).records) == 3


def test_the_policy_of_the_checkpoint_is_kept(make_trainer, stopped):
    from vaekit.training import PolicySpec

    trainer = make_trainer(stopped, speed=PolicySpec(precision="bf16-mixed", compile="off"))
    trainer.fit(resume=True)
    assert trainer.policy.precision == "32-true"


def test_without_a_checkpoint_there_is_nothing_to_resume(make_trainer, tmp_path):
    with pytest.raises(ArtifactError, match="no checkpoint"):
        make_trainer(tmp_path).fit(resume=True)
    with pytest.raises(ConfigError, match="nothing to resume: the run has no folder"):
        make_trainer().fit(resume=True)


def rewrite_facts(path, change):
    """Change the facts in a checkpoint's header."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    facts = json.loads(header["__metadata__"]["facts"])
    change(facts)
    header["__metadata__"]["facts"] = json.dumps(facts)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size :])


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.pop("step"),
        lambda facts: facts.pop("policy"),
        lambda facts: facts.update(policy={"precision": "1-true"}),
        lambda facts: facts.update(counts={"nothing": 1}),
        lambda facts: facts.update(counts=None),
        lambda facts: facts.update(step="four"),
        lambda facts: facts.update(step=10**9),
        lambda facts: facts.update(records=2),
        lambda facts: facts.update(records=-1),
        lambda facts: facts.pop("identity"),
    ],
)
def test_facts_that_make_no_sense_are_refused(make_trainer, stopped, change):
    rewrite_facts(stopped / CHECKPOINT, change)
    with pytest.raises(ArtifactError, match="checkpoint"):
        make_trainer(stopped).fit(resume=True)


def test_a_history_that_lost_its_records_is_refused(make_trainer, stopped):
    (stopped / HISTORY).write_text("")
    with pytest.raises(ArtifactError, match="the history is shorter than its checkpoint"):
        make_trainer(stopped).fit(resume=True)
    (stopped / HISTORY).unlink()
    with pytest.raises(ArtifactError, match="the history is shorter than its checkpoint"):
        make_trainer(stopped).fit(resume=True)
