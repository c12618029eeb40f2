"""The local host's promises, on a real Azurite: what host.json says of queues, what Azure says of timers."""

import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobClient
from azure.storage.queue import QueueClient, TextBase64DecodePolicy, TextBase64EncodePolicy

from infra.local.azurite import Azurite
from infra.local.functions import next_tick, read, seconds
from infra.local.host import Host, Refused
from infra.local.outage import Outage
from infra.local.queues import QueueOptions, QueuePump
from infra.local.timers import Timers

pytestmark = [pytest.mark.azurite, pytest.mark.xdist_group("local_host")]

HOST_JSON: dict[str, Any] = {
    "extensions": {
        "queues": {
            "batchSize": 2,
            "newBatchThreshold": 1,
            "maxDequeueCount": 3,
            "visibilityTimeout": "00:00:00",
            "maxPollingInterval": "00:00:01",
        }
    }
}
IN_TIME = 15.0  # seconds a busy machine may take for what takes 0.2 s


@pytest.fixture(scope="module")
def azurite() -> Iterator[Azurite]:
    with Azurite() as running:
        yield running


@pytest.fixture
def queue(azurite: Azurite) -> QueueClient:
    return make_queue(azurite)


def make_queue(azurite: Azurite, name: str = "") -> QueueClient:
    client = QueueClient.from_connection_string(
        azurite.connection_string,
        name or f"q{uuid.uuid4().hex[:12]}",
        message_encode_policy=TextBase64EncodePolicy(),
        message_decode_policy=TextBase64DecodePolicy(),
        retry_total=0,
    )
    client.create_queue()
    return client


def poison_of(azurite: Azurite, queue: QueueClient) -> QueueClient:
    return QueueClient.from_connection_string(
        azurite.connection_string,
        f"{queue.queue_name}-poison",
        message_decode_policy=TextBase64DecodePolicy(),
        retry_total=0,
    )


def queue_app(queue: str, work: Callable[[func.QueueMessage], Any]) -> func.FunctionApp:
    app = func.FunctionApp()

    @app.queue_trigger(arg_name="msg", queue_name=queue, connection="AzureWebJobsStorage")
    def convert(msg: func.QueueMessage) -> Any:
        return work(msg)

    return app


def timer_app(schedule: str, work: Callable[[func.TimerRequest], None], **more: Any) -> func.FunctionApp:
    app = func.FunctionApp()
    name = f"t{uuid.uuid4().hex[:12]}"  # a status blob of its own

    @app.function_name(name)
    @app.timer_trigger(arg_name="timer", schedule=schedule, **more)
    def sweep(timer: func.TimerRequest) -> None:
        work(timer)

    return app


def settings_of(azurite: Azurite, **more: str) -> dict[str, str]:
    return {"AzureWebJobsStorage": azurite.connection_string, **more}


@contextmanager
def hosting(app: func.FunctionApp, azurite: Azurite, **settings: str) -> Iterator[Host]:
    host = Host(app.get_functions(), HOST_JSON, settings_of(azurite, **settings), owner=uuid.uuid4().hex)
    host.start()
    try:
        yield host
    finally:
        assert host.stop()


@contextmanager
def pumping(app: func.FunctionApp, azurite: Azurite, options: QueueOptions, **times: Any) -> Iterator[None]:
    (function,), problems = read(app.get_functions(), settings_of(azurite))
    assert not problems
    with ThreadPoolExecutor(options.at_once) as pool:
        pump = QueuePump(function, azurite.connection_string, options, pool, Outage(), **times)
        pump.start()
        try:
            yield
        finally:
            pump.stop()


@contextmanager
def ticking(
    functions: list[Any],
    azurite: Azurite,
    owner: str,
    clock: Callable[[], datetime] | None = None,
    **more: Any,
) -> Iterator[Timers]:
    read_functions, problems = read(functions, settings_of(azurite))
    assert not problems
    now = clock or (lambda: datetime.now(UTC))
    with ThreadPoolExecutor(4) as pool:
        timers = Timers(read_functions, azurite.connection_string, pool, Outage(), owner=owner, now=now, **more)
        timers.start()
        try:
            yield timers
        finally:
            timers.stop()


def eventually(happened: Callable[[], object], within: float = IN_TIME) -> None:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if happened():
            return
        time.sleep(0.02)
    raise AssertionError(f"did not happen within {within} s")


def is_empty(queue: QueueClient) -> bool:
    """Whether the queue holds no message, hidden ones included."""
    return queue.get_queue_properties().approximate_message_count == 0


def unique_app_name() -> str:
    return uuid.uuid4().hex


# Queues


def test_a_message_reaches_its_function_as_azure_functions_decodes_it(azurite: Azurite, queue: QueueClient) -> None:
    got: list[func.QueueMessage] = []
    sent = queue.send_message('{"tenant": "t", "who": "Jörg"}')
    with hosting(queue_app(queue.queue_name, got.append), azurite):
        eventually(lambda: got and is_empty(queue))
    (message,) = got
    assert message.get_json() == {"tenant": "t", "who": "Jörg"}
    assert (message.id, message.dequeue_count) == (sent.id, 1)
    assert isinstance(message.insertion_time, datetime)
    assert abs(message.insertion_time - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_failing_message_goes_to_the_poison_queue_after_max_dequeue_count(
    azurite: Azurite, queue: QueueClient
) -> None:
    attempts: list[int | None] = []

    def fail(message: func.QueueMessage) -> None:
        attempts.append(message.dequeue_count)
        raise RuntimeError("deliberate")

    queue.send_message("bad")
    with hosting(queue_app(queue.queue_name, fail), azurite):
        eventually(lambda: is_empty(queue))
    assert attempts == [1, 2, 3]
    assert [message.content for message in poison_of(azurite, queue).receive_messages()] == ["bad"]


def test_a_failing_message_is_tried_again_only_after_visibility_timeout(azurite: Azurite, queue: QueueClient) -> None:
    at: list[float] = []

    def fail_once(_: func.QueueMessage) -> None:
        at.append(time.monotonic())
        if len(at) == 1:
            raise RuntimeError("deliberate")

    queue.send_message("later")
    options = QueueOptions(visibility_timeout=2.0, max_polling_interval=0.2)
    with pumping(queue_app(queue.queue_name, fail_once), azurite, options):
        eventually(lambda: is_empty(queue))
    assert len(at) == 2
    # Azurite keeps times to the second, so two seconds may be one and a bit.
    assert 1.0 < at[1] - at[0] < 2.0 + IN_TIME


def test_a_message_that_is_not_base64_goes_to_the_poison_queue_unseen(azurite: Azurite, queue: QueueClient) -> None:
    got: list[func.QueueMessage] = []
    raw = QueueClient.from_connection_string(azurite.connection_string, queue.queue_name)
    raw.send_message("no base64!")
    with hosting(queue_app(queue.queue_name, got.append), azurite):
        eventually(lambda: is_empty(queue))
    assert not got
    poison = QueueClient.from_connection_string(azurite.connection_string, f"{queue.queue_name}-poison")
    assert [message.content for message in poison.receive_messages()] == ["no base64!"]


def test_a_function_that_returns_a_value_fails_as_it_does_in_azure(
    azurite: Azurite, queue: QueueClient, caplog: pytest.LogCaptureFixture
) -> None:
    queue.send_message("x")
    with hosting(queue_app(queue.queue_name, lambda _: "a value"), azurite):
        eventually(lambda: is_empty(queue))
    assert len(list(poison_of(azurite, queue).receive_messages())) == 1
    assert "returned a value" in caplog.text


def test_a_message_stays_hidden_while_its_function_runs_longer_than_the_time_it_was_hidden_for(
    azurite: Azurite, queue: QueueClient
) -> None:
    calls: list[str] = []

    def slow(message: func.QueueMessage) -> None:
        calls.append(message.get_body().decode())
        time.sleep(3.5)

    queue.send_message("slow")
    options = QueueOptions(max_polling_interval=0.2)
    with pumping(queue_app(queue.queue_name, slow), azurite, options, hidden_seconds=2, renew_seconds=0.5):
        eventually(lambda: is_empty(queue))
    assert calls == ["slow"]


def test_no_more_messages_are_in_work_than_batch_size_and_threshold_allow(azurite: Azurite, queue: QueueClient) -> None:
    lock, at_work, most, done = threading.Lock(), [0], [0], [0]

    def work(message: func.QueueMessage) -> None:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        time.sleep(0.4 if int(message.get_body()) % 2 else 0.02)  # uneven, so that batches come to overlap
        with lock:
            at_work[0] -= 1
            done[0] += 1

    for number in range(12):
        queue.send_message(str(number))
    with ThreadPoolExecutor(16) as wide:  # the pool does not limit: the pump has to
        (function,), _ = read(queue_app(queue.queue_name, work).get_functions(), settings_of(azurite))
        options = QueueOptions.read(HOST_JSON)
        pump = QueuePump(function, azurite.connection_string, options, wide, Outage())
        pump.start()
        eventually(lambda: done[0] == 12)
        pump.stop()
    assert most[0] == 3  # batchSize 2 + newBatchThreshold 1


def test_what_a_killed_host_tried_too_often_is_poison_without_another_try(azurite: Azurite, queue: QueueClient) -> None:
    got: list[func.QueueMessage] = []
    queue.send_message("crashes the host")
    # Taken and never settled, as by a host that was killed.
    assert queue.receive_message(visibility_timeout=1)
    options = QueueOptions(max_dequeue_count=1, max_polling_interval=0.5)
    with pumping(queue_app(queue.queue_name, got.append), azurite, options):
        eventually(lambda: is_empty(queue))
    assert not got
    assert [message.content for message in poison_of(azurite, queue).receive_messages()] == ["crashes the host"]


def test_a_failing_poison_function_neither_loses_its_message_nor_makes_another_poison_queue(
    azurite: Azurite,
) -> None:
    queue = make_queue(azurite, f"q{uuid.uuid4().hex[:12]}-poison")
    calls: list[object] = []

    def fail(message: func.QueueMessage) -> None:
        calls.append(message.id)
        raise RuntimeError("deliberate")

    queue.send_message("bad")
    with hosting(queue_app(queue.queue_name, fail), azurite):
        eventually(lambda: calls)
        time.sleep(1.5)  # longer than the pump ever waits between two looks
    assert len(calls) == 1  # it stays hidden for ten minutes
    assert not is_empty(queue)
    with pytest.raises(ResourceNotFoundError):
        poison_of(azurite, queue).get_queue_properties()


def test_a_queue_that_nobody_has_made_is_an_empty_one(azurite: Azurite) -> None:
    got: list[func.QueueMessage] = []
    name = f"q{uuid.uuid4().hex[:12]}"
    with hosting(queue_app(name, got.append), azurite):
        time.sleep(0.5)
        make_queue(azurite, name).send_message("first")
        eventually(lambda: got)


def test_a_stopping_host_lets_running_functions_finish_and_gives_back_what_has_not_begun(
    azurite: Azurite, queue: QueueClient
) -> None:
    begun, finished = threading.Event(), threading.Event()

    def slow(_: func.QueueMessage) -> None:
        begun.set()
        time.sleep(1.0)
        finished.set()

    queue.send_message("one")
    queue.send_message("two")
    app = queue_app(queue.queue_name, slow)
    with hosting(app, azurite, PYTHON_THREADPOOL_THREAD_COUNT="1"):
        eventually(begun.is_set)
    assert finished.is_set()
    given_back = list(queue.receive_messages())
    assert len(given_back) == 1
    assert is_empty(queue) is False


@pytest.mark.slow
def test_a_host_survives_that_its_storage_goes_and_comes_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "host")
    got: list[str] = []
    ticks: list[bool] = []
    with Azurite(tmp_path) as azurite:
        queue = make_queue(azurite)
        app = queue_app(queue.queue_name, lambda message: got.append(message.get_body().decode()))

        @app.timer_trigger(arg_name="timer", schedule="* * * * * *")
        def sweep(timer: func.TimerRequest) -> None:
            ticks.append(timer.past_due)

        with hosting(app, azurite):
            queue.send_message("before")
            eventually(lambda: got == ["before"] and ticks)
            azurite.stop()
            time.sleep(3)
            azurite.start()
            queue.send_message("after")
            eventually(lambda: got == ["before", "after"])
            seen = len(ticks)
            eventually(lambda: len(ticks) > seen)
    said = [record.getMessage() for record in caplog.records if record.name == "host"]
    assert len([line for line in said if "storage is away" in line]) == 1
    assert len([line for line in said if "storage is back" in line]) == 1


# Timers


def test_a_timer_fires_at_each_tick_of_its_ncrontab(azurite: Azurite) -> None:
    at: list[datetime] = []
    app = timer_app("*/2 * * * * *", lambda timer: at.append(datetime.now(UTC)))
    with hosting(app, azurite):
        eventually(lambda: len(at) >= 3)
    assert all(moment.second % 2 == 0 for moment in at)
    assert len({moment.replace(microsecond=0) for moment in at}) == len(at)


def test_ticks_missed_while_no_host_ran_become_one_run_that_is_past_due(azurite: Azurite) -> None:
    got: list[bool] = []
    functions = timer_app("0 */10 * * * *", lambda timer: got.append(timer.past_due)).get_functions()
    app = unique_app_name()
    earlier = datetime.now(UTC) - timedelta(minutes=37)
    with ticking(functions, azurite, "first", lambda: earlier, app=app):
        eventually(lambda: status_blob(azurite, app, functions[0]).exists())
    assert not got
    with ticking(functions, azurite, "first", app=app):
        eventually(lambda: got)
        time.sleep(1.5)
    assert got == [True]
    status = json.loads(status_blob(azurite, app, functions[0]).download_blob().readall())
    assert datetime.fromisoformat(status["Next"]) > datetime.now(UTC) - timedelta(seconds=60)


def status_blob(azurite: Azurite, app: str, function: Any) -> BlobClient:
    path = f"timers/{app}/Host.Functions.{function.get_function_name()}/status"
    return BlobClient.from_connection_string(azurite.connection_string, "azure-webjobs-hosts", path)


def test_a_timer_never_overlaps_itself_and_missed_ticks_collapse_into_one_past_due_run(
    azurite: Azurite,
) -> None:
    lock, running, runs = threading.Lock(), [0], []

    def slow(timer: func.TimerRequest) -> None:
        with lock:
            running[0] += 1
            runs.append((running[0], timer.past_due))
        time.sleep(3.5 if len(runs) == 1 else 0)
        with lock:
            running[0] -= 1

    with hosting(timer_app("* * * * * *", slow), azurite):
        eventually(lambda: len(runs) >= 3)
    assert [at_once for at_once, _ in runs[:3]] == [1, 1, 1]
    assert [past_due for _, past_due in runs[:3]] == [False, True, False]


def test_of_two_hosts_only_the_one_with_the_lease_fires_and_the_other_takes_over(azurite: Azurite) -> None:
    by_first: list[bool] = []
    by_second: list[bool] = []
    app = unique_app_name()
    first = timer_app("* * * * * *", lambda timer: by_first.append(timer.past_due)).get_functions()
    second = timer_app("* * * * * *", lambda timer: by_second.append(timer.past_due)).get_functions()
    with ticking(first, azurite, "first", app=app):
        eventually(lambda: by_first)
        with ticking(second, azurite, "second", app=app) as waiting:
            eventually(lambda: len(by_first) >= 4)
            assert not by_second
            assert waiting.idle()
    with ticking(second, azurite, "second", app=app):
        eventually(lambda: by_second)


def test_a_killed_host_that_comes_back_fires_at_once_without_waiting_for_its_lease_to_end(
    azurite: Azurite,
) -> None:
    got: list[bool] = []
    app = unique_app_name()
    functions = timer_app("* * * * * *", lambda timer: got.append(timer.past_due)).get_functions()
    killed = Timers(
        read(functions, settings_of(azurite))[0],
        azurite.connection_string,
        ThreadPoolExecutor(1),
        Outage(),
        owner="machine:7071",
        app=app,
    )
    assert killed._make_ready()  # it holds the lease and never gives it back
    with ticking(functions, azurite, "machine:7071", app=app):
        eventually(lambda: got, within=5.0)


def test_a_timer_that_runs_on_startup_fires_at_once(azurite: Azurite) -> None:
    got: list[bool] = []
    app = timer_app("0 0 0 1 1 *", lambda timer: got.append(timer.past_due), run_on_startup=True)
    with hosting(app, azurite):
        eventually(lambda: got)


def test_a_failing_timer_fires_again_at_its_next_tick(azurite: Azurite) -> None:
    runs: list[bool] = []

    def fail(timer: func.TimerRequest) -> None:
        runs.append(timer.past_due)
        raise RuntimeError("deliberate")

    with hosting(timer_app("* * * * * *", fail), azurite):
        eventually(lambda: len(runs) >= 2)


def test_a_function_that_the_portal_disabled_does_not_run(azurite: Azurite, queue: QueueClient) -> None:
    got: list[object] = []
    queue.send_message("stays")
    with hosting(queue_app(queue.queue_name, got.append), azurite, **{"AzureWebJobs.convert.Disabled": "1"}):
        time.sleep(1)
    assert not got
    assert not is_empty(queue)


# What Azure's host refuses


def refusal(app: func.FunctionApp, **settings: str) -> str:
    with pytest.raises(Refused) as refused:
        Host(
            app.get_functions(),
            HOST_JSON,
            {"AzureWebJobsStorage": "UseDevelopmentStorage=true", **settings},
            owner="o",
        )
    return "\n".join(refused.value.args)


@pytest.mark.parametrize("name", ["host", "9lives", "poll.mailbox", "a" * 129, "poll@tenant", "töpfe"])
def test_a_bad_function_name_is_refused(name: str) -> None:
    app = func.FunctionApp()

    @app.function_name(name)
    @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
    def sweep(timer: func.TimerRequest) -> None: ...

    assert "a name is a letter" in refusal(app)


def test_names_that_differ_in_case_only_are_refused() -> None:
    app = func.FunctionApp()
    for name in ("sweep", "Sweep"):

        @app.function_name(name)
        @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
        def sweep(timer: func.TimerRequest) -> None: ...

    assert refusal(app) == "function Sweep: is also the name 'sweep': the host ignores case"


@pytest.mark.parametrize("name", ["my_timer", "1timer", "a" * 129])
def test_a_bad_binding_name_is_refused(name: str) -> None:
    app = func.FunctionApp()

    @app.timer_trigger(arg_name=name, schedule="0 * * * * *")
    def sweep(**timer: func.TimerRequest) -> None: ...

    assert refusal(app) == f"function sweep: binding name {name!r}: letters and digits only, a letter first"


@pytest.mark.parametrize(
    "schedule",
    [
        "every 2 minutes",
        "*/2 * * * *",
        "0 */2 * * * * *",
        "0 60 * * * *",
        "0 0 0 * * 7",
        "0 0 0 L * *",
        "0 0 0 * * 1#2",
        "",
    ],
)
def test_a_bad_ncrontab_is_refused(schedule: str) -> None:
    assert re.search("is no NCRONTAB", refusal(timer_app(schedule, print)))


@pytest.mark.parametrize("schedule", ["00:02:00", "1.00:00:00", "24:00"])
def test_a_time_span_schedule_is_refused(schedule: str) -> None:
    assert "is a TimeSpan" in refusal(timer_app(schedule, print))


@pytest.mark.parametrize(
    "schedule",
    ["0 */2 * * * *", "17 0 */4 * * *", "0 0 9-17 * JAN-MAR MON,FRI", "5,35 * * * * *", "0 0 0 29 2 *"],
)
def test_a_good_ncrontab_is_taken(schedule: str) -> None:
    _, problems = read(timer_app(schedule, print).get_functions(), {})
    assert problems == []


def test_an_unset_setting_is_refused_and_a_set_one_filled_in(azurite: Azurite) -> None:
    app = timer_app("%SWEEP%", print)
    assert refusal(app).endswith("setting %SWEEP% is not set")
    (function,), problems = read(timer_app("%SWEEP%", print).get_functions(), {"SWEEP": "0 * * * * *"})
    assert (function.trigger["schedule"], problems) == ("0 * * * * *", [])


def test_a_connection_that_is_no_setting_is_refused() -> None:
    app = func.FunctionApp()

    @app.queue_trigger(arg_name="msg", queue_name="inbound", connection="Elsewhere")
    def convert(msg: func.QueueMessage) -> None: ...

    assert refusal(app) == "function convert: connection 'Elsewhere': there is no such setting"


def test_an_output_binding_is_refused_because_this_host_has_none() -> None:
    app = func.FunctionApp()

    @app.queue_trigger(arg_name="msg", queue_name="inbound", connection="AzureWebJobsStorage")
    @app.queue_output(arg_name="out", queue_name="audit", connection="AzureWebJobsStorage")
    def convert(msg: func.QueueMessage, out: func.Out[str]) -> None: ...

    assert "runs http, queue and timer triggers only" in refusal(app)


def test_all_breaches_are_named_at_once() -> None:
    app = func.FunctionApp()

    @app.function_name("bad name")
    @app.timer_trigger(arg_name="my_timer", schedule="%UNSET%")
    def sweep(my_timer: func.TimerRequest) -> None: ...

    assert len(refusal(app).splitlines()) == 3


# host.json


def test_queue_options_are_those_of_host_json_and_azures_where_it_is_silent() -> None:
    assert QueueOptions.read({}) == QueueOptions(16, 8, 5, 0.0, 60.0, True)
    given = {
        "batchSize": 4,
        "newBatchThreshold": 2,
        "visibilityTimeout": "00:00:30",
        "messageEncoding": "none",
    }
    assert QueueOptions.read({"extensions": {"queues": given}}) == QueueOptions(4, 2, 5, 30.0, 60.0, False)


@pytest.mark.parametrize(("text", "value"), [("00:00:30", 30), ("00:10:00", 600), ("1.02:00:00", 93600)])
def test_a_time_span_of_host_json_is_read_in_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


def test_the_next_tick_is_after_the_moment_and_in_utc() -> None:
    moment = datetime(2026, 11, 21, 10, 0, 17, tzinfo=UTC)
    assert next_tick("17 */2 * * * *", moment) == datetime(2026, 11, 21, 10, 2, 17, tzinfo=UTC)
