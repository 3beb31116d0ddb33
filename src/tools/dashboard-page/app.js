// Owns the course of the page: token, line, which pool is shown. Everything it shows comes from the dashboard's stream.

import { AdvicePanel } from './advice.js'
import { Charts } from './charts.js'
import { byId, make, setText } from './dom.js'
import { Log } from './log.js'
import { showFigures, showSlots, showVerdict } from './now.js'
import { Line } from './stream.js'
import { Tables } from './tables.js'

/** @import { Hello, News, PageEvent, PoolSummary } from '../dashboard-messages.js' */
/** @import { LineState } from './stream.js' */

/** Points that are kept: ten minutes. */
const MOST_POINTS = 660

/** @type {Readonly<Record<LineState, string>>} */
const LINE = {
  connecting: 'connecting …',
  live: 'live',
  silent: 'no news: the process stands still, or the line is broken',
  gone: 'the server is gone; trying again …',
  refused: 'the token is wrong',
  busy: 'the dashboard is open too often; trying again …',
  empty: 'no pool to show yet; trying again …',
  ended: 'the dashboard was closed; trying again …',
}

const charts = new Charts(byId('charts'))
const tables = new Tables()
const advice = new AdvicePanel()
const log = new Log()
const chosen = select('pool')
const span = select('window')

/** @type {(number | null)[][]} */
let rows = []
/** @type {ReadonlyMap<string, number>} */
let columns = new Map()
/** @type {News | undefined} */
let latest

const line = new Line({ line: showLine, message: take })

/**
 * @param {string} name
 * @param {any} message
 */
function take(name, message) {
  if (name === 'hello') begin(message)
  else if (name === 'points') addPoints(message)
  else if (name === 'events') log.add(/** @type {PageEvent[]} */ (message))
  else if (name === 'news') showNews(message)
}

/** @param {Hello} hello */
function begin(hello) {
  line.pool = hello.selected
  columns = new Map(hello.columns.map((column, index) => [column, index]))
  rows = []
  log.clear()
  byId('ask').hidden = true
  byId('content').hidden = false
  setText(
    byId('about'),
    `respool ${hello.version}. A point each ${hello.interval / 1_000} s, kept for ten minutes. Read only.`,
  )
}

/** @param {(number | null)[][]} points */
function addPoints(points) {
  rows.push(...points)
  if (rows.length > MOST_POINTS) rows = rows.slice(-MOST_POINTS)
  showCharts()
}

/** @param {News} news */
function showNews(news) {
  latest = news
  showPools(news.pools)
  setText(byId('address'), news.stats.address)
  document.title = `${news.finding.cause === 'healthy' ? '' : `${news.finding.cause}: `}${news.stats.name} · respool`
  showVerdict(news)
  showSlots(news)
  tables.show(news)
  advice.show(news)
  showCharts()
}

function showCharts() {
  charts.show(rows, columns, Number(span.value))
  const last = rows.at(-1) ?? []
  const point = Object.fromEntries([...columns].map(([name, at]) => [name, last[at] ?? null]))
  if (latest !== undefined) showFigures(latest, point)
}

/** @param {readonly PoolSummary[]} pools */
function showPools(pools) {
  while (chosen.options.length > pools.length) chosen.remove(chosen.options.length - 1)
  for (const [index, { id, name, state, cause }] of pools.entries()) {
    const option = chosen.options[index] ?? chosen.appendChild(make('option'))
    option.value = String(id)
    const trouble = state !== 'open' ? ` (${state})` : cause === 'healthy' ? '' : ` (${cause})`
    setText(option, `${name}${trouble}`)
  }
  chosen.value = String(line.pool)
}

/** @param {LineState} state */
function showLine(state) {
  const link = byId('link')
  setText(link, LINE[state])
  link.className = `link ${state}`
  document.body.classList.toggle('stale', !['live', 'connecting'].includes(state))
  if (state === 'refused')
    ask('This token is not that of the dashboard. The right one is in the address that was printed.')
}

/** @param {string} [why] */
function ask(why) {
  byId('content').hidden = true
  byId('ask').hidden = false
  if (why !== undefined) setText(byId('ask-why'), why)
  byId('token').focus()
}

/** The token stays in the fragment, which is sent to nobody, so that the page can be loaded again. */
function open() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? ''
  if (/^[\w.~+/=-]+$/.test(token)) {
    byId('ask').hidden = true
    line.open(token, line.pool)
  } else {
    setText(byId('link'), 'not connected')
    ask()
  }
}

/** @param {string} id */
function select(id) {
  const found = byId(id)
  if (!(found instanceof HTMLSelectElement)) throw new Error(`#${id} is no select`)
  return found
}

byId('ask').addEventListener('submit', (event) => {
  event.preventDefault()
  const field = byId('token')
  const token = field instanceof HTMLInputElement ? field.value.trim() : ''
  const hash = `#${new URLSearchParams({ token })}`
  // The same once more changes no fragment.
  if (location.hash === hash) open()
  else location.hash = hash
})
chosen.addEventListener('change', () => line.open(line.token, Number(chosen.value)))
span.addEventListener('change', showCharts)
addEventListener('hashchange', open)
open()
