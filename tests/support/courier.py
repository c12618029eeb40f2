"""A way out in memory, behind the ``Courier`` seam. It keeps the contract of tests/contract/test_courier.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from shared.errors import InboundError
from shared.ports import NOBODY, Refusal, Sent, Watch


@dataclass
class MemoryPost:
    """What was sent, and what is to go wrong.

    ``sent``: mail, sender, and who got it. ``closed_with``: at connecting; ``refuses_to_send``: in ``may_send``;
    ``refuses_mail``: in ``send``; ``dies_after_taking``: in ``send``, once the mail has been taken; ``leaves_with``: at
    saying goodbye. ``logins``: how often somebody came.
    """

    sent: list[tuple[bytes, str, tuple[str, ...]]] = field(default_factory=list)
    refuses: dict[str, Refusal] = field(default_factory=dict)
    closed_with: BaseException | None = None
    refuses_to_send: InboundError | None = None
    refuses_mail: BaseException | None = None
    dies_after_taking: BaseException | None = None
    leaves_with: InboundError | None = None
    logins: int = 0


class MemoryCourier:
    """A ``Courier`` on a ``MemoryPost``."""

    def __init__(self, post: MemoryPost, watch: Watch = NOBODY) -> None:
        self._post = post
        self._watch = watch

    def __enter__(self) -> Self:
        self._post.logins += 1
        if self._post.closed_with:
            raise self._post.closed_with
        self._watch.step("login")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._post.leaves_with:
            raise self._post.leaves_with

    def may_send(self) -> None:
        if self._post.refuses_to_send:
            raise self._post.refuses_to_send

    def send(self, message: bytes, sender: str, recipients: Sequence[str]) -> Sent:
        if not recipients:
            raise ValueError("a mail without recipients")
        if self._post.refuses_mail:
            raise self._post.refuses_mail
        refused = {one: self._post.refuses[one] for one in recipients if one in self._post.refuses}
        taken = tuple(one for one in dict.fromkeys(recipients) if one not in refused)
        if taken:
            self._post.sent.append((message, sender, taken))
        if self._post.dies_after_taking:
            raise self._post.dies_after_taking
        return Sent(refused, "250 2.0.0 kept" if taken else "")
