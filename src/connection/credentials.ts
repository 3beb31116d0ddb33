// Owns who connections log in as: a user's function, or a source that announces new credentials by itself. Knows no
// connection, and shows nothing of what it holds.

import { inspect } from 'node:util'
import { OptionError } from '../base/errors.js'
import { Secret } from '../base/option-table.js'
import type { Login } from './handshake.js'

/** Asked at each new connection, for credentials that rotate. */
export type CredentialsProvider = () => Login | Promise<Login>

/** A source of credentials that announces new ones, such as the streaming providers of `@redis/entraid`. */
export interface StreamingCredentials {
  /** Resolves to the credentials of now and a way to stop; the listener is told of each that follows. */
  subscribe(listener: {
    onNext: (login: Login) => void
    onError: (error: Error) => void
  }): Promise<readonly [Login, { dispose(): void }]>
  /** Told when the source has failed for good; the next connection subscribes anew. */
  onReAuthenticationError?: ((error: Error) => void) | undefined
}

/** What a pool does about credentials that change. */
export interface CredentialsFollower {
  /** Connections that logged in before should end. */
  changed(): void
  /** The source has failed. */
  failed(error: Error): void
}

export function isStreaming(value: unknown): value is StreamingCredentials {
  if (typeof value !== 'object' || value === null) return false
  return typeof Reflect.get(value, 'subscribe') === 'function'
}

/** Who a connection logs in as. Shows nothing of it when printed. */
export class Credentials {
  readonly #source: Secret<CredentialsProvider> | Subscription | undefined

  constructor(source?: CredentialsProvider | StreamingCredentials) {
    if (typeof source === 'function') this.#source = new Secret(source)
    else if (source !== undefined) this.#source = new Subscription(source)
  }

  /** Asks for the credentials; what a user's function gives back is checked, and never shown. */
  async read(): Promise<Login> {
    const source = this.#source
    if (source === undefined) return {}
    return checked(source instanceof Subscription ? await source.read() : await source.reveal()())
  }

  /** Tells `follower` of new credentials from now on, where their source announces them. */
  follow(follower: CredentialsFollower): void {
    if (this.#source instanceof Subscription) this.#source.follower = follower
  }

  /** No connection will be made any more. */
  release(): void {
    if (this.#source instanceof Subscription) this.#source.end()
  }

  toJSON(): string {
    return this.#source === undefined ? 'none' : '[redacted]'
  }

  toString(): string {
    return this.toJSON()
  }

  [inspect.custom](): string {
    return this.toJSON()
  }
}

/** One subscription at a time for all connections of a pool, begun by the first. */
class Subscription {
  follower: CredentialsFollower | undefined
  readonly #source: StreamingCredentials
  #feed: Feed | undefined
  #hasEnded = false

  constructor(source: StreamingCredentials) {
    this.#source = source
  }

  async read(): Promise<unknown> {
    if (this.#feed?.current !== undefined) return this.#feed.current
    const feed = this.#feed ?? this.#subscribe()
    try {
      return await feed.begun
    } catch (error) {
      feed.end()
      if (this.#feed === feed) this.#feed = undefined
      throw error
    }
  }

  end(): void {
    this.#hasEnded = true
    this.#feed?.end()
    this.#feed = undefined
  }

  #subscribe(): Feed {
    const feed = new Feed(this.#source, {
      changed: () => this.follower?.changed(),
      failed: (error) => this.#failed(error),
      refused: (error) => this.#tell(error),
    })
    // The source may have failed within the call, and then this one is no better than none.
    if (this.#hasEnded) feed.end()
    else if (!feed.isOver) this.#feed = feed
    return feed
  }

  /** The credentials of now may serve for a while; the next connection asks for new ones. */
  #failed(error: Error): void {
    this.#feed = undefined
    this.#tell(error)
  }

  #tell(error: Error): void {
    this.#source.onReAuthenticationError?.(error)
    this.follower?.failed(error)
  }
}

/** What one subscription tells. Nothing once it is over. */
interface FeedListener {
  changed(): void
  /** The source is done for. */
  failed(error: Error): void
  /** What was announced is no login, and changes nothing. */
  refused(error: Error): void
}

/** One subscription, from its call to its end. */
class Feed {
  current: unknown
  isOver = false
  readonly begun: Promise<unknown>
  #dispose: (() => void) | undefined

  constructor(source: StreamingCredentials, listener: FeedListener) {
    this.begun = this.#begin(source, listener)
  }

  /** A subscription that is still in the making is given back as soon as it is there. */
  end(): void {
    this.isOver = true
    this.#dispose?.()
    this.#dispose = undefined
  }

  async #begin(source: StreamingCredentials, listener: FeedListener): Promise<unknown> {
    const [initial, subscription] = await source.subscribe({
      onNext: (login) => {
        if (this.isOver) return
        if (!isLogin(login)) {
          listener.refused(new OptionError('credentials: what was announced is no login, so the one of before stays'))
          return
        }
        this.current = login
        listener.changed()
      },
      onError: (error) => {
        if (this.isOver) return
        this.end()
        listener.failed(error)
      },
    })
    this.#dispose = () => subscription.dispose()
    if (this.isOver) this.end()
    // A newer one may have come before.
    this.current ??= initial
    return this.current
  }
}

function checked(login: unknown): Login {
  if (isLogin(login)) return login
  throw new OptionError('credentials: expected the function to return a password, or { username, password }')
}

function isLogin(value: unknown): value is Login {
  if (typeof value !== 'object' || value === null) return false
  const username: unknown = Reflect.get(value, 'username')
  const password: unknown = Reflect.get(value, 'password')
  if (password === undefined) return username === undefined
  return typeof password === 'string' && (username === undefined || typeof username === 'string')
}
