/** Whether a location is one in S3; every other one is a path on the machine of whoever reads it. */
export function isInS3(location: string): boolean {
  return location.startsWith("s3://");
}
