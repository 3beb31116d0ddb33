// Owns how text gets onto a screen: results on stdout, progress on stderr, no wider and no more colourful than each
// of them can show. Knows nothing of what it prints.

import { styleText } from 'node:util'

/** What can be said on one stream. */
export interface Screen {
  readonly columns: number
  readonly colour: boolean
}

/** The part of a `tty.WriteStream` or a pipe that is needed here. */
export interface Sink {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan'

/** Wider lines are hard to read, and a pipe has no width of its own. */
const WIDEST = 100
const NARROWEST = 20
const CLEAR_LINE = '\r\u001B[2K'

export function screenOf(sink: Sink, env: NodeJS.ProcessEnv): Screen {
  const columns = (sink.isTTY ? sink.columns : undefined) || Number.parseInt(env.COLUMNS ?? '', 10) || WIDEST
  const colour = sink.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
  return { columns: Math.min(WIDEST, Math.max(NARROWEST, columns)), colour }
}

// What can move the cursor, colour, hide or reorder text; line breaks too.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

/** Text that came from elsewhere, a server for example, as it may be shown. In a JSON text it changes no value. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The same for text of several lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

export function paint(screen: Screen, style: Style | readonly Style[], text: string): string {
  if (!screen.colour || text === '') return text
  return styleText(typeof style === 'string' ? style : [...style], text, { validateStream: false })
}

const NO_CELL = /[\p{Mark}\p{Cf}]/u
const TWO_CELLS =
  /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F000}-\u{3FFFD}]|\p{Emoji_Presentation}/u

const cellsOf = (letter: string): number => (NO_CELL.test(letter) ? 0 : TWO_CELLS.test(letter) ? 2 : 1)

/** How many cells of a terminal the text takes: some letters take two and some none. */
export function cells(text: string): number {
  let sum = 0
  for (const letter of text) sum += cellsOf(letter)
  return sum
}

/** As much of the text as has room. */
export function beginning(text: string, room: number): string {
  let kept = ''
  let used = 0
  for (const letter of text) {
    used += cellsOf(letter)
    if (used > room) break
    kept += letter
  }
  return kept
}

/** Breaks at spaces; a word that is too long for a line is broken anywhere. Further lines are indented. */
export function wrap(text: string, columns: number, indent = ''): string[] {
  const lines: string[] = []
  let line = ''
  for (let word of text.split(' ')) {
    const room = () => columns - (lines.length === 0 ? 0 : indent.length)
    if (line !== '' && cells(line) + 1 + cells(word) > room()) {
      lines.push(line)
      line = ''
    }
    while (cells(word) > room()) {
      // At least one letter, however narrow the screen.
      const part = beginning(word, Math.max(1, room())) || String.fromCodePoint(word.codePointAt(0) ?? 0)
      lines.push(part)
      word = word.slice(part.length)
    }
    line = line === '' ? word : `${line} ${word}`
  }
  lines.push(line)
  return lines.map((each, index) => (index === 0 ? each : indent + each))
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** A bar that is `columns` long at `most`, in steps of an eighth; anything above zero shows. */
export function bar(value: number, most: number, columns: number): string {
  const eighths = most > 0 ? Math.max(value > 0 ? 1 : 0, Math.round((value / most) * columns * 8)) : 0
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '')
}

/** Whole numbers in groups of three; a small one with as many decimals as tell something. */
export function number(value: number): string {
  if (value >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(value >= 10 ? 1 : 2)
}

/** Result lines out, and one line of progress that never mixes with them. */
export class Terminal {
  readonly out: Screen
  readonly #stdout: Sink
  #stderr: Sink
  readonly #live: Screen | undefined
  #shown = false
  #last = ''

  constructor(stdout: Sink, stderr: Sink, env: NodeJS.ProcessEnv) {
    this.out = screenOf(stdout, env)
    this.#stdout = stdout
    this.#stderr = stderr
    this.#live = stderr.isTTY === true && env.TERM !== 'dumb' ? screenOf(stderr, env) : undefined
  }

  result(text: string): void {
    this.clear()
    this.#stdout.write(`${text}\n`)
  }

  /** In plain text, whoever wrote it. */
  complain(text: string): void {
    this.clear()
    this.#stderr.write(`${printableLines(text)}\n`)
  }

  /** What is being done. `detail` changes often, and is only for a screen that can take it back. */
  progress(text: string, detail = ''): void {
    if (this.#live === undefined) {
      if (text !== this.#last) this.#stderr.write(`${text}\n`)
    } else {
      const line = `${text} ${detail}`.trim().slice(0, this.#live.columns - 1)
      this.#stderr.write(CLEAR_LINE + paint(this.#live, 'dim', line))
      this.#shown = true
    }
    this.#last = text
  }

  /** From now on only results are said: nobody reads what is said beside them. */
  hush(): void {
    this.#stderr = { write: () => true }
  }

  /** Takes the line of progress back. */
  clear(): void {
    if (this.#shown) this.#stderr.write(CLEAR_LINE)
    this.#shown = false
  }
}
