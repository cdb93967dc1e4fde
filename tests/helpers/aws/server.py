"""AWS on one port of 127.0.0.1, for tests: moto, and in front of it an Athena that executes queries.

>>> with AwsServer() as aws:
...     aws.endpoint.startswith("http://127.0.0.1:")
True
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tests.helpers.aws.athena import ApiError, Athena, Query
from tests.helpers.aws.faults import Fault, Faults

_SCOPE = re.compile(r"Credential=[^/,]+/\d+/([^/]+)/([^/]+)/aws4_request")
_CONTENT = {"json": "application/x-amz-json-1.1", "xml": "application/xml"}
Answer = tuple[int, str, bytes]


class AwsServer:
    """S3, Glue, DynamoDB with Streams, STS, KMS, Kinesis, Firehose and CloudWatch by moto, and Athena.

    Attributes
    ----------
    endpoint
        The URL for ``endpoint_url=``; any credentials do.
    started
        Requests that reached StartQueryExecution: ``QueryString`` and the other parameters.
    stopped
        The ids that reached StopQueryExecution.
    requests
        (service, operation) of every request, such as ``("s3", "GetObject")``.
    workgroups
        By name, as GetWorkGroup has them; tests may change them.
    faults
        What is to go wrong; see `tests.helpers.aws.faults.Faults`.
    queries
        Every query by its id.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.requests: list[tuple[str, str]] = []
        self._athena = Athena(self.faults)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def endpoint(self) -> str:
        """The server's URL."""
        if self._server is None:
            raise RuntimeError("the server runs within `with AwsServer() as aws:`")
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def started(self) -> list[dict[str, Any]]:
        """The requests that reached StartQueryExecution, those among them that were refused there too."""
        return self._athena.started

    @property
    def stopped(self) -> list[str]:
        """The ids that reached StopQueryExecution."""
        return self._athena.stopped

    @property
    def workgroups(self) -> dict[str, dict[str, Any]]:
        """The workgroups."""
        return self._athena.workgroups

    @property
    def queries(self) -> dict[str, Query]:
        """The queries."""
        return self._athena.queries

    def reset(self) -> None:
        """Make all as it was at first: moto empty, no queries, no faults, one workgroup."""
        self.faults.clear()
        self._athena.clear()
        BackendDict.reset()
        reset_model_data()
        self.requests.clear()

    def __enter__(self) -> Self:
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.reset()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
        self._athena.close()
        BackendDict.reset()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        region, service = _scope(environ)
        operation, body = _operation(environ, service)
        self.requests.append((service, operation))
        path = f"s3:/{unquote(environ.get('PATH_INFO', ''))}" if service == "s3" else ""
        fault = self.faults.take("refused", operation)
        if fault is None and path:
            fault = self.faults.take("denied", operation, path)
        if fault:
            answer = _refusal(fault, service, environ)
        elif environ.get("HTTP_X_AMZ_TARGET", "").startswith("AmazonAthena."):
            answer = self._ask_athena(operation, body, region)
        else:
            return self._moto(environ, start_response)  # type: ignore[no-any-return]
        status, kind, content = answer
        start_response(
            f"{status} {'OK' if status == 200 else 'Error'}",
            [("Content-Type", kind), ("Content-Length", str(len(content))), ("x-amzn-RequestId", "0")],
        )
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else content]

    def _ask_athena(self, operation: str, body: bytes, region: str) -> Answer:
        try:
            found = self._athena.answer(operation, json.loads(body or b"{}"), region)
        except ApiError as error:
            return _json(400, {"__type": error.code, "message": str(error)})
        return _json(200, found)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # a connection serves many requests

    def log_request(self, *_: Any, **__: Any) -> None:
        pass


def _json(status: int, found: dict[str, Any]) -> Answer:
    return status, _CONTENT["json"], json.dumps(found, ensure_ascii=False).encode()


def _scope(environ: dict[str, Any]) -> tuple[str, str]:
    """Return the region and the service a request is signed for."""
    given = environ.get("HTTP_AUTHORIZATION", "") or unquote(environ.get("QUERY_STRING", "")).replace(
        "X-Amz-Credential=", "Credential="
    )
    found = _SCOPE.search(given)
    return (found[1], found[2]) if found else ("us-east-1", "")


def _operation(environ: dict[str, Any], service: str) -> tuple[str, bytes]:
    """Name a request's operation; the body is put back for whoever reads it next."""
    if service == "s3":
        return _s3_operation(environ), b""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return target.rpartition(".")[2], body
    action = parse_qs(body.decode("utf-8", "replace")).get("Action")
    return action[0] if action else environ.get("PATH_INFO", "").rpartition("/")[2], body


def _s3_operation(environ: dict[str, Any]) -> str:
    method: str = environ["REQUEST_METHOD"]
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    key = environ.get("PATH_INFO", "").lstrip("/").partition("/")[2]
    if "list-type" in query:
        return "ListObjectsV2"
    if method == "POST":
        return (
            "DeleteObjects"
            if "delete" in query
            else "CreateMultipartUpload"
            if "uploads" in query
            else "CompleteMultipartUpload"
        )
    part = next(
        (
            name
            for name in ("location", "versioning", "encryption", "policy", "tagging", "acl", "lifecycle")
            if name in query
        ),
        "",
    )
    if part:
        return f"{method.title()}{'Object' if key and part in ('tagging', 'acl') else 'Bucket'}{part.title()}"
    if "partNumber" in query and method == "PUT":
        return "UploadPart"
    if not key:
        return {
            "GET": "ListObjects" if environ.get("PATH_INFO", "/") != "/" else "ListBuckets",
            "PUT": "CreateBucket",
            "HEAD": "HeadBucket",
            "DELETE": "DeleteBucket",
        }.get(method, method)
    if method == "PUT" and "HTTP_X_AMZ_COPY_SOURCE" in environ:
        return "CopyObject"
    return f"{method.title()}Object"


def _refusal(fault: Fault, service: str, environ: dict[str, Any]) -> Answer:
    """Write an error in the protocol of the service."""
    if service != "s3" and environ.get("HTTP_X_AMZ_TARGET"):
        return _json(fault.status, {"__type": fault.code, "message": fault.message})
    error = f"<Error><Code>{fault.code.removesuffix('Exception')}</Code><Message>{escape(fault.message)}</Message>"
    if service == "s3":
        return fault.status, _CONTENT["xml"], f"{error}<RequestId>0</RequestId></Error>".encode()
    text = f"<ErrorResponse>{error}<Type>Sender</Type></Error><RequestId>0</RequestId></ErrorResponse>"
    return fault.status, _CONTENT["xml"], text.encode()
