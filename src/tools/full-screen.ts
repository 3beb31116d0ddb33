// Owns a terminal that shows one picture: the other screen, no cursor, keys one by one; and everything as it was before
// when that ends, however it ends. Knows nothing of the picture.

import type { Sink } from './terminal.js'

/** The part of a `tty.WriteStream` that is needed here. */
export interface ScreenOutput extends Sink {
  readonly rows?: number
  on(event: 'resize', listener: () => void): unknown
  off(event: 'resize', listener: () => void): unknown
}

/** The part of a `tty.ReadStream` that is needed here. */
export interface KeyInput {
  readonly isTTY?: boolean
  setRawMode?(raw: boolean): unknown
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
  off(event: 'data', listener: (chunk: Buffer) => void): unknown
  resume(): unknown
  pause(): unknown
}

type ProcessEvent = 'exit' | 'SIGTSTP' | 'SIGCONT' | 'SIGQUIT' | 'SIGHUP'

/** The part of `process` that is needed here. */
export interface SignalSource {
  readonly pid: number
  on(event: ProcessEvent, listener: () => void): unknown
  off(event: ProcessEvent, listener: () => void): unknown
  kill(pid: number, signal: NodeJS.Signals): unknown
}

export interface ScreenEvents {
  /** A key that is no signal, as it was typed. */
  key(key: string): void
  /** The picture has to be drawn anew: another size, or back from the background. */
  redraw(): void
}

// The other screen; no cursor; lines that are too long are cut, not broken.
const ENTER = '\u001B[?1049h\u001B[?25l\u001B[?7l\u001B[2J'
const LEAVE = '\u001B[?7h\u001B[?25h\u001B[?1049l'
const HOME = '\u001B[H'
const END_OF_LINE = '\u001B[K'
const END_OF_SCREEN = '\u001B[J'

/** In raw mode the terminal makes no signals of these. */
const SIGNALS: Readonly<Record<string, NodeJS.Signals>> = {
  '\u0003': 'SIGINT',
  '\u001C': 'SIGQUIT',
  '\u001A': 'SIGTSTP',
}

export class FullScreen {
  readonly #out: ScreenOutput
  readonly #in: KeyInput
  readonly #process: SignalSource
  readonly #events: ScreenEvents
  #entered = false
  #drawn = ''

  constructor(out: ScreenOutput, input: KeyInput, source: SignalSource, events: ScreenEvents) {
    this.#out = out
    this.#in = input
    this.#process = source
    this.#events = events
  }

  /** Shows the picture from now on. */
  start(): void {
    this.#process.on('exit', this.#leave)
    this.#process.on('SIGTSTP', this.#suspend)
    this.#process.on('SIGCONT', this.#resume)
    this.#process.on('SIGQUIT', this.#quit)
    this.#process.on('SIGHUP', this.#hangUp)
    this.#out.on('resize', this.#resized)
    this.#enter()
  }

  /** Gives the terminal back as it was. */
  stop(): void {
    this.#leave()
    this.#process.off('exit', this.#leave)
    this.#process.off('SIGTSTP', this.#suspend)
    this.#process.off('SIGCONT', this.#resume)
    this.#process.off('SIGQUIT', this.#quit)
    this.#process.off('SIGHUP', this.#hangUp)
    this.#out.off('resize', this.#resized)
  }

  /** Writes nothing where nothing has changed. */
  draw(lines: readonly string[]): void {
    const picture = HOME + lines.map((line) => line + END_OF_LINE).join('\r\n') + END_OF_SCREEN
    if (!this.#entered || picture === this.#drawn) return
    this.#drawn = picture
    this.#out.write(picture)
  }

  #enter(): void {
    if (this.#entered) return
    this.#entered = true
    this.#drawn = ''
    if (this.#in.isTTY) {
      this.#in.setRawMode?.(true)
      this.#in.on('data', this.#typed)
      this.#in.resume()
    }
    this.#out.write(ENTER)
  }

  readonly #leave = (): void => {
    if (!this.#entered) return
    this.#entered = false
    this.#out.write(LEAVE)
    if (this.#in.isTTY) {
      this.#in.off('data', this.#typed)
      this.#in.setRawMode?.(false)
      this.#in.pause()
    }
  }

  readonly #typed = (chunk: Buffer): void => {
    for (const key of chunk.toString('latin1')) {
      const signal = Object.hasOwn(SIGNALS, key) ? SIGNALS[key] : undefined
      if (signal === undefined) this.#events.key(key)
      else this.#process.kill(this.#process.pid, signal)
    }
  }

  readonly #suspend = (): void => {
    this.#leave()
    this.#process.kill(this.#process.pid, 'SIGSTOP')
  }

  readonly #resume = (): void => {
    this.#enter()
    this.#events.redraw()
  }

  readonly #quit = (): void => this.#endBy('SIGQUIT')

  readonly #hangUp = (): void => this.#endBy('SIGHUP')

  /** These end a process without an `exit`; they still do, once the terminal is given back as far as there is one. */
  #endBy(signal: 'SIGQUIT' | 'SIGHUP'): void {
    try {
      this.stop()
    } finally {
      this.#process.kill(this.#process.pid, signal)
    }
  }

  readonly #resized = (): void => {
    this.#drawn = ''
    this.#events.redraw()
  }
}
