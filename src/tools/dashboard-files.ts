// Owns what the page is made of: which files there are, and what they are. Nothing else can be asked for.

import { readFileSync } from 'node:fs'

const FOLDER = new URL('./dashboard-page/', import.meta.url)

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

/** By the path below the base; the build puts uPlot's beside ours. */
const FILES: ReadonlyMap<string, string> = new Map([
  ['/', 'index.html'],
  ...['app.js', 'advice.js', 'charts.js', 'dom.js', 'format.js', 'log.js', 'now.js', 'states.js'].map(asItself),
  ...['stream.js', 'tables.js', 'app.css', 'icon.svg', 'uplot.css', 'uplot.js'].map(asItself),
])

export interface PageFile {
  readonly type: string
  readonly content: Buffer
}

const read = new Map<string, PageFile>()

export function pageFile(path: string): PageFile | undefined {
  const name = FILES.get(path)
  if (name === undefined) return undefined
  const known = read.get(name)
  if (known !== undefined) return known
  const type = TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
  const file = { type, content: readFileSync(new URL(name, FOLDER)) }
  read.set(name, file)
  return file
}

function asItself(name: string): [string, string] {
  return [`/${name}`, name]
}
