import { InvalidInputError } from "../errors.ts";

/**
 * What one unit of a service costs, in US dollars, in us-east-1, without free tiers, savings plans and taxes.
 *
 * AWS's own price list was not asked while this table was made. Prices of services are those of AWS's pricing pages, as public
 * copies of them showed them; those of instances are on-demand Linux prices that public lists of 2025 and 2026 agree on: g5 as of
 * June 2026, Fargate as of March 2026, p4d, p4de and p5 after AWS's price cut of June 2025.
 */
export const PRICE_TABLE = {
  date: "2026-06-30",
  region: "us-east-1",
  source: "public copies of AWS's price lists, 2025-06 to 2026-06; not asked of AWS",
} as const;

/** Dollars a unit. A unit is one request, one byte, one second … as the name says; prices a million are divided here, once. */
export const UNIT_PRICES = {
  /** standard workflows; a retry is a transition too */
  stateTransition: 25e-6,
  lambdaInvocation: 0.2e-6,
  /** arm64, as our functions are */
  lambdaGigabyteSecond: 0.0000133334,
  /** PUT, COPY, POST, LIST */
  s3Write: 5e-6,
  /** GET, HEAD and all others; deletions are free */
  s3Read: 0.4e-6,
  /** S3 Standard, first 50 TB */
  s3GigabyteMonth: 0.023,
  /** standard queues: sending, receiving, deleting and changing visibility are one request each, for each 64 KiB */
  sqsRequest: 0.4e-6,
  kmsRequest: 3e-6,
  kmsKeyMonth: 1,
  /** CloudWatch Logs, taking in */
  logGigabyte: 0.5,
  logGigabyteMonth: 0.03,
  /** X-Ray, recording */
  trace: 5e-6,
  /** custom events; those that AWS's own services send are free */
  eventBridgeEvent: 1e-6,
  /** gp3 volumes */
  ebsGigabyteMonth: 0.08,
  publicIpv4Hour: 0.005,
  /** Application Load Balancer */
  loadBalancerHour: 0.0225,
  /** of its capacity: 25 new connections a second, 3,000 at once, 1 GB an hour or 1,000 rules, whichever is most */
  loadBalancerUnitHour: 0.008,
  /** PrivateLink, in each zone */
  interfaceEndpointHour: 0.01,
  secretMonth: 0.4,
  /** out of AWS to the internet, first 10 TB; within the region it is free */
  internetGigabyte: 0.09,
  cloudWatchAlarmMonth: 0.1,
  cloudWatchMetricMonth: 0.3,
  cloudWatchDashboardMonth: 3,
} as const;

/** On-demand dollars an hour. */
export const ON_DEMAND_HOURS: Readonly<Record<string, number>> = {
  // 4 × 0.04048 a vCPU-hour + 16 × 0.004445 a GB-hour
  "fargate-4vcpu-16gb": 0.23304,
  "g4dn.xlarge": 0.526,
  "g4dn.2xlarge": 0.752,
  "g4dn.4xlarge": 1.204,
  "g4dn.8xlarge": 2.176,
  "g4dn.12xlarge": 3.912,
  "g5.xlarge": 1.006,
  "g5.2xlarge": 1.212,
  "g5.4xlarge": 1.624,
  "g5.8xlarge": 2.448,
  "g5.12xlarge": 5.672,
  "g5.16xlarge": 4.096,
  "g5.24xlarge": 8.144,
  "g5.48xlarge": 16.288,
  "g6.xlarge": 0.8048,
  "g6.2xlarge": 0.9776,
  "g6.4xlarge": 1.3232,
  "g6.8xlarge": 2.0144,
  "g6.12xlarge": 4.6016,
  "g6.16xlarge": 3.3968,
  "g6.24xlarge": 6.6752,
  "g6.48xlarge": 13.3504,
  "g6e.xlarge": 1.861,
  "g6e.2xlarge": 2.24208,
  "g6e.4xlarge": 3.00424,
  "g6e.8xlarge": 4.52856,
  "g6e.12xlarge": 10.49264,
  "g6e.16xlarge": 7.57719,
  "g6e.24xlarge": 15.06559,
  "g6e.48xlarge": 30.13118,
  "p4d.24xlarge": 21.957642,
  "p4de.24xlarge": 27.44705,
  "p5.4xlarge": 6.88,
  "p5.48xlarge": 55.04,
};

/**
 * What a spot machine costs of the on-demand price: an assumption. Spot prices move; the true share lay between a third and nearly
 * one for GPUs, and at a third for Fargate. Half errs on the dear side more often than not, as a budget should.
 */
export const SPOT_SHARE = 0.5;

/** @param instanceType - an EC2 instance type, or `fargate-4vcpu-16gb` */
export function hourlyDollars(instanceType: string, spot: boolean): number {
  const price = Object.hasOwn(ON_DEMAND_HOURS, instanceType) ? ON_DEMAND_HOURS[instanceType] : undefined;
  if (price === undefined) {
    throw new InvalidInputError(
      "PRICE_UNKNOWN",
      `no price of instance type ${JSON.stringify(instanceType)} is known; known are ${Object.keys(ON_DEMAND_HOURS).join(", ")}`,
    );
  }
  return spot ? price * SPOT_SHARE : price;
}
