"""Opening the sealed test part: one way to its error, and whoever goes it is written down."""

from __future__ import annotations

from improve.errors import UsageError
from improve.runs import ledger
from improve.runs.run import Run
from improve.runs.schema import Measured
from improve.spec.identity import experiment_identity


def check_test(run: Run) -> None:
    """Raises UsageError where the run has no test part. Opens nothing."""
    if not run.has_test:
        raise UsageError(f"{run.folder} has no test part", fix="give the split three shares, such as 60/20/20")


def open_test(run: Run, again: bool = False) -> Measured:
    """The error on the run's test part. The look is written into the ledger of its folder of runs: each makes the error
    less of a test. `again`: the same was shown before, and is written down already.

    Raises UsageError where the run has no test part.
    """
    check_test(run)
    assert run.sealed_test is not None
    if not again and "test" not in run.looked_at:
        rate = {"error": run.sealed_test.error, "n": run.sealed_test.n}
        digests = run.fingerprint.get("test"), experiment_identity(run.spec)
        ledger.write_down(run.folder.parent, run.name, "test", *digests, rate)
        run.looked_at.add("test")
    return run.sealed_test
