/** Formats of files, as values for `fileSource` and `fileSink`. */
import { csvFormat } from '../formats/csv.ts';
import { jsonLinesFormat, textFormat } from '../formats/lines.ts';
import type { FileFormat } from '../graph/file-formats.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { invalidOption } from './option-checks.ts';

/** A CSV record longer than this fails the job, naming file and offset: most likely a quote is not closed. */
const CSV_RECORD_SIZE_BYTES_MAX = 1024 * 1024;

/** Options of `formats.jsonLines`. */
export interface JsonLinesOptions<T> {
  /** What each line holds. Without it anything. */
  readonly type?: TypeDescriptor<T>;
  /** Leave out lines that cannot be read, and count them as `numRecordsInErrors`, instead of failing. */
  readonly ignoreParseErrors?: boolean;
}

/** Options of `formats.csv`. */
export interface CsvOptions<T> {
  /** A `t.object` or `t.tuple`. Without it records are texts: objects if the columns have names, else arrays. */
  readonly type?: TypeDescriptor<T>;
  /** The first record of each file names the columns. */
  readonly header?: boolean;
  /** Names of the columns. By default those of the header, or the fields of the type. */
  readonly columns?: readonly string[];
  /** One ASCII character; default a comma. */
  readonly delimiter?: string;
  /** Leave out records that cannot be read, and count them as `numRecordsInErrors`, instead of failing. */
  readonly ignoreParseErrors?: boolean;
  /** Default 1 MiB. A longer record fails the job. */
  readonly recordSizeBytesMax?: number;
}

/** What may be in files. */
export const formats = {
  /** Lines. */
  text: (): FileFormat<string> => textFormat(),
  /** A JSON value on each line, as `rows.json` writes them. */
  jsonLines: <T>({ type, ignoreParseErrors = false }: JsonLinesOptions<T> = {}): FileFormat<T> => jsonLinesFormat(type, ignoreParseErrors),
  /** CSV as RFC 4180 has it, as `rows.csv` writes it. A file is read as a whole, since quoted cells may hold line ends. */
  csv: <T = readonly string[]>(options: CsvOptions<T> = {}): FileFormat<T> => {
    const { type = null, header = false, columns = null, delimiter = ',', ignoreParseErrors: skipsErrors = false } = options;
    const { recordSizeBytesMax = CSV_RECORD_SIZE_BYTES_MAX } = options;
    if (delimiter.length !== 1 || delimiter.charCodeAt(0) > 127 || '"\r\n'.includes(delimiter)) {
      throw invalidOption('formats.csv', 'delimiter', delimiter, 'one ASCII character, neither a quote nor a line end');
    }
    const kind = type?.schema['type'];
    if (type !== null && kind !== 'object' && kind !== 'tuple') {
      throw invalidOption('formats.csv', 'type', type.name, 'a t.object or t.tuple');
    }
    return csvFormat({ type, header, columns, delimiter, skipsErrors, recordSizeBytesMax });
  },
};
