import { clusterName, type EcsTasks, type RunningTask } from "./ecs-tasks.ts";
import type { JsonApi } from "./json-services.ts";
import { namedError } from "./named-error.ts";

/** The ECS operations by which tasks are found and stopped that an execution left behind. Only tasks that run are known. */
export function ecsApi(tasks: () => EcsTasks): JsonApi {
  const inCluster = (cluster: unknown) =>
    tasks()
      .running()
      .filter((task) => task.cluster === clusterName(cluster));
  const operations: Record<string, (input: Record<string, unknown>) => unknown> = {
    ListTasks: ({ cluster, startedBy, desiredStatus = "RUNNING" }) => ({
      taskArns: inCluster(cluster)
        .filter((task) => desiredStatus === "RUNNING" && (startedBy === undefined || task.startedBy === startedBy))
        .map(({ arn }) => arn),
    }),
    StopTask: ({ cluster, task: asked, reason }) => {
      const task = inCluster(cluster).find(({ arn }) => arn === asked || arn.endsWith(`/${String(asked)}`));
      if (!task) throw namedError("InvalidParameterException", "The referenced task was not found.");
      task.process.end();
      return { task: { ...described(task), desiredStatus: "STOPPED", stoppedReason: reason } };
    },
  };
  return (operation, input) => {
    const answer = operations[operation];
    if (!answer) throw namedError("UnknownOperationException", `${operation} is not served locally`);
    return answer(input);
  };
}

function described({ arn, startedBy }: RunningTask) {
  return { taskArn: arn, lastStatus: "RUNNING", ...(startedBy !== undefined && { startedBy }) };
}
