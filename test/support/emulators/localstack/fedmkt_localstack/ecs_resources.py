"""ECS in CloudFormation: clusters and task definitions."""

from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
)

TASK_DEFINITION_PROPERTIES = {
    "Family",
    "TaskRoleArn",
    "ExecutionRoleArn",
    "NetworkMode",
    "ContainerDefinitions",
    "RequiresCompatibilities",
    "Cpu",
    "Memory",
}
# names below these are a user's own and keep their spelling
FREE_NAMES = {"options", "dockerLabels"}


def lower_names(value):
    """CloudFormation writes names like the API's, but with a capital."""
    if isinstance(value, list):
        return [lower_names(one) for one in value]
    if not isinstance(value, dict):
        return value
    lowered = {name[:1].lower() + name[1:]: one for name, one in value.items()}
    return {name: one if name in FREE_NAMES else lower_names(one) for name, one in lowered.items()}


class EcsResource(ResourceProvider):
    def read(self, request):
        return self.done(request, request.desired_state)

    def done(self, request, model):
        return ProgressEvent(
            status=OperationStatus.SUCCESS, resource_model=model, custom_context=request.custom_context
        )


class Cluster(EcsResource):
    TYPE = "AWS::ECS::Cluster"
    SCHEMA = {
        "typeName": TYPE,
        "primaryIdentifier": ["/properties/ClusterName"],
        "readOnlyProperties": ["/properties/Arn"],
        "properties": {"ClusterName": {}, "Arn": {}},
    }

    def create(self, request):
        model = request.desired_state
        model["ClusterName"] = model.get("ClusterName") or f"{request.stack_name}-{request.logical_resource_id}"
        created = request.aws_client_factory.ecs.create_cluster(clusterName=model["ClusterName"])
        model["Arn"] = created["cluster"]["clusterArn"]
        return self.done(request, model)

    def update(self, request):
        return self.done(request, {**request.previous_state, **request.desired_state})

    def delete(self, request):
        request.aws_client_factory.ecs.delete_cluster(cluster=request.desired_state["ClusterName"])
        return self.done(request, request.desired_state)


class TaskDefinition(EcsResource):
    TYPE = "AWS::ECS::TaskDefinition"
    SCHEMA = {
        "typeName": TYPE,
        "primaryIdentifier": ["/properties/TaskDefinitionArn"],
        "readOnlyProperties": ["/properties/TaskDefinitionArn"],
        "properties": {"TaskDefinitionArn": {}},
    }

    def create(self, request):
        model = request.desired_state
        asked = lower_names({name: model[name] for name in TASK_DEFINITION_PROPERTIES & model.keys()})
        registered = request.aws_client_factory.ecs.register_task_definition(**asked)
        model["TaskDefinitionArn"] = registered["taskDefinition"]["taskDefinitionArn"]
        return self.done(request, model)

    def update(self, request):
        return self.create(request)

    def delete(self, request):
        arn = request.desired_state["TaskDefinitionArn"]
        request.aws_client_factory.ecs.deregister_task_definition(taskDefinition=arn)
        return self.done(request, request.desired_state)


class ClusterPlugin(CloudFormationResourceProviderPlugin):
    name = Cluster.TYPE

    def load(self):
        self.factory = Cluster


class TaskDefinitionPlugin(CloudFormationResourceProviderPlugin):
    name = TaskDefinition.TYPE

    def load(self):
        self.factory = TaskDefinition
