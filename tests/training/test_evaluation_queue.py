"""A run goes on while a policy is evaluated, and leaves the rows that it would have left."""

import numpy as np
import pytest

import logpi
from logpi.errors import LogpiError
from logpi.evaluation import evaluate
from logpi.evaluation.evaluate import Evaluation, PendingEvaluation
from logpi.training.evaluation_queue import EvaluationQueue
from logpi.training.interrupts import Interrupts, Terminated


def iterations(*numbers):
    return [{"number": n, "steps": 10, "eval_seconds": 0.0} for n in numbers]


def awaited(answers, mean=5.0):
    """An evaluation that is over when `answers` is not empty."""

    def result():
        if mean is None:
            raise LogpiError("its environment raised")
        return Evaluation(np.full(2, mean), np.ones(2))

    return PendingEvaluation(lambda: bool(answers), result)


def ledger(wait=False, stop=None):
    """A ledger, and what it has recorded: (numbers of the iterations, mean of the evaluation, what is kept)."""
    recorded = []

    def record(infos, assessed, kept):
        recorded.append(([info["number"] for info in infos], assessed and assessed.mean, kept()))
        return False

    return EvaluationQueue(record, 100, stop or Interrupts(), wait), recorded


def add(book, *numbers, evaluation=None):
    return book.add(iterations(*numbers), lambda: f"after {numbers[-1]}", evaluation)


def test_what_nobody_evaluates_is_recorded_at_once():
    book, recorded = ledger()
    add(book, 1, 2)
    assert recorded == [([1, 2], None, "after 2")] and book.steps == 120


def test_rows_wait_for_the_evaluation_before_them_and_come_in_order():
    """One state is kept for all that waits; steps are counted when they are taken."""
    book, recorded = ledger()
    answers = []
    add(book, 1, evaluation=awaited(answers))
    add(book, 2)
    add(book, 3, 4)
    assert recorded == [] and book.steps == 140
    answers.append("all")
    add(book, 5)
    assert recorded == [([1], 5.0, "after 1"), ([2, 3, 4, 5], None, "after 5")]


def test_what_is_held_is_settled_when_it_is_asked_for():
    book, recorded = ledger()
    add(book, 1, evaluation=awaited([]))
    add(book, 2)
    assert not book.flush()
    assert recorded == [([1], 5.0, "after 1"), ([2], None, "after 2")]


def test_who_may_end_the_run_hears_of_everything_at_once():
    book, recorded = ledger(wait=True)
    add(book, 1, evaluation=awaited([]))
    assert recorded == [([1], 5.0, "after 1")]


def test_an_evaluation_that_fails_loses_no_row():
    book, recorded = ledger()
    add(book, 1, evaluation=awaited([], mean=None))
    add(book, 2)
    with pytest.raises(LogpiError, match="its environment raised"):
        book.flush()
    assert recorded == [([1], None, "after 1"), ([2], None, "after 2")]


def test_sigterm_ends_the_wait_and_drops_what_is_held():
    """But not what is ready: on the device, nothing else would be left to save."""
    stop = Interrupts()
    book, recorded = ledger(stop=stop)
    add(book, 1, evaluation=awaited([]))
    stop.requested = Terminated
    with pytest.raises(Terminated):
        book.flush()
    assert recorded == []
    add(book, 2, evaluation=awaited(["at once"]))
    assert recorded == [([2], 5.0, "after 2")]


@pytest.mark.thorough
def test_rows_are_the_same_whether_or_not_the_run_went_on(tmp_path, monkeypatch):
    """Evaluated by processes of their own from the second time on; callbacks have every evaluation waited for."""
    monkeypatch.setattr(evaluate, "WORKER_THRESHOLD_SECONDS", 0.0)
    recipe = logpi.ppo(num_envs=4, num_steps=32, minibatch_size=64, epochs=1, hidden=(8,))
    how = {"steps": 128 * 30, "evaluations": 6, "workers": 2}
    went_on = logpi.train("CartPole-v1", recipe, out=tmp_path / "went on", **how)
    waited = logpi.train("CartPole-v1", recipe, out=tmp_path / "waited", callbacks=[lambda row: None], **how)
    timeless = lambda row: {name: x for name, x in row.items() if "second" not in name}
    assert list(map(timeless, went_on.metrics)) == list(map(timeless, waited.metrics))
    assert sum("eval_return_mean" in row for row in went_on.metrics) == 6
    assert went_on.summary["best_eval_return_mean"] == waited.summary["best_eval_return_mean"]
