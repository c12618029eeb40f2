"""A settings test that is told step by step: one JSON text per line (application/x-ndjson), as it happens.

Azure's ``AsgiMiddleware`` collects an answer before it leaves: there all lines arrive together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.flows.probe import ProbeReport, ProbeStep, Tell
from shared.web.shapes.polling import ProbeStepOut, probe_out

NDJSON = "application/x-ndjson"


class ToldProbe(Response):
    """The steps as they begin and end, the report as the last line.

    Not Starlette's StreamingResponse: it waits for the caller to go away, which ``AsgiMiddleware`` tells by asking ten
    times a second. Whoever goes away ends nothing: a test changes nothing and has time limits of its own.
    """

    media_type = NDJSON

    def __init__(self, work: Callable[[Tell], ProbeReport]) -> None:
        super().__init__()
        # The length is not known yet.
        del self.headers["content-length"]
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(line: str | None) -> None:
            loop.call_soon_threadsafe(lines.put_nowait, line)

        working = asyncio.create_task(run_in_threadpool(self._tell, put))
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while (line := await lines.get()) is not None:
            await send({"type": "http.response.body", "body": f"{line}\n".encode(), "more_body": True})
        # Our own fault, if it is one, goes where those of every request go; then the last line is missing.
        await working
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _tell(self, put: Callable[[str | None], None]) -> None:
        def tell(step: ProbeStep) -> None:
            put(ProbeStepOut.model_validate(step, from_attributes=True).model_dump_json())

        try:
            put(probe_out(self._work(tell)).model_dump_json())
        finally:
            put(None)
