"""CleanRL's PPO, its file `cleanrl/ppo.py` as it stands; see `report.py`. CLEANRL is where its repository is.

It asks for Python 3.10 and gymnasium 0.29, beside torch, tyro and tensorboard, and has finitely many actions.
"""

import contextlib
import io
import os
import re
import runpy
import sys
import tempfile
from pathlib import Path

from report import SAME, Watch, asked

ASKED = asked()

import gymnasium  # noqa: F401, before the clock starts
import torch
import torch.utils.tensorboard
import tyro  # noqa: F401

CHECKOUT = Path(os.environ["CLEANRL"]).resolve()
EPISODE = re.compile(r"global_step=(\d+), episodic_return=\[?([-+.\de]+)")
SIZES = {"num-envs": SAME["environments"], "num-steps": SAME["steps"], "update-epochs": SAME["epochs"]}
SIZES |= {"num-minibatches": SAME["environments"] * SAME["steps"] // SAME["minibatch_size"]}
RATES = {"learning-rate": SAME["rate"], "gamma": SAME["gamma"], "gae-lambda": SAME["gae_lambda"]}
RATES |= {"clip-coef": SAME["clip_range"], "max-grad-norm": SAME["norm"], "ent-coef": 0.0}
OWN_BATCH = 4 * 128


class Listener(io.TextIOBase):
    """Tells a watch of the episodes that are printed."""

    def __init__(self, watch: Watch):
        """`watch` is told."""
        self.watch = watch

    def write(self, text: str) -> int:
        """Find them in what is printed."""
        for step, gain in EPISODE.findall(text):
            self.watch.episode(int(step), float(gain))
        return len(text)


def main() -> None:
    """Train and print the figures."""
    torch.set_num_threads(1)
    same = [f"--{name}={value}" for name, value in (SIZES | RATES).items()] + ["--no-anneal-lr", "--no-clip-vloss"]
    batch = OWN_BATCH if ASKED.settings == "best" else SAME["environments"] * SAME["steps"]
    given = [f"--env-id={ASKED.env}", f"--seed={ASKED.seed}", f"--total-timesteps={ASKED.steps}", "--no-cuda"]
    sys.argv = ["ppo.py", *given, *([] if ASKED.settings == "best" else same)]
    watch = Watch(ASKED)
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(Listener(watch)):
        os.chdir(place)
        runpy.run_path(str(CHECKOUT / "cleanrl" / "ppo.py"), run_name="__main__")
        os.chdir(CHECKOUT)
    version = re.findall(r'^version = "(.+)"', (CHECKOUT / "pyproject.toml").read_text(), re.MULTILINE)[0]
    watch.answer(ASKED.steps // batch * batch, version)


if __name__ == "__main__":
    main()
