import locust
import random
from locust import between

def get_index(l):
    l.client.get("/")

def get_random(l):
    l.client.get("/items/" + str(random.randrange(100)))

class WebUser(locust.HttpUser):
    tasks = [get_index, get_random]
    wait_time = between(2, 3)
    host = "http://legacy.example:8080/"
