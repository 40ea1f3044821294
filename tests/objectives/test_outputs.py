"""A network that several terms read is evaluated once, forward and back; one that no term reads, never."""

import jax
import pytest
from builders import CHOICES, SEEN, batch, close, policy, replaced

from logpi.objectives.clipped import Clipped
from logpi.objectives.entropy import entropy
from logpi.objectives.linear import LinearObjective
from logpi.objectives.outputs import Outputs
from logpi.objectives.penalized import Penalized
from logpi.objectives.score import score
from logpi.objectives.value import action_value, value
from logpi.policies.action_critic import mlp_action_critic
from logpi.policies.critic import ActorCritic, mlp_critic
from logpi.types import ravel


def products(objective, pi, rows):
    """How many matrix products its gradient takes, once compiled (as dots or as calls of a library's)."""
    theta, unravel = ravel(pi)
    program = jax.jit(jax.grad(lambda vector: objective.evaluate(unravel(vector), rows))).lower(theta).compile()
    return program.as_text().count(" dot(")


@pytest.mark.parametrize("both", [Clipped(0.2) + 0.01 * entropy, Penalized(0.3), score + entropy + Clipped(0.1)])
def test_a_gradient_of_several_terms_takes_the_products_of_one(key, both):
    pi = policy(CHOICES, key)
    rows = batch(pi, key)
    assert products(both, pi, rows) == products(score, pi, rows) > 0


class Counted:
    """A network that counts how often it is traced."""

    def __init__(self, network):
        self.network, self.calls = network, 0

    def __call__(self, *inputs):
        self.calls += 1
        return self.network(*inputs)


@pytest.mark.parametrize(
    ("objective", "calls"),
    [
        (Clipped(0.2) + 0.01 * entropy + score, (1, 0)),
        (score + 0.5 * value, (1, 1)),
        (value + value, (0, 1)),
    ],
)
def test_each_network_is_evaluated_once_if_a_term_reads_it_and_else_never(key, objective, calls):
    pi, critic = Counted(policy(CHOICES, key)), Counted(mlp_critic(SEEN, hidden=(8,), key=key))
    objective(Outputs(ActorCritic(pi, critic), batch(pi.network, key)), batch(pi.network, key))
    assert (pi.calls, critic.calls) == calls


def test_a_known_gradient_evaluates_no_network(key):
    pi = policy(CHOICES, key)
    program = jax.make_jaxpr(lambda rows: LinearObjective(ravel(pi)[0]).evaluate(pi, rows))(batch(pi, key))
    assert "tanh" not in str(program)


def test_answers_are_those_of_the_network_at_every_row(key):
    pi, critic = policy(CHOICES, key), mlp_critic(SEEN, hidden=(8,), key=key)
    rows = batch(pi, key)
    outputs, other = Outputs(ActorCritic(pi, critic), rows), replaced(rows, obs=rows.obs + 1)
    close(outputs.pi, jax.vmap(pi)(rows.obs))
    close(outputs.value, jax.vmap(critic)(rows.obs))
    close(Outputs(pi, other).pi, jax.vmap(pi)(other.obs))


def test_an_action_critic_answers_at_the_action_taken(key):
    critic, rows = mlp_action_critic(SEEN, CHOICES, key=key), batch(policy(CHOICES, key), key)
    close(Outputs(critic, rows).action_value, jax.vmap(critic)(rows.obs, rows.action))
    pair = ActorCritic(policy(CHOICES, key), critic)
    close(action_value.evaluate(pair, rows), action_value.evaluate(critic, rows))
