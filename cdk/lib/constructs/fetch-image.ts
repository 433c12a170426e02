import { Aws, Token } from "aws-cdk-lib";
import { PolicyStatement, type Role } from "aws-cdk-lib/aws-iam";
import { explainWildcards } from "./explain-finding.ts";

/** account, region and repository of an image in Amazon ECR */
const ECR_IMAGE = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([^:@]+)/;

/**
 * Lets the role by which ECS starts tasks fetch their image. Only Amazon ECR asks for leave; an image that a parameter names may lie
 * in any of its repositories, whose own policy then says who may have it.
 */
export function letFetchImage(role: Role, image: string): void {
  const [, account, region, repository] = ECR_IMAGE.exec(image) ?? [];
  if (!Token.isUnresolved(image) && repository === undefined) return;
  const place = `${region ?? "*"}:${account ?? "*"}:repository/${repository ?? "*"}`;
  role.addToPolicy(
    new PolicyStatement({
      actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
      resources: [`arn:${Aws.PARTITION}:ecr:${place}`],
    }),
  );
  role.addToPolicy(new PolicyStatement({ actions: ["ecr:GetAuthorizationToken"], resources: ["*"] }));
  explainWildcards(role, [
    {
      matching: /^Resource::\*$/,
      reason: "The action ecr:GetAuthorizationToken knows no resource; it opens no image.",
    },
    {
      matching: /:ecr:\*:\*:repository\/\*$/,
      reason: "A parameter names the image, whose repository lets in whom it wants.",
    },
  ]);
}
