using 'main.bicep'

param environmentName = 'prod'
param maximumInstanceCount = 100
// The page and the sign-in answer at once; the mailboxes do not need it.
param alwaysReady = [{ name: 'http', instanceCount: 1 }]
param dailyLogCapGb = 5
param logRetentionDays = 90
// From the variables of the GitHub environment; the addresses comma separated.
param privateNetworking = bool(readEnvironmentVariable('PRIVATE_NETWORKING', 'false'))
param alertEmails = filter(split(readEnvironmentVariable('ALERT_EMAILS', ''), ','), it => !empty(it))
