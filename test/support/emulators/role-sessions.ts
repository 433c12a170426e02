import { assumeRole } from "./assume-role.ts";
import { type AwsClients, awsClients } from "./aws-clients.ts";
import type { Emulator } from "./emulator.ts";
import { type Identity, identity, type PolicyDocument, type PolicyStatement } from "./identity.ts";

/** Roles as their services take them, and their inline policies to be changed for the length of a test. */
export interface RoleSessions {
  /** the only role whose name contains this */
  roleNamed(part: string): string;
  /** clients that speak as a session of the role; closed by `close` */
  as(role: string): Promise<AwsClients>;
  /** runs something while the role's policies also hold this statement */
  withStatement<T>(role: string, statement: PolicyStatement, run: () => Promise<T>): Promise<T>;
  /** runs something while no statement of the role's policies names this action */
  withoutAction<T>(role: string, action: string, run: () => Promise<T>): Promise<T>;
  close(): void;
}

/** @param owner - of the account that holds the roles: a service's trust lets the owner through */
export async function roleSessions(emulator: Emulator, owner: AwsClients): Promise<RoleSessions> {
  const iam = identity(emulator);
  const roles = await iam.roles();
  const opened = new Map<string, AwsClients>();

  /** As the service that the role trusts; one that trusts a single machine lets the owner in for a moment. */
  async function takeRole(role: string) {
    const arn = `arn:aws:iam::${emulator.account}:role/${role}`;
    const trust = await iam.trust(role);
    if (!trust.Statement.some(({ Condition }) => JSON.stringify(Condition ?? {}).includes("aws:SourceArn")))
      return assumeRole(owner, arn);
    const ownerToo = {
      Effect: "Allow" as const,
      Principal: { AWS: `arn:aws:iam::${emulator.account}:root` },
      Action: "sts:AssumeRole",
    };
    await iam.putTrust(role, { ...trust, Statement: [...trust.Statement, ownerToo] });
    try {
      return await assumeRole(owner, arn);
    } finally {
      await iam.putTrust(role, trust);
    }
  }
  return {
    roleNamed(part) {
      const found = roles.filter((role) => role.includes(part));
      if (found.length !== 1) throw new Error(`expected one role with ${part} in its name, got ${found.join(", ")}`);
      return found[0];
    },
    async as(role) {
      const known = opened.get(role);
      if (known !== undefined) return known;
      const session = awsClients(emulator, await takeRole(role));
      opened.set(role, session);
      return session;
    },
    async withStatement(role, statement, run) {
      const name = "granted-by-a-test";
      await iam.putInlinePolicy(role, name, { Version: "2012-10-17", Statement: [statement] });
      try {
        return await run();
      } finally {
        await iam.deleteInlinePolicy(role, name);
      }
    },
    async withoutAction(role, action, run) {
      const policies = await iam.inlinePolicies(role);
      const naming = Object.entries(policies).filter(([, { Statement }]) => Statement.some(names(action)));
      if (naming.length === 0) throw new Error(`expected ${action} in the policies of ${role}`);
      try {
        for (const [name, document] of naming) await replace(iam, role, name, without(document, action));
        return await run();
      } finally {
        for (const [name, document] of naming) await iam.putInlinePolicy(role, name, document);
      }
    },
    close() {
      for (const session of opened.values()) session.close();
    },
  };
}

async function replace(iam: Identity, role: string, name: string, document: PolicyDocument): Promise<void> {
  if (document.Statement.length > 0) await iam.putInlinePolicy(role, name, document);
  else await iam.deleteInlinePolicy(role, name);
}

const actionsOf = ({ Action = [] }: PolicyStatement) => (Array.isArray(Action) ? Action : [Action]);
const names = (action: string) => (statement: PolicyStatement) => actionsOf(statement).includes(action);

function without(document: PolicyDocument, action: string): PolicyDocument {
  const Statement = document.Statement.map((statement) => ({
    ...statement,
    Action: actionsOf(statement).filter((one) => one !== action),
  })).filter(({ Action }) => Action.length > 0);
  return { ...document, Statement };
}
