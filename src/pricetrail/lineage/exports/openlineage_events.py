"""A trace as OpenLineage events: one START and one COMPLETE for each stage."""

import json
from uuid import NAMESPACE_URL, uuid5

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.generated import parent_run
from openlineage.client.generated.base import DatasetFacet, JobFacet, RunFacet
from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
from openlineage.client.generated.execution_parameters_run import ExecutionParameter, ExecutionParametersRunFacet
from openlineage.client.generated.job_type_job import JobTypeJobFacet
from openlineage.client.generated.source_code_job import SourceCodeJobFacet
from openlineage.client.generated.tags_job import TagsJobFacet, TagsJobFacetFields
from openlineage.client.generated.tags_run import TagsRunFacet, TagsRunFacetFields
from openlineage.client.serde import Serde

from pricetrail import __version__
from pricetrail.lineage.chain import Trace
from pricetrail.lineage.lock import StageRecord
from pricetrail.lineage.paths import by_kind

NAMESPACE = "pricetrail"
PRODUCER = f"urn:pricetrail:{__version__}"
PIPELINE = "dvc.yaml"


def openlineage_lines(trace: Trace) -> str:
    """The events as JSON, one a line, as OpenLineage's file transport writes them."""
    return "".join(json.dumps(Serde.to_dict(event)) + "\n" for event in openlineage_events(trace))


def openlineage_events(trace: Trace) -> tuple[RunEvent, ...]:
    """Events of the stages in their order.

    DVC keeps no times: every event bears the time of the commit. Run ids derive from the run's name, so the same trace
    gives the same events. Tracked sources ran no command; they are input datasets only.
    """
    return tuple(
        _event(trace, stage, state)
        for stage in trace.stages
        if stage.cmd
        for state in (RunState.START, RunState.COMPLETE)
    )


def _event(trace: Trace, stage: StageRecord, state: RunState) -> RunEvent:
    inputs, outputs = by_kind(stage.deps)["data"], stage.outs if state is RunState.COMPLETE else {}
    return RunEvent(
        eventType=state,
        eventTime=trace.committed_at,
        producer=PRODUCER,
        run=Run(runId=_run_id(trace, stage.name), facets=_run_facets(trace, stage)),
        job=Job(namespace=NAMESPACE, name=stage.name, facets=_job_facets(stage)),
        inputs=[InputDataset(NAMESPACE, path, facets=_version(md5)) for path, md5 in inputs.items()],
        outputs=[OutputDataset(NAMESPACE, path, facets=_version(md5)) for path, md5 in outputs.items()],
    )


def _run_id(trace: Trace, name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"urn:pricetrail:run:{trace.run or trace.commit}:{name}"))


def _run_facets(trace: Trace, stage: StageRecord) -> dict[str, RunFacet]:
    pipeline = parent_run.Run(_run_id(trace, PIPELINE)), parent_run.Job(NAMESPACE, PIPELINE)
    parameters = [ExecutionParameter(key=key, value=json.dumps(value)) for key, value in stage.params.items()]
    told = {"commit": trace.commit, "requirements.lock": trace.environment, "outcome": trace.outcome}
    tags = [TagsRunFacetFields(key, value, "PRICETRAIL") for key, value in told.items() if value is not None]
    return {
        "parent": parent_run.ParentRunFacet(*pipeline, producer=PRODUCER),
        "executionParameters": ExecutionParametersRunFacet(parameters, producer=PRODUCER),
        "tags": TagsRunFacet(tags, producer=PRODUCER),
    }


def _job_facets(stage: StageRecord) -> dict[str, JobFacet]:
    tags = [TagsJobFacetFields(path, md5, "MD5") for path, md5 in by_kind(stage.deps)["code"].items()]
    return {
        "jobType": JobTypeJobFacet(processingType="BATCH", integration="DVC", jobType="STAGE", producer=PRODUCER),
        "sourceCode": SourceCodeJobFacet(language="shell", sourceCode=stage.cmd, producer=PRODUCER),
        "tags": TagsJobFacet(tags, producer=PRODUCER),
    }


def _version(md5: str) -> dict[str, DatasetFacet]:
    return {"version": DatasetVersionDatasetFacet(md5, producer=PRODUCER)}
