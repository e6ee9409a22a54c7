from locust import HttpLocust, TaskSet, task


class Visits(TaskSet):
    @task(3)
    def front(self):
        self.client.get("/")

    @task
    def about(self):
        self.client.get("/about")


class Visitor(HttpLocust):
    task_set = Visits
    min_wait = 500
    max_wait = 2500
