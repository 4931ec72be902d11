"""Words that would like to be more than words, and what is called so."""

import json

import pytest

from improve.experiments.auto.journal import FAILED, AutoStep
from page import predictions

HOSTILE = {
    "HTML": "<script>alert(1)</script>",
    "Rich's closing tag": "[/red]",
    "Rich's link": "[link=https://x.y]z[/link]",
    "a formula of TeX": "$\\frac{$",
    "a formula of a spreadsheet": "=cmd()",
    "a window title": "\x1b]0;pwn\x07",
    "a cleared screen": "\x1b[2J",
    "an 8-bit escape": "\x9b2J",
    "the other writing direction": "\u202egnp.exe",
    "a line of its own": "a\nverdict  ok",
    "a line over the line": "a\rverdict  ok",
    "5,000 characters": "x" * 5000,
}

every_hostile_text = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


def assert_harmless(out):
    """Nothing but printable lines, none of them begun by a name."""
    assert [char for char in out if not char.isprintable() and char != "\n"] == []
    assert not any(line.startswith("verdict  ok") for line in out.splitlines())


def hostile(make_run, text, number):
    """A run that is called so, as are its classes, its data, its device and what changed."""
    label, probability = predictions(wrong=9)
    evidence = {"predictions": {"validation": (label, probability)}, "data": {"classes": [text, f"{text}b", "c"]}}
    run = make_run(
        f"{text.replace('/', '')[:80]}{number}", 0.1, 0.4, spec={"data": {"source": {"name": "npz", "path": text}}},
        evidence=evidence, history=[0.3, 0.1], changes=[{"epoch": 1, "path": text, "from": text, "to": text}],
        **{"from": text},
    )  # fmt: skip
    environment = json.loads((run.folder / "environment.json").read_text())
    (run.folder / "environment.json").write_text(json.dumps({**environment, "device": text, "git": text}))
    return run.folder


def hostile_walk(walk, text):
    """What the steps say is `text` wherever it can be."""
    steps = [(text, text), ("model.name", text), ("a", {text: [text]})]
    walk.write(AutoStep("04", "01", text, text, tuple(steps), text, 0.1, text, 0.1, 0.0, 0.2, 0.9, 1, text))
    walk.write(AutoStep("05", text, text, text, (), text, verdict=FAILED, why=text))
    (walk.folder / "best.yaml").write_text(f"# {text}\n", encoding="utf-8", errors="replace")
    with (walk.folder / "start.yaml").open("a", encoding="utf-8", errors="replace") as file:
        file.write(f"# {text}\n")
    return walk.folder
