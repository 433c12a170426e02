import type { DeployedResource } from "./deployed-stacks.ts";

/** Who wants to do what with what, and what else AWS knows of the request. */
export interface Request {
  /** the role's ARN, or that of another principal */
  principal: string;
  action: string;
  resource: string;
  context?: Record<string, string | number>;
}

interface Statement {
  Effect: "Allow" | "Deny";
  Principal?: "*" | Record<string, string | string[]>;
  Action: string | string[];
  Resource?: string | string[];
  Condition?: Record<string, Record<string, unknown>>;
}

/**
 * Decides requests as IAM does within one account: a deny of any policy wins; else an allow of the principal's own policies or of
 * the resource's decides. A key's policy decides alone over its key, unless it hands the decision to the account.
 * @returns decides a request; the principal's own policies may be given by `mayDoAnything`, for administrators
 */
export function iamDecision(
  deployed: readonly DeployedResource[],
): (request: Request, principal?: { mayDoAnything: boolean }) => boolean {
  const identity = identityPolicies(deployed);
  const ofResource = resourcePolicies(deployed);
  const anything: Statement = { Effect: "Allow", Action: "*", Resource: "*" };
  return (request, { mayDoAnything } = { mayDoAnything: false }) => {
    const context = { "aws:PrincipalArn": request.principal, ...SECURE, ...request.context };
    const given = mayDoAnything ? [anything] : (identity.get(request.principal) ?? []);
    const own = given.filter((one) => fits(one, request, context));
    const theirs = ofResource
      .filter(({ covers }) => covers(request.resource))
      .flatMap(({ statements }) => statements)
      .filter((one) => fits(one, request, context));
    if ([...own, ...theirs].some(({ Effect }) => Effect === "Deny")) return false;
    const named = theirs.some((one) => isNamed(one, request.principal));
    if (!isKey(request.resource)) return own.length > 0 || named;
    const delegated = theirs.some((one) => principalsOf(one).some((name) => name.endsWith(":root")));
    return named || (delegated && own.length > 0);
  };
}

/** The statements of each role by the role's ARN. */
export function identityPolicies(deployed: readonly DeployedResource[]): Map<string, Statement[]> {
  const arns = new Map(
    deployed.filter(({ type }) => type === "AWS::IAM::Role").map(({ stack, arn }) => [`${stack} ${nameIn(arn)}`, arn]),
  );
  const found = new Map<string, Statement[]>();
  for (const { stack, type, properties } of deployed) {
    if (type !== "AWS::IAM::Policy") continue;
    for (const role of properties.Roles as string[]) {
      const arn = arns.get(`${stack} ${role}`)!;
      found.set(arn, [...(found.get(arn) ?? []), ...statementsIn(properties.PolicyDocument)]);
    }
  }
  return found;
}

const SECURE = { "aws:SecureTransport": "true", "s3:TlsVersion": 1.3 };

const isKey = (arn: string) => arn.startsWith("arn:aws:kms:");
const nameIn = (arn: string) => arn.slice(arn.lastIndexOf("/") + 1);
const statementsIn = (document: unknown) => (document as { Statement: Statement[] }).Statement;

function resourcePolicies(deployed: readonly DeployedResource[]) {
  return deployed.flatMap(({ type, arn, properties, stack }) => {
    if (type === "AWS::KMS::Key")
      return [{ covers: (resource: string) => resource === arn, statements: statementsIn(properties.KeyPolicy) }];
    const statements = () => statementsIn(properties.PolicyDocument);
    if (type === "AWS::S3::BucketPolicy") {
      const bucket = `arn:aws:s3:::${properties.Bucket}`;
      const covers = (resource: string) => resource === bucket || resource.startsWith(`${bucket}/`);
      return [{ covers, statements: statements() }];
    }
    if (type !== "AWS::SQS::QueuePolicy") return [];
    const names = (properties.Queues as string[]).map((url) => url.split("/").at(-1));
    const covers = (resource: string) => names.includes(resource.split(":").at(-1));
    return [{ covers, statements: statements(), stack }];
  });
}

function fits(statement: Statement, request: Request, context: Record<string, string | number>): boolean {
  if (statement.Principal !== undefined && !isNamed(statement, request.principal) && !isDelegated(statement, request))
    return false;
  return (
    [statement.Action].flat().some((pattern) => wildcard(pattern).test(request.action)) &&
    (isKey(request.resource) && [statement.Resource].flat().includes("*")
      ? true
      : [statement.Resource].flat().some((pattern) => wildcard(String(pattern)).test(request.resource))) &&
    Object.entries(statement.Condition ?? {}).every(([operator, tests]) =>
      Object.entries(tests).every(([key, expected]) => holds(operator, context[key], [expected].flat())),
    )
  );
}

function principalsOf({ Principal }: Statement): string[] {
  if (Principal === undefined) return [];
  return Principal === "*" ? ["*"] : Object.values(Principal).flat();
}

const isNamed = (statement: Statement, principal: string) =>
  principalsOf(statement).some((name) => name === "*" || name === principal);

/** The account as a principal means: whoever the account's own policies let. */
const isDelegated = (statement: Statement, { principal }: Request) =>
  principalsOf(statement).some((name) => name.endsWith(":root") && name.split(":")[4] === principal.split(":")[4]);

function holds(operator: string, actual: string | number | undefined, expected: unknown[]): boolean {
  switch (operator) {
    case "StringEquals":
    case "ArnEquals":
    case "Bool":
      return expected.map(String).includes(String(actual));
    case "ArnNotLike":
      return actual === undefined || !expected.some((pattern) => wildcard(String(pattern)).test(String(actual)));
    case "NumericLessThan":
      return actual !== undefined && expected.some((limit) => Number(actual) < Number(limit));
    default:
      throw new Error(`IAM's operator ${operator} is not known here`);
  }
}

/** As IAM reads it: a star stands for any characters, slashes too. */
function wildcard(pattern: string): RegExp {
  return new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);
}
