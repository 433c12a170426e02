import type { MessageQueue } from "@fedmkt/shared/ports/message-queue.ts";
import type { TaskCallback } from "@fedmkt/shared/ports/task-callback.ts";
import { createAlignShardHandler } from "@fedmkt/shared/runtime/create-align-shard-handler.ts";
import { alignShard } from "@fedmkt/shared/use-cases/align-shard.ts";
import type { StageDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";

export const createHandler = (deps: StageDependencies, callback: TaskCallback, queue: MessageQueue) =>
  createAlignShardHandler(alignShard, deps, { callback, queue });
