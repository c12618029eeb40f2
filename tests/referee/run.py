"""Index this app with Microsoft's own worker library and invoke every function of it; prints one JSON object.

Runs under Python 3.13 in an environment of its own (`make referee`), as a process: the library keeps its registry in
a module. Needs AzureWebJobsStorage, KEY_FILE and API_ADMIN_KEY in the environment. With ``--index`` it only indexes.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.referee.driver import Driver  # noqa: E402


def main() -> None:
    started = time.perf_counter()
    driver = Driver(ROOT).start()
    result = {
        "seconds": time.perf_counter() - started,
        "functions": {name: driver.trigger(name) for name in driver.functions},
    }
    if "--index" not in sys.argv:
        result["invoked"] = {name: invoke(driver, name) for name in driver.functions}
        result["health"] = driver.http("api", "GET", "http://localhost/api/health", route={"path": "health"}).value
        result["page"] = driver.http("pages", "GET", "http://localhost/sign-in", route={"path": "sign-in"}).value
    driver.stop()
    print(json.dumps(result, default=str))


def invoke(driver: Driver, name: str) -> dict[str, object]:
    """Call it once as the host would."""
    kind = driver.trigger(name)["type"]
    if kind == "timerTrigger":
        result = driver.timer(name, past_due=True)
    elif kind == "queueTrigger":
        bell = {"v": 1, "tenant": "nobody.0", "mailbox": "none", "id": "0" * 32}
        result = driver.queue(name, json.dumps(bell))
    else:
        result = driver.http(name, "GET", "http://localhost/api/nothing", route={"path": "nothing"})
    return {
        "ok": result.ok,
        "error": result.error,
        "status": (result.value or {}).get("status") if kind == "httpTrigger" else None,
    }


main()
