import { X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
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
}

/** @throws InvalidInputError `FILE_MISSING`, `TLS_INVALID` where they are no certificate with its key */
export async function readTls({ certificate, key }: TlsPlaces): Promise<TlsFiles> {
  const files = { certificate: await readPem(certificate), key: await readPem(key) };
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
 * Takes renewed files up; what is no pair leaves the old one in place, since the two are replaced one after the other.
 * @returns ends it
 */
export function followTls(
  places: TlsPlaces,
  takeUp: (files: TlsFiles) => void,
  logger: ServingLogger,
  lookMs: number = LOOK_MS,
): () => void {
  let known = "";
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      const seen = (await Promise.all([places.certificate, places.key].map(versionOf))).join();
      if (known !== "" && seen !== known) {
        takeUp(await readTls(places));
        logger.info("certificate taken up");
      }
      known = seen;
    } catch (error) {
      logger.warn("certificate not taken up", { error });
    } finally {
      looking = false;
    }
  };
  void look();
  const timer = setInterval(() => void look(), lookMs).unref();
  return () => clearInterval(timer);
}

async function versionOf(file: string): Promise<string> {
  const { ino, size, mtimeMs } = await stat(file);
  return `${ino} ${size} ${mtimeMs}`;
}

async function readPem(file: string): Promise<string> {
  const stats = await stat(file).catch((cause) => {
    throw new InvalidInputError("FILE_MISSING", `${file}: expected a PEM file (${cause.code})`, { cause });
  });
  if (!stats.isFile() || stats.size > MAX_PEM_BYTES)
    throw new InvalidInputError("TLS_INVALID", `${file}: expected a PEM file of at most ${MAX_PEM_BYTES} bytes`);
  return readFile(file, "utf8");
}
