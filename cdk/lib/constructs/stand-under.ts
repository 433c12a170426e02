import { Aspects, type CfnCondition, CfnResource } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/** Makes every resource of a construct only where a condition holds, those too that are added to it later. */
export function standUnder(condition: CfnCondition, construct: IConstruct): void {
  Aspects.of(construct).add({
    visit(node) {
      if (CfnResource.isCfnResource(node)) node.cfnOptions.condition = condition;
    },
  });
}
