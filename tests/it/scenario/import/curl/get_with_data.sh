curl -G http://search.example/find -d q=shoes --data-urlencode 'sort=price & name' -d q=boots
curl -I http://search.example/
curl --max-time 2.5 -k --retry 3 --ntlm http://search.example/slow --frobnicate
