"""The baselines: what they predict, that they are data, and that their search is fair and looks ahead only."""

from __future__ import annotations

import io
import logging
import re
from dataclasses import dataclass

import lightgbm
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from pricetrail.base.errors import BundleError, DataError, TrainingError
from pricetrail.data.encoder import fit_encoder
from pricetrail.data.features import DAY, NUMERIC_FEATURES, TARGET
from pricetrail.model.baselines import learned, search
from pricetrail.model.baselines.learned import PREDICT_BATCH, Encoded, LightGbm, fit_elastic_net, fit_lightgbm, fit_svr
from pricetrail.model.baselines.naive import BACKUP_FILES, Baseline, fit_medians, load_baseline
from pricetrail.model.baselines.search import FIRST_TRIALS, TunedBaseline, time_folds, tune_baselines
from support.source_tree import ROOT

LEARNED = ("elastic_net", "lightgbm", "svr")


@dataclass(frozen=True)
class Dials:
    models: tuple[str, ...] = LEARNED
    n_trials: int = 4
    folds: int = 2
    search_rows: int = 600
    svr_rows: int = 300


def make_rows(size: int, seed: int, first_day: str) -> pd.DataFrame:
    """Features with gaps, ten lines a day, and a target made of the SKU, the customer and two features."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(rng.normal(size=(size, len(NUMERIC_FEATURES))), columns=list(NUMERIC_FEATURES), dtype="float32")
    sku, customer = rng.integers(0, 5, size), rng.integers(0, 9, size)
    target = 3 + rows["sku_mean"] - np.abs(rows["log_unit_price"]) + sku + 0.5 * customer + rng.normal(0, 0.3, size)
    rows["month"] = np.float32(sku)
    rows.loc[rng.random(size) < 0.2, "customer_mean"] = np.nan
    return rows.assign(
        **{DAY: pd.Timestamp(first_day) + pd.to_timedelta(np.arange(size) // 10, unit="D")},
        country=rng.choice(["United Kingdom", "France"], size),
        sku=pd.Series(sku + 10001).astype("str"),
        customer_id=pd.Series(customer + 20001).astype("str").where(rng.random(size) < 0.8),
        **{TARGET: target.astype("float32")},
    )


TRAIN, VALIDATION, TEST = (
    make_rows(900, 1, "2011-01-01"),
    make_rows(200, 2, "2011-05-01"),
    make_rows(300, 3, "2011-06-01"),
)
ENCODER = fit_encoder(TRAIN, bins=6, max_countries=1)
ROWS, HELD_OUT, UNSEEN = (
    Encoded(ENCODER.transform(rows), rows[TARGET].to_numpy()) for rows in (TRAIN, VALIDATION, TEST)
)
X_TEST = UNSEEN.x


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tuned() -> tuple[TunedBaseline, ...]:
    return tune_baselines(TRAIN, VALIDATION, ENCODER, Dials(), seed=5, threads=1)


@pytest.fixture(params=BACKUP_FILES)
def baseline(request: pytest.FixtureRequest, tuned: tuple[TunedBaseline, ...]) -> Baseline:
    return next(model.baseline for model in tuned if model.baseline.name == request.param)


def by_name(tuned: tuple[TunedBaseline, ...]) -> dict[str, TunedBaseline]:
    return {model.baseline.name: model for model in tuned}


def mse(baseline: Baseline, rows: pd.DataFrame = TEST) -> float:
    return float(np.mean((baseline.predict(rows, ENCODER) - rows[TARGET].to_numpy()) ** 2))


def keyed(lines: list[tuple[str | None, str, float]]) -> pd.DataFrame:
    return pd.DataFrame(lines, columns=["customer_id", "sku", TARGET]).astype({"customer_id": "str", TARGET: "float32"})


def test_medians_by_hand() -> None:
    """Of A: 1, 2, 4 and the guest's 9; of B: 6; Ann's lines of A: 1, 2; a guest is nobody's customer."""
    lines = keyed([("Ann", "A", 1), ("Ann", "A", 2), ("Bob", "A", 4), (None, "A", 9), ("Bob", "B", 6)])
    asked = keyed([("Ann", "A", 0), ("Bob", "A", 0), (None, "A", 0), ("Ann", "B", 0), ("Eve", "C", 0), ("Bob", "B", 0)])
    found = {model.name: model.predict(asked, ENCODER).tolist() for model in fit_medians(lines)}
    assert found == {
        "median": [4, 4, 4, 4, 4, 4],
        "sku_median": [3, 3, 3, 6, 4, 6],
        "customer_sku_median": [1.5, 4, 3, 6, 4, 6],
    }


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_shop_of_guests_has_the_medians_of_its_skus(missing: float | None) -> None:
    guests = pd.DataFrame({"customer_id": [missing] * 3, "sku": ["A", "A", "B"], TARGET: np.float32([1, 3, 8])})
    assert [model.name for model in fit_medians(guests)] == ["median", "sku_median"], "nobody has lines of a SKU"
    for model in fit_medians(guests)[1:]:
        again = load_baseline(model.name, model.to_files())
        assert again.predict(guests, ENCODER).tolist() == [2, 2, 8]
    for model in fit_medians(keyed([("Ann", "A", 4), ("Ann", "B", 6)])):
        assert model.predict(guests, ENCODER).tolist() == ([5, 5, 5] if model.name == "median" else [4, 4, 6])


def test_elastic_net_predicts_as_scikit_learn_does() -> None:
    values = {"alpha": 0.01, "l1_ratio": 0.3}
    oracle = make_pipeline(StandardScaler(), ElasticNet(**values, tol=1e-8)).fit(ROWS.x.astype(np.float64), ROWS.y)
    expected = oracle.predict(X_TEST.astype(np.float64))
    np.testing.assert_allclose(fit_elastic_net(ROWS, values).predict_matrix(X_TEST), expected, atol=2e-5)


def test_an_elastic_net_that_does_not_converge_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "MAX_SWEEPS", 1)
    with pytest.raises(ConvergenceWarning, match="did not converge"):
        fit_elastic_net(ROWS, {"alpha": 1e-4, "l1_ratio": 0.05})


def test_svr_predicts_as_scikit_learn_does() -> None:
    """Learns from the latest rows alone; all rows give the scaling."""
    values, rows = {"C": 2.0, "epsilon": 0.1, "gamma": 0.03}, 250
    scaler = StandardScaler().fit(ROWS.x.astype(np.float64))
    z, z_test = (scaler.transform(x.astype(np.float64)) for x in (ROWS.x[-rows:], X_TEST))
    oracle = SVR(kernel="rbf", C=2.0, epsilon=0.1, gamma=0.03).fit(z, ROWS.y[-rows:])
    found = fit_svr(ROWS, values, rows)
    np.testing.assert_allclose(found.predict_matrix(X_TEST), oracle.predict(z_test), atol=1e-3)
    assert len(found.tensors["dual"]) == len(oracle.support_) < rows


def test_lightgbm_keeps_the_trees_of_its_best_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle: a booster of the same parameters that is never stopped, its error read after each round."""
    calls: list[dict[str, float]] = []
    library_train = lightgbm.train

    def train(params: dict[str, float], *args: object, **options: object) -> lightgbm.Booster:
        calls.append(params)
        return library_train(params, *args, **options)

    monkeypatch.setattr(lightgbm, "train", train)
    values = {**FIRST_TRIALS["lightgbm"], "num_leaves": 15, "lambda_l2": 2.0, "bagging_fraction": 0.7}
    model = fit_lightgbm(ROWS, HELD_OUT, values, seed=1, threads=1)
    assert values.items() <= calls[0].items()
    unstopped = library_train(calls[0], lightgbm.Dataset(ROWS.x, ROWS.y), 120)
    curve = [
        np.mean((unstopped.predict(HELD_OUT.x, num_iteration=rounds) - HELD_OUT.y) ** 2) for rounds in range(1, 121)
    ]
    assert model.rounds == int(np.argmin(curve)) + 1 < 70
    expected = unstopped.predict(X_TEST, num_iteration=model.rounds)
    np.testing.assert_array_equal(model.predict_matrix(X_TEST), expected)


def test_a_column_that_was_constant_decides_nothing() -> None:
    """Constant but for the last bit of a float32, which is rounding and no information."""
    x = np.column_stack([ROWS.x[:, :3], np.full(len(ROWS.x), 0.1, dtype=np.float32)])
    x[0, 3] = np.nextafter(x[0, 3], np.float32(1))
    assert 0 < x[:, 3].std(dtype=np.float64) < 1e-8
    moved = x[:50] + np.float32([0, 0, 0, 0.01])
    linear = fit_elastic_net(Encoded(x, ROWS.y), FIRST_TRIALS["elastic_net"])
    np.testing.assert_allclose(linear.predict_matrix(moved), linear.predict_matrix(x[:50]), atol=1e-3)
    kernel = fit_svr(Encoded(x, ROWS.y), FIRST_TRIALS["svr"], rows=200)
    np.testing.assert_allclose(kernel.predict_matrix(moved), kernel.predict_matrix(x[:50]), atol=1e-3)


def test_a_file_brings_back_the_same_predictions_and_bytes(baseline: Baseline) -> None:
    files = baseline.to_files()
    assert set(files) == {BACKUP_FILES[baseline.name]}
    again = load_baseline(baseline.name, {**files, "other": b""})
    assert again.name == baseline.name
    np.testing.assert_array_equal(again.predict(TEST, ENCODER), baseline.predict(TEST, ENCODER))
    assert again.to_files() == files


def test_predictions_are_of_each_row_alone(baseline: Baseline) -> None:
    many = pd.concat([TEST] * 4, ignore_index=True)
    assert len(many) > PREDICT_BATCH
    prediction = baseline.predict(many, ENCODER)
    assert prediction.shape == (len(many),)
    assert prediction.dtype == np.float64
    np.testing.assert_allclose(baseline.predict(many.tail(5), ENCODER), prediction[-5:], atol=1e-9)
    np.testing.assert_allclose(prediction[:300], prediction[-300:], atol=1e-9)


def test_the_search_and_the_fits_repeat(tuned: tuple[TunedBaseline, ...]) -> None:
    np.random.seed(3)  # noqa: NPY002  the global states must not matter
    torch.manual_seed(3)
    again = tune_baselines(TRAIN, VALIDATION, ENCODER, Dials(), seed=5, threads=1)
    for first, second in zip(tuned, again, strict=True):
        assert first.baseline.to_files() == second.baseline.to_files()
        pd.testing.assert_frame_equal(first.trials, second.trials)
    other = by_name(tune_baselines(TRAIN, VALIDATION, ENCODER, Dials(models=("elastic_net",)), seed=6, threads=1))
    assert other["elastic_net"].trials["alpha"][0] == by_name(tuned)["elastic_net"].trials["alpha"][0]
    assert other["elastic_net"].trials["alpha"][1] != by_name(tuned)["elastic_net"].trials["alpha"][1]


def test_lightgbm_depends_on_its_seed_not_on_place_or_time() -> None:
    values = {**FIRST_TRIALS["lightgbm"], "feature_fraction": 0.5}
    texts = {fit_lightgbm(ROWS[-300:], HELD_OUT, values, seed, threads=1).text for seed in (1, 1, 2)}
    assert len(texts) == 2
    for text in texts:
        assert str(ROOT) not in text
        assert not re.search(r"/\w+/|20\d\d-\d\d|\d\d:\d\d:\d\d", text)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_damaged_file_is_an_error_and_no_crash(baseline: Baseline, share: float) -> None:
    ((file, content),) = baseline.to_files().items()
    with pytest.raises(BundleError, match=rf"{file}: must be a stored {baseline.name} model"):
        load_baseline(baseline.name, {file: content[: int(share * len(content))]})


@pytest.mark.parametrize("damage", ["a tree ends early", "trees end early", "a tree is no tree"])
def test_damaged_trees_are_an_error_and_do_not_abort_the_process(damage: str) -> None:
    """As LightGBM itself writes the text, with the sizes of its trees, each of these but the second aborts Python."""
    rows = lightgbm.Dataset(ROWS.x, ROWS.y)
    text = lightgbm.train({"num_threads": 1, "verbosity": -1}, rows, 20).model_to_string()
    head, tree, rest = text.partition("\nTree=7\n")
    assert "\ntree_sizes=" in head
    damaged = {
        "a tree ends early": head + tree + rest.replace("leaf_value=", "leaf_val", 1),
        "trees end early": head,
        "a tree is no tree": head + "\nBush=7\n" + rest,
    }[damage]
    with pytest.raises(BundleError, match=r"lightgbm.txt.zst: must be a stored lightgbm model"):
        load_baseline("lightgbm", LightGbm(damaged).to_files())
    assert load_baseline("lightgbm", LightGbm(text).to_files()).name == "lightgbm"


def test_lightgbms_file_is_a_small_zstandard_frame() -> None:
    model = fit_lightgbm(ROWS[-300:], HELD_OUT, FIRST_TRIALS["lightgbm"], 1, threads=1)
    (content,) = model.to_files().values()
    assert content[:4] == bytes.fromhex("28b52ffd"), "RFC 8878"
    assert len(content) < len(model.text) / 2
    assert LightGbm.from_bytes(content) == model


def test_parts_that_do_not_fit_together_are_refused(tuned: tuple[TunedBaseline, ...]) -> None:
    models = by_name(tuned)
    linear = models["elastic_net"].baseline.to_files()["elastic_net.json"].replace(b'"mean": [', b'"mean": [1.0,')
    with pytest.raises(BundleError, match=r"elastic_net.json: .*lengths differ"):
        load_baseline("elastic_net", {"elastic_net.json": linear})
    foreign = models["median"].baseline.to_files()["median.parquet"]
    with pytest.raises(BundleError, match=r"svr.safetensors: must be a stored svr model"):
        load_baseline("svr", {"svr.safetensors": foreign})
    sink = io.BytesIO()
    TRAIN[["sku", TARGET]].to_parquet(sink)
    with pytest.raises(BundleError, match=r"median.parquet: .* columns must be customer_id, sku, log_quantity"):
        load_baseline("median", {"median.parquet": sink.getvalue()})
    for name in ("svr", "forest"):
        with pytest.raises(BundleError, match=f"backup {name}: must be one of median, .*, with its file"):
            load_baseline(name, {"median.parquet": foreign})


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 8))
def test_folds_look_ahead_only(lines_by_day: list[int], folds: int) -> None:
    """Whole days, strictly later than all of the training days; together the blocks are all rows, each once."""
    days = pd.Series(np.repeat(pd.date_range("2011-01-01", periods=len(lines_by_day)), lines_by_day))
    cut = time_folds(days, folds)
    assert len(cut) == min(folds, len(lines_by_day) - 1)
    end = None
    for fold in cut:
        train, validation = days[fold.train], days[fold.validation]
        assert len(train) > 0
        assert len(validation) > 0
        assert train.max() < validation.min()
        assert fold.train.start == 0
        assert fold.train.stop == fold.validation.start == (end or fold.train.stop)
        end = fold.validation.stop
    assert end in (None, len(days))


def test_equal_days_have_equal_folds_and_shuffles_are_refused() -> None:
    days = TRAIN[DAY]
    assert [(fold.train.stop, fold.validation.stop) for fold in time_folds(days, 2)] == [(300, 600), (600, 900)]
    with pytest.raises(DataError, match="training rows: must be in order of time"):
        time_folds(days.sample(frac=1, random_state=1), 2)


def test_every_model_learns_more_than_the_one_before_it(tuned: tuple[TunedBaseline, ...]) -> None:
    errors = {name: mse(model.baseline) for name, model in by_name(tuned).items()}
    assert list(errors) == ["median", "sku_median", "customer_sku_median", *LEARNED]
    assert errors["median"] == pytest.approx(float(np.mean((TEST[TARGET] - TRAIN[TARGET].median()) ** 2)))
    assert errors["sku_median"] < 0.8 * errors["median"]
    assert errors["customer_sku_median"] < 0.9 * errors["sku_median"]
    assert all(errors[name] < 0.5 * errors["median"] for name in LEARNED), errors
    assert errors["lightgbm"] < errors["elastic_net"], "|x| is not linear"


def test_the_trial_of_least_fold_error_is_fitted_on_all_rows(tuned: tuple[TunedBaseline, ...]) -> None:
    model = by_name(tuned)["elastic_net"]
    names = list(FIRST_TRIALS["elastic_net"])
    assert list(model.trials.columns) == ["model", "trial", "fold_mse", "reason", *names]
    assert model.trials.loc[0, names].to_dict() == FIRST_TRIALS["elastic_net"]
    seen = ROWS[-600:]
    for _, trial in model.trials.iterrows():
        errors = []
        for start in (200, 400):
            part = seen[start : start + 200]
            prediction = fit_elastic_net(seen[:start], trial[names].to_dict()).predict_matrix(part.x)
            errors.append(np.mean((prediction - part.y) ** 2))
        assert trial["fold_mse"] == pytest.approx(np.mean(errors), rel=1e-6)
    best = model.trials.loc[model.trials["fold_mse"].idxmin()]
    assert model.fold_mse == best["fold_mse"]
    assert model.chosen == best[names].to_dict()
    assert model.baseline.to_files() == fit_elastic_net(ROWS, model.chosen).to_files()


@pytest.mark.parametrize("name", ["lightgbm", "svr"])
def test_the_lowest_error_is_chosen(tuned: tuple[TunedBaseline, ...], name: str) -> None:
    model = by_name(tuned)[name]
    best = model.trials.loc[model.trials["fold_mse"].idxmin()]
    assert len(model.trials) == Dials().n_trials
    assert model.trials["fold_mse"].nunique() == Dials().n_trials
    assert {key: model.chosen[key] for key in FIRST_TRIALS[name]} == best[list(FIRST_TRIALS[name])].to_dict()


def test_a_search_sees_its_latest_training_rows_only() -> None:
    """What is older, and the validation rows, may be anything: the trials stay the same; the final fit does not."""
    dials = Dials(n_trials=2, search_rows=400)
    first = by_name(tune_baselines(TRAIN, VALIDATION, ENCODER, dials, seed=5, threads=1))
    older, later = TRAIN.copy(), VALIDATION.copy()
    older.loc[: len(TRAIN) - 401, TARGET] = 0
    later[TARGET] = 0
    second = by_name(tune_baselines(older, later, ENCODER, dials, seed=5, threads=1))
    for name in LEARNED:
        pd.testing.assert_frame_equal(first[name].trials, second[name].trials)
    for name in ("elastic_net", "lightgbm", "sku_median"):
        assert first[name].baseline.to_files() != second[name].baseline.to_files()
    assert first["svr"].baseline.to_files() == second["svr"].baseline.to_files(), "of the latest svr_rows"


def test_a_model_that_fails_is_left_out_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("out of luck")

    monkeypatch.setattr(search, "fit_svr", broken)
    with caplog.at_level(logging.INFO):
        dials = Dials(models=("svr", "elastic_net"), n_trials=2)
        tuned = tune_baselines(TRAIN, VALIDATION, ENCODER, dials, 5, 1)
    assert list(by_name(tuned)) == ["median", "sku_median", "customer_sku_median", "elastic_net"]
    assert "baseline svr is left out: svr: must have one trial that ends well, got 'out of luck'" in caplog.text
    told = re.findall(r"(\w+) trial (\d): MSE over the folds (nan|\d\.\d{4})", caplog.text)
    assert [(model, number, mse == "nan") for model, number, mse in told] == [
        (model, number, model == "svr") for model in ("svr", "elastic_net") for number in ("1", "2")
    ]


def test_a_trial_that_fails_keeps_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def moody(*args: object) -> object:
        calls.append(args)
        if len(calls) == 1:
            raise RuntimeError("not\ntoday")
        return fit_svr(*args)

    monkeypatch.setattr(search, "fit_svr", moody)
    dials = Dials(models=("svr",), n_trials=3)
    svr = by_name(tune_baselines(TRAIN, VALIDATION, ENCODER, dials, seed=5, threads=1))["svr"]
    assert svr.trials["reason"].tolist() == ["not today", "", ""]
    assert svr.trials["fold_mse"].isna().tolist() == [True, False, False]


def test_no_run_without_lightgbm_and_no_hidden_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise lightgbm.basic.LightGBMError("no cores")

    def wrong(*_: object) -> None:
        raise AttributeError("a bug")

    monkeypatch.setattr(search, "fit_lightgbm", broken)
    with pytest.raises(TrainingError, match=r"lightgbm: must be fitted to be compared with, got .*no cores"):
        tune_baselines(TRAIN, VALIDATION, ENCODER, Dials(models=("lightgbm",)), 5, 1)
    monkeypatch.setattr(search, "fit_elastic_net", wrong)
    with pytest.raises(AttributeError, match="a bug"):
        tune_baselines(TRAIN, VALIDATION, ENCODER, Dials(models=("elastic_net",)), 5, 1)


@pytest.mark.parametrize("lines", [1, 2, 11])
def test_the_smallest_shops_have_baselines_too(lines: int) -> None:
    """One training day gives no fold, so the validation rows stand in; one line is enough."""
    tuned = tune_baselines(TRAIN.head(lines), VALIDATION.head(1), ENCODER, Dials(), seed=5, threads=1)
    has_customers = TRAIN.head(lines)["customer_id"].notna().any()
    assert set(BACKUP_FILES) - set(by_name(tuned)) == (set() if has_customers else {"customer_sku_median"})
    assert all(np.isfinite(model.baseline.predict(TEST, ENCODER)).all() for model in tuned)
