curl --location --request PUT '{{baseUrl}}/v2/users/1234/profile' \
--header 'X-API-Key: 5ecret-postman-key' \
--header 'Content-Type: application/json' \
--data-raw '{
    "displayName": "{{displayName}}",
    "password": "5ecretPassw0rd!",
    "pin": 9876
}'
