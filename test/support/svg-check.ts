// Whether a text is SVG that a browser would take: tags that close in order, attributes in quotes, no bare signs.

import assert from 'node:assert/strict'

export function assertWellFormed(svg: string): void {
  const open: string[] = []
  for (const [, text = '', slash = '', name = '', rest = '', self = ''] of svg.matchAll(
    /([^<]*)<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/gi,
  )) {
    assert.doesNotMatch(text.replace(/&(?:amp|lt|gt|quot|#\d+);/g, ''), /[&<>]/, 'a bare sign')
    assert.doesNotMatch(rest, /NaN|Infinity|undefined/, rest)
    if (slash === '/') assert.equal(open.pop(), name)
    else if (self === '') open.push(name)
  }
  assert.deepEqual(open, [])
  const left = svg.replace(/([^<]*)<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/gi, '').trim()
  assert.equal(left, '', 'something is no tag')
  assert.match(svg, /@media \(prefers-color-scheme: dark\)/)
  assert.doesNotMatch(svg, /https?:(?!\/\/www\.w3\.org\/2000\/svg)|<script/)
}
