import { X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { lookAgain } from "./look-again.ts";
import type { ServingLogger } from "./serving.ts";

/** Certificates are renewed days before they end. */
const LOOK_MS = 10_000;
/** A chain of certificates has some kilobytes. */
const MAX_PEM_BYTES = 1024 * 1024;

/** Paths of PEM files. */
export interface TlsPlaces {
  certificate: string;
  key: string;
}

/** What stands in them. */
export interface TlsFiles {
  certificate: string;
  key: string;
  /** another one once a file has changed */
  version: string;
}

/** @throws InvalidInputError `FILE_MISSING`, `TLS_INVALID` where they are no certificate with its key */
export async function readTls({ certificate, key }: TlsPlaces): Promise<TlsFiles> {
  // before they are read: what changes meanwhile is seen to
  const version = await versionOf({ certificate, key });
  const files = { certificate: await readPem(certificate), key: await readPem(key), version };
  try {
    createSecureContext({ cert: files.certificate, key: files.key });
  } catch (cause) {
    throw new InvalidInputError(
      "TLS_INVALID",
      `${certificate}, ${key}: expected a certificate and its key as PEM (${(cause as Error).message})`,
      { cause },
    );
  }
  return files;
}

/** Whether clients that trust the usual authorities would refuse it. */
export function isSelfSigned({ certificate: pem }: Pick<TlsFiles, "certificate">): boolean {
  const certificate = new X509Certificate(pem);
  return certificate.checkIssued(certificate);
}

/**
 * Takes renewed files up; what is no pair leaves the old one in place, since the two are replaced one after the other. That is told
 * once for each time they change.
 *
 * @param first - those that are in use
 * @returns ends it
 */
export function followTls(
  places: TlsPlaces,
  first: TlsFiles,
  takeUp: (files: TlsFiles) => void,
  logger: ServingLogger,
  lookMs: number = LOOK_MS,
): () => void {
  let known = first.version;
  let told: string | null = null;
  const look = async (signal: AbortSignal) => {
    const seen = await versionOf(places);
    if (seen === known) return;
    try {
      const files = await readTls(places);
      if (signal.aborted) return;
      takeUp(files);
      known = files.version;
      logger.info("certificate taken up");
    } catch (error) {
      if (signal.aborted || told === seen) return;
      told = seen;
      logger.warn("certificate not taken up", { error });
    }
  };
  return lookAgain(look, lookMs);
}

/** Of a file that is missing, too. */
async function versionOf({ certificate, key }: TlsPlaces): Promise<string> {
  const states = [certificate, key].map(async (file) => {
    const found = await stat(file).catch(() => null);
    return found === null ? "none" : `${found.ino} ${found.size} ${found.mtimeMs}`;
  });
  return (await Promise.all(states)).join();
}

async function readPem(file: string): Promise<string> {
  const stats = await stat(file).catch((cause) => {
    throw new InvalidInputError("FILE_MISSING", `${file}: expected a PEM file (${cause.code})`, { cause });
  });
  if (!stats.isFile() || stats.size > MAX_PEM_BYTES)
    throw new InvalidInputError("TLS_INVALID", `${file}: expected a PEM file of at most ${MAX_PEM_BYTES} bytes`);
  return readFile(file, "utf8");
}
