import type { z } from "zod";
import { describeIssues } from "../spec-issues.ts";
import { firstIssue } from "./bounded-list.ts";
import { RefusedRequest } from "./errors.ts";
import { nameKind } from "./name-kind.ts";

/**
 * What becomes of fields that the project's engine has no use for: `refuse`, since an answer that passed over them would be another
 * than was asked for; `pass`, where a server behind may know them.
 */
export type OtherFields = "refuse" | "pass";

/** Fields of OpenAI's list that the engine lacks, and the values of each that ask for nothing. */
export type NeutralFields = Readonly<Record<string, (value: unknown) => boolean>>;

/** One kind of request. */
export interface RequestKind<T> {
  schema: z.ZodType<T>;
  /** the same with every other field let through, below too */
  passing: z.ZodType<T>;
  own: readonly string[];
  neutral: NeutralFields;
}

/**
 * Checks a request's body. A field that is null is as if it were not there.
 *
 * @param value - JSON of limited size and depth
 * @throws RefusedRequest that names the first field at fault
 */
export function readRequest<T>(kind: RequestKind<T>, value: unknown, others: OtherFields): T {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new RefusedRequest("INVALID_TYPE", `expected a JSON object as the request's body, got ${nameKind(value)}`);
  const given = Object.entries(value).filter(([, field]) => field !== null);
  const body = Object.fromEntries(others === "pass" ? given : given.filter((field) => !isNeutral(kind, field)));
  const result = (others === "pass" ? kind.passing : kind.schema).safeParse(body);
  if (result.success) return result.data;
  const issue = firstIssue(result.error.issues);
  const [{ path, message }] = describeIssues([issue], body);
  const param = writePath(path);
  throw new RefusedRequest(codeOf(issue.code, message), `${param}: ${message}`, { param });
}

/** @throws RefusedRequest where the field is neither the engine's nor asks for nothing */
function isNeutral({ own, neutral }: RequestKind<unknown>, [name, value]: [string, unknown]): boolean {
  if (own.includes(name)) return false;
  if (!Object.hasOwn(neutral, name))
    throw new RefusedRequest("UNKNOWN_PARAMETER", `${quoted(name)}: there is no such field`, { param: quoted(name) });
  if (neutral[name](value)) return true;
  throw new RefusedRequest("UNSUPPORTED_PARAMETER", `${name}: expected none: this is not supported here`, {
    param: name,
  });
}

/** As long as a field's name is anywhere. */
function quoted(name: string): string {
  return name.slice(0, 64);
}

function codeOf(code: string | undefined, message: string): string {
  if (code === "unrecognized_keys") return "UNKNOWN_PARAMETER";
  if (message.startsWith("missing")) return "MISSING_REQUIRED_PARAMETER";
  return code === "invalid_type" ? "INVALID_TYPE" : "INVALID_VALUE";
}

/** `messages[0].content`, as OpenAI writes it. */
function writePath(path: readonly PropertyKey[]): string {
  const written = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${quoted(String(part))}`)).join("");
  return written.startsWith(".") ? written.slice(1) : written;
}
