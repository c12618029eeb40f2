// The key that wraps the tenants' data keys, and the one secret of the service itself: the admin key, which a person
// puts in by hand and no deployment ever sees.
param name string
param location string
param tags object
param retentionDays int
param recover bool
param isPrivate bool
param principalId string
param workspaceId string

// learn.microsoft.com/azure/role-based-access-control/built-in-roles. The first may wrap, unwrap and read the key's
// public part, and nothing else: Crypto User could also sign and decrypt.
var keyRoles = {
  keyVaultCryptoServiceEncryptionUser: 'e147488a-f6f5-4113-8e2d-b22465e65bf6'
}
var vaultRoles = {
  keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    createMode: recover ? 'recover' : 'default'
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    softDeleteRetentionInDays: retentionDays
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: isPrivate ? 'Deny' : 'Allow'
    }
  }
}

// Azure leaves a key that exists as it is: a second deployment makes no new version.
resource wrappingKey 'Microsoft.KeyVault/vaults/keys@2024-11-01' = {
  parent: vault
  name: 'wrapping'
  tags: tags
  properties: {
    kty: 'RSA'
    // The data keys under it live for years: NIST SP 800-57 asks for 3072 bits beyond 2030.
    keySize: 3072
    keyOps: ['wrapKey', 'unwrapKey']
  }
}

resource keyAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in items(keyRoles): {
  name: guid(wrappingKey.id, principalId, role.value)
  scope: wrappingKey
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.value)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}]

resource vaultAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in items(vaultRoles): {
  name: guid(vault.id, principalId, role.value)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.value)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}]

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'AuditEvent', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output id string = vault.id
output name string = vault.name
output wrappingKeyName string = wrappingKey.name
