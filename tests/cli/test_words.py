"""Words in other spellings, and words that are none: each is understood, or answered with the right form."""

from pathlib import Path

import pytest

from logpi.cli.main import main
from logpi.cli.parser import parse
from logpi.errors import LogpiError

UNDERSTOOD = {
    "--num_envs 4": {"num_envs": "4"},
    "--Num-Envs=4": {"num_envs": "4"},
    "--hidden 64 64": {"hidden": "64,64"},
    "--hidden [64, 64]": {"hidden": "64,64"},
    "--squash": {"squash": "true"},
    "--squash --gamma 0.9": {"squash": "true", "gamma": "0.9"},
    "--squash no": {"squash": "no"},
    "--no-squash": {"squash": "false"},
    "--learning-rate -1": {"learning_rate": "-1"},
}
ANSWERED = {
    "train CartPole-v1 --n-envs 4": "here it is --num-envs",
    "train CartPole-v1 --total_timesteps 4": "here it is --steps",
    "train CartPole-v1 --normalise-observations": "here it is --normalize-observations",
    "train CartPole-v1 --gama 0.9": "did you mean --gamma",
    "train CartPole-v1 reinforce --clip-range 0.1": "it belongs to ppo",
    "train --env CartPole-v1": "the environment is the first word",
    "train CartPole-v1 --algo ppo": "the algorithm is the second word",
    "train ppo CartPole-v1": "logpi train CartPole-v1 ppo",
    "train PPO": "logpi train CartPole-v1 ppo",
    "train CartPole-v1 pp0": "did you mean ppo?",
    "train CartPole-v1 ppo 64": "unexpected 64",
    "train CartPole-v1 --seed ²": "it is ²; allowed: a whole number",
    "train CartPole-v1 --seed -1": "it is -1; allowed: a whole number",
    "train CartPole-v1 --out=": "it is empty",
    "train CartPole-v1 --steps 1.5": "a whole number ≥ 1",
    "evaluate runs/mine --deterministic": "unless --stochastic is given",
    "evaluate --model runs/mine": "the run directory is the first word",
    "resume runs/mine --num-workers 3": "here it is --workers",
    "lab tabular:chain --estimator gae": "did you mean --estimators",
    "trian CartPole-v1": "did you mean train?",
}


@pytest.mark.parametrize("words", UNDERSTOOD)
@pytest.mark.parametrize("order", ["train Pendulum-v1 ppo {}", "train Pendulum-v1 {} ppo", "train {} Pendulum-v1 ppo"])
def test_spellings_that_are_understood(words, order):
    command, given = parse(order.format(words).split())
    assert (command, given["env"], given["algorithm"]) == ("train", "Pendulum-v1", "ppo")
    assert given["options"] == UNDERSTOOD[words]


@pytest.mark.parametrize("words", ANSWERED)
def test_words_that_are_answered_with_the_right_form(words):
    with pytest.raises(LogpiError) as refused:
        parse(words.split())
    assert ANSWERED[words] in str(refused.value) and len(str(refused.value)) < 200


@pytest.mark.parametrize(("text", "steps"), [("1M", 10**6), ("100k", 10**5), ("1_000", 1000), ("2.5e3", 2500)])
def test_numbers_as_people_write_them(text, steps):
    assert parse(["train", "CartPole-v1", "--steps", text])[1]["steps"] == steps


def test_a_value_is_not_rewritten():
    given = parse("train CartPole-v1 --out My_Runs --env-arg Map_Name=8x8 --import My_Module".split())[1]
    assert Path(given["out"]).is_absolute() and Path(given["out"]).name == "My_Runs"
    assert (given["modules"], given["env_args"]) == (["My_Module"], {"Map_Name": "8x8"})


def test_the_laboratory_takes_arguments_and_modules_of_an_environment():
    given = parse("lab mine:make --env-arg size=3 --import more".split())[1]
    assert given["env_args"] == {"size": 3} and given["modules"] == ["more"]


def test_a_directory_of_runs_names_those_below_it(tmp_path, capsys):
    for run in ("a/one", "two"):
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "run.json").write_text("{}")
    assert main(["evaluate", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "holds no run" in said and str(tmp_path / "a" / "one") in said and str(tmp_path / "two") in said
    assert main(["evaluate", str(tmp_path / "a" / "one" / "nothing")]) == 2
    assert "below" not in capsys.readouterr().err


def test_help_without_an_environment_is_that_of_the_algorithm(capsys):
    with pytest.raises(SystemExit):
        main(["train", "vpg", "--help"])
    assert "options of vpg" in capsys.readouterr().out
