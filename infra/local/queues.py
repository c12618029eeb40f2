"""The queue pump: takes messages for one queue-triggered function, as the Azure Functions host does.

Source: QueueListener and QueueProcessor of azure-webjobs-sdk, and host.json's reference for "queues". A
message is hidden while its function runs; success deletes it, failure shows it again after visibilityTimeout,
and after maxDequeueCount failures it goes to `<queue>-poison`.
"""

import base64
import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, Self

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.functions.meta import Datum
from azure.functions.queue import QueueMessageInConverter
from azure.storage.queue import QueueClient, QueueMessage

from infra.local.functions import LocalFunction, seconds
from infra.local.outage import Outage

log = logging.getLogger("host")

HIDDEN_SECONDS = 600  # a message is invisible for 10 min while its function runs ...
RENEW_SECONDS = 300  # ... and hidden again every 5 min (QueueListener)
FIRST_DELAY_SECONDS = 0.1  # an empty queue is asked again after 100 ms, doubling to maxPollingInterval
SETTLE_SECONDS = 60  # a finished function's message is worth this much patience with an absent storage
# Without these the SDK waits minutes on a storage that is away; the pump does its own waiting.
IMPATIENT: dict[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 30}


@dataclass(frozen=True)
class QueueOptions:
    """host.json's extensions.queues; the defaults are Azure's."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: float = 0.0  # seconds until a failed message is tried again
    max_polling_interval: float = 60.0  # seconds
    base64: bool = True

    @classmethod
    def read(cls, host_json: Mapping[str, Any]) -> Self:
        """The options that host.json names; the others keep Azure's defaults."""
        given = host_json.get("extensions", {}).get("queues", {})
        batch_size = int(given.get("batchSize", cls.batch_size))
        return cls(
            batch_size=batch_size,
            new_batch_threshold=int(given.get("newBatchThreshold", batch_size // 2)),
            max_dequeue_count=int(given.get("maxDequeueCount", cls.max_dequeue_count)),
            visibility_timeout=seconds(given.get("visibilityTimeout", "00:00:00")),
            max_polling_interval=seconds(given.get("maxPollingInterval", "00:01:00")),
            base64=given.get("messageEncoding", "base64").lower() == "base64",
        )

    @property
    def at_once(self) -> int:
        """The most messages of one queue that are worked on at the same time."""
        return self.batch_size + self.new_batch_threshold


@dataclass
class Delivery:
    """A message in work. The lock guards its pop receipt, which each renewal replaces."""

    message: QueueMessage
    renew_at: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    work: Future[None] | None = None
    settled: bool = False


class QueuePump:
    """Carries the messages of one queue to one function until stopped. Survives any failure of either."""

    def __init__(
        self,
        function: LocalFunction,
        connection_string: str,
        options: QueueOptions,
        pool: Executor,
        outage: Outage,
        *,
        hidden_seconds: int = HIDDEN_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self.queue = str(function.trigger["queueName"])
        self._function = function
        self._connection_string = connection_string
        self._options = options
        self._pool = pool
        self._outage = outage
        self._hidden_seconds = hidden_seconds
        self._renew_seconds = renew_seconds
        self._client = self._open(self.queue)
        self._running: dict[str, Delivery] = {}
        self._stopping = False
        self._wake = threading.Event()  # set when a function has finished and when stopping
        self._thread = threading.Thread(target=self._pump, name=f"queue {self.queue}", daemon=True)

    def start(self) -> None:
        """Begin to take messages, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more; give back at once what was taken and has not begun."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        for delivery in list(self._running.values()):
            if delivery.work and delivery.work.cancel():
                self._settle(delivery, lambda message: self._show_again(message, 0))
                del self._running[str(delivery.message.id)]

    def idle(self) -> bool:
        """Whether no function is at work on a message of this queue."""
        return not self._running

    def _open(self, queue: str) -> QueueClient:
        return QueueClient.from_connection_string(self._connection_string, queue, **IMPATIENT)

    def _pump(self) -> None:
        delay = FIRST_DELAY_SECONDS
        while True:
            self._wake.clear()  # before the question, or a stop in between would go unheard
            if self._stopping:
                return
            if len(self._running) > self._options.new_batch_threshold:
                self._wake.wait(1.0)
            elif self._take_batch():
                delay = FIRST_DELAY_SECONDS
            else:
                self._wake.wait(delay)
                delay = min(delay * 2, self._options.max_polling_interval)
            self._renew()

    def _take_batch(self) -> int:
        """Take up to batchSize messages and set the function to work on them; how many there were."""
        try:
            pages = self._client.receive_messages(
                messages_per_page=self._options.batch_size, visibility_timeout=self._hidden_seconds
            ).by_page()
            batch = list(next(pages))
            self._outage.back(self.queue)
        except (StopIteration, ResourceNotFoundError):  # a queue that nobody has made yet is an empty one
            self._outage.back(self.queue)
            return 0
        except AzureError as error:
            self._outage.lost(self.queue, error)
            return 0
        for message in batch:
            delivery = Delivery(message, time.monotonic() + self._renew_seconds)
            self._running[str(message.id)] = delivery
            delivery.work = self._pool.submit(self._work, delivery)
        return len(batch)

    def _work(self, delivery: Delivery) -> None:
        message = delivery.message
        try:
            self._settle(delivery, self._outcome(message))
        finally:
            del self._running[str(message.id)]
            self._wake.set()

    def _outcome(self, message: QueueMessage) -> Callable[[QueueMessage], None]:
        """Run the function; what is to be done with its message then."""
        attempt, most = int(message.dequeue_count or 1), self._options.max_dequeue_count
        if attempt > most and not self._is_poison_queue():  # the host died during the last attempts
            return self._poison
        try:
            value = self._decode(message)
        except ValueError:  # no later attempt can read it either
            log.error("queue %s: message %s is not base64, as host.json says it is", self.queue, message.id)
            return self._poison
        try:
            self._function.invoke(value)
        except Exception:  # the host outlives its functions' failures; they are logged and tried again
            log.exception(
                "function %s failed on message %s, attempt %d of %d",
                self._function.name,
                message.id,
                attempt,
                most,
            )
        else:
            return lambda done: self._client.delete_message(done)
        if self._is_poison_queue():  # there is no poison queue behind a poison queue: it stays hidden, and comes back
            return lambda _: None
        if attempt >= most:
            return self._poison
        return lambda failed: self._show_again(failed, self._options.visibility_timeout)

    def _is_poison_queue(self) -> bool:
        return self.queue.endswith("-poison")

    def _decode(self, message: QueueMessage) -> object:
        text = str(message.content)
        if self._options.base64:
            text = base64.b64decode(text, validate=True).decode()
        times = {
            "InsertionTime": message.inserted_on,
            "ExpirationTime": message.expires_on,
            "NextVisibleTime": message.next_visible_on,
        }
        metadata = {
            "Id": Datum(str(message.id), "string"),
            "DequeueCount": Datum(str(message.dequeue_count), "string"),
            "PopReceipt": Datum(str(message.pop_receipt), "string"),
            **{name: Datum(json.dumps(at.isoformat()), "json") for name, at in times.items() if at},
        }
        return QueueMessageInConverter.decode(Datum(text, "string"), trigger_metadata=metadata)

    def _renew(self) -> None:
        """Hide the messages again whose functions run long."""
        for delivery in list(self._running.values()):
            if delivery.renew_at > time.monotonic():
                continue
            with delivery.lock:
                try:
                    if not delivery.settled:
                        self._show_again(delivery.message, self._hidden_seconds)
                    delivery.renew_at = time.monotonic() + self._renew_seconds
                except AzureError as error:
                    self._outage.lost(self.queue, error)  # the next round tries again

    def _show_again(self, message: QueueMessage, after_seconds: float) -> None:
        renewed = self._client.update_message(message, visibility_timeout=int(after_seconds))
        message.pop_receipt = renewed.pop_receipt

    def _poison(self, message: QueueMessage) -> None:
        poison = self._open(f"{self.queue}-poison")
        try:
            poison.send_message(message.content)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):  # another host was quicker
                poison.create_queue()
            poison.send_message(message.content)
        log.error("queue %s: message %s went to %s-poison", self.queue, message.id, self.queue)
        self._client.delete_message(message)

    def _settle(self, delivery: Delivery, action: Callable[[QueueMessage], None]) -> None:
        """Do `action`, with patience: a lost deletion would run the function again in ten minutes."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            with delivery.lock:
                try:
                    action(delivery.message)
                    delivery.settled = True
                    return
                except AzureError as error:
                    if isinstance(error, HttpResponseError) and (error.status_code or 500) < 500:
                        # Not ours any more: its time ran out and someone else has it, or it was deleted.
                        log.warning("queue %s: message %s: %s", self.queue, delivery.message.id, error.reason)
                        return
                    self._outage.lost(self.queue, error)
            if time.monotonic() > deadline:
                return
            time.sleep(0.5)
