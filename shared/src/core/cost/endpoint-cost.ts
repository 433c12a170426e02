import { hourlyDollars, UNIT_PRICES } from "./prices.ts";

const MONTH_HOURS = 730;
/** The load balancer's and the keys' endpoint have an address in each of the network's zones. */
const ZONES = 2;
/** Own ones, and for each metric of a computed alarm one. */
const ALARM_METRICS = 12;
const OWN_METRICS = 3;
/** Of a GPU machine, for images and models. */
const DISK_GIGABYTES = 200;

export interface EndpointCost {
  /** dollars a month of what stands there while nothing runs */
  idleMonth: number;
  /** dollars an hour of each task, with its machine */
  taskHour: number;
}

/**
 * What an inference endpoint costs on AWS: not what goes out to the internet, nor the load balancer's capacity units, which come with
 * requests.
 * @throws InvalidInputError `PRICE_UNKNOWN`
 */
export function endpointCost(service: "gpu" | "cpu", instanceType: string): EndpointCost {
  const gpu = service === "gpu";
  const hours =
    UNIT_PRICES.loadBalancerHour +
    ZONES * UNIT_PRICES.publicIpv4Hour +
    (gpu ? ZONES * UNIT_PRICES.interfaceEndpointHour : 0);
  const months =
    UNIT_PRICES.kmsKeyMonth +
    UNIT_PRICES.secretMonth +
    ALARM_METRICS * UNIT_PRICES.cloudWatchAlarmMonth +
    OWN_METRICS * UNIT_PRICES.cloudWatchMetricMonth +
    UNIT_PRICES.cloudWatchDashboardMonth;
  const disk = gpu ? (DISK_GIGABYTES * UNIT_PRICES.ebsGigabyteMonth) / MONTH_HOURS : 0;
  return {
    idleMonth: hours * MONTH_HOURS + months,
    taskHour: hourlyDollars(instanceType, false) + UNIT_PRICES.publicIpv4Hour + disk,
  };
}
