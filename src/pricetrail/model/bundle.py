"""Everything needed to predict, as data: safetensors, JSON and Parquet, with a manifest of hashes.

Loading checks the hashes before anything is read, and executes nothing from the bundle (law 5). ``Bundle.predict`` is
the one prediction path of inference, SHAP, fairness and the API (law 6).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from pricetrail.encoding import Encoder
from pricetrail.errors import BundleError
from pricetrail.features import FEATURE_UNITS, TARGET
from pricetrail.model.network import Network, NetworkSpec
from pricetrail.model.training import Trained, predict_standardised

MANIFEST: Final = "manifest.json"
_WEIGHTS, _ENCODER, _MODEL, _STATE = "weights.safetensors", "encoder.json", "model.json", "product_state.parquet"


@dataclass(frozen=True)
class Bundle:
    """A trained network with all it needs.

    Attributes:
        encoder: features to matrix.
        spec: shape of the network.
        weights: its parameters by name.
        target_mean, target_std: prediction = output * std + mean, in log1p(units).
        product_state: what was known of each SKU after the last day of data, see ``features.FeatureTable``.
    """

    encoder: Encoder
    spec: NetworkSpec
    weights: Mapping[str, Tensor]
    target_mean: float
    target_std: float
    product_state: pd.DataFrame

    @classmethod
    def of(cls, trained: Trained, encoder: Encoder, spec: NetworkSpec, product_state: pd.DataFrame) -> Bundle:
        """Put a training run's result together with what it was trained on."""
        return cls(encoder, spec, trained.weights, trained.target_mean, trained.target_std, product_state)

    def network(self) -> Network:
        """The network with its weights, in evaluation mode."""
        network = Network(self.spec, self.encoder.column_edges)
        network.load_state_dict(dict(self.weights))
        return network.eval()

    def predict(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Predict log quantities.

        Args:
            features: shape (n, …), holding the encoder's features; gaps allowed.

        Returns:
            log1p(units) of each line, shape (n,).

        Raises:
            BundleError: a feature is missing.
        """
        x = torch.from_numpy(self.encoder.transform(features))
        output = predict_standardised(self.network(), x)
        return output.numpy().astype(np.float64) * self.target_std + self.target_mean

    def files(self) -> dict[str, bytes]:
        """The bundle as file names and bytes, the manifest last."""
        model = {
            "format": 1,
            "target": {"name": TARGET, "unit": "log1p(units)", "mean": self.target_mean, "std": self.target_std},
            "features": {name: FEATURE_UNITS.get(name, "category") for name in self.encoder.feature_names},
            "network": asdict(self.spec),
        }
        state = io.BytesIO()
        self.product_state.to_parquet(state, index=False)
        files = {
            _WEIGHTS: save_tensors(dict(self.weights)),
            _ENCODER: self.encoder.to_json().encode(),
            _MODEL: (json.dumps(model, indent=1) + "\n").encode(),
            _STATE: state.getvalue(),
        }
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        return {**files, MANIFEST: (json.dumps({"sha256": hashes}, indent=1) + "\n").encode()}

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Read a bundle after its hashes were checked.

        Raises:
            BundleError: a file is missing, added or altered, or does not fit the others.
        """
        files = _verified(folder)
        try:
            model = json.loads(files[_MODEL])
            bundle = cls(
                encoder=Encoder.from_json(files[_ENCODER].decode()),
                spec=NetworkSpec(**model["network"]),
                weights=load_tensors(files[_WEIGHTS]),
                target_mean=float(model["target"]["mean"]),
                target_std=float(model["target"]["std"]),
                product_state=pd.read_parquet(io.BytesIO(files[_STATE])),
            )
            bundle.network()
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise BundleError(str(folder), f"must hold parts that fit together: {error}") from None
        return bundle


def _verified(folder: Path) -> dict[str, bytes]:
    """The files that the manifest names, each with the hash it names."""
    try:
        hashes = json.loads((folder / MANIFEST).read_bytes())["sha256"]
        files = {name: (folder / name).read_bytes() for name in (_WEIGHTS, _ENCODER, _MODEL, _STATE)}
    except OSError as error:
        raise BundleError(str(error.filename), "must be in the bundle, and is not there") from None
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(str(folder / MANIFEST), f"must name a sha256 for each file: {error}") from None
    for name, content in files.items():
        found = hashlib.sha256(content).hexdigest()
        if hashes.get(name) != found:
            raise BundleError(str(folder / name), f"must have sha256 {hashes.get(name)}", found)
    return files
