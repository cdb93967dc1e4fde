"""Moto's buckets as the query engine sees them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from moto.s3.models import FakeKey, s3_backends

ACCOUNT = "123456789012"


@dataclass(frozen=True)
class StoredObject:
    """An object by its path, with what tells that it has not changed."""

    path: str
    size: int
    etag: str


def split(path: str) -> tuple[str, str]:
    """Return the bucket and the key of ``s3://bucket/key``."""
    bucket, _, key = path.removeprefix("s3://").removeprefix("s3a://").partition("/")
    return bucket, key


def has_bucket(name: str) -> bool:
    """Tell whether there is a bucket."""
    return name in _backend().buckets


def listed(location: str) -> list[StoredObject]:
    """List the objects under a location, those left out that Hive takes for hidden."""
    bucket, prefix = split(location.rstrip("/") + "/")
    if not has_bucket(bucket):
        return []
    found = [
        (name, key)
        for name, key in list(_backend().buckets[bucket].keys.items())
        if isinstance(key, FakeKey) and name.startswith(prefix) and key.size
    ]
    return [
        StoredObject(f"s3://{bucket}/{name}", key.size, key.etag)
        for name, key in sorted(found)
        if not any(part.startswith(("_", ".")) for part in name[len(prefix) :].split("/"))
    ]


def load(path: str) -> bytes:
    """Return an object's bytes."""
    bucket, key = split(path)
    return bytes(_backend().buckets[bucket].keys[key].value)


def save(path: str, data: bytes) -> None:
    """Put an object."""
    bucket, key = split(path)
    _backend().put_object(bucket, key, data, etag=hashlib.md5(data).hexdigest())


def _backend() -> Any:
    return s3_backends[ACCOUNT]["aws"]
