// Owns the log of what happened: newest first, bounded.

import { byId, make } from './dom.js'
import { clock, count, duration } from './format.js'

/** @import { PageEvent } from '../dashboard-messages.js' */

const MOST = 200

/** Of these a row is one line, with how many there were. */
const REPEATED = ['exhausted', 'connect-failed']

export class Log {
  constructor() {
    this.list = byId('log')
    // Who has no pointer scrolls with the keys.
    this.list.tabIndex = 0
    this.word = ''
    this.times = 0
    this.clear()
  }

  clear() {
    this.word = ''
    this.list.replaceChildren()
    this.#count()
  }

  /** @param {readonly PageEvent[]} events oldest first */
  add(events) {
    for (const event of events.slice(-MOST)) this.#add(event)
    while (this.list.childElementCount > MOST) this.list.lastElementChild?.remove()
    this.#count()
  }

  /** @param {PageEvent} event */
  #add(event) {
    const { word, text, isBad } = wordsOf(event)
    // A hundred of the same would push everything else out of sight.
    const isSame = REPEATED.includes(event.kind) && this.word === word
    this.times = isSame ? this.times + 1 : 1
    this.word = word
    if (isSame) this.list.firstElementChild?.remove()
    const time = make('time', '', clock(event.at))
    time.dateTime = new Date(event.at).toISOString()
    const often = this.times > 1 ? ` ${this.times} times` : ''
    this.list.prepend(
      make('li', isBad ? 'bad' : '', time, ' ', make('b', '', `${word}${often}`), ' ', make('span', '', text)),
    )
  }

  #count() {
    const isEmpty = this.list.childElementCount === 0
    this.list.hidden = isEmpty
    byId('log-none').hidden = !isEmpty
  }
}

/**
 * @param {PageEvent} event
 * @returns {{ word: string, text: string, isBad?: boolean }}
 */
function wordsOf(event) {
  switch (event.kind) {
    case 'connected':
      return { word: 'connected', text: `connection ${event.connection}` }
    case 'closed': {
      const isBad = !['idle', 'lifetime', 'surplus', 'closed', 'retired'].includes(event.reason)
      return { word: `closed: ${event.reason}`, text: `connection ${event.connection}: ${event.message}`, isBad }
    }
    case 'connect-failed':
      return { word: 'dial failed', text: event.message, isBad: true }
    case 'leak':
      return {
        word: 'leak',
        text: `${event.holder.label} for ${duration(event.holder.heldFor)}${event.holder.stack ? `, ${event.holder.stack}` : ''}`,
        isBad: true,
      }
    case 'exhausted':
      return { word: `exhausted: ${event.cause}`, text: event.message, isBad: true }
    case 'resized':
      return { word: 'resized', text: `from ${count(event.from)} to ${count(event.to)}: ${event.because}` }
    case 'retired':
      return { word: 'retired', text: 'all connections are being replaced' }
    case 'ended':
      return { word: 'ended', text: 'the pool was closed' }
    case 'finding':
      return { word: event.cause, text: event.because, isBad: event.cause !== 'healthy' }
    default:
      return { word: 'event', text: '' }
  }
}
