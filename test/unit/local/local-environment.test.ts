import { devNull } from "node:os";
import { expect, it } from "@jest/globals";
import { localEnvironment, makeLocalCredentials } from "../../../cli/src/local/local-environment.ts";

it("the environment of functions and tasks leads to the local endpoint, whatever the user's settings for the cloud", () => {
  const settings = { AWS_PROFILE: "work", AWS_USE_FIPS_ENDPOINT: "true", AWS_SESSION_TOKEN: "t" };
  const before = { ...process.env };
  Object.assign(process.env, settings);
  try {
    const credentials = makeLocalCredentials();
    const environment = localEnvironment(
      "http://127.0.0.1:1",
      credentials,
    )({
      FEDMKT_LOCAL_FILES: "false",
      FEDMKT_INSTANCE_TYPE: "fargate-4vcpu-16gb",
      FEDMKT_SPOT: "true",
      MORE: "m",
    });
    expect(environment).toMatchObject({
      AWS_ENDPOINT_URL: "http://127.0.0.1:1",
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_CONFIG_FILE: devNull,
      AWS_SHARED_CREDENTIALS_FILE: devNull,
      FEDMKT_LOCAL_FILES: "true",
      FEDMKT_SPOT: "false",
      MORE: "m",
    });
    // nobody is paid for this machine
    expect(environment).not.toHaveProperty("FEDMKT_INSTANCE_TYPE");
    for (const name of Object.keys(settings)) expect(environment).not.toHaveProperty(name);
    expect(makeLocalCredentials()).not.toEqual(credentials);
  } finally {
    process.env = before;
  }
});
