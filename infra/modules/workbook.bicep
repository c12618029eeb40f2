// The page in the portal that shows how the mailboxes are: Application Insights > Workbooks.
param location string
param tags object
param insightsId string
param environmentName string

var events = loadTextContent('queries/events.kql')

var parts = [
  { title: 'Mailboxes by state', show: 'table', query: loadTextContent('queries/show-mailboxes.kql') }
  { title: 'Mails by outcome', show: 'barchart', query: loadTextContent('queries/show-outcomes.kql') }
  { title: 'Mails by outcome and reason', show: 'table', query: loadTextContent('queries/show-reasons.kql') }
  { title: 'From arrival to outcome, seconds (p50, p99)', show: 'linechart', query: loadTextContent('queries/show-delay.kql') }
  { title: 'Polls', show: 'table', query: loadTextContent('queries/show-polls.kql') }
  { title: 'Mails out, by state', show: 'barchart', query: loadTextContent('queries/show-outgoing.kql') }
  { title: 'Errors by cause', show: 'table', query: loadTextContent('queries/show-errors.kql') }
  { title: 'One mail, step by step', show: 'table', query: loadTextContent('queries/show-trace.kql') }
  { title: 'Cost: executions and GB-seconds', show: 'table', query: loadTextContent('queries/show-executions.kql') }
  { title: 'Cost: requests to storage and mail servers', show: 'table', query: loadTextContent('queries/show-usage.kql') }
  { title: 'Cost: lines of telemetry', show: 'table', query: loadTextContent('queries/show-telemetry.kql') }
]

var timeRange = {
  type: 9
  name: 'time'
  content: {
    version: 'KqlParameterItem/1.0'
    parameters: [
      {
        id: guid('inbound', 'TimeRange')
        version: 'KqlParameterItem/1.0'
        name: 'TimeRange'
        label: 'Time'
        type: 4
        isRequired: true
        value: { durationMs: 86400000 }
        typeSettings: {
          selectableValues: [{ durationMs: 3600000 }, { durationMs: 86400000 }, { durationMs: 604800000 }, { durationMs: 2592000000 }]
          allowCustom: true
        }
      }
      {
        id: guid('inbound', 'Mail')
        version: 'KqlParameterItem/1.0'
        name: 'Mail'
        label: 'Id of one mail'
        type: 1
        value: ''
      }
    ]
    style: 'pills'
    queryType: 0
    resourceType: 'microsoft.insights/components'
  }
}

var charts = map(parts, part => {
  type: 3
  name: part.title
  content: {
    version: 'KqlItem/1.0'
    title: part.title
    query: '${events}\n${part.query}'
    size: 0
    timeContextFromParameter: 'TimeRange'
    queryType: 0
    resourceType: 'microsoft.insights/components'
    visualization: part.show
  }
})

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'inbound')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Inbound (${environmentName})'
    category: 'workbook'
    sourceId: insightsId
    version: 'Notebook/1.0'
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([timeRange], charts)
      fallbackResourceIds: [insightsId]
      '$schema': 'https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json'
    })
  }
}
