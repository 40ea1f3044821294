"""The checkpoints of a run: the last few are kept, damaged ones are passed over, half-written ones never chosen."""

import jax.numpy as jnp
import pytest
from damage import FAULTS

import logpi
from logpi.runs import checkpoint, checkpoints
from logpi.runs.checkpoints import BEST, LAST


def saved(place, *iterations, kind=LAST):
    for i in iterations:
        checkpoints.save(place, kind, i, {"x": jnp.full(3, i, float)})


def names(place):
    return sorted(path.name for path in place.iterdir())


def test_the_last_three_and_the_best_are_kept(tmp_path):
    saved(tmp_path, 0, 5, 10, 15)
    saved(tmp_path, 5, 15, kind=BEST)
    assert names(tmp_path) == ["best-000000015", *(f"iteration-{i:09d}" for i in (5, 10, 15))]
    assert checkpoints.newest(tmp_path).metadata["iteration"] == 15


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("file", [checkpoint.ARRAYS, checkpoint.MANIFEST])
def test_a_damaged_one_is_said_and_the_one_before_is_taken(tmp_path, fault, file):
    saved(tmp_path, 1, 2)
    fault(tmp_path / "iteration-000000002" / file)
    heard = []
    assert checkpoints.newest(tmp_path, say=heard.append).metadata["iteration"] == 1
    assert len(heard) == 1 and file in heard[0] and "iteration-000000001" in heard[0]


def test_if_none_is_left_each_fault_is_named(tmp_path):
    saved(tmp_path, 1, 2)
    for i in (1, 2):
        FAULTS[0](tmp_path / f"iteration-{i:09d}" / checkpoint.ARRAYS)
    with pytest.raises(logpi.NoCheckpoint, match=r"iteration-000000002.*iteration-000000001") as error:
        checkpoints.newest(tmp_path)
    assert error.value.status == 3


def test_where_nothing_was_saved_that_is_said(tmp_path):
    with pytest.raises(logpi.NoCheckpoint, match="there is none"):
        checkpoints.newest(tmp_path / "nowhere")


def test_what_is_half_written_is_never_chosen_and_is_tidied_away(tmp_path):
    saved(tmp_path, 1, 2, 3)
    (tmp_path / "iteration-000000002").rename(tmp_path / "iteration-000000009.new-77")
    (tmp_path / "iteration-000000003").rename(tmp_path / "iteration-000000008.old-77")
    assert checkpoints.newest(tmp_path).metadata["iteration"] == 1
    checkpoints.remove_stale(tmp_path, after=1)
    assert names(tmp_path) == ["iteration-000000001"]


def test_iterations_that_will_be_made_again_are_tidied_away(tmp_path):
    saved(tmp_path, 1, 2, 3)
    saved(tmp_path, 3, kind=BEST)
    checkpoints.remove_stale(tmp_path, after=2)
    assert names(tmp_path) == ["iteration-000000001", "iteration-000000002"]
