curl ^"https://shop.example/api/orders^" ^
  -H ^"accept: application/json^" ^
  -H ^"content-type: application/json^" ^
  -H ^"sec-ch-ua-platform: ^\^"Windows^\^"^" ^
  --data-raw ^"^{^\^"total^\^":12.50,^\^"coupon^\^":null^}^"
