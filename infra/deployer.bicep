// Who deploys from GitHub, without a secret: run once by a person who owns the resource group. It is not a module of
// main.bicep, because the identity it makes may not give itself rights.
targetScope = 'resourceGroup'

@description('owner/name of the repository.')
param githubRepository string

@description('GitHub environment that may deploy here; its protection rules are the approval.')
@minLength(2)
@maxLength(8)
param environmentName string

param location string = resourceGroup().location

@description('What a token from GitHub is for: api://AzureADTokenExchangeUSGov and api://AzureADTokenExchangeChina in the national clouds.')
param tokenAudience string = 'api://AzureADTokenExchange'

// learn.microsoft.com/azure/role-based-access-control/built-in-roles
var contributor = 'b24988ac-6180-42a0-ab88-20f7382dd24c'
var accessAdministrator = 'f58310d9-a9f6-439a-9e8d-f62e7b41a168'
// The roles that main.bicep gives to the app; no others can be given, and to no person.
var mayGive = [
  '3913510d-42f4-4e42-8a64-420c390055eb' // Monitoring Metrics Publisher
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // Storage Blob Data Owner
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88' // Storage Queue Data Contributor
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' // Storage Table Data Contributor
  'e147488a-f6f5-4113-8e2d-b22465e65bf6' // Key Vault Crypto Service Encryption User
  '4633458b-17de-408a-b874-0445c86b69e6' // Key Vault Secrets User
]
var list = join(mayGive, ', ')
var limit = '((!(ActionMatches{\'Microsoft.Authorization/roleAssignments/write\'})) OR (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${list}} AND @Request[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {\'ServicePrincipal\'})) AND ((!(ActionMatches{\'Microsoft.Authorization/roleAssignments/delete\'})) OR (@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${list}} AND @Resource[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {\'ServicePrincipal\'}))'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-inbound-${environmentName}-deploy'
  location: location
  tags: { application: 'inbound', environment: environmentName }
}

resource trust 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = {
  parent: identity
  name: 'github-${environmentName}'
  properties: {
    issuer: 'https://token.actions.githubusercontent.com'
    subject: 'repo:${githubRepository}:environment:${environmentName}'
    audiences: [tokenAudience]
  }
}

resource deploys 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, identity.id, contributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', contributor)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource givesRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, identity.id, accessAdministrator)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', accessAdministrator)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    condition: limit
    conditionVersion: '2.0'
  }
}

output clientId string = identity.properties.clientId
output tenantId string = tenant().tenantId
output subscriptionId string = subscription().subscriptionId
