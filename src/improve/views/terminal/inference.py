"""What is handed over, on the terminal: answers about images, an evaluation in the field, an exported file."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from shlex import quote

from rich.table import Table
from rich.text import Text

from improve.engine.inference.classify import Answer
from improve.engine.inference.distribution_shift import Classes
from improve.engine.inference.evaluate import Evaluation
from improve.engine.inference.export import Exported
from improve.engine.inference.predictor import Form
from improve.errors import printable
from improve.statistics.intervals import difference
from improve.views.terminal.console import console
from improve.views.text.comparison import csv_cell
from improve.views.text.diagnosis import GAP_WORDS
from improve.views.text.numbers import interval, percent, size

WIDEST, LONGEST = 60, 4096  # characters of a file's name: that are lined up, and that are shown
SHOWN, NAMED = 3, 8  # lines of a kind; names in a line


class CountedAnswers(Iterable[Answer]):
    """Answers, one by one; names each bad file on standard error, and counts them."""

    def __init__(self, answers: Iterator[Answer]):
        self.answers, self.bad = answers, 0

    def __iter__(self) -> Iterator[Answer]:
        for answer in self.answers:
            if answer.error:
                self.bad += 1
                console(stderr=True).print(Text(f"{printable(answer.file, LONGEST)}: {printable(answer.error)}"))
            yield answer


def print_note(text: str) -> None:
    """Print a note on standard error; nothing for an empty one."""
    if text:
        console(stderr=True).print(Text(f"note: {text}"))


def show_answers(answers: Iterable[Answer], files: list[str]) -> None:
    """A line for each image: its file, then classes with their probabilities."""
    out, width = console(), min(WIDEST, max(map(len, files)))
    for answer in answers:
        if not answer.error:
            told = "   ".join(
                f"{percent(probability):>7}  {printable(name, 40)}" for name, probability in answer.ranked
            )
            out.print(Text(f"{printable(answer.file, LONGEST):<{width}}   {told}"))


def print_csv(answers: Iterable[Answer], top: int) -> None:
    """A row for each image, also for a bad one, with its error."""
    places = ["", *(f"_{place}" for place in range(2, top + 1))]
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["file", *(f"{name}{place}" for place in places for name in ("class", "probability")), "error"])
    for answer in answers:
        cells = [cell for name, chance in answer.ranked for cell in (csv_cell(name), f"{chance:.6g}")]
        cells += [""] * (2 * top - len(cells))
        out.writerow([csv_cell(answer.file), *cells, csv_cell(answer.error)])


def show_evaluation(evaluation: Evaluation, file: Path) -> None:
    out, folder = console(), evaluation.run.folder
    images = f"{some(evaluation.error.n or 0)} of {evaluation.field.found}"
    out.print(Text(f"{evaluation.run.name} in the field · {images}", "bold"))
    out.print()
    out.print(ladder(evaluation))
    out.print()
    for word, text in (*shift_lines(evaluation), *odd_lines(evaluation)):
        out.print(Text(f"{word:<9}{text}"))
    if evaluation.gap.verdict == "high":
        mend = "validate and test on images like these (data.target), or judge otherwise: improve explain W1"
        out.print(Text(f"mend     {mend}"))
    out.print(Text(f"kept     {file}"))
    out.print(Text(f"next     improve diagnose {quote(str(folder))}     it takes the newest evaluation"))
    given = f"diagnosis.field_error={evaluation.error.value:.4g} diagnosis.field_n={evaluation.error.n}"
    out.print(Text(f"         or in the spec of the next run: improve train SPEC {given}"))


def ladder(found: Evaluation) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0))
    for name in ("", "error", "95 %", ""):
        table.add_column(Text(name), justify="right" if name == "error" else "left", no_wrap=True)
    rows = [(found.part, found.known), ("field", found.error), ("field, known classes", found.on_known_classes)]
    for name, rate in rows:
        if rate is not None:
            table.add_row(name, percent(rate.value), Text(interval(*rate.interval())), Text(f"n={rate.n:,}"))
    gap = found.gap
    needs = f"; {gap.needed:,} images would settle it" if gap.needed else ""
    said = f"points: {GAP_WORDS[gap.verdict]}{needs}"
    table.add_row("difference", f"{100 * gap.value:+.1f}", Text(interval(gap.low, gap.high)), Text(said))
    return table


def shift_lines(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    """The heads and texts of lines about how the images differ: their looks, their classes, where the error grew."""
    apart = [one for one in evaluation.looks if one.stands_out]
    for one in apart:
        sizes = f"{one.size:+.1f} sd [{one.low:+.1f}, {one.high:+.1f}]"
        yield "looks", f"{one.what} {sizes}: {one.field:.3g} in the field, {one.known:.3g} in {evaluation.part}"
    if evaluation.looks and not apart:
        most = evaluation.looks[0]
        yield "looks", f"much as in {evaluation.part}: {most.what} differs most, by {most.size:+.1f} sd"
    if evaluation.shares is not None:
        yield from class_lines(evaluation, evaluation.shares)
    for text in worse(evaluation)[:SHOWN]:
        yield "errs on", text


def class_lines(found: Evaluation, shares: Classes) -> Iterator[tuple[str, str]]:
    for one in shares.changed[:SHOWN]:
        both = f"{percent(one['field'])} in the field, {percent(one['known'])} in {found.part}"
        apart = f"difference {interval(one['low'], one['high'])}"
        yield "classes", f"{printable(one['class'], 40)} {both} ({apart})"
    if shares.changed:
        yield "", f"the shares of classes alone would make the error {percent(shares.expected_error)}"


def worse(evaluation: Evaluation) -> list[str]:
    """Classes with a surely higher error in the field, the worst first."""
    found = []
    for one in evaluation.by_class:
        if one.field and one.known and difference(one.field, one.known)[0] > 0:
            now = f"{percent(one.field.value)} {interval(*one.field.interval())} (n={one.field.n:,})"
            text = f"{printable(one.name, 40)} {now}, {percent(one.known.value)} in {evaluation.part}"
            found.append((one.field.value - one.known.value, text))
    return [text for _, text in sorted(found, key=lambda pair: -pair[0])]


def odd_lines(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    """What is to be known before the number is believed."""
    for name, count in evaluation.unknown.items():
        yield "unknown", f"{some(count)} of {printable(name, 40)}, which the run does not know: always wrong"
    if evaluation.missing:
        yield "missing", f"no image of {listed(evaluation.missing)}"
    for part, count in evaluation.also_in.items():
        left = ": left out" if part == "train" else ""
        yield "seen", f"{some(count)} also in the run's {part} part, pixel for pixel{left}"
    for name, reason in evaluation.field.skipped[:SHOWN]:
        yield "skipped", f"{printable(name, 200)} ({printable(reason)})"
    if len(evaluation.field.skipped) > SHOWN:
        yield "", f"and {len(evaluation.field.skipped) - SHOWN:,} more, which cannot be read either"
    if evaluation.tried > 1:
        yield (
            "note",
            f"these images have judged {evaluation.tried} experiments: who chooses by them needs others to test with",
        )


def some(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"


def listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(printable(name, 40) for name in names[:NAMED]) + more


def show_exported(exported: Exported, form: Form) -> None:
    out, parity = console(), exported.parity
    height, width, channels = form.shape
    pixels = "pixels 0 to 255" if form.bytes else "pixels as in the run's arrays"
    out.print(Text(f"{exported.file}     {exported.format}, {size(exported.bytes)}B", "bold"))
    agreement = f"max |Δ probability| {parity.difference:.1e}, same class {100 * parity.same_class:.0f} %"
    out.print(Text(f"parity   on {parity.n} {parity.images}: {agreement}"))
    out.print(Text(f"takes    images (n, {height}, {width}, {channels}), float32, {pixels}; normalises them itself"))
    out.print(Text(f"gives    probabilities; the classes are in {exported.file.name}.json"))
