// Owns the tables: who holds, what the commands did, how connections and waits ended, what size is advised.

import { byId, make, setText, Table } from './dom.js'
import { amount, count, counted, duration } from './format.js'

/** @import { News } from '../dashboard-messages.js' */

/** @type {Readonly<Record<string, string>>} */
const KINDS = { lease: 'lease', stream: 'subscriber', command: 'one command', blocking: 'blocking command' }

export class Tables {
  constructor() {
    const number = { isNumber: true }
    this.holders = new Table(
      byId('holders'),
      'Who holds connections, longest first',
      [{ heading: 'Label' }, { heading: 'Kind' }, { heading: 'Held for', ...number }],
      'Nobody holds a connection alone.',
    )
    this.more = byId('holders').appendChild(make('p', 'quiet'))
    this.commands = new Table(
      byId('commands'),
      'Calls by command, most first',
      [
        { heading: 'Command' },
        { heading: 'Calls', ...number },
        { heading: 'Median', ...number },
        { heading: 'p99', ...number },
        { heading: 'Longest', ...number },
        { heading: 'Failed', ...number },
        { heading: 'How they failed' },
      ],
      'No command was called yet.',
    )
    this.otherCommands = byId('commands').appendChild(make('p', 'quiet'))
    const ends = byId('ends')
    ends.append(make('h3', '', 'Connections that ended'))
    this.closed = new Table(
      ends,
      'Connections that ended, by reason',
      [{ heading: 'Reason' }, { heading: 'Connections', ...number }],
      'None has ended.',
    )
    ends.append(make('h3', '', 'Callers who had to wait'))
    this.waits = new Table(
      ends,
      'What became of callers who had to wait',
      [{ heading: 'Became' }, { heading: 'Callers', ...number }],
      'Nobody had to wait.',
    )
  }

  /** @param {News} news */
  show(news) {
    this.#showHolders(news)
    this.#showCommands(news)
    const { counters } = news.stats
    const closed = Object.entries(counters.closed).sort(([, a], [, b]) => b - a)
    this.closed.fill(closed.map(([reason, many]) => ({ cells: [{ text: reason }, { text: count(many) }] })))
    const waits = /** @type {const} */ ([
      ['served', counters.served, false],
      ['timed out (acquireTimeout)', counters.timedOut, true],
      ['timed out (commandTimeout)', counters.expired, true],
      ['turned away (maxWaiting)', counters.turnedAway, true],
      ['gave up, or the pool ended', counters.abandoned, true],
    ])
    const told = counters.waited === 0 ? [] : waits.filter(([, many]) => many > 0)
    this.waits.fill(
      told.map(([what, many, isBad]) => ({
        cells: [{ text: what }, { text: count(many) }],
        className: isBad ? 'bad' : '',
      })),
    )
  }

  /** @param {News} news */
  #showHolders({ stats, moreHolders }) {
    this.holders.fill(
      stats.holders.map(({ label, kind, heldFor, reported }) => ({
        className: reported ? 'bad' : '',
        cells: [
          { text: reported ? `${label} — leak` : label },
          { text: KINDS[kind] ?? kind },
          { text: duration(heldFor) },
        ],
      })),
    )
    setText(this.more, moreHolders > 0 ? `and ${count(moreHolders)} more` : '')
  }

  /** @param {News} news */
  #showCommands({ stats, moreCommands }) {
    this.commands.fill(
      Object.entries(stats.commands).map(([name, { calls, replies, failures }]) => {
        const failed = Object.entries(failures).sort(([, a], [, b]) => b.count - a.count)
        const sum = failed.reduce((total, [, { count: many }]) => total + many, 0)
        const share = sum > 0 ? `${count(sum)} (${amount((100 * sum) / calls)} %)` : '0'
        return {
          className: sum > 0 ? 'bad' : '',
          cells: [
            { text: name },
            { text: count(calls) },
            ...[replies.p50, replies.p99, replies.max].map((time) => ({
              text: replies.count > 0 ? duration(time) : '–',
            })),
            { text: share },
            { text: failed.map(([kind, { count: many }]) => `${kind} ${count(many)}`).join(', ') || '–' },
          ],
        }
      }),
    )
    setText(this.otherCommands, moreCommands > 0 ? `and ${counted(moreCommands, 'command')} more` : '')
  }
}
