"""The house stands on layers: imports go strictly down, never up and never in a circle."""

import ast
import graphlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "vaekit"

LAYERS = [  # lowest first; packages on one line do not import each other
    {"errors", "version"},
    {"spec", "files"},
    {"writing"},
    {"distributions"},
    {"networks"},
    {"latents", "likelihoods"},
    {"models"},
    {"objectives", "data"},
    {"metrics"},
    {"training"},
    {"artifacts"},
    {"baselines"},
    {"tasks"},
    {"recipes"},
    {"plots"},
    {"report"},
    {"cli"},
]
LEVEL = {package: level for level, layer in enumerate(LAYERS) for package in layer}
ONLY = {"data": {"errors", "spec"}}  # narrower than its layer
TOP = "vaekit"  # vaekit/__init__.py: may import every package, and none imports it
USERS = {"typer": {"cli"}, "click": {"cli"}, "rich": {"cli", "training"}}
LIGHT = {"errors", "version", "spec", "files", "writing"}  # packages that work without torch
LAZY = {"tensorboard", "torch.utils.tensorboard", "optuna", "ray", "rdkit", "zuko"}


def modules(root):
    """Every module below ``root``: its dotted name and its syntax tree."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(node):
    """The dotted names that one import statement may mean: ``from a import b`` is a or a.b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        if node.level:
            return ["." * node.level + (node.module or "")]
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def imports(tree, *, eager=False):
    """All imports of a module, or only those that run when it is imported."""
    todo = [tree]
    while todo:
        node = todo.pop()
        yield from imported(node)
        if eager and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if eager and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            todo.extend(node.orelse)
            continue
        todo.extend(ast.iter_child_nodes(node))


def package_of(name):
    """``vaekit.models.vae`` belongs to ``models``; ``vaekit`` itself is the top."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else TOP


def starts(name, prefix):
    return name == prefix or name.startswith(f"{prefix}.")


def wrong_inner_import(package, target):
    """Why ``package`` must not import ``target`` of ours, or None when it may."""
    other = package_of(target)
    if package in (TOP, other):
        return None
    if other not in LEVEL:
        return f"{target} is in no layer; import from the package that defines it"
    if LEVEL[other] >= LEVEL[package]:
        return f"{target} is not in a lower layer"
    if package in ONLY and other not in ONLY[package]:
        return f"{package} may import only {', '.join(sorted(ONLY[package]))}, not {target}"
    return None


def wrong_outer_import(package, target):
    """Why ``package`` must not import ``target`` of somebody else, or None when it may."""
    root = target.split(".")[0]
    if root in USERS and package not in USERS[root]:
        return f"{root} belongs to {', '.join(sorted(USERS[root]))}"
    if root == "torch" and package in LIGHT:
        return f"{package} works without torch"
    return None


def violations(root):
    """Every broken rule below ``root``, one sentence each."""
    for name, tree in modules(root):
        package = package_of(name)
        if package not in LEVEL and package != TOP:
            yield f"{name}: package {package!r} is missing from LAYERS"
            continue
        for target in imports(tree):
            if target.startswith("."):
                yield f"{name}: relative import {target}"
                continue
            check = wrong_inner_import if starts(target, TOP) else wrong_outer_import
            if reason := check(package, target):
                yield f"{name}: {reason}"
        for target in imports(tree, eager=True):
            if any(starts(target, lazy) for lazy in LAZY):
                yield f"{name}: {target} must be imported inside the function that needs it"


def graph(root):
    """Which module imports which; a name inside a module counts as that module."""
    found = dict(modules(root))
    edges = {}
    for name, tree in found.items():
        targets = (t if t in found else t.rpartition(".")[0] for t in imports(tree))
        edges[name] = {t for t in targets if t in found}
    return edges


def test_imports_go_down():
    assert list(violations(PACKAGE)) == []


def test_no_import_cycles():
    graphlib.TopologicalSorter(graph(PACKAGE)).prepare()


@pytest.mark.parametrize(
    ("file", "source", "reason"),
    [
        ("spec.py", "from vaekit.models import VAE", "vaekit.models.VAE is not in a lower layer"),
        ("latents/a.py", "import vaekit.likelihoods", "not in a lower layer"),
        ("data/a.py", "from vaekit.networks import MLP", "data may import only errors, spec"),
        ("models/a.py", "def f():\n    from vaekit.cli import main", "not in a lower layer"),
        ("models/a.py", "from vaekit import cli", "vaekit.cli is not in a lower layer"),
        ("models/a.py", "from vaekit import VAE", "vaekit.VAE is in no layer"),
        ("models/a.py", "from .b import c", "relative import .b"),
        ("attic/a.py", "", "'attic' is missing from LAYERS"),
        ("plots/a.py", "import typer", "typer belongs to cli"),
        ("metrics/a.py", "from rich.table import Table", "rich belongs to cli, training"),
        ("errors.py", "import torch.nn", "errors works without torch"),
        ("networks/a.py", "import zuko", "zuko must be imported inside the function"),
        ("training/a.py", "from torch.utils import tensorboard", "must be imported inside"),
        ("training/a.py", "class A:\n    import optuna.trial", "must be imported inside"),
    ],
)
def test_a_violation_is_found(tmp_path, file, source, reason):
    path = tmp_path / "vaekit" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    found = list(violations(tmp_path / "vaekit"))
    assert len(found) == 1
    assert reason in found[0]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("__init__.py", "from vaekit.cli import main\nfrom vaekit.models import VAE"),
        ("models/a.py", "from vaekit.models.b import c\nfrom vaekit import errors\nimport torch"),
        ("training/a.py", "import rich\ndef f():\n    import tensorboard"),
        ("training/a.py", "if TYPE_CHECKING:\n    from optuna import Trial"),
    ],
)
def test_a_clean_module_passes(tmp_path, file, source):
    path = tmp_path / "vaekit" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    assert list(violations(tmp_path / "vaekit")) == []


def test_a_cycle_is_found(tmp_path):
    folder = tmp_path / "vaekit" / "models"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("from vaekit.models.a import x", encoding="utf-8")
    (folder / "a.py").write_text("from vaekit.models.b import y", encoding="utf-8")
    (folder / "b.py").write_text("from vaekit.models import x", encoding="utf-8")
    with pytest.raises(graphlib.CycleError, match=r"vaekit\.models\.a"):
        graphlib.TopologicalSorter(graph(tmp_path / "vaekit")).prepare()
