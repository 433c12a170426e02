import { permissionsOf, principalsOf } from "./permissions.ts";
import { type StackTemplate, type TemplateResource, TemplateText } from "./template-text.ts";

const WIDTH = 150;
const DAY_SECONDS = 86_400;

/**
 * One page about a stack: what there is, how it is protected and how long it stays, who may do what, what is alarmed, what is put
 * out, and what is left out where a condition does not hold. Made from the finished template.
 *
 * @param prefix - of all names, left out
 * @param exports - what other stacks export, by name
 */
export function summarizeStack(
  title: string,
  template: StackTemplate,
  prefix: string,
  exports: ReadonlyMap<string, string> = new Map(),
): string {
  const text = new TemplateText(template, prefix, exports);
  const ofType = (...types: string[]): [string, TemplateResource][] =>
    Object.entries(template.Resources).filter(([, { Type }]) => types.includes(Type));
  const outputs = Object.entries(template.Outputs ?? {}).filter(([name]) => !name.startsWith("ExportsOutput"));
  const parameters = Object.entries(template.Parameters ?? {}).map(
    ([name, { Default }]) => `${name} ${Default === undefined ? "(must be given)" : `= ${JSON.stringify(Default)}`}`,
  );
  const lines = [
    `${title} (names without ${prefix})`,
    ...paragraph("Parameters", parameters),
    ...paragraph("Resources", countTypes(template)),
    ...paragraph(
      "Functions",
      ofType("AWS::Lambda::Function").map(([, one]) => lambda(one)),
    ),
    ...paragraph("Network", network(ofType, text)),
    ...paragraph("Logs", logs(ofType("AWS::Logs::LogGroup"), text)),
    ...paragraph("Alarms", alarms(ofType("AWS::CloudWatch::Alarm"), text)),
    ...paragraph(
      "Rules",
      ofType("AWS::Events::Rule").map(([, { Properties }]) => Properties!.Description),
    ),
    ...paragraph(
      "Outputs",
      outputs.map(([name, { Export }]) => `${name}${Export ? " (exported)" : ""}`),
    ),
    ...Object.keys(template.Conditions ?? {}).flatMap((condition) =>
      paragraph(`Only if ${condition}`, countTypes(template, condition)),
    ),
    ...section("What there is, how it is protected, how long it stays", [
      ...ofType("AWS::KMS::Key").map((one) => key(one, text)),
      ...ofType("AWS::S3::Bucket").map((one) => bucket(one, template, text)),
      ...ofType("AWS::SQS::Queue").map((one) => queue(one, template, text)),
      ...ofType("AWS::SNS::Topic").map((one) => topic(one, template, text)),
      ...ofType("AWS::StepFunctions::StateMachine").map((one) => machine(one, text)),
      ...ofType("AWS::ECS::TaskDefinition").map((one) => task(one, text)),
      ...ofType("AWS::SecretsManager::Secret").map((one) => secret(one, text)),
      ...ofType("AWS::ElasticLoadBalancingV2::Listener").map(([, one]) => listener(one, text)),
      ...ofType("AWS::ECS::Service")
        .filter(([, { Properties = {} }]) => Properties.LoadBalancers !== undefined)
        .map((one) => service(one, text)),
      ...ofType("AWS::ApplicationAutoScaling::ScalableTarget").map(([, { Properties = {} }]) => {
        return `tasks: from ${Properties.MinCapacity} to ${Properties.MaxCapacity}`;
      }),
    ]),
    ...section("Who may do what", permissionsOf(template, text)),
  ];
  return `${lines.join("\n")}\n`;
}

function paragraph(heading: string, items: string[]): string[] {
  return items.length > 0 ? wrapped(`${heading}: ${items.join(", ")}`) : [];
}

function section(heading: string, items: string[]): string[] {
  return items.length > 0 ? ["", heading, ...items.flatMap((item) => wrapped(item, "  "))] : [];
}

/** `2 S3 Bucket`, by service and kind; of one condition's resources or of all. */
function countTypes(template: StackTemplate, condition?: string): string[] {
  const counts = new Map<string, number>();
  for (const { Type, Condition } of Object.values(template.Resources))
    if (condition === undefined || Condition === condition) counts.set(Type, (counts.get(Type) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([type, count]) => `${count} ${shortType(type)}`);
}

function key([id, { Properties = {}, DeletionPolicy }]: [string, TemplateResource], text: TemplateText): string {
  const users = principalsOf(Properties.KeyPolicy, text);
  const rotates = Properties.EnableKeyRotation ? "rotates" : "DOES NOT ROTATE";
  return `${text.name(id)}: ${rotates}, ${stays(DeletionPolicy)}; its policy lets ${users}`;
}

function bucket([id, resource]: [string, TemplateResource], template: StackTemplate, text: TemplateText): string {
  const { Properties = {}, DeletionPolicy } = resource;
  const [{ ServerSideEncryptionByDefault: encryption }] = Properties.BucketEncryption.ServerSideEncryptionConfiguration;
  const closed = Object.values(Properties.PublicAccessBlockConfiguration ?? {}).filter((on) => on === true).length;
  const days = (Properties.LifecycleConfiguration?.Rules ?? []).flatMap(
    ({ ExpirationInDays, NoncurrentVersionExpiration }: Record<string, never>) => [
      ...(ExpirationInDays ? [`objects go after ${ExpirationInDays} days`] : []),
      ...(NoncurrentVersionExpiration
        ? [`old versions after ${(NoncurrentVersionExpiration as { NoncurrentDays: number }).NoncurrentDays} days`]
        : []),
    ],
  );
  return `${[
    `${text.name(id)}: ${encryption.KMSMasterKeyID ? text.of(encryption.KMSMasterKeyID) : "S3's own key"}`,
    closed === 4 ? "closed to the public" : "NOT CLOSED TO THE PUBLIC",
    tlsOnly(template, "AWS::S3::BucketPolicy", "Bucket", id),
    ...(Properties.LoggingConfiguration
      ? [`accesses logged to ${text.of(Properties.LoggingConfiguration.DestinationBucketName)}`]
      : []),
    ...(Properties.NotificationConfiguration ? ["writes announced"] : []),
    ...days,
    stays(DeletionPolicy),
  ].join(", ")}`;
}

function queue(
  [id, { Properties = {} }]: [string, TemplateResource],
  template: StackTemplate,
  text: TemplateText,
): string {
  const dead = Properties.RedrivePolicy;
  return `${[
    `queue ${text.name(id)}: ${Properties.KmsMasterKeyId ? text.of(Properties.KmsMasterKeyId) : "NOT ENCRYPTED"}`,
    tlsOnly(template, "AWS::SQS::QueuePolicy", "Queues", id),
    `messages kept ${Properties.MessageRetentionPeriod / DAY_SECONDS} days`,
    ...(dead ? [`given up after ${dead.maxReceiveCount} deliveries to ${text.of(dead.deadLetterTargetArn)}`] : []),
  ].join(", ")}`;
}

function topic(
  [id, { Properties = {} }]: [string, TemplateResource],
  template: StackTemplate,
  text: TemplateText,
): string {
  const encrypted = Properties.KmsMasterKeyId ? text.of(Properties.KmsMasterKeyId) : "NOT ENCRYPTED";
  return `topic ${text.name(id)}: ${encrypted}, ${tlsOnly(template, "AWS::SNS::TopicPolicy", "Topics", id)}`;
}

function machine([id, { Properties = {} }]: [string, TemplateResource], text: TemplateText): string {
  const definition = JSON.stringify(Properties.DefinitionString);
  // the machine's own time-out is the last of its definition
  const seconds = Number(
    definition
      .match(/\\"TimeoutSeconds\\":(\d+)/g)!
      .at(-1)!
      .match(/\d+/)![0],
  );
  const states = definition.match(/\\"Type\\":\\"/g)!.length;
  const traced = Properties.TracingConfiguration?.Enabled ? "traced" : "NOT TRACED";
  const data = Properties.LoggingConfiguration.IncludeExecutionData ? "WITH" : "without";
  return `${text.name(id)}: ${states} states, ends after ${seconds / DAY_SECONDS} days, ${traced}, logged ${data} data`;
}

function lambda({ Properties = {} }: TemplateResource): string {
  return `${String(Properties.Handler).replace(".handler", "")} ${Properties.MemorySize} MB ${Properties.Timeout} s`;
}

function task([id, { Properties = {} }]: [string, TemplateResource], text: TemplateText): string {
  const [container, ...others] = Properties.ContainerDefinitions;
  const beside = others.map(
    (other: { Name: string; Image: unknown }) => `beside it ${other.Name} of image ${text.of(other.Image)}`,
  );
  return [
    `${text.name(id)}: image ${text.of(container.Image)}`,
    `on ${text.of(Properties.RequiresCompatibilities)}`,
    `role ${text.of(Properties.TaskRoleArn)}`,
    `${container.StopTimeout} s to stop`,
    `variables ${container.Environment.map(variableName).join(" ")}`,
    ...beside,
  ].join(", ");
}

function secret([id, { Properties = {}, DeletionPolicy }]: [string, TemplateResource], text: TemplateText): string {
  const encrypted = Properties.KmsKeyId ? text.of(Properties.KmsKeyId) : "AWS's own key, NOT ONE OF OURS";
  return `secret ${text.name(id)}: ${encrypted}, ${stays(DeletionPolicy)}`;
}

function listener({ Properties = {} }: TemplateResource, text: TemplateText): string {
  const protects = Properties.Protocol === "HTTPS" ? text.of(Properties.SslPolicy) : "DOES NOT ENCRYPT";
  return `${text.of(Properties.LoadBalancerArn)}: ${Properties.Protocol} at ${Properties.Port}, ${protects}`;
}

function service([id, { Properties = {} }]: [string, TemplateResource], text: TemplateText): string {
  const { MinimumHealthyPercent: least, DeploymentCircuitBreaker: breaker } = Properties.DeploymentConfiguration;
  const where = Properties.CapacityProviderStrategy.map((one: { CapacityProvider: unknown }) =>
    text.of(one.CapacityProvider),
  );
  const back = breaker?.Rollback ? "goes back to the old version where the new one fails" : "DOES NOT GO BACK";
  return `service ${text.name(id)}: on ${where.join(", ")}, at least ${least} % well while it changes, ${back}`;
}

/** A variable's name, also where a condition decides whether it is there. */
function variableName(variable: { Name?: string; "Fn::If"?: [string, { Name: string }] }): string {
  return variable.Name ?? `${variable["Fn::If"]![1].Name} (if ${variable["Fn::If"]![0]})`;
}

function network(ofType: (...types: string[]) => [string, TemplateResource][], text: TemplateText): string[] {
  const nats = ofType("AWS::EC2::NatGateway").length;
  const doors = ofType("AWS::EC2::SecurityGroup").map(([id, { Properties = {} }]) => {
    const own = (Properties.SecurityGroupIngress ?? []).map(
      ({ CidrIp, FromPort }: { CidrIp: string; FromPort: number }) => `${FromPort} from ${CidrIp}`,
    );
    const added = ofType("AWS::EC2::SecurityGroupIngress")
      .filter(([, { Properties: rule = {} }]) => JSON.stringify(rule.GroupId).includes(`"${id}"`))
      .map(([, { Properties: rule = {} }]) => `${rule.FromPort} from ${text.of(rule.SourceSecurityGroupId)}`);
    const open = [...own, ...added];
    return `${text.name(id)} lets in ${open.join(" ") || "nobody"}`;
  });
  const endpoints = ofType("AWS::EC2::VPCEndpoint").map(
    ([, { Properties = {} }]) => `endpoint of ${text.of(Properties.ServiceName).split(".").at(-1)}`,
  );
  return ofType("AWS::EC2::VPC").length > 0 ? [`${nats} NAT gateways`, ...endpoints, ...doors] : [];
}

function logs(groups: [string, TemplateResource][], text: TemplateText): string[] {
  const days = new Set(groups.map(([, { Properties }]) => Properties!.RetentionInDays));
  return groups.length > 0
    ? [`kept ${[...days].join(" or ")} days: ${groups.map(([id]) => text.name(id)).join(" ")}`]
    : [];
}

/** What every function has an alarm on is said once. */
function alarms(all: [string, TemplateResource][], text: TemplateText): string[] {
  const single: string[] = [];
  const shared = new Map<string, string[]>();
  for (const [id, { Properties = {} }] of all) {
    const name = text.name(id);
    const [, subject, what] = name.match(/^(.*)-(errors|throttles)$/) ?? [];
    if (what === undefined) single.push(`${name} > ${Properties.Threshold}`);
    else {
      const group = `${what} > ${Properties.Threshold}`;
      shared.set(group, [...(shared.get(group) ?? []), subject!]);
    }
  }
  return [...single, ...[...shared].map(([group, subjects]) => `${group} of ${subjects.join(" ")}`)];
}

/** Whether a policy refuses what does not come by TLS. */
function tlsOnly(template: StackTemplate, type: string, property: string, id: string): string {
  const refuses = Object.values(template.Resources)
    .filter(({ Type, Properties }) => Type === type && JSON.stringify(Properties![property]).includes(`"${id}"`))
    .some(({ Properties }) => JSON.stringify(Properties!.PolicyDocument).includes('"aws:SecureTransport":"false"'));
  return refuses ? "TLS only" : "NOT TLS ONLY";
}

const stays = (deletionPolicy: string | undefined): string =>
  deletionPolicy === "Retain" ? "outlives the stack" : "goes with the stack";

const shortType = (type: string): string => type.replace(/^AWS::/, "").replace("::", " ");

/** Lines of at most the width, each item after the first line further in. */
function wrapped(line: string, indent = ""): string[] {
  const lines: string[] = [];
  let current = indent;
  for (const word of line.split(" ")) {
    if (current.trim() !== "" && current.length + word.length + 1 > WIDTH) {
      lines.push(current);
      current = `${indent}  `;
    }
    current += current.trim() === "" ? word : ` ${word}`;
  }
  return [...lines, current];
}
