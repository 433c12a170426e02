import { type CloudWatchLogsClient, paginateFilterLogEvents } from "@aws-sdk/client-cloudwatch-logs";
import type { CloudLogLine, CloudLogs } from "./cloud.ts";
import { attempt } from "./cloud-failure.ts";

/** CloudWatch's log groups. */
export class AwsLogs implements CloudLogs {
  readonly #client: CloudWatchLogsClient;

  constructor(client: CloudWatchLogsClient) {
    this.#client = client;
  }

  async read(group: string, word: string, sinceMs: number): Promise<CloudLogLine[]> {
    return attempt("logs:FilterLogEvents", group, async () => {
      const lines: CloudLogLine[] = [];
      const pages = paginateFilterLogEvents(
        { client: this.#client },
        { logGroupName: group, startTime: sinceMs, filterPattern: JSON.stringify(word) },
      );
      try {
        for await (const { events = [] } of pages)
          for (const { timestamp = 0, logStreamName = "", message = "" } of events)
            for (const text of message.split("\n").filter((line) => line.trim() !== ""))
              lines.push({ atMs: timestamp, stream: logStreamName, text });
      } catch (error) {
        // a group begins with its first line where nobody made it before
        if ((error as Error).name !== "ResourceNotFoundException") throw error;
      }
      return lines.sort((left, right) => left.atMs - right.atMs);
    });
  }
}
