import { z } from "zod";

/** A key of some 250 bytes; a secret of AWS holds 64 KiB. */
export const MAX_API_KEYS_BYTES = 1024 * 1024;
const MAX_KEYS = 4096;

/** A key as its holder has it: 32 random bytes in base64url. It is stored nowhere; its hash is. */
export const API_KEY_PATTERN = /^fedmkt-[A-Za-z0-9_-]{43}$/;

/** Whom a key belongs to, as logs, metrics and rates name it. */
export const apiKeyId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/,
    "expected a letter or digit, then letters, digits and . _ @ -, at most 63",
  );

const apiKey = z.strictObject({
  id: apiKeyId,
  /** of the key's text */
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "expected SHA-256 as 64 lower-case hexadecimal digits"),
  /** absent: as many as there are */
  requestsPerMinute: z.int().min(1).max(1_000_000).optional(),
  /** prompts' and answers' tokens together */
  tokensPerMinute: z.int().min(1).max(1_000_000_000).optional(),
  /** absent: never */
  expiresAt: z.iso.datetime().optional(),
  /** may load and unload adapters */
  admin: z.boolean().optional(),
});
export type ApiKey = z.infer<typeof apiKey>;

/**
 * The keys of an inference endpoint: a file, or a secret of AWS Secrets Manager. While a key is replaced, two entries of one id hold
 * beside each other; they share its rates.
 */
export const apiKeys = z
  .strictObject({ version: z.literal(1), keys: z.array(apiKey).max(MAX_KEYS) })
  .refine(({ keys }) => new Set(keys.map((key) => key.sha256)).size === keys.length, {
    path: ["keys"],
    message: "expected every hash once",
  });
export type ApiKeys = z.infer<typeof apiKeys>;
