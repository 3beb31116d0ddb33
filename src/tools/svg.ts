// Owns what hand-written charts have in common: page, colours for light and dark, scales, ticks, text. Knows no chart.

/** A value → a place on the picture. */
export type Scale = (value: number) => number

export interface Frame {
  readonly width: number
  readonly height: number
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

const STYLE = `
  :root { color-scheme: light dark }
  svg { --ink: #1c2430; --dim: #5d6875; --line: #dfe3e8; --page: #ffffff; --a: #0b6bcb; --b: #c2410c; --c: #15803d; \
--d: #7c3aed; --e: #0e7490; --f: #be185d; --good: #15803d; --bad: #b91c1c }
  @media (prefers-color-scheme: dark) { svg { --ink: #e8ecf1; --dim: #9aa7b5; --line: #333d49; --page: #12171d; \
--a: #5cb0ff; --b: #ff9a5c; --c: #5ed68a; --d: #b79bff; --e: #4fd1c5; --f: #ff8ac0; --good: #5ed68a; --bad: #ff7b72 } }
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--ink) }
  .title { font-size: 17px; font-weight: 600 }
  .dim { fill: var(--dim); font-size: 12px }
  .middle { text-anchor: middle }
  .end { text-anchor: end }
  .page { fill: var(--page) }
  .grid { stroke: var(--line); stroke-width: 1 }
  .axis { stroke: var(--dim); stroke-width: 1 }
  .curve { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round }
  .target { stroke: var(--good); stroke-width: 1.5; stroke-dasharray: 6 4 }
  .good { fill: var(--good) }
  .bad { fill: var(--bad) }
`

/** Colours of curves and bars, which a page has in a light and a dark variant. */
export const HUES = ['--a', '--b', '--c', '--d', '--e', '--f'] as const

export const hue = (index: number): string => `var(${HUES[index % HUES.length] ?? '--a'})`

export function svgPage(width: number, height: number, title: string, description: string, body: string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" \
role="img" aria-labelledby="title description">`,
    `<title id="title">${escapeXml(title)}</title>`,
    `<desc id="description">${escapeXml(description)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="page" width="${width}" height="${height}"/>`,
    ...body,
    '</svg>',
    '',
  ].join('\n')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Also without what XML does not allow at all. */
export function escapeXml(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\uFFFE\uFFFF]/gu, ' ').replace(/[&<>"']/g, (each) => ENTITIES[each] ?? '')
}

export function text(x: number, y: number, words: string, classes = ''): string {
  return `<text x="${place(x)}" y="${place(y)}"${classes === '' ? '' : ` class="${classes}"`}>${escapeXml(words)}</text>`
}

export function line(x1: number, y1: number, x2: number, y2: number, classes: string): string {
  return `<line x1="${place(x1)}" y1="${place(y1)}" x2="${place(x2)}" y2="${place(y2)}" class="${classes}"/>`
}

export function curve(points: readonly (readonly [number, number])[], colour: string): string {
  return `<polyline class="curve" stroke="${colour}" points="${points.map(([x, y]) => `${place(x)},${place(y)}`).join(' ')}"/>`
}

export const place = (value: number): string => String(Math.round(value * 10) / 10)

export function linear(from: number, to: number, begin: number, end: number): Scale {
  return (value) => begin + ((value - from) / (to - from || 1)) * (end - begin)
}

/** By powers of ten; what is below `from` is drawn there. */
export function logarithmic(from: number, to: number, begin: number, end: number): Scale {
  const inner = linear(Math.log10(from), Math.log10(to), begin, end)
  return (value) => inner(Math.log10(Math.min(to, Math.max(from, value))))
}

/** Powers of ten that enclose the values above zero. */
export function decades(values: readonly number[]): {
  readonly from: number
  readonly to: number
  readonly ticks: number[]
} {
  const positive = values.filter((value) => value > 0)
  const low = Math.floor(Math.log10(Math.min(...positive, 1)))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive, 1))))
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index))
  return { from: 10 ** low, to: 10 ** high, ticks }
}

/** Of a duration in ms. */
export function shortDuration(ms: number): string {
  if (ms >= 1_000) return `${trim(ms / 1_000)} s`
  return ms >= 1 || ms === 0 ? `${trim(ms)} ms` : `${trim(ms * 1_000)} µs`
}

/** Three figures. */
const trim = (value: number): string => String(Number(value.toPrecision(3)))
