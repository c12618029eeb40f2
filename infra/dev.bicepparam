using 'main.bicep'

// Small and cheap; everything that matters is as in prod.
param environmentName = 'dev'
param instanceMemoryMB = 512
param dedicatedTimers = 3
param storageSku = 'Standard_LRS'
param dailyLogCapGb = 1
param consoleLogs = true
// Nothing here is worth three months of waiting for a name.
param vaultRetentionDays = 7
// From the variables of the GitHub environment; the addresses comma separated.
param privateNetworking = bool(readEnvironmentVariable('PRIVATE_NETWORKING', 'false'))
param alertEmails = filter(split(readEnvironmentVariable('ALERT_EMAILS', ''), ','), it => !empty(it))
