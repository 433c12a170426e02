import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  ListObjectVersionsCommand,
  type ObjectIdentifier,
  type S3Client,
} from "@aws-sdk/client-s3";
import { S3ObjectStore } from "@fedmkt/shared/adapters/aws/s3-object-store.ts";
import { uploadFile } from "@fedmkt/shared/adapters/aws/upload-file.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { CloudObjects } from "./cloud.ts";
import { attempt } from "./cloud-failure.ts";

/** S3 as an operator uses it: the stages' own store, with the action named where it is denied. */
export class AwsObjects extends S3ObjectStore implements CloudObjects {
  readonly #client: S3Client;

  constructor(client: S3Client) {
    super(client);
    this.#client = client;
  }

  override async get(bucket: string, key: string, maxBytes: number): Promise<Uint8Array> {
    return named("s3:GetObject", () => super.get(bucket, key, maxBytes));
  }

  override async head(bucket: string, key: string): Promise<{ bytes: number } | null> {
    return named("s3:GetObject", () => super.head(bucket, key));
  }

  override async put(bucket: string, key: string, body: Uint8Array): Promise<void> {
    return named("s3:PutObject", () => super.put(bucket, key, body));
  }

  override async putIfAbsent(bucket: string, key: string, body: Uint8Array): Promise<boolean> {
    return named("s3:PutObject", () => super.putIfAbsent(bucket, key, body));
  }

  override async list(bucket: string, prefix: string): Promise<string[]> {
    return named("s3:ListBucket", () => super.list(bucket, prefix));
  }

  async putFile(bucket: string, key: string, file: string): Promise<void> {
    return named("s3:PutObject", () => uploadFile(this.#client, bucket, key, file));
  }

  async remove(bucket: string, key: string): Promise<void> {
    await attempt("s3:DeleteObject", `s3://${bucket}/${key}`, () =>
      this.#client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })),
    );
  }

  async hasBucket(bucket: string): Promise<boolean> {
    return attempt("s3:ListBucket", `s3://${bucket}`, async () => {
      try {
        await this.#client.send(new HeadBucketCommand({ Bucket: bucket }));
        return true;
      } catch (error) {
        if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 404) return false;
        throw error;
      }
    });
  }

  async empty(bucket: string): Promise<number> {
    let removed = 0;
    for (;;) {
      const found = await this.#someVersions(bucket);
      if (found.length === 0) return removed;
      const { Errors = [] } = await attempt("s3:DeleteObjectVersion", `s3://${bucket}/*`, () =>
        this.#client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: found, Quiet: true } })),
      );
      if (Errors.length > 0)
        throw new InvalidInputError(
          "REQUEST_REFUSED",
          `s3://${bucket}/${Errors[0].Key} could not be deleted (${Errors[0].Code}: ${Errors[0].Message})`,
        );
      removed += found.length;
    }
  }

  /** The first page of what is left: versions and the marks of deletions. */
  async #someVersions(bucket: string): Promise<ObjectIdentifier[]> {
    try {
      const page = await attempt("s3:ListBucketVersions", `s3://${bucket}`, () =>
        this.#client.send(new ListObjectVersionsCommand({ Bucket: bucket, MaxKeys: 1000 })),
      );
      return [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])].map(({ Key, VersionId }) => ({
        Key,
        VersionId,
      }));
    } catch (error) {
      if (((error as Error).cause as Error | undefined)?.name === "NoSuchBucket") return [];
      throw error;
    }
  }
}

/** The store's own errors name bucket and key; where access was denied, the action is what an operator looks for. */
async function named<T>(action: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof InvalidInputError && cause.code === "ACCESS_DENIED")
      throw new InvalidInputError("ACCESS_DENIED", `${cause.message}; it takes ${action}`, { cause });
    throw cause;
  }
}
