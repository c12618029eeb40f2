"""The functions of an app as its registration tells them, and what Azure's host would refuse about them.

Python's own library accepts much that only the host refuses, after a deployment: the
rules below are the host's (azure-functions-host: Utility.cs, WorkerFunctionMetadataProvider; NCrontab).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cronsim import CronSim, CronSimError

FUNCTION_NAME = re.compile(r"[a-z][a-z0-9_-]{0,127}", re.IGNORECASE | re.ASCII)
BINDING_NAME = re.compile(r"[a-z][a-z0-9]{0,127}", re.IGNORECASE | re.ASCII)
TIME_SPAN = re.compile(r"-?(\d+\.)?\d+:\d+(:\d+)?(\.\d+)?")
# NCrontab knows names, *, lists, ranges and steps; cronsim knows also L, # and a seventh weekday.
NCRONTAB_FIELD = re.compile(r"(?!L)[A-Za-z0-9*,/-]+", re.ASCII)
SETTING = re.compile(r"%([^%\s]+)%")
RUNS = ("httpTrigger", "queueTrigger", "timerTrigger")


@dataclass(frozen=True)
class LocalFunction:
    """One registered function: its trigger's binding (settings already filled in) and what to call."""

    name: str
    trigger: Mapping[str, Any]
    bindings: tuple[Mapping[str, Any], ...]
    call: Callable[..., Any]

    @property
    def kind(self) -> str:
        """The trigger's type, such as queueTrigger."""
        return str(self.trigger["type"])

    def invoke(self, value: object) -> None:
        """Run it with its trigger's value, as Azure's worker does; raises what it raises."""
        returned = self.call(**{str(self.trigger["name"]): value})
        if returned is not None:  # the worker fails such an invocation: there is no output binding for it
            raise TypeError(f"function {self.name} returned a value; it must return nothing")


def read(functions: Iterable[Any], settings: Mapping[str, str]) -> tuple[list[LocalFunction], list[str]]:
    """The functions of `app.get_functions()` that obey the host's rules, and one line for each breach.

    `settings` fill the %NAMES% in bindings. Call get_functions() once only: a second call raises.
    """
    found: list[LocalFunction] = []
    problems: list[str] = []
    names: dict[str, str] = {}
    for registered in functions:
        local, breaches = _read_one(registered, settings)
        breaches += _name_problems(local.name, names)
        problems += [f"function {local.name}: {breach}" for breach in breaches]
        found.append(local)
    return found, problems


def next_tick(schedule: str, after: datetime) -> datetime:
    """The first time after `after` (UTC) that the NCRONTAB expression names; CronSimError when it is none."""
    return next(CronSim(schedule, after.astimezone(UTC)))


def seconds(time_span: str) -> float:
    """The seconds of a .NET TimeSpan of host.json: `hh:mm:ss` or `d.hh:mm:ss`."""
    days, _, clock = time_span.rpartition(".") if time_span.count(":") == 2 else ("", "", time_span)
    hours, minutes, rest = (float(part) for part in clock.split(":"))
    return float(days or 0) * 86400 + hours * 3600 + minutes * 60 + rest


def is_disabled(name: str, settings: Mapping[str, str]) -> bool:
    """Whether the app setting of the portal's Disable switch stops this function."""
    keys = (f"AzureWebJobs.{name}.Disabled", f"AzureWebJobs__{name}__Disabled")
    return any(settings.get(key, "").lower() in ("true", "1") for key in keys)


def _read_one(registered: Any, settings: Mapping[str, str]) -> tuple[LocalFunction, list[str]]:
    problems: list[str] = []
    bindings = []
    for raw in registered.get_raw_bindings():
        binding = json.loads(raw)
        for key, value in binding.items():
            if isinstance(value, str):
                binding[key], unset = _fill_in(value, settings)
                problems += [f"setting %{name}% is not set" for name in unset]
        bindings.append(binding)
    triggers = [binding for binding in bindings if str(binding["type"]).endswith("Trigger")]
    trigger = triggers[0] if triggers else {"type": "none", "name": "none"}
    local = LocalFunction(
        name=registered.get_function_name(),
        trigger=trigger,
        bindings=tuple(bindings),
        call=registered.get_user_function(),
    )
    if len(triggers) != 1:
        return local, [*problems, f"has {len(triggers)} triggers; it needs exactly one"]
    return local, [*problems, *_binding_problems(local, settings)]


def _fill_in(text: str, settings: Mapping[str, str]) -> tuple[str, list[str]]:
    unset = [name for name in SETTING.findall(text) if name not in settings]
    return SETTING.sub(lambda found: settings.get(found[1], found[0]), text), unset


def _name_problems(name: str, seen: dict[str, str]) -> Iterator[str]:
    if not FUNCTION_NAME.fullmatch(name) or name.lower() == "host":
        yield "a name is a letter, then at most 127 letters, digits, _ or -, and not 'host'"
    if name.lower() in seen:
        yield f"is also the name {seen[name.lower()]!r}: the host ignores case"
    seen[name.lower()] = name


def _binding_problems(local: LocalFunction, settings: Mapping[str, str]) -> Iterator[str]:
    seen: set[str] = set()
    for binding in local.bindings:
        name = str(binding.get("name") or "")
        if name != "$return" and not BINDING_NAME.fullmatch(name):
            yield f"binding name {name!r}: letters and digits only, a letter first"
        if name.lower() in seen:
            yield f"two bindings are named {name!r}"
        seen.add(name.lower())
        yield from _kind_problems(local, binding, settings)


def _kind_problems(local: LocalFunction, binding: Mapping[str, Any], settings: Mapping[str, str]) -> Iterator[str]:
    kind = str(binding["type"])
    if kind == "timerTrigger":
        yield from _schedule_problems(str(binding["schedule"]))
    elif kind == "queueTrigger":
        yield from _connection_problems(str(binding.get("connection") or ""), settings)
    elif local.kind != "httpTrigger" and kind not in RUNS:
        yield f"binding {kind}: this development host runs http, queue and timer triggers only"


def _connection_problems(connection: str, settings: Mapping[str, str]) -> Iterator[str]:
    if not settings.get(connection):
        yield f"connection {connection!r}: there is no such setting"


def _schedule_problems(schedule: str) -> Iterator[str]:
    if SETTING.search(schedule):
        return  # said already: the setting is not set
    if TIME_SPAN.fullmatch(schedule):
        yield f"schedule {schedule!r} is a TimeSpan; only App Service plans run those: write NCRONTAB"
        return
    fields = schedule.split()
    known = all(NCRONTAB_FIELD.fullmatch(field) for field in fields) and len(fields) == 6
    if not known or "7" in fields[5]:
        yield f"schedule {schedule!r} is no NCRONTAB of six fields (second minute hour day month weekday 0-6)"
        return
    try:
        next_tick(schedule, datetime(2026, 1, 1, tzinfo=UTC))
    except (CronSimError, StopIteration) as error:
        yield f"schedule {schedule!r} is no NCRONTAB: {error}"
