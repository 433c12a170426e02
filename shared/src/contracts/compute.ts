/**
 * Where a party's jobs run: `ecs`, a container task in the coordinator's cluster; `worker`, a program at the party's own site, which
 * takes them from the party's queue.
 */
export const COMPUTES = ["ecs", "worker"] as const;
export type Compute = (typeof COMPUTES)[number];
