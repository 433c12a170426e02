import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isInS3 } from "@fedmkt/shared/contracts/location.ts";
import { type RunSpec, runSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { modelFiles } from "@fedmkt/shared/formats/model-files.ts";
import { CHAT_TEMPLATE_FILE } from "@fedmkt/shared/use-cases/chat-rows.ts";
import { type LocationKind, replaceLocations } from "../spec-locations.ts";
import type { Cloud } from "./cloud.ts";

/**
 * Copies what a spec names on this machine to the public bucket, under keys that follow from the content: the same material is
 * copied once, and changed material never changes an earlier run's. Private data are no such paths: the spec was checked before.
 * @param tell - one line a thing that is copied
 * @returns the spec with the places in S3
 */
export async function uploadMaterial(
  cloud: Pick<Cloud, "objects" | "bucket">,
  spec: RunSpec,
  tell: (line: string) => void,
): Promise<RunSpec> {
  const known = new Map<string, string>();
  const upload = async (location: string, kind: LocationKind) => {
    if (isInS3(location) || !location.startsWith("/")) return location;
    const found = known.get(`${kind} ${location}`) ?? (await UPLOADS[kind](cloud, location, tell));
    known.set(`${kind} ${location}`, found);
    return found;
  };
  return runSpec.parse(await replaceLocations(spec, upload));
}

type Upload = (
  cloud: Pick<Cloud, "objects" | "bucket">,
  location: string,
  tell: (line: string) => void,
) => Promise<string>;

const UPLOADS: Record<LocationKind, Upload> = {
  model: uploadModel,
  file: uploadData,
  "chat template": uploadChatTemplate,
};

/** The folder keeps its name, since a published adapter names its base model by it. */
async function uploadModel(cloud: Pick<Cloud, "objects" | "bucket">, folder: string, tell: (line: string) => void) {
  const files = modelFiles(readdirSync(folder), folder);
  const key = `models/${await hashFiles(folder, files)}/${basename(folder)}`;
  for (const name of files) await uploadOnce(cloud, `${key}/${name}`, join(folder, name), tell);
  return `s3://${cloud.bucket("public")}/${key}`;
}

/** With the template beside it, where there is one, which is found there by its name. */
async function uploadChatTemplate(
  cloud: Pick<Cloud, "objects" | "bucket">,
  file: string,
  tell: (line: string) => void,
) {
  const [folder, name] = [dirname(file), basename(file)];
  if (!existsSync(join(folder, CHAT_TEMPLATE_FILE))) return uploadData(cloud, file, tell);
  const files = [name, CHAT_TEMPLATE_FILE];
  const key = `data/${await hashFiles(folder, files)}`;
  for (const each of files) await uploadOnce(cloud, `${key}/${each}`, join(folder, each), tell);
  return `s3://${cloud.bucket("public")}/${key}/${name}`;
}

async function uploadData(cloud: Pick<Cloud, "objects" | "bucket">, file: string, tell: (line: string) => void) {
  const key = `data/${await hashFile(file)}/${basename(file)}`;
  await uploadOnce(cloud, key, file, tell);
  return `s3://${cloud.bucket("public")}/${key}`;
}

async function uploadOnce(
  { objects, bucket }: Pick<Cloud, "objects" | "bucket">,
  key: string,
  file: string,
  tell: (line: string) => void,
): Promise<void> {
  const there = await objects.head(bucket("public"), key);
  if (there?.bytes === statSync(file).size) return;
  tell(`copying ${file} to s3://${bucket("public")}/${key}`);
  await objects.putFile(bucket("public"), key, file);
}

async function hashFiles(folder: string, names: readonly string[]): Promise<string> {
  const identity = createHash("sha256");
  for (const name of names) identity.update(`${name}\0${await hashFile(join(folder, name))}\0`);
  return identity.digest("hex");
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
