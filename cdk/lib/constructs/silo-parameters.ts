import { PARTY_PATTERN } from "@fedmkt/shared/contracts/identifier.ts";
import { CfnCondition, CfnParameter, Fn, type Stack } from "aws-cdk-lib";

const ARN_OR_NOTHING = "^$|^arn:[a-z-]+:(iam|sts)::[0-9]{12}:.+$";
/** Policies compare it with `aws:PrincipalArn`, which is the role's own ARN in every session of it: a session's would fit nobody. */
const OWNER_OR_NOTHING = "^$|^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/.+$";

/**
 * What a silo's stacks ask for: whose they are, who works for it outside of this account, who brings its data.
 * @param client - the client's id where it is known; absent: it must be given
 */
export function siloParameters(stack: Stack, client?: string) {
  const given = (id: string, parameter: CfnParameter) =>
    new CfnCondition(stack, id, { expression: Fn.conditionNot(Fn.conditionEquals(parameter, "")) });
  const workerPrincipal = new CfnParameter(stack, "WorkerPrincipal", {
    type: "String",
    default: "",
    allowedPattern: ARN_OR_NOTHING,
    description: "ARN of the role or user that a worker at the site has of its own, and takes this stack's role with",
  });
  const externalId = new CfnParameter(stack, "ExternalId", {
    type: "String",
    default: "",
    allowedPattern: "^$|^[\\w+=,.@:/-]{2,1224}$",
    description: "must be named to take the party's role at the coordinator, where given",
  });
  const dataOwner = new CfnParameter(stack, "DataOwner", {
    type: "String",
    default: "",
    allowedPattern: OWNER_OR_NOTHING,
    description: "ARN of the only role or user that may put private data in; else whom this account's policies let",
  });
  return {
    client: new CfnParameter(stack, "Client", {
      type: "String",
      default: client,
      allowedPattern: PARTY_PATTERN.source,
      description: "the client's id in every run",
    }),
    worker: {
      principalArn: workerPrincipal.valueAsString,
      hasPrincipal: given("HasWorkerPrincipal", workerPrincipal),
    },
    externalId: { value: externalId.valueAsString, isGiven: given("HasExternalId", externalId) },
    owner: { principalArn: dataOwner.valueAsString, isGiven: given("HasDataOwner", dataOwner) },
  };
}
