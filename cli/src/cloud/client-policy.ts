import { evaluator, type Template } from "../local/cloudformation.ts";
import type { Cloud } from "./cloud.ts";

/** One statement of a policy as IAM has it. */
export interface PolicyStatement {
  Effect: string;
  Action: string | string[];
  Resource?: string | string[];
  Principal?: unknown;
  Condition?: Record<string, Record<string, unknown>>;
}

/** What a client's role may do, and who may take it. */
export interface ClientPolicy {
  roleName: string;
  trust: PolicyStatement[];
  statements: PolicyStatement[];
  /** what the stack makes, as `type name` */
  resources: string[];
}

/** Reads a client's policy out of its template, as CloudFormation will make it from these parameters. */
export async function readClientPolicy(
  cloud: Pick<Cloud, "account" | "region" | "partition" | "stacks" | "names">,
  templateJson: string,
  parameters: Readonly<Record<string, string>>,
): Promise<ClientPolicy> {
  const template = withValues(JSON.parse(templateJson), cloud, parameters) as Template;
  const exported = await readExports(cloud);
  // what only CloudFormation can name is shown by its name in the template
  const placeholder = (...parts: string[]) => `\${${parts.join(".")}}`;
  const { Resources = {}, Conditions = {} } = template;
  const evaluate = evaluator("client", template, parameters, {
    ref: (id) => (id in Resources ? placeholder(id) : undefined),
    attribute: (id, name) => (id in Resources ? placeholder(id, name) : undefined),
    imported: (name) => exported.get(name) ?? placeholder(name),
  });
  const isMade = (condition: string | undefined) =>
    condition === undefined || !(condition in Conditions) || evaluate({ Condition: condition }) === true;
  const policy: ClientPolicy = { roleName: "", trust: [], statements: [], resources: [] };
  for (const [id, { Type, Condition, Properties = {} }] of Object.entries(Resources)) {
    if (!isMade(Condition)) continue;
    if (Type === "AWS::IAM::Role") {
      const role = evaluate(Properties) as RoleProperties;
      policy.roleName = role.RoleName ?? id;
      policy.trust.push(...role.AssumeRolePolicyDocument.Statement);
      for (const { PolicyDocument } of role.Policies ?? []) policy.statements.push(...PolicyDocument.Statement);
    }
    if (Type === "AWS::IAM::Policy")
      policy.statements.push(...(evaluate(Properties) as { PolicyDocument: Document }).PolicyDocument.Statement);
    if (!HIDDEN.test(Type)) policy.resources.push(`${Type} ${id}`);
  }
  return policy;
}

/** Lines for a person: who may take the role, then each statement, its actions and where. */
export function describePolicy({ roleName, trust, statements, resources }: ClientPolicy): string[] {
  return [
    `role ${roleName} may be taken by`,
    ...trust.map((statement) => `  ${describePrincipal(statement.Principal)}${describeConditions(statement)}`),
    "and may",
    ...statements.flatMap((statement) => [
      `  ${statement.Effect === "Allow" ? "" : `${statement.Effect.toUpperCase()} `}${list(statement.Action).join(", ")}${describeConditions(statement)}`,
      ...list(statement.Resource).map((resource) => `    on ${resource.replace(OWN, "the stack's $1")}`),
    ]),
    "the stack makes",
    ...resources.map((resource) => `  ${resource.replace(HASH, "")}`),
  ];
}

interface Document {
  Statement: PolicyStatement[];
}
interface RoleProperties {
  RoleName?: string;
  AssumeRolePolicyDocument: Document;
  Policies?: { PolicyDocument: Document }[];
}

/** What only CloudFormation can name, by its name in the template, without the CDK's hash. */
const OWN = /\$\{(\w+?)[0-9A-F]{8}(?:\.\w+)?\}/;
const HASH = /[0-9A-F]{8}$/;

/** Said already by the statements. */
const HIDDEN = /^AWS::(IAM|CDK)::/;

function describePrincipal(principal: unknown): string {
  if (typeof principal === "string") return principal;
  return Object.entries((principal ?? {}) as Record<string, string | string[]>)
    .map(([kind, who]) => `${kind} ${list(who).join(", ")}`)
    .join("; ");
}

function describeConditions({ Condition = {} }: PolicyStatement): string {
  const all = Object.entries(Condition).flatMap(([operator, members]) =>
    Object.entries(members).map(([name, value]) => `${name} ${operator} ${JSON.stringify(value)}`),
  );
  return all.length === 0 ? "" : `, where ${all.join(" and ")}`;
}

function list(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

/** The pseudo parameters of this deployment put in their places. */
function withValues(
  value: unknown,
  { account, region, partition }: Pick<Cloud, "account" | "region" | "partition">,
  parameters: Readonly<Record<string, string>>,
): unknown {
  const known: Record<string, unknown> = {
    "AWS::AccountId": account,
    "AWS::Region": region,
    "AWS::Partition": partition,
    ...parameters,
  };
  const replace = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(replace);
    if (typeof item !== "object" || item === null) return item;
    const { Ref, ...rest } = item as { Ref?: unknown };
    if (typeof Ref === "string" && Ref in known && Object.keys(rest).length === 0) return known[Ref];
    return Object.fromEntries(Object.entries(item).map(([name, member]) => [name, replace(member)]));
  };
  return replace(value);
}

/** What the deployment's stacks export, by the names that clients' stacks import: `<stack>:<output>`. */
async function readExports({ stacks, names }: Pick<Cloud, "stacks" | "names">): Promise<Map<string, string>> {
  const found = await Promise.all([names.stateStack, names.pipelineStack].map((name) => stacks.describe(name)));
  return new Map(
    found.flatMap((stack) =>
      Object.entries(stack?.outputs ?? {}).map(([output, value]) => [`${stack!.name}:${output}`, value] as const),
    ),
  );
}
