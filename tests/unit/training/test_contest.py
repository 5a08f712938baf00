"""Objectives with critics: who may change what, what is checkpointed, what is named how."""

from functools import partial

import pytest
import torch
from torch import nn

from vaekit.distributions import StandardNormal
from vaekit.objectives import ELBO, BetaTC, Contest, FactorVAE, Loss, Progress, Side
from vaekit.training import SGD, Adam, Callback, Trainer
from vaekit.training.players import train_step


class Duel(ELBO, kind="objective/test-duel"):
    """A critic that tells codes from draws of the prior, and a model that fools it."""

    critic_rate: float = 0.1

    def contest(self, model):
        critic = nn.Linear(2, 1)
        sides = [
            Side("model", model.parameters(), partial(self.fool, critic=critic)),
            Side(
                "critic",
                critic.parameters(),
                partial(self.tell, critic=critic),
                optimizer=SGD(lr=self.critic_rate),
            ),
        ]
        return Contest(nn.ModuleDict({"critic": critic}), [sides])

    def fool(self, evidence, *, critic, **rest):
        loss = self(evidence, **rest)
        return Loss(loss.total - critic(evidence.nodes[0].z).mean(), loss.terms)

    def tell(self, evidence, *, critic, **rest):
        z = evidence.nodes[0].z
        real = StandardNormal(z.new_zeros(2)).sample(z.shape[:-1])
        loss = critic(z).mean() - critic(real).mean()
        return Loss(loss, {"loss": loss})


class StopError(Exception):
    pass


class StopAt(Callback):
    """Stops a run after so many steps."""

    def __init__(self, step):
        self.step = step

    def on_step(self, *, step):
        if step == self.step:
            raise StopError


def test_the_loop_makes_players_of_sides(make_model, data, settings):
    trainer = Trainer(make_model(), data, settings(), objective=Duel())
    history = trainer.fit()
    assert [p.name for p in trainer.players] == ["model", "critic"]
    assert isinstance(trainer.players[1].optimizer, torch.optim.SGD)
    assert {"loss", "rate", "critic/loss", "valid_loss"} <= set(history.last)


def test_critics_go_to_the_checkpoint_and_come_back(make_model, data, settings, tmp_path):
    whole = Trainer(make_model(), data, settings(), objective=Duel(), folder=tmp_path / "a")
    whole.fit()
    part = Trainer(make_model(), data, settings(), objective=Duel(), folder=tmp_path / "b")
    part.callbacks = [StopAt(5)]
    with pytest.raises(StopError):
        part.fit()
    again = Trainer(make_model(), data, settings(), objective=Duel(), folder=tmp_path / "b")
    again.fit(resume=True)
    for name, weight in whole.extras.state_dict().items():
        torch.testing.assert_close(again.extras.state_dict()[name], weight, rtol=0, atol=0)
    for name, weight in whole.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[name], weight, rtol=0, atol=0)


def test_a_critic_step_leaves_the_model_bit_identical(make_model, data, settings):
    results = []
    for rate in (0.0, 1.0):
        model = make_model()
        trainer = Trainer(model, data, settings(epochs=1), objective=Duel(critic_rate=rate))
        before = [p.clone() for p in trainer.extras.parameters()]
        batch = data["train"].batch(torch.arange(8))
        trainer.rounds = [[trainer.players[1]]]
        state = {n: v.clone() for n, v in model.state_dict().items()}
        train_step(model, trainer.rounds, batch, progress=Progress(0, 1))
        for name, value in model.state_dict().items():
            torch.testing.assert_close(value, state[name], rtol=0, atol=0)
        moved = any(
            not torch.equal(a, b) for a, b in zip(before, trainer.extras.parameters(), strict=True)
        )
        results.append(moved)
    assert results == [False, True]


def test_the_loop_says_how_many_rows_there_are(make_model, data, settings):
    trainer = Trainer(make_model(), data, settings(epochs=1), objective=BetaTC())
    assert trainer.objective.rows == len(data["train"])
    assert "valid_total_correlation" in trainer.fit().last


@pytest.mark.parametrize("steps", [2, 5])
def test_factorvae_resumes_bit_identically_with_its_critic(
    make_trainer, same_weights, without_seconds, tmp_path, steps
):
    objective = FactorVAE(critic=(8,), optimizer=Adam(lr=1e-2, beta1=0.5))
    whole = make_trainer(tmp_path / "whole", objective=objective)
    records = without_seconds(whole.fit().records)
    stopped = make_trainer(tmp_path / "part", objective=objective, callbacks=[StopAt(steps)])
    with pytest.raises(StopError):
        stopped.fit()
    again = make_trainer(tmp_path / "part", objective=objective)
    assert without_seconds(again.fit(resume=True).records) == records
    assert same_weights(again.model, whole.model)
    assert same_weights(again.extras, whole.extras)
    assert {"total_correlation", "critic/loss", "valid_elbo"} <= set(records[-1])
