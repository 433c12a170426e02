/** Reads models and data by location: `s3://bucket/key` or, where allowed, a path on this machine. */
export interface Material {
  /** A file's bytes, refused when longer than maxBytes. Errors name the location. */
  read(location: string, maxBytes: number): Promise<Uint8Array>;
  /** A folder of model files as a folder on this machine: downloaded once where it lies in S3. */
  folder(location: string): Promise<string>;
  /**
   * Tells one model's weights from another's without reading them whole: SHA-256 over their files' names, lengths and samples
   * of their bytes. Equal weights have one fingerprint, wherever they lie.
   */
  fingerprint(location: string): Promise<string>;
  /** SHA-256 over the names and bytes of a model folder's weight files, in order of name; streams them. */
  weightsHash(location: string): Promise<string>;
}
