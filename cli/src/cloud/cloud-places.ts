import type { Compute } from "@fedmkt/shared/contracts/compute.ts";
import { isInS3 } from "@fedmkt/shared/contracts/location.ts";
import type { SpecPlace } from "../read-spec-file.ts";
import { type LocationMistake, readMember } from "../spec-locations.ts";
import type { Cloud } from "./cloud.ts";
import type { DeployedClient } from "./deployed-clients.ts";

export interface CloudPlaces {
  cloud: Cloud;
  clients: readonly DeployedClient[];
  /** whether material of this machine that all parties share is copied to the cloud first */
  upload: boolean;
}

/** Says of each location of a spec whether the cloud can read it there: one sentence for each that it cannot. */
export function cloudPlaces({ cloud, clients, upload }: CloudPlaces): SpecPlace {
  const control = cloud.bucket("control");
  const shared = cloud.bucket("public");
  const common = ["control", "public", "artefacts", "registry"].map((name) => cloud.bucket(name as "control"));
  const refuse = (refusal: string) => ({ refusal });

  /** what functions read, and the worker of the party whose model it is */
  const judgeShared = (location: string, party: string | null) => {
    const places = `s3://${shared}/… or s3://${control}/material/${party === null ? "" : `${party}/`}…`;
    if (!isInS3(location))
      return upload
        ? ("here" as const)
        : refuse(
            `expected ${places}, got a path of this machine (${location}), which the cloud cannot read; --upload copies it to the public bucket`,
          );
    const { bucket, key } = split(location);
    if (bucket === shared) return "here" as const;
    if (bucket === control && key.startsWith(`material/${party === null ? "" : `${party}/`}`)) return "here" as const;
    return refuse(`expected ${places}, got ${location}, which the deployment may not read`);
  };

  const judgePrivate = (location: string, id: string, compute: Compute) => {
    if (compute === "worker") {
      if (isInS3(location)) {
        if (!common.includes(split(location).bucket)) return "elsewhere" as const;
        return refuse(`expected a place of the site's own, got ${location}, which others may read`);
      }
      if (!location.startsWith("/") && !location.split(/[\\/]/).includes("..")) return "elsewhere" as const;
      return refuse(
        `expected a path below the site's data folder, such as private.jsonl, got ${location}; its worker reads nothing else`,
      );
    }
    const bucket = clients.find((client) => client.id === id)?.privateBucket ?? null;
    if (bucket === null)
      return refuse(
        "the deployment hosts no private data of this client; fedmkt clients add with --host-private-data yes, or give the client compute: worker",
      );
    if (isInS3(location) && split(location).bucket === bucket) return "here" as const;
    return refuse(
      `expected s3://${bucket}/…, the client's own bucket, got ${location}; private data are put there by whoever may, never by this command`,
    );
  };

  return {
    mayReadS3: true,
    judge: (value, path, location) => {
      const client = (index: PropertyKey) => {
        const { id, compute } = (readMember(value, ["clients", index]) ?? {}) as { id?: unknown; compute?: unknown };
        return { id: String(id), compute: compute === "worker" ? ("worker" as const) : ("ecs" as const) };
      };
      if (path[0] === "server") return judgeShared(location, "server");
      if (path[0] === "clients" && path[2] === "model") return judgeShared(location, client(path[1]).id);
      if (path[0] === "clients") {
        const { id, compute } = client(path[1]);
        return judgePrivate(location, id, compute);
      }
      const owner = path[0] === "evaluation" ? readMember(value, ["evaluation", path[1], "owner"]) : undefined;
      if (owner === undefined || readMember(value, ["simulation"]) === true) return judgeShared(location, null);
      const ids = listOf(value).map((_, index) => client(index));
      return judgePrivate(location, String(owner), ids.find(({ id }) => id === owner)?.compute ?? "ecs");
    },
    findMistakes: (value) =>
      listOf(value).flatMap((client, index): LocationMistake[] => {
        const id = (client as { id?: unknown } | null)?.id;
        if (typeof id !== "string" || clients.some((deployed) => deployed.id === id)) return [];
        return [
          {
            path: ["clients", index, "id"],
            message: `the deployment "${cloud.environment}" has no client ${JSON.stringify(id)}; fedmkt clients add ${id} --environment ${cloud.environment} makes it`,
          },
        ];
      }),
  };
}

function listOf(value: unknown): unknown[] {
  const list = readMember(value, ["clients"]);
  return Array.isArray(list) ? list : [];
}

function split(location: string): { bucket: string; key: string } {
  const [bucket, ...key] = location.slice("s3://".length).split("/");
  return { bucket, key: key.join("/") };
}
