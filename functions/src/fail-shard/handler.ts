export { createFailShardHandler as createHandler } from "@fedmkt/shared/runtime/create-fail-shard-handler.ts";
