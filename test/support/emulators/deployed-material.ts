import type { BucketName } from "../../../shared/src/contracts/deployment.ts";
import type { AwsClients } from "./aws-clients.ts";
import { putObject } from "./bucket-contents.ts";
import { CLIENT_NAMES, CLIENTS, type Client, type FourClients, type Places } from "./four-clients.ts";
import type { Site } from "./site.ts";

interface Buckets {
  sites: readonly Site[];
  bucket(name: BucketName): string;
  privateBucket(client: Client): string;
}

/** One site keeps a file below its worker's data folder, the other an object in the bucket of its own account. */
export const keepsFile = (client: Client): boolean => client === "orchard";

/** Where a deployment's material lies, as a spec names it. */
export function deployedPlaces({ sites, bucket, privateBucket }: Buckets): Places {
  return {
    model: (party) => `s3://${bucket("control")}/material/${party}/${party}`,
    shared: (what) => `s3://${bucket("public")}/${what}.jsonl`,
    privateSet: (client) => {
      if (CLIENTS[client] === "ecs") return `s3://${privateBucket(client)}/private.jsonl`;
      if (keepsFile(client)) return "private.jsonl";
      return `s3://${sites.find((site) => site.client === client)!.privateBucket}/private.jsonl`;
    },
  };
}

/** Puts everything there, each by whom it belongs to: a site's own set by the owner of the site's account. */
export async function uploadMaterial(
  federation: FourClients,
  { aws, sites, bucket, privateBucket }: Buckets & { aws: AwsClients },
): Promise<void> {
  for (const party of ["server", ...CLIENT_NAMES] as const)
    for (const [file, bytes] of Object.entries(federation.modelFiles(party)))
      await putObject(aws.s3, bucket("control"), `material/${party}/${party}/${file}`, bytes);
  for (const name of ["public", "held-out"] as const)
    await putObject(aws.s3, bucket("public"), `${name}.jsonl`, federation.shared(name));
  for (const client of CLIENT_NAMES)
    if (CLIENTS[client] === "ecs")
      await putObject(aws.s3, privateBucket(client), "private.jsonl", federation.privateSet(client));
  for (const { client, aws: own, privateBucket: target } of sites)
    if (!keepsFile(client)) await putObject(own.s3, target, "private.jsonl", federation.privateSet(client));
}
