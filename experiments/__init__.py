"""Runnable experiments, each with its measured table and pictures under ``experiments/results``."""
