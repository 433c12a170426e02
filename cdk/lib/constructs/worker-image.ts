import { fileURLToPath } from "node:url";
import { WORKER_IMAGE } from "@fedmkt/shared/contracts/deployment.ts";
import { DockerImageAsset, Platform } from "aws-cdk-lib/aws-ecr-assets";
import type { Role } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { explainWildcards } from "./explain-finding.ts";
import { letFetchImage } from "./fetch-image.ts";

const repository = fileURLToPath(new URL("../../../", import.meta.url));

const DOCKERFILE = "gpu-workers/Dockerfile";

/** Instead of an image's name: the CDK builds the image from this repository while it deploys, and keeps it in the account. */
const BUILD = "build";
/** The CDK's command line deploys, so the image must be had; whoever else synthesizes reads templates. */
const defaultImage = () => (process.env.CDK_CLI_VERSION === undefined ? WORKER_IMAGE : BUILD);

/**
 * The workers' image, which a role is let fetch.
 * @param named - its name in a registry, or `build`; what the CDK's command line deploys is built unless something is named
 * @returns the name that a container is started by
 */
export function workerImage(scope: Construct, executionRole: Role, named: string = defaultImage()): string {
  if (named !== BUILD) {
    letFetchImage(executionRole, named);
    return named;
  }
  const built = new DockerImageAsset(scope, "Image", {
    directory: repository,
    file: DOCKERFILE,
    exclude: [`!${DOCKERFILE}`], // Docker reads it beside .dockerignore, the CDK copies only what that lets through
    platform: Platform.LINUX_AMD64,
  });
  built.repository.grantPull(executionRole);
  explainWildcards(executionRole, [
    {
      matching: /^Resource::\*$/,
      reason: "The action ecr:GetAuthorizationToken knows no resource; it opens no image.",
    },
  ]);
  return built.imageUri;
}
