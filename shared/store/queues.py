"""Queues ``inbound``, ``polls``, ``outbound`` and ``webhooks``: doorbells. The messages' form is ``model.doorbell``."""

from __future__ import annotations

import math

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.queue import QueueServiceClient, TextBase64EncodePolicy

from shared import trace
from shared.errors import StoreUnavailable
from shared.model.doorbell import InboundBell, OutboundBell, PollBell, WebhookBell

QUEUES = ("inbound", "polls", "outbound", "webhooks")

FOREVER = -1
"""Time to live: a bell that is not heard for a week must not fall silent."""


LONGEST_DELAY = 7 * 24 * 60 * 60
"""Seconds that a message may be hidden (learn.microsoft.com/rest/api/storageservices/put-message)."""


class AzureQueues:
    """Azure Queue Storage and Azurite. Base64, as host.json's ``messageEncoding`` says."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._clients = {
            name: service.get_queue_client(name, message_encode_policy=TextBase64EncodePolicy()) for name in QUEUES
        }

    def create(self) -> None:
        """Make the queues that are missing: for local runs; in Azure, Bicep makes them."""
        for client in self._clients.values():
            try:
                client.create_queue()
            except ResourceExistsError:
                continue
            except AzureError as error:
                raise _unavailable(error) from error

    def ring_inbound(self, tenant: str, mailbox: str, id: str) -> None:
        """See ``ports.Queues.ring_inbound``."""
        self._send("inbound", InboundBell(tenant, mailbox, id).encode())

    def ring_poll(self, tenant: str, mailbox: str) -> None:
        """See ``ports.Queues.ring_poll``."""
        self._send("polls", PollBell(tenant, mailbox).encode())

    def ring_outbound(self, tenant: str, incident: int, note: int, delay: float = 0) -> None:
        """See ``ports.Queues.ring_outbound``."""
        bell = OutboundBell(tenant, incident, note, trace.cause())
        self._send("outbound", bell.encode(), min(math.ceil(delay), LONGEST_DELAY))

    def ring_webhook(self, tenant: str, event: str, delay: float = 0) -> None:
        """See ``ports.Queues.ring_webhook``."""
        self._send("webhooks", WebhookBell(tenant, event, trace.cause()).encode(), min(math.ceil(delay), LONGEST_DELAY))

    def _send(self, queue: str, text: str, delay: int = 0) -> None:
        try:
            self._clients[queue].send_message(text, time_to_live=FOREVER, visibility_timeout=delay)
        except AzureError as error:
            raise _unavailable(error) from error


def _unavailable(error: AzureError) -> StoreUnavailable:
    status = getattr(error, "status_code", None)
    return StoreUnavailable(f"Queue storage: {type(error).__name__}{f' {status}' if status else ''}")
