"""Runs that diverge or meet a full disk keep what was good."""

import pytest
import torch

from vaekit.distributions import row_noise
from vaekit.errors import NumericalError
from vaekit.likelihoods import Gaussian
from vaekit.objectives import ELBO, Loss
from vaekit.training import CHECKPOINT, SGD, Callback
from vaekit.training.checkpoint import load_checkpoint


def exploding(at, total=9):
    """An objective that is NaN from a given step on."""

    def objective(evidence, *, batch, model, progress):
        loss = ELBO()(evidence, batch=batch, model=model, progress=progress)
        bad = float("nan") if model.training and progress.step >= at else 0.0
        return Loss(loss.total + bad, {**loss.terms, "loss": loss.total + bad})

    return objective


def is_finite(state):
    return all(bool(value.isfinite().all()) for value in state.values())


@pytest.mark.parametrize(("at", "epoch"), [(0, 1), (2, 1), (3, 2), (7, 3), (8, 3)])
@pytest.mark.parametrize("seconds", [0.0, 1e6])
def test_a_nan_names_the_epoch_and_the_remedy(make_trainer, tmp_path, at, epoch, seconds):
    trainer = make_trainer(tmp_path, objective=exploding(at), checkpoint_seconds=seconds)
    good = f"weights of epoch {epoch - 1}" if epoch > 1 else "first weights"
    message = f"epoch {epoch}, .*the loss is no longer a finite.*infinity in loss. The {good} are"
    with pytest.raises(NumericalError, match=message):
        trainer.fit()


def test_the_last_good_weights_are_in_the_model_and_the_checkpoint(
    make_trainer, make_model, data, tmp_path
):
    trainer = make_trainer(tmp_path, objective=exploding(at=7))
    with pytest.raises(NumericalError):
        trainer.fit()
    shorter = make_trainer(objective=exploding(at=100))
    shorter.training = shorter.training.replace(epochs=2)
    shorter.total = 9
    shorter.fit()
    same = zip(
        trainer.model.state_dict().values(), shorter.model.state_dict().values(), strict=True
    )
    assert all(torch.equal(one, other) for one, other in same)
    assert not trainer.model.training
    groups, facts = load_checkpoint(tmp_path / CHECKPOINT)
    assert facts["step"] == 7
    assert all(is_finite(group) for group in groups.values())


def test_a_run_that_diverges_at_once_keeps_its_start(make_trainer, make_model):
    model = make_model()
    start = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(NumericalError, match="first weights are kept"):
        make_trainer(model=model, objective=exploding(at=0)).fit()
    assert all(torch.equal(value, start[name]) for name, value in model.state_dict().items())


def test_the_message_names_the_epoch_of_the_best_weights(make_trainer):
    """They are not always those of the last epoch."""

    def objective(evidence, *, batch, model, progress):
        if not model.training:
            objective.calls += 1
            return Loss(evidence.elbo.sum() * 0 + abs(objective.calls - 2))
        total = -evidence.elbo.mean() + (float("nan") if progress.step >= 12 else 0.0)
        return Loss(total, {"loss": total})

    objective.calls = 0
    with pytest.raises(NumericalError, match=r"epoch 5, .*weights of epoch 2 are kept"):
        make_trainer(objective=objective, epochs=6).fit()


def test_a_diverged_run_resumes_from_its_last_good_checkpoint(
    make_trainer, tmp_path, without_seconds, same_weights
):
    whole = make_trainer(tmp_path / "whole", objective=exploding(at=100))
    records = without_seconds(whole.fit().records)
    with pytest.raises(NumericalError):
        make_trainer(tmp_path / "run", objective=exploding(at=4)).fit()
    mended = make_trainer(tmp_path / "run", objective=exploding(at=100))
    assert without_seconds(mended.fit(resume=True).records) == records
    assert same_weights(whole.model, mended.model)


def test_a_learning_rate_that_is_far_too_large_is_caught(make_trainer, tmp_path):
    trainer = make_trainer(tmp_path, optimizer=SGD(lr=1e3), epochs=30)
    with pytest.raises(NumericalError, match=r"epoch \d+, .*lower the learning rate \(--lr\)"):
        trainer.fit()
    assert is_finite(trainer.model.state_dict())
    if (tmp_path / CHECKPOINT).exists():
        assert all(is_finite(g) for g in load_checkpoint(tmp_path / CHECKPOINT)[0].values())


def test_data_that_explodes_is_caught(make_trainer, data, tmp_path):
    huge = data["train"].subset(torch.arange(22))
    huge.x = huge.x * 1e25
    with pytest.raises(NumericalError, match=r"epoch 1, .*The first weights are kept"):
        make_trainer(tmp_path, parts={"train": huge}).fit()


def test_optimal_sigma_is_frozen_after_divergence_too(make_trainer, make_model, data):
    def objective(evidence, *, batch, model, progress):
        bad = float("nan") if model.training and progress.step >= 7 else 0.0
        return Loss(-evidence.elbo.mean() + bad, {"loss": -evidence.elbo.mean() + bad})

    model = make_model(likelihood=Gaussian(scale="optimal"))
    with pytest.raises(NumericalError):
        make_trainer(model=model, objective=objective, parts={"train": data["train"]}).fit()
    x = data["train"].x
    with torch.no_grad(), row_noise(0, 0, len(x)):
        error = (x - model.evidence(x).px.mean).square().mean()
    torch.testing.assert_close(model.likelihood.mean_square, error)


def test_callbacks_hear_of_the_end_after_an_error(make_trainer):
    ends = []

    class End(Callback):
        def on_end(self):
            ends.append(True)

    with pytest.raises(NumericalError):
        make_trainer(objective=exploding(at=2), callbacks=[End()]).fit()
    assert ends == [True]


def test_a_full_disk_leaves_a_checkpoint_to_resume_from(
    make_trainer, tmp_path, monkeypatch, without_seconds, same_weights
):
    whole = make_trainer(tmp_path / "whole")
    records = without_seconds(whole.fit().records)
    from vaekit.training import checkpoint

    plain, calls = checkpoint.save_file, []

    def full(tensors, filename, metadata):
        calls.append(filename)
        if len(calls) == 5:
            filename.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        plain(tensors, filename, metadata=metadata)

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        make_trainer(tmp_path / "run").fit()
    again = make_trainer(tmp_path / "run")
    assert without_seconds(again.fit(resume=True).records) == records
    assert same_weights(whole.model, again.model)
