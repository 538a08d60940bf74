"""A fitted score: boosted trees of three comparisons each, evaluated together."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import Self

import numpy as np
import numpy.typing as npt

NODES, LEAVES = (
    7,
    8,
)  # of a complete tree of depth 3: node k has the children 2k + 1 (not more) and 2k + 2 (more)
CLASSES = 3


class Trees:
    """Trees that turn features into one score or several; made by a script of training/."""

    def __init__(
        self,
        feature: npt.NDArray[np.int64],
        threshold: npt.NDArray[np.float64],
        leaf: npt.NDArray[np.float64],
        features: tuple[str, ...],
    ) -> None:
        trees = len(feature)
        if (
            feature.shape != (trees, NODES)
            or threshold.shape != (trees, NODES)
            or leaf.shape != (trees, LEAVES)
        ):
            raise ValueError("a table of trees needs feature and threshold (trees, 7) and leaf (trees, 8)")
        if trees == 0 or feature.min() < 0 or feature.max() >= len(features):
            raise ValueError("a table of trees names features that it does not list")
        self.features = features
        self._feature = feature
        self._threshold = threshold
        self._leaf = leaf.ravel()
        self._node = np.arange(trees) * NODES
        self._first = np.arange(trees) * LEAVES

    def values(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """What each tree says (trees,) of features (features,), in the order of `features`."""
        more = (values[self._feature] > self._threshold).ravel()
        first = more[self._node].astype(np.int64)
        second = more[self._node + 1 + first].astype(np.int64)
        third = more[self._node + 3 + 2 * first + second]
        said: npt.NDArray[np.float64] = self._leaf[self._first + 4 * first + 2 * second + third]
        return said


class QrsTable(Trees):
    """Trees that turn a candidate's features into the probability that it is a beat; made by training/qrs.py."""

    def __init__(
        self,
        feature: npt.NDArray[np.int64],
        threshold: npt.NDArray[np.float64],
        leaf: npt.NDArray[np.float64],
        base: float,
        features: tuple[str, ...],
    ) -> None:
        super().__init__(feature, threshold, leaf, features)
        self._base = base

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """A table from its arrays: feature, threshold, leaf, base, features (the names, in order). ValueError if they do not fit."""
        feature, threshold, leaf, base, features = _arrays_of(arrays)
        return cls(feature, threshold, leaf, float(base), features)

    def probability(self, values: npt.NDArray[np.float64]) -> float:
        """Probability for one candidate's features (features,), in the order of `features`."""
        score = self._base + float(np.add.reduce(self.values(values)))
        return 1 / (1 + exp(-score))


class ClassTable(Trees):
    """Trees that turn a beat's features into probabilities of N, S and V, tree k for class k % 3; made by training/classes.py."""

    def __init__(
        self,
        feature: npt.NDArray[np.int64],
        threshold: npt.NDArray[np.float64],
        leaf: npt.NDArray[np.float64],
        base: npt.NDArray[np.float64],
        features: tuple[str, ...],
    ) -> None:
        super().__init__(feature, threshold, leaf, features)
        if base.shape != (CLASSES,) or len(feature) % CLASSES:
            raise ValueError("a table of classes needs a base (3,) and as many trees for each class")
        self._base = base

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """A table from its arrays: feature, threshold, leaf, base (3,), features (names, in order). ValueError if they do not fit."""
        return cls(*_arrays_of(arrays))

    def probabilities(self, values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
        """Probabilities of N, S, V for one beat's features (features,); they sum to 1."""
        score = (self._base + np.add.reduce(self.values(values).reshape(-1, CLASSES), axis=0)).tolist()
        most = max(score)
        n, s, v = (exp(one - most) for one in score)
        return n / (n + s + v), s / (n + s + v), v / (n + s + v)


def _arrays_of(
    arrays: Mapping[str, npt.NDArray[np.generic]],
) -> tuple[
    npt.NDArray[np.int64],
    npt.NDArray[np.float64],
    npt.NDArray[np.float64],
    npt.NDArray[np.float64],
    tuple[str, ...],
]:
    try:
        return (
            np.asarray(arrays["feature"]).astype(np.int64),
            np.asarray(arrays["threshold"]).astype(np.float64),
            np.asarray(arrays["leaf"]).astype(np.float64),
            np.asarray(arrays["base"]).astype(np.float64),
            tuple(str(name) for name in np.asarray(arrays["features"])),
        )
    except KeyError as missing:
        raise ValueError(f"a table of trees has no {missing}") from None
