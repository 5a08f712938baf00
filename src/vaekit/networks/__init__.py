"""Encoders and decoders: dense, convolutional and residual, or any module of the user's."""

from vaekit.networks.mlp import ACTIVATIONS, MLP, dense_stack
from vaekit.networks.network import NetworkSpec, accepts_context, call_network, probe_features

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "NetworkSpec",
    "accepts_context",
    "call_network",
    "dense_stack",
    "probe_features",
]
