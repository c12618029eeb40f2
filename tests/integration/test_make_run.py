"""`make run` as its user meets it: infra/local/run.py as a process, with its children."""

import os
import re
import shlex
import signal
import smtplib
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from imapclient import IMAPClient

from infra.local.addresses import HOST, USER
from infra.local.processes import ROOT
from tests.support.makerun import IN_TIME, PORTS, Run, eventually, free_ports

pytestmark = [pytest.mark.azurite, pytest.mark.xdist_group("make_run")]


@contextmanager
def running(state: Path, **environ: str) -> Iterator[Run]:
    """A run that is ready; ended without mercy afterwards, if the test has not."""
    run = Run(state, **environ)
    try:
        run.wait_until_it_says("Poll now" if environ.get("DEMO") != "0" else "Inbound runs")
        yield run
    finally:
        run.process.kill()
        run.process.wait()
        eventually(lambda: not run.processes(), within=40)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with running(tmp_path_factory.mktemp("run") / "state") as ready:
        yield ready


def send(run: Run, *options: str) -> None:
    command = [*shlex.split(run.printed("Example")), *options]
    settings = [word for word in command if re.match(r"[A-Z_]+=", word)]
    subprocess.run(
        command[len(settings) :],
        env={**os.environ, **dict(word.split("=", 1) for word in settings)},
        cwd=ROOT,
        check=True,
        capture_output=True,
    )


# A run


def test_the_start_prints_a_page_a_key_and_an_address_that_work(run: Run) -> None:
    page, key = run.printed("Page").split("#key=")
    assert page == f"http://localhost:{run.ports['HTTP_PORT']}/sign-in"
    assert run.printed("API key").split()[0] == key
    answer = httpx.get(
        page.replace("localhost", HOST).replace("/sign-in", "/api/mailboxes/support"), headers=bearer(key)
    )
    assert answer.status_code == 200
    assert answer.json()["port"] == run.ports["IMAP_PORT"]
    assert run.printed("Write to") == f"support@demo.localhost, by SMTP at {HOST}:{run.ports['SMTP_PORT']}"
    assert "not for production" in run.said


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_the_poll_now_line_works_as_it_is_printed(run: Run) -> None:
    command = shlex.split(run.printed("Poll now"))
    assert command[:3] == ["curl", "-X", "POST"]
    answer = httpx.post(command[-1].replace("localhost", HOST), headers=dict([command[4].split(": ")]), timeout=60)
    assert answer.is_success, answer.text


def test_the_example_command_sends_a_mail_with_umlauts_and_an_attachment_and_then_its_answer(run: Run) -> None:
    send(run, "--subject", "Größe")
    send(run, "--reply")
    with run.imap() as imap:
        imap.select_folder("INBOX", readonly=True)
        first, answer = (mail[b"BODY[]"].decode() for mail in imap.fetch(imap.search()[-2:], ["BODY.PEEK[]"]).values())
    message_id = re.search(r"^Message-ID: (.+)\r$", first, re.MULTILINE)
    assert message_id
    assert "Viele Grüße" in first
    assert "Content-Disposition: attachment" in first
    assert f"In-Reply-To: {message_id[1]}" in answer


def test_an_answer_from_the_page_reaches_the_example_reporter_whose_next_mail_joins_it(run: Run) -> None:
    url, key = f"http://{HOST}:{run.ports['HTTP_PORT']}", run.printed("API key").split()[0]
    with httpx.Client(base_url=url, headers=bearer(key), trust_env=False, timeout=60) as desk:
        send(run, "--subject", "Toner")
        desk.post("/api/mailboxes/support/poll")
        eventually(lambda: bool(desk.get("/api/incidents?q=Toner").json()["items"]))
        number = desk.get("/api/incidents?q=Toner").json()["items"][0]["number"]
        path = f"/api/incidents/{number}"
        assert desk.post(f"{path}/notes", json={"kind": "answer", "text": "Use water."}).status_code == 201
        eventually(lambda: desk.get(path).json()["notes"][1]["delivery"]["state"] == "sent")
        (sent,) = Path(run.printed("Answered").split(": ")[1]).glob("*.eml")
        assert b"Use water." in sent.read_bytes()
        send(run, "--reply", "--text", "That helped.")
        desk.post("/api/mailboxes/support/poll")
        eventually(lambda: [note["text"] for note in desk.get(path).json()["notes"][2:]] == ["That helped."])


def test_the_demo_server_sends_for_nobody_who_does_not_know_the_password(run: Run) -> None:
    with smtplib.SMTP(HOST, run.ports["SMTP_PORT"], timeout=30) as smtp, pytest.raises(smtplib.SMTPAuthenticationError):
        smtp.login(USER, "guessed")


@pytest.mark.parametrize("name", ["admin.key", "demo.json"])
def test_secrets_are_for_their_owner_only(run: Run, name: str) -> None:
    assert stat.S_IMODE((run.state / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", PORTS)
def test_a_taken_port_is_one_line_that_names_the_variable(run: Run, tmp_path: Path, name: str) -> None:
    second = Run(tmp_path / "state", **{name: str(run.ports[name])})
    assert second.process.wait(IN_TIME) == 1
    assert second.said == f"make run: port {run.ports[name]} is taken: set {name} to a free one\n"
    assert not second.processes()


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"HTTP_PORT": "http"}, "HTTP_PORT=http is no port: set it to a number from 1 to 65535"),
        ({"SMTP_PORT": "5555", "IMAP_PORT": "5555"}, "IMAP_PORT and SMTP_PORT are both 5555: set one of them to another port"),
        ({"HOST": "func", "PATH": "/nonexistent"}, "HOST=func: Azure Functions Core Tools are not installed; leave HOST out for our own host"),
        ({"PATH": "/nonexistent"}, "Node.js 18 or newer is missing: apt-get install nodejs npm"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_one_line(tmp_path: Path, environ: dict[str, str], line: str) -> None:
    run = Run(tmp_path / "state", **environ)
    assert run.process.wait(IN_TIME) == 1
    assert run.said == f"make run: {line}\n"


def test_a_second_run_on_the_same_state_directory_is_refused_in_one_line(run: Run) -> None:
    second = Run(run.state)
    second.process.wait(IN_TIME)
    assert second.process.returncode == 1
    assert second.said.endswith(
        f"make run: another run uses {run.state}: stop it, or set STATE_DIR to another directory\n"
    )
    assert run.process.poll() is None


# Its end


@pytest.mark.slow
def test_ctrl_c_leaves_no_process_and_the_next_start_carries_on(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state) as first:
        send(first)
        with first.imap() as imap:
            before = imap.folder_status("INBOX", ["MESSAGES", "UIDNEXT", "UIDVALIDITY"])
        key = first.printed("API key")
        assert first.interrupt() == 0
        assert not first.processes()
        assert "Traceback" not in first.said
    with running(state) as second:
        assert second.printed("API key") == key
        with second.imap() as imap:
            assert imap.folder_status("INBOX", ["MESSAGES", "UIDNEXT", "UIDVALIDITY"]) == before
        second.process.terminate()
        assert second.process.wait(IN_TIME) == 0
        assert not second.processes()


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_no_process_and_its_data(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state) as first:
        key = first.printed("API key")
        assert len(first.processes()) >= 4
        first.process.kill()
        first.process.wait()
        eventually(lambda: not first.processes(), within=40)
    with running(state) as second:
        assert second.printed("API key") == key


@pytest.mark.slow
def test_when_the_host_dies_the_rest_stops_and_one_line_says_so(tmp_path: Path) -> None:
    with running(tmp_path / "state") as run:
        (host,) = [pid for pid in run.processes() if "infra.local.host" in command_line(pid)]
        os.kill(host, signal.SIGKILL)
        assert run.process.wait(IN_TIME) == 1
        assert run.said.endswith("make run: the host ended (killed by SIGKILL); stopped the rest\n")
        assert not run.processes()


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


@pytest.mark.slow
def test_two_runs_side_by_side_do_not_disturb_one_another(run: Run, tmp_path: Path) -> None:
    with run.imap() as imap:
        before = imap.folder_status("INBOX", ["MESSAGES"])
    with running(tmp_path / "state") as other:
        send(other)
        with other.imap() as imap:
            assert imap.folder_status("INBOX", ["MESSAGES"]) == {b"MESSAGES": 1}
        assert other.printed("API key") != run.printed("API key")
        assert other.interrupt() == 0
    with run.imap() as imap:
        assert imap.folder_status("INBOX", ["MESSAGES"]) == before
    assert httpx.get(f"http://{HOST}:{run.ports['HTTP_PORT']}/api/health").status_code == 200


@pytest.mark.slow
def test_without_the_demo_there_is_no_mail_server_and_no_tenant(tmp_path: Path) -> None:
    with running(tmp_path / "state", DEMO="0", API_ADMIN_KEY="a-cloud-admins-own-key-0123456789") as run:
        assert "cloud admin's key: a-cloud-admins-own-key-0123456789" in run.said
        assert "API key" not in run.said
        assert not (run.state / "mail.sqlite").exists()
        assert not any("infra.local.demo" in command_line(pid) for pid in run.processes())
        assert run.interrupt() == 0


# The demo mail server by itself


@contextmanager
def mail_server(path: Path, ports: dict[str, int]) -> Iterator[subprocess.Popen[bytes]]:
    environ = {**os.environ, **{name: str(port) for name, port in ports.items()}}
    environ |= {"DEMO_MAIL": str(path), "DEMO_PASSWORD": "pw"}
    process = subprocess.Popen([sys.executable, "-m", "infra.local.demo"], cwd=ROOT, env=environ)
    try:
        eventually(lambda: listens(ports["IMAP_PORT"]))
        yield process
    finally:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


@contextmanager
def signed_in(ports: dict[str, int]) -> Iterator[IMAPClient]:
    with IMAPClient(HOST, ports["IMAP_PORT"], ssl=False) as imap:
        imap.login(USER, "pw")
        yield imap


def test_a_mail_is_kept_byte_for_byte(tmp_path: Path) -> None:
    mails = [
        "From: Jörg <jörg@kunde.example>\r\nSubject: Grüße\r\n\r\n8-bit: Größe\r\n".encode(),
        b"Subject: latin-1 \xfc\r\n\r\n\xe4\xf6\xfc\r\n.a dot first\r\n..two\r\n",
        b"Subject: long\r\n\r\n" + b"x" * 20_000 + b"\r\n",
        b"Subject: no body\r\n",
        b"To: unlisted-recipients:; (no To-header on input)\r\n\r\nmany parsers raise on this one\r\n",
        b"Content-Type: multipart/mixed; boundary*=ISO-2022-JP''%1B$B\r\n\r\nand on this one\r\n",
    ]
    ports = free_ports()
    with mail_server(tmp_path / "mail.sqlite", ports), signed_in(ports) as imap:
        with smtplib.SMTP(HOST, ports["SMTP_PORT"]) as smtp:
            for mail in mails:
                smtp.sendmail("a@customer.example", ["support@demo.localhost"], mail, ["BODY=8BITMIME"])
            smtp.sendmail("jörg@kunde.example", ["töpfe@demo.localhost"], mails[0], ["SMTPUTF8", "BODY=8BITMIME"])
        imap.select_folder("INBOX", readonly=True)
        kept = imap.fetch(imap.search(), ["BODY.PEEK[]", "RFC822.SIZE"])
    assert [mail[b"BODY[]"] for mail in kept.values()] == [*mails, mails[0]]
    assert all(mail[b"RFC822.SIZE"] == len(mail[b"BODY[]"]) for mail in kept.values())


def test_three_hundred_mails_are_all_there_and_keep_their_uids_over_a_kill(tmp_path: Path) -> None:
    ports = free_ports()
    with mail_server(tmp_path / "mail.sqlite", ports) as process:
        with smtplib.SMTP(HOST, ports["SMTP_PORT"]) as smtp:
            for number in range(300):
                smtp.sendmail("a@customer.example", ["b@c"], f"Subject: {number}\r\n\r\nx\r\n")
        with signed_in(ports) as imap:
            imap.select_folder("INBOX")
            imap.delete_messages([7, 300])
            imap.expunge()
            before = listing(imap)
        process.kill()
    with mail_server(tmp_path / "mail.sqlite", ports):
        with signed_in(ports) as imap:
            assert listing(imap) == before
        with smtplib.SMTP(HOST, ports["SMTP_PORT"]) as smtp:
            smtp.sendmail("a@customer.example", ["b@c"], "Subject: next\r\n\r\nx\r\n")
        with signed_in(ports) as imap:
            imap.select_folder("INBOX")
            assert imap.search()[-1] == 301  # not 300 again, which was another mail
    validity, mails = before
    assert validity > 0
    assert mails == {uid: b"Subject: %d\r\n\r\nx\r\n" % (uid - 1) for uid in range(1, 300) if uid != 7}


def listing(imap: IMAPClient) -> tuple[int, dict[int, bytes]]:
    validity = int(imap.select_folder("INBOX", readonly=True)[b"UIDVALIDITY"])
    mails = imap.fetch(imap.search(), ["BODY.PEEK[]"])
    return validity, {uid: mail[b"BODY[]"] for uid, mail in mails.items()}


def test_mails_can_be_marked_moved_and_found_by_date(tmp_path: Path) -> None:
    ports = free_ports()
    with mail_server(tmp_path / "mail.sqlite", ports), signed_in(ports) as imap:
        for number in range(3):
            imap.append("INBOX", f"Subject: {number}\r\n\r\nx\r\n")
        imap.select_folder("INBOX")
        imap.add_flags([1], [b"\\Seen"])
        imap.create_folder("Done")
        imap.move([2], "Done")
        today = time.strftime("%d-%b-%Y")
        assert imap.search(["SINCE", today, "UNSEEN"]) == [3]
        assert imap.search(["SINCE", "01-Jan-2100"]) == []
        assert imap.search(["UID", "3:*"]) == [3]
        assert imap.folder_status("Done", ["MESSAGES", "UNSEEN"]) == {b"MESSAGES": 1, b"UNSEEN": 1}
        imap.select_folder("Done")
        assert imap.fetch([1], ["BODY.PEEK[]"])[1][b"BODY[]"] == b"Subject: 1\r\n\r\nx\r\n"
