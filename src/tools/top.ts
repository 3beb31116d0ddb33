// Owns the course of `respool top`: ask at every interval, show what was answered, on a screen or in lines, until it is
// enough.

import { FullScreen, type KeyInput, type ScreenOutput, type SignalSource } from './full-screen.js'
import type { Endpoint } from './pool-endpoint.js'
import { printableLines, type Screen } from './terminal.js'
import type { TopDocument } from './top-document.js'
import { plainLines } from './top-lines.js'
import { Sampler } from './top-sampler.js'
import type { Sort } from './top-spec.js'
import { viewLines } from './top-view.js'

export interface TopOptions {
  readonly url: string | undefined
  /** Of an authority to trust, in PEM. */
  readonly ca?: string | undefined
  readonly endpoints: readonly Endpoint[]
  /** Between two refreshes, in ms. */
  readonly interval: number
  readonly sort: Sort
  readonly once: boolean
  readonly signal: AbortSignal
}

/** Between the two looks of `once`, in ms. */
const BETWEEN_LOOKS = 1_000

/** Hands each moment over until the signal is aborted; gives the last one. */
export async function watch(
  options: TopOptions,
  show: (document: TopDocument) => void,
): Promise<TopDocument | undefined> {
  const { url, ca, endpoints, interval, once, signal } = options
  await using sampler = new Sampler(url, ca, endpoints, signal)
  let document: TopDocument | undefined
  while (!signal.aborted) {
    const begun = performance.now()
    const next = once ? await lookTwice(sampler, signal) : await sampler.sample()
    if (signal.aborted) break
    document = next
    show(document)
    if (once) break
    await pause(interval - (performance.now() - begun), signal)
  }
  return document
}

/** Rates, and what ails a pool, show only between two looks. */
async function lookTwice(sampler: Sampler, signal: AbortSignal): Promise<TopDocument> {
  const first = await sampler.sample()
  if (!isReached(first)) return first
  await pause(BETWEEN_LOOKS, signal)
  return signal.aborted ? first : sampler.sample('waited for')
}

/** Whether at least something answered. */
export function isReached({ server, pools }: TopDocument): boolean {
  return server?.state === 'there' || pools.some((endpoint) => 'pools' in endpoint)
}

/** In lines, or a JSON document a line. */
export function linesOf(document: TopDocument, sort: Sort, json: boolean): string {
  return json ? printableLines(JSON.stringify(document)) : plainLines(document, sort).join('\n')
}

export interface TopScreen {
  readonly out: ScreenOutput
  readonly input: KeyInput
  readonly process: SignalSource
  readonly colour: boolean
}

const SORT_KEYS: Readonly<Record<string, Sort>> = { c: 'count', a: 'age', i: 'idle', m: 'memory', n: 'name' }
const HISTORY = 60
/** How often the age of what is shown is looked at, in ms. */
const CLOCK = 250

/** Until `q` is typed or the signal is aborted. The terminal is given back whatever happens. */
export async function watchOnScreen(options: TopOptions, { out, input, process, colour }: TopScreen): Promise<void> {
  const quit = new AbortController()
  const picture = new Picture(options.sort)
  const draw = () => full.draw(picture.lines(sizeOf(out, colour), out.rows || 24))
  const key = (typed: string) => {
    if (typed === 'q' || typed === 'Q') quit.abort()
    else if (picture.type(typed)) draw()
  }
  const full = new FullScreen(out, input, process, { key, redraw: draw })
  const clock = setInterval(draw, CLOCK)
  full.start()
  draw()
  try {
    const signal = AbortSignal.any([options.signal, quit.signal])
    await watch({ ...options, once: false, signal }, (document) => {
      picture.take(document)
      draw()
    })
  } finally {
    clearInterval(clock)
    full.stop()
  }
}

const sizeOf = ({ columns }: ScreenOutput, colour: boolean): Screen => ({
  columns: Math.max(20, columns || 80),
  colour,
})

/** What is on the screen, and what was typed to have it otherwise. */
class Picture {
  #document: TopDocument | undefined
  #taken = 0
  #sort: Sort
  #reverse = false
  #paused = false
  readonly #history: number[] = []

  constructor(sort: Sort) {
    this.#sort = sort
  }

  take(document: TopDocument): void {
    const { server } = document
    if (server?.state === 'there' && server.head !== null) this.#history.push(server.head.opsPerSecond)
    if (this.#history.length > HISTORY) this.#history.shift()
    if (this.#paused) return
    this.#document = document
    this.#taken = performance.now()
  }

  /** Whether the key meant something. */
  type(key: string): boolean {
    const sort = Object.hasOwn(SORT_KEYS, key) ? SORT_KEYS[key] : undefined
    if (sort !== undefined) this.#sort = sort
    else if (key === 'r') this.#reverse = !this.#reverse
    else if (key === ' ' || key === 'p') this.#paused = !this.#paused
    else return false
    return true
  }

  lines(screen: Screen, rows: number): string[] {
    if (this.#document === undefined) return ['respool top', 'connecting …']
    const state = {
      sort: this.#sort,
      reverse: this.#reverse,
      paused: this.#paused,
      history: this.#history,
      age: performance.now() - this.#taken,
    }
    return viewLines(this.#document, state, { screen, rows })
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, Math.max(0, milliseconds))
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
