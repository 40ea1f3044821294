"""Options are declared where they are used: by logpi's presets, and by anyone's."""

import json
from typing import Annotated

import numpy as np
import pytest
from small_runs import fingerprint

import logpi
from logpi.cli.main import main
from logpi.cli.parser import parse
from logpi.core.schedules import LinearSchedule
from logpi.presets import options as opt
from logpi.presets import registry
from logpi.presets.recipe import preset

Temperature = Annotated[opt.Number, opt.Option("weight of the entropy bonus", "a number ≥ 0", opt.number(0))]


@preset(num_envs=4)
def tempered(*, max_episode_steps: opt.MaxEpisodeSteps = 8, temperature: Temperature = 0.1, sharp=False, name="plain"):
    """Tempered: A2C with an entropy bonus of a temperature."""
    del sharp, name
    return logpi.PolicyGradient(
        credit=logpi.RewardToGo(0.9) - logpi.mean_baseline,
        objective=logpi.score + temperature * logpi.entropy,
        update=logpi.Ascent(logpi.adam, 1e-2),
        collect=logpi.Episodes(max_episode_steps),
    )


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(registry, "_presets", dict(registry._presets))
    return registry.register(tempered)


def test_every_preset_declares_every_option_that_it_has_a_default_for():
    for name, method in registry.ALGORITHMS.items():
        assert method.name == name and list(method.options) == list(method.defaults)
        assert method().settings("task").keys() == method.options.keys()
        assert all(option.help and option.allowed for option in method.options.values())


def test_every_default_is_a_value_that_its_option_reads():
    for method in registry.ALGORITHMS.values():
        for name, default in method.defaults.items():
            assert method.options[name].read(default) == default, (method, name)


def test_one_name_may_be_two_options_of_two_methods():
    early_stop, aim = (method.options["target_kl"] for method in (logpi.ppo, logpi.ppo_kl))
    assert "early stop" in early_stop.help and "penalty" in aim.help
    assert logpi.ppo(target_kl="none").settings("task")["target_kl"] is None
    with pytest.raises(logpi.LogpiError, match="target_kl is none; allowed: a number above 0"):
        logpi.ppo_kl(target_kl="none")
    with pytest.raises(logpi.LogpiError, match="max_kl is none"):
        logpi.trpo(max_kl="none")


def test_an_option_of_ones_own_is_read_from_python_and_text():
    assert tempered(temperature=0.5).settings("task")["temperature"] == 0.5
    settings = tempered(temperature="0.5:0", sharp="yes", max_episode_steps="32").settings("task")
    assert settings["temperature"] == LinearSchedule(0.5, 0.0) and settings["sharp"] is True
    assert settings["max_episode_steps"] == 32 and settings["num_envs"] == 4
    with pytest.raises(logpi.LogpiError, match="temperature is -1; allowed: a number ≥ 0"):
        tempered(temperature=-1)
    with pytest.raises(logpi.LogpiError, match=r"unknown option heat; allowed: num_envs, .*temperature"):
        tempered(heat=1)


def test_an_option_that_says_nothing_of_its_values_is_refused_with_what_to_write():
    with pytest.raises(logpi.LogpiError, match="preset mine: option top is not declared; annotate it, top: Annotated"):

        @preset()
        def mine(*, top=None): ...


def test_a_registered_method_is_known_to_the_command_line(registered, tmp_path, capsys):
    options = parse(["train", "logpi:CartPole-v1", "tempered", "--temperature", "0.2"])[1]["options"]
    assert options["temperature"] == "0.2"
    assert main(["algorithms"]) == 0
    assert "tempered           Tempered: A2C with" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["train", "CartPole-v1", "tempered", "--help"])
    assert "--temperature X" in (text := capsys.readouterr().out) and "weight of the entropy bonus" in text
    assert main(["train", "CartPole-v1", "tempered", "--temperature", "-1"]) == 2


@pytest.mark.thorough
def test_its_run_is_resumed_by_directory(registered, tmp_path):
    train = lambda out, steps: logpi.train(
        "logpi:CartPole-v1",
        tempered(temperature=0.2, num_envs=2, hidden=(4,)),
        steps=steps,
        evaluations=0,
        out=tmp_path / out,
    )
    whole = train("whole", 64)
    train("ended", 32)
    assert fingerprint(logpi.resume(tmp_path / "ended", steps=64))[0] == fingerprint(whole)[0]


def test_a_name_is_registered_once(registered):
    assert registry.register(tempered) is tempered
    with pytest.raises(logpi.LogpiError, match="algorithm tempered is registered already"):
        registry.register(preset()(tempered.__wrapped__))
    with pytest.raises(logpi.LogpiError, match="is no preset"):
        registry.register(lambda: None)


@pytest.mark.thorough
def test_a_run_of_a_method_that_is_not_registered_says_so(tmp_path):
    logpi.train("logpi:CartPole-v1", tempered(num_envs=2), steps=16, evaluations=0, out=tmp_path / "run")
    with pytest.raises(logpi.LogpiError, match="was trained by tempered, which is not registered here"):
        logpi.resume(tmp_path / "run")


@pytest.mark.parametrize(
    ("theirs", "ours"), [("n_steps", "num_steps"), ("batch_size", "minibatch_size"), ("total_timesteps", "steps")]
)
def test_a_name_of_another_library_is_answered_with_ours(theirs, ours):
    with pytest.raises(logpi.LogpiError, match=rf"unknown option {theirs} \(here it is {ours}"):
        logpi.ppo(**{theirs: 8})
    flag, our_flag = (f"--{name.replace('_', '-')}" for name in (theirs, ours))
    with pytest.raises(logpi.LogpiError, match=rf"unknown option {flag} \(here it is {our_flag}\); `logpi train"):
        parse(["train", "CartPole-v1", f"{flag}=8"])


def test_a_name_is_ours_only_where_the_method_has_it():
    assert "clip_range" not in opt.option_hint("clip_coef", logpi.trpo.options)
    every = {name for method in registry.ALGORITHMS.values() for name in method.options}
    assert not set(opt.PEER_NAMES) & every


def test_british_spelling_and_slips_are_answered():
    with pytest.raises(logpi.LogpiError, match=r"unknown option normalise_returns \(here it is normalize_returns\)"):
        logpi.ppo(normalise_returns=True)
    with pytest.raises(logpi.LogpiError, match="unknown option gama: did you mean gamma"):
        logpi.ppo(gama=0.9)


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({"num_envs": np.int64(4), "gamma": np.float32(0.5)}, {"num_envs": 4, "gamma": 0.5}),
        ({"squash": np.True_, "hidden": np.array([8, 8])}, {"squash": True, "hidden": (8, 8)}),
        ({"hidden": 8, "std": "State", "num_steps": "2k"}, {"hidden": (8,), "std": "state", "num_steps": 2000}),
        ({"hidden": "[8, 8]"}, {"hidden": (8, 8)}),
    ],
)
def test_values_of_other_types_are_stored_as_python_has_them(options, settings):
    read = logpi.ppo(**options).settings("task")
    assert {name: read[name] for name in settings} == settings
    assert json.loads(json.dumps({name: read[name] for name in settings})) == {
        k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()
    }


@pytest.mark.parametrize("options", [{"num_envs": True}, {"gamma": np.True_}])
def test_a_truth_value_is_no_number(options):
    with pytest.raises(logpi.LogpiError, match="is True; allowed"):
        logpi.ppo(**options)


@pytest.mark.parametrize("name", ["PPO", "ppo_kl", "PPO-KL"])
def test_capitals_and_underscores_of_an_algorithm_do_not_matter(name):
    assert registry.find_algorithm(name).name == name.lower().replace("_", "-")
