"""The SDKs' own transport, counting: each request to storage is money, retries too, and ``log`` tells how many."""

from __future__ import annotations

from typing import Any

from azure.core.pipeline.transport import RequestsTransport

from shared import log

BLOCK_BYTES = 256 * 1024
"""What the storage SDKs choose for their own transport; the default of azure-core is 4 KiB."""


class CountingTransport(RequestsTransport):  # type: ignore[misc]  # azure-core hides its type behind a lazy import
    """``limits``: the time-outs, which a client does not hand to a transport that it is given."""

    def __init__(self, limits: dict[str, Any]) -> None:
        times = {name: value for name, value in limits.items() if name.endswith("_timeout")}
        super().__init__(connection_data_block_size=BLOCK_BYTES, **times)

    def send(self, request: Any, **kwargs: Any) -> Any:
        """One request."""
        log.count("operations")
        return super().send(request, **kwargs)
