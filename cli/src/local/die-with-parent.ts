/**
 * Loaded before a task's own program (`node --import`): ends the task when the process that started it is gone, however it went,
 * so that no orphan goes on training. The channel to the parent does not keep the task alive.
 */
process.on("disconnect", () => process.exit(143));
process.channel?.unref();
