// Owns what is said of the pool as it is now: what is wrong, each connection, the figures.

import { byId, make, setText } from './dom.js'
import { bytes, clock, count, counted, duration, perSecond, sentence } from './format.js'
import { PLACES } from './states.js'

/** @import { News } from '../dashboard-messages.js' */

/** More connections than this are a bar, not boxes. */
const MOST_BOXES = 96

/** A cause that is over is spoken of for so long, in ms. */
const RECENT = 60_000

/** @type {Readonly<Record<News['finding']['cause'], string>>} */
const MEANING = {
  healthy: 'Nothing is wrong with this pool.',
  leak: 'Connections were borrowed and not given back.',
  'slow-server': 'The server does not answer in time.',
  'failing-dials': 'New connections cannot be made.',
  'blocked-loop': 'This process stood still.',
  'too-small': 'There are not enough connections for those who call.',
}

/** @param {News} news */
export function showVerdict({ finding, last, stats }) {
  const { cause, because, since } = finding
  const isOver = stats.state === 'closed'
  byId('verdict').className = `card verdict ${isOver ? 'over' : cause === 'healthy' ? 'healthy' : 'wrong'}`
  setText(byId('cause'), isOver ? 'closed' : cause)
  setText(byId('because'), isOver ? 'This pool has ended.' : `${MEANING[cause]} ${sentence(because)}`)
  const age = duration(Math.max(0, Math.floor((Date.now() - since) / 1_000) * 1_000))
  const wasRecent = last !== undefined && cause === 'healthy' && Date.now() - last.until < RECENT
  const before = wasRecent ? ` Before: ${last.cause}, until ${clock(last.until)}.` : ''
  setText(byId('since'), isOver ? '' : `For ${age}, since ${clock(since)}.${before}`)
  // The sentence changes every second; only a change of the cause is worth interrupting for.
  setText(
    byId('spoken'),
    isOver ? 'The pool is closed' : cause === 'healthy' ? 'The pool is healthy' : `${cause}: ${MEANING[cause]}`,
  )
}

/** @param {News} news */
export function showSlots({ stats }) {
  const { connections, maxConnections } = stats
  const places = [...PLACES].filter(({ place }) => connections[place] > 0)
  const free = Math.max(0, maxConnections - connections.total)
  const words = [
    ...places.map(({ place }) => `${connections[place]} ${place}`),
    ...(free > 0 ? [`${free} not open`] : []),
  ]
  const slots = byId('slots')
  slots.setAttribute('aria-label', `${connections.total} of ${maxConnections} connections: ${words.join(', ')}`)
  const isBar = maxConnections > MOST_BOXES || connections.total > MOST_BOXES
  slots.classList.toggle('bar', isBar)
  const kinds = [...places.map(({ place }) => ({ place, many: connections[place] })), { place: 'free', many: free }]
  const wanted = isBar
    ? kinds.filter(({ many }) => many > 0)
    : kinds.flatMap(({ place, many }) => Array.from({ length: many }, () => ({ place, many: 1 })))
  while (slots.childElementCount > wanted.length) slots.lastElementChild?.remove()
  for (const [index, { place, many }] of wanted.entries()) {
    const slot = slots.children[index] ?? slots.appendChild(make('span'))
    const className = `slot ${place}`
    if (slot.className !== className) slot.className = className
    if (slot instanceof HTMLElement) slot.style.flexGrow = isBar ? String(many) : ''
  }
  showKey(places, (place) => connections[place], free)
}

/**
 * @param {readonly { place: import('./states.js').Place, says: string }[]} places
 * @param {(place: import('./states.js').Place) => number} many
 * @param {number} free
 */
function showKey(places, many, free) {
  const key = byId('slots-key')
  const items = [
    ...places.map(({ place, says }) => ({ place, text: `${count(many(place))} ${place}`, says })),
    ...(free > 0 ? [{ place: 'free', text: `${count(free)} not open`, says: 'made when they are needed' }] : []),
  ]
  while (key.childElementCount > items.length) key.lastElementChild?.remove()
  for (const [index, { place, text, says }] of items.entries()) {
    const item = key.children[index] ?? key.appendChild(make('li', '', make('span'), make('b'), make('span', 'quiet')))
    const [mark, name, meaning] = item.children
    if (mark !== undefined) mark.className = `slot small ${place}`
    if (name !== undefined) setText(name, text)
    if (meaning !== undefined) setText(meaning, says)
  }
}

/**
 * @param {News} news
 * @param {Readonly<Record<string, number | null>>} point the last one, by column
 */
export function showFigures({ stats, loopDelay }, point) {
  const { connections, maxConnections, waiting, counters, inFlight, peaks } = stats
  const seconds = Math.max(0.001, (point.span ?? 1_000) / 1_000)
  const used = connections.leased + connections.shared + connections.late + connections.draining
  /** @param {string} column */
  const rate = (column) => (point[column] ?? 0) / seconds
  /** @param {string} column */
  const time = (column) => (point[column] === null || point[column] === undefined ? '–' : duration(point[column]))
  const failed = rate('failed')
  const inVain = counters.timedOut + counters.expired + counters.turnedAway
  const vain = inVain > 0 ? `, ${count(inVain)} in vain so far` : ''
  const failures = `of ${perSecond(rate('calls'))}`
  fill([
    [
      'Connections in use',
      `${count(used)} of ${count(maxConnections)}`,
      `${count(connections.total)} open, at most ${count(peaks.connections)} so far`,
    ],
    [
      'Callers who wait',
      count(waiting.total),
      `${waiting.total > 0 ? `the first for ${duration(waiting.longest)}` : `at most ${count(peaks.waiting)} so far`}${vain}`,
      waiting.total > 0,
    ],
    ['Calls', perSecond(rate('calls')), `${counted(inFlight, 'command')} in flight`],
    ['Failures', perSecond(failed), `${failures}; ${count(counters.failed)} so far`, failed > 0],
    ['Reply, median', time('replyP50'), `p99 ${time('replyP99')}`],
    ['Wait, median', time('waitP50'), `p99 ${time('waitP99')}`],
    ['Event loop late', duration(loopDelay), 'the most within a second', loopDelay > 100],
    ['Read', `${bytes(rate('bytesRead'))}/s`, `written ${bytes(rate('bytesWritten'))}/s`],
  ])
}

/** @param {readonly (readonly [string, string, string, boolean?])[]} figures */
function fill(figures) {
  const list = byId('figures')
  for (const [index, [name, value, more, isBad = false]] of figures.entries()) {
    const box = list.children[index] ?? list.appendChild(make('div', '', make('dt'), make('dd'), make('dd', 'quiet')))
    const className = `figure${isBad ? ' bad' : ''}`
    if (box.className !== className) box.className = className
    for (const [at, text] of [name, value, more].entries()) {
      const part = box.children[at]
      if (part !== undefined) setText(part, text)
    }
  }
}
