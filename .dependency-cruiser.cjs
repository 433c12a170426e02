/**
 * Who may import whom. Top-level folders are hosts; what they host lives once, in shared/. Each rule's comment speaks to
 * whoever broke it; test/architecture plants every forbidden edge and sees it caught.
 */
const SDK = "^(@aws-sdk|@smithy)/|node_modules/(@aws-sdk|@smithy)/";
const MIDDLEWARE = "^(@middy|@aws-lambda-powertools)/|node_modules/(@middy|@aws-lambda-powertools)/";

/** A layer of shared/src and what it may reach; everything else is forbidden. */
const layer = (name, allowed, comment, npm = []) => [
  {
    name: `${name}-imports`,
    comment,
    severity: "error",
    from: { path: `^shared/src/${name}/` },
    to: {
      path: "^(shared|functions|gpu-workers|cli|cdk|test|scripts|bench)/",
      pathNot: [name, ...allowed].map((folder) => `^shared/src/${folder}(/|$|\\.)`),
    },
  },
  {
    name: `${name}-packages`,
    comment: `shared/src/${name} may use ${npm.length ? npm.join(", ") : "no package"}: put an interface into ports/ and the library behind it into adapters/.`,
    severity: "error",
    from: { path: `^shared/src/${name}/` },
    to: {
      dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "npm-unknown"],
      pathNot: npm.length ? npm.map((one) => `node_modules/${one}/`) : undefined,
    },
  },
];

module.exports = {
  forbidden: [
    {
      name: "no-circles",
      comment: "Modules that import each other cannot be understood or tested alone: move what both need into a third.",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "nothing-unresolved",
      comment: "This import leads nowhere.",
      severity: "error",
      from: {},
      // aws-lambda is a name for types alone (@types/aws-lambda): no package stands behind it
      to: { couldNotResolve: true, pathNot: "^aws-lambda$" },
    },
    ...layer("core", [], "core/ is the method: pure, and so it imports core alone."),
    {
      name: "core-is-pure",
      comment: "core/ has no clock, no disk and no network: hand in what you need from outside as an argument.",
      severity: "error",
      from: { path: "^shared/src/core/" },
      to: { dependencyTypes: ["core"] },
    },
    ...layer(
      "contracts",
      ["core"],
      "contracts/ describe what crosses a boundary; they know the method's words and zod.",
      ["zod", "yaml"],
    ),
    ...layer(
      "formats",
      ["core", "contracts"],
      "formats/ turn bytes into values and back; they open no file and call no service.",
    ),
    ...layer("ports", ["core", "contracts"], "ports/ are interfaces."),
    ...layer(
      "engine",
      ["core", "formats", "ports", "contracts"],
      "engine/ trains models; it knows no AWS and no use case.",
      ["onnxruntime-node", "onnxruntime-common"],
    ),
    {
      name: "one-onnxruntime",
      comment: "Only engine/session.ts imports onnxruntime-node: everything else speaks of graphs and sessions.",
      severity: "error",
      from: {
        path: "^(shared|functions|gpu-workers|cli|cdk)/",
        pathNot: "^shared/src/engine/session\\.ts$",
      },
      to: { path: "onnxruntime-node" },
    },
    ...layer(
      "use-cases",
      ["core", "contracts", "formats", "ports", "report"],
      "use-cases/ are given what they need through ports/.",
    ),
    ...layer("report", ["core", "contracts", "formats"], "report/ turns values into one HTML string."),
    {
      name: "adapters-imports",
      comment: "An adapter joins one port to one library; it knows no use case, no engine and no other adapter.",
      severity: "error",
      from: { path: "^shared/src/adapters/([^/]+)/" },
      to: {
        path: "^(shared|functions|gpu-workers|cli|cdk|test|scripts|bench)/",
        pathNot: ["^shared/src/(core|contracts|formats|ports)/", "^shared/src/adapters/$1/"],
      },
    },
    {
      name: "one-place-for-middleware",
      comment: "Only runtime/ imports middy and powertools: handlers decide nothing, use cases know no Lambda.",
      severity: "error",
      from: { path: "^(shared|functions|gpu-workers|cli|cdk)/", pathNot: "^shared/src/runtime/" },
      to: { path: MIDDLEWARE },
    },
    {
      name: "one-place-for-sdk",
      comment:
        "Only adapters/aws imports the AWS SDK; so do the CLI's embedded runner, which stands on the other side, and its cloud/, which does what operators do.",
      severity: "error",
      from: {
        path: "^(shared|functions|gpu-workers|cli|cdk)/",
        pathNot: "^(shared/src/adapters/aws/|cli/src/(local|cloud)/)",
      },
      to: { path: SDK },
    },
    {
      name: "one-place-for-http",
      comment: "Only adapters/http answers requests, and counts them: everything else is given a started layer.",
      severity: "error",
      from: { path: "^(shared|functions|gpu-workers|cli|cdk)/", pathNot: "^shared/src/adapters/http/" },
      to: { path: "node_modules/(fastify|prom-client|rate-limiter-flexible)/" },
    },
    {
      name: "one-place-for-event-streams",
      comment: "Only adapters/upstream reads server-sent events: everything else asks through ports/inference.ts.",
      severity: "error",
      from: { path: "^(shared|functions|gpu-workers|cli|cdk)/", pathNot: "^shared/src/adapters/upstream/" },
      to: { path: "node_modules/eventsource-parser/" },
    },
    {
      name: "shared-hosts-nothing",
      comment: "shared/ is imported by the hosts and imports none of them.",
      severity: "error",
      from: { path: "^shared/" },
      to: { path: "^(functions|gpu-workers|cli|cdk|test|scripts|bench|examples)/" },
    },
    {
      name: "functions-import-shared",
      comment: "A function hosts a use case of shared/ and nothing else.",
      severity: "error",
      from: { path: "^functions/" },
      to: { path: "^(gpu-workers|cli|cdk|test|scripts|bench)/" },
    },
    {
      name: "functions-stay-apart",
      comment: "Each function is deployed alone: what two of them need lives in shared/.",
      severity: "error",
      from: { path: "^functions/src/([^/]+)/" },
      to: { path: "^functions/src/", pathNot: "^functions/src/$1/" },
    },
    {
      name: "functions-do-not-train",
      comment: "Lambda has no GPU and no room for the engine: training runs in gpu-workers/.",
      severity: "error",
      from: { path: "^functions/" },
      to: { path: "^shared/src/engine/" },
    },
    {
      name: "workers-import-shared",
      comment: "A worker hosts use cases of shared/ and nothing else.",
      severity: "error",
      from: { path: "^gpu-workers/" },
      to: { path: "^(functions|cli|cdk|test|scripts|bench)/" },
    },
    {
      name: "cdk-imports-contracts",
      comment:
        "The infrastructure is built from the contracts: stages, keys, environment, error names. It runs nothing.",
      severity: "error",
      from: { path: "^cdk/" },
      to: {
        path: "^(shared|functions|gpu-workers|cli|test|scripts|bench)/",
        pathNot: "^shared/src/(contracts|core/errors\\.ts)",
      },
    },
    {
      name: "nothing-imports-tests",
      comment: "What ships does not know its tests.",
      severity: "error",
      from: { path: "^(shared|functions|gpu-workers|cli|cdk)/" },
      to: { path: "^(test|bench|scripts)/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(cdk\\.out|\\.build)/|^runs/|^cli/dist/" },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
      extensions: [".ts", ".mjs", ".js"],
    },
  },
};
