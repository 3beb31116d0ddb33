// Owns what the dashboard answers: which path leads to what, and the streams that are open. Knows no server.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { type ConnectionPool, VERSION } from '../index.js'
import { PoolFeed } from './dashboard-feed.js'
import { pageFile } from './dashboard-files.js'
import { type Refusal, refuse, refuseStranger, SAFE_HEADERS } from './dashboard-guard.js'
import { LoopWatch } from './dashboard-loop.js'
import { COLUMNS, type PageEvent, type PoolsDocument, SCHEMA_VERSION } from './dashboard-messages.js'
import type { DashboardSettings } from './dashboard-options.js'
import { EventStream } from './dashboard-stream.js'

/** Streams at once; each is a page that is open. */
const MOST_STREAMS = 4

/** Pools that have ended, and are shown still. */
const MOST_ENDED = 32

/** Points in one message of the history. */
const HISTORY_PART = 60

const STREAM_TYPE = 'text/event-stream; charset=utf-8'

interface Content {
  readonly type: string
  readonly content: Buffer
}

/** What a request gets: a stream where it is a feed. */
type Answer = Refusal | Content | PoolFeed

const NOT_FOUND: Refusal = { status: 404, text: 'The dashboard has no such page.' }
const CLOSED: Refusal = { status: 410, text: 'The dashboard is closed.' }
const BUSY: Refusal = {
  status: 503,
  text: `The dashboard is open ${MOST_STREAMS} times already; close one of them.`,
  headers: { 'Retry-After': '5' },
}
const BROKEN: Refusal = { status: 500, text: 'The dashboard could not answer.' }

export class Site {
  readonly #settings: DashboardSettings
  readonly #loop = new LoopWatch()
  readonly #feeds = new Map<number, { readonly feed: PoolFeed; readonly stop: () => void }>()
  /** Those whose pools have ended, in the order of their ends. */
  readonly #ended = new Set<PoolFeed>()
  #nextId = 0
  readonly #streams = new Map<EventStream, { readonly feed: PoolFeed; readonly stopPulse: () => void }>()
  readonly #hosts: string[]
  #isClosed = false

  constructor(settings: DashboardSettings) {
    this.#settings = settings
    this.#hosts = [...settings.hosts]
    for (const pool of settings.pools) this.add(pool)
  }

  add(pool: ConnectionPool): void {
    if (this.#isClosed || this.#feedOf(pool) !== undefined) return
    const id = this.#nextId++
    const reader = this.#loop.reader()
    const feed = new PoolFeed(id, pool, reader)
    const stop = (): void => {
      feed.stop()
      this.#loop.forget(reader)
    }
    this.#feeds.set(id, { feed, stop })
    const event = ({ kind }: PageEvent): void => {
      if (kind === 'ended') this.#noteEnd(feed)
    }
    feed.follow({ point: () => {}, event })
    if (feed.isOver) this.#noteEnd(feed)
  }

  /** Its streams end. */
  remove(pool: ConnectionPool): void {
    const feed = this.#feedOf(pool)
    if (feed !== undefined) this.#drop(feed)
  }

  /** One more value of the Host header, in lower case. */
  answerFor(host: string): void {
    this.#hosts.push(host)
  }

  close(): void {
    this.#isClosed = true
    for (const stream of this.#streams.keys()) this.#end(stream)
    for (const { stop } of this.#feeds.values()) stop()
    this.#loop.stop()
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    for (const [name, value] of Object.entries(SAFE_HEADERS)) response.setHeader(name, value)
    try {
      const answer = refuse(request, { hosts: this.#hosts }) ?? this.#answerTo(request)
      if (answer instanceof PoolFeed) this.#stream(answer, response)
      else write(response, answer)
    } catch {
      // What went wrong may hold anything, and is not for whoever asks.
      if (response.headersSent) response.destroy()
      else write(response, BROKEN)
    }
  }

  #feedOf(pool: ConnectionPool): PoolFeed | undefined {
    return this.#all().find((feed) => feed.pool === pool)
  }

  #all(): PoolFeed[] {
    return Array.from(this.#feeds.values(), ({ feed }) => feed)
  }

  #noteEnd(feed: PoolFeed): void {
    this.#ended.add(feed)
    const [oldest] = this.#ended
    if (this.#ended.size > MOST_ENDED && oldest !== undefined) this.#drop(oldest)
  }

  #drop(feed: PoolFeed): void {
    this.#feeds.get(feed.id)?.stop()
    this.#feeds.delete(feed.id)
    this.#ended.delete(feed)
    for (const [stream, of] of this.#streams) if (of.feed === feed) this.#end(stream)
  }

  #end(stream: EventStream): void {
    this.#streams.get(stream)?.stopPulse()
    stream.end()
  }

  #answerTo(request: IncomingMessage): Answer {
    const { base, token } = this.#settings
    const [target = '', query = ''] = (request.url ?? '').split('?', 2)
    if (base !== '' && target !== base && !target.startsWith(`${base}/`)) return NOT_FOUND
    const path = target.slice(base.length)
    const folder = folderWithoutSlash(request)
    // The page names its parts by where it lies.
    if (folder !== undefined && (path === '' || path === '/')) return redirect(folder)
    const file = pageFile(path)
    if (file !== undefined) return file
    if (path !== '/api/pools' && path !== '/api/stream') return NOT_FOUND
    const refusal = refuseStranger(request, token)
    if (refusal !== undefined) return refusal
    if (this.#isClosed) return CLOSED
    if (path === '/api/pools') return this.#document()
    const feed = this.#asked(new URLSearchParams(query).get('pool'))
    if (feed === undefined) return NOT_FOUND
    if (request.method === 'HEAD') return { type: STREAM_TYPE, content: Buffer.alloc(0) }
    return this.#streams.size < MOST_STREAMS ? feed : BUSY
  }

  /** The first where none is asked for. */
  #asked(id: string | null): PoolFeed | undefined {
    if (id === null) return this.#all()[0]
    return /^\d{1,15}$/.test(id) ? this.#feeds.get(Number(id))?.feed : undefined
  }

  #document(): Content {
    const pools = this.#all().map((feed) => ({ stats: feed.pool.stats(), advice: feed.advice() }))
    const document: PoolsDocument = { schemaVersion: SCHEMA_VERSION, pools }
    return { type: 'application/json; charset=utf-8', content: Buffer.from(JSON.stringify(document)) }
  }

  #stream(feed: PoolFeed, response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': STREAM_TYPE, 'X-Accel-Buffering': 'no' })
    const stream = new EventStream(response)
    const summaries = () => this.#all().map(({ summary }) => summary)
    const unfollow = feed.follow({
      point: (row) => {
        stream.send('points', [row])
        stream.send('news', feed.news(summaries()))
      },
      event: (event) => {
        stream.send('events', [event])
        if (event.kind === 'ended') stream.send('news', feed.news(summaries()))
      },
    })
    // A pool that has ended has no more points; its reader hears that we are there.
    const pulse = setInterval(() => {
      if (feed.isOver) stream.send('news', feed.news(summaries()))
    }, feed.interval)
    this.#streams.set(stream, { feed, stopPulse: () => clearInterval(pulse) })
    response.on('close', () => {
      clearInterval(pulse)
      unfollow()
      this.#streams.delete(stream)
    })
    const { interval } = feed
    const selected = feed.id
    stream.send('hello', { schemaVersion: SCHEMA_VERSION, version: VERSION, selected, interval, columns: COLUMNS })
    stream.send('news', feed.news(summaries()))
    const rows = feed.rows()
    for (let at = 0; at < rows.length; at += HISTORY_PART) stream.send('points', rows.slice(at, at + HISTORY_PART))
    const events = feed.events()
    if (events.length > 0) stream.send('events', events)
  }
}

/** Node.js leaves the content out where HEAD asks. */
function write(response: ServerResponse, answer: Refusal | Content): void {
  if ('content' in answer) {
    const { type, content } = answer
    response.writeHead(200, { 'Content-Type': type, 'Content-Length': content.length }).end(content)
    return
  }
  const content = Buffer.from(`${answer.text}\n`)
  const type = 'text/plain; charset=utf-8'
  response.writeHead(answer.status, { ...answer.headers, 'Content-Type': type, 'Content-Length': content.length })
  response.end(content)
}

/** Only the last part of the path is named, so that it leads to no other place. */
function redirect(folder: string): Refusal {
  return { status: 308, text: 'The page has a slash at its end.', headers: { Location: `./${folder}/` } }
}

/** `respool` of `/tools/respool`; undefined with a slash at the end. Express leaves the whole path in `originalUrl`. */
function folderWithoutSlash(request: IncomingMessage): string | undefined {
  const whole: unknown = Reflect.get(request, 'originalUrl') ?? request.url
  return /(?:^|\/)([\w.~-]+)$/.exec(String(whole).split('?', 1)[0] ?? '')?.[1]
}
