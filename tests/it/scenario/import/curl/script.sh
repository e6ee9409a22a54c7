#!/bin/bash
set -e
BASE="http://localhost:9000"
API=${API_BASE:-$BASE/v2}
PAGE="${PAGE_SIZE:-25}"
export PASSWORD="5ecret-word"

echo "Command: curl -X GET \"$BASE/items\""
curl -s -c jar.txt -X POST -d "{\"user\":\"ann\",\"password\":\"$PASSWORD\"}" \
  -H "Content-Type: application/json" $BASE/login

ID=$(curl -s -b jar.txt "$BASE/items?size=$PAGE" \
  -H 'X-Note: a ) in quotes' | jq -r '.[0].id')
for name in tea cups; do
  curl -s "$BASE/items/search?fields=\[\"$name\"\]"
  curl -s -X DELETE "$BASE/items/$ID"
done
CODE=`curl -s -o /dev/null -w '%{http_code}' $BASE/health`
curl -X GET ${ELSEWHERE}/status
