"""Reports: a file and what it says, multipart."""

from __future__ import annotations

import hashlib
import uuid

from aiohttp import BodyPartReader

from daemon.contracts.box import v1 as box
from daemon.contracts.faults import BadMessage
from daemon.contracts.rest.v1 import ReportMetadata, Uploaded
from daemon.contracts.seeds import body_of
from tests.cloud import rows
from tests.cloud.api.calls import Call, Refused, parsed
from tests.cloud.ingest import keep
from tests.cloud.state import MAX_REPORT


async def upload(call: Call) -> Uploaded:
    parts = await _parts(call)
    for name in ("file", "metadata"):
        if name not in parts:
            raise BadMessage(name, "Field required")
    said = parsed(ReportMetadata, parts["metadata"])
    file = parts["file"]
    sha256 = hashlib.sha256(file).hexdigest()
    report_id = str(uuid.uuid4()) if not call.key else f"report_{call.key}"
    key = call.key
    if said.vitald:
        told = body_of(said.vitald[0], box.Report)
        if told.sha256 != sha256:
            raise BadMessage("file", "is not the one that the metadata speak of")
        report_id, key = told.report_id, said.vitald[0].key
    session = await rows.session_of(call.db, call.user_id, said.session_id) if said.session_id else ""
    await rows.session_seen(call.db, call.user_id, session, said.device_serial)
    place = rows.Place(call.state.key_or_new(key), call.user_id, said.device_serial, session, said.timestamp)
    await rows.store(call.db, [rows.report(place, report_id, said.report.model_dump(), sha256)])
    await rows.report_file(call.db, report_id, sha256, file)
    await keep(call.db, said.vitald or (), call.way)
    return Uploaded(report_id=report_id, url=f"{call.request.url.origin()}/reports/{report_id}")


async def _parts(call: Call) -> dict[str, bytes]:
    if call.request.content_type != "multipart/form-data":
        raise Refused(415, "multipart/form-data is wanted")
    parts: dict[str, bytes] = {}
    reader = await call.request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise Refused(400, "not a plain form")
        content = bytearray()
        while chunk := await part.read_chunk():
            content += chunk
            if len(content) > MAX_REPORT:
                raise Refused(413, "too large")
        parts[part.name] = bytes(part.decode(bytes(content)))
    return parts
