import { z } from "zod";
import { TEMPLATE_NAMES } from "../core/tasks/named-templates.ts";
import { closestName } from "./closest-name.ts";
import { describeIssues, type SpecIssue } from "./spec-issues.ts";

const jinja = z.string().min(1).max(65_536);
const jinjaList = z.union([jinja, z.array(jinja).min(2).max(64)]);

/** A template of one's own: Jinja over the fields of a row. */
export const ownTemplate = z
  .strictObject({
    prompt: jinja.describe("what is read"),
    completion: jinja.optional().describe("what is learned and scored, as it follows the prompt"),
    references: jinja
      .optional()
      .describe(
        "beside completion: one {{ expression }} that is a text or a list of texts, each as right; what is generated is scored by the best",
      ),
    choices: jinjaList
      .optional()
      .describe("instead of completion: a text for each choice, or one {{ expression }} that is their list"),
    labels: jinjaList.optional().describe("what correct may call the choices, in their order"),
    correct: jinja.optional().describe("the right choice: its index from 0, its label, or its text"),
  })
  .superRefine(({ completion, references, choices, labels, correct }, context) => {
    const issue = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
    if ((completion === undefined) === (choices === undefined))
      issue("completion", "expected one of completion and choices");
    if (completion === undefined && references !== undefined)
      issue("references", "expected completion, beside which they are right");
    if ((choices === undefined) !== (correct === undefined))
      issue("correct", "expected choices and correct together, or neither");
    if (choices === undefined && labels !== undefined) issue("labels", "expected choices, which labels name");
  });

export const templateSpec = z
  .union([z.enum(TEMPLATE_NAMES), ownTemplate])
  .describe("how a raw row becomes a prompt with its completion or a question: a name, or one's own in Jinja");
export type TemplateSpec = z.infer<typeof templateSpec>;

/** A template of one's own, or every mistake in it. */
export function examineOwnTemplate(value: unknown): { template: TemplateSpec } | { issues: SpecIssue[] } {
  const parsed = ownTemplate.safeParse(value);
  if (parsed.success) return { template: parsed.data };
  const keys = Object.keys(ownTemplate.shape);
  const issues = describeIssues(parsed.error.issues, value).map((issue) => {
    if (issue.unknownKey === undefined) return issue;
    const close = closestName(issue.unknownKey, keys);
    const advice = close === null ? `expected one of ${keys.join(", ")}` : `did you mean ${close}?`;
    return { ...issue, message: `unknown key; ${advice}` };
  });
  return { issues };
}
