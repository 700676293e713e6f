"""The network, its training, the study, the bundle and its explanation."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from house import ROOT
from pricetrail.encoding import Encoder, fit_encoder
from pricetrail.errors import BundleError, TrainingError
from pricetrail.features import FEATURE_UNITS, NUMERIC_FEATURES, TARGET
from pricetrail.files import read_params, write_folder
from pricetrail.model.bundle import MANIFEST, Bundle
from pricetrail.model.explain import explain
from pricetrail.model.network import Network, NetworkSpec, PiecewiseLinearEncoding
from pricetrail.model.search import search
from pricetrail.model.training import Epoch, Trained, TrainingData, TrainingSpec, predict_standardised, train

SPEC = NetworkSpec(layers=2, width=24, dropout=0.1)
TRAINING = TrainingSpec(learning_rate=5e-3, weight_decay=1e-4, batch_size=64, max_epochs=6, patience_epochs=6)


def make_rows(size: int, seed: int) -> pd.DataFrame:
    """Features with gaps, and a target that depends on three of them."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(rng.normal(size=(size, len(NUMERIC_FEATURES))), columns=list(NUMERIC_FEATURES), dtype="float32")
    country = rng.choice(["United Kingdom", "France"], size)
    target = 2 - rows["log_unit_price"] + np.abs(rows["sku_mean"]) + 0.5 * (country == "France")
    rows.loc[rng.random(size) < 0.2, "customer_mean"] = np.nan
    return rows.assign(country=country, **{TARGET: target.astype("float32")})


def tensors(rows: pd.DataFrame, encoder: Encoder) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(encoder.transform(rows)), torch.from_numpy(rows[TARGET].to_numpy(copy=True))


TRAIN, VALIDATION, TEST = make_rows(2000, 1), make_rows(500, 2), make_rows(300, 3)
ENCODER = fit_encoder(TRAIN, bins=6, max_countries=1)
DATA = TrainingData(*tensors(TRAIN, ENCODER), *tensors(VALIDATION, ENCODER))
STATE = pd.DataFrame({"sku": ["10001"], "price_min_gbp": [1.0], "price_max_gbp": [2.0]})


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(SPEC, TRAINING, ENCODER.column_edges, DATA, seed=7)


@pytest.fixture(scope="module")
def bundle(trained: Trained) -> Bundle:
    return Bundle.of(trained, ENCODER, SPEC, STATE)


def test_piecewise_linear_encoding_by_hand() -> None:
    """Edges 0, 1, 3: below all, inside the first bin, inside the second, beyond all; a flag passes as it is."""
    encoding = PiecewiseLinearEncoding([[0.0, 1.0, 3.0], [0.0, 1.0]])
    x = torch.tensor([[-5.0, 0.0], [0.25, 1.0], [2.0, 0.0], [99.0, 1.0]])
    assert encoding(x).tolist() == [[0, 0, 0], [0.25, 0, 1], [1, 0.5, 0], [1, 1, 1]]


def test_encoding_leaves_its_input_alone() -> None:
    x = torch.tensor([[0.5]])
    PiecewiseLinearEncoding([[0.0, 1.0]])(x)
    assert x.item() == 0.5


def test_training_learns_what_is_there(trained: Trained, bundle: Bundle) -> None:
    truth = TEST[TARGET].to_numpy()
    mse = float(np.mean((bundle.predict(TEST) - truth) ** 2))
    assert mse < 0.25 * float(truth.var())
    assert trained.best.validation_mse == min(epoch.validation_mse for epoch in trained.curve)


def test_weights_are_those_of_the_best_epoch(trained: Trained, bundle: Bundle) -> None:
    """Computed anew from the weights by plain NumPy: encode, two ReLU layers, one output."""
    x = ENCODER.transform(VALIDATION).astype(np.float64)
    columns = [
        np.clip((x[:, i] - low) / (high - low), 0, 1)
        for i, edges in enumerate(ENCODER.column_edges)
        for low, high in itertools.pairwise(edges)
    ]
    layers = [trained.weights[f"head.{i}.{part}"].numpy() for i in (0, 3, 6) for part in ("weight", "bias")]
    hidden = np.stack(columns, axis=1)
    for weight, bias in (layers[0:2], layers[2:4]):
        hidden = np.maximum(hidden @ weight.T + bias, 0)
    prediction = (hidden @ layers[4].T + layers[5])[:, 0] * trained.target_std + trained.target_mean
    np.testing.assert_allclose(bundle.predict(VALIDATION), prediction, atol=1e-4)
    mse = float(np.mean((prediction - VALIDATION[TARGET].to_numpy()) ** 2))
    assert mse == pytest.approx(trained.best.validation_mse, rel=1e-4)


def test_early_stopping_counts_epochs_without_gain() -> None:
    """A learning rate so large that the first epochs are the best ones."""
    wild = TrainingSpec(learning_rate=0.5, weight_decay=0.0, batch_size=64, max_epochs=30, patience_epochs=2)
    result = train(SPEC, wild, ENCODER.column_edges, DATA, seed=1)
    assert len(result.curve) < 30
    assert result.curve[-1].number == result.best.number + 2
    restored = Network(SPEC, ENCODER.column_edges)
    restored.load_state_dict(result.weights)
    prediction = predict_standardised(restored, DATA.x_validation) * result.target_std + result.target_mean
    mse = float((prediction - DATA.y_validation).square().mean())
    assert mse == pytest.approx(result.best.validation_mse, rel=1e-5), "not the weights of the last epoch"


def test_training_repeats_by_seed_and_only_by_seed(trained: Trained) -> None:
    torch.rand(100)
    again = train(SPEC, TRAINING, ENCODER.column_edges, DATA, seed=7)
    other = train(SPEC, TRAINING, ENCODER.column_edges, DATA, seed=8)
    for name, weight in trained.weights.items():
        assert torch.equal(weight, again.weights[name])
    assert again.curve == trained.curve
    assert any(not torch.equal(weight, other.weights[name]) for name, weight in trained.weights.items())


def test_an_error_that_is_no_number_stops_the_run() -> None:
    broken = TrainingData(DATA.x_train * math.nan, DATA.y_train, DATA.x_validation, DATA.y_validation)
    with pytest.raises(TrainingError, match="epoch 0: errors must stay finite"):
        train(SPEC, TRAINING, ENCODER.column_edges, broken, seed=1)


class Silent:
    def epoch(self, task: str, epoch: Epoch, max_epochs: int) -> None:
        assert task
        assert epoch.number < max_epochs


def test_the_study_repeats_and_picks_the_lowest_validation_error() -> None:
    tuning = read_params(ROOT / "params.yaml").tuning.model_copy(update={"n_trials": 5, "max_epochs": 2})
    studies = [search(DATA, ENCODER, tuning, seed=3, watch=Silent()) for _ in range(2)]
    pd.testing.assert_frame_equal(studies[0].trials, studies[1].trials)
    assert studies[0].best == studies[1].best
    complete = studies[0].trials.query("state == 'complete'")
    best = complete.loc[complete["validation_mse"].idxmin()]
    assert studies[0].best.network.width == best["width"]
    assert studies[0].best.training.learning_rate == best["learning_rate"]


def test_failed_trials_keep_their_reason_and_a_study_without_a_good_one_is_an_error() -> None:
    tuning = read_params(ROOT / "params.yaml").tuning.model_copy(update={"n_trials": 2, "max_epochs": 1})
    broken = TrainingData(DATA.x_train * math.nan, DATA.y_train, DATA.x_validation, DATA.y_validation)
    with pytest.raises(
        TrainingError, match="must have one trial that ends well, got 'epoch 0: errors must stay finite"
    ):
        search(broken, ENCODER, tuning, seed=3, watch=Silent())


def test_a_bundle_survives_its_files_and_has_the_same_bytes(bundle: Bundle, tmp_path: Path) -> None:
    write_folder(tmp_path / "candidate", bundle.files())
    again = Bundle.load(tmp_path / "candidate")
    np.testing.assert_array_equal(again.predict(TEST), bundle.predict(TEST))
    assert again.files() == bundle.files()
    pd.testing.assert_frame_equal(again.product_state, STATE)
    units = json.loads(bundle.files()["model.json"])["features"]
    assert {name: unit for name, unit in units.items() if name != "country"} == FEATURE_UNITS


def test_predictions_do_not_depend_on_the_other_rows(bundle: Bundle) -> None:
    np.testing.assert_allclose(bundle.predict(TEST.tail(5)), bundle.predict(TEST)[-5:], atol=1e-5)


@pytest.mark.parametrize("name", ["weights.safetensors", "encoder.json", "model.json", "product_state.parquet"])
def test_an_altered_or_missing_file_is_refused_before_it_is_read(bundle: Bundle, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "candidate"
    write_folder(folder, bundle.files())
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name}: must have sha256 \w+, got"):
        Bundle.load(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match="must be in the bundle, and is not there"):
        Bundle.load(folder)


def test_a_manifest_that_leaves_a_file_out_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    files = bundle.files()
    manifest = json.loads(files[MANIFEST])
    del manifest["sha256"]["weights.safetensors"]
    write_folder(tmp_path / "candidate", {**files, MANIFEST: json.dumps(manifest).encode()})
    with pytest.raises(BundleError, match=r"weights.safetensors: must have sha256 None"):
        Bundle.load(tmp_path / "candidate")


def test_shap_values_add_up_to_the_prediction(bundle: Bundle) -> None:
    explanation = explain(bundle, TEST.head(40), TRAIN.head(50))
    total = explanation.base_log_quantity + explanation.values.sum(axis=1).to_numpy()
    np.testing.assert_allclose(total, bundle.predict(TEST.head(40)), atol=1e-4)
    assert explanation.largest_gap == pytest.approx(
        float(np.abs(total - bundle.predict(TEST.head(40))).max()), abs=1e-9
    )
    assert list(explanation.values.columns) == list(ENCODER.feature_names)
    assert set(explanation.mean_absolute().index[:2]) == {"log_unit_price", "sku_mean"}, "what the target is made of"


def test_shap_values_of_a_linear_model_are_known() -> None:
    """No hidden layer: the value of a feature is weight x (x - mean of the background), summed over its bins."""
    linear = train(NetworkSpec(0, 1, 0.0), TRAINING, ENCODER.column_edges, DATA, seed=1)
    bundle = Bundle.of(linear, ENCODER, NetworkSpec(0, 1, 0.0), STATE)
    rows, background = TEST.head(20), TRAIN.head(60)
    network = Network(bundle.spec, ENCODER.column_edges)
    with torch.no_grad():
        x, x_background = (
            network.encoding(torch.from_numpy(ENCODER.transform(part))).numpy() for part in (rows, background)
        )
    by_bin = (x - x_background.mean(axis=0)) * linear.weights["head.0.weight"].numpy()[0] * linear.target_std
    owner = np.repeat(ENCODER.column_features, [len(edges) - 1 for edges in ENCODER.column_edges])
    expected = {name: by_bin[:, owner == name].sum(axis=1) for name in ENCODER.feature_names}
    found = explain(bundle, rows, background).values
    for name in ENCODER.feature_names:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)


def test_names_and_shap_values_do_not_part_when_columns_are_shuffled(bundle: Bundle) -> None:
    names = list(TEST.columns)
    shuffled = explain(bundle, TEST.head(10)[names[::-1]], TRAIN.head(30)[names[::-1]]).values
    straight = explain(bundle, TEST.head(10), TRAIN.head(30)).values
    pd.testing.assert_frame_equal(shuffled[straight.columns], straight)
