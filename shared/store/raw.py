"""Blobs: untouched originals, attachments, and note bodies and cursors that are too long for a row. Written once, never
changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Protocol

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

from shared.errors import StoreUnavailable

CONTAINERS = ("raw", "attachments", "bodies", "cursors")


class Blobs(Protocol):
    """Write-once bytes by container and name. Raises ``StoreUnavailable``."""

    def write(self, container: str, name: str, content: bytes) -> bool:
        """Store; if the name is taken, what is there stays. Whether it was stored."""
        ...

    def read(self, container: str, name: str) -> bytes | None: ...

    def delete(self, container: str, name: str) -> None:
        """Remove it; nothing if it is not there."""
        ...

    def names(self, container: str, prefix: str) -> Iterator[str]:
        """Of all that begin so."""
        ...


class AzureBlobs:
    """Azure Blob Storage and Azurite."""

    def __init__(self, service: BlobServiceClient) -> None:
        self._service = service

    def create(self) -> None:
        """Make the containers that are missing: for local runs; in Azure, Bicep makes them."""
        for name in CONTAINERS:
            try:
                self._service.create_container(name)
            except ResourceExistsError:
                continue
            except AzureError as error:
                raise _unavailable(error) from error

    def write(self, container: str, name: str, content: bytes) -> bool:
        """See ``Blobs.write``."""
        try:
            self._service.get_blob_client(container, name).upload_blob(content, overwrite=False)
        except ResourceExistsError:
            return False
        except AzureError as error:
            raise _unavailable(error) from error
        return True

    def read(self, container: str, name: str) -> bytes | None:
        """See ``Blobs.read``."""
        try:
            return self._service.get_blob_client(container, name).download_blob().readall()
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise _unavailable(error) from error

    def delete(self, container: str, name: str) -> None:
        """See ``Blobs.delete``."""
        try:
            self._service.get_blob_client(container, name).delete_blob()
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise _unavailable(error) from error

    def names(self, container: str, prefix: str) -> Iterator[str]:
        """See ``Blobs.names``."""
        try:
            yield from self._service.get_container_client(container).list_blob_names(name_starts_with=prefix)
        except AzureError as error:
            raise _unavailable(error) from error


class StoredRawMail:
    """``ports.RawMail`` on blobs: ``raw/<tenant>/<id>.eml`` and ``attachments/<tenant>/<sha256>``."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def keep(self, tenant: str, id: str, raw: bytes) -> str:
        """See ``ports.RawMail.keep``."""
        if not self._blobs.write("raw", f"{tenant}/{id}.eml", raw):
            # A poll that was cut off stored it before; Exchange makes a mail's bytes anew at each download, so what
            # counts is what is there.
            raw = self._blobs.read("raw", f"{tenant}/{id}.eml") or raw
        return hashlib.sha256(raw).hexdigest()

    def discard(self, tenant: str, id: str) -> None:
        """See ``ports.RawMail.discard``."""
        self._blobs.delete("raw", f"{tenant}/{id}.eml")

    def get(self, tenant: str, id: str) -> bytes | None:
        """See ``ports.RawMail.get``."""
        return self._blobs.read("raw", f"{tenant}/{id}.eml")

    def keep_attachment(self, tenant: str, sha256: str, content: bytes) -> None:
        """See ``ports.RawMail.keep_attachment``."""
        self._blobs.write("attachments", f"{tenant}/{sha256}", content)

    def attachment(self, tenant: str, sha256: str) -> bytes | None:
        """See ``ports.RawMail.attachment``."""
        return self._blobs.read("attachments", f"{tenant}/{sha256}")


def _unavailable(error: AzureError) -> StoreUnavailable:
    status = getattr(error, "status_code", None)
    return StoreUnavailable(f"Blob storage: {type(error).__name__}{f' {status}' if status else ''}")
