curl -u 'ada:5ecret-basic' -F 'title=Holiday' -F 'photo=@beach.jpg;type=image/jpeg' -F 'tags="sea";type=text/plain' http://photos.example/upload
curl -T report.pdf http://photos.example/files/report.pdf
