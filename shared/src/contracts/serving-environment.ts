import { z } from "zod";
import { partyName } from "./identifier.ts";
import { isLoopback } from "./loopback.ts";

/** Answers under way at once; a GPU's server behind takes a few hundred. */
const MAX_CONCURRENT = 1024;
/** Requests that wait; each holds its connection and its body. */
const MAX_QUEUED = 65_536;
/** As run.yaml's `threads`. */
const MAX_THREADS = 256;
const MAX_CONTEXT = 16_777_216;
/** More would not be served from one process's memory. */
const MAX_ADAPTERS = 1024;
const MAX_ADAPTERS_BYTES = 65_536;

const NUMBER = /^\d{1,9}(\.\d{1,9})?$/;
const WHOLE_NUMBER = /^\d{1,9}$/;
/** Of a refused text, so much is told. */
const TOLD_CHARACTERS = 40;

/** What stands in the environment is text; an empty one is no number. */
const numberText = (kind: string, form: RegExp, least: number, most: number) =>
  z.string().transform((text, context): number => {
    const value = Number(text);
    if (form.test(text) && value >= least && value <= most) return value;
    const range = most === Number.POSITIVE_INFINITY ? `of at least ${least}` : `from ${least} to ${most}`;
    const message = `expected ${kind} ${range}, got ${JSON.stringify(text.slice(0, TOLD_CHARACTERS))}`;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });
const decimal = (least: number, most: number) => numberText("a number", NUMBER, least, most);
const whole = (least: number, most: number) => numberText("a whole number", WHOLE_NUMBER, least, most);

/** Name of the base model, or of an adapter, as requests say it in `model`. */
export const servedName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$/,
    "expected a letter or digit, then letters, digits and . _ : / @ + -, at most 200",
  );

const place = z.string().min(1).max(4096);
const s3OrFolder = place.refine(
  (text) => !text.startsWith("s3://") || /^s3:\/\/[a-z0-9][a-z0-9.-]{2,62}(\/.*)?$/.test(text),
  "expected s3://bucket, or a folder",
);

/** `{"clinic-a": "/srv/adapters/clinic-a"}` */
const adapters = z
  .string()
  .max(MAX_ADAPTERS_BYTES)
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: "custom", message: "expected JSON: an object of folders by name" });
      return z.NEVER;
    }
  })
  .pipe(z.record(servedName, place))
  .refine((named) => Object.keys(named).length <= MAX_ADAPTERS, `expected at most ${MAX_ADAPTERS} adapters`);

/** Every environment variable that the inference endpoint reads; docs/serving.md lists them beside the command's options. */
export const servingEnvironment = z
  .object({
    /** the base model's folder, on this machine or `s3://bucket/key`; with an upstream: what the upstream serves, for adapters to be checked against */
    FEDMKT_SERVE_MODEL: s3OrFolder.optional(),
    /** an OpenAI server that computes the answers, vLLM's or another of these; absent: the engine in this process */
    FEDMKT_SERVE_UPSTREAM: z
      .url({ protocol: /^https?$/, error: "expected an http(s) URL, such as http://127.0.0.1:8000" })
      .optional(),
    /** what the upstream asks for as a bearer; absent: none */
    FEDMKT_SERVE_UPSTREAM_KEY: z.string().min(1).max(4096).optional(),
    /** the base model's name in `model`; absent: its folder's name (docs/serving.md), or what the upstream calls it */
    FEDMKT_SERVE_NAME: servedName.optional(),
    /** adapters that are served from the start for as long as the process lives: JSON, folders by name */
    FEDMKT_SERVE_ADAPTERS: adapters.default({}),
    /** where adapters are published: `s3://bucket`, or the folder `runs/` of this machine; absent: nowhere */
    FEDMKT_SERVE_REGISTRY: s3OrFolder.optional(),
    /** of the registry only this party's adapters; absent: every one whose base is the model that is served */
    FEDMKT_SERVE_PARTY: partyName.optional(),
    /** how long a published adapter may stay unseen */
    FEDMKT_SERVE_REGISTRY_SECONDS: decimal(0.1, 3600).default(2),
    /** adapters of the registry that are served; they are in memory. Those of more parties are refused */
    FEDMKT_SERVE_REGISTRY_ADAPTERS: whole(1, MAX_ADAPTERS).default(64),
    /** bits per byte by which a new adapter may be worse than the one that is served */
    FEDMKT_SERVE_GATE_TOLERANCE: decimal(0, Number.POSITIVE_INFINITY).default(0),
    /** where adapters of a registry in S3 are put, which an upstream must see under the same path; absent: a folder of this process's own */
    FEDMKT_SERVE_ADAPTER_FOLDER: place.optional(),
    /** a file of hashed keys, the ARN of a secret with the same document, or `none`, on loopback alone */
    FEDMKT_SERVE_KEYS: place.optional(),
    FEDMKT_SERVE_HOST: z.string().min(1).max(253).default("127.0.0.1"),
    /** 0: any that is free */
    FEDMKT_SERVE_PORT: whole(0, 65_535).default(8080),
    /** Prometheus' metrics, on the same host; 0: none */
    FEDMKT_SERVE_METRICS_PORT: whole(0, 65_535).default(9090),
    /** answers that are computed at the same time */
    FEDMKT_SERVE_CONCURRENT: whole(1, MAX_CONCURRENT).default(16),
    /** requests that wait for their turn; more are answered 429 */
    FEDMKT_SERVE_QUEUED: whole(0, MAX_QUEUED).default(256),
    /** most tokens of a prompt and its answer; absent: the model's own */
    FEDMKT_SERVE_CONTEXT: whole(2, MAX_CONTEXT).optional(),
    /** threads of the engine; absent: one a processor */
    FEDMKT_SERVE_THREADS: whole(1, MAX_THREADS).optional(),
    /** memory in which the engine keeps beginnings that prompts share, in MiB; 0: none */
    FEDMKT_SERVE_PREFIX_MEBIBYTES: whole(0, 1_048_576).default(256),
    /** the folder below which `load_lora_adapter` may name adapters; absent: there are no such calls */
    FEDMKT_SERVE_RUNTIME_ADAPTERS: place.optional(),
    /** PEM; both or none. Renewed files are taken up without a restart */
    FEDMKT_SERVE_TLS_CERTIFICATE: place.optional(),
    FEDMKT_SERVE_TLS_KEY: place.optional(),
    /** after SIGTERM: how long requests are still taken while `/ready` says 503; absent: 5, and 0 on loopback, where no load balancer is */
    FEDMKT_SERVE_PAUSE_SECONDS: whole(0, 3600).optional(),
    /** after that: how long answers under way may take to end */
    FEDMKT_SERVE_DRAIN_SECONDS: whole(1, 86_400).default(100),
    /** the deployed service's name, under which queue times, load and refusals are written into the log for CloudWatch; absent: they are not */
    FEDMKT_SERVE_MEASURED_AS: servedName.optional(),
    /** what the engine computes on */
    FEDMKT_DEVICE: z.enum(["cpu", "cuda"]).default("cpu"),
  })
  .superRefine((settings, context) => {
    const refuse = (name: keyof typeof settings, message: string) =>
      context.addIssue({ code: "custom", path: [name], message });
    if (settings.FEDMKT_SERVE_MODEL === undefined && settings.FEDMKT_SERVE_UPSTREAM === undefined)
      refuse(
        "FEDMKT_SERVE_MODEL",
        "expected a model's folder, or FEDMKT_SERVE_UPSTREAM with a server's URL; got neither",
      );
    else if (settings.FEDMKT_SERVE_MODEL === undefined && settings.FEDMKT_SERVE_REGISTRY !== undefined)
      refuse(
        "FEDMKT_SERVE_MODEL",
        "expected the model that the upstream serves, so that the registry's adapters can be checked against it; got none",
      );
    if (settings.FEDMKT_SERVE_PARTY !== undefined && settings.FEDMKT_SERVE_REGISTRY === undefined)
      refuse("FEDMKT_SERVE_PARTY", "expected FEDMKT_SERVE_REGISTRY beside it, whose adapters it chooses from");
    if (settings.FEDMKT_SERVE_KEYS === "none" && !isLoopback(settings.FEDMKT_SERVE_HOST))
      refuse(
        "FEDMKT_SERVE_KEYS",
        `expected keys: only on loopback may there be none, and the host is ${settings.FEDMKT_SERVE_HOST}`,
      );
    if ((settings.FEDMKT_SERVE_TLS_CERTIFICATE === undefined) !== (settings.FEDMKT_SERVE_TLS_KEY === undefined))
      refuse("FEDMKT_SERVE_TLS_KEY", "expected both FEDMKT_SERVE_TLS_CERTIFICATE and FEDMKT_SERVE_TLS_KEY, or neither");
    if (settings.FEDMKT_SERVE_UPSTREAM_KEY !== undefined && settings.FEDMKT_SERVE_UPSTREAM === undefined)
      refuse("FEDMKT_SERVE_UPSTREAM_KEY", "expected FEDMKT_SERVE_UPSTREAM beside it");
    const { FEDMKT_SERVE_PORT: port, FEDMKT_SERVE_METRICS_PORT: metricsPort } = settings;
    if (port !== 0 && port === metricsPort)
      refuse("FEDMKT_SERVE_METRICS_PORT", `expected a port of its own, got ${port} for both`);
  });
export type ServingEnvironment = z.infer<typeof servingEnvironment>;

/** What a container gets that fetches the base model for the ones beside it, and ends. */
export const modelFetchEnvironment = z.object({
  FEDMKT_FETCH_MODEL: place.regex(/^s3:\/\/[a-z0-9][a-z0-9.-]{2,62}\/.+$/, "expected s3://bucket/key"),
  /** filled under another name first: once it is there, it is whole */
  FEDMKT_FETCH_FOLDER: place,
});
export type ModelFetchEnvironment = z.infer<typeof modelFetchEnvironment>;
