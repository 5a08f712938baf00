"""Denormals are flushed in the threads that share the work, too."""

import subprocess
import sys

PROGRAM = """
import torch
from vaekit.training import flush_denormals

torch.set_num_threads(2)
tiny = torch.full((1 << 20,), 1e-20)
kept = lambda: int((tiny * 1e-19).gt(0).sum())  # 1e-39 is a denormal number
print(kept())
with flush_denormals():
    print(kept())
print(kept())
"""


def test_all_threads_flush_inside_and_none_outside():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=100
    )
    assert done.stdout.split() == [str(1 << 20), "0", str(1 << 20)]
