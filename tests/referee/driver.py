"""Drive a Python v2 Functions app through Microsoft's own azure_functions_runtime, in-process,
with no .NET host.  Plays the part of host + proxy worker: builds the requests they would build."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import importlib
import json
import os
import re
import sys
import uuid
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

# The host's own rules (azure-functions-host Utility.cs, read 2026-11), which the Python side never checks:
FUNCTION_NAME = re.compile(r"^[a-z][a-z0-9_\-]{0,127}$(?<!^host$)", re.I | re.A)
BINDING_NAME = re.compile(r"^([a-zA-Z][a-zA-Z0-9]{0,127}|\$return)$", re.A)


class HostRefused(Exception):
    pass


class Json(str):
    """A string the host would send as TypedData.json (e.g. a DateTimeOffset)."""


@dataclass
class Rpc:  # proxy_worker.dispatcher.WorkerRequest has these three
    name: str
    request: object
    properties: dict = field(default_factory=dict)


@dataclass
class Result:
    ok: bool
    value: object  # decoded $return: str/bytes/json, or dict for http
    outputs: dict  # output bindings by name
    error: str = ""
    stack: str = ""


class Driver:
    def __init__(self, app_dir, protos=None):
        self.app_dir = os.path.abspath(app_dir)
        if protos is None:
            from tests.referee import protos
        self.p, self.functions = protos, {}
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)

    # -- start -------------------------------------------------------------------------------
    def start(self):
        os.chdir(self.app_dir)
        sys.path.insert(0, self.app_dir)
        libs = os.path.join(self.app_dir, ".python_packages", "lib", "site-packages")
        if os.path.isdir(libs):
            sys.path.insert(0, libs)
        self.rt = importlib.import_module("azure_functions_runtime")
        self.rt.start_threadpool_executor()
        p = self.p
        init = p.StreamingMessage(
            request_id=str(uuid.uuid4()),
            worker_init_request=p.WorkerInitRequest(
                host_version="4.1037.0", function_app_directory=self.app_dir, capabilities={}
            ),
        )
        resp = self._run(
            self.rt.worker_init_request(Rpc("WorkerInitRequest", init, {"protos": p, "host": "127.0.0.1"}))
        )
        self._must(resp.result)
        self.capabilities = dict(resp.capabilities)
        meta = self._run(
            self.rt.functions_metadata_request(
                Rpc(
                    "WorkerMetadataRequest",
                    p.StreamingMessage(
                        functions_metadata_request=p.FunctionsMetadataRequest(function_app_directory=self.app_dir)
                    ),
                )
            )
        )
        self._must(meta.result)
        seen = {}
        for m in meta.function_metadata_results or []:
            self._host_validate(m, seen)
            load = self._run(
                self.rt.function_load_request(
                    Rpc(
                        "FunctionLoadRequest",
                        p.StreamingMessage(
                            function_load_request=p.FunctionLoadRequest(function_id=m.function_id, metadata=m)
                        ),
                    )
                )
            )
            self._must(load.result)
            self.functions[m.name] = m
        return self

    @staticmethod
    def _host_validate(m, seen):
        """WorkerFunctionMetadataProvider.ValidateMetadata + case-insensitive name uniqueness."""
        if not FUNCTION_NAME.match(m.name):
            raise HostRefused(f"{m.name!r} is not a valid function name")
        if m.name.lower() in seen:
            raise HostRefused(f"{m.name!r} collides with {seen[m.name.lower()]!r} (host compares ignoring case)")
        seen[m.name.lower()] = m.name
        names = set()
        bindings = [json.loads(b) for b in m.raw_bindings]
        for b in bindings:
            if not BINDING_NAME.match(b.get("name") or ""):
                raise HostRefused(f"{m.name}: binding name {b.get('name')!r} is invalid (letters and digits only)")
            if b["name"].lower() in names:
                raise HostRefused(f"{m.name}: duplicate binding name {b['name']!r}")
            names.add(b["name"].lower())
        if sum(b["type"].lower().endswith("trigger") for b in bindings) != 1:
            raise HostRefused(f"{m.name}: needs exactly one trigger")

    # -- helpers -----------------------------------------------------------------------------
    def _run(self, coro):
        return self.loop.run_until_complete(coro)

    def _must(self, result):
        if result.status != self.p.StatusResult.Success:
            raise HostRefused(result.exception.message + "\n" + result.exception.stack_trace)

    def bindings(self, name):
        return [json.loads(b) for b in self.functions[name].raw_bindings]

    def trigger(self, name):
        return next(b for b in self.bindings(name) if b["type"].lower().endswith("trigger"))

    def _typed(self, v):
        T = self.p.TypedData
        if isinstance(v, bytes):
            return T(bytes=v)
        if isinstance(v, str) and not isinstance(v, Json):
            return T(string=v)
        if isinstance(v, float):
            return T(double=v)
        return T(json=json.dumps(v))  # what ToRpcDefault does for int/bool/date/POCO

    async def ainvoke(self, name, typed, metadata=None, retry=(0, 0)):
        p, m = self.p, self.functions[name]
        iid = str(uuid.uuid4())
        sys_meta = {"MethodName": name, "UtcNow": now(), "RandGuid": str(uuid.uuid4())}
        md = {k: self._typed(v) for k, v in {**(metadata or {}), "sys": sys_meta}.items()}
        req = p.StreamingMessage(
            request_id=iid,
            invocation_request=p.InvocationRequest(
                invocation_id=iid,
                function_id=m.function_id,
                input_data=[p.ParameterBinding(name=self.trigger(name)["name"], data=typed)],
                trigger_metadata=md,
                trace_context=p.RpcTraceContext(trace_parent=f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"),
                retry_context=p.RetryContext(retry_count=retry[0], max_retry_count=retry[1]),
            ),
        )
        resp = await self.rt.invocation_request(Rpc("FunctionInvocationRequest", req))
        if resp.result.status != p.StatusResult.Success:
            e = resp.result.exception
            return Result(False, None, {}, e.message, e.stack_trace)
        outs = {o.name: self._decode(o.data) for o in resp.output_data}
        rv = resp.return_value
        return Result(True, self._decode(rv) if rv is not None and rv.WhichOneof("data") else None, outs)

    def invoke(self, *a, **k):
        return self._run(self.ainvoke(*a, **k))

    def _decode(self, td):
        kind = td.WhichOneof("data")
        v = getattr(td, kind) if kind else None
        if kind == "json":
            return json.loads(v)
        if kind == "http":
            return {
                "status": int(v.status_code),
                "headers": dict(v.headers),
                "body": self._decode(v.body),
                "cookies": [(c.name, c.value) for c in v.cookies],
            }
        return v

    # -- the three triggers ------------------------------------------------------------------
    def http(self, name, method="GET", url="http://localhost/api/x", headers=None, body=b"", route=None):
        p = self.p
        kw = {"body": p.TypedData(bytes=body)} if body else {}  # host sends no body when Content-Length is 0
        typed = p.TypedData(
            http=p.RpcHttp(
                method=method,
                url=url,
                headers={k.lower(): v for k, v in (headers or {}).items()},
                params=dict(route or {}),
                query=dict(parse_qsl(urlsplit(url).query)),
                **kw,
            )
        )
        return self.invoke(name, typed, {"$request": url, **(route or {})})

    def timer(self, name, past_due=False, last=None, nxt=None):
        info = {
            "Schedule": {"AdjustForDST": True},
            "IsPastDue": past_due,
            "ScheduleStatus": {
                "Last": last or "0001-01-01T00:00:00+00:00",
                "Next": nxt or now(),
                "LastUpdated": last or now(),
            },
        }
        return self.invoke(name, self.p.TypedData(json=json.dumps(info)))

    def queue(self, name, body, dequeue_count=1, mid=None, pop="pop"):
        t = dt.datetime.now(dt.UTC)

        def iso(d):
            return d.isoformat()

        return self.invoke(
            name,
            self._typed(body),
            {
                "QueueTrigger": body if isinstance(body, str) else base64.b64encode(body).decode(),
                "DequeueCount": dequeue_count,
                "Id": mid or str(uuid.uuid4()),
                "PopReceipt": pop,
                "InsertionTime": Json(iso(t)),
                "ExpirationTime": Json(iso(t + dt.timedelta(days=7))),
                "NextVisibleTime": Json(iso(t + dt.timedelta(minutes=10))),
            },
        )

    def stop(self):
        self.rt.stop_threadpool_executor()
        self.loop.close()


def now():
    return dt.datetime.now(dt.UTC).isoformat()
