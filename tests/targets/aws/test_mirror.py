"""Paths that name things on S3: sent in parts and verified, whatever cuts it short; fetched whole or not at all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator import HANG_UP, Emulator, Request, Response, grounds
from retailops.errors import DataError, NotReady, TargetFailed, UsageError
from retailops.progress import Silent
from retailops.targets.aws import sending
from retailops.targets.aws.mirror import PLACES, Mirror
from retailops.targets.aws.session import Session

pytestmark = pytest.mark.slow  # an account in an emulator each: the contract suites have fast ones

MB = 1 << 20
XML = {"Content-Type": "application/xml"}


@pytest.fixture
def mirror(swift: Session, aws: Emulator) -> Mirror:
    grounds.lay(aws)
    return Mirror(swift)


@pytest.fixture
def write(mirror: Mirror) -> Callable[..., Path]:
    """A file in the mirror's raw zone, its bytes different everywhere."""

    def make(name: str = "k/a.csv", size: int = 100) -> Path:
        path = mirror.folder("raw", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(number.to_bytes(8) for number in range(-(-size // 8)))[:size])
        return path

    return make


def body(aws: Emulator, path: Path) -> bytes:
    """What S3 has under the path's name."""
    zone, key = re.fullmatch(r".*/mirror/(\w+)/(.+)", str(path)).groups()  # type: ignore[union-attr]
    found = aws.client("s3").get_object(Bucket=f"retail-demo-dev-{zone}-{aws.account}", Key=key)
    content: bytes = found["Body"].read()
    return content


def failing(code: str, status: int) -> Response:
    return Response(f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), status, XML)


def is_part(request: Request) -> bool:
    return request.method == "PUT" and "partNumber=" in request.query


def parts_of(seen: list[Request]) -> list[int]:
    return sorted(int(re.search(r"partNumber=(\d+)", each.query)[1]) for each in seen if is_part(each))  # type: ignore[index]


@pytest.fixture
def seen(aws: Emulator, mirror: Mirror) -> list[Request]:
    """Every request to S3 from now on."""
    requests: list[Request] = []

    def note(request: Request) -> None:
        if request.service == "s3":
            requests.append(request)

    aws.answer(note)
    return requests


def test_a_path_names_an_object_and_nothing_else_does(mirror: Mirror, aws: Emulator, tmp_path: Path) -> None:
    assert mirror.uri(mirror.folder("gold", "a", "b")) == f"s3://retail-demo-dev-gold-{aws.account}/a/b"
    assert mirror.uri(mirror.folder("gold")) == f"s3://retail-demo-dev-gold-{aws.account}"
    for stranger in (tmp_path, mirror.root / "nowhere" / "x", mirror.root, mirror.root / "raw" / ".." / ".." / "x"):
        with pytest.raises(UsageError, match="names nothing on S3"):
            mirror.uri(stranger)


def test_what_is_pushed_can_be_fetched_on_another_machine(
    mirror: Mirror, write: Callable[..., Path], seen: list[Request], swift: Session
) -> None:
    one, two = write(), write("k/deep/b.csv", 9 * MB)
    sent = mirror.push(one.parent)
    assert [(each.path, each.bytes) for each in sent] == [(one, 100), (two, 9 * MB)]
    assert all(each.version not in ("", "null") for each in sent)
    contents = {path: path.read_bytes() for path in (one, two)}
    for path in contents:
        path.unlink()
    assert mirror.listing(one.parent) == [one, two]
    assert mirror.fetch(one.parent) == one.parent
    assert {path: path.read_bytes() for path in contents} == contents
    seen.clear()
    mirror.fetch(one.parent)
    assert [each.method for each in seen] == ["GET"], "a second fetch asks for the list alone"
    one.write_bytes(b"spoiled")
    assert mirror.fetch(one).read_bytes() == contents[one]
    # A neighbour whose name begins the same isn't meant.
    write("k/a.csv.old")
    mirror.push(mirror.folder("raw", "k", "a.csv.old"))
    assert mirror.listing(one) == [one]
    assert mirror.exists(one) and not mirror.exists(mirror.folder("raw", "k", "a"))


def test_odd_names_survive_and_what_would_leave_the_mirror_is_passed_over(mirror: Mirror, aws: Emulator) -> None:
    path = mirror.folder("raw", "k", "Tuần 1 + 100% & ü.csv")
    path.parent.mkdir(parents=True)
    path.write_text("a")
    mirror.push(path)
    for key in ("k/../../../outside", "k//etc/outside", "k/empty/"):
        aws.client("s3").put_object(Bucket=f"retail-demo-dev-raw-{aws.account}", Key=key, Body=b"x")
    path.unlink()
    mirror.fetch(path.parent)
    here = [each.name for each in mirror.root.parent.rglob("*") if each.is_file()]
    assert sorted(here) == [path.name, "fetched.json", "fetched.json.lock"]


def test_the_same_content_is_not_sent_twice(mirror: Mirror, write: Callable[..., Path], seen: list[Request]) -> None:
    first = mirror.push(write(size=9 * MB))
    seen.clear()
    assert mirror.push(write(size=9 * MB)) == first
    assert [each.method for each in seen] == ["HEAD"]


def test_links_are_followed_and_progress_is_told_in_bytes(
    mirror: Mirror, tmp_path: Path, watcher: Any, aws: Emulator
) -> None:
    original = tmp_path / "mine.csv"
    original.write_bytes(os.urandom(20 * MB))
    link = mirror.folder("raw", "k", "mine.csv")
    link.parent.mkdir(parents=True)
    link.symlink_to(original)
    mirror.push(link.parent, watcher)
    assert body(aws, link) == original.read_bytes()
    assert watcher.told[0] == ("stage", ("Uploading to S3", 20 * MB, "bytes"))
    assert [done for name, done in watcher.told if name == "advance"] == [8 * MB, 16 * MB, 20 * MB] or (
        watcher.told[-1] == ("advance", 20 * MB)
    )
    mirror.fetch(link)
    assert not link.is_symlink() and original.exists(), "a fetched file is its own; the user's file is untouched"


def test_parts_stay_within_the_limit_of_s3() -> None:
    assert sending.part_bytes(9 * MB) == 8 * MB
    for size in (80_000 * MB, 80_001 * MB, 5 << 40):
        part = sending.part_bytes(size)
        assert part % MB == 0 and -(-size // part) <= 10_000


def test_slow_down_is_waited_for(mirror: Mirror, write: Callable[..., Path], aws: Emulator) -> None:
    refused = []

    def slow(request: Request) -> Response | None:
        if is_part(request) and len(refused) < 3:
            refused.append(request)
            return failing("SlowDown", 503)
        return None

    path = write(size=20 * MB)
    aws.answer(slow)
    mirror.push(path)
    assert len(refused) == 3
    assert body(aws, path) == path.read_bytes()


def test_expired_credentials_are_told_and_the_next_run_sends_the_rest(
    mirror: Mirror, write: Callable[..., Path], aws: Emulator, seen: list[Request]
) -> None:
    path = write(size=40 * MB)

    def expired(request: Request) -> Response | None:
        late = is_part(request) and int(re.search(r"partNumber=(\d+)", request.query)[1]) > 3  # type: ignore[index]
        return failing("ExpiredToken", 400) if late else None

    aws.answer(expired)
    with pytest.raises(TargetFailed, match="ExpiredToken") as told:
        mirror.push(path)
    assert "log in anew" in told.value.fix
    assert not mirror.exists(path)
    aws.hooks.remove(expired)
    seen.clear()
    mirror.push(path)
    assert parts_of(seen) == [4, 5], "what S3 has isn't sent again"
    assert body(aws, path) == path.read_bytes()
    assert not list((mirror.root / "uploads").glob("*.json")), "a finished upload is forgotten"


def test_a_killed_command_goes_on_at_the_part_where_it_stopped(
    mirror: Mirror, write: Callable[..., Path], aws: Emulator, seen: list[Request], tmp_path: Path
) -> None:
    path = write(size=60 * MB)
    code = f"""
import os, signal, threading
from pathlib import Path
from retailops import config, targets
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.session import Session
loaded = config.load(Path({str(tmp_path / "retail.yaml")!r}), targets=targets.settings(), algorithms=[], environ={{}})
class Killer:
    def stage(self, text, total=None, unit=""): pass
    def note(self, text): pass
    def advance(self, done):
        if done >= {24 * MB}:
            os.kill(os.getpid(), signal.SIGKILL)
Mirror(Session(loaded)).push(Path({str(path)!r}), Killer())
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == -9, ended.stderr
    before = set(parts_of(seen))
    seen.clear()
    mirror.push(path)
    again = set(parts_of(seen))
    assert again and len(again) <= 5, "at least the three that were told are there"
    assert before | again == set(range(1, 9))
    assert body(aws, path) == path.read_bytes()


def test_an_upload_that_s3_forgot_is_begun_anew(mirror: Mirror, write: Callable[..., Path], aws: Emulator) -> None:
    path = write(size=20 * MB)

    def broken(request: Request) -> Response | None:
        return failing("AccessDenied", 403) if is_part(request) and "partNumber=3" in request.query else None

    aws.answer(broken)
    with pytest.raises(TargetFailed, match="AccessDenied"):
        mirror.push(path)
    aws.hooks.remove(broken)
    s3, bucket = aws.client("s3"), f"retail-demo-dev-raw-{aws.account}"
    (upload,) = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    mirror.push(path)
    assert body(aws, path) == path.read_bytes()


def test_a_connection_that_is_cut_during_a_part_is_made_again(
    mirror: Mirror, write: Callable[..., Path], aws: Emulator
) -> None:
    path, cut = write(size=20 * MB), []

    def hang_up(request: Request) -> Response | None:
        if is_part(request) and len(cut) < 2:
            cut.append(request)
            return HANG_UP
        return None

    aws.answer(hang_up)
    mirror.push(path)
    assert len(cut) == 2
    assert body(aws, path) == path.read_bytes()


def test_a_lost_answer_to_the_end_of_an_upload_is_not_a_failure(
    mirror: Mirror, write: Callable[..., Path], aws: Emulator
) -> None:
    path = write(size=20 * MB)
    told: list[Request] = []

    def finish_unheard(request: Request) -> Response | None:
        """S3 joins the parts, its answer is lost, and the SDK asks for the same upload again."""
        if request.method == "POST" and "uploadId=" in request.query and not told:
            told.append(request)
            s3, upload = aws.client("s3"), request.query.partition("uploadId=")[2]
            where = {"Bucket": f"retail-demo-dev-raw-{aws.account}", "Key": "k/a.csv", "UploadId": upload}
            parts = [
                {"PartNumber": each["PartNumber"], "ETag": each["ETag"]} for each in s3.list_parts(**where)["Parts"]
            ]
            s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
            return failing("InternalError", 500)
        return None

    aws.answer(finish_unheard)
    (sent,) = mirror.push(path)
    assert told and sent.version not in ("", "null")
    assert body(aws, path) == path.read_bytes()


def test_a_file_that_changes_on_its_way_is_refused_and_leaves_nothing(
    mirror: Mirror, write: Callable[..., Path], aws: Emulator
) -> None:
    for size in (100, 20 * MB):
        path = write(f"k/{size}.csv", size)
        with pytest.raises(DataError, match="changed while it was uploaded"):
            mirror.push(path, Silent(), {path: "0" * 64})
        assert not mirror.exists(path)
    assert "Uploads" not in aws.client("s3").list_multipart_uploads(Bucket=f"retail-demo-dev-raw-{aws.account}")


def test_a_part_that_arrives_otherwise_is_refused_by_s3_and_told(
    mirror: Mirror, write: Callable[..., Path], aws: Emulator, seen: list[Request]
) -> None:
    path = write(size=20 * MB)
    aws.answer(lambda request: failing("BadDigest", 400) if is_part(request) else None)
    with pytest.raises(TargetFailed, match="BadDigest"):
        mirror.push(path)
    digests = {each.headers.get("X_AMZ_CHECKSUM_SHA256") for each in seen if is_part(each)}
    assert None not in digests, "every part carries its checksum"


def test_an_object_with_a_wrong_checksum_never_lands(mirror: Mirror, write: Callable[..., Path], aws: Emulator) -> None:
    path = write()
    mirror.push(path)
    path.unlink()
    tries = []

    def spoilt(request: Request) -> Response | None:
        if request.method == "GET" and request.path.endswith("a.csv"):
            tries.append(request)
            return Response(b"x" * 100, 200, {"x-amz-meta-sha256": "0" * 64, "Content-Type": "text/csv"})
        return None

    aws.answer(spoilt)
    with pytest.raises(TargetFailed, match="doesn't have the checksum"):
        mirror.fetch(path)
    assert len(tries) == 4
    assert list(path.parent.iterdir()) == [], "not even a part of it"
    aws.hooks.remove(spoilt)
    assert mirror.fetch(path).stat().st_size == 100


def test_a_download_that_breaks_off_is_tried_again(mirror: Mirror, write: Callable[..., Path], aws: Emulator) -> None:
    path = write()
    content = path.read_bytes()
    mirror.push(path)
    path.unlink()
    broken = []

    def break_off(request: Request) -> Response | None:
        if request.method == "GET" and request.path.endswith("a.csv") and len(broken) < 2:
            broken.append(request)
            return Response(content[:40], 200, {"Content-Length": "100"})
        return None

    aws.answer(break_off)
    assert mirror.fetch(path).read_bytes() == content
    assert len(broken) == 2


def test_nothing_there_and_no_bucket_say_what_to_do(mirror: Mirror, aws: Emulator) -> None:
    with pytest.raises(NotReady, match="isn't there"):
        mirror.fetch(mirror.folder("raw", "nothing"))
    aws.client("s3").delete_bucket(Bucket=f"retail-demo-dev-raw-{aws.account}")
    with pytest.raises(NotReady) as told:
        mirror.listing(mirror.folder("raw", "nothing"))
    assert "retailops infra up" in told.value.fix


def test_a_dataset_is_made_of_the_places_where_its_job_wrote(mirror: Mirror, aws: Emulator) -> None:
    dataset = mirror.folder("gold", "datasets", "v1")
    assert mirror.places(dataset) == [(".", mirror.uri(dataset))], "not published yet"
    outputs = mirror.outputs("etl-k")
    assert outputs["silver"] == f"s3://retail-demo-dev-silver-{aws.account}/jobs/etl-k"
    s3 = aws.client("s3")
    for zone in outputs:
        s3.put_object(Bucket=f"retail-demo-dev-{zone}-{aws.account}", Key="jobs/etl-k/x/p.parquet", Body=zone.encode())
    for name, content in (("manifest.json", {}), (PLACES, outputs)):
        dataset.mkdir(parents=True, exist_ok=True)
        (dataset / name).write_text(json.dumps(content))
        mirror.push(dataset / name)
    assert mirror.places(dataset) == [*outputs.items(), (".", mirror.uri(dataset))]
    assert mirror.places(dataset / "gold") == [(".", outputs["gold"])]
    assert mirror.places(dataset / "gold" / "x") == [(".", f"{outputs['gold']}/x")]
    assert mirror.places(dataset / "manifest.json") == [(".", mirror.uri(dataset / "manifest.json"))]
    mirror.fetch(dataset)
    assert (dataset / "silver" / "x" / "p.parquet").read_bytes() == b"silver"
    assert (dataset / "quarantine" / "x" / "p.parquet").read_bytes() == b"quarantine"
