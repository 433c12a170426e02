"""Two places where LocalStack's Step Functions differs from AWS's in what the tests need."""

from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.service import (
    state_task_service_callback as callback,
)
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.service import (
    state_task_service_ecs as ecs,
)

RUN_TASK_PARAMETERS = {"CapacityProviderStrategy", "Count", "ReferenceId", "StartedBy", "Tags"}


def correct():
    """Lets through what AWS's ecs:runTask takes, and looks for an answer that came before the heartbeat was waited for."""
    ecs._SUPPORTED_API_PARAM_BINDINGS["runtask"] |= RUN_TASK_PARAMETERS
    wait = callback.StateTaskServiceCallback._wait_for_task_token_heartbeat

    def look_first(self, env, callback_endpoint, heartbeat_endpoint):
        return callback_endpoint.get_outcome() or wait(self, env, callback_endpoint, heartbeat_endpoint)

    callback.StateTaskServiceCallback._wait_for_task_token_heartbeat = look_first
