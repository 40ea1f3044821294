"""The plan of a run: environment, algorithm, networks and budget, all decided before the first step."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, cast

import gymnasium
import jax
from gymnasium.vector import VectorEnv
from jaxtyping import Array, Key, PyTree

from logpi.algorithms.expert import ActsAsExpert
from logpi.algorithms.protocol import Algorithm
from logpi.core.collection import Episodes
from logpi.core.keys import root_key
from logpi.core.processes import ignore_sigint
from logpi.core.seeds import SELECTION
from logpi.environments.protocol import Environment, HostEnvironment, Spec, SteppableCopies, is_jax_environment
from logpi.environments.registry import make
from logpi.environments.source import (
    ChangedSinceMade,
    EnvironmentSource,
    is_constructible,
    mark_changed,
    name_of,
    recreatable,
    unhidden,
)
from logpi.errors import LogpiError
from logpi.evaluation.evaluate import PendingEvaluation, make_evaluator
from logpi.loop.protocol import CallBudget
from logpi.loop.topology import Topology, current_topology
from logpi.policies.compatibility import require_critic, require_spaces
from logpi.presets.recipe import Recipe
from logpi.rollout.host import HostRollout
from logpi.rollout.workers.config import IN_PROCESS, Workers
from logpi.rollout.workers.pool import WorkerPool
from logpi.runs.run import load

DEFAULT_STEPS = 1_000_000
DEFAULT_NUM_ENVS = 8  # for an algorithm put together from parts
EVALUATION_EPISODES = 20


@dataclass(frozen=True)
class Plan:
    """Everything a run is made of, and when its evaluations are due.

    - `source`: what the user named the environment by, so that another one can be made.
    - `name`: of the algorithm's preset, or "custom".
    - `steps`: the budget, total environment steps ≥ 1.
    - `settings`: the value of every option; `tuned`: those of them that were tuned for the task.
    - `key`: root of the run's random numbers; `seed`: what it was made from.
    - `evaluations`: how many, evenly spaced over the budget, ≥ 0, default 5.
    - `checkpoint_seconds`: seconds between two checkpoints, ≥ 0, default 30.
    - `workers`: processes that step environments on the host, default none.
    - `topology`: processes that train the run together.
    """

    source: EnvironmentSource
    environment: Environment | HostEnvironment
    name: str
    algorithm: Algorithm
    policy: PyTree
    critic: PyTree
    steps: int
    settings: dict[str, Any]
    tuned: dict[str, Any]
    key: Key[Array, ""]
    seed: int
    evaluations: int = 5
    checkpoint_seconds: float = 30.0
    workers: Workers = IN_PROCESS
    topology: Topology = field(default_factory=current_topology)

    @property
    def title(self) -> str:
        """Title of the run in figures."""
        return f"{self.name} on {self.environment.spec.name}, seed {self.seed}"

    @property
    def description(self) -> str:
        """The run's size and where it runs, in one line."""
        device, num_envs = jax.default_backend(), self.environment.spec.num_envs
        if is_jax_environment(self.environment):
            place = f"{num_envs} environments on {device}, too"
        else:
            workers = self.workers.resolve_count(num_envs, self.max_iteration_steps, self.steps)
            place = f"{num_envs} environments " + (f"in {workers} workers" if workers else "in this process")
        return f"{self.steps:,} steps, learning on {device}, {place}"

    @property
    def max_iteration_steps(self) -> int:
        """Upper bound of the environment steps of one iteration."""
        return self.algorithm.collect.max_steps(self.environment.spec.num_envs, self.environment.spec.time_limit)

    @property
    def warnings(self) -> list[str]:
        """Lines about what the environment does otherwise than its user may expect."""
        spec, asked, source = self.environment.spec, self.settings["num_envs"], unhidden(self.source)
        lines = list(spec.warnings)
        if isinstance(source, ChangedSinceMade):
            names = ", ".join(source.attributes)
            lines.append(
                f"{spec.name} was changed after it was made ({names}), and no copy like it can be made: it is not"
                " evaluated, and resume needs it again; give a factory that makes the change"
            )
        elif isinstance(source, gymnasium.Env) and spec.num_envs > 1:
            lines.append(f"{spec.num_envs} copies of {spec.name} are made from its specification; it is not stepped")
        if spec.num_envs != asked:
            copies = "1 copy is" if spec.num_envs == 1 else f"{spec.num_envs} copies are"
            lines.append(
                f"{spec.name} exists already: {copies} stepped, and not num_envs {asked}; give its name or a factory"
                " for more"
            )
        return lines

    @property
    def given_time_limit(self) -> int | None:
        """The limit that the environments were made with, beside the task's own; None if none was given."""
        collect = self.algorithm.collect
        return collect.max_episode_steps if isinstance(collect, Episodes) else self.settings.get("max_episode_steps")

    def has_room(self, steps: int) -> bool:
        """Return whether an iteration starts after so many steps: it fits in the budget, or it is the first."""
        return steps == 0 or steps + self.max_iteration_steps <= self.steps

    def evaluations_due(self, steps: int) -> int:
        """Return the number of evaluations that should have run by `steps`: ⌊steps · evaluations / budget⌋.

        All of them where no further iteration fits in the budget.
        """
        return steps * self.evaluations // self.steps if self.has_room(steps) else self.evaluations

    def next_call(self, steps: int, max_iterations: int) -> CallBudget:
        """Return the budget of the next call, which ends where an evaluation is due or the run's budget is spent."""
        stop_at_steps = self.steps
        if self.evaluations:  # the k-th evaluation is due at ⌈k · budget / evaluations⌉
            stop_at_steps = -(-(self.evaluations_due(steps) + 1) * self.steps // self.evaluations)
        return CallBudget(steps, self.steps, stop_at_steps, self.max_iteration_steps, max_iterations)


def make_plan(
    env: EnvironmentSource,
    recipe: Recipe | Algorithm,
    steps: int | None,
    networks: tuple[PyTree, PyTree],
    seed: int,
    stack: ExitStack,
) -> Plan:
    """Decide options, environment and networks of a run; environments opened here are closed with the stack.

    - `networks`: (policy, critic) to start from; (None, None): a recipe builds its own.
    """
    k_networks, key = jax.random.split(root_key(seed))
    env = mark_changed(env)
    if isinstance(recipe, Recipe):
        recipe = recipe if networks[0] is None else recipe.from_policy(networks[0])
        tuned = recipe.tuned(name_of(env))
        settings = recipe.settings(name_of(env))
        if settings.get("expert", "") is None:
            raise LogpiError(f"{recipe.name} needs an expert: --expert DIR, a run whose policy it imitates")
        environment = open_environment(env, settings["num_envs"], settings.get("max_episode_steps"), stack)
        algorithm, policy, critic = recipe.build(environment.spec, settings, k_networks)
        algorithm = with_expert(algorithm, settings, environment.spec)
        _require_fit(policy, environment.spec)
        budget = steps or tuned.get("steps", DEFAULT_STEPS)
        return Plan(env, environment, recipe.name, algorithm, policy, critic, budget, settings, tuned, key, seed)
    if networks[0] is None:
        raise LogpiError("an algorithm put together from parts needs its networks: train(…, policy=…, critic=…)")
    limit = recipe.collect.max_episode_steps if isinstance(recipe.collect, Episodes) else None
    environment = open_environment(env, recipe.num_envs_required or DEFAULT_NUM_ENVS, limit, stack)
    _require_fit(networks[0], environment.spec)
    seen, acted, name = environment.spec.observation_space, environment.spec.action_space, environment.spec.name
    require_critic(networks[1], recipe.critic_kind, seen, acted, name)
    settings = {"num_envs": environment.spec.num_envs}
    return Plan(env, environment, "custom", recipe, *networks, steps or DEFAULT_STEPS, settings, {}, key, seed)


def with_expert(algorithm: Algorithm, settings: dict[str, Any], spec: Spec) -> Algorithm:
    """Return the algorithm, acting as the expert that the settings name, if they name one.

    Raises LogpiError for an expert that was trained on other spaces.
    """
    if "expert" not in settings:
        return algorithm
    expert = load(settings["expert"]).policy
    _require_fit(expert, spec)
    return ActsAsExpert(expert, algorithm)


def _require_fit(policy: PyTree, spec: Spec) -> None:
    """Raise LogpiError for a policy that was made for other spaces than those of the run's environment."""
    require_spaces(policy, spec.observation_space, spec.action_space, spec.name)


def evaluation_of_plan(plan: Plan, stack: ExitStack) -> Callable[[PyTree], PendingEvaluation] | None:
    """Return a function that starts a policy's evaluation on separate environments; None where there can be none.

    It needs a time limit, so that episodes end, and an environment that can be made a second time.
    """
    spec, source = plan.environment.spec, recreatable(plan.source)
    if spec.time_limit is None or source is None:
        return None
    copies = open_environment(source, EVALUATION_EPISODES, plan.given_time_limit, stack)
    use_workers = _use_training_workers(plan, copies, stack)
    run = make_evaluator(copies, plan.policy, EVALUATION_EPISODES, purpose=SELECTION, use_workers=use_workers)
    return lambda policy: run(policy, 0)


def _use_training_workers(
    plan: Plan, copies: Environment | HostEnvironment, stack: ExitStack
) -> Callable[[HostRollout], None]:
    """Return a function that attaches a worker pool to an evaluation rollout, with as many workers as training uses."""

    def use_workers(rollout: HostRollout) -> None:
        number = plan.workers.resolve_count(copies.spec.num_envs, rollout.size, plan.steps)
        if number and not rollout.why_not_parallel:
            pool = WorkerPool(cast(SteppableCopies, copies), number, step_timeout=plan.workers.step_timeout)
            stack.callback(pool.close)
            rollout.use_workers(pool)

    return use_workers


def open_environment(
    env: EnvironmentSource, num_envs: int, time_limit: int | None, stack: ExitStack
) -> Environment | HostEnvironment:
    """Make the environment; the stack closes it, unless the user made it: then the user closes it.

    Of a Gymnasium environment that exists, several copies are made from its specification where that is possible.

    Processes that it starts ignore SIGINT: Ctrl-C reaches all processes of a terminal, and only this one answers.
    """
    if num_envs > 1 and isinstance(unhidden(env), gymnasium.Env) and not isinstance(unhidden(env), VectorEnv):
        env = recreatable(env) or env
    with ignore_sigint():
        environment = make(env, num_envs, time_limit)
    if not is_jax_environment(environment) and is_constructible(env):
        stack.callback(environment.close)
    return environment
