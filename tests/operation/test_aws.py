"""What docs/aws.md says, done with moto's S3 and IAM: the policies, and the move from the embedded server."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from moto.core.authorization import disable_iam_authentication, enable_iam_authentication
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

from pricetrail.operation.doctor import checks
from pricetrail.operation.doctor.findings import Finding, State, examined
from pricetrail.operation.servers import s3
from support.commands import environment, free_port, must, run
from support.small_project import OBJECTS, make_project
from support.source_tree import ROOT

REGION = "eu-west-2"
POLICIES = {name: (ROOT / "docs/aws" / f"{name}.json").read_text() for name in ("policy", "policy-reader")}


@dataclass(frozen=True)
class Cloud:
    """A moto server that asks every request for its rights."""

    url: str

    def client(self, service: str, key: str, secret: str) -> Any:
        """A client of boto3."""
        keys = {"aws_access_key_id": key, "aws_secret_access_key": secret}
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **keys)

    def root(self, service: str) -> Any:
        """A client without limits; use it while nothing is enforced."""
        return self.client(service, "root", "root")

    def user(self, name: str, policy: str) -> dict[str, str]:
        """A new user with one policy, its keys as environment variables."""
        with disable_iam_authentication():
            iam = self.root("iam")
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=policy)
            made = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
            "AWS_REGION": REGION,
        }

    def keys(self, bucket: str) -> set[str]:
        """Every key of a bucket."""
        with disable_iam_authentication():
            listed = self.root("s3").list_objects_v2(Bucket=bucket).get("Contents", [])
        return {entry["Key"] for entry in listed}


def _as_aws(original: Any) -> Any:
    """Moto asks a bulk delete for its right on the bucket; AWS for that on every key, and so here."""

    def ask(self: S3Response, bucket_name: str | None = None, key_name: str | None = None) -> None:
        keys = re.findall(r"<Key>(.*?)</Key>", self.raw_body.decode()) if key_name is None and _is_bulk(self) else []
        for key in keys or [key_name]:
            original(self, bucket_name=bucket_name, key_name=key)

    return ask


def _is_bulk(response: S3Response) -> bool:
    return response.method == "POST" and "delete" in response.querystring


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    name = "_authenticate_and_authorize_s3_action"
    monkeypatch.setattr(S3Response, name, _as_aws(getattr(S3Response, name)))
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    made = Cloud(f"http://localhost:{port}")  # by this name it is not taken for the embedded server
    for bucket in ("pricetrail", "another"):
        made.root("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        made.root("s3").put_object(Bucket=bucket, Key="private/books", Body=b"not yours")
    with enable_iam_authentication():
        yield made
    httpx.post(f"{made.url}/moto-api/reset")
    server.stop()


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("pristine") / "project")


@pytest.fixture
def project(pristine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pristine, tmp_path / "project", symlinks=True)


def at(cloud: Cloud, project: Path) -> None:
    """The shipped remote, answered by moto."""
    must(project, "dvc", "remote", "modify", "s3", "endpointurl", cloud.url)


def denied(call: Any, **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"]) in {"AccessDenied", "403"}
    return False


@pytest.mark.slow
@pytest.mark.long
def test_the_policy_is_enough_for_dvc_and_for_nothing_else(cloud: Cloud, project: Path) -> None:
    at(cloud, project)
    writer = cloud.user("weekly", POLICIES["policy"])
    must(project, "dvc", "push", "-q", **writer)
    assert len(cloud.keys("pricetrail") - {"private/books"}) == OBJECTS
    shutil.rmtree(project / ".dvc/cache")
    shutil.rmtree(project / "out")
    must(project, "dvc", "pull", "-q", "--force", **writer)
    assert (project / "out/two").read_text() == "two"
    (project / "dvc.yaml").write_text((project / "dvc.yaml").read_text().replace("printf three", "printf four"))
    must(project, "dvc", "repro", "-q")
    must(project, "dvc", "push", "-q", **writer)
    assert len(cloud.keys("pricetrail") - {"private/books"}) == OBJECTS + 1
    must(project, "dvc", "gc", "--workspace", "--cloud", "--force", "-q", **writer)
    assert len(cloud.keys("pricetrail") - {"private/books"}) == OBJECTS
    s3 = cloud.client("s3", writer["AWS_ACCESS_KEY_ID"], writer["AWS_SECRET_ACCESS_KEY"])
    assert denied(s3.get_object, Bucket="pricetrail", Key="private/books")
    assert denied(s3.put_object, Bucket="pricetrail", Key="private/x", Body=b"")
    assert denied(s3.put_object, Bucket="pricetrail", Key="dvc-not/x", Body=b"")
    assert denied(s3.delete_object, Bucket="pricetrail", Key="private/books")
    assert denied(s3.list_objects_v2, Bucket="another")
    assert denied(s3.get_object, Bucket="another", Key="private/books")
    assert denied(s3.put_object, Bucket="another", Key="dvc/x", Body=b"")
    assert denied(s3.delete_bucket, Bucket="pricetrail")
    assert denied(s3.put_bucket_policy, Bucket="pricetrail", Policy="{}")
    assert "private/books" in cloud.keys("pricetrail") & cloud.keys("another")
    assert s3.get_object(Bucket="pricetrail", Key=min(cloud.keys("pricetrail") - {"private/books"}))["Body"].read()


@pytest.mark.slow
@pytest.mark.long
def test_a_reader_reads_and_writes_nothing(cloud: Cloud, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(cloud, project)
    must(project, "dvc", "push", "-q", **cloud.user("weekly", POLICIES["policy"]))
    before = cloud.keys("pricetrail")
    reader = cloud.user("analyst", POLICIES["policy-reader"])
    shutil.rmtree(project / ".dvc/cache")
    must(project, "dvc", "pull", "-q", "--force", **reader)
    (project / "dvc.yaml").write_text((project / "dvc.yaml").read_text().replace("printf three", "printf four"))
    must(project, "dvc", "repro", "-q")
    assert run(project, "dvc", "push", "-q", **reader).returncode != 0
    s3 = cloud.client("s3", reader["AWS_ACCESS_KEY_ID"], reader["AWS_SECRET_ACCESS_KEY"])
    assert denied(s3.put_object, Bucket="pricetrail", Key="dvc/x", Body=b"")
    assert denied(s3.delete_object, Bucket="pricetrail", Key=min(before - {"private/books"}))
    assert cloud.keys("pricetrail") == before
    finding = probed(project, monkeypatch, reader)
    assert finding.state == State.FAILED
    assert "must let an object be written: PermissionError" in finding.found
    assert cloud.keys("pricetrail") == before


def probed(project: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, str]) -> Finding:
    """What the doctor says of the remote with these keys."""
    for name, value in environment(**keys).items():
        monkeypatch.setenv(name, value)
    return examined(next(check for check in checks.CHECKS if check.name == "remote"), project)


def test_the_doctor_sees_a_delete_that_is_refused_in_silence(
    cloud: Cloud, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(cloud, project)
    assert probed(project, monkeypatch, cloud.user("weekly", POLICIES["policy"])).state == State.OK
    assert cloud.keys("pricetrail") == {"private/books"}
    keeper = cloud.user("keeper", POLICIES["policy"].replace(', "s3:DeleteObject"', ""))
    finding = probed(project, monkeypatch, keeper)
    (left,) = cloud.keys("pricetrail") - {"private/books"}
    assert (finding.state, finding.found) == (State.FAILED, f"pricetrail/{left} is still there after it was deleted")


@pytest.mark.slow
@pytest.mark.long
def test_three_commands_move_the_embedded_store_to_aws(cloud: Cloud, project: Path, tmp_path: Path) -> None:
    """The commands of docs/aws.md, as they are written there, in a fresh clone with an empty cache."""
    config = project / ".dvc/config"
    config.write_text(re.sub(r"endpointurl = .*", f"endpointurl = http://127.0.0.1:{free_port()}", config.read_text()))
    embedded = s3.ensure_running(project)
    assert embedded is not None
    try:
        must(project, "dvc", "push", "-q")
        (project / "dvc.yaml").write_text((project / "dvc.yaml").read_text().replace("printf three", "printf four"))
        must(project, "dvc", "repro", "-q")
        must(project, "dvc", "push", "-q", "--run-cache")
        must(project, "git", "commit", "-qam", "second")
        shutil.rmtree(project / ".dvc/cache")  # all that is left is in the embedded store
        writer = cloud.user("weekly", POLICIES["policy"])
        block = re.search(r"(?s)in three commands.*?```sh\n(.*?)```", (ROOT / "docs/aws.md").read_text())
        assert block
        commands = [line.partition("#")[0].split() for line in block[1].splitlines() if line.startswith("dvc ")]
        assert len(commands) == 3
        for command in commands:
            must(project, *[word.replace("s3://my-bucket/", "s3://pricetrail/") for word in command], **writer)
            if command[:3] == ["dvc", "remote", "add"]:
                must(
                    project, "dvc", "remote", "modify", "aws", "endpointurl", cloud.url
                )  # moto is not at AWS's address
    finally:
        embedded.stop()
    bucket = embedded.objects / "pricetrail"
    stored = {path.relative_to(bucket).as_posix() for path in (bucket / "dvc").rglob("*") if path.is_file()}
    assert len([path for path in stored if path.startswith("dvc/files/")]) == OBJECTS + 1
    assert len([path for path in stored if path.startswith("dvc/runs/")]) == 2
    assert stored == cloud.keys("pricetrail") - {"private/books"}
    clone = tmp_path / "clone"
    must(project, "git", "commit", "-qam", "move")
    must(tmp_path, "git", "clone", "-q", str(project), str(clone))
    must(clone, "dvc", "pull", "-q", **writer)
    assert (clone / "three").read_text() == "four"
    must(clone, "git", "checkout", "-q", "HEAD~2", "--", "dvc.lock")
    must(clone, "dvc", "pull", "-q", "--force", **writer)
    assert (clone / "three").read_text() == "three"


@pytest.mark.parametrize("name", POLICIES)
def test_the_policies_speak_of_the_shipped_remote(name: str) -> None:
    url = re.search(r"url = s3://(\S+)", (ROOT / ".dvc/config").read_text())
    assert url
    bucket, _, prefix = url[1].partition("/")
    resources = {statement["Sid"]: statement["Resource"] for statement in json.loads(POLICIES[name])["Statement"]}
    assert resources.pop("List") == f"arn:aws:s3:::{bucket}"
    assert set(resources.values()) == {f"arn:aws:s3:::{bucket}/{prefix}/*"}
    assert "*" not in json.dumps([s["Action"] for s in json.loads(POLICIES[name])["Statement"]])


def test_the_lifecycle_never_drops_what_a_lock_may_name(cloud: Cloud) -> None:
    rules = json.loads((ROOT / "docs/aws/lifecycle.json").read_text())
    with disable_iam_authentication():
        s3 = cloud.root("s3")
        s3.put_bucket_lifecycle_configuration(Bucket="pricetrail", LifecycleConfiguration=rules)
        kept = s3.get_bucket_lifecycle_configuration(Bucket="pricetrail")["Rules"]
    assert {rule["ID"] for rule in kept} == {"unfinished-uploads", "deleted-versions"}
    assert not any({"Days", "Date"} & set(rule.get("Expiration", {})) or "Transitions" in rule for rule in kept)
