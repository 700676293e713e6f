"""What a dependency is: one rule, by whatever shows it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pricetrail.lineage.chain import Trace
from pricetrail.lineage.exports.openlineage_events import openlineage_lines
from pricetrail.lineage.exports.prov_json import prov_json
from pricetrail.lineage.lock import StageRecord
from pricetrail.lineage.paths import by_kind, kind_of
from pricetrail.lineage.why import explain_difference

KINDS = {
    "src/pricetrail/base/files.py": "code",
    "src/pricetrail": "code",
    "src/pricetrail/report/page.js": "code",
    "tools/clean.py": "code",
    "dag.yaml": "code",
    "demo/dag.yaml": "code",
    "requirements.lock": "packages",
    "demo/requirements.lock": "packages",
    "data/lines": "data",
    "srcs/lines.csv": "data",
    "data/my-dag.yaml": "data",
    "data/old.py.csv": "data",
}


@pytest.mark.parametrize("path", KINDS)
def test_all_who_tell_a_dependency_agree_on_what_it_is(path: str) -> None:
    stage = StageRecord("make", "make", {path: "1"}, {}, {"made": "2"})
    trace = Trace("made", "made", "2", "", "c" * 40, "2026-01-01T00:00:00+00:00", False, None, (stage,), None, (), True)
    kinds = [kind_of(path), next(kind for kind, deps in by_kind(stage.deps).items() if deps)]

    entities = json.loads(prov_json(trace))["entity"]
    kinds += [e["pt:kind"].replace("source", "data") for e in entities.values() if e["prov:label"] == path]

    event = json.loads(openlineage_lines(trace).splitlines()[-1])
    tags = [tag["key"] for tag in event["job"]["facets"]["tags"]["tags"]]
    inputs = [entry["name"] for entry in event["inputs"]]
    kinds.append("code" if tags == [path] else "data" if inputs == [path] else "packages")

    found = explain_difference((stage,), (replace(stage, deps={path: "3"}),))
    kinds.append(found.stages[0].causes[0].split()[0])
    assert kinds == [KINDS[path]] * 5
