"""Too little memory, too little room on the disk."""

import pytest

from improve.engine.training.resources import OutOfMemoryError, check_room, is_out_of_memory, smaller_batches
from improve.errors import ImproveError
from improve.spec.spec import Spec


@pytest.mark.parametrize(
    ("size", "together", "smaller", "steps"),
    [(64, None, 32, 2), (32, 2, 16, 4), (100, None, 50, 2), (15, None, 5, 3), (7, None, 1, 7), (2, 3, 1, 6)],
)
def test_smaller_batches_make_the_same_updates(size, together, smaller, steps):
    spec = Spec.model_validate(
        {"training": {"batch_size": size}, "optimizer": {"gradient_accumulation_steps": together}}
    )
    assert smaller_batches(spec) == [
        f"training.batch_size={smaller}", f"optimizer.gradient_accumulation_steps={steps}"
    ]  # fmt: skip
    assert smaller * steps == size * (together or 1)


def test_a_single_image_cannot_be_made_less(tmp_path):
    spec = Spec.model_validate({"training": {"batch_size": 1}})
    assert smaller_batches(spec) == []
    assert OutOfMemoryError(tmp_path, spec).overrides == []


class ResourceExhaustedError(Exception):
    """As TensorFlow's."""


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (MemoryError(), True),
        (ResourceExhaustedError("anything"), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes"), True),
        (RuntimeError("OOM when allocating tensor with shape[64,32]"), True),
        (ValueError("shapes do not match"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_what_counts_as_too_little_memory(error, found):
    assert is_out_of_memory(error) is found


def test_room_is_checked_before_the_first_step(tmp_path):
    check_room(tmp_path, 1000)
    with pytest.raises(
        ImproveError, match=r"the state of this run needs 3,000,000,000,000 MB of disk, [\d,]+ MB are free"
    ):
        check_room(tmp_path, 10**18)
