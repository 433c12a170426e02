import type { LocalResource } from "./assembly.ts";
import { namedError } from "./named-error.ts";

interface NamedValue {
  Name: string;
  Value: unknown;
}
interface Container {
  Name: string;
  Environment?: NamedValue[];
}

/**
 * A container's variables under those of a call of RunTask.
 *
 * @throws an error named `ECS.ClientException` where the assembly has no such task definition or that has no container
 */
export function containerEnvironment(
  resources: readonly LocalResource[],
  parameters: { TaskDefinition?: unknown; Overrides?: unknown },
): Record<string, string> {
  const asked = String(parameters.TaskDefinition);
  const family = /(?:task-definition\/)?([^/:]+)(?::\d+)?$/.exec(asked)?.[1];
  const definition = resources.find(({ type, name }) => type === "AWS::ECS::TaskDefinition" && name === family);
  if (!definition) throw namedError("ECS.ClientException", `Unable to describe task definition ${asked}`);
  const containers = (definition.properties.ContainerDefinitions ?? []) as Container[];
  const override = (parameters.Overrides as { ContainerOverrides?: Container[] } | undefined)?.ContainerOverrides?.[0];
  const container = containers.find(({ Name }) => Name === override?.Name) ?? containers[0];
  if (!container) throw namedError("ECS.ClientException", `task definition ${asked} has no container`);
  const variables = [...(container.Environment ?? []), ...(override?.Environment ?? [])];
  return Object.fromEntries(variables.map(({ Name, Value }) => [Name, String(Value)]));
}
