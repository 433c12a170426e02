import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { CreateBucketCommand, type S3Client } from "@aws-sdk/client-s3";
import { startFront } from "../../cli/src/local/front.ts";
import { startStores } from "../../cli/src/local/stores.ts";
import { s3Client } from "../../shared/src/adapters/aws/s3-object-store.ts";

/** The credentials that the embedded stores of a test ask for, and their region. */
export const EMBEDDED = { region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } };

export interface EmbeddedStores {
  url: string;
  s3: S3Client;
  folder: string;
  stop(): Promise<void>;
}

/**
 * The embedded S3 and SQS behind their front, on loopback, with files in a temporary folder.
 * @param services - what else the front answers
 */
export async function startEmbeddedStores(
  buckets: readonly string[],
  services: Parameters<typeof startFront>[0]["services"] = {},
): Promise<EmbeddedStores> {
  const folder = await mkdtemp(path.join(tmpdir(), "fedmkt-stores-"));
  const { fauxqs, connect } = await startStores(folder);
  const front = await startFront({ connect, services, accessKeyId: EMBEDDED.credentials.accessKeyId });
  const s3 = s3Client({ endpoint: front.url, forcePathStyle: true, ...EMBEDDED });
  for (const bucket of buckets) await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    url: front.url,
    s3,
    folder,
    stop: async () => {
      s3.destroy();
      await front.stop();
      await fauxqs.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
