#!/usr/bin/env bash
# what_if.sh <file to write> <environment>...
# What a deployment of each environment would change, as a comment of a pull request. An environment without its resource
# group (<RESOURCE_GROUP_PREFIX>-<environment>) is named as not set up. Fails when a what-if fails.
set -euo pipefail
report=$1
shift
# GitHub refuses comments beyond 65,536 characters.
room=60000
failed=0

echo '### What this pull request would change in Azure' >"$report"
for environment in "$@"; do
    group="$RESOURCE_GROUP_PREFIX-$environment"
    printf '\n<details><summary>%s (%s)</summary>\n\n' "$environment" "$group" >>"$report"
    if [ "$(az group exists --name "$group")" != true ]; then
        echo 'Not set up: there is no such resource group.' >>"$report"
    else
        result=$(mktemp)
        # ProviderNoRbac: the identity of pull requests may look and not write.
        if ! az deployment group what-if --resource-group "$group" --parameters "infra/$environment.bicepparam" \
            --validation-level ProviderNoRbac --exclude-change-types Ignore NoChange >"$result" 2>&1; then
            echo "::error::the what-if of $environment failed"
            failed=1
        fi
        printf '~~~\n%s\n~~~\n' "$(head --bytes $((room / $#)) "$result")" >>"$report"
        rm -f "$result"
    fi
    printf '\n</details>\n' >>"$report"
done
exit "$failed"
