import { randomUUID } from "node:crypto";
import { controlKeys } from "@fedmkt/shared/contracts/keys.ts";
import type { Cloud } from "./cloud.ts";

/** The event that EventBridge would hand to the run machine, had run.yaml been uploaded just now. */
export function startEvent({ account, region, partition, bucket }: Cloud, run: string, nowMs: number) {
  const control = bucket("control");
  return {
    version: "0",
    id: randomUUID(),
    "detail-type": "Object Created",
    source: "aws.s3",
    account,
    time: new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z"),
    region,
    resources: [`arn:${partition}:s3:::${control}`],
    detail: { version: "0", bucket: { name: control }, object: { key: controlKeys.spec(run) }, reason: "PutObject" },
  };
}

/** A name of an execution: the run's, and when it was started, which sorts. */
export function executionName(run: string, nowMs: number): string {
  return `${run}-${new Date(nowMs).toISOString().replace(/[^0-9]/g, "")}`;
}
