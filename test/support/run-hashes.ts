import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { sha256 } from "../../shared/src/formats/sha256.ts";

/** What says when, where or by whose spec a run was made, and so differs between equal runs. */
const OF_ONE_RUN = /\/runs\/[^/]+\/(usage\/|claims\/|status\.json|run\.yaml|plan\.json)|registry-entry\.json$/;

const TEXT = /\.(json|html|md)(\.data)?$/;

/**
 * SHA-256 of everything that a run in a folder has made: all that it wrote to S3 and all that it published, but no times, no notes
 * of the embedded S3 and no logs.
 *
 * @param specHash - taken out of texts, where runs of different specs are to be compared
 */
export function runHashes(folder: string, specHash?: string): Record<string, string> {
  const contentOf = (path: string): Uint8Array => {
    const bytes = readFileSync(join(folder, path));
    if (specHash === undefined || !TEXT.test(path)) return bytes;
    return Buffer.from(bytes.toString("utf8").replaceAll(specHash, "").replaceAll(specHash.slice(0, 12), ""));
  };
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
      .filter((path) => /^(aws.*\/objects\/(runs|vocabulary-maps)\/|adapters\/|summary\.json|report\.html)/.test(path))
      .filter((path) => !path.endsWith(".meta.json") && !OF_ONE_RUN.test(path))
      .map((path) => [path, sha256(contentOf(path))]),
  );
}
