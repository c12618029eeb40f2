"""A receiver of webhooks in memory: takes what is sent, and answers as it is told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.errors import AddressForbidden
from shared.ports import Answered


@dataclass(frozen=True, slots=True)
class Request:
    """One request that came in."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The body, read."""
        return dict(json.loads(self.body))


@dataclass
class MemoryReceiver:
    """``ports.Post``. ``answers``: what the next requests get, in turn: a status, an ``Answered``, something to raise;
    behind them ``always``. ``takes``: runs when a request has come in, before it is answered."""

    got: list[Request] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    always: Any = 200
    by_url: dict[str, Any] = field(default_factory=dict)
    forbidden: tuple[str, ...] = ()
    takes: Callable[[Request], None] = lambda request: None

    def judge(self, url: str) -> None:
        """See ``ports.Post.judge``."""
        if url.startswith(self.forbidden or ("\0",)):
            raise AddressForbidden("It is not public.", "Ask the operator.")

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """See ``ports.Post.send``."""
        self.judge(url)
        request = Request(url, dict(headers), body)
        self.got.append(request)
        self.takes(request)
        answer = self.answers.pop(0) if self.answers else self.by_url.get(url, self.always)
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Answered) else Answered(answer)

    def ids(self) -> Counter[str]:
        """How often each event came in."""
        return Counter(one.headers["webhook-id"] for one in self.got)

    def types(self) -> list[str]:
        """The types of what came in, in order."""
        return [str(one.event["type"]) for one in self.got]
