"""The structure of the package: imports follow the data flow, public names exist, everything is documented."""

import ast
from pathlib import Path

import pytest

import logpi

SOURCE = Path(logpi.__file__).parent
ROOMS = """
errors types core distributions spaces numpy_policy policies oracle environments rollout credit objectives updates
perturbation algorithms presets loop evaluation offline runs training lab testing cli
""".split()
FILES = sorted(p for p in SOURCE.rglob("*.py") if p.name not in ("__init__.py", "__main__.py"))


def module(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def room(name: str) -> int:
    """The place of a module's room in the order of the data flow."""
    return ROOMS.index(name.partition(".")[0])


def public_names() -> dict[str, str]:
    """Each public name and the module it comes from."""
    tree = ast.parse((SOURCE / "__init__.pyi").read_text())
    return {alias.asname or alias.name: node.module for node in tree.body for alias in node.names}


def imported(path: Path) -> set[str]:
    """The modules of logpi that a file names: by import, or as an attribute of `logpi`."""
    names, public = set(), public_names()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("logpi."):
            inner = node.module.removeprefix("logpi.")
            files = {
                f"{inner}.{a.name}" for a in node.names if (SOURCE / inner.replace(".", "/") / f"{a.name}.py").exists()
            }
            names |= files or {inner}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "logpi":
            names.add(public[node.attr])
    return names


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_run_with_the_data_flow(path):
    later = {name for name in imported(path) if room(name) > room(module(path))}
    assert not later, f"{module(path)} imports from rooms below its own: {sorted(later)}"


def test_nothing_is_loose_but_errors_and_types():
    assert {p.name for p in SOURCE.glob("*.py")} == {"__init__.py", "__main__.py", "errors.py", "types.py"}


def test_every_public_name_exists():
    for name in public_names():
        assert getattr(logpi, name) is not None


def test_every_module_and_public_function_says_what_it_is():
    for path in FILES:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), module(path)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{module(path)}.{node.name}"
