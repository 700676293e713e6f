"""A bundle on disk, as data: safetensors, JSON, Parquet and LightGBM's text, with a manifest of hashes.

Hashes are checked before anything is read, and nothing from a file is executed (law 5).
"""

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from pricetrail.base.errors import BundleError
from pricetrail.base.limits import load_json
from pricetrail.base.parquet import partition_bytes, table_from_bytes, table_to_bytes
from pricetrail.base.typed_json import record
from pricetrail.data.contract import iso_week
from pricetrail.data.encoder import Encoder
from pricetrail.data.features import DAY, FEATURE_UNITS, TARGET
from pricetrail.data.past_lines import HISTORY_UNITS, History
from pricetrail.model.baselines.naive import BACKUP_FILES, Baseline, load_baseline
from pricetrail.model.conformal import Conformal
from pricetrail.model.inputs import LookBack, TargetScale
from pricetrail.model.network import NetworkSpec
from pricetrail.model.trust import TrustedManifest

log = logging.getLogger(__name__)

MANIFEST: Final = "manifest.json"
WEIGHTS: Final = "weights.safetensors"
_ENCODER, _MODEL, _STATE = "encoder.json", "model.json", "product_state.parquet"
_NEEDED: Final = (_ENCODER, _MODEL, _STATE)
_HISTORY: Final = "history-"  # one file an ISO week, so that a new week leaves the others' bytes alone
_HISTORY_FILE: Final = re.compile(rf"{_HISTORY}\d{{4}}-W\d\d\.parquet")


@dataclass(frozen=True)
class Primary:
    """The trained network.

    Attributes:
        spec: its shape.
        weights: its parameters by name.
        scale: prediction = output * std + mean, in log1p(units).
        look_back: how many past lines it sees.
    """

    spec: NetworkSpec
    weights: Mapping[str, Tensor]
    scale: TargetScale
    look_back: LookBack


@dataclass(frozen=True)
class Backup:
    """A model that answers where the network cannot, and its error on the validation days."""

    model: Baseline
    validation_mse_log_quantity: float


@dataclass(frozen=True)
class Parts:
    """What a bundle is made of.

    Attributes:
        encoder: features to matrix.
        history: all lines up to the last day of data; a row sees those of earlier days than its own.
        product_state: what was known of each SKU after the last day of data, see ``features.FeatureTable``.
        primary: the network; None where it could not be loaded.
        backups: by validation error, lowest first.
        intervals: calibrated on the validation days; None where these were too few.
        manifest_sha256: the bundle's name in every lineage id; None for one that was not loaded from a folder.
    """

    encoder: Encoder
    history: History
    product_state: pd.DataFrame
    primary: Primary | None
    backups: tuple[Backup, ...] = ()
    intervals: Conformal | None = None
    manifest_sha256: str | None = None

    def require_primary(self) -> Primary:
        """The network's parts.

        Raises:
            BundleError: it could not be loaded.
        """
        if self.primary is None:
            raise BundleError("bundle", "must hold a network that can be loaded")
        return self.primary


def pack(parts: Parts) -> dict[str, bytes]:
    """File names and bytes, the manifest last; the same parts give the same bytes."""
    primary = parts.require_primary()
    units = {name: FEATURE_UNITS.get(name, "category") for name in parts.encoder.feature_names} | HISTORY_UNITS
    model = {
        "format": 3,
        "target": {"name": TARGET, "unit": "log1p(units)", **asdict(primary.scale)},
        "features": units,
        "network": asdict(primary.spec),
        "look_back": asdict(primary.look_back),
        "backups": [
            {"name": backup.model.name, "validation_mse_log_quantity": backup.validation_mse_log_quantity}
            for backup in parts.backups
        ],
        "intervals": record(parts.intervals) if parts.intervals else None,
    }
    files = {
        WEIGHTS: save_tensors(dict(primary.weights)),
        _ENCODER: parts.encoder.to_json().encode(),
        _MODEL: (json.dumps(model, indent=1) + "\n").encode(),
        _STATE: table_to_bytes(parts.product_state),
    }
    weeks = partition_bytes(parts.history.table, iso_week(parts.history.table[DAY]))
    files |= {f"{_HISTORY}{week}": content for week, content in weeks.items()}
    for backup in parts.backups:
        files |= backup.model.to_files()
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return {**files, MANIFEST: (json.dumps({"sha256": hashes}, indent=1) + "\n").encode()}


def unpack(folder: Path, trusted: TrustedManifest) -> Parts:
    """Read a folder's files after their hashes were checked, that of the manifest first, against the trusted one.

    The weights and the backups may be missing or altered: what can be trusted is there, and the log says what is not.

    Raises:
        BundleError: another file is missing or altered or does not fit, or another bundle is trusted.
    """
    hashes = _manifest(folder, trusted)
    files = {name: _verified(folder, name, hashes) for name in _NEEDED}
    weeks = [_verified(folder, name, hashes) for name in _history_files(folder, hashes)]
    try:
        model = load_json(files[_MODEL])
        return Parts(
            encoder=Encoder.from_json(files[_ENCODER].decode()),
            history=History(pa.concat_tables([table_from_bytes(week) for week in weeks]).to_pandas()),
            product_state=table_from_bytes(files[_STATE]).to_pandas(),
            primary=_primary(folder, hashes, model),
            backups=_backups(folder, hashes, model["backups"]),
            intervals=Conformal.from_record(model["intervals"]) if model["intervals"] else None,
            manifest_sha256=trusted.manifest_sha256,
        )
    except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise BundleError(str(folder), f"must hold parts that fit together: {error}") from None


def _manifest(folder: Path, trusted: TrustedManifest) -> Mapping[str, str]:
    """The hash of each file."""
    try:
        content = (folder / MANIFEST).read_bytes()
        trusted.require(hashlib.sha256(content).hexdigest(), str(folder))
        return {str(name): str(value) for name, value in load_json(content)["sha256"].items()}
    except OSError as error:
        raise BundleError(str(error.filename), "must be in the bundle, and is not there") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(str(folder / MANIFEST), f"must name a sha256 for each file: {error}") from None


def _history_files(folder: Path, hashes: Mapping[str, str]) -> list[str]:
    """The files of the history in order of time: those that are listed, and those that are there.

    Raises:
        BundleError: there is none.
    """
    names = sorted(
        name for name in {*hashes, *(file.name for file in folder.iterdir())} if _HISTORY_FILE.fullmatch(name)
    )
    if not names:
        raise BundleError(str(folder / f"{_HISTORY}*.parquet"), "must be in the bundle, and is not there")
    return names


def _verified(folder: Path, name: str, hashes: Mapping[str, str]) -> bytes:
    """A file's bytes.

    Raises:
        BundleError: it is missing or altered.
    """
    try:
        content = (folder / name).read_bytes()
    except OSError:
        raise BundleError(str(folder / name), "must be in the bundle, and is not there") from None
    found = hashlib.sha256(content).hexdigest()
    if hashes.get(name) != found:
        raise BundleError(str(folder / name), f"must have sha256 {hashes.get(name)}", found)
    return content


def _primary(folder: Path, hashes: Mapping[str, str], model: dict[str, Any]) -> Primary | None:
    """The network, None where the file of its weights cannot be trusted."""
    tree = model["network"]
    spec = NetworkSpec(**{**tree, "widths": tuple(tree["widths"]), "dropouts": tuple(tree["dropouts"])})
    scale = TargetScale(float(model["target"]["mean"]), float(model["target"]["std"]))
    look_back = LookBack(**model["look_back"])
    try:
        return Primary(spec, load_tensors(_verified(folder, WEIGHTS, hashes)), scale, look_back)
    except BundleError as error:
        log.error("the network is not loaded, backups answer: %s", error)
        return None


def _backups(folder: Path, hashes: Mapping[str, str], listed: list[dict[str, Any]]) -> tuple[Backup, ...]:
    """The backups that can be trusted, in the order of the list."""
    backups = []
    for entry in listed:
        name = str(entry["name"])
        try:
            file = BACKUP_FILES.get(name, name)
            model = load_baseline(name, {file: _verified(folder, file, hashes)})
        except BundleError as error:
            log.error("backup %s is not loaded: %s", name, error)
            continue
        backups.append(Backup(model, float(entry["validation_mse_log_quantity"])))
    return tuple(backups)
