// Owns how the advice reads: the number, the reason, what was calculated, what would change it.

import { byId, make, setText, Table } from './dom.js'
import { amount, count, duration, sentence } from './format.js'

/** @import { News } from '../dashboard-messages.js' */

/** @type {Readonly<Record<News['advice']['verdict'], string>>} */
const VERDICTS = {
  right: 'the size is right',
  'too-small': 'the pool is too small',
  'larger-than-needed': 'the pool is larger than needed',
  'not-enough-seen': 'not enough was seen yet',
}

export class AdvicePanel {
  constructor() {
    const parent = byId('advice')
    this.number = make('p', 'advised')
    this.because = make('p')
    const evidence = make('details', '', make('summary', '', 'What was measured'))
    this.evidence = make('dl', 'evidence')
    evidence.append(this.evidence)
    this.options = make('ul')
    this.changes = make('ul')
    this.optionsPart = make('div', '', make('h3', '', 'Other options'), this.options)
    this.changesPart = make('div', '', make('h3', '', 'What would change it'), this.changes)
    this.sizesTitle = make('h3')
    parent.append(this.number, this.because, this.sizesTitle)
    const number = { isNumber: true }
    this.sizes = new Table(
      parent,
      'What waits would be with other sizes',
      [{ heading: 'Connections', ...number }, { heading: 'Wait', ...number }, { heading: '' }],
      'No sizes were calculated.',
    )
    parent.append(evidence, this.optionsPart, this.changesPart)
  }

  /** @param {News} news */
  show({ advice }) {
    const { maxConnections, current, verdict, because, options, evidence, wouldChange } = advice
    setText(this.number, `maxConnections: ${count(maxConnections)} — it is ${count(current)}, ${VERDICTS[verdict]}`)
    this.number.classList.toggle('bad', verdict === 'too-small')
    setText(this.because, sentence(because))
    const { percentile, targetWait } = evidence
    const share = `p${amount(percentile * 100)}`
    setText(this.sizesTitle, `Wait at ${share} with other sizes; up to ${duration(targetWait)} is enough`)
    this.sizesTitle.hidden = evidence.sizes.length === 0
    this.sizes.fill(
      evidence.sizes.map((size) => {
        const notes = [
          ...(size.maxConnections === maxConnections ? ['advised'] : []),
          ...(size.maxConnections === current ? ['now'] : []),
        ]
        const isEnough = size.wait !== null && size.wait <= targetWait
        return {
          className: size.maxConnections === maxConnections ? 'chosen' : '',
          cells: [
            { text: count(size.maxConnections) },
            { text: duration(size.wait) },
            { text: [isEnough ? 'enough' : 'too long', ...notes].join(', ') },
          ],
        }
      }),
    )
    this.#showEvidence(evidence, share)
    fillList(
      this.options,
      options.map(
        ({ option, current: now, advised, because: why }) =>
          `${option}: ${amount(advised)} instead of ${amount(now)}. ${sentence(why)}`,
      ),
    )
    fillList(this.changes, wouldChange.map(sentence))
    this.optionsPart.hidden = options.length === 0
    this.changesPart.hidden = wouldChange.length === 0
  }

  /**
   * @param {News['advice']['evidence']} evidence
   * @param {string} share
   */
  #showEvidence(evidence, share) {
    const { server } = evidence
    const rows = [
      ['Measured for', duration(evidence.window)],
      ['Borrowings', `${count(evidence.borrowings)}, ${amount(evidence.arrivalsPerSecond)}/s`],
      ['Held for', `${duration(evidence.meanHold)} on average`],
      ['Held at once', `${amount(evidence.meanHeld)} on average, ${count(evidence.peakDemand)} wanted at most`],
      ['Shared', `${count(evidence.shared)} besides those that are lent`],
      ['Target', `${duration(evidence.targetWait)} at ${share}`],
      ...(server === undefined
        ? []
        : [
            [
              'Server',
              `maxclients ${count(server.maxClients)}, ${count(server.connected)} connected, ${count(server.ours)} of them ours`,
            ],
          ]),
    ]
    while (this.evidence.childElementCount > 2 * rows.length) this.evidence.lastElementChild?.remove()
    for (const [index, text] of rows.flat().entries()) {
      setText(this.evidence.children[index] ?? this.evidence.appendChild(make(index % 2 === 0 ? 'dt' : 'dd')), text)
    }
  }
}

/**
 * @param {HTMLElement} list
 * @param {readonly string[]} texts
 */
function fillList(list, texts) {
  while (list.childElementCount > texts.length) list.lastElementChild?.remove()
  for (const [index, text] of texts.entries()) setText(list.children[index] ?? list.appendChild(make('li')), text)
}
