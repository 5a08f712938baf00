"""The loop against plain torch loops written by hand, and its book-keeping."""

import copy

import pytest
import torch
from torch import distributions as td

from vaekit.distributions import row_noise
from vaekit.errors import ConfigError
from vaekit.objectives import ELBO, Autoencoding, Cosine, Linear, Loss, Progress
from vaekit.training import SGD, Adam, Callback, Player, Trainer, WeightAverage
from vaekit.training.seeding import seed_step


def double(parts):
    """The same data in float64, so that a hand-written loop must agree to rounding."""
    parts = dict(parts)
    for part in parts.values():
        part.x = part.x.double()
    return parts


def minus_elbo(model, x, beta=1.0):
    """-ELBO with one sample, by torch.distributions; draws its noise from the global generator."""
    q = model.encode(x)
    z = q.loc + q.scale * torch.randn(1, len(x), 2, dtype=x.dtype)
    px = td.Normal(model.decode(z).loc, 1.0)
    kl = td.kl_divergence(td.Normal(q.loc, q.scale), td.Normal(0.0, 1.0))
    return -px.log_prob(x).sum(-1).mean() + beta * kl.sum(-1).mean()


def train_by_hand(model, data, *, epochs, size, lr, betas=None, rates=None, clip=None, seed=0):
    """A plain loop, one optimiser of torch's without fused kernels; yields after every step."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, foreach=False, fused=False)
    step = 0
    for epoch in range(epochs):
        order = data.order(seed, epoch)
        for start in range(0, len(order), size):
            x = data.x[order[start : start + size]]
            seed_step(seed, step, torch.device("cpu"))
            optimizer.param_groups[0]["lr"] = lr * (rates[step] if rates else 1.0)
            optimizer.zero_grad()
            minus_elbo(model, x, betas[step] if betas else 1.0).backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            step += 1
            yield step


def assert_close_weights(one, other, tolerance=1e-10):
    for name, value in one.state_dict().items():
        torch.testing.assert_close(
            value, other.state_dict()[name], rtol=tolerance, atol=tolerance, msg=name
        )


@pytest.mark.parametrize("seed", [0, 7])
def test_it_makes_the_steps_of_a_plain_torch_loop(make_trainer, make_model, data, seed):
    model = make_model().double()
    by_hand = copy.deepcopy(model)
    parts = {"train": double(data)["train"]}
    make_trainer(model=model, parts=parts, seed=seed).fit()
    steps = list(train_by_hand(by_hand, parts["train"], epochs=3, size=8, lr=1e-2, seed=seed))
    assert len(steps) == 9
    assert_close_weights(model, by_hand)


def test_in_single_precision_too(make_trainer, make_model, data):
    model = make_model()
    by_hand = copy.deepcopy(model)
    make_trainer(model=model, parts={"train": data["train"]}).fit()
    list(train_by_hand(by_hand, data["train"], epochs=3, size=8, lr=1e-2))
    assert_close_weights(model, by_hand, tolerance=1e-6)


def test_schedules_of_learning_rate_and_beta_and_clipping(make_trainer, make_model, data):
    model = make_model().double()
    by_hand = copy.deepcopy(model)
    parts = {"train": double(data)["train"]}
    make_trainer(
        model=model,
        parts=parts,
        objective=ELBO(beta=Linear(start=0.0, end=2.0, over=0.5)),
        lr_schedule=Linear(start=1.0, end=0.2, over=1.0),
        clip=0.5,
    ).fit()
    betas = [0.0, 0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 2.0]
    rates = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]
    list(
        train_by_hand(
            by_hand, parts["train"], epochs=3, size=8, lr=1e-2, betas=betas, rates=rates, clip=0.5
        )
    )
    assert_close_weights(model, by_hand)


class Watch(Callback):
    """Calls a function after each step."""

    def __init__(self, watch):
        self.watch = watch

    def on_step(self, *, step):
        self.watch(step)


def test_the_learning_rate_of_each_step_is_the_schedule_exactly(make_trainer):
    seen = []
    schedule = Cosine(start=1.0, end=0.0, warm_up=0.25)
    trainer = make_trainer(lr_schedule=schedule)
    group = trainer.players[0].optimizer.param_groups[0]
    trainer.callbacks.append(Watch(lambda step: seen.append(group["lr"])))
    history = trainer.fit()
    assert seen == [1e-2 * schedule(step / 8) for step in range(9)]
    assert seen[0] == seen[-1] == 0.0
    assert [record["learning_rate"] for record in history.records] == [seen[2], seen[5], seen[8]]


def test_averaged_weights_are_evaluated_and_raw_ones_trained(make_trainer, make_model, data):
    model = make_model().double()
    by_hand, evaluated = copy.deepcopy(model), copy.deepcopy(model)
    average = {name: value.clone() for name, value in by_hand.named_parameters()}
    parts = double(data)
    history = make_trainer(model=model, parts=parts, average=0.8).fit()
    losses = []
    for step in train_by_hand(by_hand, parts["train"], epochs=3, size=8, lr=1e-2):
        for name, value in by_hand.named_parameters():
            average[name] = 0.8 * average[name] + 0.2 * value.detach()
        if step % 3 == 0:
            evaluated.load_state_dict(average, strict=False)
            losses.append(held_out_loss(evaluated, parts["validation"]))
    assert [r["valid_loss"] for r in history.records] == pytest.approx(losses, rel=1e-10)
    best = losses.index(min(losses))
    assert best == 2, "the test data should let the last epoch be the best"
    assert_close_weights(model, evaluated)


def test_the_history_has_the_means_over_the_examples_of_an_epoch(make_trainer, make_model, data):
    model = make_model().double()
    by_hand = copy.deepcopy(model)
    parts = {"train": double(data)["train"]}
    history = make_trainer(model=model, parts=parts, epochs=1).fit()
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=1e-2)
    order, losses = parts["train"].order(0, 0), []
    for step, index in enumerate(order.split(8)):
        seed_step(0, step, torch.device("cpu"))
        loss = minus_elbo(by_hand, parts["train"].x[index])
        losses.append((float(loss.detach()), len(index)))
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            norm = torch.cat([p.grad.flatten() for p in by_hand.parameters()]).norm()
        optimizer.step()
    assert [size for _, size in losses] == [8, 8, 6]
    (record,) = history.records
    mean = sum(loss * size for loss, size in losses) / 22
    assert record["loss"] == pytest.approx(mean, rel=1e-10)
    assert record["distortion"] + record["rate"] == pytest.approx(mean, rel=1e-10)
    assert sum(record["kl"]) == pytest.approx(record["rate"], rel=1e-10)
    assert record["gradient_norm"] == pytest.approx(float(norm), rel=1e-10)
    assert (record["epoch"], record["step"], record["last"]) == (1, 3, True)


@pytest.mark.parametrize("clip", [None, 1e-3])
def test_every_epoch_has_the_gradient_norm_of_its_first_step_before_clipping(make_trainer, clip):
    trainer, norms = make_trainer(clip=clip), []
    plain = trainer.players[0].loss

    def remember(*args, **kwargs):
        loss = plain(*args, **kwargs)
        if trainer.model.training:
            parts = torch.autograd.grad(
                loss.total, trainer.players[0].parameters, retain_graph=True
            )
            norms.append(float(torch.cat([part.flatten() for part in parts]).norm()))
        return loss

    trainer.players[0].loss = remember
    history = trainer.fit()
    assert [r["gradient_norm"] for r in history.records] == pytest.approx(norms[::3], rel=1e-6)


def held_out_loss(model, part, seed=0):
    with torch.no_grad(), row_noise(seed, 0, len(part)):
        return -float(model.evidence(part.x).elbo.mean())


def test_the_best_weights_are_kept(make_trainer, data):
    trainer = make_trainer(epochs=12, optimizer=SGD(lr=0.05, momentum=0.9))
    history = trainer.fit()
    losses = [record["valid_loss"] for record in history.records]
    best = losses.index(min(losses))
    assert best < len(losses) - 1, "the run should overshoot, else this shows nothing"
    assert held_out_loss(trainer.model, data["validation"]) == pytest.approx(min(losses), rel=1e-6)
    assert [r["best"] for r in history.records] == [
        loss < min([*losses[:i], float("inf")]) for i, loss in enumerate(losses)
    ]
    assert not trainer.model.training


def test_without_held_out_data_the_last_weights_are_kept(
    make_trainer, make_model, data, same_weights
):
    model = make_model()
    trainer = make_trainer(model=model, parts={"train": data["train"]})
    last = {}
    state = model.state_dict()
    trainer.callbacks.append(
        Watch(lambda _: last.update({k: v.clone() for k, v in state.items()}))
    )
    history = trainer.fit()
    assert all(torch.equal(value, last[name]) for name, value in model.state_dict().items())
    assert "valid_loss" not in history.last


def test_patience_stops_after_so_many_epochs_without_a_better_bound(make_trainer, data):
    def stuck(evidence, *, batch, model, progress):
        """A loss that falls in training while the held-out value, at the end of time, is fixed."""
        total = -evidence.elbo.mean()
        return Loss(total if progress.fraction < 1 else total * 0 + 5.0, {})

    trainer = make_trainer(objective=stuck, epochs=50, patience=4)
    history = trainer.fit()
    assert [record["best"] for record in history.records] == [True, False, False, False, False]
    assert [record["last"] for record in history.records] == [False] * 4 + [True]
    assert trainer.step == 15


def test_min_delta_says_what_better_means(make_trainer):
    history = make_trainer(epochs=6, min_delta=1e6, patience=3).fit()
    assert [record["best"] for record in history.records] == [True, False, False, False]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(make_trainer, same_weights):
    runs = [make_trainer(seed=seed) for seed in (3, 3, 4)]
    for number, trainer in enumerate(runs):
        torch.manual_seed(number)
        trainer.fit()
    assert same_weights(runs[0].model, runs[1].model)
    assert not same_weights(runs[0].model, runs[2].model)


class Noisy(Callback):
    """A callback that uses random numbers at every opportunity."""

    def on_start(self, **_):
        torch.rand(3)

    def on_step(self, **_):
        torch.rand(5)

    def on_epoch(self, record):
        torch.manual_seed(1)


def test_callbacks_do_not_change_the_numbers(make_trainer, same_weights, without_seconds):
    plain, watched = make_trainer(), make_trainer(callbacks=[Noisy()])
    histories = [without_seconds(trainer.fit().records) for trainer in (plain, watched)]
    assert same_weights(plain.model, watched.model)
    assert histories[0] == histories[1]


class Events(Callback):
    def __init__(self):
        self.seen = []

    def on_start(self, *, step, total, note):
        self.seen.append(("start", step, total))

    def on_step(self, *, step):
        self.seen.append(("step", step))

    def on_epoch(self, record):
        self.seen.append(("epoch", record["epoch"]))

    def on_end(self):
        self.seen.append(("end",))


def test_callbacks_hear_of_everything_in_order(make_trainer):
    events = Events()
    make_trainer(callbacks=[events], epochs=2, batch_size=11).fit()
    assert events.seen == [
        ("start", 0, 4),
        *[("step", 1), ("step", 2), ("epoch", 1)],
        *[("step", 3), ("step", 4), ("epoch", 2)],
        ("end",),
    ]


def test_fitting_again_adds_nothing(make_trainer):
    trainer = make_trainer()
    first = copy.deepcopy(trainer.fit().records)
    before = copy.deepcopy(trainer.model.state_dict())
    assert trainer.fit().records == first
    assert all(torch.equal(v, before[k]) for k, v in trainer.model.state_dict().items())


def test_several_samples_are_drawn_when_the_objective_asks(make_trainer, make_model):
    model, seen = make_model(), []
    plain = model.evidence

    def evidence(*args, **kwargs):
        seen.append(kwargs["samples"])
        return plain(*args, **kwargs)

    model.evidence = evidence
    make_trainer(model=model, objective=ELBO(samples=3), epochs=1).fit()
    assert set(seen[:3]) == {3}


def test_optimal_sigma_is_frozen_from_all_training_rows(make_trainer, make_model, data):
    model = make_model(scale="optimal")
    make_trainer(model=model).fit()
    x = data["train"].x
    with torch.no_grad(), row_noise(0, 0, len(x)):
        error = (x - model.evidence(x).px.mean).square().mean()
    torch.testing.assert_close(model.likelihood.mean_square, error)


def test_there_must_be_something_to_minimise(make_model, data, settings):
    with pytest.raises(ConfigError, match="nothing to minimise; expected an objective or rounds"):
        Trainer(make_model(), data, settings())


def test_a_contraction_penalty_can_be_validated(make_trainer):
    history = make_trainer(objective=Autoencoding(contraction=0.1), epochs=1).fit()
    assert history.last["valid_loss"] == pytest.approx(
        history.last["valid_distortion"] + 0.1 * history.last["valid_contraction"], rel=1e-6
    )


# --- several players -------------------------------------------------------------------------


def test_two_players_are_the_two_loops_written_by_hand(make_model, data, settings):
    """Encoder and decoder as players with losses and optimisers of their own."""
    model = make_model().double()
    by_hand = copy.deepcopy(model)
    train = double(data)["train"]

    def parts(m):
        return [[*m.encoder.parameters(), *m.posterior.parameters()], [*m.decoder.parameters()]]

    objectives = [ELBO(beta=2.0), ELBO(beta=0.5)]
    players = [
        Player(name, weights, Adam(lr=lr).build(weights), objective)
        for name, weights, lr, objective in zip(
            ("encoder", "decoder"), parts(model), (1e-2, 3e-3), objectives, strict=True
        )
    ]
    trainer = Trainer(model, {"train": train}, settings(), rounds=[players], accelerator="cpu")
    history = trainer.fit()
    optimizers = [
        torch.optim.Adam(w, lr=lr) for w, lr in zip(parts(by_hand), (1e-2, 3e-3), strict=True)
    ]
    step = 0
    for epoch in range(3):
        for index in train.order(0, epoch).split(8):
            gradients = []
            for weights, beta in zip(parts(by_hand), (2.0, 0.5), strict=True):
                seed_step(0, step, torch.device("cpu"))
                loss = minus_elbo(by_hand, train.x[index], beta)
                gradients.append(torch.autograd.grad(loss, weights))
            for optimizer, weights, grads in zip(
                optimizers, parts(by_hand), gradients, strict=True
            ):
                for weight, gradient in zip(weights, grads, strict=True):
                    weight.grad = gradient
                optimizer.step()
            step += 1
    assert_close_weights(model, by_hand)
    assert {"encoder/loss", "decoder/loss", "encoder/gradient_norm"} <= history.last.keys()


def test_each_players_learning_rate_follows_the_schedule(make_model, data, settings):
    model = make_model()
    halves = [[*model.encoder.parameters()], [*model.decoder.parameters()]]
    players = [
        Player(str(lr), weights, Adam(lr=lr).build(weights), ELBO())
        for lr, weights in zip((1e-2, 1e-3), halves, strict=True)
    ]
    seen = []
    watch = Watch(lambda _: seen.append([p.optimizer.param_groups[0]["lr"] for p in players]))
    schedule = Linear(start=0.0, end=1.0, over=0.5)
    training = settings(lr_schedule=schedule, epochs=1)
    Trainer(model, data, training, rounds=[players], callbacks=[watch], accelerator="cpu").fit()
    assert seen == [[0.0, 0.0], [1e-2, 1e-3], [1e-2, 1e-3]]


def test_the_average_follows_the_hand_recurrence_exactly(make_model):
    model = make_model()
    average = WeightAverage(model, 0.75)
    expected = {name: value.detach().clone() for name, value in model.named_parameters()}
    for _ in range(5):
        with torch.no_grad():
            for value in model.parameters():
                value.add_(torch.randn_like(value))
        average.update()
        for name, value in model.named_parameters():
            expected[name] = expected[name] + 0.25 * (value.detach() - expected[name])
    for name, value in expected.items():
        torch.testing.assert_close(average.average[name], value, rtol=0, atol=1e-7)


def test_progress_reaches_the_losses(make_trainer):
    seen = []

    def objective(evidence, *, batch, model, progress):
        if model.training:
            seen.append(progress)
        return Loss(-evidence.elbo.mean(), {})

    make_trainer(objective=objective, epochs=2).fit()
    assert seen == [Progress(step, 6) for step in range(6)]
