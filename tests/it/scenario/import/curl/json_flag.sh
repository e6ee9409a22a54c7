curl --json '{"query":"{ items { id } }","variables":null}' http://graph.example/graphql
curl http://graph.example/legacy -d '{"by":"habit"}'
curl -X POST http://graph.example/text -H 'Content-Type: text/plain' --data-binary 'two
lines'
curl -X PURGE http://graph.example/cache
