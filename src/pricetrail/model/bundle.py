"""Everything needed to predict: the network, its history, its intervals, and the models behind it.

``Bundle.predict`` is the one prediction path of inference, SHAP, fairness and the API (law 6). Where the network cannot
be loaded, or gives a value that is no number, the backup with the lowest validation error answers, and the log says so.
``model.bundle_files`` is its form on disk.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from pricetrail.base.errors import BundleError
from pricetrail.model.bundle_files import Parts, pack, unpack
from pricetrail.model.inputs import Inputs
from pricetrail.model.network import Network
from pricetrail.model.prediction_id import LineageId
from pricetrail.model.training import predict_standardised
from pricetrail.model.trust import TrustedManifest

log = logging.getLogger(__name__)

PRIMARY = "network"


@dataclass(frozen=True)
class Bundle(Parts):
    """All that a prediction needs, and the predictions."""

    @cached_property
    def _events(self) -> Tensor:
        scale = self.require_primary().scale
        return torch.from_numpy(self.history.events(scale.mean, scale.std))

    def lineage_id(self, number: int) -> LineageId:
        """The id of this bundle's prediction for a row or request, from 0.

        Raises:
            BundleError: the bundle was not loaded from a folder: nothing could be traced to it.
        """
        if self.manifest_sha256 is None:
            raise BundleError("bundle", "must be loaded from its folder to name its predictions")
        return LineageId.of(self.manifest_sha256, number)

    @property
    def answers(self) -> str:
        """The model that predictions come from: ``network``, or the name of the first backup."""
        return PRIMARY if self.primary is not None else self.backups[0].model.name

    def network(self) -> Network:
        """The network with its weights, in evaluation mode.

        Raises:
            BundleError: it could not be loaded.
        """
        primary = self.require_primary()
        network = Network(primary.spec, self.encoder.column_edges, self._events)
        network.load_state_dict(dict(primary.weights))
        return network.eval()

    def inputs(self, features: pd.DataFrame) -> Inputs:
        """What the network reads of rows."""
        primary = self.require_primary()
        return Inputs.of(features, self.encoder, self.history, primary.look_back, primary.scale)

    def predict(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Predict log quantities.

        Args:
            features: shape (n, …), holding the encoder's features, ``sku``, ``customer_id`` and ``day``; gaps allowed.

        Returns:
            log1p(units) of each line, shape (n,), finite.

        Raises:
            BundleError: a feature is missing, or no model gives a finite value.
        """
        if self.primary is None:
            prediction = np.full(len(features), np.nan)
        else:
            output = predict_standardised(self.network(), self.inputs(features)).numpy().astype(np.float64)
            prediction = output * self.primary.scale.std + self.primary.scale.mean
        for backup in self.backups:
            missing = ~np.isfinite(prediction)
            if not missing.any():
                break
            prediction[missing] = backup.model.predict(features[missing], self.encoder)
            log.warning(
                "backup %s answers for %d of %d rows: the network %s",
                backup.model.name,
                missing.sum(),
                len(features),
                "could not be loaded" if self.primary is None else "gave no finite value",
            )
        if not np.isfinite(prediction).all():
            raise BundleError("predictions", "must be finite, from the network or a backup")
        return prediction

    def files(self) -> dict[str, bytes]:
        """The bundle as file names and bytes, the manifest last."""
        return pack(self)

    @classmethod
    def load(cls, folder: Path, trusted: TrustedManifest | None) -> Bundle:
        """Read a trusted bundle, after its hashes were checked.

        Without its network, whose file is missing or altered, the bundle answers by its backups.

        Args:
            folder: of the bundle.
            trusted: the manifest that may be loaded, by the run that built it (stages) or a release's signature.

        Raises:
            BundleError: it is not trusted, another file is missing or altered or does not fit, or it has no model.
        """
        if trusted is None:
            rule = "must be trusted, by the run that built it or a release's signature"
            raise BundleError(str(folder), rule)
        bundle = cls(**vars(unpack(folder, trusted)))
        if bundle.primary is None and not bundle.backups:
            raise BundleError(str(folder), "must hold a model that can be loaded")
        if bundle.primary is not None:
            try:
                bundle.network()
            except RuntimeError as error:
                raise BundleError(str(folder), f"must hold parts that fit together: {error}") from None
        return bundle
