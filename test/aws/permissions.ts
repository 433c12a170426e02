import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { artefactKeys, controlKeys } from "../../shared/src/contracts/keys.ts";
import { type Act, attempt, reading, receiving, taking, writing } from "../support/emulators/acts.ts";
import { assumeRole } from "../support/emulators/assume-role.ts";
import { awsClients } from "../support/emulators/aws-clients.ts";
import { withoutStatements } from "../support/emulators/bucket-policy.ts";
import type { Cloud } from "../support/emulators/cloud.ts";
import { identity, type PolicyStatement } from "../support/emulators/identity.ts";
import { type RoleSessions, roleSessions } from "../support/emulators/role-sessions.ts";

const RUN = "four-clients";

/**
 * Every role, refused one act that another may do. A refusal alone would prove little of an emulator, so each act is also seen to be
 * decided by the statements in question: the role that may do it cannot without its statement, and the one that may not can with it.
 */
export function testPermissions(cloudOf: () => Cloud): void {
  let cloud: Cloud;
  let sessions: RoleSessions;

  beforeAll(async () => {
    cloud = cloudOf();
    sessions = await roleSessions(cloud.emulator, cloud.aws);
  });
  afterAll(() => sessions.close());

  const party = (id: string) => `fedmkt-dev-party-${id}`;
  const control = (key: string) => reading(cloud.bucket("control"), key);
  const artefact = (key: string) => reading(cloud.bucket("artefacts"), key);
  const modelOf = (id: string) => control(`material/${id}/${id}/config.json`);
  const outputOf = (id: string) => writing(cloud.bucket("artefacts"), `runs/${RUN}/parties/${id}/of-a-test`);
  const privateData = (id: "harbour" | "clinic") => reading(cloud.privateBucket(id), "private.jsonl");
  const plan = () => control(controlKeys.plan(RUN));

  /** Who is refused, what, and who may do it; roles by a part of their names. */
  const REFUSED: [role: string, what: string, act: () => Act, may: string][] = [
    [party("harbour"), "the model of another client", () => modelOf("clinic"), party("clinic")],
    [party("clinic"), "writing below another client's prefix", () => outputOf("harbour"), party("harbour")],
    [party("orchard"), "the jobs of another client's queue", () => queueOf("quarry"), party("quarry")],
    [party("quarry"), "the model of the server", () => modelOf("server"), party("server")],
    [party("server"), "writing below a client's prefix", () => outputOf("orchard"), party("orchard")],
    ["StagesPlanRun", "a party's scores", () => artefact(manifestOf("harbour")), "StagesCloseRound"],
    ["StagesMapVocabulary", "the spec", () => control(controlKeys.spec(RUN)), "StagesPlanRun"],
    ["StagesAlignShard", "who holds the run", () => control(controlKeys.claim(RUN, 1)), "StagesFailRun"],
    ["StagesSelectKnowledge", "a model", () => modelOf("harbour"), "StagesMapVocabulary"],
    ["StagesAverageAdapters", "a model", () => modelOf("harbour"), "StagesMapVocabulary"],
    ["StagesCloseRound", "the public set", () => control(controlKeys.publicSet(RUN)), "StagesAlignShard"],
    ["StagesPublishRun", "a model", () => modelOf("server"), "StagesPlanRun"],
    ["StagesFailRun", "the plan", plan, "StagesPublishRun"],
    ["AlignShardsFailTask", "the plan", plan, "StagesAlignShard"],
    ["EventsStopTasks", "the plan", plan, "StagesAlignShard"],
    ["WorkersExecution", "the plan", plan, party("harbour")],
    ["RunMachineRole", "the plan", plan, "StagesPublishRun"],
    ["RoundMachineRole", "the plan", plan, "StagesCloseRound"],
    ["RunMachineEventsRole", "the spec", () => control(controlKeys.spec(RUN)), "StagesPlanRun"],
  ];

  it.each(REFUSED)("refuses %s %s", async (refusedPart, _what, actOf, mayPart) => {
    const act = actOf();
    const [refused, may] = [sessions.roleNamed(refusedPart), sessions.roleNamed(mayPart)];
    const grant: PolicyStatement = { Effect: "Allow", Action: act.action, Resource: act.resource };
    const [byRefused, byMay] = [await sessions.as(refused), await sessions.as(may)];

    expect(await attempt(act, byRefused)).toBe("refused");
    expect(await attempt(act, byMay)).toBe("allowed");
    expect(await sessions.withoutAction(may, act.action, () => attempt(act, byMay))).toBe("refused");
    expect(await sessions.withStatement(refused, grant, () => attempt(act, byRefused))).toBe("allowed");
    expect(await attempt(act, byRefused)).toBe("refused");
    expect(await attempt(act, byMay)).toBe("allowed");
  });

  it("leaves no role out", async () => {
    const roles = (await identity(cloud.emulator).roles()).filter((role) => role.includes("fedmkt-dev"));
    expect(REFUSED.map(([part]) => sessions.roleNamed(part)).sort()).toEqual(roles);
  });

  it.each([
    ["another client", party("clinic")],
    ["the server", party("server")],
    ["the function that plans", "StagesPlanRun"],
  ])("closes a client's private data to %s, whatever its own policy grants", async (_who, part) => {
    const act = privateData("harbour");
    const [role, owner] = [sessions.roleNamed(part), party("harbour")];
    const grant: PolicyStatement = { Effect: "Allow", Action: act.action, Resource: act.resource };
    const [byOther, byClient] = [await sessions.as(role), await sessions.as(owner)];

    expect(await attempt(act, byOther)).toBe("refused");
    expect(await attempt(act, byClient)).toBe("allowed");
    expect(await sessions.withoutAction(owner, act.action, () => attempt(act, byClient))).toBe("refused");
    await sessions.withStatement(role, grant, async () => {
      expect(await attempt(act, byOther)).toBe("refused");
      const opened = withoutStatements(cloud.aws.s3, cloud.privateBucket("harbour"), denies("s3:GetObject*"), () =>
        attempt(act, byOther),
      );
      expect(await opened).toBe("allowed");
      expect(await attempt(act, byOther)).toBe("refused");
    });
  });

  it("lets a site's role take its own client's role, by the name that was agreed on, and no other's", async () => {
    const [quarry] = cloud.sites.filter(({ client }) => client === "quarry");
    const [orchard] = cloud.sites.filter(({ client }) => client === "orchard");
    const act = (externalId: string) =>
      taking(`arn:aws:iam::${cloud.emulator.account}:role/${party("quarry")}`, externalId);
    const byQuarry = awsClients(quarry.emulator, await assumeRole(quarry.aws, quarry.workerRoleArn));
    const byOrchard = awsClients(orchard.emulator, await assumeRole(orchard.aws, orchard.workerRoleArn));
    try {
      expect(await attempt(act(cloud.externalId), byQuarry)).toBe("allowed");
      expect(await attempt(act("something else"), byQuarry)).toBe("refused");
      expect(await attempt(act(cloud.externalId), byOrchard)).toBe("refused");
    } finally {
      byQuarry.close();
      byOrchard.close();
    }
  });

  function queueOf(client: string): Act {
    const { region, account } = cloud.emulator;
    return receiving(
      cloud.outputs[cloud.names.clientStack(client)].JobQueueUrl,
      `arn:aws:sqs:${region}:${account}:${party(client)}`,
    );
  }

  function manifestOf(client: string): string {
    return `${artefactKeys.job(RUN, 1, "evaluate", client)}/manifest.json`;
  }
}

const denies = (action: string) => (statement: PolicyStatement) =>
  statement.Effect === "Deny" && [statement.Action].flat().includes(action);
