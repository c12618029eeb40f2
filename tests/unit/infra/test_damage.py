"""A check that cannot fail is none: each mistake, made in a copy in memory, is found."""

from __future__ import annotations

import pytest

from tests.unit.infra import audit, bicep, promises, sources, typecheck, wiring

SOURCES = sources.read()
APP, STORAGE, VAULT = "modules/app.bicep", "modules/storage.bicep", "modules/vault.bicep"
MONITORING, ALERTS, NETWORK = "modules/monitoring.bicep", "modules/alerts.bicep", "modules/network.bicep"
MAIN, DEPLOYER, DEV = "main.bicep", "deployer.bicep", "dev.bicepparam"
ADMIN_ROLE = "b24988ac-6180-42a0-ab88-20f7382dd24c"


def problems(texts: sources.Sources) -> list[str]:
    """What the checks say that know what is right; the inventory, which only knows what was, is left out."""
    found = [*wiring.problems(texts), *promises.problems(texts), *audit.problems(texts)]
    for template in wiring.templates(texts).values():
        found += [*bicep.syntax_errors(template), *typecheck.problems(template)]
    return found


MISTAKES = [
    # syntax
    (MAIN, "output egressAddress string =", "output egressAddress string", "syntax error"),
    (DEV, "'Standard_LRS'", "'Standard_LRS", "syntax error"),
    # Azure's types
    (APP, "httpsOnly: true", "httpOnly: true", "no property 'httpOnly'"),
    (APP, "instanceMemoryMB: instanceMemoryMB\n", "instanceMemory: instanceMemoryMB\n", "no property 'instanceMemory'"),
    (APP, "runtime: { name: 'python'", "runtime: { name: 'pythn'", "'pythn' is not one of"),
    (APP, "reserved: true", "reserved: 'yes'", "reserved is string, must be bool"),
    (APP, "maximumInstanceCount: maximumInstanceCount", "maximumInstanceCount: name", "is string, must be int"),
    (APP, "type: 'UserAssignedIdentity'", "type: 'Managed'", "'Managed' is not one of"),
    (APP, "type: 'UserAssigned'\n", "type: 'userassigned'\n", "is not one of"),
    (APP, "sites@2024-04-01' = {", "sites@2024-04-31' = {", "no type known for Microsoft.Web/sites@2024-04-31"),
    (APP, "dedicatedTimers)\n", "dedicatedTimers)\n  EXTRA: 5\n", "properties.EXTRA is int, must be string"),
    (APP, "tier: 'FlexConsumption'", "tier: 5", "sku.tier is int, must be string"),
    (STORAGE, "  kind: 'StorageV2'\n", "", "required property 'kind' is missing"),
    (STORAGE, "kind: 'StorageV2'", "kind: 'storagev2'", "is not one of"),
    (STORAGE, "accessTier: 'Hot'", "primaryEndpoints: {}", "primaryEndpoints is read-only"),
    (
        STORAGE,
        "deleteRetentionPolicy: { enabled: true, days: 7 }\n    c",
        "deleteRetentionPolicy: true\n    c",
        "object",
    ),
    (MONITORING, "  kind: 'web'\n", "", "required property 'kind' is missing"),
    (MONITORING, "workspaceCapping: { dailyQuotaGb:", "workspaceCapping: { dailyQuota:", "no property 'dailyQuota'"),
    (VAULT, "keySize: 3072", "keySize: '3072'", "keySize is string, must be int"),
    (VAULT, "kty: 'RSA'", "kty: 'rsa'", "is not one of"),
    (VAULT, "keyOps: ['wrapKey', 'unwrapKey']", "keyOps: 'wrapKey'", "keyOps is string, must be array"),
    (VAULT, "sku: { family: 'A', name: 'standard' }", "sku: { family: 'A' }", "required property 'name' is missing"),
    (ALERTS, "emailAddress: address,", "mail: address,", "no property 'mail'"),
    (ALERTS, "evaluationFrequency: rule.every", "frequency: rule.every", "no property 'frequency'"),
    (NETWORK, "groupIds: [one.group]", "groupIds: 'blob'", "groupIds is string, must be array"),
    (DEPLOYER, "    issuer: 'https://token.actions.githubusercontent.com'\n", "", "'issuer' is missing"),
    # how files fit together
    (MAIN, "planName: names.plan", "plan: names.plan", "has no parameter 'plan'"),
    (MAIN, "    planName: names.plan\n", "", "needs parameter 'planName'"),
    (MAIN, "dedicatedTimers: dedicatedTimers", "dedicatedTimers: graphUrl", "'dedicatedTimers' is string, must be int"),
    (MAIN, "wrappingKeyName: vault.outputs.wrappingKeyName", "wrappingKeyName: vault.outputs.key", "no output 'key'"),
    (MAIN, "'modules/app.bicep'", "'modules/apps.bicep'", "there is no file modules/apps.bicep"),
    (MAIN, "output healthUrl", "param unused string = ''\noutput healthUrl", "'unused' is never used"),
    (VAULT, "param recover bool", "param recover bool\nparam spare bool", "needs parameter 'spare'"),
    (VAULT, "output id string", "output spare string = vault.name\noutput id string", "nobody uses output 'spare'"),
    (APP, "var adminKeySecretName", "var spare = 1\nvar adminKeySecretName", "'spare' is never used"),
    (ALERTS, "'queries/poison.kql'", "'queries/poisen.kql'", "there is no file modules/queries/poisen.kql"),
    (ALERTS, "'queries/poison.kql'", "'queries/damage.kql'", "queries/poison.kql: no template loads it"),
    (DEV, "param dedicatedTimers", "param dedicatedTimer", "no parameter 'dedicatedTimer'"),
    (DEV, "param environmentName = 'dev'\n", "", "needs parameter 'environmentName'"),
    (DEV, "param environmentName = 'dev'", "param environmentName = 'development'", "breaks maxLength 8"),
    (DEV, "param dedicatedTimers = 3", "param dedicatedTimers = 81", "breaks maxValue 80"),
    (DEV, "param dedicatedTimers = 3", "param dedicatedTimers = '3'", "is string, must be int"),
    (DEV, "param instanceMemoryMB = 512", "param instanceMemoryMB = 1024", "must be one of"),
    # what the code needs
    (APP, "KEY_VAULT_KEY:", "KEYVAULT_KEY:", "setting 'KEY_VAULT_KEY' is missing"),
    (APP, "KEY_VAULT_KEY:", "KEYVAULT_KEY:", "nobody reads setting 'KEYVAULT_KEY'"),
    (APP, "  AzureWebJobsStorage__credential: 'managedidentity'\n", "", "__credential' is missing"),
    (
        APP,
        "  AzureWebJobsDisableHomepage",
        "  FUNCTIONS_WORKER_RUNTIME: 'python'\n  AzureWebJobsDisableHomepage",
        "Flex",
    ),
    (APP, "union(settings, ", "union({}, ", "the settings are not applied"),
    (STORAGE, "'outbound', 'outbound-poison'", "'outbound'", "'outbound-poison' is missing among the queues"),
    (STORAGE, "'polls', ", "", "'polls' is missing among the queues"),
    (STORAGE, "'bodies', ", "", "'bodies' is missing among the containers"),
    (STORAGE, "'cursors', packageContainer", "'cursors'", "'deployments' is missing among the containers"),
    (STORAGE, "['desk', 'schedule', 'tenants']", "['desk', 'tenants']", "'schedule' is missing among the tables"),
    (STORAGE, "['desk', ", "['signins', 'desk', ", "nobody uses 'signins' of the tables"),
    (STORAGE, "[for item in tables:", "[for item in queues:", "the tables are not made"),
    # roles
    (STORAGE, "  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'\n", "", "role 0a9a7e1f"),
    (STORAGE, "974c5e8b-45b9-4653-ba55-5f855dd0fb88", ADMIN_ROLE, "is more than is needed"),
    (STORAGE, "  scope: account\n", "", "role b7e6dc6d-f1e8-4753-8033-0f276bb0955b is needed on"),
    (VAULT, "  scope: wrappingKey\n", "  scope: vault\n", "role e147488a"),
    (MONITORING, "  scope: insights\n", "  scope: workspace\n", "role 3913510d"),
    (VAULT, "items(keyRoles)", "items(vaultRoles)", "role e147488a"),
    (DEPLOYER, "  '974c5e8b-45b9-4653-ba55-5f855dd0fb88' // Storage Queue Data Contributor\n", "", "what may be given"),
    (MONITORING, "DisableLocalAuth: true", "DisableLocalAuths: true", "no property 'DisableLocalAuths'"),
    (
        MAIN,
        "principalId: identity.outputs.principalId\n  }\n}\n\nmodule storage",
        "principalId: names.identity\n  }\n}\n\nmodule storage",
        "gives its roles to names.identity",
    ),
    (STORAGE, "scope: account\n", "scope: blobService\n", "role b7e6dc6d"),
    # names that nobody declared
    (APP, "serverFarmId: plan.id", "serverFarmId: farm.id", "nothing is called 'farm'"),
    (NETWORK, "parent: zones[i]", "parent: zones[j]", "nothing is called 'j'"),
    (MAIN, "retentionDays: logRetentionDays", "retentionDays: logDays", "nothing is called 'logDays'"),
    # what else must be there
    (ALERTS, "actions: { actionGroups: [actionGroup.id] }", "actions: { actionGroups: [] }", "tells nobody"),
    (ALERTS, "/api/health'", "/health'", "/api/health"),
    (ALERTS, "    enabled: true\n    scopes", "    enabled: false\n    scopes", "enabled must be true"),
    (VAULT, "keyOps: ['wrapKey', 'unwrapKey']", "keyOps: ['wrapKey', 'unwrapKey', 'sign']", "keyOps must be"),
    (VAULT, "defaultAction: isPrivate ? 'Deny' : 'Allow'", "defaultAction: 'Allow'", "defaultAction"),
    (
        STORAGE,
        "publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'",
        "publicNetworkAccess: 'Enabled'",
        "publicNetworkAccess",
    ),
    (NETWORK, "          natGateway: { id: gateway.id }\n", "", "no way out"),
    (NETWORK, "registrationEnabled: false", "registrationEnabled: true", "registrationEnabled must be false"),
    (MONITORING, "    workspaceCapping: { dailyQuotaGb: dailyCapGb }\n", "", "no daily cap"),
    (APP, "siteConfig: { minTlsVersion: '1.2' }", "siteConfig: { minTlsVersion: '1.0' }", "minTlsVersion"),
    (APP, "    keyVaultReferenceIdentity: identityId\n", "", "keyVaultReferenceIdentity"),
    (
        APP,
        "  scope: app\n  properties: {\n    workspaceId: workspaceId\n",
        "  scope: plan\n  properties: {\n    workspaceId: workspaceId\n",
        "no diagnostics",
    ),
    (STORAGE, "  scope: queueService\n", "  scope: tableService\n", "no diagnostics"),
    (VAULT, "category: 'AuditEvent', enabled: true", "category: 'AuditEvent', enabled: false", "AuditEvent"),
    (DEPLOYER, ":environment:${environmentName}'", ":ref:refs/heads/main'", "trusts more than the environment"),
    (DEPLOYER, "audiences: [tokenAudience]", "audiences: ['api://other']", "audience"),
    (DEPLOYER, "    condition: limit\n", "", "gives any role"),
    # no keys, no surprises
    (STORAGE, "allowSharedKeyAccess: false", "allowSharedKeyAccess: true", "allowSharedKeyAccess must be false"),
    (STORAGE, "    allowBlobPublicAccess: false\n", "", "allowBlobPublicAccess must be false"),
    (
        STORAGE,
        "output name string = account.name",
        "output name string = account.listKeys().keys[0].value",
        "shared key",
    ),
    (VAULT, "enablePurgeProtection: true", "enablePurgeProtection: false", "enablePurgeProtection must be true"),
    (MONITORING, "DisableLocalAuth: true", "DisableLocalAuth: false", "DisableLocalAuth must be true"),
    (MAIN, "uniqueString(resourceGroup().id, environmentName)", "uniqueString(utcNow())", "at each deployment"),
    (MAIN, "storage: 'stinbound${token}'", "storage: 'st-inbound${token}'", "storage may not be called"),
    (MAIN, "vault: 'kv-inbound-${token}'", "vault: 'kv-inbound-x${token}'", "vault may not be called"),
    (MAIN, "app: 'func-inbound-${token}'", "app: 'func-inbound-${environmentName}-${token}'", "app may not be called"),
    (
        NETWORK,
        "  location: location\n  tags: tags\n  sku: { name: 'Standard' }\n  properties: { p",
        "  location: location\n  sku: { name: 'Standard' }\n  properties: { p",
        "egress has no tags",
    ),
]


@pytest.mark.parametrize(("path", "old", "new", "said"), MISTAKES)
def test_a_mistake_is_found(path: str, old: str, new: str, said: str) -> None:
    found = problems(sources.damaged(SOURCES, path, old, new))
    assert any(said in one for one in found), found


def test_a_role_for_somebody_else_is_found() -> None:
    text = SOURCES[MAIN].replace("principalId: identity.outputs.principalId", "principalId: identity.outputs.clientId")
    found = problems({**SOURCES, MAIN: text})
    assert "main.bicep: storage gives its roles to identity.outputs.clientId" in found
