#!/usr/bin/env bash
# Compare every pinned action with the tag that its comment names: a pin that is not that release fails here, before any
# job runs it. Only git is used; a tag may be annotated, so what it points at (^{}) counts.
set -euo pipefail
cd "$(dirname "$0")/../.."

wrong=0
while read -r action version; do
    repository=$(cut -d/ -f1-2 <<<"${action%@*}")
    tags=$(git ls-remote "https://github.com/$repository" "refs/tags/$version" "refs/tags/$version^{}")
    released=$(tail -n 1 <<<"$tags" | cut -f1)
    if [ "$released" = "${action#*@}" ]; then
        echo "ok: $action is $version"
    else
        echo "::error::$action is not $version, which is '${released:-not a tag}'"
        wrong=1
    fi
done < <(sed -nE 's|.*uses: +([^ ./][^ ]*@[0-9a-f]{40}) +# (v[0-9.]+)$|\1 \2|p' .github/workflows/*.yml .github/actions/*/action.yml | sort -u)
exit "$wrong"
