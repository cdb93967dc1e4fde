"""Files in S3, as `workbench.log.files` has them in folders."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.aws.session import Session, said
from workbench.errors import StoreError


class S3Files:
    """Objects in S3."""

    def __init__(self, session: Session) -> None:
        import awswrangler as wr  # which takes a second

        self._s3, self._session = wr.s3, session

    def list(self, top: str) -> list[str]:
        """List the objects below a prefix."""
        with _refusing(top, "s3:ListBucket"):
            return [key[len(top) :] for key in self._s3.list_objects(top, boto3_session=self._session)]

    @contextmanager
    def opened(self, name: str) -> Iterator[Path]:
        """Bring an object here for a moment."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name.rpartition("/")[2])
            with _refusing(name, "s3:GetObject"):
                self._s3.download(name, str(path), boto3_session=self._session)
            yield path

    def put(self, path: Path, name: str) -> None:
        """Upload a file."""
        with _refusing(name, "s3:PutObject"):
            self._s3.upload(str(path), name, boto3_session=self._session)

    def remove(self, place: str, *, first: str) -> None:
        """Remove a prefix, and before all else the object by which it is found."""
        with _refusing(place, "s3:DeleteObject"):
            self._s3.delete_objects([place + first], boto3_session=self._session)
            self._s3.delete_objects(place, boto3_session=self._session)


@contextmanager
def _refusing(place: str, permission: str) -> Iterator[None]:
    """Say in a line what S3 refused."""
    from awswrangler.exceptions import ServiceApiError
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError, ServiceApiError) as error:
        raise StoreError(f"{place}: {said(error)}; the permission is {permission}") from error
