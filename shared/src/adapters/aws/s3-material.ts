import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { access, mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GetObjectCommand, ListObjectsV2Command, type S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { InvalidInputError } from "../../core/errors.ts";
import { fingerprintWeights } from "../../formats/fingerprint-weights.ts";
import { modelFiles, weightFiles } from "../../formats/model-files.ts";
import type { Material } from "../../ports/material.ts";
import { awsFailure } from "./aws-failure.ts";
import { S3ObjectStore, s3Client } from "./s3-object-store.ts";

/** Settings, tokenizers' older forms, chat templates: not weights in other forms, which would double what is fetched. */
const BESIDE_MODEL = /^[\w.-]{1,200}\.(?:json|jinja|txt|model)$/;

/**
 * A client that finds a bucket in whatever region it lies: a site's own need not be in the coordinator's. For material alone, which is
 * read in order: while the SDK follows it to another region, all of the client's requests go there.
 */
export function s3MaterialClient(config: S3ClientConfig = {}): S3Client {
  return s3Client({ followRegionRedirects: true, ...config });
}

/** Models and data in S3. A model folder is downloaded once and kept under a name that its objects' ETags determine. */
export class S3Material implements Pick<Material, "read" | "folder" | "fingerprint"> {
  readonly #client: S3Client;
  readonly #cacheFolder: string;

  constructor(client: S3Client, cacheFolder: string) {
    this.#client = client;
    this.#cacheFolder = cacheFolder;
  }

  async read(location: string, maxBytes: number): Promise<Uint8Array> {
    const { bucket, key } = parseLocation(location);
    return new S3ObjectStore(this.#client).get(bucket, key, maxBytes);
  }

  async fingerprint(location: string): Promise<string> {
    const { bucket, prefix, objects, files } = await this.#model(location);
    return fingerprintWeights(
      weightFiles(files).map((name) => ({
        name,
        bytes: objects.get(name)!.bytes,
        read: (offset, bytes) => this.#readRange(bucket, prefix + name, offset, bytes),
      })),
    );
  }

  async folder(location: string): Promise<string> {
    const { bucket, prefix, objects, files } = await this.#model(location);
    const identity = createHash("sha256");
    for (const file of files) identity.update(`${bucket}/${prefix}${file}\0${objects.get(file)!.etag}\0`);
    const folder = path.join(this.#cacheFolder, identity.digest("hex"));
    if (await exists(folder)) return folder;
    await this.#fill(folder, bucket, prefix, files);
    return folder;
  }

  /**
   * Fills a folder with a model and all small files beside it: what another program than ours may ask of a Hugging Face folder, its
   * generation settings and chat template. Nothing is done where the folder is there already.
   */
  async mirror(location: string, folder: string): Promise<void> {
    if (await exists(folder)) return;
    const { bucket, prefix, objects, files } = await this.#model(location);
    const beside = [...objects.keys()].filter((name) => BESIDE_MODEL.test(name) && !files.includes(name));
    await this.#fill(folder, bucket, prefix, [...files, ...beside]);
  }

  async #model(location: string) {
    const { bucket, key } = parseLocation(location);
    const prefix = key.endsWith("/") ? key : `${key}/`;
    const objects = await this.#objects(bucket, prefix, location);
    return { bucket, prefix, objects, files: modelFiles([...objects.keys()], location) };
  }

  /** Under another name and renamed, so that a folder that exists is whole. */
  async #fill(folder: string, bucket: string, prefix: string, files: readonly string[]): Promise<void> {
    const unfinished = `${folder}.${randomUUID()}`;
    await mkdir(unfinished, { recursive: true });
    try {
      for (const file of files) await this.#download(bucket, prefix + file, path.join(unfinished, file));
      await rename(unfinished, folder).catch(async (cause) => {
        if (!(await exists(folder))) throw cause; // else another job was quicker
      });
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  }

  /** What lies directly below a prefix, by file name. */
  async #objects(
    bucket: string,
    prefix: string,
    location: string,
  ): Promise<Map<string, { etag: string; bytes: number }>> {
    const objects = new Map<string, { etag: string; bytes: number }>();
    let next: string | undefined;
    try {
      do {
        const page = await this.#client.send(
          new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, Delimiter: "/", ContinuationToken: next }),
        );
        for (const { Key, ETag = "", Size = 0 } of page.Contents ?? [])
          objects.set(Key!.slice(prefix.length), { etag: ETag, bytes: Size });
        next = page.NextContinuationToken;
      } while (next !== undefined);
    } catch (cause) {
      throw awsFailure(location, cause);
    }
    objects.delete(""); // the marker of an empty folder
    return objects;
  }

  async #readRange(bucket: string, key: string, offset: number, bytes: number): Promise<Uint8Array> {
    try {
      const Range = `bytes=${offset}-${offset + bytes - 1}`;
      const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: bucket, Key: key, Range }));
      return await Body!.transformToByteArray();
    } catch (cause) {
      throw awsFailure(`s3://${bucket}/${key}`, cause);
    }
  }

  async #download(bucket: string, key: string, file: string): Promise<void> {
    try {
      const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      await pipeline(Body as Readable, createWriteStream(file));
    } catch (cause) {
      throw awsFailure(`s3://${bucket}/${key}`, cause);
    }
  }
}

/** `s3://bucket/key`; doubled slashes in the key count once. @throws InvalidInputError `LOCATION_INVALID` */
function parseLocation(location: string): { bucket: string; key: string } {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/(.+)$/.exec(location);
  if (match === null) throw new InvalidInputError("LOCATION_INVALID", `${location}: expected s3://bucket/key`);
  return { bucket: match[1], key: match[2].replace(/\/{2,}/g, "/") };
}

async function exists(place: string): Promise<boolean> {
  return access(place).then(
    () => true,
    () => false,
  );
}
