"""The lake on S3: files go up once and under a proof; a dataset is what a job wrote, where it wrote it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator import Emulator, Request, Response, grounds
from retailops.errors import DataError, NotReady, TargetFailed
from retailops.progress import Silent
from retailops.retail import etl, synth
from retailops.retail.etl import EtlOptions
from retailops.retail.synth import SynthOptions
from retailops.targets.aws.lake import AwsLake
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.session import Session

pytestmark = pytest.mark.slow  # an account in an emulator each: the contract suites have fast ones


@pytest.fixture
def mirror(swift: Session, aws: Emulator) -> Mirror:
    grounds.lay(aws)
    return Mirror(swift)


@pytest.fixture
def lake(mirror: Mirror) -> AwsLake:
    return AwsLake(mirror)


@pytest.fixture
def weeks(tmp_path: Path) -> Path:
    folder = tmp_path / "weeks"
    synth.write(folder, SynthOptions(baskets=200, weeks=2), Silent())
    return folder


@pytest.fixture
def job(mirror: Mirror, aws: Emulator, tmp_path: Path) -> Callable[[Path, str], Path]:
    """Do what an ETL job does: read local files, write the zones to S3, leave the manifest in its output."""

    def run(source: Path, name: str) -> Path:
        made = tmp_path / name
        etl.run(source, made, EtlOptions(max_quarantined=0.01, memory_mb=300, threads=1), Silent())
        s3 = aws.client("s3")
        for zone, uri in mirror.outputs(name).items():
            bucket, _, prefix = uri.removeprefix("s3://").partition("/")
            for path in (path for path in (made / zone).rglob("*") if path.is_file()):
                key = f"{prefix}/{path.relative_to(made / zone).as_posix()}"
                s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
        output = mirror.folder("models", "jobs", name, "output")
        output.mkdir(parents=True)
        (output / "manifest.json").write_bytes((made / "manifest.json").read_bytes())
        return output

    return run


def rows(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.parquet")}


def test_files_lie_on_s3_with_their_hash_and_version_in_the_listing(
    lake: AwsLake, mirror: Mirror, weeks: Path, aws: Emulator
) -> None:
    raw = lake.put(weeks, Silent())
    s3, bucket = aws.client("s3"), f"retail-demo-dev-raw-{aws.account}"
    listing = json.loads(s3.get_object(Bucket=bucket, Key=f"{raw.key}/files.json")["Body"].read())
    assert listing["key"] == raw.key
    for file, original in zip(listing["files"], sorted(weeks.iterdir()), strict=True):
        at = {"Bucket": bucket, "Key": f"{raw.key}/{file['name']}", "VersionId": file["version"]}
        assert s3.get_object(**at)["Body"].read() == original.read_bytes()
        assert s3.head_object(**at)["ServerSideEncryption"] == "aws:kms", "by the bucket's default"
    assert str(weeks) not in json.dumps(listing), "where the user keeps the files is nobody's business"


def test_what_is_there_is_not_sent_again_and_the_first_names_stay(
    lake: AwsLake, weeks: Path, tmp_path: Path, aws: Emulator
) -> None:
    raw = lake.put(weeks, Silent())
    moved = tmp_path / "elsewhere"
    weeks.rename(moved)
    for path in moved.iterdir():
        path.rename(path.with_name(f"other-{path.name}"))
    sent: list[Request] = []

    def note(request: Request) -> None:
        if request.method == "PUT":
            sent.append(request)

    aws.answer(note)
    assert lake.put(moved, Silent()) == raw
    assert sent == []


def test_an_upload_that_was_cut_short_goes_on_and_leaves_nothing_of_other_names(
    lake: AwsLake, mirror: Mirror, weeks: Path, aws: Emulator
) -> None:
    second = max(weeks.iterdir())

    def denied(request: Request) -> Response | None:
        no = b"<Error><Code>ExpiredToken</Code><Message>no</Message></Error>"
        late = request.method == "PUT" and request.path.endswith(second.name)
        return Response(no, 400, {"Content-Type": "application/xml"}) if late else None

    aws.answer(denied)
    with pytest.raises(TargetFailed, match="ExpiredToken"):
        lake.put(weeks, Silent())
    aws.hooks.remove(denied)
    for path in list(weeks.iterdir()):
        path.rename(path.with_name(f"renamed-{path.name}"))
    raw = lake.put(weeks, Silent())
    assert raw.files == tuple(sorted(path.name for path in weeks.iterdir()))
    there = {path.name for path in mirror.listing(raw.folder)}
    assert there == {*raw.files, "files.json"}, "rows under two names would be counted twice"


def test_an_object_that_somebody_removed_is_sent_again(lake: AwsLake, mirror: Mirror, weeks: Path) -> None:
    raw = lake.put(weeks, Silent())
    mirror.remove([raw.folder / raw.files[0]])
    assert lake.put(weeks, Silent()) == raw
    assert mirror.exists(raw.folder / raw.files[0])


def test_before_infra_up_the_lake_says_what_is_missing(swift: Session, weeks: Path) -> None:
    with pytest.raises(NotReady) as told:
        AwsLake(Mirror(swift)).put(weeks, Silent())
    assert "retailops infra up" in told.value.fix


def test_a_job_s_output_becomes_a_dataset_of_the_same_version_as_on_a_laptop(
    lake: AwsLake, mirror: Mirror, weeks: Path, job: Callable[[Path, str], Path], tmp_path: Path
) -> None:
    laptop = etl.run(weeks, tmp_path / "laptop", EtlOptions(max_quarantined=0.01, memory_mb=300, threads=1), Silent())
    assert lake.datasets() == []
    raw = lake.put(weeks, Silent())
    fetched = mirror.fetch(raw.folder)  # as SageMaker lays it before the job
    dataset = lake.publish(job(fetched, "etl-one"))
    assert (dataset.version, dataset.manifest) == (laptop.version, laptop.manifest)
    assert lake.datasets() == [dataset]
    assert not dataset.gold.exists(), "rows stay on S3 until somebody asks for them"
    assert dict(mirror.places(dataset.folder))["gold"].endswith("/jobs/etl-one")
    mirror.fetch(dataset.folder)
    for zone in ("silver", "gold"):
        assert rows(dataset.folder / zone) == rows(laptop.folder / zone)


def test_of_the_same_dataset_the_first_stays_and_is_the_newest_when_published_again(
    lake: AwsLake, mirror: Mirror, weeks: Path, job: Callable[[Path, str], Path], tmp_path: Path
) -> None:
    first = lake.publish(job(weeks, "etl-one"))
    other = tmp_path / "other"
    synth.write(other, SynthOptions(baskets=200, weeks=2, seed=2), Silent())
    second = lake.publish(job(other, "etl-two"))
    assert lake.datasets() == [first, second]
    assert lake.publish(job(weeks, "etl-three")) == first
    assert lake.datasets() == [second, first]
    assert dict(mirror.places(first.folder))["gold"].endswith("/jobs/etl-one")
    assert lake.publish(second.folder) == second
    assert lake.datasets() == [first, second]


def test_another_machine_sees_the_same_datasets(
    lake: AwsLake, mirror: Mirror, weeks: Path, job: Callable[[Path, str], Path]
) -> None:
    dataset = lake.publish(job(weeks, "etl-one"))
    shutil.rmtree(mirror.root)
    assert lake.datasets() == [dataset]


def test_rows_that_lie_on_s3_are_the_same_raw_as_from_here(
    lake: AwsLake, weeks: Path, aws: Emulator, tmp_path: Path
) -> None:
    s3, bucket = aws.client("s3"), "what-the-shops-send"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    names = sorted(path.name for path in weeks.iterdir())
    for name in names:
        s3.put_object(Bucket=bucket, Key=f"2006/{name}", Body=(weeks / name).read_bytes())
    raw = lake.put(Path(f"s3://{bucket}/2006"), Silent())
    assert (raw.key, sorted(raw.files)) == (lake.put(weeks, Silent()).key, names)
    fetched: list[str] = []
    aws.answer(lambda request: fetched.append(request.path) if _is_read(request, bucket) else None)
    assert lake.put(Path(f"s3://{bucket}/2006/"), Silent()) == raw
    assert fetched == [], "what hasn't changed isn't fetched again"
    (one,) = lake.put(Path(f"s3://{bucket}/2006/{names[0]}"), Silent()).files
    assert one == names[0]
    s3.delete_object(Bucket=bucket, Key=f"2006/{names[1]}")
    assert lake.put(Path(f"s3://{bucket}/2006"), Silent()).files == (names[0],), "what is gone there isn't read here"


def _is_read(request: Request, bucket: str) -> bool:
    return request.method == "GET" and request.path.startswith(f"/{bucket}/")


@pytest.mark.parametrize("name", ["s3://what-the-shops-send/none", "s3://no-such-bucket-anywhere/week.csv"])
def test_a_place_on_s3_where_nothing_is_is_told(lake: AwsLake, aws: Emulator, name: str) -> None:
    where = {"LocationConstraint": aws.region}
    aws.client("s3").create_bucket(Bucket="what-the-shops-send", CreateBucketConfiguration=where)
    with pytest.raises(DataError, match=f"{name}: nothing is there"):
        lake.put(Path(name), Silent())
