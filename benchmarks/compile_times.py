"""Start-up cost: the size of each algorithm's program, and the seconds until it can run.

    python benchmarks/compile_times.py [--algorithms ppo trpo] [--env logpi:CartPole-v1]

For each algorithm, with its defaults: lines of StableHLO of the training program (for any number of iterations);
seconds to trace it; seconds to compile it with an empty cache; and seconds to compile it at the second start of the
same run, from the persistent cache. Each start is a separate process. Prints Markdown.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

NEED_MORE = {"cloning"}  # an expert's run


def measured(env: str, name: str) -> dict[str, float]:
    """Measure one start in this process."""
    from contextlib import ExitStack

    import jax

    from logpi.environments.protocol import Environment
    from logpi.loop.device import lower_device_loop
    from logpi.loop.iteration import init_carry
    from logpi.presets.registry import find_algorithm
    from logpi.training.plan import make_plan

    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    started = time.perf_counter()
    with ExitStack() as stack:
        plan = make_plan(env, find_algorithm(name)(), None, (None, None), 0, stack)
    assert isinstance(plan.environment, Environment)
    carry = init_carry(plan.algorithm, plan.environment, plan.policy, plan.critic, plan.key)
    networks = time.perf_counter()
    program, _ = lower_device_loop(plan.algorithm, plan.environment, carry)
    traced = time.perf_counter()
    program.compile()
    compiled = time.perf_counter()
    lines = len(program.as_text().splitlines())
    return {"networks": networks - started, "trace": traced - networks, "compile": compiled - traced, "lines": lines}


def start(env: str, name: str, cache: str) -> dict[str, float]:
    """Measure one start in a separate process with the given cache."""
    words = [sys.executable, __file__, "--env", env, "--one", name]
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": cache}
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure; print the table."""
    from logpi.presets.registry import ALGORITHMS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithms", nargs="+", default=[name for name in ALGORITHMS if name not in NEED_MORE])
    parser.add_argument("--env", default="logpi:CartPole-v1")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.env, arguments.one)))
        return
    print("| algorithm | StableHLO lines | networks s | trace s | compile s | compile s, second start | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.algorithms:
        with tempfile.TemporaryDirectory() as cache:
            first, second = start(arguments.env, name, cache), start(arguments.env, name, cache)
        ratio = first["compile"] / second["compile"]
        print(
            f"| {name} | {first['lines']:,} | {first['networks']:.2f} | {first['trace']:.2f} | {first['compile']:.2f}"
            f" | {second['compile']:.2f} | {ratio:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
