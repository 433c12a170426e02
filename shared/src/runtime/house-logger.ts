import { Logger } from "@aws-lambda-powertools/logger";

/** The structured logger of every host: one JSON line an event on stdout, never any data, only names, keys and counts. */
export function houseLogger(serviceName: string): Logger {
  return new Logger({ serviceName, logLevel: "INFO" });
}

const IDENTITY = ["run", "round", "stage", "party", "source", "target", "shard", "baseline"] as const;

/** What a stage's input says of who and where; nothing else of an input is ever logged. */
export function identityOf(input: unknown): Record<string, string | number> {
  if (typeof input !== "object" || input === null) return {};
  const found = IDENTITY.map((name) => [name, (input as Record<string, unknown>)[name]]);
  return Object.fromEntries(found.filter(([, value]) => typeof value === "string" || typeof value === "number"));
}
