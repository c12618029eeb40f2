// The function app on Flex Consumption, and its settings.
param name string
param planName string
param location string
param tags object
param pythonVersion string
param instanceMemoryMB int
param maximumInstanceCount int
param alwaysReady { name: string, instanceCount: int }[]
param identityId string
param identityClientId string
param storageName string
param packageContainer string
param vaultName string
param wrappingKeyName string
param insightsName string
param workspaceId string
@description('Subnet for outgoing connections; empty for none.')
param subnetId string
param dedicatedTimers int
param allowAddresses string
param federatedApps string
param signInClientId string
param authorityHost string
param graphUrl string
param otlpEndpoint string
param hostOpenTelemetry bool
param mailRetentionDays int
param disabledFunctions string[]
param consoleLogs bool

var adminKeySecretName = 'api-admin-key'
var signInSecretName = 'sign-in-client-secret'
var otlpSecretName = 'otlp-headers'
// Made of names, not asked of the resources: so that a what-if can tell the value before anything exists.
var blobUrl = 'https://${storageName}.blob.${environment().suffixes.storage}'
var queueUrl = 'https://${storageName}.queue.${environment().suffixes.storage}'
var tableUrl = 'https://${storageName}.table.${environment().suffixes.storage}'
var vaultUrl = 'https://${vaultName}${environment().suffixes.keyvaultDns}'

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'inbound' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: { minTlsVersion: '1.2' }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${blobUrl}/${packageContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: { name: 'python', version: pythonVersion }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady
      }
    }
  }
}

var settings = {
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__blobServiceUri: blobUrl
  AzureWebJobsStorage__queueServiceUri: queueUrl
  AzureWebJobsStorage__tableServiceUri: tableUrl
  // The page is ours; the host's own would lie over it.
  AzureWebJobsDisableHomepage: 'true'
  // As many threads as the host hands an instance messages: batchSize + newBatchThreshold of host.json. The default on
  // one core is five.
  PYTHON_THREADPOOL_THREAD_COUNT: '6'
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'Authorization=AAD;ClientId=${identityClientId}'
  API_ADMIN_KEY: '@Microsoft.KeyVault(SecretUri=${vaultUrl}/secrets/${adminKeySecretName})'
  KEY_VAULT_KEY: '${vaultUrl}/keys/${wrappingKeyName}'
  DEDICATED_TIMERS: string(dedicatedTimers)
  RETENTION_DAYS: string(mailRetentionDays)
  ALLOW_ADDRESSES: allowAddresses
  FEDERATED_APPS: federatedApps
  SIGN_IN_CLIENT_ID: signInClientId
  // Where there is no such secret, the app registration is to trust the identity; then this stays unresolved.
  SIGN_IN_CLIENT_SECRET: '@Microsoft.KeyVault(SecretUri=${vaultUrl}/secrets/${signInSecretName})'
  AZURE_AUTHORITY_HOST: empty(authorityHost) ? environment().authentication.loginEndpoint : authorityHost
  GRAPH_URL: graphUrl
  OTEL_EXPORTER_OTLP_ENDPOINT: otlpEndpoint
  OTEL_EXPORTER_OTLP_HEADERS: empty(otlpEndpoint) ? '' : '@Microsoft.KeyVault(SecretUri=${vaultUrl}/secrets/${otlpSecretName})'
}
// Over what host.json says, which is nothing: then the host sends to Application Insights in its own way.
var telemetryMode = hostOpenTelemetry ? { AzureFunctionsJobHost__telemetryMode: 'OpenTelemetry' } : {}

resource appSettings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union(settings, telemetryMode, toObject(disabledFunctions, it => 'AzureWebJobs.${it}.Disabled', it => 'true'))
}

// Deploying works by identity too: nobody needs a password for the app.
resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  properties: { allow: false }
}

resource noScmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: { allow: false }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: app
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'FunctionAppLogs', enabled: consoleLogs }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output name string = app.name
output hostName string = app.properties.defaultHostName
output adminKeySecretName string = adminKeySecretName
