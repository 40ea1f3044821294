"""What a person is told while training."""

import pytest

from logpi.training.console import COLLAPSE_PATIENCE, Reporter


def said(entropies, capsys):
    """All that is printed for iterations with these entropies."""
    with Reporter(100) as reporter:
        for entropy in entropies:
            reporter.record({"steps": 1, "kl": 0.0, "steps_per_second": 1.0, "return_mean": 0.0, "entropy": entropy})
    return capsys.readouterr().err


def test_a_collapse_of_entropy_is_said_once_and_by_name(capsys):
    """RELIABILITY 32."""
    text = said([0.6] + [1e-4] * 3 * COLLAPSE_PATIENCE + [0.6] + [1e-4] * 3 * COLLAPSE_PATIENCE, capsys)
    assert text.count("entropy has been below 0.001") == 1 and "ent_coef" in text


@pytest.mark.parametrize(
    "entropies", [[1e-4] * (COLLAPSE_PATIENCE - 1) + [0.1], [-3.0] * 50, [None] * 50], ids=["brief", "real", "none"]
)
def test_and_not_where_there_is_none(entropies, capsys):
    assert "entropy" not in said(entropies * 2, capsys)


def test_names_and_paths_are_printed_as_they_are(capsys):
    """Neither brackets nor colons are markup: pomdp:tiger: is no emoji, [bold] no font."""
    with Reporter(100) as reporter:
        reporter.log("tuned for pomdp:tiger: [bold]")
        reporter.show_summary({"directory": "runs/:tiger:/[red]"})
        reporter.show_table([{"environment": ":cat:[b]"}])
    text = capsys.readouterr().err
    assert "pomdp:tiger: [bold]" in text and "runs/:tiger:/[red]" in text and ":cat:[b]" in text


def test_no_return_is_named_before_an_episode_has_ended(capsys):
    with Reporter(100, every=0) as reporter:
        for figure in (None, -0.01):
            row = {"steps": 1, "kl": -0.0, "steps_per_second": 1.0, "return_mean": figure, "entropy": None}
            reporter.record(row)
    first, second = filter(None, capsys.readouterr().err.splitlines())
    assert "no episode has ended  KL 0.0000" in first and "return 0.0  KL" in second and "nan" not in first
