#!/bin/bash
# Examples of an API's documentation.
set -euo pipefail
TOKEN=$(curl -s -X POST https://api.example/login -d 'user=ada' | jq -r .token)

curl -sS https://api.example/v1/items -H "Authorization: Bearer $TOKEN" | jq .
curl -s -XPOST "https://api.example/v1/items" \
     -H "Authorization: Bearer ${TOKEN}" -H 'Content-Type: application/json' \
     -d @- <<'JSON'
{"name": "chair", "tags": ["wood", "new"]}
JSON
curl -fsSL -o /dev/null https://api.example/v1/items/42 && echo ok
curl -X DELETE https://api.example/v1/items/42 2>/dev/null
curl https://status.example/health
