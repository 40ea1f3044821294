"""What every test runs under: strict shapes, strict dtypes, a compile cache that lasts."""

import collections
import importlib.metadata
import os
import sys
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("LOGPI_TEST_CACHE", Path(tempfile.gettempdir()) / f"logpi-test-cache-{os.getuid()}"))
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(CACHE)  # for the processes that tests start, too
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
# Most programs of tests run once: compiling them takes longer than running them, so the compiler's costly passes are
# left out. `JAX_DISABLE_MOST_OPTIMIZATIONS=0` compiles as a run does; CI's thorough tests do.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# As `logpi.core.compilation.compiler_options`, for the programs that tests compile themselves.
FLAGS = ["--xla_cpu_enable_concurrency_optimized_scheduler=false"]
RELEASE = tuple(map(int, importlib.metadata.version("jaxlib").split(".")[:2]))
if os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "1" and RELEASE < (0, 12):
    # Fusions that are lowered by way of MLIR cost small programs half of their compile time. From 0.12 on there is no
    # other way, and a flag that XLA does not know ends the process.
    FLAGS += ["--xla_cpu_use_fusion_emitters=false"]
os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *FLAGS])
if sys.dont_write_bytecode:
    # Told to write no bytecode, as in many containers, each of the processes that tests start would compile whatever
    # it imports, JAX and all: bytecode is kept with the compiled programs, and nothing is written beside the sources.
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(CACHE / "bytecode")
    os.environ["PYTHONDONTWRITEBYTECODE"], os.environ["PYTHONPYCACHEPREFIX"] = "", sys.pycache_prefix

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
# Data of tests are float32: under JAX_ENABLE_X64=1, which CI sets for some proofs, they meet doubles.
jax.config.update("jax_numpy_dtype_promotion", "standard" if jax.config.values["jax_enable_x64"] else "strict")


@pytest.fixture
def key():
    """A fixed key to split from."""
    return jax.random.key(20)


MAPS, MANY = Path("/proc/self/maps"), 15_000


@pytest.fixture(autouse=True, scope="module")
def programs_let_go():
    """Let go of compiled programs from time to time.

    Each takes a few memory maps, of which Linux lets a process have 65,530; beyond that XLA crashes.
    """
    yield
    if MAPS.exists() and MAPS.read_bytes().count(b"\n") > MANY:
        jax.clear_caches()


@pytest.hookimpl(tryfirst=True)  # before `-m` looks at the marks
def pytest_collection_modifyitems(items):
    """Mark the cases of a test beyond the first n of `thorough_after(n)` as thorough."""
    cases = collections.Counter()
    for item in items:
        test = item.nodeid.partition("[")[0]
        mark = item.get_closest_marker("thorough_after")
        if mark is not None and cases[test] >= mark.args[0]:
            item.add_marker(pytest.mark.thorough)
        cases[test] += 1
