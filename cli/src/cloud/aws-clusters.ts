import { DescribeClustersCommand, type ECSClient } from "@aws-sdk/client-ecs";
import type { CloudClusters } from "./cloud.ts";
import { attempt } from "./cloud-failure.ts";

export class AwsClusters implements CloudClusters {
  readonly #client: ECSClient;

  constructor(client: ECSClient) {
    this.#client = client;
  }

  async countMachines(name: string): Promise<number> {
    const { clusters = [] } = await attempt("ecs:DescribeClusters", name, () =>
      this.#client.send(new DescribeClustersCommand({ clusters: [name] })),
    );
    return clusters[0]?.registeredContainerInstancesCount ?? 0;
  }
}
