import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { partyCredentials, requirePartyRole } from "../../../shared/src/adapters/aws/party-credentials.ts";
import { SqsJobQueue } from "../../../shared/src/adapters/aws/sqs-job-queue.ts";
import { sqsClient } from "../../../shared/src/adapters/aws/sqs-message-queue.ts";

const ROLE = "arn:aws:iam::111122223333:role/fedmkt-dev-party-ships";
/** the machine's own, which only STS may see */
const OWN = { AWS_ACCESS_KEY_ID: "AKIDOWN", AWS_SECRET_ACCESS_KEY: "own-secret" };

let aws: Server;
let before: NodeJS.ProcessEnv;
let asked: Record<string, string>[] = [];
/** access keys that SQS was asked under */
let signers: string[] = [];
/** how long the credentials last that STS hands out */
let seconds = 3600;
/** with what STS answers instead */
let refusal: { status: number; code: string } | null = null;

beforeAll(async () => {
  aws = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const signer = /Credential=([^/]+)\//.exec(request.headers.authorization ?? "")![1];
    if (request.headers["x-amz-target"]) {
      signers.push(signer);
      response.writeHead(200, { "content-type": "application/x-amz-json-1.0" }).end("{}");
      return;
    }
    asked.push({ ...Object.fromEntries(new URLSearchParams(body)), signer });
    if (refusal !== null) {
      const { status, code } = refusal;
      response
        .writeHead(status, { "content-type": "text/xml" })
        .end(`<ErrorResponse><Error><Code>${code}</Code><Message>not so</Message></Error></ErrorResponse>`);
      return;
    }
    const expiration = new Date(Date.now() + seconds * 1000).toISOString();
    response.writeHead(200, { "content-type": "text/xml" }).end(
      `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
        <AccessKeyId>PARTY${asked.length}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
        <Expiration>${expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
    );
  });
  await new Promise<void>((resolve) => aws.listen(0, "127.0.0.1", resolve));
  before = { ...process.env };
  const endpoint = `http://127.0.0.1:${(aws.address() as AddressInfo).port}`;
  Object.assign(process.env, OWN, { AWS_ENDPOINT_URL: endpoint, AWS_REGION: "eu-central-1" });
});
afterAll(() => {
  for (const name of [...Object.keys(OWN), "AWS_ENDPOINT_URL", "AWS_REGION"])
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  aws.closeAllConnections();
  aws.close();
});
beforeEach(() => {
  asked = [];
  signers = [];
  refusal = null;
});

const receive = { waitSeconds: 0, hiddenSeconds: 30, signal: new AbortController().signal };
const queueAs = (credentials: ReturnType<typeof partyCredentials>) =>
  new SqsJobQueue(
    sqsClient({ credentials, useQueueUrlAsEndpoint: false }),
    "https://sqs.eu-central-1.amazonaws.com/111122223333/fedmkt-dev-party-ships",
  );

describe("a party's credentials", () => {
  it("are those of its role, fetched once with the machine's own, for an hour, under the party's name", async () => {
    seconds = 3600;
    const queue = queueAs(partyCredentials({ roleArn: ROLE, party: "ships", externalId: "ward 7" }));
    await queue.receive(receive);
    await queue.receive(receive);
    expect(asked).toEqual([
      expect.objectContaining({
        Action: "AssumeRole",
        RoleArn: ROLE,
        RoleSessionName: "fedmkt-ships",
        ExternalId: "ward 7",
        DurationSeconds: "3600",
        signer: OWN.AWS_ACCESS_KEY_ID,
      }),
    ]);
    expect(signers).toEqual(["PARTY1", "PARTY1"]);
  });

  it("can be had for a party whose name is a single letter, which is no session's name", async () => {
    seconds = 3600;
    await queueAs(partyCredentials({ roleArn: ROLE, party: "a" })).receive(receive);
    expect(asked[0].RoleSessionName).toMatch(/^[\w+=,.@-]{2,64}$/);
  });

  it("are fetched anew before they end", async () => {
    seconds = 30;
    const queue = queueAs(partyCredentials({ roleArn: ROLE, party: "ships" }));
    await queue.receive(receive);
    await queue.receive(receive);
    expect(new Set(signers).size).toBe(2);
  });

  it("name no external id where the coordinator asked for none", async () => {
    seconds = 3600;
    await queueAs(partyCredentials({ roleArn: ROLE, party: "ships" })).receive(receive);
    expect(asked[0]).not.toHaveProperty("ExternalId");
  });
});

describe("a party's role that must be had", () => {
  const take = () => requirePartyRole(partyCredentials({ roleArn: ROLE, party: "ships" }), ROLE);

  it("is taken once", async () => {
    await take();
    expect(asked).toHaveLength(1);
  });

  it("is told to be out of reach where STS refuses it: removed, or another's", async () => {
    refusal = { status: 403, code: "AccessDenied" };
    await expect(take()).rejects.toMatchObject({
      name: "InvalidInputError",
      code: "ACCESS_DENIED",
      message: expect.stringContaining(ROLE),
    });
  });

  it("may be had later where STS does not answer well now", async () => {
    refusal = { status: 503, code: "ServiceUnavailable" };
    await expect(take()).rejects.toMatchObject({ name: "TransientError", code: "AWS_UNAVAILABLE" });
  });

  it("needs credentials of the machine's own", async () => {
    const none = Object.assign(new Error("no provider"), { name: "CredentialsProviderError" });
    await expect(requirePartyRole(() => Promise.reject(none), ROLE)).rejects.toMatchObject({
      name: "InvalidInputError",
      code: "CREDENTIALS_MISSING",
    });
  });
});
