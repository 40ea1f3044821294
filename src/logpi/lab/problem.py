"""Problems for estimators: a task, two policies, critics, and an oracle if there is one."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

from logpi.core.keys import root_key
from logpi.core.seeds import read_seed
from logpi.environments.registry import make
from logpi.environments.source import EnvironmentId, EnvironmentSource, name_of
from logpi.environments.tasks.partially_observed import PartiallyObserved
from logpi.environments.tasks.tabular import Tabular
from logpi.environments.vmap import Vmap
from logpi.errors import LogpiError
from logpi.oracle import history_trajectories
from logpi.oracle.history_critics import observation_value
from logpi.oracle.mdp import MDP
from logpi.oracle.pomdp import POMDP
from logpi.oracle.tables import IgnoresTime, TableActionCritic, TableCritic, TablePolicy
from logpi.oracle.time_augmented import time_augmented
from logpi.oracle.trajectories import count
from logpi.policies.action_critic import ActionCritic
from logpi.policies.compatibility import require_spaces
from logpi.policies.policy import mlp_policy
from logpi.types import State, ravel

MOST_TRAJECTORIES = 20_000  # largest number that is enumerated
LONGEST = 100  # largest horizon that is chosen for a task without one
MOST_STATES = 400  # largest number of states of a time-augmented MDP
EXACT = ("tabular:", "pomdp:")  # prefixes of tasks with an oracle
DISCOUNT = 0.99  # γ of a task without its own
NOTHING = 1e-6  # ‖∇J‖ / max |reward| below which ∇J counts as 0
DISTANCE = 0.5  # of μ from π, in units of the root mean square of θ


@dataclasses.dataclass(frozen=True)
class Problem:
    """A task with policies, critics and, if available, an oracle.

    - `make`: n ↦ n copies of the environment.
    - `policy`: π, at which ∇J is estimated; `other`: μ, which collects the episodes of off-policy estimators.
    - `critics`: by name: `"value"` V(s), `"half value"` ½V(s), `"action value"` Q(s, a).
    - `mdp`: the time-augmented MDP, or the POMDP, with a horizon, for exact ∇J; or None.
    - `timeless`: the same MDP without time in its state, for `policy.network`; or None.
    - `listed`: `mdp` if its trajectories are few enough to enumerate; else None.
    """

    name: str
    make: Callable[[int], Any]
    policy: PyTree
    other: PyTree
    critics: Mapping[str, PyTree]
    gamma: float
    mdp: MDP | POMDP | None = None
    timeless: MDP | None = None
    listed: MDP | POMDP | None = None

    def state(self, critic: str | None) -> State:
        """Make a learner's state with the named critic. Raises LogpiError if the problem has none of that name."""
        if critic is not None and critic not in self.critics:
            available = ", ".join(self.critics) or "none"
            raise LogpiError(f"{self.name} comes without a critic for {critic}; there are: {available}")
        return State(policy=self.policy, critic=None if critic is None else self.critics[critic], opt=(), critic_opt=())

    def acting(self, off_policy: bool) -> PyTree:
        """Policy that collects the episodes: μ if `off_policy`, else π."""
        return self.other if off_policy else self.policy


class HalfValue(eqx.Module):
    """½ V: a critic with a known error."""

    critic: PyTree

    def __call__(self, obs: PyTree) -> Float[Array, ""]:
        """½ V(obs)."""
        return 0.5 * self.critic(obs)


def problem(
    env: EnvironmentSource | MDP | POMDP,
    policy: PyTree = None,
    critic: PyTree = None,
    *,
    gamma: float | None = None,
    horizon: int | None = None,
    seed: int | None = 0,
) -> Problem:
    """Make a problem from an environment, MDP or POMDP.

    - `env`: anything that `make` accepts, an `MDP` or a `POMDP`. These, `tabular:…` and `pomdp:…` have an oracle.
    - `policy`: π; by default a table of logits drawn from N(0, 1) with an oracle, else a new MLP.
    - `critic`: V(s) or an `ActionCritic`; ignored with an oracle, whose V and Q are exact. On a POMDP V is that of one
      observation, which biases what is bootstrapped from it, and there is no Q.
    - `gamma`: γ; by default that of the MDP or POMDP, else 0.99.
    - `horizon`: longest episode; by default the oracle's own, or the longest with at most 20,000 trajectories
      (doubled while ∇J is 0); else the task's time limit.
    - `seed`: of random policies.

    Raises LogpiError for a task without a time limit, or an MDP that is too large when time-augmented.
    """
    k_policy, k_other = jr.split(root_key(read_seed(seed)))
    model = env if isinstance(env, MDP | POMDP) else _model(env)
    if model is not None:
        model = model if gamma is None else dataclasses.replace(model, gamma=gamma)
        name = type(env).__name__ if isinstance(env, MDP | POMDP) else name_of(env)
        if policy is None:
            rows = model.observations if isinstance(model, POMDP) else model.states
            policy = TablePolicy(jr.normal(k_policy, (rows, model.actions), float))
        if isinstance(model, POMDP):
            return _on_pomdp(name, _with_listed_horizon(model, horizon), policy, k_other)
        return _on_oracle(name, _with_horizon(model, horizon, policy), policy, k_other)
    assert not isinstance(env, MDP | POMDP)
    spec = make(env, 1, horizon).spec
    if policy is not None:
        require_spaces(policy, spec.observation_space, spec.action_space, spec.name)
    else:
        policy = mlp_policy(spec.observation_space, spec.action_space, key=k_policy)
    critics = {} if critic is None else {"action value" if isinstance(critic, ActionCritic) else "value": critic}
    if "value" in critics:
        critics["half value"] = HalfValue(critic)
    copies = lambda n: make(env, n, horizon)
    return Problem(
        name_of(env), copies, policy, perturb_policy(policy, k_other), critics, DISCOUNT if gamma is None else gamma
    )


def _on_oracle(name: str, mdp: MDP, policy: PyTree, k_other: Key[Array, ""]) -> Problem:
    """Make a problem with exact ∇J, V and Q, on the time-augmented MDP."""
    augmented = time_augmented(mdp)
    pi = IgnoresTime(policy, mdp.states)
    value = TableCritic(augmented.value(pi))
    critics = {
        "value": value,
        "half value": HalfValue(value),
        "action value": TableActionCritic(augmented.action_value(pi)),
    }
    timed = dataclasses.replace(augmented, horizon=mdp.horizon)
    return Problem(
        name,
        lambda n: Vmap(Tabular(timed), n, mdp.horizon, name),
        pi,
        perturb_policy(pi, k_other),
        critics,
        float(mdp.gamma),
        timed,
        mdp,
        timed if count(mdp) <= MOST_TRAJECTORIES else None,
    )


def _on_pomdp(name: str, pomdp: POMDP, policy: PyTree, k_other: Key[Array, ""]) -> Problem:
    """Make a problem with exact ∇J, and the exact V of one observation, on a POMDP."""
    tree = pomdp.histories()
    table = np.zeros(pomdp.observations)
    table[tree.observation[tree.exists]] = np.asarray(observation_value(pomdp, policy))[tree.exists]
    value = TableCritic(jnp.asarray(table, float))
    is_listed = history_trajectories.count(pomdp, MOST_TRAJECTORIES) is not None
    return Problem(
        name,
        lambda n: Vmap(PartiallyObserved(pomdp), n, pomdp.horizon, name),
        policy,
        perturb_policy(policy, k_other),
        {"value": value, "half value": HalfValue(value)},
        float(pomdp.gamma),
        mdp=pomdp,
        listed=pomdp if is_listed else None,
    )


def _model(env: EnvironmentSource) -> MDP | POMDP | None:
    """Return the MDP or POMDP of an environment that is made of one, else None."""
    is_named = isinstance(env, str | EnvironmentId)
    made = make(env, 1) if is_named and name_of(env).startswith(EXACT) else env
    single = made.single if isinstance(made, Vmap) else made
    if isinstance(single, PartiallyObserved):
        return single.pomdp
    return single.mdp if isinstance(single, Tabular) else None


def _with_listed_horizon(pomdp: POMDP, horizon: int | None) -> POMDP:
    """Set the horizon: the given one, the POMDP's own, or the longest that leaves few enough trajectories."""
    if horizon is not None or pomdp.horizon is not None:
        return dataclasses.replace(pomdp, horizon=horizon or pomdp.horizon)
    of_length = lambda steps: dataclasses.replace(pomdp, horizon=steps)
    steps = 1
    while steps < LONGEST and history_trajectories.count(of_length(steps + 1), MOST_TRAJECTORIES) is not None:
        steps += 1
    return of_length(steps)


def _with_horizon(mdp: MDP, horizon: int | None, policy: PyTree) -> MDP:
    """Set the horizon: the given one, the MDP's own, or the longest that leaves few enough trajectories."""
    if horizon is None and mdp.horizon is None:
        return _long_enough(_longest_listed(mdp), policy)
    mdp = dataclasses.replace(mdp, horizon=horizon or mdp.horizon)
    if (number := _with_times(mdp)) > MOST_STATES:
        raise LogpiError(
            f"horizon is {mdp.horizon}, with which {mdp.states} states are {number}, one for each time; allowed: at"
            f" most {MOST_STATES}, so a horizon ≤ {(MOST_STATES - 1) // mdp.states}"
        )
    return mdp


def _longest_listed(mdp: MDP) -> MDP:
    """Set the longest horizon, at most 100, whose trajectories can be enumerated."""
    steps = 1
    while steps < LONGEST and count(dataclasses.replace(mdp, horizon=steps + 1)) <= MOST_TRAJECTORIES:
        steps += 1
    return dataclasses.replace(mdp, horizon=steps)


def _long_enough(mdp: MDP, policy: PyTree) -> MDP:
    """Double the horizon until ∇J is nonzero or the time-augmented MDP would be too large."""
    while not _has_gradient(mdp, policy) and 2 * _with_times(mdp) <= MOST_STATES:
        mdp = dataclasses.replace(mdp, horizon=2 * (mdp.horizon or 1))
    return mdp


def _with_times(mdp: MDP) -> int:
    """Number of states of the time-augmented MDP."""
    return mdp.states * (mdp.horizon or 1) + 1


def _has_gradient(mdp: MDP | POMDP, policy: PyTree) -> bool:
    """Test ∇J ≠ 0, relative to the largest reward."""
    gradient = ravel(jax.tree.map(jnp.asarray, mdp.gradient(policy)))[0]
    return bool(jnp.linalg.norm(gradient) > NOTHING * jnp.max(jnp.abs(mdp.reward)))


def perturb_policy(policy: PyTree, key: Key[Array, ""], distance: float = DISTANCE) -> PyTree:
    """Perturb a policy: θ + c r ε, c the distance, r the root mean square of θ's coordinates and ε ~ N(0, I)."""
    theta, unravel = ravel(policy)
    size = jnp.sqrt(jnp.mean(theta**2))
    return unravel(theta + distance * size * jr.normal(key, theta.shape, theta.dtype))


def exact_gradient(problem: Problem) -> Float[Array, " P"]:
    """Compute ∇J from the oracle. Raises LogpiError if ∇J = 0, since relative bias is then undefined."""
    assert problem.mdp is not None
    if not _has_gradient(problem.mdp, problem.policy):
        raise LogpiError(
            f"∇J is 0 on {problem.name}: in {problem.mdp.horizon} steps no action makes a difference; allowed:"
            " another task, policy or horizon"
        )
    return ravel(jax.tree.map(jnp.asarray, problem.mdp.gradient(problem.policy)))[0]
