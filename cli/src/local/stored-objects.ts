import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";

/** The objects of a local run as they lie on disk, readable whether or not the run goes on. */
export interface StoredObjects {
  /** @throws InvalidInputError `OBJECT_MISSING` */
  read(bucket: string, key: string): Uint8Array;
  has(bucket: string, key: string): boolean;
  /** where the object lies on disk, there or not */
  fileOf(bucket: string, key: string): string;
  /** names, in order; none where nothing was stored */
  buckets(): string[];
  /** keys below a prefix, in order */
  list(bucket: string, prefix: string): string[];
}

/** Where below a run's folder the embedded S3 keeps its files. */
export function objectsFolder(runFolder: string): string {
  return path.join(runFolder, "aws", "objects");
}

/** fauxqs's layout: `buckets/<bucket>/objects/<key>.data` beside `<key>.meta.json`, unsafe characters as %hex. */
export function storedObjects(runFolder: string): StoredObjects {
  const bucketFolder = (bucket: string) => path.join(objectsFolder(runFolder), "buckets", bucket, "objects");
  const dataFile = (bucket: string, key: string) =>
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the same set as fauxqs's
    `${path.join(bucketFolder(bucket), ...key.replace(/[<>:"|?*\\%\x00-\x1f]/g, hex).split("/"))}.data`;
  return {
    fileOf: dataFile,
    buckets() {
      const folder = path.join(objectsFolder(runFolder), "buckets");
      return existsSync(folder) ? readdirSync(folder).sort() : [];
    },
    has: (bucket, key) => existsSync(dataFile(bucket, key)),
    read(bucket, key) {
      try {
        return readFileSync(dataFile(bucket, key));
      } catch (cause) {
        throw new InvalidInputError("OBJECT_MISSING", `s3://${bucket}/${key}: expected an object, found none`, {
          cause,
        });
      }
    },
    list(bucket, prefix) {
      const folder = bucketFolder(bucket);
      if (!existsSync(folder)) return [];
      return readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".meta.json"))
        .map((file) => (JSON.parse(readFileSync(path.join(folder, file), "utf8")) as { key: string }).key)
        .filter((key) => key.startsWith(prefix))
        .sort();
    },
  };
}

function hex(character: string): string {
  return `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
