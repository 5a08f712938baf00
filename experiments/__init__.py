"""Runnable experiments; the measured table and pictures of each lie in ``experiments/results``."""
