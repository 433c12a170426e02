const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;
const INITIAL_BYTES = 256;
const MAX_VARINT_BYTES = 10;
const ENCODER = new TextEncoder();

/** Writes protobuf's wire format: as much of it as ONNX models need. Zero and empty fields are written too. */
export class ProtobufWriter {
  #buffer = new Uint8Array(INITIAL_BYTES);
  #length = 0;

  integer(field: number, value: number): void {
    this.#varint((field << 3) | VARINT);
    this.#varint(value);
  }

  float(field: number, value: number): void {
    this.#varint((field << 3) | FIXED_32);
    this.#reserve(4);
    new DataView(this.#buffer.buffer).setFloat32(this.#length, value, true);
    this.#length += 4;
  }

  text(field: number, value: string): void {
    this.data(field, ENCODER.encode(value));
  }

  data(field: number, bytes: Uint8Array): void {
    this.#varint((field << 3) | LENGTH_DELIMITED);
    this.#varint(bytes.length);
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  message(field: number, write: (writer: ProtobufWriter) => void): void {
    const inner = new ProtobufWriter();
    write(inner);
    this.data(field, inner.bytes());
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + bytes));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }

  /** Seven bits a byte, the lowest first; negative numbers as 64 bits of two's complement. */
  #varint(value: number): void {
    this.#reserve(MAX_VARINT_BYTES);
    if (value < 0) {
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest >= 128n; rest >>= 7n) this.#buffer[this.#length++] = Number(rest & 127n) | 128;
      this.#buffer[this.#length++] = Number(rest);
      return;
    }
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#buffer[this.#length++] = (rest % 128) | 128;
    this.#buffer[this.#length++] = rest;
  }
}
