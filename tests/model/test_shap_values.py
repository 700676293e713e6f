"""SHAP values in features: names, rows and values stay together; their plots; ``pricetrail explain``."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import shap
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from torch import Tensor, nn
from typer.testing import CliRunner, Result

from pricetrail.base.errors import BundleError
from pricetrail.base.files import write_json, write_table
from pricetrail.base.params_schema import Explain
from pricetrail.cli.app import app
from pricetrail.data.encoder import Encoder
from pricetrail.data.features import DAY, FEATURE_UNITS
from pricetrail.data.past_lines import HISTORY_UNITS
from pricetrail.model.baselines.naive import fit_medians
from pricetrail.model.bundle import Bundle
from pricetrail.model.bundle_files import Backup, Primary
from pricetrail.model.explain import figures as shap_images
from pricetrail.model.explain.deepshap import DeepShap
from pricetrail.model.explain.shap_values import Explanation, explain
from pricetrail.model.inference import explain_sample, require_same_rows
from pricetrail.model.network import Network, NetworkSpec
from support.clone import Clone
from support.mean_head import MeanHead
from support.tables import PARAMS
from support.tiny_network import DATA, ENCODER, HISTORY, LOOK_BACK, TEST, TRAIN

SPEC = NetworkSpec((12, 12), (0.1, 0.1), bins=4, batch_norm=True, residual=True, ensemble_size=2)
STATE = pd.DataFrame({"sku": ["10001"]})
FIRST, WIDE = "head.blocks.0.linear.linear.weight", "head.wide.weight"
ROWS, BACKGROUND = TEST.head(12), TRAIN.head(30)


def head_columns(encoder: Encoder) -> dict[str, list[int]]:
    """The head's columns of each feature: a column of the encoder has as many as bins."""
    found: dict[str, list[int]] = {}
    place = 0
    for name, edges in zip(encoder.column_features, encoder.column_edges, strict=True):
        bins = min(len(edges) - 1, SPEC.bins)
        found.setdefault(name, []).extend(range(place, place + bins))
        place += bins
    return found


def make_bundle() -> Bundle:
    """A network whose every weight is drawn: no feature is left out, and none like another."""
    torch.manual_seed(0)
    network = Network(SPEC, ENCODER.column_edges, DATA.events)
    with torch.no_grad():
        for parameter in network.head.parameters():
            nn.init.normal_(parameter, std=0.3)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    return Bundle(ENCODER, HISTORY, STATE, Primary(SPEC, weights, DATA.scale, LOOK_BACK))


def reordered(bundle: Bundle, order: list[int]) -> Bundle:
    """The same model with the numeric columns of its encoder in another order."""
    encoder = replace(ENCODER, numeric=tuple(ENCODER.numeric[place] for place in order))
    columns, primary = head_columns(ENCODER), bundle.require_primary()
    moved = [column for name in encoder.feature_names for column in columns[name]]
    moved += range(len(moved), primary.weights[WIDE].shape[1])
    changed = {name: primary.weights[name][:, moved] for name in (FIRST, WIDE)}
    return replace(bundle, encoder=encoder, primary=replace(primary, weights={**primary.weights, **changed}))


BUNDLE = make_bundle()


@cache
def explained() -> Explanation:
    return explain(BUNDLE, ROWS, BACKGROUND)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_values_by_name_are_deep_explainers() -> None:
    """shap's own explainer on the columns, which the test assigns to features by itself."""
    network = BUNDLE.network()
    with torch.inference_mode():
        x, background = (network.encode(BUNDLE.inputs(rows)).clone() for rows in (ROWS, BACKGROUND))
    by_column = shap.DeepExplainer(MeanHead(network.head), background).shap_values(x, check_additivity=False)[:, :, 0]
    columns = head_columns(ENCODER)
    start = sum(map(len, columns.values()))
    columns |= {"sku_history": list(range(start, start + 12)), "customer_history": list(range(start + 12, start + 28))}
    assert list(explained().values.columns) == [*ENCODER.feature_names, *HISTORY_UNITS] == list(columns)
    for name, of_feature in columns.items():
        expected = by_column[:, of_feature].sum(axis=1) * DATA.scale.std
        np.testing.assert_allclose(explained().values[name], expected, atol=1e-5, err_msg=name)
    assert explained().values.abs().mean().min() > 1e-3, "no feature is left out"


@settings(max_examples=15)
@given(
    st.permutations(list(TEST.columns)), st.permutations(range(len(ENCODER.numeric))), st.permutations(range(len(ROWS)))
)
def test_names_rows_and_values_never_part(columns: list[str], order: list[int], places: list[int]) -> None:
    """Whatever the order of the table's columns, of the encoder's and of the rows, a name has the same values."""
    found = explain(reordered(BUNDLE, order), ROWS.iloc[places][columns], BACKGROUND[columns[::-1]])
    assert list(found.values.columns[: len(order)]) == [ENCODER.numeric[place].name for place in order]
    expected = explained().values.loc[found.values.index]
    pd.testing.assert_frame_equal(found.values[expected.columns], expected, atol=1e-5, rtol=0)
    assert found.base_log_quantity == pytest.approx(explained().base_log_quantity, abs=1e-6)


def test_a_value_that_does_not_add_up_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row is checked; 0.0009 log1p(units) more is let through and reported."""
    right, extra = DeepShap.values, 0.0009 / DATA.scale.std

    def values(self: DeepShap, encoded: Tensor) -> Tensor:
        found = right(self, encoded).clone()
        found[7, 2] += extra
        return found

    monkeypatch.setattr(DeepShap, "values", values)
    assert explain(BUNDLE, ROWS, BACKGROUND).largest_gap == pytest.approx(0.0009, abs=2e-5)
    extra = -0.0011 / DATA.scale.std
    with pytest.raises(BundleError, match=r"^SHAP values: must add up .* within 0\.001 .* row 7, got 0\.0011"):
        explain(BUNDLE, ROWS, BACKGROUND)


def test_the_network_does_not_explain_a_backups_prediction() -> None:
    broken = {name: value * np.nan for name, value in BUNDLE.require_primary().weights.items()}
    backups = tuple(Backup(model, 1.0) for model in fit_medians(TRAIN))
    bundle = replace(BUNDLE, primary=replace(BUNDLE.require_primary(), weights=broken), backups=backups)
    assert np.isfinite(bundle.predict(ROWS)).all()
    with pytest.raises(BundleError, match="gap of row 0, got nan"):
        explain(bundle, ROWS, BACKGROUND)


def test_no_rows_have_no_values() -> None:
    found = explain(BUNDLE, TEST.head(0), BACKGROUND)
    assert found.values.shape == (0, explained().values.shape[1])
    assert found.largest_gap == 0


def test_what_moves_nothing_is_not_shown() -> None:
    """Guests alone: nobody looks back at a customer's lines. One registered line, and that past is there again."""
    guests, background = (rows.assign(customer_id=None, country="France") for rows in (ROWS, BACKGROUND))
    found = explain(BUNDLE, guests, background)
    assert {*explained().values.columns} - {*found.values.columns} == {"customer_history", "country"}
    told = found.base_log_quantity + found.values.sum(axis=1)
    assert told.to_numpy() == pytest.approx(BUNDLE.predict(guests), abs=1e-3)
    one = guests.assign(customer_id=ROWS["customer_id"].where(ROWS.index == ROWS["customer_id"].first_valid_index()))
    assert "customer_history" in explain(BUNDLE, one, background).values


def test_no_limit_explains_every_row_against_training_rows() -> None:
    everything, found = explain_sample(BUNDLE, BACKGROUND, TEST, Explain(background_rows=99, max_rows=0), seed=1)
    assert list(found.values.index) == list(everything.index) == list(TEST.index)
    assert found.base_log_quantity == pytest.approx(float(BUNDLE.predict(BACKGROUND).mean()), abs=1e-9)
    some, _ = explain_sample(BUNDLE, BACKGROUND, TEST, Explain(background_rows=9, max_rows=20), seed=1)
    assert len(some) == 20


def made_up(size: int) -> tuple[Explanation, pd.DataFrame]:
    """Values of features whose importance falls in alphabetic order, equal to the feature but for its size."""
    rng = np.random.default_rng(3)
    names = [*sorted(FEATURE_UNITS), "country", *HISTORY_UNITS]
    rows = pd.DataFrame({name: rng.normal(size=size) for name in names}, index=rng.permutation(size))
    values = rows * (1 / np.arange(1, len(names) + 1))
    values["sku_history"] = 5.0
    rows.loc[rows.index[:9], "country_log_lines"] = np.nan
    return Explanation(values, 1.5, 0.0), rows.drop(columns=list(HISTORY_UNITS)).assign(country="France")


def test_plots_draw_a_sample_and_count_all_rows() -> None:
    plt.close("all")  # shap draws on a figure that another test has left open
    explanation, rows = made_up(9000)
    plots = shap_images.shap_plots(explanation, rows)
    importance = pd.read_csv(io.BytesIO(plots["importance.csv"])).set_index("feature")["mean_abs_shap"]
    pd.testing.assert_series_equal(
        importance, explanation.values.abs().mean().sort_values(ascending=False), check_names=False, rtol=1e-4
    )
    assert plots == shap_images.shap_plots(explanation, rows), "the same bytes"
    for name in ("beeswarm.png", "dependence.png"):
        assert plots[name].startswith(b"\x89PNG")
        assert len(plots[name]) < 400_000


def test_dependence_is_of_the_top_features_with_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(shap_images, "png", lambda figure: figures.append(figure) or b"")
    explanation, rows = made_up(3000)
    shap_images.shap_plots(explanation, rows)
    panels = figures[-1].axes
    assert [panel.get_title() for panel in panels] == sorted(FEATURE_UNITS)[:6], "no history, no category"
    for panel in panels:
        x, y = np.asarray(panel.lines[1].get_data(), dtype=np.float64)
        known = np.isfinite(x)
        size = explanation.values[panel.get_title()] / rows[panel.get_title()]
        np.testing.assert_allclose(y[known], x[known] * size.mean(), rtol=1e-9)
        assert shap_images.MOST_DOTS - 9 <= known.sum() <= len(x) == shap_images.MOST_DOTS
        assert panel.get_xlabel().replace("\n", " ") == FEATURE_UNITS[panel.get_title()]
    plt.close("all")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the command reads, by hand: three test lines, two of them explained, two of one invoice and SKU."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    Path("params.yaml").write_text(PARAMS)
    keys = {
        "invoice": ["581001", "581002", "581002"],
        "sku": ["85123A", "22423", "22423"],
        DAY: pd.Timestamp("2011-12-05"),
    }
    lines = pd.DataFrame({**keys, "unit_price": 2.5, "quantity": [6, 2, 1]})
    predicted = {"predicted_log_quantity": [1.75, 0.5, 0.4], "predicted_quantity": [4.754603, 0.648721, 0.4918]}
    write_table(Path("data/predictions.parquet"), lines.assign(**predicted))
    features = {"hour": np.float32([9, 10, 11]), "customer_mean": np.float32([1.25, np.nan, 2]), "country": "France"}
    write_table(Path("data/splits/test/2011-W49.parquet"), lines.assign(**features))
    values = {"hour": [0, 0.125], "country": [-0.5, 0.0], "customer_mean": [-0.25, -0.5], "sku_history": [0.25, 1.125]}
    write_table(Path("data/shap_values.parquet"), pd.DataFrame({"test_row": [1, 0], **values}))
    write_json(Path("metrics/test.json"), {"shap_base_log_quantity": 1.0})
    return tmp_path


def called(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["explain", *arguments])


def test_a_line_is_explained_from_base_to_prediction(run: Path) -> None:
    shown = called("--row", "0")
    assert shown.exit_code == 0, shown.output
    assert called("--line", "581001", "85123a").output == shown.output
    assert "row 0: invoice 581001, SKU 85123A, 2011-12-05, £2.50, 6 units sold" in shown.output
    lines = [re.split(r"\s{2,}", line.strip()) for line in shown.output.splitlines()]
    names = ("base value", "sku_history", "customer_mean", "hour", "country", "prediction")
    assert [line for line in lines if line[0] in names] == [
        ["base value", "1.0000", "mean of the background"],
        ["sku_history", "–", "+1.1250", "│██████", HISTORY_UNITS["sku_history"]],
        ["customer_mean", "1.25", "-0.5000", "███│", FEATURE_UNITS["customer_mean"]],
        ["hour", "9", "+0.1250", "│█", FEATURE_UNITS["hour"]],
        ["country", "+0.0000", "│", "France"],
        ["prediction", "1.7500", "= 4.8 units"],
    ]
    assert "gap" in called("--row", "1").output


def test_the_waterfall_is_drawn_of_the_same_values(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    png = shap_images.png
    monkeypatch.setattr(shap_images, "png", lambda figure: figures.append(figure) or png(figure))
    assert called("--row", "0", "--png", "plots/row.png").exit_code == 0
    assert (run / "plots/row.png").read_bytes().startswith(b"\x89PNG")
    texts = [text.get_text() for text in figures[0].axes[0].texts]
    assert set(texts[:4]) == {"+1.12", "+0.12", "\N{MINUS SIGN}0.5", "+0"}
    names = [label.get_text().strip() for label in figures[0].axes[0].get_yticklabels()]
    assert names[-4:] == ["country", "hour", "customer_mean", "sku_history"], "the largest on top"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--row", "3"], "data/predictions.parquet: has rows 0 to 2, got 3"),
        (
            ["--row", "2"],
            "data/shap_values.parquet: must hold row 2: 2 of 3 are explained (explain.max_rows)",
        ),
        (
            ["--line", "581001", "22423"],
            "data/predictions.parquet: must hold the line (a test line), got '581001 22423'",
        ),
        (["--line", "581002", "22423"], "invoice 581002, SKU 22423: must be one line, choose by --row: 1, 2"),
        (["--row", "0", "--png", "metrics/test.json/x.png"], "metrics/test.json/x.png: must be writable: "),
    ],
)
def test_a_line_that_cannot_be_shown_is_one_line_on_stderr(run: Path, arguments: list[str], error: str) -> None:
    found = called(*arguments)
    assert found.exit_code == 1
    assert found.stderr.startswith(f"error: {error}")
    assert found.stderr.count("\n") == 1
    assert not found.stdout


@pytest.mark.parametrize("arguments", [[], ["--row", "0", "--line", "581001", "85123A"], ["--row", "-1"]])
def test_one_way_of_naming_the_line_is_needed(run: Path, arguments: list[str]) -> None:
    assert called(*arguments).exit_code == 2


@pytest.mark.parametrize("name", ["data/predictions.parquet", "data/shap_values.parquet", "data/splits/test"])
def test_without_a_run_the_file_to_make_is_named(run: Path, name: str) -> None:
    (run / name).rename(run / "elsewhere")
    found = called("--row", "0")
    assert (found.exit_code, found.stderr) == (1, f"error: {name}: must be there: run `dvc repro`, or `dvc pull`\n")


@pytest.mark.parametrize("base", [{}, {"shap_base_log_quantity": None}])
def test_metrics_of_an_older_run_are_refused(run: Path, base: dict[str, None]) -> None:
    write_json(run / "metrics/test.json", base)
    assert called("--row", "0").stderr == (
        "error: metrics/test.json: must have shap_base_log_quantity: run `dvc repro`\n"
    )


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("data/shap_values.parquet", "hour", 0.127),
        ("data/shap_values.parquet", "hour", np.nan),
        ("data/splits/test/2011-W49.parquet", "sku", "22423"),
        ("data/splits/test/2011-W49.parquet", "invoice", "581003"),
    ],
)
def test_files_of_two_runs_are_not_mixed(run: Path, name: str, column: str, value: object) -> None:
    table = pd.read_parquet(name)
    write_table(run / name, table.assign(**{column: value}))
    assert "data/shap_values.parquet: must be of the run that wrote " in called("--row", "0").stderr


@pytest.mark.slow
def test_every_explained_row_of_a_run_is_shown_and_no_other(shop: Clone) -> None:
    explained = pd.read_parquet(shop.folder / "data/shap_values.parquet")
    predictions = pd.read_parquet(shop.folder / "data/predictions.parquet")
    row = int(explained["test_row"].iloc[-1])
    output = shop.must("pricetrail", "explain", "--row", str(row))
    (shown,) = re.findall(r"prediction +(-?[\d.]+)", output)
    assert float(shown) == pytest.approx(predictions["predicted_log_quantity"].iloc[row], abs=6e-5)
    base = json.loads((shop.folder / "metrics/test.json").read_text())["shap_base_log_quantity"]
    totals = base + explained.drop(columns="test_row").astype("float64").sum(axis=1).to_numpy()
    np.testing.assert_allclose(totals, predictions["predicted_log_quantity"].iloc[explained["test_row"]], atol=1e-4)
    other = next(row for row in range(len(predictions)) if row not in set(explained["test_row"]))
    refused = shop.run("pricetrail", "explain", "--row", str(other))
    assert refused.returncode == 1
    assert f"must hold row {other}: 60 of " in refused.stderr


def test_a_table_of_predictions_in_another_order_is_refused() -> None:
    values = pd.DataFrame({"a": [0.5, 0.25, -1.0], "b": [0.25, 0.25, 0.0]}, index=[0, 2, 3])
    table = pd.DataFrame({"predicted_log_quantity": [2.75, 9.0, 2.5, 1.0]})  # base 2; row 1 is not explained
    require_same_rows(table, Explanation(values, 2.0, 0.0))
    rolled = table.assign(predicted_log_quantity=np.roll(table["predicted_log_quantity"], 1))
    with pytest.raises(
        BundleError, match=r"^prediction of row 0: must be .*; 3 rows are not, the first by, got 1\.75$"
    ):
        require_same_rows(rolled, Explanation(values, 2.0, 0.0))
    with pytest.raises(BundleError):
        require_same_rows(table.assign(predicted_log_quantity=np.nan), Explanation(values, 2.0, 0.0))


@settings(max_examples=50)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([1e-7, 1e-3, 0.3, 5.0]))
def test_what_is_stored_of_the_values_is_true_to_the_promise(seed: int, size: float) -> None:
    """Files are held to 1e-4: as many values as a row has may each be off by half a step, and no more."""
    names = (*FEATURE_UNITS, "country", *HISTORY_UNITS)
    values = pd.DataFrame(np.random.default_rng(seed).normal(size=(20, len(names))) * size, columns=list(names))
    stored = Explanation(values, 0.0, 0.0).stored()
    steps = stored.to_numpy().astype(np.float64) * 2**17
    assert (steps == np.rint(steps)).all()
    assert (stored.dtypes == np.float32).all()
    assert stored.index.equals(values.index)
    off = np.abs(stored.to_numpy().astype(np.float64) - values.to_numpy())
    assert off.max() <= 0.5 * 2**-17
    assert len(names) * 0.5 * 2**-17 < 1e-4


@pytest.mark.attack
@pytest.mark.long
@pytest.mark.parametrize("country", [r"a$\frac{b$", "$", r"\$x\$ $$"])
def test_a_country_is_no_formula_of_a_plot(country: str) -> None:
    values, features = pd.Series({"country": 0.2, "weekday": 0.1}), pd.Series({"country": country, "weekday": 3})
    assert shap_images.waterfall(values, 1.0, features).startswith(b"\x89PNG")
