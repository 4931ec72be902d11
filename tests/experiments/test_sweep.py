"""Sweeps without training: spaces, points, names, mistakes with their places, what is trained when one goes on."""

import contextlib
import json
import signal
from itertools import islice

import jsonschema
import pytest

from improve.errors import ImproveError, SpecError, UsageError
from improve.experiments.sweep.importance import importance
from improve.experiments.sweep.plan import check, grid, names, plan, random_values
from improve.experiments.sweep.result import BEST, sweep_verdict
from improve.experiments.sweep.search import search
from improve.experiments.sweep.sweep import Sweep, sweep
from improve.interrupt import BrokenOff
from improve.runs import begin, run
from improve.spec.reading import yaml as yamlfile
from improve.spec.reading.search_space_syntax import from_override
from improve.spec.reading.template import json_schema

SPEC = """\
data: {source: digits}
model: {name: mlp, hidden: [8]}
optimizer: {name: adam, learning_rate: 0.003}
"""


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("regularization.dropout=0,0.25,0.5", (0, 0.25, 0.5)),
        ("model.width=range(16,65,16)", (16, 32, 48, 64)),
        ("regularization.dropout=range(0,1,0.25)", (0.0, 0.25, 0.5, 0.75)),
        ("model.width=range(3,0,-1)", (3, 2, 1)),
        ("model.hidden=[8],[16, 32]", ([8], [16, 32])),
        ("optimizer=adam,sgd", ("adam", "sgd")),
        ("optimizer=adam, {name: sgd, momentum: 0.9}", ("adam", {"name": "sgd", "momentum": 0.9})),
        ("augmentation=[],[flip]", ([], ["flip"])),
        ("optimizer.learning_rate=log(1e-4,1e-1,4)", (1e-4, 1e-3, 1e-2, 1e-1)),
        ("regularization.dropout=uniform(0, 0.5, 3)", (0.0, 0.25, 0.5)),
        ("optimizer.nesterov=true,false", (True, False)),
        ("model.width=int(8,10)", (8, 9, 10)),
    ],
)
def test_values_that_can_be_counted(words, values):
    assert from_override(words).listed == values


@pytest.mark.parametrize(
    ("words", "share", "value"),
    [
        ("optimizer.learning_rate=log(1e-4,1e-1)", 0.0, 1e-4),
        ("optimizer.learning_rate=log(1e-4,1e-1)", 1 / 3, 1e-3),
        ("optimizer.learning_rate=log(1e-4,1e-1)", 0.5, 0.003162),
        ("regularization.dropout=uniform(0,0.6)", 0.25, 0.15),
        ("model.width=int(8,10)", 0.34, 9),
        ("model.width=int(8,10)", 0.999999, 10),
        ("regularization.dropout=0,0.25,0.5", 0.999999, 0.5),
    ],
)
def test_a_share_of_the_way_through_a_range(words, share, value):
    assert from_override(words).drawn(share) == value


@pytest.mark.parametrize("word", ["training.epochs=5", "model.hidden=[8,16]", "model=mlp", "augmentation=[flip, shift]",
                                  'data.source.path="a, b"', "no_equals", "a..b=1,2"])  # fmt: skip
def test_one_value_fixes_a_setting_and_is_no_space(word):
    assert from_override(word) is None


@pytest.mark.parametrize(
    ("word", "column", "what"),
    [
        ("optimizer.learning_rate=log(0,1)", 25, "a logarithm has no place for 0"),
        ("optimizer.learning_rate=log(-1,1)", 25, "a logarithm has no place for -1"),
        ("regularization.dropout=uniform(0.5,0.1)", 24, "from 0.5 to 0.1 there is nothing"),
        ("model.width=int(8,8)", 13, "from 8 to 8 there is nothing"),
        ("model.width=int(1,2.5)", 13, "int takes whole numbers"),
        ("model.width=range(16,16)", 13, r"range\(16, 16\) has 0 values"),
        ("model.width=range(1,9,0)", 13, "a step that is not 0"),
        ("model.width=range(0,1e9)", 13, "has 1,000,000,000 values"),
        ("model.width=lgo(1,2)", 13, r"there is no lgo\(…\); did you mean log\(…\)\?"),
        ("model.width=log(a,2)", 13, "'a' is no number"),
        ("model.width=log()", 13, "a number is missing"),
        ("model.width=log(1,2,3,4)", 13, "log takes two numbers"),
        ("model.width=log(1,.inf)", 13, "'inf' is no number"),
        ("regularization.dropout=0.1,0.1", 24, "0.1 stands here twice"),
        ("regularization.dropout=0,log(1,2)", 24, "'log.1' among values"),
        ("seed=1,2", 1, "seed is not to be chosen"),
        ("data.split=60/20/20,70/15/15", 6, "changes the validation images"),
    ],
)
def test_words_that_make_no_space_are_refused_in_their_place(word, column, what):
    with pytest.raises(SpecError, match=what) as caught:
        from_override(word)
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(1, column)]


@pytest.fixture
def planned(write_spec):
    def make(*words, text=SPEC, **options):
        return plan(write_spec(text), words, **options)

    return make


def test_a_grid_has_every_point_once_the_last_setting_fastest(planned):
    made = planned("optimizer.learning_rate=1e-3,1e-2", "model.hidden=[8],[16]", "training.epochs=2")
    assert made.search == "grid"
    points = grid(made)
    assert [point.values for point in points] == [(1e-3, [8]), (1e-3, [16]), (1e-2, [8]), (1e-2, [16])]
    assert points[3].spec.optimizer.learning_rate == 0.01
    assert points[3].spec.model.hidden == (16,)
    assert {point.spec.training.epochs for point in points} == {2}
    assert names(made, points)[0] == "learning_rate0.001-hidden_8"


def test_a_part_comes_before_its_options_however_they_are_typed(planned):
    points = grid(planned("optimizer.learning_rate=1e-3,1e-2", "optimizer=adam,sgd"))
    told = [(point.spec.optimizer.name, point.spec.optimizer.learning_rate) for point in points]
    assert told == [("adam", 0.001), ("sgd", 0.001), ("adam", 0.01), ("sgd", 0.01)]


def test_names_that_could_leave_the_folder_or_grow_too_long_do_not(planned):
    paths = [f"[{', '.join(['8'] * count)}]" for count in (90, 91)]
    found = names(made := planned(f"model.hidden={','.join(paths)}"), grid(made))
    assert len(set(found)) == 2
    assert all(begin.NAME.fullmatch(f"{name}-seed0") for name in found)


@pytest.mark.parametrize(
    ("words", "problems"),
    [
        (["regularization.dropout=0,0.5,1.5"], [(30, "should be less than 1, this is 1.5, at ")]),
        (["optimizer.learning_rat=1e-3,1e-2"], [(11, "there is no 'learning_rat' here; did you mean 'learning_")]),
        (["optimizer=adam,sgd", "optimizer.momentum=0.5,0.9"],
         [(11, "at optimizer=adam, optimizer.momentum=0.5 and 1 more of 4 points")]),
        (["training.batch_size=int(16,4096)", "optimizer.learning_rate=log(1e-4,1e-1)"],
         [(21, "a batch of 4,096 is larger than the training set of 1,079, at training.batch_size=4096")]),
        (["regularization.dropout=2,3", "optimizer.learning_rate=-1,1"],
         [(24, "this is 2"), (26, "this is 3"), (25, "this is -1")]),
    ],
)  # fmt: skip
def test_every_point_is_looked_at_before_anything_starts_and_errors_name_it(planned, words, problems):
    with pytest.raises(SpecError) as caught:
        check(planned(*words))
    assert {problem.source for problem in caught.value.problems} <= set(words)
    told = {(problem.column, problem.what) for problem in caught.value.problems}
    assert all(any(at == column and what in words for at, words in told) for column, what in problems)
    assert len(told) == len(problems)


@pytest.mark.parametrize(
    ("words", "options", "what"),
    [
        ([], {}, "there is nothing to vary"),
        (["training.epochs=3"], {}, "there is nothing to vary"),
        ([], {"search": "random", "seeds": 3}, "there is nothing to vary"),
        (["optimizer.learning_rate=log(1e-4,1e-1)"], {"search": "grid"}, "a grid needs values to count"),
        (["optimizer.learning_rate=1,2"], {"search": "bayes"}, "there is no search 'bayes'"),
        (["optimizer.learning_rate=1,2,3"], {"search": "grid", "trials": 2}, "a grid has all its 3 points, not 2"),
        (["training.epochs=int(1,5000)", "training.batch_size=int(1,50)"], {}, "a grid of 250,000 points is too large"),
        (["training.epochs=3,4"], {"search": "hyperband", "seeds": 2}, "it knows no seeds"),
    ],
)
def test_contradictory_wishes_are_refused(planned, words, options, what):
    with pytest.raises(UsageError, match=what):
        planned(*words, **options)


def test_a_setting_that_varies_twice_is_refused(planned):
    with pytest.raises(SpecError, match=r"optimizer\.learning_rate varies twice"):
        planned("optimizer.learning_rate=1,2", "optimizer.learning_rate=log(1,2)")


SECTION = """\
sweep:
  trials: 5
  search: random
  space:
    optimizer.learning_rate: log(1e-4, 1e-1)
    regularization.dropout: [0, 0.25, 0.5]
    model.hidden: '[8],[16]'
"""


def test_a_section_of_the_file_says_the_same_and_the_command_line_comes_first(planned):
    made = planned(text=SPEC + SECTION)
    assert (made.search, made.trials, made.seeds) == ("random", 5, 1)
    assert [knob.listed for knob in made.knobs] == [(), (0, 0.25, 0.5), ([8], [16])]
    other = planned("optimizer.learning_rate=0.01", "model.hidden=[4],[5]", text=SPEC + SECTION, trials=7, seeds=2)
    assert (other.trials, other.seeds) == (7, 2)
    assert {knob.key: knob.values for knob in other.knobs} == {
        "regularization.dropout": (0, 0.25, 0.5), "model.hidden": ([4], [5])}  # fmt: skip
    assert other.base.optimizer.learning_rate == 0.01


@pytest.mark.parametrize(
    ("section", "line", "column", "what"),
    [
        ("sweep: 3\n", 4, 8, "sweep holds keys and values"),
        ("sweep:\n  serch: grid\n", 5, 3, "there is no 'serch' here; did you mean 'search'?"),
        ("sweep:\n  optimizer.learning_rate: [1, 2]\n", 5, 3, "did you mean it under space?"),
        ("sweep:\n  search: bayes\n", 5, 11, "sweep.search cannot be 'bayes'"),
        ("sweep:\n  trials: 0\n", 5, 11, "sweep.trials is a whole number, this is 0"),
        ("sweep:\n  seeds: true\n", 5, 10, "sweep.seeds is a whole number, this is true"),
        ("sweep:\n  space: [1]\n", 5, 10, "sweep.space holds settings"),
        ("sweep:\n  space:\n    training.epochs: 5\n", 6, 22, "training.epochs has nothing to vary"),
        ("sweep:\n  space:\n    training.epochs: []\n", 6, 22, "training.epochs has nothing to vary"),
        ("sweep:\n  space:\n    training.epochs: log(0, 3)\n", 6, 22, "a logarithm has no place for 0"),
    ],
)
def test_mistakes_in_the_section_are_told_by_every_command(improve, write_spec, section, line, column, what):
    file = write_spec(SPEC + section)
    for command in ("check", "train", "sweep"):
        code, _, err = improve(command, file)
        assert code == 2
        assert f"{file}:{line}:{column}" in err
        assert what in err


def test_check_looks_at_the_points_and_show_shows_the_section(improve, write_spec):
    good, bad = write_spec(SPEC + SECTION), write_spec((SPEC + SECTION).replace("0.5]", "1.5]"), "bad.yaml")
    assert "what its sweep varies: optimizer.learning_rate, " in improve("check", good)[1]
    shown = yamlfile.parse(improve("show", good)[1], "shown").value
    assert shown["sweep"] == {"search": "random", "trials": 5, "seeds": 1, "space": {
        "optimizer.learning_rate": "log(1e-4, 1e-1)", "regularization.dropout": "0, 0.25, 0.5",
        "model.hidden": "[8],[16]"}}  # fmt: skip
    code, _, err = improve("check", bad)
    assert (code, "regularization.dropout should be less than 1, this is 1.5, at" in err) == (2, True)


def test_the_schema_for_editors_knows_the_section():
    validator = jsonschema.Draft7Validator(json_schema())
    whole = yamlfile.parse(SPEC + SECTION, "spec").value
    assert list(validator.iter_errors(whole)) == []
    assert list(validator.iter_errors({**whole, "sweep": {"serch": "grid"}}))


def test_a_missing_extra_is_told_before_anything_slow(improve, write_spec, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    words = ("optimizer.learning_rate=log(1e-4,1e-1)", "--search", "tpe", "--runs", tmp_path / "runs")
    code, _, err = improve("sweep", write_spec(SPEC), *words)
    assert code == 2
    assert "--search tpe needs Optuna" in err
    assert "pip install 'optuna>=5'" in err
    assert not (tmp_path / "runs").exists()


def test_random_points_depend_on_the_seed_and_their_number_only(planned):
    words = "optimizer.learning_rate=log(1e-4,1e-1)", "model.hidden=[8],[16]"
    few, many, other = planned(*words, trials=3), planned(*words, trials=9), planned(*words, "seed=1", trials=3)
    assert [random_values(few, number) for number in range(3)] == [random_values(many, number) for number in range(9)][
        :3
    ]
    assert random_values(few, 0) != random_values(other, 0)
    rates = [random_values(many, number)[0] for number in range(400)]
    assert 0.2 < sum(rate < 1e-3 for rate in rates) / 400 < 0.47  # a third of the way, in factors


class Told:
    """A watcher that remembers the runs it was told of."""

    def __init__(self):
        self.lines = []

    def reading(self, done, total): ...
    def begun(self, name): ...
    def trial_epoch(self, name, row): ...

    def member(self, done, total, name, made):
        self.lines.append((done, total, name, made if isinstance(made, ImproveError) else made.status))


class Fake:
    """Makes run folders without training, until its `budget` is spent: it is killed then. The error of a run follows
    from its learning rate."""

    at_once, judge = 1, None

    def __init__(self, make_run, folder, budget=1000, fails=lambda spec: None, leaves=""):
        self.make_run, self.folder, self.budget, self.fails, self.leaves = make_run, folder, budget, fails, leaves
        self.waiting, self.trained = [], []

    def submit(self, name, spec):
        self.waiting.append((name, spec))

    def finished(self):
        while self.waiting:
            name, spec = self.waiting.pop(0)
            if not self.budget:
                raise KeyboardInterrupt
            self.budget -= 1
            self.trained.append(name)
            cause = self.fails(spec)
            yield name, ImproveError(f"{cause} in {name}") if cause else self.made(name, spec)

    def made(self, name, spec):
        """As `train` leaves it, where it goes on as well."""
        place = self.folder / name
        if place.exists():
            summary = json.loads((place / "summary.json").read_text())
            run.write_summary(place, {**summary, "status": "finished"})
            return place
        error = min(0.9, abs(spec.optimizer.learning_rate - 0.004) * 50 + 0.05 + 0.01 * spec.seed)
        made = self.make_run(f"{self.folder.name}/{name}", validation=error, spec=spec.complete(),
                             fingerprint=f"seed{spec.seed}", test=PART)  # fmt: skip
        return made.folder

    def stop(self, number): ...
    def close(self): ...


PART = {"error": 0.06, "low": 0.04, "high": 0.08, "n": 500}


@pytest.fixture
def place(tmp_path):
    return tmp_path / "runs" / "s"


@pytest.fixture
def swept(make_run, place):
    """Sweep with a fake; gives the results, the watcher and the fake."""

    def do(made, **options):
        fake, watcher = Fake(make_run, place, **options), Told()
        return sweep(made, place, watcher, lambda *_: fake), watcher, fake

    return do


RATES = "optimizer.learning_rate=0.001,0.002,0.004,0.008"


def test_killed_after_every_run_and_started_again_it_trains_every_point_once(planned, make_run, place):
    made, trained = planned(RATES, "model.hidden=[8],[16]", seeds=2), []
    for _ in range(17):
        fake = Fake(make_run, place, budget=1)
        with contextlib.suppress(KeyboardInterrupt):
            results = sweep(made, place, Told(), lambda *_, fake=fake: fake)
        trained += fake.trained
    assert len(trained) == len(set(trained)) == 16
    assert [result.status for result in results] == ["finished"] * 8
    assert results[0].runs[1].spec["seed"] == 1
    assert sorted(trained) == sorted(path.name for path in place.iterdir() if path.is_dir())


def test_a_half_trained_run_goes_on_under_its_name(planned, swept, make_run, place):
    made = planned(RATES)
    spec = grid(made)[2].spec
    make_run("s/of_mine", spec=spec.complete(), status="running")
    _, _, fake = swept(made)
    assert sorted(fake.trained) == [
        "learning_rate0.001-seed0", "learning_rate0.002-seed0", "learning_rate0.008-seed0", "of_mine"]  # fmt: skip


def test_a_grid_grows_and_trains_what_is_new(planned, swept):
    swept(planned(RATES))
    _, watcher, fake = swept(planned("optimizer.learning_rate=0.016,0.004,0.008,0.001", seeds=2))
    new = "learning_rate0.016-seed0", "learning_rate0.016-seed1"
    assert set(fake.trained) == {*new, *(f"learning_rate0.00{digit}-seed1" for digit in (4, 8, 1))}
    assert watcher.lines[-1][:2] == (8, 8)


def test_points_with_equal_specs_are_one_run(planned, swept):
    made = planned("regularization.l2=0,1e-4", "model.activation=relu,tanh", "optimizer.beta_1=0.9,0.8")
    results, _, fake = swept(made)
    assert (len(results), len(fake.trained)) == (8, 8)
    _, _, again = swept(made)
    assert again.trained == []


@pytest.mark.parametrize(
    ("words", "options", "what"),
    [
        (["optimizer.learning_rate=log(1e-4,1e-2)"], {"trials": 3}, "sweep.space was not the same"),
        ([RATES], {"search": "grid"}, "sweep.search was not the same"),
        (["optimizer.learning_rate=log(1e-4,1e-1)", "training.epochs=7"], {"trials": 3}, "training.epochs was not"),
        (["optimizer.learning_rate=log(1e-4,1e-1)", "seed=3"], {"trials": 3}, "seed was not"),
    ],
)
def test_another_sweep_in_the_same_folder_is_refused(planned, swept, words, options, what):
    swept(planned("optimizer.learning_rate=log(1e-4,1e-1)", trials=3))
    with pytest.raises(UsageError, match=what):
        swept(planned(*words, **options))


def test_a_random_search_goes_on_with_more_trials(planned, swept):
    words = "optimizer.learning_rate=log(1e-4,1e-1)"
    swept(planned(words, trials=3))
    results, _, fake = swept(planned(words, trials=5))
    assert (len(results), len(fake.trained)) == (5, 2)
    assert [result.trial.name[:4] for result in results] == ["000-", "001-", "002-", "003-", "004-"]


def test_a_run_folder_is_not_swept_into_and_a_torn_sweep_yaml_is_told(planned, swept, make_run, place):
    made = planned(RATES)
    folder = make_run("s").folder
    with pytest.raises(UsageError, match="is a run"):
        swept(made)
    (folder / "summary.json").unlink()
    (folder / "sweep.yaml").write_text("seed: 0\nswe")
    with pytest.raises(ImproveError, match=r"sweep.yaml"):
        swept(made)


def test_sweep_yaml_is_a_spec_that_can_be_swept_again(planned, swept, place):
    swept(planned(RATES, "training.epochs=3"))
    again = plan(place / "sweep.yaml", [])
    assert [point.values for point in grid(again)] == [(0.001,), (0.002,), (0.004,), (0.008,)]
    assert again.base.training.epochs == 3


def test_a_trial_that_fails_is_told_and_skipped(planned, swept):
    results, watcher, _ = swept(planned(RATES), fails=lambda spec: spec.optimizer.learning_rate == 0.002 and "no room")
    assert [result.status for result in results] == ["finished", "failed", "finished", "finished"]
    assert results[1].cause == "no room in …"
    assert [str(line[3]) for line in watcher.lines][1] == "no room in learning_rate0.002-seed0"


def test_three_failures_in_a_row_with_one_cause_end_it_with_the_cause(planned, swept, place):
    with pytest.raises(ImproveError, match="3 trials in a row failed alike: no room in …"):
        swept(planned(RATES), fails=lambda spec: "no room")
    _, _, fake = swept(planned(RATES))
    assert len(fake.trained) == 4


def test_three_failures_with_different_causes_do_not(planned, swept):
    results, _, _ = swept(planned(RATES), fails=lambda spec: f"cause {spec.optimizer.learning_rate}")
    with pytest.raises(ImproveError, match=r"no trial of 4 has a result: cause 0\.0"):
        sweep_verdict(planned(RATES), None, results)


def test_a_signal_ends_it_and_the_same_command_goes_on(planned, place, make_run):
    class Interrupted(Fake):
        def finished(self):
            yield from islice(super().finished(), 2)
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(BrokenOff) as caught:
        sweep(planned(RATES), place, Told(), lambda *_: Interrupted(make_run, place))
    assert caught.value.signal == signal.SIGTERM
    assert caught.value.__notes__ == ["2 of 4 runs are done; the same command goes on"]
    fake = Fake(make_run, place)
    sweep(planned(RATES), place, Told(), lambda *_: fake)
    assert len(fake.trained) == 2


def test_the_winner_has_the_lowest_mean_over_its_seeds_and_the_test_part_is_opened_once(planned, swept, place):
    made = planned(RATES, seeds=3)
    verdict = sweep_verdict(made, place, swept(made)[0])
    assert verdict.best.values == (0.004,)
    assert verdict.validation.error == pytest.approx(0.06)
    assert verdict.validation.low == pytest.approx(0.06 - 4.303 * 0.01 / 3**0.5, abs=1e-4)  # Student's t, 2 degrees
    assert (verdict.validation.seeds, verdict.test.error) == (3, pytest.approx(0.06))
    assert verdict.edges == ()
    sweep_verdict(made, place, swept(made)[0])
    opened = [line for line in (place / ".evaluations.csv").read_text().splitlines() if ",test," in line]
    assert [line.split(",")[1] for line in opened] == [f"learning_rate0.004-seed{seed}" for seed in range(3)]


def test_best_yaml_is_the_winners_spec_with_its_receipt(planned, swept, place):
    from improve.spec.reading.load import load_spec

    made = planned(RATES)
    sweep_verdict(made, place, swept(made)[0])
    text = (place / BEST).read_text()
    assert text.startswith(
        "# the best of 4 points by grid: validation error 5.0 % [3.8, 6.5] (n=1,000)\n# test error 6.0 %"
    )
    assert load_spec(place / BEST).complete() == grid(made)[2].spec.complete()
    assert json.loads((place / "sweep.json").read_text())["best"]["point"] == {"optimizer.learning_rate": 0.004}


@pytest.mark.parametrize(
    ("words", "options", "key", "beyond"),
    [
        ("optimizer.learning_rate=0.001,0.002,0.004", {}, "optimizer.learning_rate", 0.008),
        ("optimizer.learning_rate=0.004,0.008,0.016", {}, "optimizer.learning_rate", 0.002),
        ("optimizer.learning_rate=log(4e-3,1)", {"trials": 100}, "optimizer.learning_rate", None),
    ],
)
def test_a_best_value_at_the_edge_is_told_with_what_lies_beyond(planned, swept, place, words, options, key, beyond):
    made = planned(words, **options)
    (edge,) = sweep_verdict(made, place, swept(made)[0]).edges
    assert edge.key == key
    assert edge.next == beyond or (beyond is None and edge.next < 0.004)
    assert edge.sentence.startswith(f"{key} 0.00")


def test_the_setting_that_matters_is_found_and_pure_chance_is_not(planned):
    made = planned("optimizer.learning_rate=log(1e-4,1e-1)", "regularization.dropout=uniform(0,0.5)", trials=40)
    values = [random_values(made, number) for number in range(40)]
    found = importance(made.knobs, [(row, abs(made.knobs[0].share(row[0]) - 0.5)) for row in values])
    assert next(iter(found.shares)) == "optimizer.learning_rate"
    assert found.shares["optimizer.learning_rate"] > 0.85
    assert sum(found.shares.values()) == pytest.approx(1)
    noise = [random_values(made, number + 100)[1] for number in range(40)]
    assert importance(made.knobs, list(zip(values, noise, strict=True))) is None
    assert importance(made.knobs, [(row, 0.1) for row in values]) is None


@pytest.mark.parametrize("search_by", ["tpe", "hyperband"])
def test_the_same_results_lead_to_the_same_proposals(planned, swept, search_by):
    pytest.importorskip("optuna")
    words = "optimizer.learning_rate=log(1e-4,1e-1)", "model.hidden=[8],[16]", "training.epochs=3"
    made = planned(*words, search=search_by, trials=15)
    names_of = [result.trial.name for result in swept(made)[0]]
    again, _, fake = swept(made)
    assert ([result.trial.name for result in again], fake.trained) == (names_of, [])
    more, _, fake = swept(planned(*words, search=search_by, trials=18))
    assert [result.trial.name for result in more][:15] == names_of
    assert len(fake.trained) <= 3


def test_a_judge_that_was_right_before_a_kill_is_not_asked_to_train_again(planned, place, make_run):
    pytest.importorskip("optuna")
    made = planned("optimizer.learning_rate=log(1e-4,1e-1)", "training.epochs=9", search="hyperband", trials=6)
    walker = Sweep(make_run("s/x").folder.parent, search(made), 1, Fake(make_run, place), Told())
    (trial,) = walker.search.ask(1)
    walker.search.judge = lambda trial, row: "others were better" if row["epoch"] == 2 else ""
    (member,) = walker.members_of(trial)
    half = make_run(f"s/{member.name}", spec=member.spec.complete(), history=[0.5, 0.5], status="running")
    assert walker.over(member, half)
    kept = run.load_run(half.folder)
    assert (kept.status, kept.summary.stopped_because) == ("stopped", "others were better")


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_the_picture_is_drawn_for_any_number_of_settings(planned, swept, place, count, monkeypatch):
    from improve.views.figures.sweep import draw_sweep

    monkeypatch.setattr("improve.experiments.sweep.importance.TREES", 20)
    monkeypatch.setattr("improve.experiments.sweep.importance.REPEATS", 2)

    words = [RATES, "optimizer.beta_1=0.9,0.8", "model.hidden=[8],[16]", "regularization.dropout=0,0.5",
             "regularization.l2=0,1e-4", "model.activation=relu,tanh", "training.batch_size=32,64"]  # fmt: skip
    many = {"search": "random", "trials": 25} if count == 7 else {}
    made = planned(*words[:count], seeds=2 if not count else 1, **many)
    verdict = sweep_verdict(made, place, swept(made)[0])
    draw_sweep(place / "sweep.png", verdict)
    assert (place / "sweep.png").read_bytes()[:4] == b"\x89PNG"
