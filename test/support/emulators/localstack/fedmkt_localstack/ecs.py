"""ECS, as far as the state machines and an agent need it: clusters, task definitions and tasks that somebody else starts and ends."""

import threading
import uuid
from collections import defaultdict

from localstack.aws.api import CommonServiceException
from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.services.plugins import Service, aws_provider


class Account:
    """What one account has in one region."""

    def __init__(self):
        self.clusters = {}
        self.definitions = defaultdict(list)
        self.tasks = {}


def refused(code, message):
    return CommonServiceException(code, message, status_code=400, sender_fault=True)


def last_part(arn):
    return arn.rsplit("/", 1)[-1]


class Ecs:
    """The operations, each as (context, request) -> response."""

    def __init__(self):
        self.accounts = defaultdict(Account)
        self.lock = threading.RLock()

    def operations(self):
        served = {
            "CreateCluster": self.create_cluster,
            "DeleteCluster": self.delete_cluster,
            "DescribeClusters": self.describe_clusters,
            "ListClusters": self.list_clusters,
            "RegisterTaskDefinition": self.register_task_definition,
            "DeregisterTaskDefinition": self.deregister_task_definition,
            "DescribeTaskDefinition": self.describe_task_definition,
            "ListTaskDefinitionFamilies": self.list_task_definition_families,
            "RunTask": self.run_task,
            "StopTask": self.stop_task,
            "ListTasks": self.list_tasks,
            "DescribeTasks": self.describe_tasks,
        }

        def guarded(operation):
            def serve(context, request):
                with self.lock:
                    account = self.accounts[context.account_id, context.region]
                    return operation(account, f"arn:aws:ecs:{context.region}:{context.account_id}", request)

            return serve

        return {name: guarded(operation) for name, operation in served.items()}

    def create_cluster(self, account, arn, request):
        name = request.get("clusterName") or "default"
        cluster = {"clusterName": name, "clusterArn": f"{arn}:cluster/{name}", "status": "ACTIVE"}
        account.clusters[name] = cluster
        return {"cluster": cluster}

    def delete_cluster(self, account, arn, request):
        cluster = account.clusters.pop(self._cluster(account, request)["clusterName"])
        return {"cluster": cluster | {"status": "INACTIVE"}}

    def describe_clusters(self, account, arn, request):
        names = [last_part(name) for name in request.get("clusters") or ["default"]]
        return {"clusters": [account.clusters[name] for name in names if name in account.clusters], "failures": []}

    def list_clusters(self, account, arn, request):
        return {"clusterArns": [cluster["clusterArn"] for cluster in account.clusters.values()]}

    def register_task_definition(self, account, arn, request):
        family = request["family"]
        revisions = account.definitions[family]
        revision = len(revisions) + 1
        definition = {
            **{name: value for name, value in request.items() if name != "tags"},
            "taskDefinitionArn": f"{arn}:task-definition/{family}:{revision}",
            "revision": revision,
            "status": "ACTIVE",
        }
        revisions.append(definition)
        return {"taskDefinition": definition}

    def deregister_task_definition(self, account, arn, request):
        definition = self._definition(account, request)
        definition["status"] = "INACTIVE"
        return {"taskDefinition": definition}

    def describe_task_definition(self, account, arn, request):
        return {"taskDefinition": self._definition(account, request)}

    def list_task_definition_families(self, account, arn, request):
        wanted = request.get("status", "ACTIVE")
        status = {
            family: "ACTIVE" if any(one["status"] == "ACTIVE" for one in revisions) else "INACTIVE"
            for family, revisions in account.definitions.items()
        }
        return {"families": sorted(family for family, found in status.items() if wanted in (found, "ALL"))}

    def run_task(self, account, arn, request):
        cluster = self._cluster(account, request)
        definition = self._definition(account, request)
        task = {
            "taskArn": f"{arn}:task/{cluster['clusterName']}/{uuid.uuid4().hex}",
            "clusterArn": cluster["clusterArn"],
            "taskDefinitionArn": definition["taskDefinitionArn"],
            "overrides": request.get("overrides") or {},
            "startedBy": request.get("startedBy") or "",
            "lastStatus": "RUNNING",
            "desiredStatus": "RUNNING",
            "containers": [
                {"name": container["name"], "lastStatus": "RUNNING"} for container in definition["containerDefinitions"]
            ],
        }
        account.tasks[task["taskArn"]] = task
        return {"tasks": [task], "failures": []}

    def stop_task(self, account, arn, request):
        wanted = last_part(request["task"])
        for task in account.tasks.values():
            if last_part(task["taskArn"]) == wanted:
                task |= {"lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stoppedReason": request.get("reason") or ""}
                return {"task": task}
        raise refused("InvalidParameterException", "The referenced task was not found.")

    def list_tasks(self, account, arn, request):
        cluster = self._cluster(account, request)["clusterArn"]
        status = request.get("desiredStatus") or "RUNNING"
        started_by = request.get("startedBy")
        return {
            "taskArns": [
                task["taskArn"]
                for task in account.tasks.values()
                if task["clusterArn"] == cluster
                and task["desiredStatus"] == status
                and started_by in (None, task["startedBy"])
            ]
        }

    def describe_tasks(self, account, arn, request):
        wanted = {last_part(name) for name in request["tasks"]}
        found = [task for task in account.tasks.values() if last_part(task["taskArn"]) in wanted]
        missing = wanted - {last_part(task["taskArn"]) for task in found}
        return {"tasks": found, "failures": [{"arn": name, "reason": "MISSING"} for name in missing]}

    def _cluster(self, account, request):
        name = last_part(request.get("cluster") or "default")
        if name not in account.clusters:
            raise refused("ClusterNotFoundException", "Cluster not found.")
        return account.clusters[name]

    def _definition(self, account, request):
        family, _, revision = last_part(request["taskDefinition"]).partition(":")
        active = [one for one in account.definitions.get(family, []) if revision or one["status"] == "ACTIVE"]
        found = [one for one in active if revision in ("", str(one["revision"]))]
        if not found:
            raise refused("ClientException", f"Unable to describe task definition {request['taskDefinition']}")
        return found[-1]


@aws_provider(api="ecs")
def ecs():
    model = load_service("ecs")
    return Service(name="ecs", skeleton=Skeleton(model, Ecs().operations()))
