/**
 * The template of any client, as CDK would write it: parameters alone say whose it is. A job queue with its dead letters, a task
 * definition, and what only a cloud has.
 */
export function smallClientTemplate(visibilitySeconds: number, maxReceives: number): object {
  const party = { "Fn::Join": ["", ["fedmkt-dev-party-", { Ref: "Client" }]] };
  return {
    Parameters: {
      Client: { Type: "String" },
      UseCloudCapacity: { Type: "String", Default: "true" },
      HostPrivateData: { Type: "String", Default: "yes" },
    },
    Conditions: {
      CloudCapacity: { "Fn::Equals": [{ Ref: "UseCloudCapacity" }, "true"] },
      HostsPrivateData: { "Fn::Equals": [{ Ref: "HostPrivateData" }, "yes"] },
    },
    Resources: {
      DeadLetters: {
        Type: "AWS::SQS::Queue",
        Properties: { QueueName: { "Fn::Join": ["-", [party, "dead-letters"]] } },
      },
      Jobs: {
        Type: "AWS::SQS::Queue",
        Properties: {
          QueueName: party,
          VisibilityTimeout: visibilitySeconds,
          RedrivePolicy: {
            deadLetterTargetArn: { "Fn::GetAtt": ["DeadLetters", "Arn"] },
            maxReceiveCount: maxReceives,
          },
        },
      },
      Task: {
        Type: "AWS::ECS::TaskDefinition",
        Properties: {
          Family: party,
          ContainerDefinitions: [{ Name: "worker", Environment: [{ Name: "OWNER", Value: { Ref: "Client" } }] }],
        },
      },
      Private: { Type: "AWS::S3::Bucket", Condition: "HostsPrivateData" },
      Capacity: { Type: "AWS::S3::Bucket", Condition: "CloudCapacity" },
    },
    Outputs: {
      JobQueueUrl: { Value: { Ref: "Jobs" } },
      PrivateBucket: { Condition: "HostsPrivateData", Value: { Ref: "Private" } },
    },
  };
}
