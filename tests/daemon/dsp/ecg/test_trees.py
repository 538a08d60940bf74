"""The table of trees: evaluated together it says what walking each tree says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.dsp.ecg.trees import CLASSES, LEAVES, NODES, ClassTable, QrsTable

NAMES = ("a", "b", "c")


def arrays(trees=5, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "feature": rng.integers(0, 3, (trees, NODES)).astype(np.uint8),
        "threshold": rng.normal(size=(trees, NODES)).astype(np.float32),
        "leaf": rng.normal(size=(trees, LEAVES)).astype(np.float32),
        "base": np.float64(0.25),
        "features": np.array(NAMES),
    }


def walked(table, values):
    score = float(table["base"])
    for feature, threshold, leaf in zip(table["feature"], table["threshold"], table["leaf"], strict=True):
        node = 0
        while node < NODES:
            node = 2 * node + 1 + (values[feature[node]] > threshold[node])
        score += leaf[node - NODES]
    return 1 / (1 + math.exp(-score))


@given(st.integers(0, 100), st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_all_trees_at_once_agree_with_walking_each(seed, values):
    made = arrays(seed=seed)

    assert QrsTable.from_arrays(made).probability(np.array(values)) == pytest.approx(walked(made, values))


@pytest.mark.parametrize("missing", ["feature", "threshold", "leaf", "base", "features"])
def test_a_table_without_a_part_is_refused_by_its_name(missing):
    made = arrays()
    del made[missing]

    with pytest.raises(ValueError, match=missing):
        QrsTable.from_arrays(made)


@pytest.mark.parametrize(
    "change",
    [{"leaf": np.zeros((5, 7))}, {"feature": np.full((5, NODES), 3)}, {"threshold": np.zeros((4, NODES))}],
)
def test_a_table_that_does_not_fit_together_is_refused(change):
    with pytest.raises(ValueError, match="a table of trees"):
        QrsTable.from_arrays({**arrays(), **change})


@given(st.integers(0, 100), st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_each_class_has_the_share_of_its_own_trees(seed, values):
    made = {**arrays(6, seed), "base": np.array([0.1, -0.2, 0.3])}
    odds = []
    for k in range(CLASSES):
        own = {**made, **{name: made[name][k::CLASSES] for name in ("feature", "threshold", "leaf")}}
        p = walked({**own, "base": made["base"][k]}, values)
        odds.append(p / (1 - p))

    said = ClassTable.from_arrays(made).probabilities(np.array(values))

    assert said == pytest.approx(np.array(odds) / sum(odds))


@pytest.mark.parametrize("change", [{"base": np.zeros(2)}, arrays(5) | {"base": np.zeros(3)}])
def test_a_table_of_classes_with_another_number_of_trees_or_bases_is_refused(change):
    with pytest.raises(ValueError, match="a table of classes"):
        ClassTable.from_arrays({**arrays(6), "base": np.zeros(3), **change})
