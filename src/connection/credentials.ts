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

/** One subscription for all connections of a pool, begun by the first. */
class Subscription {
  follower: CredentialsFollower | undefined
  readonly #source: StreamingCredentials
  #current: unknown
  #begun: Promise<unknown> | undefined
  #dispose: (() => void) | undefined
  #hasEnded = false

  constructor(source: StreamingCredentials) {
    this.#source = source
  }

  async read(): Promise<unknown> {
    if (this.#current !== undefined) return this.#current
    this.#begun ??= this.#subscribe()
    return await this.#begun
  }

  end(): void {
    this.#hasEnded = true
    this.#stop()
  }

  async #subscribe(): Promise<unknown> {
    try {
      const [initial, subscription] = await this.#source.subscribe({
        onNext: (login) => this.#next(login),
        onError: (error) => this.#failed(error),
      })
      this.#dispose = () => subscription.dispose()
      if (this.#hasEnded) this.#stop()
      // A newer one may have come before.
      this.#current ??= initial
      return this.#current
    } catch (error) {
      this.#begun = undefined
      throw error
    }
  }

  #next(login: unknown): void {
    if (this.#hasEnded) return
    this.#current = login
    this.follower?.changed()
  }

  /** The credentials of now may serve for a while; the next connection asks for new ones. */
  #failed(error: Error): void {
    if (this.#hasEnded) return
    this.#stop()
    this.#source.onReAuthenticationError?.(error)
    this.follower?.failed(error)
  }

  #stop(): void {
    this.#dispose?.()
    this.#dispose = undefined
    this.#begun = undefined
    this.#current = undefined
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
