"""Files in S3: listed, brought here, written whole or not at all, and removed.

>>> from workbench.aws import open_session
>>> files = S3Files(open_session(load_settings(region="eu-central-1")))  # doctest: +SKIP
>>> files.list("s3://bucket/data/")  # doctest: +SKIP
['2026/11/18/09/a.json.gz']

`S3Files` is what `workbench.log.files.Files` asks for, and more.
"""

from __future__ import annotations

import builtins
import glob
import mimetypes
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from workbench.aws.errors import error_code, explained
from workbench.errors import StoreError, WorkbenchError
from workbench.paths import already_there, split_s3_object, split_s3_uri

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class S3Files:
    """Objects in S3, by their addresses ``s3://bucket/key``.

    Parameters
    ----------
    raises
        The class of the errors, whose messages name the permission that is missing.
    """

    def __init__(self, session: boto3.Session, raises: type[WorkbenchError] = StoreError) -> None:
        self._session, self._raises = session, raises

    @cached_property
    def _client(self) -> S3Client:
        """One client, which threads may share; a session is none of what they may."""
        return self._session.client("s3")

    @cached_property
    def _s3(self) -> ModuleType:
        import awswrangler as wr  # which takes a second

        return wr.s3

    def list(self, top: str) -> list[str]:
        """List the objects below a prefix, which ends with ``/``, by their names from there on."""
        bucket, _ = split_s3_uri(top, self._raises)
        with explained(f"{top} cannot be listed", "s3:ListBucket", on=bucket, raises=self._raises):
            uris: builtins.list[str] = self._s3.list_objects(f"{glob.escape(top)}*", boto3_session=self._session)
            return [uri[len(top) :] for uri in uris]

    def exists(self, uri: str) -> bool:
        """Return whether an object is there."""
        with explained(f"{uri} cannot be looked for", "s3:GetObject", "s3:ListBucket", raises=self._raises):
            return bool(self._s3.does_object_exist(uri, boto3_session=self._session))

    @contextmanager
    def opened(self, name: str) -> Iterator[Path]:
        """Bring an object here for a moment."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name.rpartition("/")[2])
            self.download(name, path)
            yield path

    def download(self, uri: str, path: Path) -> None:
        """Bring an object here."""
        needed = ("s3:GetObject", "kms:Decrypt where a KMS key encrypts it")
        with explained(f"{uri} cannot be read", *needed, raises=self._raises):
            bucket, key = split_s3_object(uri)
            self._client.download_file(bucket, key, str(path), Config=TransferConfig(use_threads=False))

    def put(self, path: Path, name: str, *, overwrite: bool = True) -> None:
        """Upload a file, of 5 GB at most, whole; without `overwrite` only where there is no object yet.

        Raises
        ------
        ExportError
            Where one is there, and is not to be replaced.
        """
        bucket, key = split_s3_object(name)
        there = already_there(name)
        needed = ("s3:PutObject", "kms:GenerateDataKey where a KMS key encrypts it")
        # awswrangler's upload would hold the file in memory, and try a refused one again when it is forgotten.
        with (
            explained(f"{name} cannot be written", *needed, raises=self._raises, when={"PreconditionFailed": there}),
            path.open("rb") as body,
        ):
            if overwrite:
                self._client.put_object(Bucket=bucket, Key=key, Body=body, ContentType=_kind_of(name))
            else:
                self._client.put_object(Bucket=bucket, Key=key, Body=body, ContentType=_kind_of(name), IfNoneMatch="*")

    def version(self, uri: str) -> str | None:
        """Return by what an object as it is now is told from itself as it is later, for `replace`; None without one."""
        bucket, key = split_s3_object(uri)
        with explained(f"{uri} cannot be looked for", "s3:GetObject", "s3:ListBucket", raises=self._raises):
            try:
                return self._client.head_object(Bucket=bucket, Key=key)["ETag"]
            except ClientError as error:
                if error_code(error) in ("404", "NoSuchKey", "NotFound"):
                    return None
                raise

    def replace(self, uri: str, body: bytes, version: str | None) -> bool:
        """Put an object in the place of one that is still of a `version`; return False where it has changed since."""
        bucket, key = split_s3_object(uri)
        kind = _kind_of(uri)
        with explained(f"{uri} cannot be written", "s3:PutObject", raises=self._raises):
            try:
                if version:
                    self._client.put_object(Bucket=bucket, Key=key, Body=body, ContentType=kind, IfMatch=version)
                else:
                    self._client.put_object(Bucket=bucket, Key=key, Body=body, ContentType=kind, IfNoneMatch="*")
            except ClientError as error:
                # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
                if error_code(error) in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"):
                    return False
                raise
        return True

    def read(self, uri: str) -> bytes:
        """Return what an object holds."""
        bucket, key = split_s3_object(uri)
        with explained(f"{uri} cannot be read", "s3:GetObject", raises=self._raises):
            return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def remove(self, place: str, *, first: str = "") -> None:
        """Remove all objects below a prefix, and before all else the one by which it is found."""
        with explained(f"{place} cannot be removed", "s3:DeleteObject", raises=self._raises):
            if first:
                self._s3.delete_objects([place + first], boto3_session=self._session)
            self._s3.delete_objects(f"{glob.escape(place)}*", boto3_session=self._session)


def _kind_of(name: str) -> str:
    """Return what an object is, for a browser that opens it."""
    kind, encoding = mimetypes.guess_type(name)
    if not kind or encoding:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
