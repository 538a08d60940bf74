"""What only one of the clouds has: preconditions, parts, signatures that expire, tokens, a hash of their own."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import urllib.parse
from contextlib import ExitStack, asynccontextmanager

import pytest

from daemon.forward.destinations import DONE, Verdict, s3
from daemon.forward.destinations.dropbox import content_hash
from daemon.forward.destinations.files import Content
from tests.daemon.forward.destinations import records
from tests.daemon.forward.destinations.cases import DropboxCase, GcsCase
from tests.daemon.forward.destinations.dropbox_server import Account
from tests.daemon.forward.destinations.dropbox_server import content_hash as their_hash
from tests.daemon.forward.destinations.servers import AzureCase, S3Case
from tests.daemon.forward.faults_proxy import Faults, FaultsProxy

pytestmark = pytest.mark.timeout(400)  # the first one installs azurite


def module_case(kind):
    @pytest.fixture(scope="module")
    def started(tmp_path_factory):
        with ExitStack() as stack:
            yield kind(tmp_path_factory.mktemp(kind.kind), stack)

    return started


moto, azurite, gcs, dropbox = map(module_case, (S3Case, AzureCase, GcsCase, DropboxCase))


@asynccontextmanager
async def opened(case, place, port=None, **more):
    case.credentials(place.credentials)
    destination = case.destination(place, port, **more)
    try:
        yield destination
    finally:
        await destination.close()


def seal(destination, some, number):
    return destination.seal(records.key(number), some[: destination.gather(some)])


# -- S3 --------------------------------------------------------------------------------------------------------


async def test_s3_never_replaces_an_object(moto, place):
    async with opened(moto, place) as destination:
        sealed = seal(destination, [records.metrics(1)], 101)
        moto.client.put_object(Bucket="records", Key=sealed.path, Body=b"there before")

        assert await destination.send(sealed) == DONE
        assert moto.files()[sealed.path] == b"there before"


async def test_s3_objects_carry_their_checksum(moto, place):
    async with opened(moto, place) as destination:
        sealed = seal(destination, [records.metrics(1)], 102)
        await destination.send(sealed)
    head = moto.client.head_object(Bucket="records", Key=sealed.path, ChecksumMode="ENABLED")

    assert base64.b64decode(head["ChecksumSHA256"]) == hashlib.sha256(sealed.data).digest()


async def test_s3_sends_large_reports_in_parts_and_leaves_none_lying(moto, place):
    report, data = records.report(103, place, 12_000_000)
    async with FaultsProxy("127.0.0.1", moto.port) as proxy, opened(moto, place, proxy.port) as destination:
        sealed = seal(destination, [report], 103)
        proxy.faults = Faults(reset_after_bytes=3_000_000)  # in a part
        cut = await destination.send(sealed)
        proxy.faults = Faults()

        assert cut.verdict is Verdict.AGAIN
        assert not moto.arrived_file(sealed)
        assert (await destination.send(sealed)).verdict is Verdict.DONE
        assert moto.arrived_file(sealed) == [data]
    name = next(name for name in moto.files() if sealed.key in name and name.endswith(".pdf"))
    assert moto.client.head_object(Bucket="records", Key=name)["ETag"].endswith('-3"')  # of three parts
    assert not moto.client.list_multipart_uploads(Bucket="records").get("Uploads")


@pytest.mark.parametrize(
    ("options", "said"),
    [({"bucket": "elsewhere"}, "no such bucket"), ({"access_key": "AKIAUNKNOWN"}, "access key")],
)
async def test_s3_says_what_a_person_must_mend(moto, place, options, said):
    async with opened(moto, place, **options) as destination:
        outcome = await destination.send(seal(destination, [records.metrics(1)], 104))

    assert outcome.verdict is Verdict.PARKED
    assert said in outcome.reason


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (400, "EntityTooLarge", Verdict.SPLIT),
        (400, "BadDigest", Verdict.AGAIN),
        (400, "RequestTimeout", Verdict.AGAIN),
        (400, "InvalidArgument", Verdict.REFUSED),
        (403, "ExpiredToken", Verdict.PARKED),
        (403, "RequestTimeTooSkewed", Verdict.PARKED),
        (403, "SignatureDoesNotMatch", Verdict.PARKED),
        (403, "SomethingNew", Verdict.PARKED),
        (301, "PermanentRedirect", Verdict.PARKED),
        (409, "ConditionalRequestConflict", Verdict.AGAIN),
        (503, "SlowDown", Verdict.WAIT),
        (500, "InternalError", Verdict.AGAIN),
        (0, "", Verdict.AGAIN),
    ],
)
def test_s3_codes(status, code, verdict):
    reply = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}}}

    assert s3._refused(reply).verdict is verdict


# -- Azure -----------------------------------------------------------------------------------------------------


def shared_access(case, *, days):
    """An account's shared access signature, as documented: may create and write blobs until so many days from now."""
    said = {
        "sv": "2021-08-06",
        "ss": "b",
        "srt": "o",
        "sp": "cw",
        "st": "",
        "se": (dt.datetime.now(dt.UTC) + dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "spr": "https,http",
    }
    parts = [
        case.account,
        said["sp"],
        said["ss"],
        said["srt"],
        said["st"],
        said["se"],
        "",
        said["spr"],
        said["sv"],
        "",
    ]
    mac = hmac.digest(
        base64.b64decode(case.key), "".join(f"{part}\n" for part in parts).encode(), hashlib.sha256
    )
    return "?" + urllib.parse.urlencode(
        {k: v for k, v in said.items() if v} | {"sig": base64.b64encode(mac).decode()}
    )


def with_signature(case, place, *, days):
    (place.credentials / "sas").write_text(shared_access(case, days=days))
    options = {**case.options(case.port), "sas_file": "sas"}
    options.pop("key_file")
    from daemon.forward.destinations.kinds import make

    return make("azure", options, place)


async def test_azure_takes_a_shared_access_signature_and_parks_when_it_has_expired(azurite, place):
    good, expired = with_signature(azurite, place, days=1), None
    sealed = seal(good, [records.metrics(1)], 201)
    assert await good.send(sealed) == DONE
    assert azurite.arrived(sealed) == [sealed.data]
    expired = with_signature(azurite, place, days=-1)
    outcome = await expired.send(seal(expired, [records.metrics(2)], 202))

    assert outcome.verdict is Verdict.PARKED
    assert "sig=" not in outcome.reason


async def test_azure_without_its_container_parks(azurite, place):
    async with opened(azurite, place, container="elsewhere") as destination:
        outcome = await destination.send(seal(destination, [records.metrics(1)], 203))

    assert outcome.verdict is Verdict.PARKED
    assert "container" in outcome.reason


async def test_azure_never_replaces_a_blob(azurite, place):
    async with opened(azurite, place) as destination:
        sealed = seal(destination, [records.metrics(1)], 204)
        assert await destination.send(sealed) == DONE
        other = type(sealed)(**{n: getattr(sealed, n) for n in sealed.__slots__} | {"data": b"other bytes"})

        assert await destination.send(other) == DONE
        assert azurite.arrived(sealed) == [sealed.data]


# -- Google ----------------------------------------------------------------------------------------------------


async def test_gcs_creates_only_what_is_not_there(gcs, place):
    async with opened(gcs, place) as destination:
        sealed = seal(destination, [records.metrics(1)], 301)
        gcs.bucket.objects[sealed.path] = b"there before"

        assert await destination.send(sealed) == DONE
        assert gcs.arrived(sealed) == [b"there before"]


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (400, Verdict.REFUSED),
        (403, Verdict.PARKED),
        (408, Verdict.WAIT),
        (413, Verdict.SPLIT),
        (429, Verdict.WAIT),
        (500, Verdict.AGAIN),
        (503, Verdict.AGAIN),
    ],
)
async def test_gcs_replies(gcs, place, status, verdict):
    async with opened(gcs, place) as destination:
        gcs.bucket.replies = [status]
        puts = gcs.bucket.puts
        outcome = await destination.send(seal(destination, [records.metrics(1)], 302))

    assert outcome.verdict is verdict
    assert gcs.bucket.puts == puts + 1  # trying again is the forwarder's part


async def test_gcs_without_its_bucket_parks(gcs, place):
    async with opened(gcs, place, bucket="elsewhere") as destination:
        outcome = await destination.send(seal(destination, [records.metrics(1)], 303))

    assert outcome.verdict is Verdict.PARKED


# -- Dropbox ---------------------------------------------------------------------------------------------------


@pytest.fixture
def account(dropbox):
    """The account as new."""
    vars(dropbox.account).update(vars(Account()))
    return dropbox.account


async def test_dropbox_compares_what_is_there_already(dropbox, account, place):
    async with opened(dropbox, place) as destination:
        sealed = seal(destination, [records.metrics(1)], 401)
        account.files[f"/vitald/{sealed.path}".lower()] = sealed.data
        same = await destination.send(sealed)
        account.files[f"/vitald/{sealed.path}".lower()] = b"another file of that name"
        another = await destination.send(sealed)

    assert same == DONE
    assert another.verdict is Verdict.REFUSED


async def test_dropbox_renews_a_token_that_has_expired(dropbox, account, place):
    async with opened(dropbox, place) as destination:
        assert await destination.send(seal(destination, [records.metrics(1)], 402)) == DONE
        account.valid.clear()
        assert await destination.send(seal(destination, [records.metrics(2)], 403)) == DONE

    assert account.renewed == 2


@pytest.mark.parametrize(
    ("status", "headers", "text", "verdict", "wait_s"),
    [
        (409, {}, '{"error_summary": "path/insufficient_space/."}', Verdict.WAIT, 60),
        (409, {}, '{"error_summary": "path/too_many_write_operations/."}', Verdict.WAIT, 1),
        (409, {}, '{"error_summary": "path/no_write_permission/."}', Verdict.PARKED, 0),
        (409, {}, '{"error_summary": "payload_too_large/."}', Verdict.SPLIT, 0),
        (409, {}, '{"error_summary": "path/disallowed_name/."}', Verdict.REFUSED, 0),
        (409, {}, "no JSON", Verdict.REFUSED, 0),
        (429, {"Retry-After": "30"}, "", Verdict.WAIT, 30),
        (200, {}, "<html>welcome to our network</html>", Verdict.AGAIN, 0),
        (400, {}, "", Verdict.REFUSED, 0),
        (403, {}, "", Verdict.PARKED, 0),
        (500, {}, "", Verdict.AGAIN, 0),
    ],
)
async def test_dropbox_replies(dropbox, account, place, status, headers, text, verdict, wait_s):
    async with opened(dropbox, place) as destination:
        account.replies = [(status, headers, text)]
        outcome = await destination.send(seal(destination, [records.metrics(1)], 404))

    assert (outcome.verdict, outcome.wait_s) == (verdict, wait_s)


@pytest.mark.parametrize("size", [0, 1, 4 * 1024 * 1024, 4 * 1024 * 1024 + 1, 9_000_000])
def test_dropbox_content_hash_is_the_documented_one(size):
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]

    assert content_hash(Content(size, "", data)) == their_hash(data)


@pytest.mark.parametrize("text", ["no JSON", "{}", "[]", '{"refresh_token": "x"}'])
async def test_dropbox_parks_on_a_credential_that_is_none(dropbox, account, place, text):
    async with opened(dropbox, place) as destination:
        (place.credentials / "dropbox.json").write_text(text)
        outcome = await destination.send(seal(destination, [records.metrics(1)], 405))

    assert outcome.verdict is Verdict.PARKED
    assert "refresh_token" in outcome.reason
