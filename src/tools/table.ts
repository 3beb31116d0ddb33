// Owns tables and rows of small bars on a screen of any width: what has no room is left out, the least important first.

import { beginning, cells, paint, printable, type Screen, type Style } from './terminal.js'

/** Printable, cut to the room there is, with `…` where something is missing. */
export function cut(text: string, room: number): string {
  const safe = printable(text)
  if (cells(safe) <= room) return safe
  const kept = beginning(safe, room - 1)
  return room > 0 ? `${kept}…` : ''
}

function padded(text: string, room: number, align: 'left' | 'right'): string {
  const short = cut(text, room)
  const space = ' '.repeat(Math.max(0, room - cells(short)))
  return align === 'left' ? short + space : space + short
}

export interface Column<Row> {
  readonly title: string
  readonly align: 'left' | 'right'
  /** In cells. The first column takes what is left as well. */
  readonly width: number
  /** The ones with the highest go first where there is no room. */
  readonly rank: number
  text(row: Row): string
  style?(row: Row): Style | undefined
}

const GAP = '  '

/** A line of titles and a line for each row, none wider than the screen. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], screen: Screen): string[] {
  const shown = fitting(columns, screen.columns)
  const fixed = shown.slice(1).reduce((sum, { width }) => sum + width + GAP.length, 0)
  const widthOf = (column: Column<Row>, index: number): number =>
    index === 0
      ? Math.min(Math.max(column.width, screen.columns - fixed), longest(column, rows, column.width))
      : column.width
  const line = (text: (column: Column<Row>) => string, style: (column: Column<Row>) => Style | undefined): string =>
    shown
      .map((column, index) => {
        const cell = padded(text(column), widthOf(column, index), column.align)
        const painted = style(column)
        return painted === undefined ? cell : paint(screen, painted, cell)
      })
      .join(GAP)
  return [
    line(
      ({ title }) => title,
      () => 'dim',
    ),
    ...rows.map((row) =>
      line(
        (column) => column.text(row),
        (column) => column.style?.(row),
      ),
    ),
  ]
}

function longest<Row>(column: Column<Row>, rows: readonly Row[], least: number): number {
  return rows.reduce(
    (most, row) => Math.max(most, cells(printable(column.text(row)))),
    Math.max(least, column.title.length),
  )
}

function fitting<Row>(columns: readonly Column<Row>[], room: number): readonly Column<Row>[] {
  const byRank = [...columns].sort((a, b) => a.rank - b.rank)
  const kept = new Set<Column<Row>>()
  let used = -GAP.length
  for (const column of byRank) {
    used += column.width + GAP.length
    if (used > room && kept.size > 0) break
    kept.add(column)
  }
  return columns.filter((column) => kept.has(column))
}

/** Short texts side by side, on as many lines as they need. */
export function flow(texts: readonly string[], room: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const text of texts.map((each) => cut(each, room))) {
    if (line !== '' && cells(line) + GAP.length + cells(text) > room) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? text : line + GAP + text
  }
  return line === '' ? lines : [...lines, line]
}

const STEPS = '▁▂▃▄▅▆▇█'

/** The last values as bars of one cell, the highest of them full. */
export function sparkline(values: readonly number[], room: number): string {
  const shown = values.slice(-room)
  const most = Math.max(0, ...shown)
  return shown
    .map((value) => STEPS[most > 0 ? Math.min(STEPS.length - 1, Math.floor((value / most) * STEPS.length)) : 0] ?? '')
    .join('')
}
