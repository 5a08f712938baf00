"""What a name that is imported must not bring with it, because it takes seconds."""

import os
import subprocess
import sys

import pytest

LIGHT = {
    "vaekit": {"torch", "sklearn", "pandas", "numpy"},
    "vaekit.errors, vaekit.spec": {"torch"},
    "vaekit.tasks": {"lightning_fabric", "torch._dynamo", "zuko", "optuna", "matplotlib"},
}


@pytest.mark.parametrize("modules", LIGHT)
def test_imports_bring_nothing_heavy(modules):
    code = f"import sys, {modules}; print(*{LIGHT[modules]!r} & set(sys.modules))"
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, env=os.environ | path
    )
    assert done.stdout.split() == []
