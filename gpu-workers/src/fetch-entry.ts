import { tmpdir } from "node:os";
import path from "node:path";
import { S3Material, s3MaterialClient } from "@fedmkt/shared/adapters/aws/s3-material.ts";
import { modelFetchEnvironment } from "@fedmkt/shared/contracts/serving-environment.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { houseLogger } from "@fedmkt/shared/runtime/house-logger.ts";
import { issues, stageFailure } from "@fedmkt/shared/runtime/stage-failure.ts";

/** Fetches a base model for the containers beside this one, which wait for its end. */
const logger = houseLogger("model");
const settings = modelFetchEnvironment.safeParse(process.env);
if (!settings.success) {
  logger.critical("environment refused", { reason: issues(settings.error) });
  process.exit(2);
}

process.on("SIGTERM", () => process.exit(143)); // nothing half done is taken for whole
const { FEDMKT_FETCH_MODEL: location, FEDMKT_FETCH_FOLDER: folder } = settings.data;
try {
  const beganMs = performance.now();
  await new S3Material(s3MaterialClient(), tmpdir()).mirror(location.replace(/\/+$/, ""), path.resolve(folder));
  logger.info("model fetched", { location, folder, seconds: Math.round((performance.now() - beganMs) / 1000) });
} catch (thrown) {
  const failure = stageFailure("fetch", thrown);
  logger.critical("model not fetched", { location, code: failure.code, error: failure });
  process.exit(failure instanceof InvalidInputError ? 2 : 1);
}
