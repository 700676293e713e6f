"""A trace written by hand, as PROV-JSON and OpenLineage: against their schemas, their libraries and the trace."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs
import pytest
from jsonschema import Draft4Validator, Draft202012Validator, FormatChecker, ValidationError
from openlineage.client import event_v2, facet_v2
from prov.model import ProvDocument

from pricetrail.lineage.chain import Trace
from pricetrail.lineage.exports.openlineage_events import openlineage_events, openlineage_lines
from pricetrail.lineage.exports.prov_json import prov_document, prov_json
from pricetrail.lineage.lock import StageRecord

CLEAN = StageRecord(
    "clean",
    "make clean",
    {"raw/a b": "10.dir", "src/clean.py": "11"},
    {"seed": 3, "by": {"x": [1]}},
    {"data": "12.dir"},
)
FIT = StageRecord(
    "fit",
    "fit",
    {"data/a.parquet": "21", "outside.csv": "22", "requirements.lock": "23"},
    {},
    {"model": "24", "log": "25"},
)
TRACE = Trace(
    target="HEAD",
    path="model",
    md5="24",
    rev="HEAD",
    commit="c" * 40,
    committed_at="2026-11-22T09:36:11+01:00",
    dirty=False,
    run="0123456789ab",
    stages=(StageRecord("raw.dvc", "", outs={"raw/a b": "10.dir"}), CLEAN, FIT),
    outcome="withheld",
    gates=({"gate": "drift", "open": False, "reason": 'a "quoted" reason'},),
    verified=True,
)
CASES = {
    "revision": TRACE,
    "no run, nothing decided": replace(TRACE, run=None, outcome=None, gates=(), verified=None),
    "a file in a folder": replace(TRACE, path="data/a.parquet", md5="21", stages=TRACE.stages[:2]),
    "a file not at hand": replace(TRACE, path="data/b.parquet", md5=None, stages=TRACE.stages[:2]),
    "a source": replace(TRACE, path="raw/a b", md5="10.dir", stages=TRACE.stages[:1]),
}


@pytest.fixture(params=CASES)
def trace(request: pytest.FixtureRequest) -> Trace:
    return CASES[request.param]


def test_prov_json_is_valid_by_the_schema_of_its_submission(trace: Trace) -> None:
    """The schema that the W3C published, as the package ``prov`` ships it."""
    schema = json.loads((files("prov.tests") / "schemas/prov-json.schema.json").read_text())
    Draft4Validator(schema).validate(json.loads(prov_json(trace)))
    with pytest.raises(ValidationError):
        Draft4Validator(schema).validate({**json.loads(prov_json(trace)), "used": {"x": {}}})


def test_prov_json_is_read_back_as_it_was(trace: Trace) -> None:
    assert ProvDocument.deserialize(content=prov_json(trace), format="json") == prov_document(trace)


def test_prov_tells_what_each_stage_used_and_made_and_no_more() -> None:
    tree = json.loads(prov_json(TRACE))
    activity = {name: f"pt:stage/{name}@0123456789ab" for name in ("clean", "fit")}
    assert set(tree["activity"]) == set(activity.values())
    used = {(use["prov:activity"], use["prov:entity"]) for use in tree["used"].values()}
    assert used == {
        (activity["clean"], "pt:raw/a%20b@10.dir"),
        (activity["clean"], "pt:src/clean.py@11"),
        (activity["fit"], "pt:data/a.parquet@21"),
        (activity["fit"], "pt:outside.csv@22"),
        (activity["fit"], "pt:requirements.lock@23"),
    }
    made = {(made["prov:entity"], made["prov:activity"]) for made in tree["wasGeneratedBy"].values()}
    assert made == {
        ("pt:data@12.dir", activity["clean"]),
        ("pt:model@24", activity["fit"]),
        ("pt:log@25", activity["fit"]),
    }
    clean = tree["activity"][activity["clean"]]
    assert (clean["pt:command"], json.loads(clean["pt:parameters"])) == ("make clean", {"seed": 3, "by": {"x": [1]}})
    model = tree["entity"]["pt:model@24"]
    assert (model["pt:outcome"], model["pt:target"]) == ("withheld", "HEAD")
    assert json.loads(model["pt:gates"]) == [dict(TRACE.gates[0])]
    assert tree["agent"]["pt:pricetrail@0.1.0"]["pt:commit"] == "c" * 40


def test_each_used_entity_was_made_or_is_from_outside(trace: Trace) -> None:
    tree = json.loads(prov_json(trace))
    made = {relation["prov:entity"] for relation in tree.get("wasGeneratedBy", {}).values()}
    inside = {member["prov:entity"]: member["prov:collection"] for member in tree.get("hadMember", {}).values()}
    kinds = {name: entity["pt:kind"] for name, entity in tree["entity"].items()}
    for use in tree.get("used", {}).values():
        name = use["prov:entity"]
        is_made = name in made or inside.get(name) in made
        assert is_made == (kinds[name] == "output"), name
        assert is_made or kinds[name] in {"source", "code", "packages"}
    assert all(kinds[name] == "output" for name in made)


SCHEMA = json.loads((Path(__file__).parent / "schemas/openlineage_run_event.json").read_text())


def events(trace: Trace) -> list[dict[str, Any]]:
    return [json.loads(line) for line in openlineage_lines(trace).splitlines()]


def test_openlineage_events_are_valid_by_their_specification(trace: Trace) -> None:
    validator = Draft202012Validator(SCHEMA, format_checker=FormatChecker())
    Draft202012Validator.check_schema(SCHEMA)
    for event in events(trace):
        validator.validate(event)
        for key in SCHEMA["$defs"]["event"]["required"]:
            assert not validator.is_valid({name: value for name, value in event.items() if name != key})
        assert not validator.is_valid({**event, "run": {**event["run"], "runId": "1"}})


CLASSES: dict[str, type] = {
    "parent": facet_v2.parent_run.ParentRunFacet,
    "executionParameters": facet_v2.execution_parameters_run.ExecutionParametersRunFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
    "sourceCode": facet_v2.source_code_job.SourceCodeJobFacet,
    "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
}


def rebuilt(facets: dict[str, Any], tags: type) -> None:
    """Each facet through the class that OpenLineage generated from its schema: no unknown key, none missing."""
    for name, facet in facets.items():
        made = {"tags": tags, **CLASSES}[name]
        given = {key: value for key, value in facet.items() if not key.startswith("_")}
        again = made(**given, producer=facet["_producer"])
        assert {k: v for k, v in attrs.asdict(again).items() if v is not None} == facet, "the schema's URL too"


def test_openlineage_events_are_read_by_openlineages_own_classes(trace: Trace) -> None:
    for event in events(trace):
        run, job = event["run"], event["job"]
        rebuilt(run["facets"], facet_v2.tags_run.TagsRunFacet)
        rebuilt(job["facets"], facet_v2.tags_job.TagsJobFacet)
        for dataset in (*event["inputs"], *event["outputs"]):
            rebuilt(dataset["facets"], facet_v2.tags_dataset.TagsDatasetFacet)
        again = event_v2.RunEvent(
            eventType=event_v2.RunState(event["eventType"]),
            eventTime=event["eventTime"],
            producer=event["producer"],
            run=event_v2.Run(**run),
            job=event_v2.Job(**job),
            inputs=[event_v2.InputDataset(**dataset) for dataset in event["inputs"]],
            outputs=[event_v2.OutputDataset(**dataset) for dataset in event["outputs"]],
        )
        assert again.schemaURL == event["schemaURL"]


def test_openlineage_tells_each_stage_once_started_and_once_done() -> None:
    told = events(TRACE)
    assert [(event["job"]["name"], event["eventType"]) for event in told] == [
        ("clean", "START"),
        ("clean", "COMPLETE"),
        ("fit", "START"),
        ("fit", "COMPLETE"),
    ]
    start, done = told[2:]
    versions = {d["name"]: d["facets"]["version"]["datasetVersion"] for d in done["inputs"]}
    assert versions == {"data/a.parquet": "21", "outside.csv": "22"}, "data; code and packages are facets"
    assert {d["name"]: d["facets"]["version"]["datasetVersion"] for d in done["outputs"]} == FIT.outs
    assert (start["outputs"], start["inputs"], start["run"]["runId"]) == ([], done["inputs"], done["run"]["runId"])
    assert {event["eventTime"] for event in told} == {"2026-11-22T09:36:11+01:00"}
    code = {tag["key"]: tag["value"] for tag in told[0]["job"]["facets"]["tags"]["tags"]}
    assert code == {"src/clean.py": "11"}
    dials = {p["key"]: json.loads(p["value"]) for p in told[0]["run"]["facets"]["executionParameters"]["parameters"]}
    assert dials == CLEAN.params
    assert {tag["key"]: tag["value"] for tag in done["run"]["facets"]["tags"]["tags"]} == {
        "commit": "c" * 40,
        "requirements.lock": "23",
        "outcome": "withheld",
    }


def test_openlineage_ids_are_those_of_the_run_and_the_stage() -> None:
    ids = [event["run"]["runId"] for event in events(TRACE)]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert ids == [event["run"]["runId"] for event in events(replace(TRACE, target="other", commit="d" * 40))]
    other = [event["run"]["runId"] for event in events(replace(TRACE, run="ba9876543210"))]
    assert not set(ids) & set(other)
    parents = {event["run"]["facets"]["parent"]["run"]["runId"] for event in events(TRACE)}
    assert len(parents) == 1
    assert len(openlineage_events(TRACE)) == 4
