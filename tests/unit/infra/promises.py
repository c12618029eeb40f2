"""What the templates promise to the code and to whoever audits them: settings, storage, roles, tags, names, no keys."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from shared import config
from shared.store import queues, raw, tables
from tests.unit.infra.bicep import Resource, Template, at, called, identifiers, items, literal, place, properties, said
from tests.unit.infra.sources import Sources
from tests.unit.infra.typecheck import known_types
from tests.unit.infra.wiring import templates

ROOT = Path(__file__).parents[3]

READ_BY_THE_PLATFORM = {
    "AzureWebJobsStorage__credential": "the host: which kind of identity",
    "AzureWebJobsDisableHomepage": "the host: its home page would lie over ours",
    "PYTHON_THREADPOOL_THREAD_COUNT": "the Python worker",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "the host",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "the host",
    "OTEL_EXPORTER_OTLP_HEADERS": "the exporter of OpenTelemetry",
}
LEFT_OUT = {
    "AzureWebJobsStorage": "a connection string holds a key; there are none",
    "AzureWebJobsStorage__accountName": "the three addresses say it, in national clouds too",
    "KEY_FILE": "for machines without Key Vault",
    "MAIL_CA_FILE": "a deployed app has no file of the operator's",
}
REFUSED_BY_FLEX = ("FUNCTIONS_", "WEBSITE_", "ENABLE_ORYX_BUILD", "SCM_DO_BUILD_DURING_DEPLOYMENT")
"""Flex Consumption says these in functionAppConfig (learn.microsoft.com/azure/azure-functions/functions-app-settings)."""

ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Microsoft.Storage/storageAccounts",  # Storage Blob Data Owner
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Microsoft.Storage/storageAccounts",  # Storage Queue Data Contributor
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Microsoft.Storage/storageAccounts",  # Storage Table Data Contributor
    "e147488a-f6f5-4113-8e2d-b22465e65bf6": "Microsoft.KeyVault/vaults/keys",  # Crypto Service Encryption User
    "4633458b-17de-408a-b874-0445c86b69e6": "Microsoft.KeyVault/vaults",  # Key Vault Secrets User
    "3913510d-42f4-4e42-8a64-420c390055eb": "Microsoft.Insights/components",  # Monitoring Metrics Publisher
}
"""Every role of the app's identity, and where it holds. No more."""

MUST_SAY = {
    "Microsoft.Storage/storageAccounts": {
        "allowSharedKeyAccess": "false",
        "allowBlobPublicAccess": "false",
        "allowCrossTenantReplication": "false",
        "defaultToOAuthAuthentication": "true",
        "minimumTlsVersion": "'TLS1_2'",
        "supportsHttpsTrafficOnly": "true",
    },
    "Microsoft.KeyVault/vaults": {
        "enableRbacAuthorization": "true",
        "enablePurgeProtection": "true",
        "enableSoftDelete": "true",
    },
    "Microsoft.Insights/components": {"DisableLocalAuth": "true"},
    "Microsoft.Web/sites": {"httpsOnly": "true"},
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": {"allow": "false"},
    "Microsoft.Storage/storageAccounts/blobServices/containers": {"publicAccess": "'None'"},
}
NEVER = {
    r"list(Account|Service)?(Keys|Sas)\b|\.listKeys|AccountKey|SharedAccess|DefaultEndpointsProtocol": "a shared key",
    r"StorageAccountConnectionString|storageAccountConnectionStringName": "a connection string",
    r"\b(utcNow|newGuid)\(": "another value at each deployment",
}
NAMES = {
    "storage": r"[a-z0-9]{3,24}",
    "vault": r"(?!.*--)[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]",
    "app": r"[a-zA-Z0-9][a-zA-Z0-9-]{0,30}[a-zA-Z0-9]",  # Azure takes 60; the host's id is cut at 32
    "plan": r"[a-zA-Z0-9-]{1,60}",
    "identity": r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,127}",
    "workspace": r"[a-zA-Z0-9][a-zA-Z0-9-]{2,61}[a-zA-Z0-9]",
    "insights": r"[a-zA-Z0-9][a-zA-Z0-9._()-]{0,258}[a-zA-Z0-9]",
    "actionGroup": r"[a-zA-Z0-9-]{1,260}",
    "network": r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,50}[a-zA-Z0-9_]",  # 64, less what network.bicep adds
    "healthTest": r"[a-zA-Z0-9-]{1,260}",
}
"""learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules."""

TOKEN = "a1b2c3d4e5f6g"
"""uniqueString has 13 characters."""


def problems(sources: Sources) -> list[str]:
    """Every promise that is broken."""
    files = templates(sources)
    found = [*_settings(files["modules/app.bicep"]), *_storage(files["modules/storage.bicep"])]
    found += [*_roles(files), *_names(files["main.bicep"])]
    for template in files.values():
        found += [*_never(template, sources[template.path]), *_must_say(template), *_tags(template)]
    return found


class Asked(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@functools.cache
def settings_read_by_the_code() -> set[str]:
    """What ``config.read`` asks for, with an account's name and with three addresses."""
    names: set[str] = set()
    by_name = {"AzureWebJobsStorage__accountName": "desk"}
    by_address = {f"AzureWebJobsStorage__{kind}ServiceUri": "https://x" for kind in ("blob", "queue", "table")}
    for storage in (by_name, by_address):
        asked = Asked({**storage, "KEY_VAULT_KEY": "https://vault.vault.azure.net/keys/wrapping"})
        config.read(asked)
        names |= asked.names
    return names


def settings(template: Template) -> dict[str, str]:
    """Every app setting and its expression."""
    return {name: said(value) for name, value in properties(template.variables.get("settings")).items()}


def _settings(template: Template) -> Iterator[str]:
    given, read = set(settings(template)), settings_read_by_the_code()
    wanted = (read | READ_BY_THE_PLATFORM.keys()) - LEFT_OUT.keys()
    yield from (f"{template.path}: setting {name!r} is missing" for name in sorted(wanted - given))
    yield from (f"{template.path}: nobody reads setting {name!r}" for name in sorted(given - wanted))
    yield from (f"{template.path}: Flex refuses setting {name!r}" for name in given if name.startswith(REFUSED_BY_FLEX))
    applied = template.resources.get("appSettings")
    if applied is None or "settings" not in identifiers(applied.body):
        yield f"{template.path}: the settings are not applied"


@functools.cache
def queues_of_the_functions() -> set[str]:
    """The queues that trigger a function."""
    return {
        str(word.value.value)
        for path in (ROOT / "functions").glob("*.py")
        for word in ast.walk(ast.parse(path.read_text()))
        if isinstance(word, ast.keyword) and word.arg == "queue_name" and isinstance(word.value, ast.Constant)
    }


def _storage(template: Template) -> Iterator[str]:
    rung = set(queues.QUEUES) | {name for name in queues_of_the_functions() if not name.endswith("-poison")}
    wanted = {
        "containers": {*raw.CONTAINERS, literal(template.variables.get("packageContainer")) or "deployments"},
        "queues": {*rung, *(f"{name}-poison" for name in rung)} | queues_of_the_functions(),
        "tables": set(tables.TABLES),
    }
    for kind, names in wanted.items():
        listed = items(template.variables.get(kind))
        given = {literal(one) or literal(template.variables.get(said(one))) or said(one) for one in listed}
        yield from (f"{template.path}: {name!r} is missing among the {kind}" for name in sorted(names - given))
        yield from (f"{template.path}: nobody uses {name!r} of the {kind}" for name in sorted(given - names))
        if not any(one.loop is not None and said(one.loop) == kind for one in template.resources.values()):
            yield f"{template.path}: the {kind} are not made"


def _roles(files: dict[str, Template]) -> Iterator[str]:
    given: dict[str, str] = {}
    for path, template in files.items():
        if path.startswith("modules/"):
            for one in template.resources.values():
                if one.type.startswith("Microsoft.Authorization/roleAssignments@"):
                    given |= dict.fromkeys(_assigned(one, template), _scope(one, template))
                    if said(at(one.body, "properties", "principalId") or one.body) != "principalId":
                        yield f"{place(template, one.node)}: the role is not the app's identity's"
    for role, scope in ROLES.items():
        if given.get(role) != scope:
            yield f"role {role} is needed on {scope}, and is on {given.get(role, 'nothing')}"
    yield from (f"role {role} on {scope} is more than is needed" for role, scope in given.items() if role not in ROLES)
    for module in files["main.bicep"].modules.values():
        passed = at(module.body, "params", "principalId")
        if passed is not None and said(passed) != "identity.outputs.principalId":
            yield f"main.bicep: {module.symbol} gives its roles to {said(passed)}"
    may_give = {literal(one) for one in items(files["deployer.bicep"].variables.get("mayGive"))}
    if may_give != ROLES.keys():
        yield f"deployer.bicep: what may be given is not what is given: {sorted(map(str, may_give ^ ROLES.keys()))}"


def _assigned(one: Resource, template: Template) -> list[str]:
    """The role ids of ``[for role in items(roles)``."""
    function, arguments = called(one.loop) if one.loop is not None else ("", [])
    if function != "items" or "role.value" not in said(at(one.body, "properties", "roleDefinitionId") or one.body):
        return ["unknown"]
    return [literal(value) or "" for value in properties(template.variables.get(said(arguments[0]))).values()]


def _scope(one: Resource, template: Template) -> str:
    symbol = said(at(one.body, "scope") or one.body)
    return template.resources[symbol].type.split("@")[0] if symbol in template.resources else "the resource group"


def _names(template: Template) -> Iterator[str]:
    names = properties(template.variables.get("names"))
    for kind in names.keys() ^ NAMES.keys():
        yield f"main.bicep: no rule for the name {kind!r}, or no such name"
    for kind in names.keys() & NAMES.keys():
        for environment in ("ab", "abcdefgh"):
            name = said(names[kind])[1:-1].replace("${token}", TOKEN).replace("${environmentName}", environment)
            if not re.fullmatch(NAMES[kind], name):
                yield f"main.bicep: {kind} may not be called {name!r}"


def _never(template: Template, text: str) -> Iterator[str]:
    code = re.sub(r"(?m)^\s*//.*$", "", text)
    yield from (f"{template.path}: {what}" for pattern, what in NEVER.items() if re.search(pattern, code))


def _must_say(template: Template) -> Iterator[str]:
    for one in template.resources.values():
        for name, want in MUST_SAY.get(one.type.split("@")[0], {}).items():
            value = at(one.body, "properties", name)
            if not one.existing and (value is None or said(value) != want):
                yield f"{place(template, one.node)}: {name} must be {want}"


def _tags(template: Template) -> Iterator[str]:
    for one in template.resources.values():
        can = "tags" in known_types().get(one.type.lower(), {}).get("fields", {})
        if can and not one.existing and at(one.body, "tags") is None:
            yield f"{place(template, one.node)}: {one.symbol} has no tags"
