"""Looking back: strictly earlier days, latest lines first, nothing of the row's own quantity; and what is pooled."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pricetrail.data.features import DAY, TARGET, build_features
from pricetrail.data.past_lines import EVENT_COLUMNS, HISTORY_COLUMNS, History
from pricetrail.model.attention import HEADS
from pricetrail.model.inputs import Inputs
from pricetrail.model.network import Network
from pricetrail.model.training import predict_standardised
from support.tiny_network import DATA, ENCODER, LINES, MEAN, SPEC, STD, TEST, inputs_of

START = pd.Timestamp("2011-03-30")
LATER = ("log_unit_price", "log_price_vs_mean", "sku_mean", "customer_mean", TARGET)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Lines in order of time: few SKUs, customers and days, so that they meet; guests and gaps."""
    size = draw(st.integers(0, 30))
    days = sorted(draw(st.lists(st.integers(0, 6), min_size=size, max_size=size)))
    skus = draw(st.lists(st.sampled_from("ABC"), min_size=size, max_size=size))
    customers = draw(st.lists(st.sampled_from(["1", "2", None]), min_size=size, max_size=size))
    values = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(size, 5)).astype("float32")
    values[:, :4][np.random.default_rng(size).random((size, 4)) < 0.2] = np.nan
    table = pd.DataFrame(values, columns=list(LATER)).assign(
        sku=pd.Series(skus, dtype="str"),
        customer_id=pd.Series(customers, dtype="str"),
        **{DAY: START + pd.to_timedelta(np.array(days, dtype=np.int64), unit="D")},
    )
    return table.assign(registered=table["customer_id"].notna().astype("float32"))[list(HISTORY_COLUMNS)]


Row = dict[Hashable, Any]


def looked_up(history: list[Row], row: Row, key: str, lines: int) -> list[int]:
    """Line by line, from the last one back."""
    found: list[int] = []
    for position in reversed(range(len(history))):
        past = history[position]
        if isinstance(row[key], str) and past[key] == row[key] and past[DAY] < row[DAY]:
            found.append(position)
    return [*found, *[len(history)] * lines][:lines]


@settings(max_examples=40)
@given(tables(), tables(), st.integers(1, 4), st.integers(1, 4))
def test_look_back_is_what_a_search_line_by_line_finds(
    table: pd.DataFrame, others: pd.DataFrame, sku_lines: int, customer_lines: int
) -> None:
    """Of the history's own rows, and of rows that are not in it, some with an unknown SKU or customer."""
    strangers = others.assign(sku=others["sku"].replace("C", "Z"), customer_id=others["customer_id"].replace("2", "9"))
    for rows in (table, strangers):
        of_sku, of_customer = History.of(table).look_back(rows, sku_lines, customer_lines)
        assert of_sku.shape == (len(rows), sku_lines)
        assert of_customer.shape == (len(rows), customer_lines)
        assert of_sku.dtype == of_customer.dtype == np.int32
        for i, row in enumerate(rows.to_dict("records")):
            assert of_sku[i].tolist() == looked_up(table.to_dict("records"), row, "sku", sku_lines)
            assert of_customer[i].tolist() == looked_up(table.to_dict("records"), row, "customer_id", customer_lines)


def test_by_hand() -> None:
    """A's lines 0, 2, 3 on days 0, 1, 1; Ann's 0, 1; a line of the same day is not looked back at."""
    lines = [("A", "Ann", 0), ("B", "Ann", 0), ("A", None, 1), ("A", "Bob", 1)]
    asked = [("A", "Ann", 2), ("A", "Bob", 1), ("A", None, 0), ("B", "Bob", 9), ("C", "Ann", 1)]
    table, rows = (
        pd.DataFrame(rows, columns=["sku", "customer_id", DAY]).assign(
            **{DAY: lambda t: START + pd.to_timedelta(t[DAY], unit="D")}, **dict.fromkeys(EVENT_COLUMNS[:6], 0.0)
        )
        for rows in (lines, asked)
    )
    of_sku, of_customer = History.of(table).look_back(rows, 2, 2)
    assert of_sku.tolist() == [[3, 2], [0, 4], [4, 4], [1, 4], [4, 4]]
    assert of_customer.tolist() == [[1, 0], [4, 4], [4, 4], [3, 4], [1, 0]]


@settings(max_examples=40)
@given(tables(), st.integers(0, 7))
def test_the_future_changes_nothing_of_the_past(table: pd.DataFrame, day: int) -> None:
    """Law 2: what a row of a day sees, event by event, is the same when the day and all after it are other ones."""
    now = START + pd.Timedelta(days=day)
    is_past = table[DAY] < now
    rows = table[table[DAY] <= now]
    altered = table.copy()
    altered.loc[~is_past, list(LATER)] = np.float32(9)
    altered.loc[~is_past, "sku"], altered.loc[~is_past, "customer_id"] = "B", "1"
    altered.loc[~is_past, DAY] += pd.Timedelta(days=3)

    def seen(lines: pd.DataFrame) -> list[np.ndarray]:
        history = History.of(lines)
        events = history.events(0.5, 2.0)
        return [events[positions] for positions in history.look_back(rows, 4, 4)]

    for other in (altered, table[is_past], pd.concat([table, altered[~is_past]])):
        for before, after in zip(seen(table), seen(other), strict=True):
            np.testing.assert_array_equal(before, after)


@settings(max_examples=40)
@given(tables())
def test_events_by_hand_and_no_line_is_zeros(table: pd.DataFrame) -> None:
    """Logs are centred and scaled like the target, codes count by first appearance, gaps are zero."""
    events = History.of(table).events(0.5, 2.0)
    assert events.dtype == np.float32
    assert events.shape == (len(table) + 1, len(EVENT_COLUMNS))
    assert events[-1].tolist() == [0.0] * len(EVENT_COLUMNS)
    skus, customers = list(dict.fromkeys(table["sku"])), list(dict.fromkeys(table["customer_id"].dropna()))
    for event, row in zip(events, table.to_dict("records"), strict=False):
        found = dict(zip(EVENT_COLUMNS, event, strict=True))
        for name in (TARGET, "sku_mean", "customer_mean"):
            expected = (np.float32(row[name]) - np.float32(0.5)) / np.float32(2)
            assert found[name] == (expected if np.isfinite(expected) else 0)
        for name in ("log_unit_price", "log_price_vs_mean", "registered"):
            assert found[name] == (row[name] if np.isfinite(row[name]) else 0)
        assert found["sku"] == skus.index(row["sku"])
        assert found["customer"] == (customers.index(row["customer_id"]) if row["registered"] else -1)
        assert found["month"] == pytest.approx((row[DAY] - pd.Timestamp("1970-01-01")).days / 28, abs=1e-4)


@settings(max_examples=40)
@given(tables())
def test_a_query_is_the_event_without_its_own_quantity(table: pd.DataFrame) -> None:
    history = History.of(table)
    queries, events = history.queries(table, 0.5, 2.0), history.events(0.5, 2.0)[:-1]
    np.testing.assert_array_equal(queries[:, 1:], events[:, 1:])
    assert not queries[:, EVENT_COLUMNS.index(TARGET)].any()
    np.testing.assert_array_equal(history.queries(table.assign(**{TARGET: np.float32(50)}), 0.5, 2.0), queries)
    np.testing.assert_array_equal(history.queries(table.drop(columns=TARGET), 0.5, 2.0), queries, "need not be known")


def test_time_within_a_day_changes_no_history() -> None:
    """Real feature rows; the two lines of the last day see the same two lines, latest first."""
    lines = pd.DataFrame(
        {
            "invoice": ["1", "2", "3", "4"],
            "sku": pd.Series(["22423"] * 4, dtype="str"),
            "description": "",
            "quantity": [1, 2, 3, 4],
            "invoiced_at": pd.to_datetime(
                ["2011-01-03 09:00", "2011-01-03 15:00", "2011-01-05 08:00", "2011-01-05 9:00"]
            ),
            "unit_price": [1.0, 2.0, 3.0, 4.0],
            "customer_id": pd.Series(["17850", None, "17850", "17850"], dtype="str"),
            "country": "France",
        }
    )
    table = build_features(lines, half_life_days=28).lines
    history = History.of(table)
    of_sku, of_customer = history.look_back(table, 3, 3)
    assert of_sku.tolist() == [[4, 4, 4], [4, 4, 4], [1, 0, 4], [1, 0, 4]]
    assert of_customer.tolist() == [[4, 4, 4], [4, 4, 4], [0, 4, 4], [0, 4, 4]]
    np.testing.assert_allclose(history.events(0.0, 1.0)[:4, 0], np.log1p([1, 2, 3, 4]), rtol=1e-6)
    assert list(history.table.columns) == list(HISTORY_COLUMNS)


def pool(network: Network, inputs: Inputs) -> Tensor:
    with torch.inference_mode():
        return network.attention(inputs.query, inputs.past_sku, inputs.past_customer)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.set_num_threads(1)
    torch.manual_seed(3)
    return Network(SPEC, ENCODER.column_edges, DATA.events)


def test_without_past_lines_nothing_is_pooled(network: Network) -> None:
    """The first day has none; a guest has none of a customer."""
    pooled = pool(network, inputs_of(LINES))
    is_first, is_guest = (
        torch.tensor(flag.to_numpy()) for flag in (LINES[DAY] == LINES[DAY][0], LINES["registered"] == 0)
    )
    assert not pooled[is_first].any()
    assert not pooled[is_guest][:, network.attention.sku_columns :].any()
    assert pooled[~is_guest][-100:, network.attention.sku_columns :].any(dim=1).all()


def test_past_lines_have_no_order_and_weigh_as_shares(network: Network) -> None:
    inputs = inputs_of(TEST)
    pooled = pool(network, inputs)
    turned = replace(inputs, past_sku=inputs.past_sku[:, [3, 0, 4, 2, 1]], past_customer=inputs.past_customer.flip(1))
    torch.testing.assert_close(pool(network, turned), pooled, atol=1e-5, rtol=1e-5)
    weights = torch.cat([pooled[:, HEADS * 2 : HEADS * 3], pooled[:, -HEADS:]], dim=1)
    assert 0 <= weights.min() < weights.max() < 1, "the null line has the rest"
    swapped = replace(inputs, past_sku=inputs.past_sku.flip(0))
    assert not torch.allclose(pool(network, swapped), pooled), "other lines are something"


def test_what_is_sold_on_the_day_or_later_changes_no_prediction(network: Network) -> None:
    """Law 2 through the whole network: quantities, prices and buyers of the day and later are altered or removed."""
    day = TEST[DAY].iloc[100]
    rows, is_past = TEST[TEST[DAY] == day], LINES[DAY] < day
    expected = predict_standardised(network, inputs_of(rows))
    altered = LINES.copy()
    for name in (TARGET, "log_unit_price", "sku_mean"):
        altered.loc[~is_past, name] = np.float32(9)
    altered.loc[~is_past, "customer_id"] = "20003"
    for lines in (altered, LINES[is_past]):
        history = History.of(lines)
        other = Network(SPEC, ENCODER.column_edges, torch.from_numpy(history.events(MEAN, STD)))
        other.load_state_dict(network.state_dict())
        found = predict_standardised(other, inputs_of(rows.assign(**{TARGET: np.float32(7)}), history))
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_inputs_are_taken_in_parts_that_stay_together() -> None:
    inputs = inputs_of(TEST)
    whole = [getattr(inputs, name) for name in ("x", "query", "past_sku", "past_customer")]
    for parts in (list(inputs.split(70)), [inputs.take(torch.arange(len(TEST)))], [inputs.last(10_000)]):
        again = (
            torch.cat([getattr(part, name) for part in parts]) for name in ("x", "query", "past_sku", "past_customer")
        )
        assert all(torch.equal(a, b) for a, b in zip(again, whole, strict=True))
    assert torch.equal(inputs.last(9).past_sku, inputs.take(torch.arange(len(TEST) - 9, len(TEST))).past_sku)
    assert len(inputs.last(9)) == 9
