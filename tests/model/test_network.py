"""The network and its training: what they compute, that they learn, and that they repeat."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from pricetrail.base.errors import TrainingError
from pricetrail.data.features import TARGET
from pricetrail.data.past_lines import EVENT_COLUMNS, History
from pricetrail.model.attention import HEADS, LATE_MONTHS, SAME_PRICE
from pricetrail.model.candidate import TrainingTables
from pricetrail.model.inputs import Inputs
from pricetrail.model.network import Block, Head, Network, NetworkSpec, PiecewiseLinearEncoding, merge_bins
from pricetrail.model.training import Epoch, Trained, one_epoch, train
from support.tiny_network import (
    BROKEN,
    DATA,
    ENCODER,
    LINES,
    LOOK_BACK,
    MEAN,
    OPTIONS,
    SPEC,
    STD,
    TEST,
    TRAIN,
    TRAINING,
    VALIDATION,
    inputs_of,
    options_id,
    predict,
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(SPEC, TRAINING, ENCODER.column_edges, DATA, seed=7)


def test_piecewise_linear_encoding_by_hand() -> None:
    """Edges 0, 1, 3: below all, inside the first bin, inside the second, beyond all; a flag passes as it is."""
    encoding = PiecewiseLinearEncoding([[0.0, 1.0, 3.0], [0.0, 1.0]])
    x = torch.tensor([[-5.0, 0.0], [0.25, 1.0], [2.0, 0.0], [99.0, 1.0]])
    before = x.clone()
    assert encoding(x).tolist() == [[0, 0, 0], [0.25, 0, 1], [1, 0.5, 0], [1, 1, 1]]
    assert torch.equal(x, before), "the input is left alone"


@pytest.mark.parametrize("have", [1, 2, 5, 24])
def test_merged_bins_are_evenly_chosen_edges(have: int) -> None:
    edges = tuple(float(place**2) for place in range(have + 1))
    for bins in range(1, 30):
        merged = merge_bins(edges, bins)
        assert len(merged) == min(have, bins) + 1
        assert (merged[0], merged[-1]) == (edges[0], edges[-1])
        steps = np.diff([edges.index(edge) for edge in merged])
        assert steps.min() >= 1
        assert steps.max() - steps.min() <= 1


def test_a_network_reads_the_bins_of_its_spec() -> None:
    """With two bins the columns of the head are those of the outermost edges and the one between."""
    fine, coarse = (Network(replace(SPEC, bins=bins), ENCODER.column_edges, DATA.events) for bins in (6, 2))
    bins = [min(len(edges) - 1, 2) for edges in ENCODER.column_edges]
    assert len(coarse.encoding.low) == sum(bins) < len(fine.encoding.low)
    assert coarse.encode(inputs_of(TEST)).shape == (len(TEST), sum(bins) + HEADS * 3 + HEADS * 4)


def numpy_pool(trained: Trained, name: str, relation: list[list[float]], values: list[list[float]]) -> list[float]:
    """Means and weights of one row by plain NumPy; null line first."""
    keys = ("0.weight", "0.bias", "2.weight", "2.bias")
    w, b, w_out, b_out = (trained.weights[f"attention.{name}.score.{key}"].numpy() for key in keys)
    width = len(values[0]) if values else {"sku": 2, "customer": 3}[name]
    scores = [np.zeros(HEADS), *(np.maximum(np.array(line) @ w.T + b, 0) @ w_out.T + b_out for line in relation)]
    shares = np.exp(scores) / np.exp(scores).sum(axis=0)
    means = [
        sum(shares[i + 1, h] * values[i][v] for i in range(len(values))) for h in range(HEADS) for v in range(width)
    ]
    return [*means, *(sum(shares[1:, h]) for h in range(HEADS))]


def numpy_history(trained: Trained, row: int, inputs: Inputs) -> list[float]:
    """What a row pools, line by line, from the definition of the relations."""
    events = DATA.events.numpy().astype(np.float64)
    here = dict(zip(EVENT_COLUMNS, inputs.query[row].numpy().astype(np.float64), strict=True))
    pooled: list[float] = []
    for name, positions in (("sku", inputs.past_sku[row]), ("customer", inputs.past_customer[row])):
        relation, values = [], []
        for position in positions.tolist():
            if position == len(events) - 1:
                continue
            past = dict(zip(EVENT_COLUMNS, events[position], strict=True))
            price, months = here["log_unit_price"] - past["log_unit_price"], here["month"] - past["month"]
            buyer, sku = here["customer_mean"] - past["customer_mean"], here["sku_mean"] - past["sku_mean"]
            ratio, is_same = here["log_price_vs_mean"] - past["log_price_vs_mean"], here["sku"] == past["sku"]
            is_buyer = past["registered"] * (here["customer"] == past["customer"])
            same_price, both = abs(price) < SAME_PRICE, here["registered"] == past["registered"]
            if name == "sku":
                time = [np.log1p(months), buyer, abs(buyer), is_buyer, past["registered"] - 0.5, both]
                relation.append([price, abs(price), same_price, *time])
                values.append([past[TARGET], past["customer_mean"]])
            else:
                time = [np.log1p(months), months < LATE_MONTHS, sku, abs(sku), is_same]
                relation.append([price, abs(price), *time, past["sku_mean"], ratio, past["log_price_vs_mean"]])
                values.append([past[TARGET] - past["sku_mean"], past[TARGET], past["log_price_vs_mean"]])
        pooled += numpy_pool(trained, name, relation, values)
    return pooled


def test_weights_are_those_of_the_best_epoch(trained: Trained) -> None:
    """Computed anew from the weights by plain NumPy: bins, past lines, two ReLU layers, and the linear way beside."""
    x = ENCODER.transform(VALIDATION).astype(np.float64)
    bins = [
        np.clip((x[:, i] - low) / (high - low), 0, 1)
        for i, edges in enumerate(ENCODER.column_edges)
        for low, high in itertools.pairwise(merge_bins(edges, SPEC.bins))
    ]
    past = [numpy_history(trained, row, DATA.validation) for row in range(len(VALIDATION))]
    encoded = np.concatenate([np.stack(bins, axis=1), np.array(past)], axis=1)
    weight = {name: value.numpy().astype(np.float64) for name, value in trained.weights.items()}
    hidden = encoded
    for block in range(2):
        layer = f"head.blocks.{block}.linear.linear"
        hidden = np.maximum(hidden @ weight[f"{layer}.weight"].T + weight[f"{layer}.bias"], 0)
    wide = encoded @ weight["head.wide.weight"].T + weight["head.wide.bias"]
    prediction = (wide + hidden @ weight["head.deep"].T)[:, 0] * STD + MEAN
    np.testing.assert_allclose(predict(trained, VALIDATION), prediction, atol=2e-4)
    mse = float(np.mean((prediction - VALIDATION[TARGET].to_numpy()) ** 2))
    assert mse == pytest.approx(trained.best.validation_mse, rel=1e-3)
    assert trained.best.validation_mse == min(epoch.validation_mse for epoch in trained.curve)


def test_training_learns_features_and_past_lines(trained: Trained) -> None:
    truth = TEST[TARGET].to_numpy()
    assert float(np.mean((predict(trained, TEST) - truth) ** 2)) < 0.25 * float(truth.var())
    blind = TrainingTables(TRAIN, VALIDATION, ENCODER, History.of(LINES.head(0)), LOOK_BACK).tensors()
    assert trained.best.validation_mse < 0.5 * train(SPEC, TRAINING, ENCODER.column_edges, blind, 7).best.validation_mse


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_each_optimizer_learns_and_they_differ(optimizer: str, trained: Trained) -> None:
    result = train(SPEC, replace(TRAINING, optimizer=optimizer, max_epochs=3), ENCODER.column_edges, DATA, seed=7)
    assert result.curve[-1].validation_mse < result.curve[0].validation_mse < float(VALIDATION[TARGET].var())
    assert result.curve[0] != trained.curve[0]


def test_early_stopping_counts_epochs_without_gain() -> None:
    """A learning rate so large that an early epoch is the best one."""
    wild = replace(TRAINING, learning_rate=0.3, max_epochs=30, patience_epochs=2)
    seen: list[Epoch] = []
    result = train(SPEC, wild, ENCODER.column_edges, DATA, 1, seen.append)
    assert len(result.curve) < 30
    assert result.curve[-1].number == result.best.number + 2
    assert tuple(seen) == result.curve
    mse = float(np.mean((predict(result, VALIDATION) - VALIDATION[TARGET].to_numpy()) ** 2))
    assert mse == pytest.approx(result.best.validation_mse, rel=1e-4), "not the weights of the last epoch"


def test_few_rows_get_more_epochs_and_patience_in_proportion() -> None:
    """1200 rows are 19 batches of 64: 8 epochs where 152 steps are enough, else as many as give the steps."""
    for steps, epochs, patience in ((1, 8, 4), (152, 8, 4), (153, 9, 5), (300, 16, 8)):
        spec = replace(TRAINING, min_steps=steps, patience_epochs=4)
        assert (spec.epochs(1200), spec.patience(1200)) == (epochs, patience)
    assert len(train(SPEC, replace(TRAINING, min_steps=40, max_epochs=2), ENCODER.column_edges, DATA, 7).curve) == 3


def test_training_repeats_by_seed_and_only_by_seed(trained: Trained) -> None:
    torch.rand(100)
    again = train(SPEC, TRAINING, ENCODER.column_edges, DATA, seed=7)
    other = train(SPEC, TRAINING, ENCODER.column_edges, DATA, seed=8)
    assert again.curve == trained.curve
    assert all(torch.equal(weight, again.weights[name]) for name, weight in trained.weights.items())
    assert any(not torch.equal(weight, other.weights[name]) for name, weight in trained.weights.items())


def test_an_error_that_is_no_number_stops_the_run() -> None:
    with pytest.raises(TrainingError, match="epoch 0: errors must stay finite"):
        train(SPEC, TRAINING, ENCODER.column_edges, BROKEN, seed=1)


@pytest.mark.parametrize("spec", OPTIONS, ids=options_id)
def test_every_network_learns_and_predicts_rows_alone(spec: NetworkSpec) -> None:
    result = train(spec, replace(TRAINING, max_epochs=3), ENCODER.column_edges, DATA, seed=2)
    assert result.best.validation_mse < 0.6 * float(VALIDATION[TARGET].var())
    together = predict(result, TEST, spec)
    np.testing.assert_allclose(predict(result, TEST.tail(3), spec), together[-3:], atol=1e-5)
    np.testing.assert_allclose(predict(result, TEST[::-1], spec), together[::-1], atol=1e-5)


def test_the_loss_is_each_members_own() -> None:
    """One batch of all rows: the mean over members of their errors, and not the error of their mean."""
    torch.manual_seed(0)
    network = Network(replace(SPEC, dropouts=(0.0, 0.0), ensemble_size=3), ENCODER.column_edges, DATA.events)
    target = (DATA.y_train - MEAN) / STD
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    seen = one_epoch(network, optimizer, schedule, DATA.train, target, batch_size=len(target))
    with torch.inference_mode():
        members = network.members(DATA.train)
        mean = network(DATA.train)
    assert members.shape == (len(TRAIN), 3)
    torch.testing.assert_close(mean, members.mean(dim=1))
    assert members.std(dim=1).min() > 0, "the members differ from the start"
    own = float((members - target[:, None]).square().mean())
    assert seen == pytest.approx(own, rel=1e-5)
    assert seen != pytest.approx(float((mean - target).square().mean()), rel=1e-3)


def test_a_block_by_hand() -> None:
    """Members scale the inputs and outputs of one matrix; the norm is over batch and members; then ReLU, residual."""
    torch.manual_seed(0)
    block = Block(NetworkSpec((4, 4), (0.0, 0.0), 4, batch_norm=True, residual=True, ensemble_size=2), 1, 4)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(50, 2, 4)
    state = {name: value.numpy() for name, value in block.state_dict().items()}
    scaled = x.numpy() * state["linear.scale_in"] @ state["linear.linear.weight"].T + state["linear.linear.bias"]
    linear = scaled * state["linear.scale_out"] + state["linear.bias"]
    normed = (linear - linear.mean(axis=(0, 1))) / np.sqrt(linear.var(axis=(0, 1)) + 1e-5)
    expected = x.numpy() + np.maximum(normed * state["norm.weight"] + state["norm.bias"], 0)
    np.testing.assert_allclose(block(x).detach().numpy(), expected, atol=2e-4)


@pytest.mark.parametrize("members", [1, 3])
def test_a_residual_block_of_zeros_passes_its_input(members: int) -> None:
    x = torch.randn(7, members, 16)
    for residual in (True, False):
        block = Block(replace(SPEC, residual=residual, ensemble_size=members), 1, 16).eval()
        for parameter in block.parameters():
            torch.nn.init.zeros_(parameter)
        assert torch.equal(block(x), x if residual else torch.zeros_like(x))
    assert not Block(replace(SPEC, widths=(8, 16), residual=True), 1, 8).is_residual


def test_the_wide_way_starts_at_zero_and_dropout_can_be_off() -> None:
    head = Head(replace(SPEC, dropouts=(0.5, 0.5)), 6)
    x = torch.randn(9, 6)
    assert not head.wide.weight.any()
    assert not torch.equal(head.train()(x), head(x))
    assert torch.equal(head.eval()(x), head(x))
    assert Head(NetworkSpec((), (), 4), 6)(x).shape == (9, 1), "without layers it is linear"
