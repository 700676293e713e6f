"""A trace as OpenLineage events: one START and one COMPLETE for each stage."""

from __future__ import annotations

import json
from uuid import NAMESPACE_URL, uuid5

from openlineage.client import facet_v2
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.generated.base import DatasetFacet, JobFacet, RunFacet
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
    outs = stage.outs if state is RunState.COMPLETE else {}
    return RunEvent(
        eventType=state,
        eventTime=trace.committed_at,
        producer=PRODUCER,
        run=Run(runId=_run_id(trace, stage.name), facets=_run_facets(trace, stage)),
        job=Job(namespace=NAMESPACE, name=stage.name, facets=_job_facets(stage)),
        inputs=[
            InputDataset(namespace=NAMESPACE, name=path, facets=_version(md5))
            for path, md5 in by_kind(stage.deps)["data"].items()
        ],
        outputs=[OutputDataset(namespace=NAMESPACE, name=path, facets=_version(md5)) for path, md5 in outs.items()],
    )


def _run_id(trace: Trace, name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"urn:pricetrail:run:{trace.run or trace.commit}:{name}"))


def _run_facets(trace: Trace, stage: StageRecord) -> dict[str, RunFacet]:
    parent = facet_v2.parent_run.ParentRunFacet(
        run=facet_v2.parent_run.Run(runId=_run_id(trace, PIPELINE)),
        job=facet_v2.parent_run.Job(namespace=NAMESPACE, name=PIPELINE),
        producer=PRODUCER,
    )
    parameters = facet_v2.execution_parameters_run.ExecutionParametersRunFacet(
        parameters=[
            facet_v2.execution_parameters_run.ExecutionParameter(key=key, value=json.dumps(value))
            for key, value in stage.params.items()
        ],
        producer=PRODUCER,
    )
    told = {"commit": trace.commit, "requirements.lock": trace.environment, "outcome": trace.outcome}
    tags = facet_v2.tags_run.TagsRunFacet(
        tags=[
            facet_v2.tags_run.TagsRunFacetFields(key=key, value=value, source="PRICETRAIL")
            for key, value in told.items()
            if value is not None
        ],
        producer=PRODUCER,
    )
    return {"parent": parent, "executionParameters": parameters, "tags": tags}


def _job_facets(stage: StageRecord) -> dict[str, JobFacet]:
    return {
        "jobType": facet_v2.job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="DVC", jobType="STAGE", producer=PRODUCER
        ),
        "sourceCode": facet_v2.source_code_job.SourceCodeJobFacet(
            language="shell", sourceCode=stage.cmd, producer=PRODUCER
        ),
        "tags": facet_v2.tags_job.TagsJobFacet(
            tags=[
                facet_v2.tags_job.TagsJobFacetFields(key=path, value=md5, source="MD5")
                for path, md5 in by_kind(stage.deps)["code"].items()
            ],
            producer=PRODUCER,
        ),
    }


def _version(md5: str) -> dict[str, DatasetFacet]:
    return {
        "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=md5, producer=PRODUCER)
    }
