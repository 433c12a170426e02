import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { InvalidInputError, TransientError } from "../../core/errors.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { awsFailure, isMissing, statusOf } from "./aws-failure.ts";

/** S3 wants at least 5 MiB a part; local servers refuse bodies above 11 MiB. */
export const PART_BYTES = 8 * 1024 * 1024;

/** Tries of a conditional write while another writer's is under way: S3 answers 409 then. */
const CONFLICT_TRIES = 5;
const CONFLICT_WAIT_MS = 100;

/** A client for the account, or for the server that `AWS_ENDPOINT_URL` names, which then is addressed by path. */
export function s3Client(config: S3ClientConfig = {}): S3Client {
  return new S3Client({ forcePathStyle: process.env.AWS_ENDPOINT_URL !== undefined, ...config });
}

/** Objects in S3. Large ones travel in parts of 8 MiB; every failure names bucket and key. */
export class S3ObjectStore implements ObjectStore {
  readonly #client: S3Client;

  constructor(client: S3Client) {
    this.#client = client;
  }

  /** @param signal - gives it up */
  async get(bucket: string, key: string, maxBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
    const place = `s3://${bucket}/${key}`;
    try {
      const { Body, ContentLength } = await this.#client.send(new GetObjectCommand({ Bucket: bucket, Key: key }), {
        abortSignal: signal,
      });
      if (ContentLength === undefined || ContentLength > maxBytes) {
        (Body as { destroy?: () => void } | undefined)?.destroy?.();
        throw new InvalidInputError(
          "OBJECT_TOO_LARGE",
          `${place}: expected at most ${maxBytes} bytes, it has ${ContentLength ?? "an unknown number"}`,
        );
      }
      return await Body!.transformToByteArray();
    } catch (cause) {
      if (cause instanceof InvalidInputError) throw cause;
      throw awsFailure(place, cause);
    }
  }

  async head(bucket: string, key: string): Promise<{ bytes: number } | null> {
    try {
      const { ContentLength } = await this.#client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
      return { bytes: ContentLength ?? 0 };
    } catch (cause) {
      if (isMissing(cause)) return null;
      throw awsFailure(`s3://${bucket}/${key}`, cause);
    }
  }

  async put(bucket: string, key: string, body: Uint8Array): Promise<void> {
    try {
      await this.#write({ Bucket: bucket, Key: key, Body: body });
    } catch (cause) {
      throw awsFailure(`s3://${bucket}/${key}`, cause);
    }
  }

  async putIfAbsent(bucket: string, key: string, body: Uint8Array): Promise<boolean> {
    const place = `s3://${bucket}/${key}`;
    for (let tries = 1; ; tries++) {
      try {
        await this.#write({ Bucket: bucket, Key: key, Body: body, IfNoneMatch: "*" });
        return true;
      } catch (cause) {
        if (statusOf(cause) === 412) return false;
        if (statusOf(cause) !== 409) throw awsFailure(place, cause);
        if (tries === CONFLICT_TRIES)
          throw new TransientError(
            "WRITE_CONFLICT",
            `${place}: another conditional write goes on after ${tries} tries`,
            { cause },
          );
        await new Promise((resolve) => setTimeout(resolve, CONFLICT_WAIT_MS * tries));
      }
    }
  }

  async list(bucket: string, prefix: string): Promise<string[]> {
    const keys: string[] = [];
    let next: string | undefined;
    try {
      do {
        const page = await this.#client.send(
          new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: next }),
        );
        for (const { Key } of page.Contents ?? []) keys.push(Key!);
        next = page.NextContinuationToken;
      } while (next !== undefined);
    } catch (cause) {
      throw awsFailure(`s3://${bucket}/${prefix}*`, cause);
    }
    return keys;
  }

  /** In one request, or in parts, whose completion then carries the condition. */
  async #write(params: PutObjectCommandInput & { Body: Uint8Array }): Promise<void> {
    if (params.Body.length <= PART_BYTES) await this.#client.send(new PutObjectCommand(params));
    else await new Upload({ client: this.#client, params, partSize: PART_BYTES }).done();
  }
}
