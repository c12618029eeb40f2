"""The timers of the local host, as the Azure Functions host keeps them.

Source: TimerListener, ScheduleMonitor and StorageScheduleMonitor of azure-webjobs-sdk-extensions. A timer
runs on one host at a time (blob lease), never twice at once; ticks missed while it ran or while no host was
there become one run that is past due. When it last ran is kept in a status blob, unless it ticks more often
than once a minute.
"""

import contextlib
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.functions.meta import Datum
from azure.functions.timer import TimerRequestConverter
from azure.storage.blob import BlobClient, BlobLeaseClient, ContainerClient

from infra.local.functions import LocalFunction, next_tick
from infra.local.outage import Outage
from infra.local.queues import IMPATIENT

log = logging.getLogger("host")

CONTAINER = "azure-webjobs-hosts"  # the real host's, for the same purpose
LEASE_SECONDS = 60  # the longest a blob lease can be: how long a killed host's timers stay still elsewhere
RENEW_SECONDS = 30  # half of it
RETRY_SECONDS = 5.0  # how often a host without the lease asks for it
LATE_SECONDS = 1.0  # a tick is on time if it fires within this; past due otherwise
NEVER = datetime(1, 1, 1, tzinfo=UTC)  # how the host writes "has not run yet"
MONITORED = timedelta(minutes=1)  # timers that tick more often keep no status


class Lease:
    """The right to fire timers: held by one host at a time.

    `owner` names this host. A host that was killed and comes back under the same name has its lease again at
    once, because acquiring a lease again with its own id renews it
    (learn.microsoft.com/rest/api/storageservices/lease-blob).
    """

    def __init__(self, container: ContainerClient, app: str, owner: str) -> None:
        self._container = container
        self._blob = container.get_blob_client(f"locks/{app}/timers")
        self._client = BlobLeaseClient(self._blob, lease_id=str(uuid.uuid5(uuid.NAMESPACE_URL, owner)))
        self._renew_at = 0.0  # on the monotonic clock

    def hold(self) -> bool:
        """Whether the lease is ours, renewed if it was time. AzureError when the storage is away."""
        if time.monotonic() < self._renew_at:
            return True
        try:
            self._acquire()
        except ResourceExistsError:  # another host has it
            return False
        self._renew_at = time.monotonic() + RENEW_SECONDS
        return True

    def _acquire(self) -> None:
        try:
            self._client.acquire(LEASE_SECONDS)
        except ResourceNotFoundError:  # the first host of this storage
            with contextlib.suppress(ResourceExistsError):
                self._container.create_container()
            self._blob.upload_blob(b"")
            self._client.acquire(LEASE_SECONDS)

    def lose(self) -> None:
        """Forget it, so that the next hold() asks the storage."""
        self._renew_at = 0.0

    def release(self) -> None:
        """Give it back, for the next host."""
        if time.monotonic() < self._renew_at:
            self._client.release()
            self.lose()


@dataclass
class Timer:
    """One timer function and when it is to run next (UTC)."""

    function: LocalFunction
    due: datetime
    last: datetime = NEVER
    running: bool = False
    work: Future[None] | None = None

    @property
    def schedule(self) -> str:
        """NCRONTAB, seconds first."""
        return str(self.function.trigger["schedule"])

    @property
    def monitored(self) -> bool:
        """Whether its last run is kept in a status blob."""
        return next_tick(self.schedule, self.due) - self.due >= MONITORED

    def status(self, now: datetime) -> dict[str, str]:
        """What the status blob holds."""
        return {"Last": self.last.isoformat(), "Next": self.due.isoformat(), "LastUpdated": now.isoformat()}


class Timers:
    """Fires an app's timer functions until stopped. Survives any failure of theirs and of the storage."""

    def __init__(
        self,
        functions: Sequence[LocalFunction],
        connection_string: str,
        pool: Executor,
        outage: Outage,
        *,
        owner: str,
        app: str = "inbound",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._container = ContainerClient.from_connection_string(connection_string, CONTAINER, **IMPATIENT)
        self._app = app
        self._lease = Lease(self._container, app, owner)
        self._pool = pool
        self._outage = outage
        self._now = now
        self._timers = [Timer(function, now()) for function in functions]
        self._ready = False  # whether the lease is ours and the status blobs have been read since
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="timers", daemon=True)

    def start(self) -> None:
        """Begin to fire, in a thread of its own."""
        if self._timers:
            self._thread.start()

    def stop(self) -> None:
        """Fire no more, forget what was to run and has not begun, and give the lease back."""
        self._stopping.set()
        if self._timers:
            self._thread.join()
        for timer in self._timers:
            if timer.work and timer.work.cancel():
                timer.running = False

    def idle(self) -> bool:
        """Whether no timer function is at work."""
        return not any(timer.running for timer in self._timers)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self._round())
        try:
            self._lease.release()
        except AzureError:
            log.info("the timers' lease could not be given back; it ends by itself in %d s", LEASE_SECONDS)

    def _round(self) -> float:
        """Fire what is due; seconds until the next round."""
        try:
            if not self._make_ready():
                return RETRY_SECONDS
            self._outage.back("timers")
        except AzureError as error:
            self._ready = False
            self._lease.lose()
            self._outage.lost("timers", error)
            return RETRY_SECONDS
        now = self._now()
        for timer in self._timers:
            if not timer.running and timer.due <= now:
                timer.running = True
                timer.work = self._pool.submit(self._fire, timer, now)
        waits = [(timer.due - now).total_seconds() for timer in self._timers if not timer.running]
        return min(1.0, max(0.01, min(waits, default=1.0)))  # within a second, to see the lease and finished runs

    def _make_ready(self) -> bool:
        if not self._lease.hold():
            self._ready = False
        elif not self._ready:
            for timer in self._timers:
                self._recall(timer)
            self._ready = True
        return self._ready

    def _recall(self, timer: Timer) -> None:
        """Set when the timer is due from its status blob: in the past, if ticks were missed."""
        now = self._now()
        if timer.running:
            return
        if timer.function.trigger.get("runOnStartup"):
            timer.due = now
            return
        timer.due = next_tick(timer.schedule, now)
        if not timer.monitored:
            return
        try:
            status = json.loads(self._status_blob(timer).download_blob().readall())
        except ResourceNotFoundError:
            self._remember(timer, now)
            return
        timer.last = datetime.fromisoformat(status["Last"])
        since = timer.last if timer.last > NEVER else datetime.fromisoformat(status["LastUpdated"])
        timer.due = next_tick(timer.schedule, since)

    def _fire(self, timer: Timer, now: datetime) -> None:
        late = (now - timer.due).total_seconds() > LATE_SECONDS
        try:
            timer.function.invoke(self._request(timer, late, now))
        except Exception:  # the host outlives its functions' failures; a timer is not tried again before its next tick
            log.exception("function %s failed", timer.function.name)
        timer.last = now if late else timer.due
        timer.due = next_tick(timer.schedule, timer.last)
        try:
            if timer.monitored:
                self._remember(timer, self._now())
        except AzureError as error:
            self._outage.lost("timers", error)
        finally:
            timer.running = False

    def _request(self, timer: Timer, late: bool, now: datetime) -> object:
        info = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": timer.status(now),
            "IsPastDue": late,
        }
        return TimerRequestConverter.decode(Datum(json.dumps(info), "json"), trigger_metadata=None)

    def _status_blob(self, timer: Timer) -> BlobClient:
        path = f"timers/{self._app}/Host.Functions.{timer.function.name}/status"
        return self._container.get_blob_client(path)

    def _remember(self, timer: Timer, now: datetime) -> None:
        self._status_blob(timer).upload_blob(json.dumps(timer.status(now)), overwrite=True)
