/**
 * The relative links of a Markdown text that lead nowhere: no such file, or no such heading in it. `read` gives the
 * text of a linked file, '' for a file that has no headings, `undefined` where there is none; path '' is the page
 * itself. Links within code are examples and are not followed.
 */
export function deadLinks(text: string, read: (path: string) => string | undefined): string[] {
  return linksOf(text).filter((link) => {
    const [path, anchor] = decodeURI(link).split('#') as [string, string | undefined];
    const target = read(path);
    if (target === undefined) return true;
    return anchor !== undefined && !slugsOf(target).has(anchor);
  });
}

function linksOf(text: string): string[] {
  const prose = withoutFences(text).replaceAll(/`[^`\n]*`/g, '');
  const inline = [...prose.matchAll(/\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)?)(?:\s+"[^"]*")?\)/g)];
  const defined = [...prose.matchAll(/^\[[^\]]+\]:\s+(\S+)/gm)];
  return [...inline, ...defined].map((match) => match[1]!).filter((link) => !/^(?:[a-z]+:|\/\/)/.test(link));
}

/** The anchors that GitHub makes of the headings of a page. A repeated heading gets -1, -2 and so on. */
export function slugsOf(text: string): Set<string> {
  const slugs = new Set<string>();
  for (const [, heading] of withoutFences(text).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const slug = heading!
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-');
    let unique = slug;
    for (let i = 1; slugs.has(unique); i++) unique = `${slug}-${i}`;
    slugs.add(unique);
  }
  return slugs;
}

function withoutFences(text: string): string {
  return text.replaceAll(/^([ \t]*)(```+|~~~+)[\s\S]*?^\1\2[ \t]*$/gm, '');
}
