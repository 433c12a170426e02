import type { InferenceSettings } from "@fedmkt/shared/contracts/inference-settings.ts";
import { ArnFormat, CfnOutput, CfnParameter, Fn, Stack, type StackProps } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Topic } from "aws-cdk-lib/aws-sns";
import type { Construct } from "constructs";
import { CloudCapacity } from "./constructs/cloud-capacity.ts";
import { letFetchImage } from "./constructs/fetch-image.ts";
import { houseLogGroup } from "./constructs/house-log-group.ts";
import { EndpointAlarms } from "./constructs/inference/endpoint-alarms.ts";
import { EndpointKeys } from "./constructs/inference/endpoint-keys.ts";
import { EndpointRole } from "./constructs/inference/endpoint-role.ts";
import { EndpointServing } from "./constructs/inference/endpoint-serving.ts";
import { EndpointTask } from "./constructs/inference/endpoint-task.ts";
import { PartyPlaces } from "./constructs/party-places.ts";
import { exportedNames } from "./constructs/stack-exports.ts";
import type { DeploymentSettings } from "./deployment-settings.ts";

export interface InferenceStackProps extends StackProps {
  settings: DeploymentSettings;
  inference: InferenceSettings;
}

/**
 * One endpoint that serves a base model and the adapters that runs publish for it. It knows the rest of the deployment by agreed names
 * and exports alone, and nothing of that knows it: several stand beside each other, and come and go.
 *
 * What an emulator lacks stands under `CloudCapacity`; without, there are the task's definition, its role, its keys and its log.
 */
export class InferenceStack extends Stack {
  constructor(scope: Construct, id: string, props: InferenceStackProps) {
    super(scope, id, props);
    const { settings, inference } = props;
    const { names } = settings;
    const name = names.endpoint(inference.name);
    const exported = exportedNames(names);
    const capacity = new CloudCapacity(this);
    const places = new PartyPlaces(this, names, {
      controlKeyArn: Fn.importValue(exported.controlKeyArn),
      artefactKeyArn: Fn.importValue(exported.artefactKeyArn),
    });
    const keys = new EndpointKeys(this, "Keys", { settings, secretName: names.endpointKeys(inference.name) });
    const role = new EndpointRole(this, "Role", { name, inference, places, keys });
    const logGroup = houseLogGroup(this, "Log", settings, names.endpointLogGroup(inference.name));
    const image = new CfnParameter(this, "WorkerImage", {
      type: "AWS::SSM::Parameter::Value<String>",
      default: names.workerImageParameter,
      description: "the SSM parameter that says which image workers run; the pipeline's stack keeps it",
    }).valueAsString;
    const execution = this.#executionRole(name, logGroup.logGroupArn);
    letFetchImage(execution, image);
    if (inference.service === "gpu") letFetchImage(execution, inference.vllmImage);
    const task = new EndpointTask(this, "Task", {
      name,
      inference,
      places,
      keysSecretArn: keys.secretArn,
      taskRoleArn: role.roleArn,
      executionRoleArn: execution.roleArn,
      image,
      logGroupName: logGroup.logGroupName,
    });
    const topic = Topic.fromTopicArn(
      this,
      "AlarmTopic",
      this.formatArn({ service: "sns", resource: names.alarmTopic, arnFormat: ArnFormat.NO_RESOURCE_NAME }),
    );
    const serving = new EndpointServing(this, "Serving", {
      name,
      settings,
      inference,
      capacity,
      taskDefinitionArn: task.definitionArn,
      accessLogBucket: Fn.importValue(exported.accessLogBucket),
      alarms: new EndpointAlarms(this, "Alarms", { name, topic }),
      topic,
    });
    new CfnOutput(this, "Model", { value: inference.model.location });
    new CfnOutput(this, "ServedAs", { value: inference.servedAs });
    new CfnOutput(this, "KeysSecret", { value: keys.secretArn });
    for (const [output, value] of Object.entries(serving.outputs))
      new CfnOutput(this, output, { value }).condition = capacity.condition;
  }

  #executionRole(name: string, logGroupArn: string): Role {
    const role = new Role(this, "Execution", {
      assumedBy: new ServicePrincipal("ecs-tasks.amazonaws.com"),
      description: `${name}: fetches the endpoint's images and writes its log`,
    });
    role.addToPolicy(
      new PolicyStatement({ actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [logGroupArn] }),
    );
    return role;
  }
}
