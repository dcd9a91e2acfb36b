/**
 * Strings as bytes: UTF-8 where a string is well formed, WTF-8 (a lone surrogate as its own three bytes)
 * where it is not, so that every JavaScript string survives the trip.
 *
 * Most strings in records are short and ASCII, and a call into native code costs more than their bytes:
 * those are written and read in JavaScript.
 *
 *     6-unit words, ns per string (Node 20, bench/micro-exchange): write 34, native write 180;
 *     read by fromCharCode with a fixed argument count 24, native latin1 124, native UTF-8 127
 *
 * A dictionary of strings for each channel was measured and left out: finding a word in it takes 99 ns
 * (hash and compare), more than writing and reading the word (58 ns).
 *
 * Source: the WTF-8 encoding (Simon Sapin).
 */

/** Longest string, in UTF-16 units, that is worth writing without native code. */
export const SHORT_WRITE_MAX = 24;
/** The same for reading. V8 joins two strings to a flat one up to 12 units, and to a tree beyond. */
export const SHORT_READ_MAX = 12;

const REPLACEMENT = '\uFFFD';
const UNITS_PER_CALL_MAX = 8192;

/** Native slices and writes of Node's Buffer; present at run time, absent from its types. */
export interface NativeText extends Buffer {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
  utf8Write(text: string, offset: number): number;
}

const charOf = String.fromCharCode as (...codes: (number | undefined)[]) => string;
const LEADING_BYTE = [0, 0xc0, 0xe0, 0xf0];

/** Bytes that `writeText` will write. */
export function textSizeBytes(text: string): number {
  return Buffer.byteLength(text); // Counts three for a lone surrogate, as WTF-8 does.
}

/** Writes `text` at `offset`; answers the offset behind it. There must be room for `textSizeBytes`. */
export function writeText(text: string, target: Buffer, offset: number): number {
  const end = offset + (target as NativeText).utf8Write(text, offset);
  return isWellFormed(text) ? end : writeIllFormed(text, target, offset);
}

/** Reads what `writeText` wrote in `start..end`. */
export function readText(source: Buffer, start: number, end: number): string {
  const text = (source as NativeText).utf8Slice(start, end);
  // Native decoding replaces what is not UTF-8: the mark may stand for a lone surrogate.
  return text.includes(REPLACEMENT) ? readIllFormed(source, start, end) : text;
}

/** Reads at most `SHORT_READ_MAX` bytes; the empty string when they are not all ASCII. */
export function readShortAscii(b: Uint8Array, i: number, length: number): string {
  let bits = 0;
  for (let k = i; k < i + length; k++) bits |= b[k] as number;
  if (bits > 127) return '';
  switch (length) {
    case 1:
      return charOf(b[i]);
    case 2:
      return charOf(b[i], b[i + 1]);
    case 3:
      return charOf(b[i], b[i + 1], b[i + 2]);
    case 4:
      return charOf(b[i], b[i + 1], b[i + 2], b[i + 3]);
    case 5:
      return charOf(b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4]);
    case 6:
      return charOf(b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5]);
    case 7:
      return charOf(b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5], b[i + 6]);
    case 8:
      return charOf(b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5], b[i + 6], b[i + 7]);
    default:
      return readShortAscii(b, i, 8) + readShortAscii(b, i + 8, length - 8);
  }
}

function isWellFormed(text: string): boolean {
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed(); // ES2024; Node 20 has it.
}

function writeIllFormed(text: string, target: Buffer, offset: number): number {
  let at = offset;
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i) as number;
    if (code > 0xffff) i++;
    at = writeCodePoint(code, target, at);
  }
  return at;
}

function writeCodePoint(code: number, target: Buffer, at: number): number {
  if (code < 0x80) {
    target[at] = code;
    return at + 1;
  }
  const extra = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  target[at] = (LEADING_BYTE[extra] as number) | (code >> (6 * extra));
  for (let i = 1; i <= extra; i++) target[at + i] = 0x80 | ((code >> (6 * (extra - i))) & 0x3f);
  return at + extra + 1;
}

function readIllFormed(source: Buffer, start: number, end: number): string {
  let text = '';
  let units: number[] = [];
  for (let at = start; at < end; ) {
    const first = source[at] as number;
    const extra = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    let code = extra === 0 ? first : first & (0x3f >> extra);
    for (let i = 1; i <= extra; i++) code = (code << 6) | ((source[at + i] ?? 0) & 0x3f);
    if (code > 0xffff) units.push(0xd800 + ((code - 0x10000) >> 10), 0xdc00 + (code & 0x3ff));
    else units.push(code);
    at += extra + 1;
    if (units.length >= UNITS_PER_CALL_MAX) {
      text += charOf(...units);
      units = [];
    }
  }
  return text + charOf(...units);
}
