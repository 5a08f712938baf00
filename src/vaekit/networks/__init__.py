"""Encoders and decoders: dense, convolutional and residual, or any module; corruptions of x."""

from vaekit.networks.columns import Columns
from vaekit.networks.conv import Conv
from vaekit.networks.corruption import Corruption, GaussianNoise, Masking, SaltAndPepper
from vaekit.networks.critic import Critic
from vaekit.networks.default import default_network
from vaekit.networks.made import MADE
from vaekit.networks.mlp import ACTIVATIONS, MLP, dense_stack
from vaekit.networks.network import (
    NetworkSpec,
    accepts_context,
    call_network,
    check_decoder,
    probe_features,
)
from vaekit.networks.resnet import ResNet
from vaekit.networks.stack import Stack

__all__ = [
    "ACTIVATIONS",
    "MADE",
    "MLP",
    "Columns",
    "Conv",
    "Corruption",
    "Critic",
    "GaussianNoise",
    "Masking",
    "NetworkSpec",
    "ResNet",
    "SaltAndPepper",
    "Stack",
    "accepts_context",
    "call_network",
    "check_decoder",
    "default_network",
    "dense_stack",
    "probe_features",
]
