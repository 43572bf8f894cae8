export interface Block {
  /** The word after the fence: `ts`, `sh` … */
  language: string;
  code: string;
  /** Line of the block's first line of code, counted from 1. */
  line: number;
  /** What a comment `<!-- test: … -->` right before the block says. */
  note: string;
}

/** The fenced code blocks of a Markdown text, in order. */
export function codeBlocks(markdown: string): Block[] {
  const fence =
    /^(?<indent> *)(?<ticks>`{3,}|~{3,})(?<language>\S*).*\n(?<code>[^]*?)^\k<indent>\k<ticks> *$/gm;
  return [...markdown.matchAll(fence)].map(({ index, groups }) => {
    const { indent = '', language = '', code = '' } = groups ?? {};
    const before = markdown.slice(0, index);
    const [, note = ''] = /<!-- test:((?:(?!-->)[^])*)-->\s*$/.exec(before) ?? [];
    return {
      language,
      code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      line: before.split('\n').length + 1,
      note: note.trim(),
    };
  });
}
