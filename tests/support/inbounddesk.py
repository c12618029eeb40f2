"""A tenant of ours in a simulation: a mailbox, its server, its polls, and what it sends."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.mail import token
from shared.model.facts import Facts
from shared.model.incident import Status, label
from shared.store import keys, rows
from shared.store.tables import Delete, Insert, Operation, Replace
from tests.support.checker import Stored
from tests.support.simulation import MONDAY, POLLING, Letter, Sent, Simulation

AUTHSERV = "mx.example.org"
"""The server in front of every desk's mailbox, which says whether a sender is real."""


@dataclass
class InboundDesk:
    """A tenant's mailbox, polled every two minutes. ``envelope``: SMTP allows acknowledgements an empty one, Microsoft
    Graph does not. ``closes``: an agent closes every incident at once."""

    simulation: Simulation
    address: str
    unverified_senders: str = "accept"
    closed_reply: str = "reopen"
    closes: bool = False
    null_envelope: bool = True
    arrived: int = 0
    polling: bool = False

    def __post_init__(self) -> None:
        world = self.simulation.world
        self.id = self.address.replace("@", "-").replace(".", "-")
        self.tenant, _ = world.tenant(self.id)
        made = world.mailbox(
            self.tenant,
            self.id,
            email=self.address,
            authserv_id=AUTHSERV,
            unverified_senders=self.unverified_senders,
            closed_reply=self.closed_reply,
        )
        # Acknowledgements are refused at the edge until something sends them.
        world.app.mailboxes.put(replace(made, settings=made.settings.model_copy(update={"acknowledge": True})))
        self.simulation.parties[self.address] = self
        self.simulation.desks.append(self)

    def receive(self, letter: Letter) -> None:
        """Its server takes it in, writes on top what it knows about the sender, and waits for the next poll."""
        head = f"Return-Path: <{letter.envelope}>\r\n"
        if letter.verdict != "none":
            domain = letter.sender.rpartition("@")[2]
            head += f"Authentication-Results: {AUTHSERV}; dmarc={letter.verdict} header.from={domain}\r\n"
        simulation = self.simulation
        now = simulation.world.clock.now
        simulation.world.folders[self.id].deliver(head.encode() + letter.raw, now - letter.age)
        self.arrived += 1
        if not self.polling:
            self.polling = True
            simulation.after(POLLING - (now - MONDAY) % POLLING, self._poll)

    def stored(self) -> Stored:
        """Its storage."""
        return Stored(self.simulation.world.tables, self.simulation.world.blobs, self.tenant)

    def _poll(self) -> None:
        self.polling = False
        world, desk = self.simulation.world, self.simulation.desk
        world.poll(self.tenant, self.id)
        world.convert_all()
        outbox, desk.outbox = desk.outbox, []
        for facts, tenant, mail, incident in outbox:
            assert tenant == self.tenant
            self._acknowledge(facts, mail, incident)
        if self.closes:
            self._close_all()

    def _acknowledge(self, facts: Facts, mail: str, incident: int) -> None:
        message, simulation = facts.message, self.simulation
        assert message.sender is not None
        key = simulation.world.app.secrets.app_key("thread")
        reference = token.reference(key, self.tenant, incident)
        headers = {
            "message_id": token.message_id(key, self.tenant, incident, 2, self.address.rpartition("@")[2]),
            "Reply_To": token.subaddress(self.address, reference),
            "Auto_Submitted": "auto-replied",
            "Precedence": "auto_reply",
            "X_Auto_Response_Suppress": "All",
            "X_Loop": self.address,
        }
        if message.message_id:
            headers["In_Reply_To"] = headers["References"] = message.message_id
        # The worst subject for loops is one that hands theirs back.
        subject = f"Re: [{label(incident)}] {message.subject}"[:200]
        text = f"Your mail is with us as {label(incident)}.\n\n{reference}\n"
        raw = simulation.write(self.address, message.sender.address, subject, text, **headers)
        proved = facts.verdict.result == "pass"
        simulation.sent.append(Sent(simulation.world.clock.now, self.address, message.sender.key, mail, proved))
        simulation.post(Letter(raw, message.sender.address, "" if self.null_envelope else self.address))

    def _close_all(self) -> None:
        """As an agent does it: the row and its place in the list."""
        world = self.simulation.world
        for listed in world.incidents(self.tenant):
            incident = world.app.desk.incident(self.tenant, listed.number)
            if incident is None or incident.status is Status.CLOSED:
                continue
            values = rows.incident_values(replace(incident, status=Status.CLOSED))
            operations: list[Operation] = [
                Replace(keys.incident(incident.number), values, incident.version),
                Delete(keys.listed(incident.status, incident.updated, incident.number)),
                Insert(keys.listed(Status.CLOSED, incident.updated, incident.number), values),
            ]
            world.tables.commit("desk", self.tenant, operations)
