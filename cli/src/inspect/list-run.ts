import type { RunItem } from "./run-contents.ts";

const SHARD = /\/shard-\d+$/;

interface Row {
  name: string;
  kind: string;
}

/** A run's contents as lines; shards that follow one another share one. */
export function listRun(items: readonly RunItem[]): string[] {
  const rows: Row[] = [];
  let series: { first: string; folder: string; row: Row } | null = null;
  for (const { name, kind } of items.filter((item) => item.kind !== "manifest")) {
    const folder = SHARD.test(name) ? name.replace(SHARD, "") : null;
    if (series !== null && folder === series.folder) {
      series.row.name = `${series.first} … ${name.slice(folder.length + 1)}`;
      continue;
    }
    const row = { name, kind };
    rows.push(row);
    series = folder === null ? null : { first: name, folder, row };
  }
  const width = Math.max(0, ...rows.map(({ kind }) => kind.length));
  return rows.map(({ name, kind }) => `${kind.padEnd(width)}  ${name}`);
}
