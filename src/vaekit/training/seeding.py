"""Randomness as a function of (seed, step), so that a resumed run makes the same draws."""

from __future__ import annotations

import torch

__all__ = ["seed_step"]


def seed_step(seed: int, step: int, device: torch.device) -> None:
    """Seed torch's global generators from (seed, step), by a splitmix64 finaliser."""
    mixed = (seed * 0x9E3779B97F4A7C15 + step + 1) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    mixed = (mixed ^ (mixed >> 31)) >> 1
    torch.default_generator.manual_seed(mixed)
    if device.type == "cuda":
        torch.cuda.manual_seed(mixed)
