import { startHttpLayer } from "../../../shared/src/adapters/http/start-http-layer.ts";
import { FileMaterial } from "../../../shared/src/adapters/material/file-material.ts";
import { UpstreamInference } from "../../../shared/src/adapters/upstream/upstream-inference.ts";
import { NameTable } from "../../../shared/src/use-cases/serving/name-table.ts";
import { NamedByHand } from "../../../shared/src/use-cases/serving/runtime-adapters.ts";
import { openInference } from "../../support/open-inference.ts";
import { inferenceContract } from "./inference-contract.ts";

inferenceContract("a server of the same protocol behind", async (folder, root) => {
  const { inference: behind, model } = await openInference(folder, { concurrent: 8, prefixBytes: 1024 ** 2 });
  const names = new NameTable(behind, await behind.describe(), Date.now);
  const log = { info() {}, warn() {}, error() {} };
  const http = await startHttpLayer(
    {
      inference: behind,
      names,
      keys: null,
      adapters: new NamedByHand(names, new FileMaterial(root), root, log),
      isReady: () => true,
      log,
    },
    { host: "127.0.0.1", port: 0, metricsPort: null, concurrent: 8, queued: 8, otherFields: "refuse", tls: null },
  );
  const state = () => model.generationState();
  return {
    inference: new UpstreamInference({ url: http.url }),
    running: () => state().running + state().waiting,
    async close() {
      await http.close(0);
      await behind.close();
    },
  };
});
