export interface Block {
  /** The word after the fence: `ts`, `sh` … */
  language: string;
  code: string;
  /** The file that it stands in, relative to the root. */
  path: string;
  /** Line of the block's first line of code, counted from 1. */
  line: number;
  /** What a comment `<!-- test: … -->` right before the block says. */
  note: string;
}

/** The lines that `<!-- test: with … -->` puts before a block. */
export const withOf = ({ note }: Block): string => (/^with\s/.test(note) ? note.slice(4).trim() : '');

/** The fenced code blocks of a Markdown text, in order. */
export function codeBlocks(markdown: string, path: string): Block[] {
  const fence =
    /^(?<indent> *)(?<ticks>`{3,}|~{3,})(?<language>\S*).*\n(?<code>[^]*?)^\k<indent>\k<ticks> *$/gm;
  return [...markdown.matchAll(fence)].map(({ index, groups }) => {
    const { indent = '', language = '', code = '' } = groups ?? {};
    const before = markdown.slice(0, index);
    const [, note = ''] = /<!-- test:((?:(?!-->)[^])*)-->\s*$/.exec(before) ?? [];
    return {
      language,
      code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      path,
      line: before.split('\n').length + 1,
      note: note.trim(),
    };
  });
}

/** Where the links and pictures of a Markdown text lead, and the anchors that its headings are. */
export function linksOf(markdown: string): { links: string[]; anchors: ReadonlySet<string> } {
  const prose = codeBlocks(markdown, '').reduce((text, { code }) => text.replace(code, ''), markdown);
  const links = [...prose.matchAll(/\]\((\S+?)\)|^\[[^\]]+\]: (\S+)|\b(?:src|href)="([^"]+)"/gm)].map(
    ([, inline, reference, attribute]) => inline ?? reference ?? attribute ?? '',
  );
  const headings = [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => slugOf(heading));
  return { links, anchors: new Set(headings) };
}

/** As GitHub and npm make it. */
function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}
