import type { Emulator } from "./emulator.ts";
import { signedRequest } from "./signed-request.ts";

const IAM_VERSION = "2010-05-08";

export interface PolicyStatement {
  Effect: "Allow" | "Deny";
  Action?: string | string[];
  Resource?: string | string[];
  [more: string]: unknown;
}

export interface PolicyDocument {
  Version: string;
  Statement: PolicyStatement[];
}

/** IAM, as far as the tests look at roles and change what they may do. */
export interface Identity {
  roles(): Promise<string[]>;
  inlinePolicies(role: string): Promise<Record<string, PolicyDocument>>;
  putInlinePolicy(role: string, name: string, document: PolicyDocument): Promise<void>;
  deleteInlinePolicy(role: string, name: string): Promise<void>;
  trust(role: string): Promise<PolicyDocument>;
  putTrust(role: string, trust: PolicyDocument): Promise<void>;
}

export function identity(emulator: Emulator): Identity {
  const call = (action: string, parameters: Record<string, string> = {}) =>
    signedRequest(emulator, {
      service: "iam",
      body: new URLSearchParams({ Action: action, Version: IAM_VERSION, ...parameters }).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
    });

  async function paged(action: string, element: RegExp, parameters: Record<string, string> = {}): Promise<string[]> {
    const found: string[] = [];
    let marker: string | undefined;
    do {
      const text = await call(action, { ...parameters, ...(marker !== undefined && { Marker: marker }) });
      found.push(...[...text.matchAll(element)].map(([, name]) => name));
      marker = /<Marker>([^<]+)<\/Marker>/.exec(text)?.[1];
    } while (marker !== undefined);
    return found;
  }

  return {
    roles: async () => (await paged("ListRoles", /<RoleName>([^<]+)<\/RoleName>/g)).sort(),
    async inlinePolicies(role) {
      const names = await paged("ListRolePolicies", /<member>([^<]+)<\/member>/g, { RoleName: role });
      const documents = names.map(async (name) => {
        const text = await call("GetRolePolicy", { RoleName: role, PolicyName: name });
        const [, document] = /<PolicyDocument>([^<]+)<\/PolicyDocument>/.exec(text)!;
        return [name, JSON.parse(decodeURIComponent(document))] as const;
      });
      return Object.fromEntries(await Promise.all(documents));
    },
    async putInlinePolicy(role, name, document) {
      await call("PutRolePolicy", { RoleName: role, PolicyName: name, PolicyDocument: JSON.stringify(document) });
    },
    async deleteInlinePolicy(role, name) {
      await call("DeleteRolePolicy", { RoleName: role, PolicyName: name });
    },
    async trust(role) {
      const text = await call("GetRole", { RoleName: role });
      const [, document] = /<AssumeRolePolicyDocument>([^<]+)<\/AssumeRolePolicyDocument>/.exec(text)!;
      return JSON.parse(decodeURIComponent(document));
    },
    async putTrust(role, trust) {
      await call("UpdateAssumeRolePolicy", { RoleName: role, PolicyDocument: JSON.stringify(trust) });
    },
  };
}
