"""Training: a task, an algorithm and a budget become a run."""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from jaxtyping import PyTree

from logpi.algorithms.ppo import ppo
from logpi.algorithms.recipe import Recipe
from logpi.collect import Episodes
from logpi.compile_cache import use_persistent_cache
from logpi.console import Reporter
from logpi.describe import describe
from logpi.environments.names import check, make, name_of
from logpi.errors import LogpiError
from logpi.evaluation import Evaluation, evaluator
from logpi.iterate import Carry, begin, compile_iteration, on_device
from logpi.runs.configuration import configuration
from logpi.runs.directory import default_path
from logpi.runs.recorder import Recorder
from logpi.runs.run import Run
from logpi.seeds import SELECTION

DEFAULT_STEPS = 1_000_000
EVALUATION_EPISODES = 20
Callback = Callable[[dict[str, Any]], Any]
Assess = Callable[[PyTree, int, bool], Evaluation | None]


@dataclass(frozen=True)
class Plan:
    """Everything settled before the first step."""

    environment: Any
    algorithm: Any
    policy: PyTree
    critic: PyTree
    steps: int
    settings: dict[str, Any]
    tuned: dict[str, Any]


def train(
    env: Any,
    algorithm: Any = None,
    *,
    steps: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    policy: PyTree = None,
    critic: PyTree = None,
    callbacks: Iterable[Callback] = (),
    evaluations: int = 5,
) -> Run:
    """Train a policy on a task.

    - `env`: a name, a factory or an environment: whatever `make` takes.
    - `algorithm`: a recipe such as `ppo()` (the default), or an algorithm put together from parts, which needs
      `policy` and, if it fits one, `critic`.
    - `steps`: environment steps at most; by default the budget tuned for the task, else 1,000,000. An iteration is
      begun only if it fits in what is left, so a run never takes more (one iteration is always made).
    - `seed`: same seed, same machine: the same bits.
    - `out`: the run's directory, by default runs/ENV/ALGORITHM-SEED-TIME.
    - `callbacks`: functions called with each iteration's record; one that returns True ends the run.
    - `evaluations`: how many times, evenly spaced, the policy is evaluated; the best one is kept beside the last.

    Raises LogpiError for input that cannot work, before anything is compiled where that can be known.
    """
    _refuse(steps, seed)
    use_persistent_cache()
    key_networks, key = jax.random.split(jax.random.key(seed))
    recipe = ppo() if algorithm is None else algorithm
    with ExitStack() as stack:
        plan = _plan(env, recipe, steps, (policy, critic), key_networks)
        _close_later(stack, env, plan.environment)
        name = recipe.name if isinstance(recipe, Recipe) else "custom"
        path = Path(out) if out is not None else default_path(name_of(env), name, seed)
        facts = configuration(name_of(env), name, seed, plan.steps, plan.settings, describe(plan.algorithm))
        reporter = stack.enter_context(Reporter(plan.steps))
        if plan.tuned:
            reporter.say(f"tuned for {name_of(env)}: " + ", ".join(f"{k} {v}" for k, v in plan.tuned.items()))
        recorder = stack.enter_context(Recorder(path, facts, [reporter.record, *callbacks]))
        assess = _evaluation(env, plan, evaluations, reporter, stack)
        carry = begin(plan.algorithm, plan.environment, plan.policy, plan.critic, key)
        carry, stopped = _loop(plan, carry, seed, recorder, assess)
        summary = recorder.finish("stopped" if stopped else "done")
        reporter.summary(summary | {"directory": str(path)})
    return Run(carry.state.policy, carry.state.critic, recorder.rows, summary, path)


def _refuse(steps: int | None, seed: int) -> None:
    if steps is not None and steps < 1:
        raise LogpiError(f"steps is {steps}; allowed: a whole number ≥ 1")
    if seed < 0:
        raise LogpiError(f"seed is {seed}; allowed: a whole number ≥ 0")


def _close_later(stack: ExitStack, env: Any, environment: Any) -> None:
    """Close at the end what was opened here; an environment that was handed over stays its owner's."""
    if not on_device(environment) and (isinstance(env, str) or callable(env)):
        stack.callback(environment.close)


def _plan(env: Any, recipe: Any, steps: int | None, networks: tuple[PyTree, PyTree], key: Any) -> Plan:
    """Settle options, environment and networks."""
    if isinstance(recipe, Recipe):
        tuned = recipe.tuned(name_of(env))
        settings = recipe.settings(name_of(env))
        environment = make(env, settings["num_envs"], settings.get("limit"))
        algorithm, policy, critic = recipe.build(environment.spec, settings, key)
        budget = steps or tuned.get("steps", DEFAULT_STEPS)
        return Plan(environment, algorithm, policy, critic, budget, settings, tuned)
    if networks[0] is None:
        raise LogpiError("an algorithm put together from parts needs its networks: train(…, policy=…, critic=…)")
    limit = recipe.collect.limit if isinstance(recipe.collect, Episodes) else None
    environment = make(env, getattr(recipe, "population", 8), limit)
    return Plan(environment, recipe, *networks, steps or DEFAULT_STEPS, {"num_envs": environment.spec.num_envs}, {})


def _loop(plan: Plan, carry: Carry, seed: int, recorder: Recorder, assess: Assess | None) -> tuple[Carry, bool]:
    """Iterate until the next iteration would not fit in the budget, or a callback says stop (then True)."""
    started = time.perf_counter()
    iteration = compile_iteration(plan.algorithm, plan.environment, carry, seed)
    recorder.compile_seconds = time.perf_counter() - started
    spec = plan.environment.spec
    largest = plan.algorithm.collect.largest(spec.num_envs, spec.time_limit)
    while recorder.steps == 0 or recorder.steps + largest <= plan.steps:
        carry, info = iteration(carry, recorder.steps / plan.steps)
        last = recorder.steps + int(info["steps"]) + largest > plan.steps
        if recorder.record(info, (carry.state.policy, carry.state.critic), assess, last):
            return carry, True
    return carry, False


def _evaluation(env: Any, plan: Plan, times: int, reporter: Reporter, stack: ExitStack) -> Assess | None:
    """A function (policy, steps, last) ↦ Evaluation, or None where none is due yet."""
    if times < 1:
        return None
    spec, source = plan.environment.spec, _another(env)
    if spec.time_limit is None or source is None:
        reporter.say("no evaluation while training: that needs a time limit, and an environment that can be made again")
        return None
    copies = make(source, EVALUATION_EPISODES, spec.time_limit)
    _close_later(stack, source, copies)
    run, due = evaluator(copies, plan.policy, EVALUATION_EPISODES, purpose=SELECTION), [1]

    def assess(policy: PyTree, steps: int, last: bool) -> Evaluation | None:
        if not last and steps < due[0] * plan.steps / times:
            return None
        due[0] += 1
        return run(policy, 0)

    return assess


def _another(env: Any) -> Any:
    """What can be made again beside the environment that trains: the thing itself, or its name; None if neither."""
    if isinstance(env, str) or callable(env) or on_device(env):
        return env
    try:
        check(name_of(env))
    except LogpiError:
        return None
    return name_of(env)
