"""The peers: Pythae and Lightning, each with the network that the others train.

Both are imported inside the functions, so that a benchmark runs without them. Their classes are
used as they are installed; nothing of theirs is copied here.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from benchmarks.plain import LR, Net

__all__ = ["fit_lightning", "fit_pythae", "pythae_conv", "pythae_vae"]

SHAPE = (1, 28, 28)
CODE = 16
"""Images and code of Pythae's own MNIST configuration."""


def pythae_vae(net: Net) -> Any:
    """Pythae's VAE around the layers of a plain network."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            BaseEncoder.__init__(self)
            self.net = nn.ModuleList([net.encoder, net.head])

        def forward(self, x: Tensor) -> Any:
            loc, log_var = net.encode(x)
            return ModelOutput(embedding=loc, log_covariance=log_var)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            BaseDecoder.__init__(self)
            self.net = net.decoder

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=net.mean(z))

    config = VAEConfig(
        input_dim=(net.sizes[0],),
        latent_dim=net.latent,
        reconstruction_loss="bce" if net.bernoulli else "mse",
    )
    return VAE(config, encoder=Encoder(), decoder=Decoder())


def pythae_conv() -> Any:
    """Pythae's VAE with its own convolutional networks for MNIST and its own defaults."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.nn.benchmarks.mnist import Decoder_Conv_AE_MNIST, Encoder_Conv_VAE_MNIST

    config = VAEConfig(input_dim=SHAPE, latent_dim=CODE)
    return VAE(
        config, encoder=Encoder_Conv_VAE_MNIST(config), decoder=Decoder_Conv_AE_MNIST(config)
    )


def fit_pythae(
    model: Any,
    x: Tensor,
    *,
    batch: int,
    epochs: int,
    start: Callable[[], Any],
    order: Sequence[int] | None = None,
    on_step: Callable[[], Any] = lambda: None,
    on_epoch: Callable[[], Any] = lambda: None,
) -> str:
    """Train with Pythae's ``BaseTrainer`` as it ships, on data in memory.

    Args:
        model: A model of Pythae.
        x: Rows.
        batch: Rows of a step.
        epochs: Passes over the data.
        start: Called before training begins.
        order: Of the rows in every epoch, so that losses can be compared; by default the trainer
            shuffles. The loader does the same work either way.
        on_step: Called after each step.
        on_epoch: Called after each epoch.

    Returns:
        The settings of the trainer that matter for speed.
    """
    from pythae.data.datasets import BaseDataset, collate_dataset_output
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    class Marks(TrainingCallback):
        def on_train_step_end(self, training_config: Any, **kwargs: Any) -> None:
            on_step()

        def on_epoch_end(self, training_config: Any, **kwargs: Any) -> None:
            on_epoch()

    logging.getLogger("pythae").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="vaekit-benchmark-") as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=epochs,
            learning_rate=LR,
            per_device_train_batch_size=batch,
            no_cuda=True,
        )
        trainer = BaseTrainer(
            model,
            train_dataset=BaseDataset(x, torch.zeros(len(x))),
            training_config=config,
            callbacks=[Marks()],
        )
        if order is not None:
            trainer.train_loader = DataLoader(
                trainer.train_dataset,
                batch_size=batch,
                sampler=order,
                num_workers=config.train_dataloader_num_workers,
                collate_fn=collate_dataset_output,
            )
        start()
        trainer.train()
    workers, optimizer = config.train_dataloader_num_workers, config.optimizer_cls
    return f"its defaults: DataLoader with {workers} workers, {optimizer} not fused"


def fit_lightning(
    net: Net,
    x: Tensor,
    *,
    batch: int,
    epochs: int,
    start: Callable[[], Any],
    on_epoch: Callable[[], Any],
) -> str:
    """Train with a bare Lightning ``Trainer``: no logger, checkpoints, progress bar or summary.

    The data set is indexed by whole batches, which is the fastest way that a ``DataLoader`` has.
    """
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def training_step(self, batch: Any, index: int) -> Tensor:
            return self.net.loss(batch[0])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=LR, fused=True)

        def on_train_epoch_end(self) -> None:
            on_epoch()

    data = TensorDataset(x)
    sampler = BatchSampler(RandomSampler(data), batch, drop_last=False)
    loader = DataLoader(data, sampler=sampler, batch_size=None)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    start()
    trainer.fit(Module(), loader)
    return "bare; data indexed by whole batches, the hand-written loop's loss and fused Adam"
