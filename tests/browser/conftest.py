"""Debian's chromium, driven by Playwright, on the app in memory behind a real HTTP server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Response, sync_playwright

from tests.support.app import World
from tests.unit.web.house import House, make_house

CHROMIUM = Path("/usr/bin/chromium")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name that is not loopback: over plain http browsers do not trust it and send no Sec-Fetch-Site.
    "--host-resolver-rules=MAP inbound.test 127.0.0.1",
]


@dataclass
class Served:
    """The app and where it is served."""

    house: House
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


# Playwright keeps an event loop running in this thread, in which other tests could not run one of their own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"needs Debian's chromium ({CHROMIUM} is not there): apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def served(world: World) -> Iterator[Served]:
    """An app with two tenants on a free port of loopback."""
    house = make_house(world)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(house.web, log_level="warning", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield Served(house, listening.getsockname()[1])
        server.should_exit = True
        thread.join(10)


@dataclass
class Watched:
    """A page, and whatever it did that a page of ours must not do."""

    page: Page
    trouble: list[str]


@pytest.fixture
def watched(chromium: Browser, served: Served) -> Iterator[Watched]:
    """A page that fails its test when a script fails, a policy is broken, a dialog opens or a request leaves."""
    context = chromium.new_context(locale="en-GB", timezone_id="Europe/Berlin")
    found = Watched(context.new_page(), [])
    watch(context, found, str(served.port))
    yield found
    context.close()
    assert found.trouble == []


def watch(context: BrowserContext, watched: Watched, port: str) -> None:
    """Write down all trouble of all pages of a context."""
    trouble = watched.trouble

    def dismiss(dialog: Dialog) -> None:
        trouble.append("a dialog opened")
        dialog.dismiss()

    def console(message: ConsoleMessage) -> None:
        # Chromium reports refusals (401, 404, 409) that the tests ask for, and that plain http is not trusted.
        expected = "responded with a status of 4" in message.text or "Opener-Policy" in message.text
        if message.type in ("error", "warning") and not expected:
            trouble.append(f"console: {message.text}")

    def answered(response: Response) -> None:
        if "/static/" in response.url and not response.ok:
            trouble.append(f"{response.status}: {response.url}")

    context.on("response", answered)
    context.on("dialog", dismiss)
    context.on("console", console)
    context.on("weberror", lambda error: trouble.append(f"script: {error.error}"))
    context.on("request", lambda request: None if f":{port}/" in request.url else trouble.append(request.url))


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page
