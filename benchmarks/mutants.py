"""Wrong formulas planted in the mathematics, and how many of them the fast tests notice.

    python benchmarks/mutants.py [--count 120] [--seed 0] [--rooms credit objectives …] [--out mutants.jsonl]

A mutant changes one thing in one file: + for −, × for ÷, < for ≥, a sign, a constant, the direction of a KL,
`terminated` for `truncated`, a mean for a sum, the arms of a `where`. Mutants are drawn with a seed, as many from every
room. Each is tested in a copy of the package: first by the tests that mirror its file, then by those of its room, then
by those of the parts together. It is killed where a test fails, which the row names; where tests took too long, the row
says so instead. Rows are appended as they come, and a mutant that has one is not tried again. In the end the tests that
killed are run on the package without a change: they must pass.
"""

import argparse
import ast
import collections
import importlib
import json
import os
import random
import runpy
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "logpi"
ROOMS = ["credit", "objectives", "updates", "perturbation", "algorithms", "presets", "distributions"]
ENDS = [  # outside the rooms: where episodes end, are counted and cut
    "rollout/device.py",
    "rollout/next_observations.py",
    "rollout/statistics.py",
    "rollout/window.py",
    "environments/vmap.py",
    "loop/iteration.py",
    "policies/normalization.py",
    "evaluation/statistics.py",
]
TOGETHER = [
    "tests/oracle/test_exact_gradient.py",
    "tests/oracle/test_estimators.py",
    "tests/oracle/test_trust.py",
    "tests/algorithms/test_policy_gradient.py",
    "tests/algorithms/test_first_ratio.py",
    "tests/presets/test_compositions.py",
]
ELSEWHERE = {  # tests of a room or a file that has none of its own name
    "presets": ["tests/presets/test_compositions.py", "tests/presets/test_options.py"],
    "rollout/window.py": ["tests/rollout/test_host.py", "tests/rollout/test_device_equals_host.py"],
    "rollout/statistics.py": ["tests/rollout/test_episode_statistics.py"],
    "objectives/optimal_baseline.py": ["tests/oracle/test_optimal_baselines.py"],
    "algorithms/diagnostics.py": ["tests/algorithms/test_policy_gradient.py"],
}
WITHOUT_MATHEMATICS = {"__init__", "options", "recipe", "registry", "networks", "protocol"}
SECONDS = 400.0  # of one call of pytest: a mutant that takes longer has made a loop endless
IMPORTED = ["equinox", "optax", "gymnasium", "scipy.special", "scipy.stats", "beartype", "matplotlib.pyplot", "rich"]
OPTIONS = "-q -n0 --dist=no -p no:cacheprovider -W ignore::pytest.PytestAssertRewriteWarning".split()
LABELS = {"passed": "SURVIVED", "failed": "killed", "timeout": "timeout"}

OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
}
NAMES = {
    "terminated": "truncated",
    "truncated": "terminated",
    "minimum": "maximum",
    "maximum": "minimum",
    "sum": "mean",
    "mean": "sum",
    "obs": "next_obs",
    "next_obs": "obs",
    "target": "credit",
    "credit": "target",
    "exp": "log1p",
    "reward": "log_prob",
    "max": "min",
    "cumsum": "cumprod",
}
SWAPPED = {"kl", "where", "clip"}  # calls whose last two arguments, or whose object and argument, change places


@dataclass(frozen=True)
class Mutant:
    """One change of one node of a file's syntax tree.

    - `file`: its path in the package.
    - `node`: the node's number in `ast.walk`.
    - `line`, `column`: where it begins.
    - `change`: what is done, and to which expression.
    - `edit`: makes the change in a copy of the tree.
    """

    file: str
    node: int
    line: int
    column: int
    change: str
    edit: Callable[[ast.AST], object]

    @property
    def room(self) -> str:
        """The room of the package that the file is in."""
        return self.file.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The mutant's name, the same in every run on the same source."""
        return f"{self.file}:{self.line}:{self.column} {self.change}"

    def text(self) -> str:
        """Return the file's source with the change."""
        tree = ast.parse((SOURCE / self.file).read_text())
        self.edit(next(node for i, node in enumerate(ast.walk(tree)) if i == self.node))
        return ast.unparse(tree)


def mutants(path: Path) -> Iterator[Mutant]:
    """Yield every mutant of a file."""
    tree = ast.parse(path.read_text())
    said = [part for part in ast.walk(tree) if _is_said_only(part)] + [
        annotation
        for part in ast.walk(tree)
        for field in ("annotation", "returns")
        if isinstance(annotation := getattr(part, field, None), ast.AST)
    ]
    without_numbers = {id(node) for part in said for node in ast.walk(part)}
    for i, node in enumerate(ast.walk(tree)):
        if id(node) not in without_numbers:
            for label, edit in _edits(node):
                change = f"{label}: {ast.unparse(node)}"
                place = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
                yield Mutant(str(path.relative_to(SOURCE)), i, *place, change, edit)


def _is_said_only(node: ast.AST) -> bool:
    """Whether no number depends on a node: an annotation, a field's declaration, an option's, an error's words."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("eqx.field", "opt.Option", "LogpiError", "jnp.promote_types")
    if isinstance(node, ast.Subscript):
        return ast.unparse(node.value) in ("Annotated", "Callable", "Float", "tuple", "PyTree", "Bool", "Int", "Key")
    return isinstance(node, ast.JoinedStr)


def _edits(node: ast.AST) -> Iterator[tuple[str, Callable[[Any], object]]]:
    """Yield (a label, a function that makes the change in place) of each way to make a node wrong."""
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS and not _is_text_or_type(node):
        wrong = OPERATORS[type(node.op)]
        yield f"{type(node.op).__name__} → {wrong.__name__}", lambda n: setattr(n, "op", wrong())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OPERATORS:
        wrong = OPERATORS[type(node.ops[0])]
        yield f"{type(node.ops[0]).__name__} → {wrong.__name__}", lambda n: setattr(n, "ops", [wrong(), *n.ops[1:]])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", lambda n: setattr(n, "op", ast.UAdd())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        yield (
            "not",
            lambda n: (setattr(n, "op", ast.Invert()), setattr(n, "operand", ast.UnaryOp(ast.Invert(), n.operand))),
        )
    if isinstance(node, ast.Attribute) and node.attr in NAMES and ast.unparse(node.value) not in ("self", "method"):
        yield f"{node.attr} → {NAMES[node.attr]}", lambda n: setattr(n, "attr", NAMES[n.attr])
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield (
            "constant",
            lambda n: setattr(n, "value", n.value + 1 if isinstance(n.value, int) else n.value * 1.5 + 0.1),
        )
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        yield "switch", lambda n: setattr(n, "value", not n.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SWAPPED:
        if node.func.attr == "kl" and len(node.args) == 1:
            yield "direction", _swap_direction
        elif len(node.args) == 3:
            yield "arms", lambda n: setattr(n, "args", [n.args[0], n.args[2], n.args[1]])
    if isinstance(node, ast.Call) and any(k.arg == "reverse" for k in node.keywords):
        yield "reverse", lambda n: setattr(n, "keywords", [k for k in n.keywords if k.arg != "reverse"])


def _swap_direction(call: Any) -> None:
    """Exchange p and q in `p.kl(q)`."""
    call.func.value, call.args[0] = call.args[0], call.func.value


def _is_text_or_type(node: ast.BinOp) -> bool:
    """Whether an operator joins texts, types (`int | None`), paths or annotations."""
    text = ast.unparse(node)
    return any(mark in text for mark in ("'", '"', "None", "Callable", "Schedule")) or text.isidentifier()


def drawn(count: int, seed: int, rooms: list[str]) -> list[Mutant]:
    """Draw as many mutants, spread evenly over the rooms and, with them, the files where episodes end."""
    groups = [
        [path for path in sorted((SOURCE / room).glob("*.py")) if path.stem not in WITHOUT_MATHEMATICS]
        for room in rooms
    ]
    groups.append([SOURCE / file for file in ENDS])
    rng = random.Random(seed)
    chosen: list[Mutant] = []
    for i, group in enumerate(groups):
        every = [m for path in group for m in mutants(path)]
        rng.shuffle(every)
        chosen += every[: count * (i + 1) // len(groups) - count * i // len(groups)]
    rng.shuffle(chosen)
    return chosen


def stages(file: str) -> Iterator[list[str]]:
    """Yield the tests to run in turn: those that mirror the file, those of its room, those of the parts together."""
    room, stem = file.rpartition("/")[0], Path(file).stem
    mirrored = [str(p.relative_to(ROOT)) for p in (ROOT / "tests" / room).glob(f"test_{stem}*.py")]
    mirrored = mirrored or ELSEWHERE.get(room, ELSEWHERE.get(file, []))
    if mirrored:
        yield mirrored
    if (ROOT / "tests" / room).is_dir():
        yield [f"tests/{room}"]
    yield TOGETHER


@dataclass(frozen=True)
class Result:
    """The result of tests: "passed", "failed" or "timeout"; those that failed or took too long; their seconds."""

    outcome: str
    by: tuple[str, ...]
    seconds: float


def try_mutant(mutant: Mutant, tests: list[str], package: Path) -> Result:
    """Run tests on a mutant in a copy of the package, until one fails."""
    file = package / "logpi" / mutant.file
    original = file.read_text()
    file.write_text(mutant.text())
    try:
        return run_tests(tests, package, "-x")
    finally:
        file.write_text(original)


def run_tests(tests: list[str], package: Path, *options: str) -> Result:
    """Run tests against the package, in a child of this process: it has imported all but logpi already."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if child == 0:
            _test_and_exit(tests, package, options, output.fileno())
        status = None
        while status is None and time.perf_counter() - began < SECONDS:
            finished, waited = os.waitpid(child, os.WNOHANG)
            status = waited if finished else time.sleep(0.05)
        seconds = time.perf_counter() - began
        if status is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return Result("timeout", tuple(tests), seconds)
        if os.waitstatus_to_exitcode(status) in (0, 5):  # 5: all of these tests are left to the thorough suite
            return Result("passed", (), seconds)
        output.seek(0)
        text = output.read()
        failed = [line.partition(" ")[2] for line in text.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if not failed:
            raise SystemExit(f"the tests could not be run:\n{text}")
        return Result("failed", tuple(line.partition(" - ")[0].strip() for line in failed), seconds)


def _test_and_exit(tests: list[str], package: Path, options: tuple[str, ...], output: int) -> None:
    """Run tests in a child and end it: nothing of the parent's stack may run here."""
    code = 3
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ["PYTHONPATH"] = str(package)
        sys.path.insert(0, str(package))
        os.chdir(ROOT)
        code = int(pytest.main([*OPTIONS, *options, *tests]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def suspects(rows: list[dict[str, Any]], package: Path) -> list[str]:
    """List the mutants whose killing test fails without a change, too, or has no name: such a kill tells nothing."""
    killed = [row for row in rows if row["outcome"] == "killed"]
    failing = run_tests(sorted({test for row in killed for test in row["by"]}), package).by
    return [row["mutant"] for row in killed if not row["by"] or set(row["by"]) & set(failing)]


def main() -> None:
    """Try mutants one after the other and print the share that is killed, and those that are not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", nargs="+", default=ROOMS)
    parser.add_argument("--out", type=Path, default=Path("mutants.jsonl"))
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), help="which of how many equal parts to try")
    given = parser.parse_args()
    runpy.run_path(str(ROOT / "tests" / "conftest.py"))  # the tests' settings of JAX, before it is imported
    for library in IMPORTED:
        importlib.import_module(library)
    rows = [json.loads(line) for line in given.out.read_text().splitlines()] if given.out.exists() else []
    known = {row["mutant"] for row in rows}
    with tempfile.TemporaryDirectory() as directory:
        package = Path(directory)
        shutil.copytree(SOURCE, package / "logpi", ignore=shutil.ignore_patterns("__pycache__"))
        left = drawn(given.count, given.seed, given.rooms)[given.part[0] :: given.part[1]]
        left = [mutant for mutant in left if mutant.name not in known]
        for stage in range(3):  # every mutant meets the fastest tests first
            for mutant in list(left):
                tests = list(stages(mutant.file))[stage:]
                result = try_mutant(mutant, tests[0], package) if tests else Result("passed", (), 0.0)
                if result.outcome == "passed" and len(tests) > 1:
                    print(f"… {mutant.name} passed {' '.join(tests[0])} {result.seconds:.1f} s", flush=True)
                    continue
                left.remove(mutant)
                row = {"mutant": mutant.name, "outcome": LABELS[result.outcome], "by": result.by}
                rows.append(row | {"seconds": round(result.seconds, 1)})
                with given.out.open("a") as file:
                    file.write(json.dumps(rows[-1], ensure_ascii=False) + "\n")
                print(f"{row['outcome']:8} {mutant.name} {result.seconds:.1f} s", flush=True)
        wrong = suspects(rows, package)
    counts = collections.Counter(row["outcome"] for row in rows)
    print(f"{counts['killed']} of {len(rows)} killed, {counts['timeout']} took too long, {counts['SURVIVED']} survived")
    print(*[f"killed by a test that fails without a change, too: {mutant}" for mutant in wrong], sep="\n")


if __name__ == "__main__":
    main()
