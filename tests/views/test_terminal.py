"""Numbers and lines as people read them."""

from dataclasses import replace

import pytest

from improve.diagnosis.diagnose import diagnose, diagnose_numbers
from improve.diagnosis.findings.rule import Change, Finding
from improve.views.terminal.diagnosis import show_diagnosis
from improve.views.terminal.training import blocks, epoch_line
from improve.views.text.numbers import duration, rate, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (4.1, "4.1 s"), (64, "64 s"), (100, "2 min"), (3600, "60 min"), (9000, "2 h 30 min")],
)
def test_a_duration_has_few_digits(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(999, "999"), (61706, "62 k"), (1_632_080, "1.6 M")])
def test_a_size_has_few_digits(count, words):
    assert size(count) == words


@pytest.mark.parametrize(("value", "words"), [(0.01, "0.0100"), (0.00836, "0.0084"), (1.5e-7, "1.5e-07")])
def test_a_rate_is_never_rounded_to_nothing(value, words):
    assert rate(value) == words


@pytest.mark.parametrize(
    ("share", "drawn"), [(0, ""), (1, "████████"), (0.5, "████"), (1 / 64, "▏"), (0.99, "███████▉")]
)
def test_the_bar_is_eight_blocks_long(share, drawn):
    assert blocks(share) == drawn


def test_an_epoch_is_one_line_that_says_where_the_best_was():
    row = {
        "epoch": 23,
        "loss": 0.71,
        "train_error": 0.214,
        "validation_error": 0.391,
        "learning_rate": 0.0051,
        "seconds": 3.9,
    }
    assert epoch_line(row, 18).split() == [
        "23",
        "0.710",
        "21.4",
        "%",
        "39.1",
        "%",
        "███▏",
        "0.0051",
        "3.9",
        "s",
        "best",
        "18",
    ]
    assert "best" not in epoch_line(row, 23)


def finding(code="T3", status="found", harm=0.09, name="rate_too_high", **more):
    return Finding(code, name, "the rate is too high", "training", "it jumps", {}, harm, status, **more)


@pytest.fixture
def shown(make_run, capsys):
    """What is shown of a run with these findings."""
    names = []

    def show(*findings, unchecked=(), verdict="high_bias", **spec):
        run = make_run(f"run{len(names)}", train=0.1, validation=0.11, spec=spec)
        names.append(run.name)
        show_diagnosis(replace(diagnose(run), findings=findings, unchecked=unchecked, verdict=verdict))
        return capsys.readouterr().out.splitlines()

    return show


@pytest.mark.parametrize(
    ("harm", "status", "words"),
    [
        (0.09, "found", "   up to 9 points to win"),
        (0.011, "found", "   up to 1 point to win"),
        (0.004, "found", "   less than a point to win"),
        (0.0, "found", ""),
        (0.09, "not_enough_evidence", "   not enough evidence"),
    ],
)
def test_a_finding_says_what_is_to_be_won_or_that_it_is_not_certain(shown, harm, status, words):
    assert f"1  T3  the rate is too high{words}" in shown(finding(harm=harm, status=status))


def test_what_is_not_excluded_stands_before_what_would_decide(shown):
    change = Change("optimizer.learning_rate", 0.001, "smaller steps")
    lines = shown(finding(rivals=("T15", "T1"), confirm="improve lr SPEC", changes=(change,)))
    at = lines.index("   not excluded  T15, T1")
    assert lines[at - 1].startswith("   change   optimizer.learning_rate: 0.001")
    assert lines[at + 1] == "   to decide  improve lr SPEC"
    assert not any("not excluded" in line for line in shown(finding()))


def test_what_cannot_be_told_yet_says_why_and_is_none_of_the_three(shown):
    why = "T3 may bring it about: mend that first"
    named = ("V1", "variance"), ("T7", "dead_units")
    later = [finding(code, "cannot_tell_yet", name=name, waits=why) for code, name in named]
    lines = shown(finding(), *later, finding("M2", "cannot_tell_yet", name="label_shift", waits="more comes first"))
    assert f"cannot tell yet   V1 variance, T7 dead_units: {why}" in lines
    assert "cannot tell yet   M2 label_shift: more comes first" in lines
    assert not any(line.startswith("2  ") or "more in diagnosis.json" in line for line in lines)
    many = shown(*(finding(code) for code in ("T3", "T1", "T2", "T4")), *later)
    assert [line for line in many if line[:3] in ("1  ", "2  ", "3  ", "4  ")] == [
        f"{number}  {code}  the rate is too high   up to 9 points to win"
        for number, code in enumerate(("T3", "T1", "T2"), start=1)
    ]
    assert "1 more in diagnosis.json" in many


def test_what_was_not_looked_at_is_named_with_the_reason(shown):
    unchecked = tuple((f"T{number}", "layers") for number in range(1, 13))
    light = "not looked at     T1, T2, T3, T4, T5, T6, T7, T8 and 4 more (evidence: light switched the probes off)"
    assert light in shown(unchecked=unchecked, evidence="light")
    assert "not looked at     T1 (the run has not left the evidence they need)" in shown(unchecked=unchecked[:1])
    assert not any("not looked at" in line for line in shown())


def test_nothing_to_report_counts_the_checks_that_were_made(shown):
    from improve.diagnosis.findings import ORDER

    every = f"nothing to report: no finding; every check had the evidence it needed ({len(ORDER)} checks)"
    assert every in shown(verdict="ok")
    some = f"nothing to report: no finding; {len(ORDER) - 2} checks, 2 not made"
    assert some in shown(unchecked=(("T2", "kernels"), ("T5", "layers")), verdict="ok")


def test_bare_numbers_do_not_claim_checks(capsys):
    show_diagnosis(diagnose_numbers("human=0% train=0% validation=0.1% n=10000"))
    out = capsys.readouterr().out
    assert "nothing to report: no finding; the numbers are all there is" in out
