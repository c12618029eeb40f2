"""infra/README.md is true: what it names is what there is, and what it counts is counted."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from azure.data.tables import EntityProperty, TableServiceClient

from infra.local.azurite import Azurite
from shared.model import schedule
from shared.model.schedule import Slot
from shared.servers.cloud import Cloud
from shared.web.app import build
from tests.bench.prices import EAST_US_2
from tests.support.app import NOON, World, make_app
from tests.unit.infra import workflows
from tests.unit.infra.workflows import ACTIONS, MAIN, ROOT, WORKFLOWS
from tests.unit.web.house import make_house

README = (ROOT / "infra" / "README.md").read_text()
TEXT = " ".join(README.split())
MODULES = ROOT / "infra" / "modules"


def rows(after: str) -> list[list[str]]:
    """The cells of the first table after this text."""
    table = re.search(r"(?m)^\|.*\n\|[-| ]+\n((?:\|.*\n)+)", README[README.index(after) :])
    assert table
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table.group(1).splitlines()]


def number(text: str) -> int:
    return int(text.replace(",", ""))


# ── what it names ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_parameters_and_outputs_that_it_names_exist() -> None:
    known = workflows.outputs(MAIN.read_text()) | set(re.findall(r"(?m)^param (\w+) ", MAIN.read_text()))
    named = set(re.findall(r"`([a-z]+[A-Z]\w+)`", README)) - {"clientId", "batchSize", "newBatchThreshold"}
    assert {"dedicatedTimers", "disabledFunctions", "federatedApps", "recoverVault"} <= named
    assert named | set(re.findall(r"\$\(output (\w+)\)", README)) <= known


def test_what_is_given_to_the_deployers_template_is_what_it_wants() -> None:
    deployer = (ROOT / "infra" / "deployer.bicep").read_text()
    given = re.search(r"--template-file infra/deployer\.bicep.*?--parameters (.*?) --query", TEXT)
    assert given
    wanted = set(re.findall(r"(?m)^param (\w+) \w+$", deployer))
    assert {one.partition("=")[0] for one in given.group(1).removeprefix("\\ ").split()} == wanted
    assert "clientId" in workflows.outputs(deployer)


def test_every_variable_and_secret_of_the_workflows_is_listed_and_no_other() -> None:
    texts = "\n".join(path.read_text() for path in (*WORKFLOWS, *ACTIONS))
    listed = {name for row in rows("| variable | where |")[:] for name in re.findall(r"[A-Z][A-Z_]{5,}", row[0])}
    assert listed == set(re.findall(r"\b(?:vars|secrets)\.([A-Z_]+)", texts))


def test_alerts_and_parts_of_the_workbook_that_it_names_exist() -> None:
    alerts = set(re.findall(r"name: '([a-z-]+)'", (MODULES / "alerts.bicep").read_text()))
    named = set(re.findall(r"`((?:mailbox|sweep|secret)-[a-z-]+)`", README))
    assert len(named) == 4
    assert named <= alerts
    workbook = (MODULES / "workbook.bicep").read_text()
    assert all(f"title: '{title}'" in workbook for title in ("Mailboxes by state", "Errors by cause"))
    assert '"Mailboxes by state"' in TEXT
    assert '"Errors by cause"' in TEXT


def test_endpoints_that_it_names_exist() -> None:
    def plain(path: str) -> str:
        return re.sub(r"{\w+}|/support\b|/acme\b", lambda one: "/{}" if one.group().startswith("/") else "{}", path)

    paths = {plain(path) for path in build(make_app().app, "").openapi()["paths"]}
    named = {plain(path) for path in re.findall(r"(/api/[\w/{}-]+\w}?)", README)}
    assert len(named) > 6
    assert named <= paths


def test_what_it_deploys_by_hand_is_what_the_workflow_deploys() -> None:
    archived = re.search(r"git archive .* HEAD (.*)", README)
    assert archived
    assert set(archived.group(1).split()) == workflows.packaged()


def test_tables_and_containers_that_are_moved_are_all_there_are() -> None:
    storage = (MODULES / "storage.bicep").read_text()

    def listed(name: str) -> set[str]:
        (line,) = re.findall(rf"(?m)^var {name} = \[(.*)\]$", storage)
        return set(re.findall(r"'([\w-]+)'", line))

    copied = re.search(r"for container in (.*); do", README)
    assert copied
    assert set(copied.group(1).split()) == listed("containers")
    assert set(re.findall(r"for name in \((.*)\):", README)[0].replace('"', "").split(", ")) == listed("tables")
    assert {row[0] for row in rows("| table | lost |")} == listed("tables")


@pytest.mark.parametrize(("line", "name"), [(0, "global"), (1, "usgov"), (2, "dod"), (3, "china")])
def test_each_cloud_has_the_addresses_that_the_code_has(line: int, name: str) -> None:
    cells, cloud = rows("One deployment reads")[line], Cloud.of(name)
    assert cells[2:5] == [cloud.authority, cloud.graph, cloud.outlook_resource.removeprefix("https://")]


def test_only_dod_has_to_set_the_address_of_graph() -> None:
    needed = {
        name for name in ("global", "usgov", "dod", "china") if Cloud.custom(Cloud.of(name).authority) != Cloud.of(name)
    }
    assert needed == {"dod"}
    assert "only **DoD has to set it**" in README


# ── what it says ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_commands_that_stop_a_mailbox_stop_it_and_keep_its_secrets(world: World) -> None:
    house = make_house(world)
    house.mailbox()
    client = house.client()
    settings: dict[str, Any] = client.get("/api/mailboxes/support").json()
    removed = re.search(r"jq 'del\((.*)\) \| \.enabled = false'", README)
    assert removed
    for path in removed.group(1).split(", "):
        *above, last = path.lstrip(".").split(".")
        place = settings[above[0]] if above else settings
        del place[last]
    settings["enabled"] = False
    assert client.put("/api/mailboxes/support", json=settings).status_code == 200
    after = client.get("/api/mailboxes/support").json()
    assert (after["enabled"], after["password"]) == (False, "set")
    slot = world.app.schedule.get(house.acme, "support")
    assert slot is not None
    assert not schedule.is_left_behind(slot, house.clock() + timedelta(days=1))


def test_the_sweep_takes_over_a_timer_that_was_disabled_as_soon_as_it_says() -> None:
    slot = Slot("acme.0", "support", 2, True, NOON, NOON, ticked=NOON)
    stated = re.search(r"\((\d+\.\d+) minutes at two\)", README)
    assert stated
    limit = timedelta(minutes=float(stated.group(1)))
    second = timedelta(seconds=1)
    waiting = [Slot("acme.0", "support", 2, True, NOON, NOON + limit - second, ticked=NOON)]
    assert [schedule.is_left_behind(one, NOON + limit - second) for one in waiting] == [False]
    assert schedule.is_left_behind(slot, NOON + limit + second)


def test_what_is_said_of_an_instance_that_is_always_ready_is_its_price_times_a_month() -> None:
    gb, seconds, price, dollars = re.findall(r"(\d+) GB × ([\d,]+) s × \$([\d.]+) = \$(\d+)", TEXT)[0]
    assert number(seconds) == 30 * 24 * 3600
    assert float(price) == EAST_US_2["ready_gb_seconds"].each
    assert round(float(gb) * number(seconds) * float(price)) == int(dollars)


def test_six_messages_share_an_instance_as_it_says() -> None:
    host = (ROOT / "host.json").read_text()
    queues = [int(one) for one in re.findall(r'"(?:batchSize|newBatchThreshold)": (\d+)', host)]
    assert sum(queues) == 6
    assert "here six at most" in TEXT


@pytest.mark.azurite
def test_its_script_copies_tables_with_their_types(azurite: Azurite) -> None:
    script = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert script
    defined: dict[str, Any] = {"__name__": "copy_tables"}
    exec(script.group(1), defined)
    with Azurite(None) as other:
        old = TableServiceClient.from_connection_string(azurite.connection_string)
        new = TableServiceClient.from_connection_string(other.connection_string)
        for name in ("tenants", "desk", "schedule"):
            old.create_table_if_not_exists(name)
            new.create_table(name)
        row = {
            "PartitionKey": "moved",
            "RowKey": "I:1",
            "on": True,
            "size": EntityProperty(2**40, "Edm.Int64"),
            "raw": b"\x00\xff",
        }
        old.get_table_client("desk").upsert_entity(row)
        defined["copy"](old, new)
        (there,) = new.get_table_client("desk").query_entities("PartitionKey eq 'moved'")
        assert dict(there) == dict(old.get_table_client("desk").get_entity("moved", "I:1"))
        old.close()
        new.close()
