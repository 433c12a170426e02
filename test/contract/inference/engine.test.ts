import { openInference } from "../../support/open-inference.ts";
import { inferenceContract } from "./inference-contract.ts";

inferenceContract("the engine in this process", async (folder) => {
  const { inference, model } = await openInference(folder, { concurrent: 8, prefixBytes: 1024 ** 2 });
  const state = () => model.generationState();
  return { inference, running: () => state().running + state().waiting, close: () => inference.close() };
});
