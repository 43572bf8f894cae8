import type { Parser } from 'prettier';
import { parsers } from 'prettier/plugins/yaml';

interface Node {
  readonly type: string;
  readonly value?: string;
  readonly anchor?: { readonly value: string } | null;
  readonly children?: readonly (Node | null)[];
}

/** What a YAML text says: mappings, sequences, and every scalar as text. */
export async function parseYaml(text: string): Promise<unknown> {
  const anchors = new Map<string, unknown>();
  const parser = parsers.yaml as Parser<Node>;
  // It needs no options.
  return valueOf(await parser.parse(text, {} as never), anchors);
}

function valueOf(node: Node | null | undefined, anchors: Map<string, unknown>): unknown {
  if (!node) return undefined;
  const value = contentOf(node, anchors);
  if (node.anchor) anchors.set(node.anchor.value, value);
  return value;
}

function contentOf({ type, value, children = [] }: Node, anchors: Map<string, unknown>): unknown {
  const inner = children.map((child) => () => valueOf(child, anchors));
  switch (type) {
    case 'mapping':
    case 'flowMapping':
      return Object.fromEntries(inner.map((item) => item() as [string, unknown]));
    case 'mappingItem':
    case 'flowMappingItem':
      return inner.map((part) => part());
    case 'sequence':
    case 'flowSequence':
      return inner.map((item) => item());
    case 'alias':
      return anchors.get(value ?? '');
    case 'plain':
    case 'quoteSingle':
    case 'quoteDouble':
      return value;
    case 'null':
      return undefined;
    case 'root':
    case 'document':
    case 'documentHead':
    case 'documentBody':
    case 'mappingKey':
    case 'mappingValue':
    case 'sequenceItem':
    case 'flowSequenceItem':
      return inner.map((child) => child()).find((content) => content !== undefined);
    default:
      throw new Error(`A ${type} is not read here.`);
  }
}
