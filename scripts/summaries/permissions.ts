import type { StackTemplate, TemplateText } from "./template-text.ts";

interface Statement {
  Effect: string;
  Action: string | string[];
  Resource?: unknown;
  Principal?: unknown;
  Condition?: Record<string, Record<string, unknown>>;
}

/** Groups of actions that always come together, as one word each. */
const WORDS: Record<string, string> = {
  "s3:GetObject": "reads",
  "s3:ListBucket": "lists",
  "s3:AbortMultipartUpload s3:PutObject": "writes",
  "kms:Decrypt": "decrypts by",
  "kms:Decrypt kms:GenerateDataKey": "encrypts by",
  "lambda:InvokeFunction": "calls",
  "sqs:SendMessage": "sends to",
  "sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes sqs:GetQueueUrl sqs:ReceiveMessage":
    "takes from",
  "states:SendTaskFailure states:SendTaskHeartbeat states:SendTaskSuccess": "answers tokens of",
};

/** What every function, task or machine does for itself: said beside its name. */
const COMMON: [RegExp, string][] = [
  [/^logs:CreateLogStream logs:PutLogEvents$/, "own log"],
  [/^xray:PutTelemetryRecords xray:PutTraceSegments$/, "traces"],
  [/^logs:CreateLogDelivery .*xray:PutTraceSegments/, "log delivery, traces"],
  [/^logs:CreateLogDelivery /, "log delivery"],
];

/** Who may do what, one line a role: who takes it, then actions (or the word for them) with their resources. */
export function permissionsOf(template: StackTemplate, text: TemplateText): string[] {
  return Object.entries(template.Resources)
    .filter(([, { Type }]) => Type === "AWS::IAM::Role")
    .map(([id, { Properties = {} }]) => {
      const common: string[] = [];
      const does: string[] = [];
      for (const [actions, resources] of groupByActions(statementsOf(template, id), text)) {
        const word = COMMON.find(([pattern]) => pattern.test(actions))?.[1];
        if (word) common.push(word);
        else does.push(`${WORDS[actions] ?? `${actions} →`} ${withoutRepeats(resources).join(", ")}`);
      }
      const trust = principalsOf(Properties.AssumeRolePolicyDocument, text);
      return `${roleName(template, text, id)} (${[trust, ...common].join(", ")}): ${does.join("; ") || "nothing else"}`;
    });
}

/** A function's role is called as the function is. */
function roleName(template: StackTemplate, text: TemplateText, id: string): string {
  const owner = Object.values(template.Resources).find(
    ({ Type, Properties }) => Type === "AWS::Lambda::Function" && Properties!.Role["Fn::GetAtt"]?.[0] === id,
  );
  return owner ? String(owner.Properties!.Handler).replace(".handler", "") : text.name(id);
}

/** Whom a resource's own policy lets do something, shortly: `events.amazonaws.com, role X`. */
export function principalsOf(document: unknown, text: TemplateText): string {
  const statements = (document as { Statement?: unknown[] } | undefined)?.Statement ?? [];
  const said = statements.map((one) => {
    const { "Fn::If": given } = one as { "Fn::If"?: [string, Statement] };
    const statement = given ? given[1] : (one as Statement);
    if (statement.Effect !== "Allow") return [];
    const principals = Object.values((statement.Principal ?? {}) as Record<string, unknown>).flat();
    return principals.map((principal) => text.of(principal) + (given ? ` if ${given[0]}` : ""));
  });
  return [...new Set(said.flat())].map((name) => name.replace(".amazonaws.com", "")).join(", ");
}

function statementsOf(template: StackTemplate, roleId: string): Statement[] {
  const attached = Object.values(template.Resources)
    .filter(({ Type }) => Type === "AWS::IAM::Policy")
    .filter(({ Properties }) => Properties!.Roles.some((role: { Ref?: string }) => role.Ref === roleId))
    .flatMap(({ Properties }) => Properties!.PolicyDocument.Statement as Statement[]);
  const inline = (template.Resources[roleId]!.Properties!.Policies ?? []) as {
    PolicyDocument: { Statement: Statement[] };
  }[];
  return [...inline.flatMap(({ PolicyDocument }) => PolicyDocument.Statement), ...attached];
}

/** Actions → resources; statements that allow the same are one line. */
function groupByActions(statements: Statement[], text: TemplateText): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { Action, Resource, Condition } of statements) {
    const actions = [Action].flat().sort().join(" ");
    const only = Condition
      ? ` if ${Object.values(Condition)
          .flatMap((one) => Object.keys(one))
          .join(", ")}`
      : "";
    const resources = [Resource].flat().map((resource) => text.of(resource) + only);
    groups.set(actions, [...(groups.get(actions) ?? []), ...resources]);
  }
  return groups;
}

/** `a, a:*` of a function and its versions are one. */
function withoutRepeats(resources: string[]): string[] {
  return [...new Set(resources)].filter((one) => !(one.endsWith(":*") && resources.includes(one.slice(0, -2)))).sort();
}
