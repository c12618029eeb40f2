"""A Dovecot of our own: temporary folder, free ports, certificates by trustme; the system's service is not touched."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme
from imapclient import IMAPClient

START_SECONDS = 20
PASSWORD = "pass!word%1"
"""With a percent sign: what quoting gets wrong first."""

CONFIG = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols = imap pop3
listen = 127.0.0.1
mail_location = maildir:{home}/mail/%u
disable_plaintext_auth = {disable_plaintext}
auth_mechanisms = plain login
ssl = yes
ssl_cert = <{home}/cert.pem
ssl_key = <{home}/key.pem
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {login_user}
first_valid_uid = 0
mail_uid = {uid}
mail_gid = {gid}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
namespace inbox {{
  inbox = yes
}}
mail_max_userip_connections = 100
{more}
"""


def installed() -> bool:
    """Whether this machine has Dovecot with IMAP and POP3."""
    return dovecot_path() is not None and Path("/usr/lib/dovecot/imap").exists()


def dovecot_path() -> str | None:
    """Debian puts it where only root's PATH looks."""
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@dataclass
class Ports:
    """The four ports of a server."""

    imap: int
    imaps: int
    pop3: int
    pop3s: int


class Dovecot:
    """A running Dovecot (``with Dovecot() as dovecot``). Any user name is let in with ``PASSWORD``."""

    def __init__(self, allow_plain: bool = True, capability: str = "", more: str = "") -> None:
        """``capability``: what it says it can, instead of all; ``more``: further lines of configuration."""
        self.has_uidplus = True
        self._more = more + (f"\nimap_capability = {capability}" if capability else "")
        # Short, because the paths of its sockets may not be longer than 108 bytes.
        self._home = Path(tempfile.mkdtemp(prefix="dv", dir="/tmp"))
        self.ports = Ports(*free_ports(4))
        self.authority = trustme.CA()
        self._allow_plain = allow_plain
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ca_file(self) -> str:
        """The authority that its certificate is from."""
        return str(self._home / "ca.pem")

    @property
    def mail_folder(self) -> Path:
        """Where each user's mail lies (maildir)."""
        return self._home / "mail"

    def __enter__(self) -> Self:
        self._write_files()
        self._process = subprocess.Popen(
            [str(dovecot_path()), "-F", "-c", str(self._home / "dovecot.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=20)
        shutil.rmtree(self._home, ignore_errors=True)

    def client(self, user: str) -> IMAPClient:
        """A logged-in client, for putting mail in and looking what happened to it."""
        client = IMAPClient("127.0.0.1", port=self.ports.imap, ssl=False)
        client.login(user, PASSWORD)
        client.select_folder("INBOX")
        return client

    def _write_files(self) -> None:
        leaf = self.authority.issue_cert("localhost", "127.0.0.1")
        leaf.private_key_pem.write_to_path(self._home / "key.pem")
        for count, blob in enumerate(leaf.cert_chain_pems):
            blob.write_to_path(self._home / "cert.pem", append=count > 0)
        self.authority.cert_pem.write_to_path(self.ca_file)
        (self._home / "mail").mkdir()
        root = os.geteuid() == 0
        # Dovecot refuses to read mail as root: it must be somebody whom every Debian has.
        uid, gid = pwd.getpwnam("mail")[2:4] if root else (os.geteuid(), os.getegid())
        os.chown(self._home / "mail", uid, gid)
        user = "dovecot" if root else getpass.getuser()
        config = CONFIG.format(
            home=self._home,
            user=user,
            group=user if root else grp.getgrgid(os.getgid()).gr_name,
            login_user="dovenull" if root else user,
            uid=uid,
            gid=gid,
            password=PASSWORD.replace("%", "%%"),
            disable_plaintext="no" if self._allow_plain else "yes",
            more=self._more,
            **vars(self.ports),
        )
        (self._home / "dovecot.conf").write_text(config)
        self._home.chmod(0o755)

    def _wait(self) -> None:
        assert self._process is not None
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise RuntimeError(f"Dovecot did not start: {(self._home / 'log').read_text()}")
            try:
                with socket.create_connection(("127.0.0.1", self.ports.imap), timeout=1) as connection:
                    if connection.recv(10).startswith(b"* OK"):
                        return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("Dovecot does not answer")


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
