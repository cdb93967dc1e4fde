"""Speaks to the OpenSearch domain: requests signed with the function's role, and documents written in bulk."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import get_session

from .documents import Document

LARGEST_BULK = 4_000_000  # bytes; the smallest instances take requests of 10 MB
_WAITS = (1, 2, 4)  # seconds before a busy domain is asked again
_BUSY = frozenset({429, 500, 502, 503, 504})


class Busy(Exception):
    """The domain cannot write now; the same request may do later."""


def call(method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> tuple[int, Any]:
    """Send a signed request, and return the status and the answer.

    Raises
    ------
    Busy
        Where there is no answer, or one that says to come again.
    """
    address = os.environ["ENDPOINT"] + path
    request = AWSRequest(method=method, url=address, data=body, headers={"Content-Type": kind})
    SigV4Auth(_credentials(), "es", os.environ["AWS_REGION"]).add_auth(request)
    sent = urllib.request.Request(address, body, dict(request.headers.items()), method=method)
    try:
        with urllib.request.urlopen(sent, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")
        if error.code in _BUSY:
            raise Busy(f"{error.code}: {said[:300]}") from error
        return error.code, said
    except OSError as error:
        raise Busy(f"{os.environ['ENDPOINT']}: {error}") from error


def write(documents: Sequence[Document]) -> dict[int, str]:
    """Write documents, and say which could not be, and why, by their place.

    A document older than the one that is there is passed over: whatever order changes come in, and however often, the
    last one of an item stays. One whose item does not fit the index's mapping is written with its image alone.

    Raises
    ------
    Busy
        Where the domain was busy again and again; some documents may have been written.
    """
    left = dict(enumerate(documents))
    refused = _write(left)
    again = {place: _without_item(left[place], why) for place, why in refused.items()}
    return _write(again)


def _write(documents: Mapping[int, Document]) -> dict[int, str]:
    refused: dict[int, str] = {}
    for bulk in _bulks(documents):
        refused |= _patiently(bulk)
    return refused


def _patiently(bulk: dict[int, bytes]) -> dict[int, str]:
    for wait in (*_WAITS, None):
        try:
            return _send(bulk)
        except Busy:
            if wait is None:
                raise
            time.sleep(wait)
    raise AssertionError


def _send(bulk: dict[int, bytes]) -> dict[int, str]:
    path = f"/{os.environ['INDEX']}-state/_bulk"
    status, answer = call("POST", path, b"".join(bulk.values()), "application/x-ndjson")
    if status != 200:
        raise RuntimeError(f"the domain refuses to write: {status}: {str(answer)[:500]}")
    refused = {}
    for place, item in zip(bulk, answer["items"], strict=True):
        told = item["index"]
        if told["status"] in _BUSY:
            raise Busy(str(told.get("error"))[:300])
        if told["status"] not in (200, 201, 409):  # 409: the document there is of a later change
            refused[place] = str(told.get("error"))[:300]
    return refused


def _bulks(documents: Mapping[int, Document]) -> Iterator[dict[int, bytes]]:
    bulk: dict[int, bytes] = {}
    size = 0
    for place, document in documents.items():
        act = {"index": {"_id": document.id, "version": document.version, "version_type": "external_gte"}}
        text = f"{json.dumps(act)}\n{json.dumps(document.body, ensure_ascii=False)}\n".encode()
        if bulk and size + len(text) > LARGEST_BULK:
            yield bulk
            bulk, size = {}, 0
        bulk[place] = text
        size += len(text)
    if bulk:
        yield bulk


def _without_item(document: Document, why: str) -> Document:
    return Document(document.id, document.version, document.body | {"item": None, "unsearchable": why})


def _credentials() -> Any:
    global _session
    _session = _session or get_session()
    return _session.get_credentials()


_session: Any = None
