import { describe, expect, it } from "@jest/globals";
import {
  type InferenceChoice,
  inferenceSettings,
  VLLM_IMAGE,
} from "../../../shared/src/contracts/inference-settings.ts";
import { hourlyDollars } from "../../../shared/src/core/cost/prices.ts";
import { inferenceChoice } from "../../support/inference-templates.ts";

const choose = (choice: InferenceChoice) => inferenceSettings("dev", { ...inferenceChoice(), ...choice });
const CONTROL = "s3://fedmkt-dev-control-000000000000-us-east-1";

describe("the settings of an endpoint", () => {
  it("are none where no model is named", () => {
    expect(inferenceSettings("dev", {})).toBeNull();
    expect(inferenceSettings("dev", { model: undefined, name: undefined })).toBeNull();
  });

  it("are those of a GPU service of all parties' adapters unless said, whose machines have a price", () => {
    const settings = choose({})!;
    expect(settings).toEqual({
      model: {
        location: "s3://fedmkt-dev-public-000000000000-us-east-1/models/smollm2-135m",
        bucket: "fedmkt-dev-public-000000000000-us-east-1",
        prefix: "models/smollm2-135m",
      },
      servedAs: "smollm2-135m",
      service: "gpu",
      certificateArn: inferenceChoice().certificateArn,
      tasks: { least: 0, most: 2 },
      addresses: ["0.0.0.0/0"],
      vllmImage: VLLM_IMAGE,
      instanceTypes: ["g6.xlarge", "g5.xlarge"],
      loraRank: 64,
    });
    for (const type of settings.instanceTypes) expect(hourlyDollars(type, false)).toBeGreaterThan(0);
  });

  it("take a model that lies below material/ in the control bucket", () => {
    expect(choose({ model: `${CONTROL}/material/server/llama/` })!.model.prefix).toBe("material/server/llama");
  });

  it("are what is said", () => {
    const said = choose({
      ...{
        name: "chat",
        servedAs: "SmolLM2 135M".replaceAll(" ", "-"),
        service: "cpu",
        party: "harbour",
        tasks: "1-5",
      },
      ...{ addresses: "198.51.100.0/24", vllmImage: "registry.example/vllm:v0.26.0", instanceTypes: "g6e.xlarge" },
      ...{ loraRank: "256", contextTokens: "4096" },
    });
    expect(said).toMatchObject({
      ...{ name: "chat", servedAs: "SmolLM2-135M", service: "cpu", party: "harbour", tasks: { least: 1, most: 5 } },
      ...{ addresses: ["198.51.100.0/24"], vllmImage: "registry.example/vllm:v0.26.0", instanceTypes: ["g6e.xlarge"] },
      ...{ loraRank: 256, contextTokens: 4096 },
    });
  });

  it.each<[string, InferenceChoice]>([
    ["inferenceModel: expected beside the endpoint's other settings, got nothing", { model: undefined, tasks: "1-2" }],
    ["inferenceModel: expected s3://", { model: "meta-llama/Llama-3.2-1B" }],
    ["inferenceModel: expected s3://", { model: "s3://another-bucket/models/x" }],
    ["inferenceModel: expected s3://", { model: "s3://fedmkt-prod-public-000000000000-us-east-1/models/x" }],
    ["inferenceModel: expected s3://", { model: `${CONTROL}/runs/harbour/x` }],
    ["inferenceModel: expected s3://", { model: `${CONTROL}/material/*` }],
    ["inferenceName: expected 2 to 20", { name: "Chat" }],
    ["inferenceName: expected 2 to 20", { name: "chat-" }],
    ["inferenceParty: expected a party's id", { party: "a--b" }],
    ["inferenceServedAs: expected a model's name", { servedAs: "a b" }],
    ["inferenceCertificateArn: expected the ARN", { certificateArn: undefined }],
    ["inferenceCertificateArn: expected the ARN", { certificateArn: "arn:aws:iam::000000000000:server-certificate/x" }],
    ['inferenceService: expected gpu or cpu, got "tpu"', { service: "tpu" }],
    ["inferenceTasks: expected", { tasks: "3-2" }],
    ["inferenceTasks: expected", { tasks: "0-0" }],
    ["inferenceTasks: expected", { tasks: "0-21" }],
    ["inferenceTasks: expected", { tasks: "2" }],
    ["inferenceAddresses: expected IPv4 ranges", { addresses: "198.51.100.0/24," }],
    ["inferenceVllmImage: expected an image", { vllmImage: "vllm/vllm-openai" }],
    ["inferenceVllmImage: expected an image", { vllmImage: "vllm/vllm-openai:latest" }],
    ["inferenceVllmImage: expected an image", { vllmImage: "vllm/vllm-openai:nightly" }],
    ["inferenceInstanceTypes: expected instance types", { instanceTypes: "g6" }],
    ["inferenceLoraRank: expected one of 1, 8, 16, 32, 64, 128, 256, 320, 512", { loraRank: "24" }],
    ["inferenceLoraRank: expected a whole number", { loraRank: "1024" }],
    ["inferenceContextTokens: expected a whole number", { contextTokens: "1e3" }],
  ])("refuse with %j", (message, choice) => {
    expect(() => choose(choice)).toThrow(expect.objectContaining({ code: "INFERENCE_INVALID" }));
    expect(() => choose(choice)).toThrow(message);
  });
});
