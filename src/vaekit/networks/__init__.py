"""Encoders and decoders: dense, convolutional and residual, or any module of the user's."""

from vaekit.networks.conv import Conv
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

__all__ = [
    "ACTIVATIONS",
    "MADE",
    "MLP",
    "Conv",
    "Critic",
    "NetworkSpec",
    "ResNet",
    "accepts_context",
    "call_network",
    "check_decoder",
    "default_network",
    "dense_stack",
    "probe_features",
]
