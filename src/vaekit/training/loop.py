"""The one training loop: epochs of steps, with everything that makes a run safe to stop.

All randomness is a function of (seed, step) or (seed, epoch), so a run that is resumed from any
checkpoint makes exactly the steps that it would have made.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vaekit.data import Batch, Rows
from vaekit.errors import ArtifactError, ConfigError, NumericalError
from vaekit.files import sweep
from vaekit.models import initialise, uninitialised
from vaekit.objectives import Loss, Progress, Side, value_at
from vaekit.spec import to_json
from vaekit.training.alarms import alarms
from vaekit.training.averaging import WeightAverage
from vaekit.training.callbacks import Callback
from vaekit.training.checkpoint import (
    load_checkpoint,
    optimizer_state,
    restore_optimizer,
    save_checkpoint,
)
from vaekit.training.freeze import freeze_scale
from vaekit.training.history import History, Means
from vaekit.training.identity import check_identity, identity
from vaekit.training.interrupts import Interrupts
from vaekit.training.layout import layout_for
from vaekit.training.players import Player, check_players, flat_player
from vaekit.training.policy import Policy, cpu_threads, decide, flush_denormals
from vaekit.training.processes import Processes
from vaekit.training.rates import LearningRates
from vaekit.training.seeding import seed_step
from vaekit.training.selection import Selection
from vaekit.training.settings import Training
from vaekit.training.stepper import Stepper
from vaekit.training.trials import Trial
from vaekit.training.validation import held_out_terms

__all__ = ["CHECKPOINT", "HISTORY", "INITIAL_ROWS", "Trainer"]

CHECKPOINT = "checkpoint.safetensors"
HISTORY = "history.jsonl"
NORM_EVERY = 16
SCALE_ROWS = 2_000
INITIAL_ROWS = 2_000
MODEL = "model"


class Trainer:
    """Trains a model on data in memory or on a stream.

    Args:
        model: Anything with ``evidence``; its weights are changed in place.
        data: ``train`` and, if there is one, ``validation``.
        training: How to train.
        objective: The loss of a single player over all parameters, or the maker of a contest; and
            what is watched on the held-out data.
        rounds: Players by round, instead of a single one; ``objective`` is then only watched.
        extras: Modules beside the model that players train (critics), to be checkpointed with it.
        folder: Where history and checkpoints go; None keeps everything in memory.
        callbacks: Hooks.
        processes: Who trains together; by default this process alone.
        accelerator: Where, when there is no ``processes``: Lightning Fabric's word ``auto``,
            ``cpu``, ``cuda`` or ``mps``.

    Raises:
        ConfigError: If there is neither an objective nor players, or players overlap.
    """

    def __init__(  # noqa: PLR0913  one parameter for each part of a run
        self,
        model: nn.Module,
        data: Mapping[str, Rows],
        training: Training,
        *,
        objective: Callable[..., Loss] | None = None,
        rounds: Sequence[Sequence[Player]] = (),
        extras: nn.Module | None = None,
        folder: Path | None = None,
        callbacks: Sequence[Callback] = (),
        processes: Processes | None = None,
        accelerator: str = "auto",
    ) -> None:
        if objective is None and not rounds:
            raise ConfigError("nothing to minimise", expected="an objective or rounds of players")
        if training.patience is not None and (objective is None or "validation" not in data):
            raise ConfigError(
                "patience needs held-out data and an objective to watch",
                remedy="give data a validation part (data.validation=0.05), or leave patience out",
            )
        self.training = training
        self.objective = _told(objective, "for_data", data["train"])
        self.watched = _told(self.objective, "for_held_out", data.get("validation"))
        self.folder = folder
        self.processes = processes or Processes(accelerator=accelerator)
        self.callbacks = list(callbacks) if self.processes.is_first else []
        device = self.processes.device
        self.layout = layout_for(model)
        self.model = model.to(device).to(memory_format=self.layout)  # type: ignore[call-overload]
        self.extras = extras.to(device) if extras is not None else nn.Module()
        self.data = {name: part.to(device) for name, part in data.items()}
        self.device = device
        self.rounds = rounds or self._rounds_of_objective()
        self.players = check_players(self.rounds)
        self.steps_per_epoch = self.data["train"].steps_per_epoch(training.batch_size)
        self.total = training.epochs * self.steps_per_epoch
        writes = folder is not None and self.processes.is_first
        self.history = History(folder / HISTORY if folder and writes else None)
        self.average = (
            WeightAverage(self.model, training.average) if training.average is not None else None
        )
        self.step = 0
        self.means = Means()
        self._whole = True
        self.seconds = 0.0
        self.selection = Selection(patience=training.patience, min_delta=training.min_delta)
        self.policy: Policy | None = None
        self.rates = LearningRates(self.players, training.lr_schedule)
        self._last_checkpoint = time.monotonic()
        self._trial: Trial | None = None

    def _rounds_of_objective(self) -> list[list[Player]]:
        """The players of the objective's contest, or a single one over all parameters."""
        assert self.objective is not None
        make = getattr(self.objective, "contest", None)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.training.seed)
            contest = make(self.model) if make is not None else None
        if contest is None:
            return [[self._player(Side(MODEL, self.model.parameters(), self.objective))]]
        self.extras = contest.networks.to(self.device)
        sides = {id(side): side for sides in contest.rounds for side in sides}
        players = {key: self._player(side) for key, side in sides.items()}
        return [[players[id(side)] for side in sides] for sides in contest.rounds]

    def _player(self, side: Side) -> Player:
        return flat_player(
            side.name,
            [p for p in side.parameters if p.requires_grad],
            side.optimizer or self.training.optimizer,
            side.loss,
            gate=side.gate,
            clip=self.training.clip,
        )

    # --- the run -------------------------------------------------------------------------------

    def fit(self, *, resume: bool = False) -> History:
        """Train to the end, or until patience runs out, and leave the best weights in the model.

        Args:
            resume: Go on from the checkpoint in the folder.

        Returns:
            The history.

        Raises:
            NumericalError: If the loss is no longer finite; the model has its last good weights.
            ArtifactError: If there is nothing to resume, or it belongs to another run.
        """
        with flush_denormals(), cpu_threads(self.training.speed.threads):
            self._initialise()
            if not self.selection.weights:
                self.selection.keep(self._state())
            if self.folder is not None and self.processes.is_first:
                self.folder.mkdir(parents=True, exist_ok=True)
                sweep(self.folder)
            self.processes.wait()
            if resume:
                self._resume()
            elif self.step == 0:
                self.history.rewind(0)
            self.policy = self.policy or self.processes.from_first(self._decide)
            self._steps = Stepper(
                self.model,
                self.rounds,
                self.policy,
                self.processes,
                batch_size=self.training.batch_size,
                layout=self.layout,
                captured=self._trial.captured if self._trial else None,
            )
            self._notify("on_start", step=self.step, total=self.total, note=self._note())
            try:
                self._run()
            except NumericalError:
                self._settle()
                raise
            finally:
                self._notify("on_end")
            self._settle()
        return self.history

    def _initialise(self) -> None:
        """Give parts that start from data (pseudo-inputs, scales) some training rows."""
        if uninitialised(self.model):
            some = self.data["train"].sample(INITIAL_ROWS)
            batch = next(iter(some.batches(INITIAL_ROWS)))
            initialise(self.model, batch.x, batch.c)
            if self.average is not None and self.step == 0:
                self.average.restore(dict(self.model.named_parameters()))

    def _settle(self) -> None:
        """Put the best weights into the model, ready to be evaluated."""
        self.model.load_state_dict(self.selection.weights)
        for player in self.players:
            if player.flat is not None:
                player.flat.release()
        freeze_scale(self.model, self.data["train"], seed=self.training.seed)
        self.model.eval()

    def _run(self) -> None:
        with Interrupts() as self._interrupts:
            try:
                while self._goes_on():
                    self._epoch()
                    self._finish_epoch()
            except KeyboardInterrupt:
                if self._whole and self.means.is_finite() and self._weights_are_finite():
                    self._checkpoint()
                raise

    def _goes_on(self) -> bool:
        """Whether an epoch is left to do."""
        return len(self.history.records) < self.training.epochs and not self.selection.stopped

    def _epoch(self) -> None:
        """The rest of the first epoch that has no record yet."""
        train, size = self.data["train"], self.training.batch_size
        epoch = len(self.history.records)
        done = self.step - epoch * self.steps_per_epoch
        self.model.train()
        self.extras.train()
        start = time.perf_counter()
        batches = train.epoch(size, seed=self.training.seed, epoch=epoch, skip=done)
        with contextlib.closing(batches):  # type: ignore[type-var]
            for _ in range(self.steps_per_epoch - done):
                self._whole = False
                seed_step(self.training.seed, self.step, self.device)
                self._train_on(next(batches))
                self.step += 1
                self._whole = True
                self._interrupts.check()
                self._notify("on_step", step=self.step)
                if self._checkpoint_is_due() and self.step % self.steps_per_epoch:
                    self.seconds += time.perf_counter() - start
                    self._guard()
                    self._checkpoint()
                    start = time.perf_counter()
        self.seconds += time.perf_counter() - start

    def _train_on(self, batch: Batch) -> None:
        """One step on a batch; torch's generator is seeded for it."""
        progress = Progress(self.step, self.total)
        self.rates.set(progress)
        rows, losses = len(batch), self._steps(batch, progress)
        for name, loss in losses.items():
            self.means.add(self._prefixed(name, loss.terms), rows)
        if self.step % self.steps_per_epoch % NORM_EVERY == 0:
            for player in self.players:
                norm = {"gradient_norm": player.gradient_norm()}
                self.means.add(self._prefixed(player.name, norm))
        if self.average is not None:
            self.average.update()

    def _prefixed(self, name: str, terms: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        if len(self.players) == 1 or name == MODEL:
            return terms
        return {f"{name}/{term}": value for term, value in terms.items()}

    def _finish_epoch(self) -> None:
        self._guard()
        self._whole = False
        record: dict[str, Any] = {
            "epoch": self.step // self.steps_per_epoch,
            "step": self.step,
            **self.means.read(),
            **self._settings(),
            "seconds": self.seconds,
        }
        self.means, self.seconds = Means(), 0.0
        record |= self.processes.from_first(self._validate)
        record["best"] = self.selection.consider(record.get("valid_loss"), self._state())
        last = self.step >= self.total or self.selection.stopped
        record["last"] = last
        if 2 * self.step >= self.total and (found := alarms(record, self.model)):
            record["warnings"] = found
        self.history.append(record)
        self._whole = True
        self._interrupts.check()
        self._notify("on_epoch", self.history.last)
        if last or self._checkpoint_is_due():
            self._checkpoint()

    def _settings(self) -> dict[str, float]:
        """Learning rate and β as they were in the last step."""
        at = Progress(self.step - 1, self.total)
        settings = {"learning_rate": self.rates.of_first(at)}
        beta = getattr(self.objective, "beta", None)
        if beta is not None:
            settings["beta"] = float(value_at(beta, at.fraction))
        return settings

    # --- held-out data, best weights, early stopping --------------------------------------------

    def _validate(self) -> dict[str, Any]:
        """The objective on held-out data, with the weights that would be saved."""
        held_out = self.data.get("validation")
        if held_out is None or self.watched is None:
            return {}
        start = time.perf_counter()
        seed = self.training.seed
        with self._averaged_weights():
            freeze_scale(self.model, self.data["train"].head(SCALE_ROWS), seed=seed)
            terms = held_out_terms(
                self.model, self.watched, held_out, samples=self._steps.samples, seed=seed
            )
        return terms | {"valid_seconds": time.perf_counter() - start}

    def _state(self) -> dict[str, Tensor]:
        """The weights to evaluate and save: averaged ones where there is an average."""
        if self.average is not None:
            return self.average.state(self.model)
        return self.model.state_dict()

    @contextlib.contextmanager
    def _averaged_weights(self) -> Iterator[None]:
        if self.average is None:
            yield
            return
        own = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        self.model.load_state_dict(self._state())
        try:
            yield
        finally:
            self.model.load_state_dict(own, strict=False)

    # --- safety ----------------------------------------------------------------------------------

    def _guard(self) -> None:
        """Stop before anything that is not finite reaches a checkpoint or the best weights."""
        if self.means.is_finite() and self._weights_are_finite():
            return
        good = max((r["epoch"] for r in self.history.records if r["best"]), default=0)
        wrong = [name for name, total in self.means.sums.items() if not total.isfinite().all()]
        raise NumericalError(
            f"the {'loss is' if wrong else 'weights are'} no longer a finite number"
            + ("" if wrong else "s"),
            where=f"epoch {len(self.history.records) + 1}, before step {self.step}",
            got=f"NaN or infinity in {', '.join(wrong or ['the weights'])}",
            remedy=(
                f"the {f'weights of epoch {good}' if good else 'first weights'} are kept; lower "
                "the learning rate (--lr), clip gradients (--set training.clip=1), or warm beta up"
            ),
        )

    def _weights_are_finite(self) -> bool:
        weights = [*self.model.parameters(), *self.extras.parameters()]
        return bool(torch.stack([w.detach().sum() for w in weights]).isfinite().all())

    def _checkpoint_is_due(self) -> bool:
        if self.folder is None or not self.processes.is_first:
            return False
        return time.monotonic() - self._last_checkpoint >= self.training.checkpoint_seconds

    def _checkpoint(self) -> None:
        if self.folder is None or not self.processes.is_first:
            return
        groups: dict[str, Mapping[str, Tensor]] = {
            "model": self.model.state_dict(),
            "extras": self.extras.state_dict(),
            "best": self.selection.weights,
            "average": self.average.average if self.average is not None else {},
            "means": self.means.sums,
        }
        for player in self.players:
            groups[f"optimizer:{player.name}"] = optimizer_state(player.optimizer)
        assert self.policy is not None
        facts = {
            "step": self.step,
            "seconds": self.seconds,
            "records": len(self.history.records),
            **self.selection.facts(),
            "counts": self.means.counts,
            "policy": to_json(self.policy),
            "identity": self._identity(),
        }
        save_checkpoint(self.folder / CHECKPOINT, groups, facts)
        self._last_checkpoint = time.monotonic()

    def _resume(self) -> None:
        if self.folder is None:
            raise ConfigError("nothing to resume: the run has no folder")
        path = self.folder / CHECKPOINT
        groups, facts = load_checkpoint(path, device=str(self.device))
        check_identity(facts.get("identity"), self._identity(), where=str(path))
        try:
            self._restore(groups, facts)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ArtifactError(
                f"the checkpoint does not fit this run ({error})", where=str(path)
            ) from error

    def _restore(self, groups: Mapping[str, dict[str, Tensor]], facts: Mapping[str, Any]) -> None:
        self.model.load_state_dict(groups["model"])
        self.extras.load_state_dict(groups.get("extras", {}))
        if self.average is not None:
            self.average.restore(groups["average"])
        for player in self.players:
            restore_optimizer(player.optimizer, groups.get(f"optimizer:{player.name}", {}))
        done = facts["step"] - facts["records"] * self.steps_per_epoch
        if not 0 <= done <= self.steps_per_epoch:
            raise ValueError("its steps and its records disagree")
        self.selection.restore(groups["best"], facts)
        self.means.counts = facts["counts"]
        self.means.sums = {name: groups["means"][name] for name in self.means.counts}
        self.step, self.seconds = facts["step"], facts["seconds"]
        policy = {name: value for name, value in facts["policy"].items() if name != "kind"}
        self.policy = Policy(**policy)
        if self.processes.is_first:
            self.history.rewind(facts["records"])
        self.history.records = self.processes.from_first(lambda: self.history.records)

    def _identity(self) -> dict[str, Any]:
        parts = {"model": self.model, "objective": self.objective, "training": self.training}
        return identity(self.data, self.players, parts)

    # --- speed -----------------------------------------------------------------------------------

    def _decide(self) -> Policy:
        if len(self.players) == 1 and self.processes.count == 1 and self.objective is not None:
            self._trial = Trial(self.model, self.objective, self.data["train"], self.training)
        return decide(
            self.training.speed,
            device=self.device,
            steps=self.total,
            trial=self._trial,
        )

    def _note(self) -> str:
        assert self.policy is not None
        weights = sum(p.numel() for p in self.model.parameters())
        return (
            f"{len(self.data['train'])} rows, {weights:,} weights, {self.total} steps on "
            f"{self.device} ({self.policy.reason})"
        )

    def _notify(self, event: str, *args: Any, **kwargs: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(*args, **kwargs)


def _told(objective: Any, method: str, data: Rows | None) -> Any:
    """The objective after it has seen this data, where it is one that asks."""
    ask = getattr(objective, method, None)
    return objective if ask is None or data is None else ask(data)
