/**
 * The codec of a kind: generated (one function per row type and direction) where the process may
 * compile code, interpreted where it may not (control plane) or where a test asks for it.
 */
import { CodeWriter, canGenerateCode } from '../base/code-writer.ts';
import { typeMismatch, type Kind } from './kind.ts';
import type { ClusterError } from '../protocol/errors.ts';
import type { Codec } from './type-descriptor.ts';

let generating: boolean | null = null;

/** Chooses between generated and interpreted codecs for types used from now on; null: as the process allows. */
export function useGeneratedCodecs(wanted: boolean | null): void {
  generating = wanted;
}

/** Whether codecs made now are generated. */
export function generatesCodecs(): boolean {
  generating ??= canGenerateCode();
  return generating;
}

/** The codec for values of `kind`. `encode` throws TYPE_MISMATCH naming the path of a part that does not fit. */
export function codecOf(kind: Kind): Codec<unknown> {
  return generatesCodecs() ? generatedCodec(kind) : interpretedCodec(kind);
}

/** The specification. */
export function interpretedCodec(kind: Kind): Codec<unknown> {
  return {
    encode(value, sink) {
      const mismatch = kind.mismatch(value, '$');
      if (mismatch !== null) throw typeMismatch(mismatch);
      kind.encode(value, sink);
    },
    decode: (source) => kind.decode(source),
    copy(value) {
      try {
        return kind.copy(value);
      } catch (error) {
        throw copyFailure(kind, value, error);
      }
    },
  };
}

/** The same as straight code. */
export function generatedCodec(kind: Kind): Codec<unknown> {
  const writer = new CodeWriter();
  const fail = (root: unknown): ClusterError => typeMismatch(kind.mismatch(root, '$') ?? `$: ${kind.name} changed while it was encoded`);
  writer.line(`const fail = ${writer.constant('fail', fail)};`);
  writer.block('function encode(root, sink)', () => kind.emitEncode(writer, 'root'));
  writer.block('function decode(source)', () => writer.line(`return ${kind.emitDecode(writer)};`));
  const failCopy = writer.constant('copyFailure', (root: unknown, error: unknown) => copyFailure(kind, root, error));
  writer.block('function copy(root)', () => {
    writer.block('try', () => writer.line(`return ${kind.emitCopy(writer, 'root')};`));
    writer.block('catch (error)', () => writer.line(`throw ${failCopy}(root, error);`));
  });
  writer.line('return { encode, decode, copy };');
  return writer.build(`codec/${kind.name.slice(0, SOURCE_NAME_LENGTH_MAX).replace(/\s+/g, ' ')}`) as Codec<unknown>;
}

/** A copy does not look at what it does not copy: only where it fails is the value checked. */
function copyFailure(kind: Kind, value: unknown, error: unknown): unknown {
  const mismatch = kind.mismatch(value, '$');
  return mismatch === null ? error : typeMismatch(mismatch);
}

const SOURCE_NAME_LENGTH_MAX = 80;
