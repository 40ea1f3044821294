"""The documentation matches the code: quoted lines, and named files, tests, options and columns."""

import ast
import re
import runpy
import textwrap
from pathlib import Path

import pytest
from helpers import mostly_slow
from test_architecture import ROOMS

import logpi
from logpi.cli.parser import parse
from logpi.presets.registry import ALGORITHMS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ELISION = "…\n"  # a docstring in the source, `...` in a quote
QUOTE = re.compile(r'^```python title="(?P<file>[^"]+)"\n(?P<code>.*?)^```$', re.MULTILINE | re.DOTALL)
QUOTES = [
    match.group("file", "code") for page in sorted(DOCS.rglob("*.md")) for match in QUOTE.finditer(page.read_text())
]
EVERYTHING = "".join(page.read_text() for page in DOCS.rglob("*.md"))
METHODS, COMMANDS = (DOCS / "methods.md").read_text(), (DOCS / "command-line.md").read_text()


def indent(code: str, spaces: str) -> str:
    return textwrap.indent(code, spaces, lambda line: line not in ("\n", ELISION))


@pytest.mark.parametrize(("file", "code"), QUOTES, ids=[file for file, _ in QUOTES])
def test_every_quoted_line_is_the_sources(file, code):
    source = re.sub(r'^ +"""(?:.*?)"""\n', ELISION, (ROOT / file).read_text(), flags=re.MULTILINE | re.DOTALL)
    code = re.sub(r"^ +\.\.\.\n", ELISION, code, flags=re.MULTILINE)
    assert any(indent(code, " " * depth) in source for depth in range(0, 13, 4)), f"{file} has changed"


def test_the_policy_gradient_passes_through_six_files():
    page = (DOCS / "six-files.md").read_text()
    assert len({match["file"] for match in QUOTE.finditer(page)}) == 6


def test_every_file_named_exists():
    named = set(re.findall(r"`((?:src|tests|examples|docs)/[\w/.-]+\.\w+)(?:::\w+)?`", EVERYTHING))
    assert len(named) > 50 and not [path for path in named if not (ROOT / path).is_file()]


def test_every_proof_named_exists():
    named = {tuple(name.split("::")) for name in re.findall(r"`(tests/[\w/]+\.py::\w+)`", EVERYTHING)}
    defined = lambda path, test: re.search(rf"^def {test}\(", (ROOT / path).read_text(), re.MULTILINE)
    assert len(named) > 50 and not [name for name in named if not defined(*name)]


@pytest.mark.parametrize(
    "room", ["algorithms", "credit", "distributions", "objectives", "perturbation", "presets", "updates"]
)
def test_every_public_part_has_its_proof(room):
    names = re.findall(rf"from \.{room}\.(\w+) import", (ROOT / "src/logpi/__init__.pyi").read_text())
    missing = {name for name in names if f"src/logpi/{room}/{name}.py" not in METHODS}
    assert missing <= {"base", "recipe"}


def test_every_algorithm_and_option_is_described():
    assert all(f"`{name}`" in COMMANDS for name in ALGORITHMS)
    described = set(re.findall(r"^\| `--([\w-]+)` \|", COMMANDS, re.MULTILINE))
    assert {name.replace("_", "-") for preset in ALGORITHMS.values() for name in preset.options} <= described


@pytest.mark.parametrize("command", ["train", "resume", "evaluate"])
def test_every_flag_is_described_with_its_command(command, capsys):
    with pytest.raises(SystemExit):
        parse([command, "--help"])
    flags = set(re.findall(r"^ +(--[\w-]+)", capsys.readouterr().out, re.MULTILINE))
    section = COMMANDS.partition(f"## {command}\n")[2].partition("\n## ")[0]
    assert flags and flags <= set(re.findall(r"^\| `(--[\w-]+)` \|", section, re.MULTILINE))


@pytest.mark.thorough
@pytest.mark.parametrize("name", mostly_slow(["trpo", "vpg", "ppo-kl", "off-policy"]))
def test_every_column_of_the_metrics_is_described(name, tmp_path):
    small = {"num_envs": 2, "num_steps": 8, "hidden": (4,)}
    recipe = ALGORITHMS[name](**small, **({"minibatch_size": 8} if name == "ppo-kl" else {"critic_epochs": 1}))
    run = logpi.train("logpi:CartPole-v1", recipe, steps=16, evaluations=1, out=tmp_path)
    table = COMMANDS.partition("## Metrics")[2].partition("## ")[0]
    assert set(run.metrics[0]) <= set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_every_public_name_is_on_one_page_of_the_reference():
    public = re.findall(r" as (\w+)$", (ROOT / "src/logpi/__init__.pyi").read_text(), re.MULTILINE)
    shown = re.findall(r"^::: ([\w.]+)$", "".join(p.read_text() for p in (DOCS / "api").glob("*.md")), re.MULTILINE)
    places = {name: [f"logpi.{name}", f"logpi.{name}.{name}"] for name in public}  # a module may have the name, too
    assert not [name for name in public if sum(shown.count(place) for place in places[name]) != 1]


@pytest.mark.thorough
def test_every_column_of_perturbations_is_described(tmp_path):
    recipe = ALGORITHMS["regression"](num_envs=4, max_episode_steps=8)
    run = logpi.train("logpi:CartPole-v1", recipe, steps=32, evaluations=0, out=tmp_path)
    table = COMMANDS.partition("## Metrics")[2].partition("## ")[0]
    assert set(run.metrics[0]) <= set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_docstrings_become_markdown():
    written = "Σ_t x_t < `a_b` of `Ascent`.\n\n    >>> f(1)\n    2\n\n- `rate`: [0, ∞)."
    page = "Σ\\_t x\\_t &lt; `a_b` of [`Ascent`][logpi.Ascent].\n\n```pycon\n>>> f(1)\n2\n```\n\n- `rate`: \\[0, ∞)."
    assert runpy.run_path(str(DOCS / "docstrings.py"))["markdown"](written, {"Ascent"}) == page


def test_the_map_of_the_source_names_every_room_in_the_order_of_imports():
    page = (DOCS / "architecture.md").read_text()
    rooms = re.findall(r"^\| `(\w+)` \|", page.partition("## The rooms")[2].partition("## ")[0], re.MULTILINE)
    assert rooms == [room for room in ROOMS if room not in ("errors", "types")]


def test_each_walk_through_the_source_passes_a_file_once():
    page = (DOCS / "architecture.md").read_text().partition("## Three walks")[2]
    walks = [re.findall(r"^\d+\. `(src/logpi/[\w/]+\.py)`", walk, re.MULTILINE) for walk in page.split("\n**")[1:]]
    assert len(walks) == 3 and all(len(walk) > 8 and len(walk) == len(set(walk)) for walk in walks)


def test_every_source_cited_is_in_the_list_of_sources():
    rows, _, sources = METHODS.partition("## Sources")
    listed = [line.removeprefix("- ") for line in sources.splitlines() if line.startswith("- ")]
    cited = {
        (match["author"], match["year"].rstrip("ab"))
        for line in rows.splitlines()
        if line.startswith("| ")
        for match in re.finditer(
            r"(?P<author>(?:van )?[A-Z][\w-]+)(?: and \w+| et al\.)? (?P<year>(?:19|20)\d\d[ab]?)", line
        )
    }
    named = lambda author, year: any(author in line.partition(year)[0] and year in line for line in listed)
    assert len(cited) > 40 and not [source for source in cited if not named(*source)]


def test_the_page_names_the_methods_that_are_held_to_probes_and_to_whole_tasks():
    stated = lambda start: set(re.findall(r"`([\w-]+)`", re.search(rf"^- {start}: (.*)$", METHODS, re.MULTILINE)[1]))
    assert stated("Solve the probes") == set(_names("tests/learning/test_probes.py", "METHODS"))
    assert stated("Solve whole tasks") == {gate[1] for gate in _names("tests/learning/test_tasks.py", "GATES")}


def _names(path: str, constant: str) -> list:
    """The keys of a test file's dictionary, or the entries of its list, read from its text."""
    tree = ast.parse((ROOT / path).read_text())
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    found = assigned[constant]
    return [ast.literal_eval(key) for key in (found.keys if isinstance(found, ast.Dict) else found.elts)]
