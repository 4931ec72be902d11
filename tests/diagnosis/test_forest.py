"""A forest is walked as it was grown; what is missing says nothing."""

import json

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from improve.diagnosis import forest as shipped_forest
from improve.diagnosis.forest import LEAF, Forest, added, read, shares, shipped
from tree_data import cause, forest

SLOW, DEAD, SOUND = "rate_too_low", "dead", "sound"
PATH = ("path", 1.0, ("silent", 0.5, cause(SLOW, 3), cause(DEAD, 1)), cause(SOUND, 4))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"path": 0.0, "silent": 0.0}, {SLOW: 1.0}),
        ({"path": 1.0, "silent": 0.9}, {DEAD: 1.0}),
        ({"path": 1.1, "silent": 0.9}, {SOUND: 1.0}),
    ],
)
def test_a_run_goes_left_where_a_sign_is_at_most_the_limit(values, named):
    assert shares(forest(PATH), values) == pytest.approx({SLOW: 0.0, DEAD: 0.0, SOUND: 0.0} | named)


def test_a_sign_that_is_missing_says_nothing_and_goes_both_ways_as_often_as_the_runs_it_grew_on():
    assert shares(forest(PATH), {}) == pytest.approx({SLOW: 3 / 8, DEAD: 1 / 8, SOUND: 4 / 8})
    assert shares(forest(PATH), {"silent": 0.0}) == pytest.approx({SLOW: 4 / 8, DEAD: 0.0, SOUND: 4 / 8})


def test_the_share_of_a_cause_is_that_of_the_trees_that_name_it():
    both = forest(PATH, ("silent", 0.5, cause(SOUND), cause(DEAD)))
    assert shares(both, {"path": 0.0, "silent": 0.0}) == pytest.approx({SLOW: 0.5, DEAD: 0.0, SOUND: 0.5})


@pytest.mark.parametrize("values", [{"path": 0.0, "silent": 0.0}, {"path": 2.0}, {"silent": 0.9}, {}])
@pytest.mark.parametrize("name", [SLOW, DEAD, SOUND])
def test_what_signs_add_is_what_the_share_of_a_cause_has_changed_by(values, name):
    grown = forest(PATH, ("silent", 0.5, cause(SOUND, 2), cause(DEAD, 6)))
    said = added(grown, values, name)
    assert shares(grown, {})[name] + sum(said.values()) == pytest.approx(shares(grown, values)[name])
    assert set(said) <= set(values)


def test_a_forest_of_scikit_learn_is_walked_as_scikit_learn_walks_it():
    random = np.random.default_rng(0)
    values, labels = random.normal(size=(60, 3)), random.choice([SLOW, DEAD, SOUND], 60)
    grown = RandomForestClassifier(5, random_state=0).fit(values, labels)
    found = laid_down(grown)
    for row, expected in zip(values, grown.predict_proba(values), strict=True):
        assert shares(found, dict(zip("abc", row, strict=True))) == pytest.approx(
            dict(zip(grown.classes_, expected, strict=True))
        )


def laid_down(grown):
    trees = [one.tree_ for one in grown.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
    leaf = [tree.children_left == LEAF for tree in trees]
    return Forest(
        list("abc"),
        grown.classes_.tolist(),
        roots.tolist(),
        np.concatenate([np.where(end, LEAF, tree.feature) for end, tree in zip(leaf, trees, strict=True)]).tolist(),
        np.concatenate(
            [np.where(end, tree.n_node_samples, tree.threshold) for end, tree in zip(leaf, trees, strict=True)]
        ).tolist(),
        np.concatenate(
            [
                np.where(end, tree.value[:, 0].argmax(axis=1), tree.children_right + root)
                for end, tree, root in zip(leaf, trees, roots, strict=True)
            ]
        ).tolist(),
    )


def test_the_forest_that_is_shipped_is_whole():
    found = shipped()
    ends = [*found.roots[1:], len(found.sign)]
    assert len(found.sign) == len(found.value) == len(found.after)
    for root, end in zip(found.roots, ends, strict=True):
        assert root < end
    for node, (sign, after) in enumerate(zip(found.sign, found.after, strict=True)):
        assert after in (range(len(found.causes)) if sign == LEAF else range(node + 2, len(found.sign)))
    assert sum(shares(found, {}).values()) == pytest.approx(1.0)


def test_what_is_shipped_says_what_it_was_grown_on():
    about = json.loads(shipped_forest.FILE.read_text(encoding="utf-8"))
    assert about["made"]
    assert about["digest"]
    assert len(about["worlds"]) >= 10
    assert read(about).signs == shipped().signs
