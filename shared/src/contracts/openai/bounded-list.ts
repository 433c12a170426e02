import { z } from "zod";

type Issue = z.core.$ZodIssue;

/**
 * A list of which the first mistake alone is told, and whose length is looked at before its entries: zod's own lists tell every
 * mistake, and a body of four megabytes with a million of them takes a gigabyte to say so.
 *
 * @param most - entries
 */
export function boundedList<T>(entry: z.ZodType<T>, least: number, most: number): z.ZodType<T[]> {
  return z.unknown().transform((value, context): T[] => {
    if (!Array.isArray(value)) {
      context.issues.push({ code: "invalid_type", expected: "array", input: value });
      return z.NEVER;
    }
    if (value.length < least || value.length > most) {
      context.issues.push(
        value.length < least
          ? { code: "too_small", origin: "array", minimum: least, inclusive: true, input: value }
          : { code: "too_big", origin: "array", maximum: most, inclusive: true, input: value },
      );
      return z.NEVER;
    }
    const read: T[] = [];
    for (const [at, one] of value.entries()) {
      const result = entry.safeParse(one);
      if (!result.success) {
        const issue = firstIssue(result.error.issues);
        context.issues.push({ ...issue, path: [at, ...issue.path], input: one });
        return z.NEVER;
      }
      read.push(result.data);
    }
    return read;
  });
}

/** One mistake; of unknown keys the first. */
export function firstIssue([issue]: readonly Issue[]): Issue {
  return issue.code === "unrecognized_keys" ? { ...issue, keys: issue.keys.slice(0, 1) } : issue;
}
