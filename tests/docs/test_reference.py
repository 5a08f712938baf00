"""The reference has every public package, and every public name of it."""

import importlib
import pkgutil
import re

from tests.docs.pages import DOCS

import vaekit

NOT_FOR_USERS = {"vaekit.cli", "vaekit.files", "vaekit.version", "vaekit.writing"}
PARTS_OF_OTHERS = {"vaekit.data.codecs", "vaekit.data.sources"}  # exported by vaekit.data


def shown():
    """The objects of the page, in order."""
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    return re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)


def packages():
    """Packages, and the single modules on their level."""
    for module in pkgutil.walk_packages(vaekit.__path__, "vaekit."):
        if (module.ispkg or module.name.count(".") == 1) and module.name not in NOT_FOR_USERS:
            yield module.name


def test_every_package_is_shown():
    assert set(packages()) - PARTS_OF_OTHERS - set(shown()) == set()


def test_names_that_a_module_of_the_same_name_hides_are_shown_by_hand():
    hidden = set()
    for name in set(packages()) - PARTS_OF_OTHERS:
        package = importlib.import_module(name)
        modules = {
            module.name for module in pkgutil.iter_modules(getattr(package, "__path__", []))
        }
        for public in modules & set(package.__all__):
            thing = getattr(package, public)
            hidden.add(f"{thing.__module__}.{thing.__name__}")
    assert hidden
    assert hidden - set(shown()) == set()
