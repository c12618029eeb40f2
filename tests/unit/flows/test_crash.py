"""Storage fails at every single operation; afterwards everything is as if it had not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from shared.errors import StoreError
from shared.flows import convert, upkeep
from shared.flows.poll import poll
from shared.model.doorbell import InboundBell
from shared.model.inbound import Content, Filed, Filing, Kept
from shared.ports import App
from shared.store.desk import TableDesk
from shared.store.raw import Blobs, StoredRawMail
from shared.store.tables import Operation, Tables
from tests.support.app import World, make_app
from tests.support.checker import Stored, violations
from tests.support.failing import FailingBlobs, FailingQueues, FailingTables, Fault, Kind
from tests.support.mails import mail
from tests.support.memory import MemoryBlobs, MemoryTables

QUESTION = mail(text="The question.", message_id="<q@example.com>", cc="bob@example.net")
ANSWER = mail(
    sender="Bob <bob@example.net>",
    text="The answer.",
    message_id="<a@example.net>",
    in_reply_to="<q@example.com>",
    attachments=(("log.bin", b"\x00\x01log"),),
)
STRANGER = mail(
    sender="Eve <eve@evil.example>",
    text="Let me in. " + "x" * 31_000,
    message_id="<e@evil.example>",
    references="<q@example.com>",
)


@dataclass
class Scene:
    """A world whose storage can fail, with one mailbox. ``broken`` builds the app wrongly on purpose.

    ``renumbers``: in the end the server has a new UIDVALIDITY, so that every mail is listed once more.
    """

    renumbers: bool = False
    broken: Callable[[App, Tables, Blobs], App] | None = None
    split: bool = False
    fault: Fault = field(default_factory=Fault)
    world: World = field(init=False)
    tenant: str = field(init=False)

    def __post_init__(self) -> None:
        tables = (_Split if self.split else FailingTables)(MemoryTables(), self.fault)
        blobs = FailingBlobs(MemoryBlobs(), self.fault)
        made = make_app(tables, blobs, FailingQueues(fault=self.fault))
        made.clock.now += timedelta(microseconds=750_250)
        if self.broken:
            made.app = self.broken(made.app, tables, blobs)
        self.world = made
        self.tenant, _ = made.tenant()
        made.mailbox(self.tenant)

    def play(self, bells_get_lost: bool) -> None:
        """Four mails: an answer before its question, the same answer again, a stranger."""
        folder = self.world.folders["support"]
        for arriving in ((ANSWER,), (QUESTION, ANSWER), (STRANGER,)):
            for raw in arriving:
                folder.deliver(raw)
            self.poll()
            self.convert(bells_get_lost)
            self.world.clock.advance(minutes=2)
        if self.renumbers:
            folder.renumber()
            self.poll()
            self.convert(bells_get_lost)

    def recover(self) -> None:
        """Storage works again, and time goes on: one poll, the rescue, conversion."""
        self.fault.disarm()
        self.world.clock.advance(minutes=10)
        self.world.poll(self.tenant)
        self.world.convert_all()
        self.world.clock.advance(minutes=10)
        upkeep.rescue(self.world.app)
        self.world.convert_all()

    def poll(self) -> None:
        try:
            self.world.poll(self.tenant)
        except StoreError:
            self.world.clock.advance(minutes=1)

    def convert(self, bells_get_lost: bool) -> None:
        bells = self.world.queues.inbound
        waiting = [InboundBell.decode(bells.popleft()) for _ in range(len(bells))]
        for bell in waiting:
            for _ in range(1 if bells_get_lost else 2):
                try:
                    convert.convert(self.world.app, bell.tenant, bell.id)
                    break
                except StoreError:
                    continue

    def problems(self) -> list[str]:
        """What is wrong, against the rules and against what becomes of these mails when nothing fails."""
        stored = Stored(self.world.tables, self.world.blobs, self.tenant)
        found = violations(self.world.tables, self.world.blobs, self.tenant)
        if stored.threads() != EXPECTED:
            found.append(f"threads are {[[text[:15] for text in texts] for texts in stored.threads()]}")
        outcomes = stored.outcomes()
        copies = outcomes.pop("same_mail", 0)
        if outcomes != {"new_incident": 2, "reply_by_reference": 1}:
            found.append(f"outcomes are {outcomes}")
        # After renumbering there are as many more as were seen under their old numbers.
        if not (1 <= copies <= 5 if self.renumbers else copies == 1):
            found.append(f"{copies} mails are copies")
        return found


EXPECTED = sorted([("The answer.", "The question."), ("Let me in. " + "x" * 31_000,)])


def operations(make: Callable[[], Scene]) -> int:
    """How many storage operations the play takes when nothing fails."""
    scene = make()
    scene.fault.arm(0)
    scene.play(bells_get_lost=False)
    return scene.fault.count


def failing_at(make: Callable[[], Scene], kind: Kind, bells_get_lost: bool) -> dict[int, list[str]]:
    """For each operation: what is wrong after it failed and all else went on."""
    found: dict[int, list[str]] = {}
    for at in range(1, operations(make) + 1):
        scene = make()
        scene.fault.arm(at, kind)
        scene.play(bells_get_lost)
        scene.recover()
        if problems := scene.problems():
            found[at] = problems
    return found


@pytest.mark.parametrize(("renumbers", "copies"), [(False, 1), (True, 5)])
def test_without_a_fault_the_play_ends_as_expected(renumbers: bool, copies: int) -> None:
    scene = Scene(renumbers)
    scene.play(bells_get_lost=False)
    assert scene.problems() == []
    outcomes = Stored(scene.world.tables, scene.world.blobs, scene.tenant).outcomes()
    assert outcomes == {"new_incident": 2, "reply_by_reference": 1, "same_mail": copies}


@pytest.mark.parametrize("renumbers", [False, True], ids=["", "then renumbered"])
@pytest.mark.parametrize("bells_get_lost", [False, True], ids=["bells come again", "bells get lost"])
@pytest.mark.parametrize("kind", ["before", "after", "outage"])
def test_a_fault_at_any_storage_operation_leaves_no_trace_once_work_has_gone_on(
    kind: Kind, bells_get_lost: bool, renumbers: bool
) -> None:
    def make() -> Scene:
        return Scene(renumbers)

    assert operations(make) > 70
    assert failing_at(make, kind, bells_get_lost) == {}


# ── the checker can fail ──────────────────────────────────────────────────────────────────────────────────────────


class _CursorFirst(TableDesk):
    """Broken: rows are written only after the cursor has moved past their mails."""

    waiting: Sequence[Kept] = ()

    def keep(self, tenant: str, mails: Sequence[Kept], now: datetime) -> tuple[str, ...]:
        self.waiting = mails
        return tuple(one.id for one in mails)

    def move_cursor(self, tenant: str, mailbox: str, generation: str, cursor: str, version: str) -> str:
        moved = super().move_cursor(tenant, mailbox, generation, cursor, version)
        waiting, self.waiting = self.waiting, ()
        if waiting:
            super().keep(tenant, waiting, datetime.fromisoformat("2026-11-16T12:00:00Z"))
        return moved


class _NoClaims(TableDesk):
    """Broken: ids that a mail refers to are not claimed."""

    def file(self, tenant: str, filing: Filing) -> Filed:
        return super().file(tenant, replace(filing, claims=tuple(claim for claim in filing.claims if claim.seen)))


class _NoDigest(TableDesk):
    """Broken: the same mail is not recognised under another source id."""

    def content(self, tenant: str, digest: str) -> Content:
        return Content()

    def file(self, tenant: str, filing: Filing) -> Filed:
        return super().file(tenant, replace(filing, digest=filing.inbound.id))


class _RowFirst(StoredRawMail):
    """Broken: an attachment is stored after the row that names it, when the next mail is read."""

    waiting: tuple[str, str, bytes] | None = None

    def keep_attachment(self, tenant: str, sha256: str, content: bytes) -> None:
        self.waiting = (tenant, sha256, content)

    def get(self, tenant: str, id: str) -> bytes | None:
        if self.waiting:
            waiting, self.waiting = self.waiting, None
            super().keep_attachment(*waiting)
        return super().get(tenant, id)


class _Split(FailingTables):
    """Broken: a transaction's operations are written one by one."""

    def commit(self, table: str, partition: str, operations: Sequence[Operation]) -> tuple[str, ...]:
        return tuple(super(_Split, self).commit(table, partition, [one])[0] for one in operations)


def _with_desk(kind: type[TableDesk]) -> Callable[[], Scene]:
    return lambda: Scene(broken=lambda app, tables, blobs: replace(app, desk=kind(tables, blobs)))


BROKEN: dict[str, Callable[[], Scene]] = {
    "the cursor moves before rows are kept": _with_desk(_CursorFirst),
    "ids are not claimed": _with_desk(_NoClaims),
    "content is not recognised": _with_desk(_NoDigest),
    "a row is written before the blob that it names": lambda: Scene(
        broken=lambda app, tables, blobs: replace(app, raw=_RowFirst(blobs))
    ),
    "writes are not one transaction": lambda: Scene(split=True),
}


@pytest.mark.parametrize("make", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_variant_is_caught(make: Callable[[], Scene]) -> None:
    assert failing_at(make, "before", False) | failing_at(make, "after", False)


def test_a_mail_whose_bell_is_lost_stays_pending_without_the_rescue() -> None:
    scene = Scene()
    scene.world.folders["support"].deliver(QUESTION)
    scene.poll()
    scene.world.queues.inbound.clear()
    scene.world.clock.advance(minutes=10)
    poll(scene.world.app, scene.tenant, "support")
    scene.world.convert_all()
    assert any("pending" in problem for problem in violations(scene.world.tables, scene.world.blobs, scene.tenant))
