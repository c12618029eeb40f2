"""What an auditor asks of the resources, one question a function: who is told, what is logged, what is reachable."""

from __future__ import annotations

from collections.abc import Iterator

from tests.unit.infra.bicep import Resource, Template, at, items, place, said
from tests.unit.infra.sources import Sources
from tests.unit.infra.wiring import templates

LOGGED = {
    "modules/app.bicep": {"app"},
    "modules/storage.bicep": {"blobService", "queueService", "tableService"},
    "modules/vault.bicep": {"vault"},
}
"""Resources whose doings go to the workspace."""


def problems(sources: Sources) -> list[str]:
    """Every question that is answered wrongly."""
    files = templates(sources)
    found = [text for path, wanted in LOGGED.items() for text in _diagnostics(files[path], wanted)]
    found += [*_alerts(files["modules/alerts.bicep"]), *_private(files), *_vault(files["modules/vault.bicep"])]
    found += [*_app(files["modules/app.bicep"]), *_deployer(files["deployer.bicep"])]
    workspace = files["modules/monitoring.bicep"].resources["workspace"]
    if _said(workspace, "properties", "workspaceCapping", "dailyQuotaGb") != "dailyCapGb":
        found.append("modules/monitoring.bicep: there is no daily cap")
    return found


def _said(one: Resource, *path: str) -> str:
    node = at(one.body, *path)
    return said(node) if node is not None else ""


def _diagnostics(template: Template, wanted: set[str]) -> Iterator[str]:
    settings = [one for one in template.resources.values() if one.type.startswith("Microsoft.Insights/diagnosticS")]
    for symbol in wanted - {_said(one, "scope") for one in settings}:
        yield f"{template.path}: no diagnostics of {symbol}"
    for one in settings:
        if _said(one, "properties", "workspaceId") != "workspaceId":
            yield f"{place(template, one.node)}: diagnostics that go nowhere"


def _alerts(template: Template) -> Iterator[str]:
    rules, test = template.resources["alerts"], template.resources["healthTest"]
    if _said(rules, "properties", "actions") != "{ actionGroups: [actionGroup.id] }":
        yield f"{template.path}: an alert tells nobody"
    for one, where in (
        (rules, ("properties", "enabled")),
        (template.resources["actionGroup"], ("properties", "enabled")),
    ):
        if _said(one, *where) != "true":
            yield f"{place(template, one.node)}: enabled must be true"
    if not _said(test, "properties", "Request", "RequestUrl").endswith("/api/health'"):
        yield f"{template.path}: the availability test must ask /api/health"
    if _said(test, "properties", "Enabled") != "true":
        yield f"{template.path}: the availability test must be on"


def _private(files: dict[str, Template]) -> Iterator[str]:
    for path, symbol in (("modules/storage.bicep", "account"), ("modules/vault.bicep", "vault")):
        one = files[path].resources[symbol]
        if _said(one, "properties", "publicNetworkAccess") != "isPrivate ? 'Disabled' : 'Enabled'":
            yield f"{path}: publicNetworkAccess must follow isPrivate"
        if _said(one, "properties", "networkAcls", "defaultAction") != "isPrivate ? 'Deny' : 'Allow'":
            yield f"{path}: defaultAction must follow isPrivate"
    network = files["modules/network.bicep"]
    subnets = items(at(network.resources["network"].body, "properties", "subnets"))
    if not any("natGateway" in said(one) and "Microsoft.App/environments" in said(one) for one in subnets):
        yield "modules/network.bicep: the app's subnet has no way out, or is not the app's"
    if _said(network.resources["links"], "properties", "registrationEnabled") != "false":
        yield "modules/network.bicep: registrationEnabled must be false"


def _vault(template: Template) -> Iterator[str]:
    key, logs = template.resources["wrappingKey"], template.resources["logs"]
    if _said(key, "properties", "keyOps") != "['wrapKey', 'unwrapKey']":
        yield f"{template.path}: keyOps must be wrapKey and unwrapKey"
    if "{ category: 'AuditEvent', enabled: true }" not in _said(logs, "properties", "logs"):
        yield f"{template.path}: AuditEvent must be logged"


def _app(template: Template) -> Iterator[str]:
    app = template.resources["app"]
    if _said(app, "properties", "siteConfig", "minTlsVersion") not in ("'1.2'", "'1.3'"):
        yield f"{template.path}: minTlsVersion must be 1.2 at least"
    if _said(app, "properties", "keyVaultReferenceIdentity") != "identityId":
        yield f"{template.path}: without keyVaultReferenceIdentity no secret of the vault is found"
    if "'${identityId}'" not in _said(app, "identity", "userAssignedIdentities"):
        yield f"{template.path}: the app has not its identity"


def _deployer(template: Template) -> Iterator[str]:
    trust, gives = template.resources["trust"], template.resources["givesRoles"]
    if not _said(trust, "properties", "subject").endswith(":environment:${environmentName}'"):
        yield f"{template.path}: trusts more than the environment"
    audience = template.params.get("tokenAudience")
    usual = audience is not None and audience.value is not None and said(audience.value)
    if (_said(trust, "properties", "audiences"), usual) != ("[tokenAudience]", "'api://AzureADTokenExchange'"):
        yield f"{template.path}: another audience than GitHub's tokens have"
    if (_said(gives, "properties", "condition"), _said(gives, "properties", "conditionVersion")) != ("limit", "'2.0'"):
        yield f"{template.path}: gives any role"
