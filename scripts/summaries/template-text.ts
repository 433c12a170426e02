/** A CloudFormation template, as far as summaries read it. */
export interface StackTemplate {
  Parameters?: Record<string, { Type: string; Default?: string; Description?: string }>;
  Conditions?: Record<string, unknown>;
  Resources: Record<string, TemplateResource>;
  Outputs?: Record<string, { Value: unknown; Export?: { Name: unknown } }>;
}

export interface TemplateResource {
  Type: string;
  Condition?: string;
  DeletionPolicy?: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a template holds is as free as JSON
  Properties?: Record<string, any>;
}

const NAME_PROPERTIES = ["Name", "Family", "BucketName", "QueueName", "TopicName", "RoleName", "ClusterName"];
const MORE_NAME_PROPERTIES = [
  "StateMachineName",
  "LogGroupName",
  "AlarmName",
  "DashboardName",
  "AliasName",
  "ServiceName",
];

/** Writes a template's references as the short names that people know the resources by. */
export class TemplateText {
  readonly #template: StackTemplate;
  readonly #prefix: string;
  readonly #exports: ReadonlyMap<string, string>;

  /**
   * @param prefix - that all names of the environment begin with, and that goes without saying
   * @param exports - of other stacks, as their own texts have them
   */
  constructor(template: StackTemplate, prefix: string, exports: ReadonlyMap<string, string> = new Map()) {
    this.#template = template;
    this.#prefix = prefix;
    this.#exports = exports;
  }

  /** What others import from this stack. */
  exports(): Map<string, string> {
    const outputs = Object.values(this.#template.Outputs ?? {});
    return new Map(outputs.flatMap(({ Value, Export }) => (Export ? [[this.#flat(Export.Name), this.of(Value)]] : [])));
  }

  /** A resource's own name where it has one, else its logical id without CDK's hash. */
  name(logicalId: string): string {
    const properties = this.#template.Resources[logicalId]?.Properties ?? {};
    const given = [...NAME_PROPERTIES, ...MORE_NAME_PROPERTIES].find((property) => properties[property] !== undefined);
    return given ? this.#short(this.#flat(properties[given])) : logicalId.replace(/[0-9A-F]{8}$/, "");
  }

  /** Any value in one line: ARNs by their last part, without account, region and partition. */
  of(value: unknown): string {
    return this.#short(this.#flat(value));
  }

  #short(text: string): string {
    return text
      .replace(/^arn:[^:]*:[^:]*:[^:]*:[^:]*:/, "")
      .replaceAll("-<account>-<region>", "")
      .replaceAll(this.#prefix, "");
  }

  #flat(value: unknown): string {
    if (typeof value !== "object" || value === null) return String(value);
    if (Array.isArray(value)) return value.map((item) => this.#flat(item)).join(",");
    const [[name, argument]] = Object.entries(value) as [[string, never]];
    if (name === "Ref") return PSEUDO[argument as string] ?? this.#referenced(argument);
    if (name === "Fn::GetAtt") return this.#referenced((argument as string[])[0]!);
    if (name === "Fn::Join") {
      const [separator, parts] = argument as [string, unknown[]];
      return parts.map((part) => this.#flat(part)).join(separator);
    }
    if (name === "Fn::ImportValue") return this.#exports.get(this.#flat(argument)) ?? this.#flat(argument);
    if (name === "Fn::If") {
      const [condition, yes, no] = argument as [string, unknown, unknown];
      return `${this.#flat(yes)} (if ${condition}) or ${this.#flat(no)}`;
    }
    if (name === "Fn::Select") return this.#selected(argument);
    return JSON.stringify(value);
  }

  /** Part of what was split: CDK takes a name out of an ARN so. */
  #selected([index, { "Fn::Split": split }]: [number, { "Fn::Split"?: [string, unknown] }]): string {
    const [separator, whole] = split ?? [",", ""];
    const parts = this.#flat(whole).split(separator);
    return parts.length > index ? parts[index]! : this.#flat(whole);
  }

  #referenced(logicalId: string): string {
    return this.#template.Resources[logicalId] ? this.name(logicalId) : `<${logicalId}>`;
  }
}

const PSEUDO: Record<string, string> = {
  "AWS::AccountId": "<account>",
  "AWS::Region": "<region>",
  "AWS::Partition": "aws",
  "AWS::NoValue": "nothing",
  "AWS::URLSuffix": "amazonaws.com",
};
