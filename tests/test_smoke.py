import functools
import jax.random as jr
import gymnasium, optax, pytest
from logpi.algorithms.policy_gradient import PolicyGradient
from logpi.credit.gae import GAE
from logpi.objectives.clipped import Clipped
from logpi.objectives.standardised import Standardised
from logpi.objectives.score import score
from logpi.objectives.entropy import entropy
from logpi.updates.ascent import Ascent
from logpi.collect import Steps, Episodes
from logpi.credit.reward_to_go import RewardToGo
from logpi.credit.baseline import mean_baseline
from logpi.environments.gymnasium import Gymnasium
from logpi.environments.vmap import Vmap
from logpi.environments.cartpole import CartPole
from logpi.environments.pendulum import Pendulum
from logpi.policies.policy import mlp_policy
from logpi.policies.critic import mlp_critic
from logpi import iterate

PPO = PolicyGradient(GAE(.99,.95), Standardised(Clipped(.2))+0.01*entropy, Ascent(functools.partial(optax.adam,eps=1e-5), 3e-4, minibatch=64, max_norm=.5), fit="joint", epochs=2, collect=Steps(16))
REINFORCE = PolicyGradient(RewardToGo(.99)-mean_baseline, score, Ascent(optax.adam, 1e-2), collect=Episodes(per_environment=2))
ENVS = {"gym": lambda: Gymnasium(lambda: gymnasium.make("CartPole-v1", disable_env_checker=True), 4, "CartPole-v1"),
  "dev": lambda: Vmap(CartPole(), 4, 500),
  "gympen": lambda: Gymnasium(lambda: gymnasium.make("Pendulum-v1", disable_env_checker=True), 4, "P"),
  "devpen": lambda: Vmap(Pendulum(), 4, 200)}

@pytest.mark.parametrize("algo", [PPO, REINFORCE])
@pytest.mark.parametrize("env", ENVS)
def test_run(algo, env):
    env = ENVS[env]()
    pol=mlp_policy(env.spec.observation_space, env.spec.action_space, normalise=True, key=jr.key(1)); cri=mlp_critic(env.spec.observation_space, normalise=True, normalise_returns=True, key=jr.key(2))
    if algo.fit is None: cri=None
    carry=iterate.begin(algo, env, pol, cri, jr.key(0))
    it=iterate.compile_iteration(algo, env, carry, 0)
    for i in range(3):
        carry, info = it(carry, 0.1)
    print(info)
