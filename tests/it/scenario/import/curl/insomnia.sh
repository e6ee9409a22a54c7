curl --request POST \
  --url http://localhost:3000/oauth/token \
  --header 'Content-Type: application/x-www-form-urlencoded' \
  --header 'User-Agent: insomnia/9.3.3' \
  --data grant_type=password \
  --data username=ada \
  --data 'password=5ecret%26more' \
  --data client_secret=5ecretClient
