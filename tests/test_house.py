"""The plan of the house, held: imports run one way, files and functions stay small, public names exist."""

import ast
import statistics
from pathlib import Path

import pytest

import logpi

SOURCE = Path(logpi.__file__).parent
ROOMS = [
    "errors",
    "interrupts",
    "seeds",
    "scores",
    "schedules",
    "collect",
    "workers",
    "types",
    "trees",
    "beside",
    "nested",
    "compile_cache",
    "describe",
    "distributions",
    "environments.protocol",
    "policies",
    "oracle",
    "environments",
    "rollout",
    "credit",
    "objectives",
    "updates",
    "perturbation",
    "algorithms",
    "iterate",
    "sharding",
    "advance",
    "hosting",
    "loops",
    "together",
    "evaluation",
    "datasets",
    "demonstrations",
    "offline",
    "console",
    "runs",
    "lab",
    "pace",
    "planning",
    "ledger",
    "driver",
    "fleet",
    "training",
    "points",
    "sweeps",
    "testing",
    "cli",
]
FILES = sorted(p for p in SOURCE.rglob("*.py") if p.name not in ("__init__.py", "__main__.py"))


def module(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def room(name: str) -> int:
    """The place of a module in the order of the data flow: its longest matching prefix."""
    fits = [r for r in ROOMS if name == r or name.startswith(f"{r}.")]
    assert fits, f"{name} is in no room"
    return ROOMS.index(max(fits, key=len))


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


def test_files_are_small():
    sizes = {module(p): len(p.read_text().splitlines()) for p in FILES}
    assert max(sizes.values()) <= 300, max(sizes, key=sizes.get)
    assert statistics.median(sizes.values()) <= 120


def functions():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield f"{module(path)}.{node.name}", node


def code_lines(node: ast.FunctionDef) -> int:
    first = node.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    body = node.body[1:] if documented else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_functions_are_short():
    lengths = {name: code_lines(node) for name, node in functions()}
    assert max(lengths.values()) <= 60, max(lengths, key=lengths.get)
    assert statistics.median(lengths.values()) <= 8


def test_functions_take_few_arguments():
    """At most 8; a preset's arguments are its options, and `train`'s are the whole of its surface."""
    presets = {f"algorithms.{p.stem}.{p.stem}" for p in FILES if p.parent.name == "algorithms"}
    for name, node in functions():
        count = len(node.args.args) + len(node.args.kwonlyargs)
        assert count <= 8 or name in presets | {"training.train"}, f"{name} takes {count} arguments"


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
