"""Everything that is settled before the first step of a run."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import jax
from jaxtyping import Array, Key, PyTree

from logpi.algorithms.expert import ActsAsExpert
from logpi.core.collection import Episodes
from logpi.core.processes import ignore_sigint
from logpi.core.seeds import SELECTION
from logpi.environments.protocol import is_jax_environment
from logpi.environments.registry import check, make, name_of
from logpi.errors import LogpiError
from logpi.evaluation.evaluate import make_evaluator
from logpi.loop.protocol import CallBudget
from logpi.presets.recipe import Recipe
from logpi.rollout.host import HostRollout
from logpi.rollout.workers.config import IN_PROCESS, Workers
from logpi.rollout.workers.pool import WorkerPool
from logpi.runs.run import load

DEFAULT_STEPS = 1_000_000
EVALUATION_EPISODES = 20


@dataclass(frozen=True)
class Plan:
    """What a run is made of.

    - `source`: what the environment was asked for by, so that another one can be made.
    - `name`: of the algorithm.
    - `tuned`: the settings that were tuned for the task.
    - `key`: what the run's random numbers come from.
    - `evaluations`: how many, evenly spaced over the run.
    - `checkpoint_seconds`: how often the run is saved.
    - `workers`: the processes that step environments on the host.
    """

    source: Any
    environment: Any
    name: str
    algorithm: Any
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

    @property
    def title(self) -> str:
        """What the run is called where it is shown."""
        return f"{self.name} on {self.environment.spec.name}, seed {self.seed}"

    @property
    def max_iteration_steps(self) -> int:
        """The most environment steps that one iteration can take."""
        return self.algorithm.collect.max_steps(self.environment.spec.num_envs, self.environment.spec.time_limit)

    def has_room(self, steps: int) -> bool:
        """Whether an iteration begins after so many steps: it fits in what is left, or it is the first."""
        return steps == 0 or steps + self.max_iteration_steps <= self.steps

    def evaluations_due(self, steps: int) -> int:
        """How many evaluations are due after so many steps: all of them where no other iteration fits."""
        return steps * self.evaluations // self.steps if self.has_room(steps) else self.evaluations

    def next_call(self, steps: int, most: int) -> CallBudget:
        """At most so many iterations from here to where the next evaluation is due, or the budget spent."""
        until = (
            -(-(self.evaluations_due(steps) + 1) * self.steps // self.evaluations) if self.evaluations else self.steps
        )
        return CallBudget(steps, self.steps, until, self.max_iteration_steps, most)


def make_plan(
    env: Any, recipe: Any, steps: int | None, networks: tuple[PyTree, PyTree], seed: int, stack: ExitStack
) -> Plan:
    """Settle options, environment and networks; what is opened here is closed with the stack."""
    k_networks, key = jax.random.split(jax.random.key(seed))
    if isinstance(recipe, Recipe):
        recipe = recipe if networks[0] is None else recipe.from_policy(networks[0])
        tuned = recipe.tuned(name_of(env))
        settings = recipe.settings(name_of(env))
        if settings.get("expert", "") is None:
            raise LogpiError(f"{recipe.name} needs an expert: --expert DIR, a run whose policy it imitates")
        environment = open_environment(env, settings["num_envs"], settings.get("max_episode_steps"), stack)
        algorithm, policy, critic = recipe.build(environment.spec, settings, k_networks)
        algorithm = with_expert(algorithm, settings)
        budget = steps or tuned.get("steps", DEFAULT_STEPS)
        return Plan(env, environment, recipe.name, algorithm, policy, critic, budget, settings, tuned, key, seed)
    if networks[0] is None:
        raise LogpiError("an algorithm put together from parts needs its networks: train(…, policy=…, critic=…)")
    limit = recipe.collect.max_episode_steps if isinstance(recipe.collect, Episodes) else None
    environment = open_environment(env, getattr(recipe, "population", 8), limit, stack)
    settings = {"num_envs": environment.spec.num_envs}
    return Plan(env, environment, "custom", recipe, *networks, steps or DEFAULT_STEPS, settings, {}, key, seed)


def with_expert(algorithm: Any, settings: dict[str, Any]) -> Any:
    """The algorithm, imitating the expert that the settings name, if they do."""
    return ActsAsExpert(load(settings["expert"]).policy, algorithm) if "expert" in settings else algorithm


def evaluation_of_plan(plan: Plan, stack: ExitStack) -> Any:
    """A function that begins a policy's evaluation on environments of its own; None where there can be none."""
    spec, source = plan.environment.spec, recreatable(plan.source)
    if spec.time_limit is None or source is None:
        return None
    copies = open_environment(source, EVALUATION_EPISODES, spec.time_limit, stack)
    run = make_evaluator(
        copies, plan.policy, EVALUATION_EPISODES, purpose=SELECTION, hire=_use_training_workers(plan, copies, stack)
    )
    return lambda policy: run(policy, 0)


def _use_training_workers(plan: Plan, copies: Any, stack: ExitStack) -> Callable[[HostRollout], None]:
    """Leaves rollouts on these copies to processes of their own, as many as the run's workers, where it has any."""

    def hire(rollout: HostRollout) -> None:
        number = plan.workers.resolve_count(copies.spec.num_envs, rollout.size, plan.steps)
        if number and not rollout.why_not_parallel:
            crew = WorkerPool(copies, number, step_timeout=plan.workers.step_timeout)
            stack.callback(crew.close)
            rollout.use_workers(crew)

    return hire


def open_environment(env: Any, num_envs: int, time_limit: int | None, stack: ExitStack) -> Any:
    """The environment; closed at the end if it was opened here: one that was handed over stays its owner's."""
    with ignore_sigint():
        environment = make(env, num_envs, time_limit)
    if not is_jax_environment(environment) and (isinstance(env, str) or callable(env)):
        stack.callback(environment.close)
    return environment


def recreatable(env: Any) -> Any:
    """What can be made again beside the environment that trains: the thing itself, or its name; None if neither."""
    if isinstance(env, str) or callable(env) or is_jax_environment(env):
        return env
    try:
        check(name_of(env))
    except LogpiError:
        return None
    return name_of(env)
