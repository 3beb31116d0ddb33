// Owns one call of subscribe() until it is answered: its listener, and what of it is not confirmed yet. Knows no connection.

import type { ConnectionError } from '../base/errors.js'
import { ListeningWait, type ListeningWaitOptions } from './listening-wait.js'
import { addListener, type Joining, removeListener, type Topic, type TopicListener } from './subscriptions.js'

export interface SubscribeCallOptions extends Omit<ListeningWaitOptions, 'failed' | 'label'> {
  readonly listener: TopicListener
  /** It gave up on these, and took its listener out of them where it had put it in. */
  readonly left: (topics: readonly Topic[]) => void
}

export class SubscribeCall implements Joining {
  readonly listener: TopicListener
  /** Resolves once the server has confirmed all of its topics, on whichever connection. */
  readonly answer: Promise<void>
  readonly #awaited = new Set<Topic>()
  /** Where its listener was not before. */
  readonly #brought = new Set<Topic>()
  readonly #wait: ListeningWait
  readonly #left: (topics: readonly Topic[]) => void
  #resolve: () => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor({ listener, left, ...options }: SubscribeCallOptions) {
    this.listener = listener
    this.#left = left
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#wait = new ListeningWait({ ...options, label: 'subscriber', failed: (error) => this.fail(error) })
  }

  join(topic: Topic): void {
    const isNew = addListener(topic, this.listener)
    if (topic.isConfirmed) return
    if (isNew) this.#brought.add(topic)
    this.#awaited.add(topic)
    topic.waiting.add(this)
  }

  /** It has joined all; `isSent`: what it waits for went out. */
  begin(isSent: boolean): void {
    if (this.#awaited.size === 0) this.#settle()
    else if (isSent) this.#wait.sent()
    else this.#wait.sought()
  }

  sent(): void {
    this.#wait.sent()
  }

  lost(cause: ConnectionError | undefined): void {
    this.#wait.lost(cause)
  }

  confirmed(topic: Topic): void {
    topic.waiting.delete(this)
    this.#awaited.delete(topic)
    if (this.#awaited.size === 0) this.#settle()
  }

  /** The others are subscribed to all the same. */
  refused(topic: Topic, error: unknown): void {
    topic.waiting.delete(this)
    this.#reject(error)
    this.#settle()
  }

  /** It waits no more: as if it had not been made, as far as it was not answered. */
  fail(error: unknown): void {
    const topics = [...this.#awaited]
    this.#reject(error)
    this.#settle()
    for (const topic of topics) this.#withdraw(topic)
    this.#left(topics)
  }

  inherit(topic: Topic): void {
    this.#brought.add(topic)
  }

  #withdraw(topic: Topic): void {
    if (!this.#brought.has(topic)) return
    const { takes, call } = this.listener
    const heir = [...topic.waiting].find(({ listener }) => listener.takes === takes && listener.call === call)
    if (heir === undefined) removeListener(topic, this.listener)
    else heir.inherit(topic)
  }

  #settle(): void {
    this.#wait.end()
    for (const topic of this.#awaited) topic.waiting.delete(this)
    this.#awaited.clear()
    this.#resolve()
  }
}
