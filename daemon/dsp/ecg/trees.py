"""A fitted score: boosted trees of three comparisons each, evaluated together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import numpy.typing as npt

NODES, LEAVES = (
    7,
    8,
)  # of a complete tree of depth 3: node k has the children 2k + 1 (not more) and 2k + 2 (more)


class QrsTable:
    """Trees that turn a candidate's features into the probability that it is a beat; made by training/qrs.py."""

    def __init__(
        self,
        feature: npt.NDArray[np.int64],
        threshold: npt.NDArray[np.float64],
        leaf: npt.NDArray[np.float64],
        base: float,
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
        self._base = base
        self._node = np.arange(trees) * NODES
        self._first = np.arange(trees) * LEAVES

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """A table from its arrays: feature, threshold, leaf, base, features (the names, in order). ValueError if they do not fit."""
        try:
            return cls(
                np.asarray(arrays["feature"]).astype(np.int64),
                np.asarray(arrays["threshold"]).astype(np.float64),
                np.asarray(arrays["leaf"]).astype(np.float64),
                float(np.asarray(arrays["base"]).astype(np.float64)),
                tuple(str(name) for name in np.asarray(arrays["features"])),
            )
        except KeyError as missing:
            raise ValueError(f"a table of trees has no {missing}") from None

    def probability(self, values: npt.NDArray[np.float64]) -> float:
        """Probability for one candidate's features (features,), in the order of `features`."""
        more = (values[self._feature] > self._threshold).ravel()
        first = more[self._node].astype(np.int64)
        second = more[self._node + 1 + first].astype(np.int64)
        third = more[self._node + 3 + 2 * first + second]
        score = self._base + float(np.add.reduce(self._leaf[self._first + 4 * first + 2 * second + third]))
        return float(1 / (1 + np.exp(-score)))
