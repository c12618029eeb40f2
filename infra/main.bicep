// Everything that the service needs in one resource group. Names and settings depend on the parameters alone, so
// that deploying twice changes nothing. infra/README.md says how to begin.
targetScope = 'resourceGroup'

@description('Where this copy stands: part of most names, and a tag.')
@minLength(2)
@maxLength(8)
param environmentName string

@description('Azure region of every resource. Flex Consumption is not in every region: az functionapp list-flexconsumption-locations.')
param location string = resourceGroup().location

@description('Python of the app. The tests run on both.')
param pythonVersion '3.12' | '3.13' = '3.13'

@description('Memory of one instance in MB. 512 has a quarter of a core, 2048 a whole one.')
param instanceMemoryMB 512 | 2048 | 4096 = 2048

@description('The most instances at once: a ceiling for the bill. Azure takes no less than 40.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances that never sleep, for example one for http so that the page opens at once. Billed by the hour.')
param alwaysReady { name: string, instanceCount: int }[] = []

@description('How many mailboxes get a timer function of their own; the sweep polls the others. Each such timer keeps its own instance.')
@minValue(0)
@maxValue(80)
param dedicatedTimers int = 50

@description('Networks that mail servers may be in although they are not public, such as 10.1.0.0/16; comma separated.')
param allowAddresses string = ''

@description('Apps that trust the identity of this service instead of a secret: tenant=Tenant ID/Client ID, comma separated.')
param federatedApps string = ''

@description('Client ID of the app registration by which people sign in to the page with Microsoft; empty for API keys only.')
param signInClientId string = ''

@description('Sign-in of the cloud that the mailboxes are in, where it is not that of the cloud deployed to: https://login.microsoftonline.us for GCC High read from the public cloud.')
param authorityHost string = ''

@description('Microsoft Graph with its version, where it is not the one that belongs to that sign-in: DoD.')
param graphUrl string = ''

@description('Where spans and metrics go as well (OpenTelemetry, OTLP over HTTP); empty for nowhere. Its headers, with a key perhaps, are secret otlp-headers in the vault.')
param otlpEndpoint string = ''

@description('Has the host send its own telemetry by OpenTelemetry, too. Never tried: the queries of alerts and workbook were written for what it sends without.')
param hostOpenTelemetry bool = false

@description('Days that raw mail, and held mail nobody decided about, is kept; 0 keeps it for ever.')
@minValue(0)
@maxValue(36500)
param mailRetentionDays int = 180

@description('Names of functions that are switched off. A deployment switches on again what only the portal switched off.')
param disabledFunctions string[] = []

@description('Storage and Key Vault behind private endpoints, and one fixed address for outgoing connections. It cannot be switched on later without a new app.')
param privateNetworking bool = false

@description('Copies of each blob and row: within one data centre (LRS), over zones (ZRS), over regions (GZRS).')
param storageSku 'Standard_LRS' | 'Standard_ZRS' | 'Standard_GZRS' = 'Standard_ZRS'

@description('Days in which a deleted vault or key can be brought back. Cannot be changed once the vault exists.')
@minValue(7)
@maxValue(90)
param vaultRetentionDays int = 90

@description('Brings a deleted vault of this name back instead of making one: needed once after the resource group was deleted.')
param recoverVault bool = false

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('GB of logs a day at which collecting stops until the next day: a ceiling for the bill.')
@minValue(1)
param dailyLogCapGb int = 2

@description('Logs each read and write of storage too, not only each deletion. Some five lines a poll.')
param auditStorage bool = false

@description('Logs what the app writes before Application Insights listens: for a start that fails. Doubles the lines.')
param consoleLogs bool = false

@description('Who gets the alerts.')
param alertEmails string[] = []

@description('Where the availability test asks from (location ids of Application Insights). The national clouds have their own.')
param healthLocations string[] = ['emea-nl-ams-azr', 'us-va-ash-azr', 'apac-hk-hkn-azr']

@description('Tags of every resource, beside application and environment.')
param tags object = {}

var token = uniqueString(resourceGroup().id, environmentName)
var allTags = union(tags, { application: 'inbound', environment: environmentName })
// Lengths: a storage account 24, letters and digits; a vault 24; the app 32, because the host cuts its id there.
var names = {
  storage: 'stinbound${token}'
  vault: 'kv-inbound-${token}'
  app: 'func-inbound-${token}'
  plan: 'plan-inbound-${environmentName}'
  identity: 'id-inbound-${environmentName}'
  workspace: 'log-inbound-${environmentName}'
  insights: 'appi-inbound-${environmentName}'
  actionGroup: 'ag-inbound-${environmentName}'
  network: 'vnet-inbound-${environmentName}'
  healthTest: 'health-inbound-${environmentName}'
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: {
    name: names.identity
    location: location
    tags: allTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    workspaceName: names.workspace
    insightsName: names.insights
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyCapGb: dailyLogCapGb
    principalId: identity.outputs.principalId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    name: names.storage
    location: location
    tags: allTags
    sku: storageSku
    isPrivate: privateNetworking
    auditAll: auditStorage
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  params: {
    name: names.vault
    location: location
    tags: allTags
    retentionDays: vaultRetentionDays
    recover: recoverVault
    isPrivate: privateNetworking
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module network 'modules/network.bicep' = if (privateNetworking) {
  name: 'network'
  params: {
    name: names.network
    location: location
    tags: allTags
    storageId: storage.outputs.id
    vaultId: vault.outputs.id
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  params: {
    name: names.app
    planName: names.plan
    location: location
    tags: allTags
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReady: alwaysReady
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageName: storage.outputs.name
    packageContainer: storage.outputs.packageContainer
    vaultName: vault.outputs.name
    wrappingKeyName: vault.outputs.wrappingKeyName
    insightsName: monitoring.outputs.insightsName
    workspaceId: monitoring.outputs.workspaceId
    subnetId: privateNetworking ? network!.outputs.appSubnetId : ''
    dedicatedTimers: dedicatedTimers
    allowAddresses: allowAddresses
    federatedApps: federatedApps
    signInClientId: signInClientId
    authorityHost: authorityHost
    graphUrl: graphUrl
    otlpEndpoint: otlpEndpoint
    hostOpenTelemetry: hostOpenTelemetry
    mailRetentionDays: mailRetentionDays
    disabledFunctions: disabledFunctions
    consoleLogs: consoleLogs
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    actionGroupName: names.actionGroup
    healthTestName: names.healthTest
    location: location
    tags: allTags
    insightsId: monitoring.outputs.insightsId
    hostName: app.outputs.hostName
    emails: alertEmails
    healthLocations: healthLocations
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  params: {
    location: location
    tags: allTags
    insightsId: monitoring.outputs.insightsId
    environmentName: environmentName
  }
}

output resourceGroupName string = resourceGroup().name
output functionAppName string = app.outputs.name
output hostName string = app.outputs.hostName
output healthUrl string = 'https://${app.outputs.hostName}/api/health'
output identityClientId string = identity.outputs.clientId
output identityPrincipalId string = identity.outputs.principalId
output storageAccountName string = storage.outputs.name
output keyVaultName string = vault.outputs.name
output adminKeySecretName string = app.outputs.adminKeySecretName
output insightsName string = monitoring.outputs.insightsName
output egressAddress string = privateNetworking ? network!.outputs.egressAddress : ''
