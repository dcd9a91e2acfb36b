/**
 * CSV as RFC 4180 has it: cells may be quoted, and quoted cells may hold delimiters, quotes (doubled) and line ends. So a
 * file cannot be cut into ranges: it is read as a whole, and its records are found byte by byte.
 *
 *     state of a byte: cell begins ─"─► quoted ─"─► quote ─"─► quoted          a line end ends the record, but in `quoted`
 *                          └─ other ─► plain        └─ other ─► plain
 *
 * A quote inside a plain cell is a character like others, as Jackson reads it for Flink. Source: Flink `CsvReaderFormat`.
 */
import { isAscii } from 'node:buffer';
import type { BlockFormat, FormatInput, FormatRange, RecordRun } from '../graph/file-formats.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { cellConversion, schemaOf } from './typed-values.ts';

const QUOTE = 34;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** How to read CSV. */
export interface CsvSettings<T> {
  /** One ASCII character. */
  readonly delimiter: string;
  /** The first record of each file names the columns. */
  readonly header: boolean;
  /** Names of the columns, in order. Null: of the header, or the fields of the type. */
  readonly columns: readonly string[] | null;
  /** Null: texts, in objects when columns have names, else in arrays. */
  readonly type: TypeDescriptor<T> | null;
  readonly skipsErrors: boolean;
  /** A longer record fails: most likely a quote is not closed. */
  readonly recordSizeBytesMax: number;
}

/** A cell as it stands in the file. */
interface Cell {
  readonly text: string;
  readonly isQuoted: boolean;
}

interface RecordMaker {
  /** Records have one cell: an empty line is one, too. */
  readonly isNarrow: boolean;
  make(cells: readonly Cell[]): unknown;
}

/** The format. */
export function csvFormat<T>(settings: CsvSettings<T>): BlockFormat<T> {
  return {
    kind: 'blocks', name: 'csv', type: settings.type ?? undefined, isSplittable: false, isText: true,
    read: (input, range) => readCsv(input, range, settings) as AsyncIterable<RecordRun<T>>,
  };
}

async function* readCsv<T>(input: FormatInput, range: FormatRange, settings: CsvSettings<T>): AsyncIterable<RecordRun> {
  const header = settings.header ? await readHeader(input, settings) : null;
  const makeRecord = recordMaker(settings, header?.columns ?? null);
  const startBytes = range.positionBytes ?? header?.endBytes ?? 0;
  for await (const found of findRecords(input, startBytes, settings)) {
    const records: unknown[] = [];
    for (const { text, offsetBytes } of found.texts) {
      if (text === '' && !makeRecord.isNarrow) continue; // An empty line.
      try {
        records.push(makeRecord.make(cellsOf(text, settings.delimiter)));
      } catch (thrown) {
        const reason = thrown instanceof Error ? thrown.message : String(thrown);
        const message = `${input.path}: the CSV record at byte ${offsetBytes}: ${reason}`;
        if (!settings.skipsErrors) throw new ClusterError('DATA_CORRUPT', message, { cause: thrown });
        input.skipped(message);
      }
    }
    yield { records, positionBytes: found.offsetBytes };
  }
}

/** Column names, and where the records begin. */
interface Header {
  readonly columns: readonly string[];
  readonly endBytes: number;
}

async function readHeader(input: FormatInput, settings: CsvSettings<unknown>): Promise<Header> {
  for await (const { texts } of findRecords(input, 0, settings)) {
    const [first] = texts;
    if (first === undefined) continue;
    const columns = cellsOf(first.text.replace(/^\uFEFF/, ''), settings.delimiter).map(({ text }) => text);
    return { columns, endBytes: first.endBytes };
  }
  return { columns: [], endBytes: 0 };
}

function recordMaker<T>(settings: CsvSettings<T>, header: readonly string[] | null): RecordMaker {
  const columns = settings.columns ?? header;
  if (settings.type !== null) return typedRecords(settings.type, columns);
  if (columns === null) return { isNarrow: false, make: (cells) => cells.map(({ text }) => text) };
  return {
    isNarrow: columns.length === 1,
    make(cells) {
      requireWidth(cells, columns.length);
      return Object.fromEntries(columns.map((name, i) => [name, cells[i]?.text]));
    },
  };
}

/** Fields of objects are found by the names of the columns, items of tuples by their places. */
function typedRecords(type: TypeDescriptor<unknown>, columns: readonly string[] | null): RecordMaker {
  const schema = schemaOf(type);
  const fields = schema.fields ?? (schema.items ?? []).map((item, i) => ({ name: String(i), type: item }));
  const places = fields.map(({ name }, i) => (columns === null || schema.items !== undefined ? i : columns.indexOf(name)));
  const conversions = fields.map((field) => cellConversion(field.type));
  const width = columns?.length ?? fields.length;
  return {
    isNarrow: width === 1,
    make(cells) {
      requireWidth(cells, width);
      const values = conversions.map((convert, i) => {
        const cell = cells[places[i] ?? -1];
        return cell === undefined ? undefined : convert(cell.text, cell.isQuoted);
      });
      const record = schema.items === undefined ? Object.fromEntries(fields.map(({ name }, i) => [name, values[i]])) : values;
      type.check(record);
      return record;
    },
  };
}

function requireWidth(cells: readonly Cell[], width: number): void {
  if (cells.length !== width) throw new Error(`it has ${cells.length} cells, not ${width}`);
}

/** The cells of one record, which has no line end outside of quotes. */
function cellsOf(record: string, delimiter: string): Cell[] {
  if (!record.includes('"')) return record.split(delimiter).map((text) => ({ text, isQuoted: false }));
  const cells: Cell[] = [];
  for (let position = 0; position <= record.length; ) {
    const isQuoted = record[position] === '"';
    const close = isQuoted ? closingQuote(record, position + 1) : position;
    const next = record.indexOf(delimiter, close);
    const end = next < 0 ? record.length : next;
    // What follows a closing quote belongs to the cell: `"a"b` is ab.
    const text = isQuoted
      ? record.slice(position + 1, close).replaceAll('""', '"') + record.slice(close + 1, end)
      : record.slice(position, end);
    cells.push({ text, isQuoted });
    position = end + 1;
  }
  return cells;
}

function closingQuote(record: string, from: number): number {
  for (let position = from; ; position += 2) {
    position = record.indexOf('"', position);
    if (position < 0) return record.length;
    if (record[position + 1] !== '"') return position;
  }
}

interface FoundRecord {
  readonly text: string;
  readonly offsetBytes: number;
  /** Where the next record begins. */
  readonly endBytes: number;
}

interface FoundRecords {
  readonly texts: readonly FoundRecord[];
  readonly offsetBytes: number;
}

/** The records from `startBytes` on, a chunk's worth at a time. */
async function* findRecords(input: FormatInput, startBytes: number, settings: CsvSettings<unknown>): AsyncIterable<FoundRecords> {
  const { recordSizeBytesMax } = settings;
  const scan = new RecordScan(settings.delimiter.charCodeAt(0));
  let offsetBytes = startBytes;
  let held: Buffer[] = []; // Copies, joined once when their record ends: a chunk's memory is used again.
  let heldSizeBytes = 0;
  for await (const chunk of input.read(startBytes)) {
    const ends = scan.endsIn(chunk, heldSizeBytes);
    const cut = (ends.at(-1) ?? heldSizeBytes) - heldSizeBytes;
    if (cut > 0) {
      const bytes = Buffer.concat([...held, chunk.subarray(0, cut)]);
      yield { offsetBytes, texts: textsOf(bytes, ends, offsetBytes) };
      offsetBytes += bytes.length;
      held = [];
      heldSizeBytes = 0;
    }
    held.push(Buffer.from(chunk.subarray(cut)));
    heldSizeBytes += chunk.length - cut;
    if (heldSizeBytes > recordSizeBytesMax) throw tooLong(input.path, offsetBytes, recordSizeBytesMax);
  }
  if (heldSizeBytes === 0) return;
  if (scan.isQuoted) {
    const where = `${input.path}: the CSV record at byte ${offsetBytes}`;
    const message = `${where} has a quote that is not closed before the end of the file: is it cut off?`;
    if (!settings.skipsErrors) throw new ClusterError('DATA_CORRUPT', message);
    return input.skipped(message);
  }
  yield { offsetBytes, texts: textsOf(Buffer.concat(held), [heldSizeBytes], offsetBytes) };
}

function tooLong(path: string, offsetBytes: number, sizeBytesMax: number): ClusterError {
  const message = `${path}: the CSV record at byte ${offsetBytes} is longer than ${sizeBytesMax} bytes. ` +
    'Is a quote not closed? If not, raise lineSizeBytesMax of the file source.';
  return new ClusterError('RECORD_TOO_LARGE', message);
}

/** Where records end, over the chunks of a file: each byte is looked at once, however long a quoted cell is. */
class RecordScan {
  /** The bytes so far end within quotes. */
  isQuoted = false;
  private readonly delimiter: number;
  private cellBegins = true;
  /** The last byte was a quote within quotes: it ends the cell's quotes, unless another follows. */
  private isAfterQuote = false;

  constructor(delimiter: number) {
    this.delimiter = delimiter;
  }

  /** One past the line end of each record that ends in `chunk`, counted from `baseBytes` before the chunk. */
  endsIn(chunk: Uint8Array, baseBytes: number): number[] {
    const { delimiter } = this;
    let { isQuoted, cellBegins, isAfterQuote } = this;
    const ends: number[] = [];
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (isQuoted) {
        isAfterQuote = byte === QUOTE;
        isQuoted = !isAfterQuote;
      } else if (byte === QUOTE && (cellBegins || isAfterQuote)) {
        isQuoted = true;
        cellBegins = false;
        isAfterQuote = false;
      } else {
        isAfterQuote = false;
        cellBegins = byte === delimiter || byte === LINE_FEED;
        if (byte === LINE_FEED) ends.push(baseBytes + i + 1);
      }
    }
    this.isQuoted = isQuoted;
    this.cellBegins = cellBegins;
    this.isAfterQuote = isAfterQuote;
    return ends;
  }
}

function textsOf(bytes: Buffer, ends: readonly number[], offsetBytes: number): FoundRecord[] {
  const whole = isAscii(bytes) ? bytes.toString('latin1') : null;
  let start = 0;
  return ends.map((end) => {
    const textEnd = lineEnd(bytes, start, end);
    const text = whole?.slice(start, textEnd) ?? bytes.toString('utf8', start, textEnd);
    const found = { text, offsetBytes: offsetBytes + start, endBytes: offsetBytes + end };
    start = end;
    return found;
  });
}

/** Where the record's text ends: before `\n` and `\r\n`. */
function lineEnd(bytes: Buffer, start: number, end: number): number {
  const feed = end > start && bytes[end - 1] === LINE_FEED ? end - 1 : end;
  return feed > start && feed < end && bytes[feed - 1] === CARRIAGE_RETURN ? feed - 1 : feed;
}
