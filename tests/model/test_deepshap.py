"""DeepSHAP of the head against shap's explainers, and against the rule by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import shap
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pricetrail.model.explain import deepshap
from pricetrail.model.explain.deepshap import DeepShap
from pricetrail.model.network import Head, NetworkSpec
from support.mean_head import MeanHead
from support.tiny_network import OPTIONS, options_id

COLUMNS, FEATURES = 11, 4
OWNER = torch.tensor([0, 0, 2, 1, 1, 1, 3, 0, 2, 2, 3])


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make_head(spec: NetworkSpec, seed: int = 0) -> Head:
    """A head whose every number is drawn, so that no part of it is neutral."""
    torch.manual_seed(seed)
    head = Head(spec, COLUMNS)
    with torch.no_grad():
        for parameter in head.parameters():
            nn.init.normal_(parameter, std=0.6)
        for module in head.modules():
            if isinstance(module, nn.BatchNorm1d):
                nn.init.normal_(module.running_mean)  # type: ignore[arg-type]
                nn.init.uniform_(module.running_var, 0.3, 3.0)  # type: ignore[arg-type]
    return head.eval()


def make_rows(size: int, seed: int) -> Tensor:
    """Like encoded rows: mostly 0 and 1, some between, one column constant."""
    rows = torch.rand(size, COLUMNS, generator=torch.Generator().manual_seed(seed)).mul(3).sub(1).clamp(0, 1)
    rows[:, 4] = 0.7
    return rows


def by_feature(by_column: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([by_column[:, OWNER.numpy() == feature].sum(axis=1) for feature in range(FEATURES)], axis=1)


def oracle(head: Head, rows: Tensor, background: Tensor) -> NDArray[np.float32]:
    explainer = shap.DeepExplainer(MeanHead(head), background.clone())
    return explainer.shap_values(rows.clone(), check_additivity=False).reshape(rows.shape)


def ours(head: Head, rows: Tensor, background: Tensor, owner: Tensor = OWNER) -> NDArray[np.float32]:
    return DeepShap(head, background, owner).values(rows).numpy()


@pytest.mark.parametrize("widths", [(), (9,), (9, 7), (7, 7, 7)], ids=len)
@pytest.mark.parametrize("spec", OPTIONS, ids=options_id)
def test_values_are_those_of_deep_explainer(spec: NetworkSpec, widths: tuple[int, ...]) -> None:
    """For every kind of network, of each column and of each feature; rows of the background among the rows."""
    head = make_head(replace(spec, widths=widths, dropouts=(0.5,) * len(widths)))
    background = make_rows(23, 1)
    rows = torch.cat([make_rows(17, 2), background[:3]])
    expected = oracle(head, rows, background)
    np.testing.assert_allclose(ours(head, rows, background, torch.arange(COLUMNS)), expected, atol=1e-5)
    np.testing.assert_allclose(ours(head, rows, background), by_feature(expected), atol=1e-5)
    assert np.abs(expected).max() > 0.1
    with torch.inference_mode():
        outputs = (MeanHead(head)(part).double()[:, 0] for part in (rows, background))
        gap = next(outputs) - next(outputs).mean()
    np.testing.assert_allclose(ours(head, rows, background).sum(axis=1), gap, atol=1e-5)


def test_a_constant_column_gets_exactly_nothing() -> None:
    head = make_head(OPTIONS[-1])
    assert not ours(head, make_rows(30, 1), make_rows(9, 2), torch.arange(COLUMNS))[:, 4].any()


def test_a_relu_by_hand() -> None:
    """relu(2x - y) against two references: multipliers 0.75 and 1; relu(0) against itself has the gradient 0."""
    head = Head(NetworkSpec((1,), (0.0,), 4), 2).eval()
    with torch.no_grad():
        head.blocks[0].linear.linear.weight.copy_(torch.tensor([[2.0, -1.0]]))  # type: ignore[union-attr, operator]
        head.blocks[0].linear.linear.bias.zero_()  # type: ignore[union-attr, operator]
        head.deep.fill_(1.0)
        head.wide.bias.zero_()
    rows, background = torch.tensor([[2.0, 1.0], [1.0, 2.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    # row 1: pre-activations 3 against -1 and 2: ((0.75 (4, 0)) + (1 (2, -1))) / 2; row 2: 0 against -1 and 2: 0 and 1
    expected = [[2.5, -0.5], [0.0, -1.0]]
    assert ours(head, rows, background, torch.arange(2)).tolist() == expected
    at_kink = ours(head, torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]]), torch.arange(2))
    assert at_kink.tolist() == [[0.0, 0.0]]


def shapley(network: nn.Module, row: Tensor, background: Tensor) -> NDArray[np.float64]:
    """The definition: what a column adds to each coalition of the others, which are of the background where absent."""
    sets = torch.arange(2**COLUMNS)
    is_in = (sets[:, None] >> torch.arange(COLUMNS)) & 1 == 1
    with torch.inference_mode():
        outputs = network(torch.where(is_in[:, None], row, background).flatten(0, 1))
    worth = outputs.reshape(len(sets), -1).mean(dim=1)
    weight = torch.tensor([1 / (COLUMNS * math.comb(COLUMNS - 1, min(size, COLUMNS - 1))) for size in is_in.sum(dim=1)])
    added = [(weight * (worth[sets | 1 << column] - worth)).sum() for column in range(COLUMNS)]  # 0 where it is in
    return torch.stack(added).numpy()


@pytest.mark.parametrize("members", [1, 3])
def test_where_no_relu_bends_the_values_are_shapleys(members: int) -> None:
    """All units are on for each row, so the network is linear and DeepSHAP exact: the sum over all coalitions."""
    head = make_head(NetworkSpec((6, 6), (0.0, 0.0), 4, residual=True, ensemble_size=members))
    for block in head.blocks:
        linear = block.linear
        shift = linear.bias if members > 1 else linear.linear.bias  # type: ignore[union-attr]
        with torch.no_grad():
            shift.fill_(1e3)  # type: ignore[operator, union-attr]
    rows, background = make_rows(4, 1), make_rows(5, 2)
    double = MeanHead(head).double()

    exact = np.stack([shapley(double, row, background.double()) for row in rows.double()])
    found = DeepShap(head, background.double(), torch.arange(COLUMNS)).values(rows.double()).numpy()
    np.testing.assert_allclose(found, exact, atol=1e-8)
    assert np.abs(exact).max() > 0.1


def test_chunks_and_training_mode_change_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    head = make_head(OPTIONS[-1])
    rows, background = make_rows(50, 3), make_rows(20, 4)
    whole = ours(head, rows, background)
    before = {name: value.clone() for name, value in head.state_dict().items()}
    monkeypatch.setattr(deepshap, "CHUNK_FLOATS", 1)
    np.testing.assert_allclose(ours(head.train(), rows, background), whole, atol=1e-6)
    assert all(torch.equal(value, before[name]) for name, value in head.state_dict().items())
    assert head.training, "the head is left as it was"
    assert ours(head, rows[:0], background).shape == (0, FEATURES)


def test_two_backgrounds_average() -> None:
    """The values against both halves of a background are the mean of those against each."""
    head = make_head(OPTIONS[3], 5)
    rows, background = make_rows(8, 6), make_rows(40, 7)
    halves = [ours(head, rows, half) for half in background.split(20)]
    np.testing.assert_allclose(ours(head, rows, background), np.mean(halves, axis=0), atol=1e-6)
    assert np.abs(halves[0] - halves[1]).max() > 1e-3
