// When somebody must look: each rule asks Application Insights for what is wrong, and any row is an alert. The runbook
// names each rule and what to do. Every query is a file of modules/queries, after the one that reads our events.
param actionGroupName string
param healthTestName string
param location string
param tags object
param insightsId string
param hostName string
param emails string[]
param healthLocations string[]

var events = loadTextContent('queries/events.kql')
var perMailbox = ['tenant', 'mailbox']

// every, window: ISO 8601 durations. looksBack: how far the query sees; at most two days (Azure's limit).
// splitBy: columns of which each combination is an alert of its own, raised and resolved by itself.
var rules = [
  {
    name: 'mailbox-silent'
    title: 'A mailbox is not polled any more'
    severity: 1
    every: 'PT15M'
    window: 'PT1H'
    looksBack: 'P2D'
    splitBy: perMailbox
    query: loadTextContent('queries/mailbox-silent.kql')
  }
  {
    name: 'mailbox-failing'
    title: 'A mailbox has failed three polls or more in a row'
    severity: 2
    every: 'PT15M'
    window: 'PT1H'
    looksBack: 'P2D'
    splitBy: perMailbox
    query: loadTextContent('queries/mailbox-failing.kql')
  }
  {
    name: 'queue-age'
    title: 'Mail waits too long before it is converted'
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    looksBack: 'PT15M'
    splitBy: []
    query: loadTextContent('queries/queue-age.kql')
  }
  {
    name: 'poison'
    title: 'A message was tried five times in vain'
    severity: 1
    every: 'PT5M'
    window: 'PT15M'
    looksBack: 'PT15M'
    splitBy: []
    query: loadTextContent('queries/poison.kql')
  }
  {
    name: 'held-rising'
    title: 'Far more mail is held than usual'
    severity: 3
    every: 'PT15M'
    window: 'PT1H'
    looksBack: 'P2D'
    splitBy: ['tenant']
    query: loadTextContent('queries/held-rising.kql')
  }
  {
    name: 'sweep-not-running'
    title: 'The sweep has not run for ten minutes'
    severity: 0
    every: 'PT5M'
    window: 'PT10M'
    looksBack: 'PT10M'
    splitBy: []
    query: loadTextContent('queries/sweep-not-running.kql')
  }
  {
    name: 'secret-expiring'
    title: 'A client secret or certificate ends within 30, 14 or 3 days'
    severity: 2
    every: 'PT1H'
    window: 'P1D'
    looksBack: 'P2D'
    splitBy: ['tenant', 'mailbox', 'stage']
    query: loadTextContent('queries/secret-expiring.kql')
  }
  {
    name: 'damage'
    title: 'Raw mail is missing from storage, or the code is wrong'
    severity: 1
    every: 'PT15M'
    window: 'PT1H'
    looksBack: 'PT1H'
    splitBy: []
    query: loadTextContent('queries/damage.kql')
  }
  {
    name: 'unaccounted'
    title: 'A mailbox held mail that polling had not found'
    severity: 1
    every: 'PT15M'
    window: 'PT1H'
    looksBack: 'PT1H'
    splitBy: perMailbox
    query: loadTextContent('queries/unaccounted.kql')
  }
  {
    name: 'health'
    title: 'The health endpoint does not answer'
    severity: 1
    every: 'PT15M'
    window: 'PT30M'
    looksBack: 'PT30M'
    splitBy: []
    query: loadTextContent('queries/health.kql')
  }
]

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'inbound'
    enabled: true
    emailReceivers: map(emails, address => { name: address, emailAddress: address, useCommonAlertSchema: true })
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: rule.name
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: rule.title
    severity: rule.severity
    enabled: true
    scopes: [insightsId]
    evaluationFrequency: rule.every
    windowSize: rule.window
    overrideQueryTimeRange: rule.looksBack == rule.window ? null : rule.looksBack
    // Azure would try the query before the first line of a new app has arrived.
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: '${events}\n${rule.query}'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: map(rule.splitBy, column => { name: column, operator: 'Include', values: ['*'] })
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: [actionGroup.id] }
  }
}]

// Every 15 minutes from three places: each execution costs, and wakes an instance.
resource healthTest 'Microsoft.Insights/webtests@2022-06-15' = {
  name: healthTestName
  location: location
  tags: union(tags, { 'hidden-link:${insightsId}': 'Resource' })
  kind: 'standard'
  properties: {
    SyntheticMonitorId: healthTestName
    Name: healthTestName
    Kind: 'standard'
    Enabled: true
    Frequency: 900
    Timeout: 60
    RetryEnabled: true
    Locations: map(healthLocations, place => { Id: place })
    Request: { RequestUrl: 'https://${hostName}/api/health', HttpVerb: 'GET', ParseDependentRequests: false }
    ValidationRules: { ExpectedHttpStatusCode: 200, SSLCheck: true, SSLCertRemainingLifetimeCheck: 14 }
  }
}
