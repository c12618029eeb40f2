#!/usr/bin/env bash
# sync_triggers.sh <function app> <resource group>
# Have Azure read the app's triggers again until it lists all of its functions: on Flex Consumption timers and queues may
# stay silent after a deployment until then. Ends after ROUNDS tries (20), PAUSE_SECONDS (30) apart.
set -euo pipefail
app=$1
group=$2
rounds=${ROUNDS:-20}
pause=${PAUSE_SECONDS:-30}

expected=$(python3 "$(dirname "$0")/function_names.py")
manager=$(az cloud show --query endpoints.resourceManager --output tsv)
id=$(az functionapp show --name "$app" --resource-group "$group" --query id --output tsv)
sync="${manager%/}$id/host/default/sync?api-version=2024-04-01"

for ((round = 1; round <= rounds; round++)); do
    # Right after a deployment either call may fail while the app starts: the next round tries again.
    az rest --method post --url "$sync" --output none || echo "round $round: the sync was refused"
    known=$(az functionapp function list --name "$app" --resource-group "$group" --query '[].name' --output tsv || true)
    missing=()
    for name in $expected; do
        grep -qxE "(.*/)?$name" <<<"$known" || missing+=("$name")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        echo "round $round: Azure knows $(wc -l <<<"$known") functions of $app"
        exit 0
    fi
    echo "round $round of $rounds: not known yet: ${missing[*]}"
    if ((round < rounds)); then sleep "$pause"; fi
done
echo "::error::Azure does not list all functions of $app. Its log says why: Log stream in the portal."
exit 1
