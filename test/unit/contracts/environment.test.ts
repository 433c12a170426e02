import { describe, expect, it } from "@jest/globals";
import { workerEnvironment } from "../../../shared/src/contracts/environment.ts";

const BUCKETS = {
  FEDMKT_CONTROL_BUCKET: "fedmkt-control",
  FEDMKT_ARTEFACT_BUCKET: "fedmkt-artefacts",
  FEDMKT_REGISTRY_BUCKET: "fedmkt-registry",
};

describe.each(["FEDMKT_HEARTBEAT_SECONDS", "FEDMKT_CHECKPOINT_SECONDS"])("%s", (name) => {
  it.each(["1", "30", "21600", "604800"])("may be %s", (value) => {
    expect(workerEnvironment.parse({ ...BUCKETS, [name]: value })).toMatchObject({ [name]: Number(value) });
  });

  it.each(["0", "-1", "1.5", "soon", "604801", "1e12", "Infinity"])("may not be %s, which no timer counts", (value) => {
    const result = workerEnvironment.safeParse({ ...BUCKETS, [name]: value });
    expect(result.error?.issues.map(({ path }) => path)).toEqual([[name]]);
  });
});
