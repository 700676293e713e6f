"""The baselines that learn: LightGBM, Elastic Net and SVR, each as data, see ``baselines.naive``.

What a solver found is rounded to float32: the last bits of BLAS differ between CPUs, and no tracked byte may carry
them (law 1).
"""

from __future__ import annotations

import json
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet as ElasticNetSolver
from sklearn.svm import SVR as SvrSolver  # noqa: N811  an acronym, not a constant
from torch import Tensor

from pricetrail.base.limits import load_json
from pricetrail.data.encoder import Encoder, Matrix
from pricetrail.model.baselines.lightgbm_text import require_trees

Floats = NDArray[np.float64]
Values = Mapping[str, float]

PREDICT_BATCH: Final = 1024  # rows; the kernel of an SVR is so many rows x its support vectors
MAX_ROUNDS: Final = 2000  # trees
PATIENCE_ROUNDS: Final = 50
MAX_TEXT_BYTES: Final = 10**8  # of a model of LightGBM; a longer one ends in the middle of a tree
MAX_SWEEPS: Final = 100_000  # over the coefficients
_LIGHTGBM: Final = {
    "objective": "regression",
    "metric": "l2",
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
# With this line LightGBM reads the trees in parallel, and a damaged one aborts the process instead of being an error.
_TREE_SIZES: Final = re.compile(r"^tree_sizes=.*\n", re.MULTILINE)
_ZSTD: Final = pa.Codec("zstd", compression_level=19)  # Arrow's own: a system's zlib is not in the lock of the packages
_CONSTANT: Final = 1e-6  # a smaller standard deviation, as a share of the mean, is the rounding of float32


@dataclass(frozen=True)
class Encoded:
    """Encoded rows in order of time, shape (n, C), and their log1p(units), shape (n,)."""

    x: Matrix
    y: NDArray[np.float32]

    def __getitem__(self, rows: slice) -> Encoded:
        return Encoded(self.x[rows], self.y[rows])


class MatrixBaseline(ABC):
    """A model that reads the encoder's matrix."""

    name: ClassVar[str]
    file: ClassVar[str]

    def predict(self, rows: pd.DataFrame, encoder: Encoder) -> Floats:
        """See ``naive.Baseline``."""
        return self.predict_matrix(encoder.transform(rows))

    @abstractmethod
    def predict_matrix(self, x: Matrix) -> Floats:
        """log1p(units) of encoded rows: (n, C) -> (n,)."""

    @abstractmethod
    def to_files(self) -> dict[str, bytes]:
        """See ``naive.Baseline``."""


@dataclass(frozen=True)
class LightGbm(MatrixBaseline):
    """Gradient boosted trees (Ke et al. 2017), as LightGBM's text model; ``zstdcat`` shows the file."""

    text: str
    name: ClassVar[str] = "lightgbm"
    file: ClassVar[str] = "lightgbm.txt.zst"

    @cached_property
    def _booster(self) -> lightgbm.Booster:
        return lightgbm.Booster(model_str=require_trees(self.text))

    @property
    def rounds(self) -> int:
        """Trees kept by early stopping."""
        return int(self._booster.num_trees())

    def predict_matrix(self, x: Matrix) -> Floats:
        """See ``MatrixBaseline``."""
        return np.asarray(self._booster.predict(x, num_threads=torch.get_num_threads()), dtype=np.float64)

    def to_files(self) -> dict[str, bytes]:
        """See ``naive.Baseline``."""
        return {self.file: _ZSTD.compress(self.text.encode(), asbytes=True)}

    @classmethod
    def from_bytes(cls, content: bytes) -> LightGbm:
        """Read what ``to_files`` wrote."""
        try:
            text = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read(MAX_TEXT_BYTES).decode()
        except OSError as error:
            raise ValueError(str(error)) from None
        model = cls(_TREE_SIZES.sub("", text))
        # The library reads as many trees as it finds whole, and says nothing of the others.
        if model.rounds != model.text.count("\nTree="):
            raise ValueError("trees are missing")
        return model


def fit_lightgbm(train: Encoded, validation: Encoded, values: Values, seed: int, threads: int) -> LightGbm:
    """Add trees until the validation error has not fallen for ``PATIENCE_ROUNDS``; keep those of the best round.

    Args:
        train: rows to learn from.
        validation: rows that stop it, later than all of ``train``.
        values: ``num_leaves, learning_rate, min_child_samples, …``, by the library's names.
        seed: of the sampling of rows and columns.
        threads: of the library, named in the text; the bytes repeat for an equal number only.

    Raises:
        LightGBMError: where the library cannot learn from the rows.
    """
    rows = lightgbm.Dataset(train.x, train.y)
    booster = lightgbm.train(
        {**_LIGHTGBM, **values, "seed": seed, "num_threads": threads},
        rows,
        num_boost_round=MAX_ROUNDS,
        valid_sets=[lightgbm.Dataset(validation.x, validation.y, reference=rows)],
        callbacks=[lightgbm.early_stopping(PATIENCE_ROUNDS, verbose=False)],
    )
    return LightGbm(_TREE_SIZES.sub("", booster.model_to_string(num_iteration=booster.best_iteration)))


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of each column, float32 of shape (C,); 1 for a column that is constant."""

    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, x: Matrix) -> Scaling:
        """Learn from rows (n, C), a column at a time, which takes little memory."""
        mean = np.array([column.mean(dtype=np.float64) for column in x.T])
        std = np.array([column.std(dtype=np.float64) for column in x.T])
        scale = np.where(std > _CONSTANT * (1 + np.abs(mean)), std, 1.0)
        return cls(_float32(mean), _float32(scale))

    def __call__(self, x: Tensor) -> Tensor:
        """Standardise: (n, C) float32 -> (n, C) float64."""
        return x.double().sub_(self.mean).div_(self.scale)


def _float32(values: Floats) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def _in_batches(x: Matrix, predict: Callable[[Tensor], Tensor]) -> Floats:
    """Predictions in batches of one size, so that the bytes do not depend on the caller: (n, C) -> (n,)."""
    with torch.inference_mode():
        return torch.cat([predict(part) for part in torch.split(torch.from_numpy(x), PREDICT_BATCH)]).numpy()


@dataclass(frozen=True)
class ElasticNet(MatrixBaseline):
    """Linear model of the standardised columns (Zou & Hastie 2005); coefficients are float32 of shape (C,)."""

    scaling: Scaling
    coefficients: Tensor
    intercept: float
    name: ClassVar[str] = "elastic_net"
    file: ClassVar[str] = "elastic_net.json"

    def predict_matrix(self, x: Matrix) -> Floats:
        """See ``MatrixBaseline``."""
        return _in_batches(x, lambda part: self.scaling(part) @ self.coefficients.double() + self.intercept)

    def to_files(self) -> dict[str, bytes]:
        """See ``naive.Baseline``."""
        tree = {
            "intercept": self.intercept,
            "mean": self.scaling.mean.tolist(),
            "scale": self.scaling.scale.tolist(),
            "coefficients": self.coefficients.tolist(),
        }
        return {self.file: (json.dumps(tree, indent=1, allow_nan=False) + "\n").encode()}

    @classmethod
    def from_bytes(cls, content: bytes) -> ElasticNet:
        """Read what ``to_files`` wrote."""
        tree = load_json(content)
        mean, scale, coefficients = (torch.tensor(tree[name]) for name in ("mean", "scale", "coefficients"))
        if not mean.shape == scale.shape == coefficients.shape:
            raise ValueError("lengths differ")
        return cls(Scaling(mean, scale), coefficients, float(tree["intercept"]))


def fit_elastic_net(train: Encoded, values: Values) -> ElasticNet:
    """Coordinate descent (scikit-learn) on the standardised columns.

    Args:
        train: rows to learn from.
        values: ``alpha`` and ``l1_ratio``.

    Raises:
        ConvergenceWarning: where it did not end.
    """
    scaling = Scaling.of(train.x)
    x = np.empty(train.x.shape, order="F")  # as the solver wants it: the one copy of the rows
    for i, (mean, scale) in enumerate(zip(scaling.mean.tolist(), scaling.scale.tolist(), strict=True)):
        x[:, i] = (train.x[:, i].astype(np.float64) - mean) / scale
    solver = ElasticNetSolver(**values, precompute=True, copy_X=False, max_iter=MAX_SWEEPS, tol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        solver.fit(x, train.y.astype(np.float64))
    return ElasticNet(scaling, _float32(solver.coef_), float(np.float32(solver.intercept_)))


@dataclass(frozen=True)
class Svr(MatrixBaseline):
    """Support vector regression with an RBF kernel (Drucker et al. 1997; Schölkopf et al. 2000).

    Attributes:
        tensors: float32: ``mean (C,), scale (C,), support (s, C)`` (standardised rows), ``dual (s,), intercept (),
            gamma ()``.
    """

    tensors: Mapping[str, Tensor]
    name: ClassVar[str] = "svr"
    file: ClassVar[str] = "svr.safetensors"

    def predict_matrix(self, x: Matrix) -> Floats:
        """See ``MatrixBaseline``."""
        stored = self.tensors
        scaling, support, dual = Scaling(stored["mean"], stored["scale"]), stored["support"], stored["dual"].double()
        gamma, intercept = stored["gamma"].item(), stored["intercept"].item()
        return _in_batches(x, lambda part: _rbf(scaling(part).float(), support, gamma) @ dual + intercept)

    def to_files(self) -> dict[str, bytes]:
        """See ``naive.Baseline``."""
        return {self.file: save_tensors(dict(self.tensors))}

    @classmethod
    def from_bytes(cls, content: bytes) -> Svr:
        """Read what ``to_files`` wrote."""
        tensors = load_tensors(content)
        if tensors["support"].shape != (*tensors["dual"].shape, *tensors["mean"].shape):
            raise ValueError("shapes differ")
        return cls(tensors)


def _rbf(x: Tensor, support: Tensor, gamma: float) -> Tensor:
    """exp(-gamma |x - s|^2), float64: (n, C), (s, C) -> (n, s)."""
    x, support = x.double(), support.double()
    squares = x.square().sum(dim=1, keepdim=True) + support.square().sum(dim=1)
    return squares.addmm_(x, support.T, alpha=-2).clamp_(min=0).mul_(-gamma).exp_()


def fit_svr(train: Encoded, values: Values, rows: int) -> Svr:
    """Sequential minimal optimisation (scikit-learn's libsvm) on the latest rows: its cost grows with their square.

    The kernel is ours, so that the solver sees the numbers that predictions are made of; it halves the time, too.

    Args:
        train: rows to learn from; all of them give the scaling, since a few days know one month only.
        values: ``C, epsilon, gamma``.
        rows: how many of the latest rows are learned from.
    """
    scaling, latest = Scaling.of(train.x), train[-rows:]
    x = scaling(torch.from_numpy(latest.x)).float()
    gamma = float(np.float32(values["gamma"]))
    solver = SvrSolver(kernel="precomputed", C=values["C"], epsilon=values["epsilon"])
    solver.fit(_rbf(x, x, gamma).numpy(), latest.y.astype(np.float64))
    tensors = {
        "mean": scaling.mean,
        "scale": scaling.scale,
        "support": x[torch.from_numpy(solver.support_.astype(np.int64))],
        "dual": _float32(solver.dual_coef_[0]),
        "intercept": _float32(solver.intercept_[0]),
        "gamma": torch.tensor(gamma),
    }
    return Svr(tensors)
