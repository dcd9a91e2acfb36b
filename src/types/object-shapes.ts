/**
 * Shapes of plain objects, learned as they come: a tree over field names in their order, so that finding
 * an object's shape costs one comparison a field while neighbours look alike.
 *
 *     { word, count }   root ─word─► ─count─► shape 0
 *     { word, at }             └─at─► shape 1
 *
 * The first occurrence of a shape writes its names, later ones its number; reader and writer count alike.
 * Where code may be generated, a shape reads its objects with one literal (one hidden class), else field by field.
 */
import { CodeWriter } from '../base/code-writer.ts';
import { generatesCodecs } from './codec.ts';
import type { ByteSource } from './type-descriptor.ts';

/** Shapes beyond are written with their names each time: objects used as dictionaries have no shape. */
export const SHAPES_MAX = 1024;
/** Objects with more fields are dictionaries. */
const SHAPE_FIELDS_MAX = 64;
const NODES_MAX = 16 * SHAPES_MAX;

/** Writes or reads one value of any kind. */
export type ReadValue = (source: ByteSource) => unknown;

class ShapeNode {
  /** Number of the shape that ends here; -1 when none was learned. */
  shape = -1;
  /** The child that was taken last. */
  lastKey = '';
  lastChild: ShapeNode | null = null;
  readonly children = new Map<string, ShapeNode>();
}

/** The writer's side. */
export class ShapeTree {
  private readonly root = new ShapeNode();
  private nodes = 1;
  private shapes = 0;
  /** Set by `find` when the shape was new. */
  learned = false;

  /** No shape has been learned. */
  get isEmpty(): boolean {
    return this.shapes === 0;
  }

  /** The number of the shape of `value`; -1 when it has none (too many fields, or too many shapes). */
  find(value: object): number {
    this.learned = false;
    let node: ShapeNode | null = this.root;
    for (const key in value) {
      node = node.lastKey === key ? node.lastChild : this.child(node, key);
      if (node === null) return -1;
    }
    return node.shape >= 0 ? node.shape : this.learn(node, value);
  }

  private child(node: ShapeNode, key: string): ShapeNode | null {
    let child = node.children.get(key);
    if (child === undefined) {
      if (this.nodes >= NODES_MAX || key === '') return null; // The empty key marks an unused node.
      this.nodes++;
      child = new ShapeNode();
      node.children.set(key, child);
    }
    node.lastKey = key;
    node.lastChild = child;
    return child;
  }

  private learn(node: ShapeNode, value: object): number {
    if (this.shapes >= SHAPES_MAX || Object.keys(value).length > SHAPE_FIELDS_MAX) return -1;
    node.shape = this.shapes++;
    this.learned = true;
    return node.shape;
  }
}

/** Makes the function that reads the fields of a shape, in order, into a fresh object. */
export function shapeReader(names: readonly string[], readValue: ReadValue): ReadValue {
  return generatesCodecs() ? generatedReader(names, readValue) : interpretedReader(names, readValue);
}

function interpretedReader(names: readonly string[], readValue: ReadValue): ReadValue {
  return (source) => {
    const value: Record<string, unknown> = {};
    for (const name of names) value[name] = readValue(source);
    return value;
  };
}

function generatedReader(names: readonly string[], readValue: ReadValue): ReadValue {
  const writer = new CodeWriter();
  const read = writer.constant('readValue', readValue);
  const fields = names.map((name) => `${JSON.stringify(name)}: ${read}(source)`);
  writer.line(`return (source) => ({ ${fields.join(', ')} });`);
  return writer.build('shape') as ReadValue;
}
