import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { closestName } from "@fedmkt/shared/contracts/closest-name.ts";
import type { DataSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { InvalidSpecError, writePath } from "@fedmkt/shared/contracts/spec-mistake.ts";
import { examineOwnTemplate, type TemplateSpec } from "@fedmkt/shared/contracts/template-spec.ts";
import { MAX_SPEC_BYTES, parseYaml } from "@fedmkt/shared/contracts/yaml-text.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { TEMPLATE_NAMES, type TemplateName } from "@fedmkt/shared/core/tasks/named-templates.ts";
import type { ArgsDef } from "citty";
import type { CommandContext } from "../command.ts";

/** Every command that reads a data set for one model has them. */
export const DATA_ARGUMENTS = {
  template: {
    type: "string",
    valueHint: "name",
    description: `how raw rows become prompts and answers: a name (${TEMPLATE_NAMES.join(", ")}) or a file with one of your own: docs/data.md`,
  },
  "chat-template": {
    type: "string",
    valueHint: "file",
    description:
      "a tokenizer_config.json, whose chat template writes rows of messages; without it, a line for each message",
  },
} as const satisfies ArgsDef;

/**
 * A data file as a run's spec would name it, with what the command line says of it.
 * @param shown - the file as it was given
 * @throws InvalidInputError `BAD_ARGUMENT`; InvalidSpecError with every mistake of a template of one's own
 */
export function dataSettings({ args, io }: Pick<CommandContext, "args" | "io">, shown: string): DataSpec {
  const template = args.template as string | undefined;
  const chatTemplate = args["chat-template"] as string | undefined;
  if (template !== undefined && chatTemplate !== undefined)
    throw new InvalidInputError("BAD_ARGUMENT", "expected one of --template and --chat-template");
  return {
    path: resolve(io.cwd, shown),
    ...(template !== undefined && { template: readTemplate(template, io.cwd) }),
    ...(chatTemplate !== undefined && { chatTemplate: resolve(io.cwd, chatTemplate) }),
  };
}

function readTemplate(given: string, cwd: string): TemplateSpec {
  if (TEMPLATE_NAMES.includes(given as TemplateName)) return given as TemplateName;
  const file = resolve(cwd, given);
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  const close = closestName(given, TEMPLATE_NAMES);
  if (size === undefined)
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `--template: ${close === null ? "" : `did you mean ${close}? `}expected one of ${TEMPLATE_NAMES.join(", ")}, or a file with prompt and completion, or prompt, choices and correct, got ${given}`,
    );
  if (size > MAX_SPEC_BYTES)
    throw new InvalidInputError("BAD_ARGUMENT", `--template: ${given}: expected at most ${MAX_SPEC_BYTES} bytes`);
  const yaml = parseYaml(readFileSync(file, "utf8"), "a template");
  if (Array.isArray(yaml)) throw new InvalidSpecError(given, yaml);
  const examined = examineOwnTemplate(yaml.value);
  if ("template" in examined) return examined.template;
  throw new InvalidSpecError(
    given,
    examined.issues.map(({ path, message }) => ({ path: writePath(path), line: yaml.lineOf(path), message })),
  );
}
