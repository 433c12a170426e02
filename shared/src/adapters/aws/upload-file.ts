import { createReadStream } from "node:fs";
import type { S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { awsFailure } from "./aws-failure.ts";
import { PART_BYTES } from "./s3-object-store.ts";

/** Streams a file of this machine into S3, in parts, so that a model of any size takes little memory. */
export async function uploadFile(client: S3Client, bucket: string, key: string, file: string): Promise<void> {
  const body = createReadStream(file);
  try {
    await new Upload({ client, params: { Bucket: bucket, Key: key, Body: body }, partSize: PART_BYTES }).done();
  } catch (cause) {
    throw awsFailure(`s3://${bucket}/${key}`, cause);
  } finally {
    body.destroy();
  }
}
