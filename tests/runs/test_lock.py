"""One run, one directory: two cannot train in it, and the lock of one that died is no obstacle."""

import os
import signal
import subprocess
import sys

import pytest

import logpi
from logpi.runs.files import write_json
from logpi.runs.lock import lock_run, this_process

HOLDER = """
import sys
from pathlib import Path
from logpi.runs.files import write_json
from logpi.runs.lock import lock_run, this_process
with lock_run(Path(sys.argv[1])):
    write_json(Path(sys.argv[1]) / "run.json", {"process": this_process()})
    print("held", flush=True); sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], **pipes) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_one_is_refused_and_told_who_has_it(tmp_path, holder):
    with pytest.raises(logpi.LogpiError, match=f"process {holder.pid} on {this_process()['host']}"), lock_run(tmp_path):
        pass


def test_the_lock_of_a_process_that_was_killed_is_taken_over(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with lock_run(tmp_path):
        pass


def test_it_is_let_go_at_the_end_and_after_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(RuntimeError), lock_run(tmp_path):
            raise RuntimeError


def test_a_holder_that_says_nothing_is_another_process(tmp_path, holder):
    write_json(tmp_path / "run.json", {})
    with pytest.raises(logpi.LogpiError, match="another process"), lock_run(tmp_path):
        pass
