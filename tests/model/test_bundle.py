"""The bundle: its files, what answers where the network cannot, and SHAP values that add up."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from pricetrail.base.errors import BundleError
from pricetrail.base.files import write_folder
from pricetrail.data.encoder import Encoder
from pricetrail.data.features import DAY, FEATURE_UNITS, TARGET
from pricetrail.data.past_lines import HISTORY_UNITS, History
from pricetrail.model import bundle_files
from pricetrail.model.baselines.learned import Encoded, fit_elastic_net
from pricetrail.model.baselines.naive import Baseline, fit_medians
from pricetrail.model.bundle import Bundle
from pricetrail.model.bundle_files import MANIFEST, WEIGHTS, Backup, Primary
from pricetrail.model.candidate import assemble, read_backups
from pricetrail.model.explain.shap_values import explain
from pricetrail.model.inference import prediction_table
from pricetrail.model.network import NetworkSpec
from pricetrail.model.study import Choice
from pricetrail.model.training import Trained, train
from pricetrail.model.trust import trust_this_run
from support.tiny_network import (
    DATA,
    ENCODER,
    LOOK_BACK,
    MATERIAL,
    OPTIONS,
    SPEC,
    TEST,
    TRAIN,
    TRAINING,
    VALIDATION,
    options_id,
)

STATE = pd.DataFrame({"sku": ["10001"], "price_min": [1.0], "price_max": [2.0]})
BACKUPS = ("elastic_net", "sku_median", "median")  # by validation error
WEEKS = sorted({f"{day:%G-W%V}" for day in MATERIAL.history.table[DAY]})  # the C library's ISO weeks
NEEDED = ("encoder.json", "model.json", "product_state.parquet", f"history-{WEEKS[1]}.parquet")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(SPEC, replace(TRAINING, max_epochs=4), ENCODER.column_edges, DATA, seed=7)


@pytest.fixture(scope="module")
def backups() -> tuple[Backup, ...]:
    """Read from an index whose order is not the one of the errors."""
    linear = fit_elastic_net(
        Encoded(ENCODER.transform(TRAIN), TRAIN[TARGET].to_numpy()), {"alpha": 0.1, "l1_ratio": 0.5}
    )
    medians: list[Baseline] = [median for median in fit_medians(TRAIN) if median.name in BACKUPS]
    files = {name: content for model in [*medians, linear] for name, content in model.to_files().items()}
    mse = dict(zip(BACKUPS, (1.0, 2.0, 3.0), strict=True))
    index = [{"name": name, "validation_mse_log_quantity": mse[name]} for name in ("median", *BACKUPS[:2])]
    return read_backups({**files, "index.json": json.dumps(index).encode()})


@pytest.fixture(scope="module")
def bundle(trained: Trained, backups: tuple[Backup, ...]) -> Bundle:
    return assemble(MATERIAL, Choice(SPEC, TRAINING), trained, STATE, backups)


@pytest.fixture
def folder(bundle: Bundle, tmp_path: Path) -> Path:
    write_folder(tmp_path / "candidate", bundle.files())
    return tmp_path / "candidate"


def damage(file: Path, is_deleted: bool) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.unlink() if is_deleted else file.write_bytes(content)


def with_weights(bundle: Bundle, weights: Mapping[str, torch.Tensor]) -> Bundle:
    return replace(bundle, primary=replace(bundle.require_primary(), weights=weights))


def test_a_bundle_survives_its_files_and_has_the_same_bytes(bundle: Bundle, folder: Path) -> None:
    again = Bundle.load(folder, trust_this_run(folder))
    np.testing.assert_array_equal(again.predict(TEST), bundle.predict(TEST))
    assert again.files() == bundle.files()
    pd.testing.assert_frame_equal(again.product_state, STATE)
    pd.testing.assert_frame_equal(again.history.table, bundle.history.table)
    assert again.intervals == bundle.intervals is not None
    assert again.answers == "network"
    units = json.loads(bundle.files()["model.json"])["features"]
    assert units == {**FEATURE_UNITS, "country": "category", **HISTORY_UNITS}


def test_predictions_do_not_depend_on_the_other_rows(bundle: Bundle) -> None:
    prediction = bundle.predict(TEST)
    assert prediction.shape == (len(TEST),)
    assert prediction.dtype == np.float64
    np.testing.assert_allclose(bundle.predict(TEST.tail(5)), prediction[-5:], atol=1e-5)


@pytest.mark.parametrize("is_deleted", [False, True], ids=["altered", "missing"])
@pytest.mark.parametrize("name", NEEDED)
def test_an_altered_or_missing_file_is_refused_unread(
    folder: Path, name: str, is_deleted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("read before the hashes were checked")

    damage(folder / name, is_deleted)
    monkeypatch.setattr(Encoder, "from_json", read)
    monkeypatch.setattr(bundle_files, "table_from_bytes", read)
    monkeypatch.setattr(bundle_files, "load_tensors", read)
    monkeypatch.setattr(bundle_files, "load_baseline", read)
    rule = "must be in the bundle, and is not there" if is_deleted else r"must have sha256 \w+, got"
    with pytest.raises(BundleError, match=f"{name}: {rule}"):
        Bundle.load(folder, trust_this_run(folder))


def test_a_missing_or_incomplete_manifest_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["sha256"][NEEDED[-1]]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=rf"{NEEDED[-1]}: must have sha256 None"):
        Bundle.load(folder, trust_this_run(folder))
    for content in ("{}", "[]", '{"sha256": 1}', "no json"):
        (folder / MANIFEST).write_text(content)
        with pytest.raises(BundleError, match="must name a sha256 for each file"):
            Bundle.load(folder, trust_this_run(folder))
    (folder / MANIFEST).unlink()
    with pytest.raises(BundleError, match=r"manifest.json: must be in the bundle, and is not there"):
        Bundle.load(folder, trust_this_run(folder))


def test_a_bundle_that_nothing_vouches_for_is_refused(
    bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is right in itself, weights and manifest of somebody else: no hash in it gives that away."""
    trusted = trust_this_run(folder)
    scaled = {name: value * 1.5 for name, value in bundle.require_primary().weights.items()}
    write_folder(folder, with_weights(bundle, scaled).files())
    assert Bundle.load(folder, trust_this_run(folder)).answers == "network"
    monkeypatch.setattr(bundle_files, "_verified", lambda *_: pytest.fail("read before the manifest was vouched for"))
    with pytest.raises(BundleError, match="must be the bundle trusted by the run that built it"):
        Bundle.load(folder, trusted)
    with pytest.raises(BundleError, match="must be trusted, by the run"):
        Bundle.load(folder, None)


def history_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name.startswith("history-")}


def test_a_new_week_leaves_the_other_weeks_files_alone(bundle: Bundle, tmp_path: Path) -> None:
    table = bundle.history.table
    is_last = (table[DAY].dt.strftime("%G-W%V") == WEEKS[-1]).to_numpy()
    before = replace(bundle, history=History(table[~is_last].reset_index(drop=True))).files()
    after = bundle.files()
    assert set(history_files(after)) == {f"history-{week}.parquet" for week in WEEKS}
    assert set(after) - set(before) == {f"history-{WEEKS[-1]}.parquet"}
    assert {name for name in before if before[name] != after[name]} == {MANIFEST}
    hashes = json.loads(after[MANIFEST])["sha256"]
    assert hashes == {name: hashlib.sha256(after[name]).hexdigest() for name in after if name != MANIFEST}
    for name, content in history_files(after).items():
        (tmp_path / name).write_bytes(content)
    parts = [pd.read_parquet(tmp_path / f"history-{week}.parquet") for week in WEEKS]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), table)


def test_a_bundle_without_any_history_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    files = bundle.files()
    hashes = {name: hashlib.sha256(files[name]).hexdigest() for name in files if name not in history_files(files)}
    kept = {name: files[name] for name in hashes}
    write_folder(tmp_path / "candidate", {**kept, MANIFEST: json.dumps({"sha256": hashes}).encode()})
    with pytest.raises(BundleError, match=r"history-\*\.parquet: must be in the bundle, and is not there"):
        Bundle.load(tmp_path / "candidate", trust_this_run(tmp_path / "candidate"))


def test_weights_of_another_network_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    primary = replace(bundle.require_primary(), spec=replace(SPEC, widths=(16, 8)))
    write_folder(tmp_path / "candidate", replace(bundle, primary=primary).files())
    with pytest.raises(BundleError, match="must hold parts that fit together"):
        Bundle.load(tmp_path / "candidate", trust_this_run(tmp_path / "candidate"))


@pytest.mark.parametrize("is_deleted", [False, True], ids=["altered", "missing"])
def test_without_weights_the_best_backup_answers_and_is_named(
    folder: Path, backups: tuple[Backup, ...], is_deleted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    damage(folder / WEIGHTS, is_deleted)
    bundle = Bundle.load(folder, trust_this_run(folder))
    assert WEIGHTS in caplog.text
    assert "the network is not loaded, backups answer" in caplog.text
    assert bundle.answers == "elastic_net"
    np.testing.assert_array_equal(bundle.predict(TEST), backups[0].model.predict(TEST, ENCODER))
    assert "backup elastic_net answers for 300 of 300 rows: the network could not be loaded" in caplog.text
    assert "sku_median" not in caplog.text
    for call in (bundle.network, bundle.files, lambda: explain(bundle, TEST, TRAIN)):
        with pytest.raises(BundleError, match="must hold a network that can be loaded"):
            call()


def test_only_rows_without_a_finite_value_get_the_backup(
    bundle: Bundle, backups: tuple[Backup, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """The network's NaN: a weight that only rows with a gap in the customer's mean meet."""
    flag = ENCODER.column_features.index("customer_mean") + 1
    columns = [i for i, edges in enumerate(ENCODER.column_edges) for _ in range(min(len(edges) - 1, SPEC.bins))]
    weights = {name: value.clone() for name, value in bundle.require_primary().weights.items()}
    weights["head.wide.weight"][0, columns.index(flag)] = torch.finfo(torch.float32).max
    weights["head.wide.bias"][:] = torch.finfo(torch.float32).max / 2
    broken = with_weights(bundle, weights)
    with np.errstate(all="ignore"):
        found = broken.predict(TEST)
    is_gap = TEST["customer_mean"].isna().to_numpy()
    assert 0 < is_gap.sum() < len(TEST)
    np.testing.assert_array_equal(found[is_gap], backups[0].model.predict(TEST[is_gap], ENCODER))
    assert (found[~is_gap] > 1e30).all(), "the network's own value stays"
    assert f"elastic_net answers for {is_gap.sum()} of 300 rows: the network gave no finite value" in caplog.text


@dataclass(frozen=True)
class Sometimes:
    """A backup that knows the first rows only."""

    name: str
    known: int

    def predict(self, rows: pd.DataFrame, encoder: Encoder) -> NDArray[np.float64]:
        return np.where(rows.index < self.known, float(self.known), math.inf)

    def to_files(self) -> dict[str, bytes]:
        return {}


def test_what_one_backup_cannot_answer_the_next_one_does(bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    weights = {name: value * math.nan for name, value in bundle.require_primary().weights.items()}
    chain = (Backup(Sometimes("first", 20), 1.0), Backup(Sometimes("second", 50), 2.0))
    broken = replace(with_weights(bundle, weights), backups=chain)
    assert broken.predict(TEST.head(50)).tolist() == [20.0] * 20 + [50.0] * 30
    assert "backup second answers for 30 of 50 rows" in caplog.text
    with pytest.raises(BundleError, match="must be finite, from the network or a backup"):
        broken.predict(TEST.head(51))
    with pytest.raises(BundleError, match="must be finite"):
        replace(broken, backups=()).predict(TEST)


def test_backups_are_in_order_of_their_validation_error(backups: tuple[Backup, ...], folder: Path) -> None:
    assert [backup.model.name for backup in backups] == list(BACKUPS)
    assert [backup.model.name for backup in Bundle.load(folder, trust_this_run(folder)).backups] == list(BACKUPS)
    assert [backup.validation_mse_log_quantity for backup in Bundle.load(folder, trust_this_run(folder)).backups] == [
        1.0,
        2.0,
        3.0,
    ]
    for index in (b"no json", b"[{}]", b'[{"name": "median"}]', b"3"):
        with pytest.raises(BundleError, match=r"index\.json"):
            read_backups({"index.json": index})


@pytest.mark.parametrize("is_deleted", [False, True], ids=["altered", "missing"])
def test_an_untrusted_backup_is_skipped_and_logged(
    folder: Path, backups: tuple[Backup, ...], is_deleted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    damage(folder / "elastic_net.json", is_deleted)
    damage(folder / WEIGHTS, is_deleted)
    bundle = Bundle.load(folder, trust_this_run(folder))
    assert "backup elastic_net is not loaded: " in caplog.text
    assert bundle.answers == "sku_median"
    np.testing.assert_array_equal(bundle.predict(TEST), backups[1].model.predict(TEST, ENCODER))


def test_with_everything_gone_there_is_no_bundle(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in (WEIGHTS, "elastic_net.json", "sku_median.parquet", "median.parquet"):
        damage(folder / name, is_deleted=name != WEIGHTS)
    with pytest.raises(BundleError, match="must hold a model that can be loaded"):
        Bundle.load(folder, trust_this_run(folder))
    assert caplog.text.count(" is not loaded") == 4


def test_a_whole_bundle_is_quiet(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Bundle.load(folder, trust_this_run(folder)).predict(TEST)
    assert not caplog.text


def test_too_few_validation_rows_give_a_bundle_without_intervals(trained: Trained, tmp_path: Path) -> None:
    few = replace(MATERIAL, validation=VALIDATION.head(2))
    bundle = assemble(few, Choice(SPEC, TRAINING), trained, STATE, ())
    assert bundle.intervals is None
    write_folder(tmp_path / "candidate", bundle.files())
    assert Bundle.load(tmp_path / "candidate", trust_this_run(tmp_path / "candidate")).intervals is None


@pytest.mark.parametrize("spec", OPTIONS, ids=options_id)
def test_shap_values_add_up_for_every_kind_of_network(spec: NetworkSpec) -> None:
    result = train(spec, replace(TRAINING, max_epochs=2), ENCODER.column_edges, DATA, seed=2)
    bundle = Bundle(ENCODER, MATERIAL.history, STATE, Primary(spec, result.weights, result.scale, LOOK_BACK))
    explanation = explain(bundle, TEST.head(40), TRAIN.head(50))
    total = explanation.base_log_quantity + explanation.values.sum(axis=1).to_numpy()
    np.testing.assert_allclose(total, bundle.predict(TEST.head(40)), atol=1e-4)
    gap = float(np.abs(total - bundle.predict(TEST.head(40))).max())
    assert explanation.largest_gap == pytest.approx(gap, abs=1e-9)
    assert list(explanation.values.columns) == [*ENCODER.feature_names, *HISTORY_UNITS]


def test_shap_finds_what_the_target_is_made_of(bundle: Bundle) -> None:
    importance = explain(bundle, TEST.head(60), TRAIN.tail(60)).mean_absolute()
    assert set(importance.index[:2]) == {"log_unit_price", "sku_history"}
    assert importance.is_monotonic_decreasing


def test_shap_values_of_a_linear_model_are_known() -> None:
    """No hidden layer: the value of a feature is weight x (x - mean of the background), summed over its columns."""
    spec = NetworkSpec((), (), bins=4)
    linear = train(spec, replace(TRAINING, max_epochs=3), ENCODER.column_edges, DATA, seed=1)
    bundle = Bundle(ENCODER, MATERIAL.history, STATE, Primary(spec, linear.weights, linear.scale, LOOK_BACK))
    rows, background = TEST.head(20), TRAIN.tail(60)
    with torch.inference_mode():
        x, x_background = (bundle.network().encode(bundle.inputs(part)).numpy() for part in (rows, background))
    by_column = (x - x_background.mean(axis=0)) * linear.weights["head.wide.weight"].numpy()[0] * linear.scale.std
    sizes = [min(len(edges) - 1, spec.bins) for edges in ENCODER.column_edges]
    owner = np.concatenate([np.repeat(ENCODER.column_features, sizes), ["sku_history"] * 12, ["customer_history"] * 16])
    found = explain(bundle, rows, background).values
    for name in (*ENCODER.feature_names, *HISTORY_UNITS):
        np.testing.assert_allclose(found[name], by_column[:, owner == name].sum(axis=1), atol=1e-5, err_msg=name)
    assert found["sku_history"].abs().min() > 0


def test_no_rows_give_no_predictions(bundle: Bundle) -> None:
    assert bundle.predict(TEST.head(0)).shape == (0,)


def test_a_history_of_nothing_leaves_predictions_finite(bundle: Bundle) -> None:
    """A shop's first day: no past lines at all; SHAP gives the histories nothing."""
    first = replace(bundle, history=History(bundle.history.table.head(0)))
    assert np.isfinite(first.predict(TEST)).all()
    values = explain(first, TEST.head(5), TRAIN.head(20)).values
    assert not set(HISTORY_UNITS) & set(values), "what tells nothing is left out"
    assert all(values[a].abs().sum() > 0 for a, _ in itertools.pairwise(("log_unit_price", "sku_mean", "country")))


def test_every_prediction_names_its_bundle_and_row(bundle: Bundle, folder: Path) -> None:
    rows = TEST.assign(invoice="536365", unit_price=1.0, quantity=1)
    table = prediction_table(Bundle.load(folder, trust_this_run(folder)), rows, baseline=1.0)
    manifest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert table["lineage_id"].tolist() == [f"{manifest[:12]}-{row:06d}" for row in range(len(TEST))]
    with pytest.raises(BundleError, match="must be loaded from its folder to name its predictions"):
        prediction_table(bundle, rows, baseline=1.0)
