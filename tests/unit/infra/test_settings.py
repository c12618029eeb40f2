"""The app settings that Bicep writes are ones that the code and the host can work with."""

from __future__ import annotations

import json
import re
from typing import Any

from tree_sitter import Node

from shared import config
from shared.servers.cloud import Cloud
from tests.unit.infra import bicep, promises, sources, wiring

TEMPLATES = wiring.templates(sources.read())
APP = TEMPLATES["modules/app.bicep"]
HOST: dict[str, Any] = json.loads((promises.ROOT / "host.json").read_text())

DEPLOYED = {
    "environment().suffixes.storage": "core.windows.net",
    "environment().suffixes.keyvaultDns": ".vault.azure.net",
    "environment().authentication.loginEndpoint": "https://login.microsoftonline.com/",
    "insights.properties.ConnectionString": "InstrumentationKey=0",
    "storageName": "stinbounda1b2c3d4e5f6g",
    "vaultName": "kv-inbound-a1b2c3d4e5f6g",
    "wrappingKeyName": bicep.literal(bicep.at(TEMPLATES["modules/vault.bicep"].resources["wrappingKey"].body, "name")),
    "identityClientId": "11111111-2222-3333-4444-555555555555",
}
"""What Azure's public cloud, the other modules and the parameters put in."""


def value(node: Node) -> str:
    """An expression of the settings, worked out for one deployment."""
    text = bicep.said(node)
    if text in DEPLOYED:
        return str(DEPLOYED[text])
    if node.type == "string":
        return re.sub(r"\$\{(.+?)\}", lambda found: name(found[1]), text[1:-1])
    if node.type == "ternary_expression":
        asked, then, otherwise = node.named_children
        function, (given,) = bicep.called(asked)
        assert function == "empty"
        return value(otherwise if value(given) else then)
    function, arguments = bicep.called(node)
    return value(arguments[0]) if function == "string" else name(text)


def name(text: str) -> str:
    if text in DEPLOYED:
        return str(DEPLOYED[text])
    if text in APP.variables:
        return value(APP.variables[text])
    default = TEMPLATES["main.bicep"].params[text].value
    assert default is not None
    return bicep.said(default).strip("'")


def environment() -> dict[str, str]:
    return {key: value(node) for key, node in bicep.properties(APP.variables["settings"]).items()}


def test_the_code_can_read_what_is_deployed() -> None:
    read = config.read(environment())
    assert read.storage == config.Storage(
        table_url="https://stinbounda1b2c3d4e5f6g.table.core.windows.net",
        blob_url="https://stinbounda1b2c3d4e5f6g.blob.core.windows.net",
        queue_url="https://stinbounda1b2c3d4e5f6g.queue.core.windows.net",
        client_id="11111111-2222-3333-4444-555555555555",
    )
    assert read.key_vault_key == "https://kv-inbound-a1b2c3d4e5f6g.vault.azure.net/keys/wrapping"
    assert (read.dedicated_timers, read.retention_days) == (50, 180)
    assert Cloud.custom(read.authority, read.graph_url) == Cloud.of("global")
    assert read.otlp_endpoint == ""


def test_an_admin_key_that_is_not_in_the_vault_yet_is_no_key() -> None:
    """App Service hands the reference itself to the app when it cannot resolve it."""
    assert environment()["API_ADMIN_KEY"].startswith("@Microsoft.KeyVault(")
    assert config.read(environment()).api_admin_key == ""


def test_each_message_that_the_host_hands_out_finds_a_thread() -> None:
    queues = HOST["extensions"]["queues"]
    assert environment()["PYTHON_THREADPOOL_THREAD_COUNT"] == str(queues["batchSize"] + queues["newBatchThreshold"])


def test_the_host_is_as_the_code_expects() -> None:
    queues = HOST["extensions"]["queues"]
    assert HOST["extensions"]["http"]["routePrefix"] == ""
    assert HOST["extensionBundle"]["version"] == "[4.*, 5.0.0)"
    assert queues["messageEncoding"] == "base64"
    # Without a pause five tries are over in half a second, and a short outage fills the poison queue.
    assert queues["visibilityTimeout"] >= "00:00:30"
    assert queues["maxDequeueCount"] == 5
    # New incidents of one tenant meet on its counter.
    assert queues["batchSize"] + queues["newBatchThreshold"] <= 8
    assert "Request" in HOST["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"]


def test_no_event_is_sampled_away() -> None:
    assert "Trace" in HOST["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"].split(";")


def test_as_many_timers_as_the_code_takes() -> None:
    decorators = TEMPLATES["main.bicep"].params["dedicatedTimers"].decorators
    assert f"@maxValue({config.MAX_DEDICATED_TIMERS})" in decorators
