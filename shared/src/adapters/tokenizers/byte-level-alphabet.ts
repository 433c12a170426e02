/**
 * GPT-2's alphabet: every byte as one printable character, so that BPE may work on strings. Bytes that print in Latin-1
 * stand for themselves; the other 68 stand, in order, from U+0100 on ("Ġ" is the space, "Ċ" the newline).
 */
const byteOfCharacter = new Map<string, number>();
const characterOfByte: string[] = [];

let shifted = 0;
for (let byte = 0; byte < 256; byte++) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  characterOfByte.push(String.fromCharCode(printable ? byte : 0x100 + shifted++));
  byteOfCharacter.set(characterOfByte[byte], byte);
}

/** @returns the bytes that a byte-level token stands for, or null where a character is not of the alphabet */
export function bytesOfByteLevelToken(token: string): Uint8Array | null {
  const bytes = new Uint8Array(token.length);
  for (let index = 0; index < token.length; index++) {
    const byte = byteOfCharacter.get(token[index]);
    if (byte === undefined) return null;
    bytes[index] = byte;
  }
  return bytes;
}

/** @returns a text's UTF-8 bytes in the alphabet */
export function byteLevelOf(text: string): string {
  let letters = "";
  for (const byte of new TextEncoder().encode(text)) letters += characterOfByte[byte];
  return letters;
}
