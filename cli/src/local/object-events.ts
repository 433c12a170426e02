import { randomUUID } from "node:crypto";
import type { FauxqsServer } from "fauxqs";
import { ACCOUNT, type LocalResource, REGION } from "./assembly.ts";
import type { BusEvent } from "./event-bus.ts";

/** What S3 tells EventBridge of an object that was written. */
export type ObjectCreated = BusEvent<{
  version: string;
  bucket: { name: string };
  object: { key: string };
  reason: string;
}>;

/** Tells every write of an object in a bucket of the assembly that sends its events to EventBridge, in order. */
export function followObjectWrites(
  stores: FauxqsServer,
  resources: readonly LocalResource[],
  onWrite: (event: ObjectCreated) => void,
): void {
  const announcing = new Set(
    resources
      .filter(({ type, properties }) => {
        const notifications = properties.NotificationConfiguration as
          | { EventBridgeConfiguration?: { EventBridgeEnabled?: boolean } }
          | undefined;
        const bridge = notifications?.EventBridgeConfiguration;
        return type === "AWS::S3::Bucket" && bridge !== undefined && bridge.EventBridgeEnabled !== false;
      })
      .map(({ name }) => name),
  );
  const never = (message: unknown): boolean => {
    const { service, status, bucket, key, timestamp } = message as Record<string, string> & { timestamp: number };
    if (service === "s3" && (status === "uploaded" || status === "copied") && announcing.has(bucket!)) {
      onWrite(objectCreated(bucket!, key!, timestamp, status === "copied" ? "CopyObject" : "PutObject"));
    }
    return false; // so that the spy goes on asking, for every message
  };
  stores.spy.waitForMessage(never).catch(() => {}); // rejected when the stores stop
}

function objectCreated(bucket: string, key: string, timestampMs: number, reason: string): ObjectCreated {
  return {
    version: "0",
    id: randomUUID(),
    "detail-type": "Object Created",
    source: "aws.s3",
    account: ACCOUNT,
    time: new Date(timestampMs).toISOString().replace(/\.\d+Z$/, "Z"),
    region: REGION,
    resources: [`arn:aws:s3:::${bucket}`],
    detail: { version: "0", bucket: { name: bucket }, object: { key }, reason },
  };
}
