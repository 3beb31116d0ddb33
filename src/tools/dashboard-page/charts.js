// Owns the charts: which there are, how their series are drawn, and the values under the pointer. Knows no stream.

import { make, setText } from './dom.js'
import { amount, clock, count, duration, durationTick, perSecond } from './format.js'
import { PLACES } from './states.js'
import uPlot from './uplot.js'

const HEIGHT = 190

/** What is shown at least, in seconds. */
const SHORTEST = 20

/** Steps of an axis that counts what has no fractions. */
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5]

/**
 * @typedef {object} Series
 * @property {string} label
 * @property {string} color a custom property of the style sheet
 * @property {string} column
 * @property {boolean} [perSecond] whether it counts what was within the interval
 * @property {readonly number[]} [dash]
 * @property {boolean} [hatched]
 * @property {boolean} [area]
 * @property {boolean} [rare] left out of the key while it is zero
 *
 * @typedef {object} ChartSpec
 * @property {string} title
 * @property {string} unit what the axis counts
 * @property {(value: number) => string} format
 * @property {boolean} [stacked] all but the last series, which is a limit
 * @property {number} [least] the axis reaches at least so far
 * @property {readonly Series[]} series
 */

/**
 * @param {string} title
 * @param {string} what
 * @returns {ChartSpec}
 */
const percentiles = (title, what) => ({
  title,
  unit: 'milliseconds',
  format: duration,
  least: 1,
  series: [
    { label: 'p99', color: '--line-strong', column: `${what}P99`, dash: [6, 4] },
    { label: 'median', color: '--line', column: `${what}P50`, area: true },
  ],
})

/** @type {readonly ChartSpec[]} */
const SPECS = [
  {
    title: 'Connections by state',
    unit: 'connections',
    format: count,
    stacked: true,
    least: 1,
    series: [
      ...PLACES.map(({ place }) => ({
        label: place,
        color: `--${place}`,
        column: place,
        hatched: ['late', 'draining', 'connecting', 'closing'].includes(place),
        rare: ['late', 'draining', 'connecting', 'closing'].includes(place),
      })),
      { label: 'maxConnections', color: '--limit', column: 'maxConnections', dash: [7, 4] },
    ],
  },
  {
    title: 'Callers who wait',
    unit: 'callers',
    format: count,
    least: 1,
    series: [{ label: 'waiting', color: '--line', column: 'waiting', area: true }],
  },
  {
    title: 'Calls and failures',
    unit: 'calls per second',
    format: perSecond,
    least: 1,
    series: [
      { label: 'calls', color: '--line', column: 'calls', perSecond: true, area: true },
      { label: 'failures', color: '--bad', column: 'failed', perSecond: true, dash: [3, 3] },
      { label: 'waits in vain', color: '--line-strong', column: 'inVain', perSecond: true, dash: [8, 4], rare: true },
    ],
  },
  percentiles('Reply time', 'reply'),
  percentiles('Wait for a connection', 'wait'),
  percentiles('Time a connection is held', 'use'),
]

/** @typedef {readonly (number | null)[]} Row */

export class Charts {
  /** @param {HTMLElement} parent */
  constructor(parent) {
    this.charts = SPECS.map((spec) => new Chart(parent, spec))
    const dark = matchMedia('(prefers-color-scheme: dark)')
    dark.addEventListener('change', () => {
      for (const chart of this.charts) chart.restart()
    })
  }

  /**
   * @param {readonly Row[]} rows oldest first
   * @param {ReadonlyMap<string, number>} columns name → place in a row
   * @param {number} seconds how much of it is shown
   */
  show(rows, columns, seconds) {
    const at = columns.get('at') ?? 0
    const last = Number(rows.at(-1)?.[at] ?? Date.now())
    // One more than what is shown, so that lines go on to the edge.
    const from = rows.findIndex((row) => Number(row[at]) >= last - seconds * 1_000)
    const shown = rows.slice(Math.max(0, from - 1))
    // A short history has all of the width.
    const age = (last - Number(rows[0]?.[at] ?? last)) / 1_000
    const range = [last / 1_000 - Math.min(seconds, Math.max(SHORTEST, age)), last / 1_000]
    for (const chart of this.charts) chart.show(shown, columns, range)
  }
}

class Chart {
  /**
   * @param {HTMLElement} parent
   * @param {ChartSpec} spec
   */
  constructor(parent, spec) {
    this.spec = spec
    this.plot = make('div', 'plot')
    this.values = spec.series.map(() => make('span', 'value'))
    this.items = spec.series.map(({ label, color, hatched, dash }, index) => {
      const mark = make('span', `mark${hatched ? ' hatched' : ''}${dash ? ' dashed' : ''}`)
      mark.style.setProperty('--own', `var(${color})`)
      return make('li', '', mark, make('span', '', label), ' ', this.values[index] ?? '')
    })
    this.time = make('span', 'quiet time')
    const title = make('h3', '', spec.title)
    const caption = make('figcaption', '', title, make('span', 'quiet', spec.unit), this.time)
    const figure = make('figure', 'card chart', caption, this.plot, make('ul', 'key', ...this.items))
    parent.append(figure)
    /** @type {(number | null)[][]} */
    this.raw = []
    /** @type {uPlot.AlignedData} */
    this.data = [[], ...spec.series.map(() => [])]
    this.range = [0, 1]
    this.chart = this.#start()
    new ResizeObserver(() => this.chart.setSize(this.#size())).observe(this.plot)
  }

  /** Colours have changed. */
  restart() {
    this.chart.destroy()
    this.chart = this.#start()
  }

  /**
   * @param {readonly Row[]} rows
   * @param {ReadonlyMap<string, number>} columns
   * @param {number[]} range
   */
  show(rows, columns, range) {
    this.range = range
    const at = columns.get('at') ?? 0
    const span = columns.get('span') ?? 0
    this.raw = this.spec.series.map(({ column, perSecond: isRate }) => {
      const place = columns.get(column) ?? -1
      return rows.map((row) => {
        const value = row[place] ?? null
        return value !== null && isRate ? (value * 1_000) / Math.max(1, row[span] ?? 1_000) : value
      })
    })
    this.data = [rows.map((row) => Number(row[at]) / 1_000), ...this.#stack()]
    this.chart.setData(this.data)
    this.#tell(this.chart.cursor.idx ?? undefined)
    for (const [index, { rare }] of this.spec.series.entries()) {
      const item = this.items[index]
      if (item !== undefined && rare) item.hidden = !this.raw[index]?.some((value) => value !== null && value > 0)
    }
  }

  #stack() {
    if (!this.spec.stacked) return this.raw
    const below = (this.raw[0] ?? []).map(() => 0)
    return this.raw.map((values, index) => {
      if (index === this.raw.length - 1) return values
      return values.map((value, row) => {
        below[row] = (below[row] ?? 0) + (value ?? 0)
        return below[row] ?? 0
      })
    })
  }

  /** @param {number | undefined} index what is pointed at, else what is last */
  #tell(index) {
    const at = index ?? Math.max(0, (this.data[0]?.length ?? 1) - 1)
    const time = this.data[0]?.[at]
    setText(this.time, index === undefined || time === undefined ? '' : `at ${clock(time * 1_000)}`)
    for (const [series, value] of this.values.entries()) {
      const number = this.raw[series]?.[at]
      setText(value, number === null || number === undefined ? '–' : this.spec.format(number))
    }
  }

  #size() {
    return { width: Math.max(200, this.plot.clientWidth), height: HEIGHT }
  }

  #start() {
    const { stacked, series, format, least = 1 } = this.spec
    const style = getComputedStyle(document.documentElement)
    /** @param {string} name */
    const color = (name) => style.getPropertyValue(name).trim()
    const grid = { stroke: color('--grid'), width: 1 }
    const text = { stroke: color('--quiet'), font: '12px system-ui, sans-serif', ticks: { show: false } }
    /** @type {uPlot.Options} */
    const options = {
      ...this.#size(),
      legend: { show: false },
      padding: [8, 28, 0, 0],
      cursor: { drag: { x: false, y: false }, sync: { key: 'respool' }, points: { show: false }, y: false },
      hooks: { setCursor: [(chart) => this.#tell(chart.cursor.idx ?? undefined)] },
      scales: {
        x: { range: () => [this.range[0] ?? 0, this.range[1] ?? 1] },
        y: { range: (_, __, most) => [0, Math.max(least, (most ?? 0) * 1.08)] },
      },
      axes: [
        {
          ...text,
          grid: { show: false },
          size: 28,
          space: 70,
          values: (_, splits) => splits.map((at) => clock(at * 1_000)),
        },
        {
          ...text,
          grid,
          size: 64,
          space: 34,
          ...(format === count ? { incrs: WHOLE } : {}),
          values: (_, splits) => splits.map(tickOf(format)),
        },
      ],
      series: [{}, ...series.map((each, index) => lineOf(each, stacked && index < series.length - 1, color))],
    }
    if (stacked) {
      options.bands = series.slice(1, -1).map((each, index) => ({
        series: /** @type {[number, number]} */ ([index + 2, index + 1]),
        fill: fillOf(each, color),
      }))
    }
    return new uPlot(options, this.data, this.plot)
  }
}

/**
 * @param {(value: number) => string} format
 * @returns {(value: number) => string}
 */
function tickOf(format) {
  if (format === duration) return durationTick
  return format === perSecond ? (value) => `${short(value)}/s` : format
}

/** @param {number} value */
function short(value) {
  return value >= 10_000 ? `${amount(value / 1_000)}k` : amount(value)
}

/**
 * @param {Series} series
 * @param {boolean | undefined} isLayer
 * @param {(name: string) => string} color
 * @returns {uPlot.Series}
 */
function lineOf(series, isLayer, color) {
  const { dash, area } = series
  // Counts hold until the next one; a line between two of them would show what never was.
  const paths = uPlot.paths.stepped?.({ align: -1 })
  /** @type {uPlot.Series} */
  const line = { stroke: color(series.color), width: dash ? 2 : 1.75, points: { show: false } }
  if (dash) line.dash = [...dash]
  if (isLayer)
    return { ...line, stroke: color('--card'), width: 1, fill: fillOf(series, color), ...(paths ? { paths } : {}) }
  if (series.column === 'waiting' || series.column === 'maxConnections') if (paths) line.paths = paths
  if (area) line.fill = `${color(series.color)}26`
  return line
}

/**
 * @param {Series} series
 * @param {(name: string) => string} color
 * @returns {uPlot.Series.Fill}
 */
function fillOf(series, color) {
  const own = color(series.color)
  if (!series.hatched) return own
  return (chart) => chart.ctx.createPattern(hatch(own, color('--card')), 'repeat') ?? own
}

/**
 * Stripes, so that a state is told without its colour.
 * @param {string} front
 * @param {string} back
 */
function hatch(front, back) {
  const size = 10
  const canvas = make('canvas')
  canvas.width = size
  canvas.height = size
  const ink = canvas.getContext('2d')
  if (ink !== null) {
    ink.fillStyle = back
    ink.fillRect(0, 0, size, size)
    ink.strokeStyle = front
    ink.lineWidth = 5
    for (const shift of [-size, 0, size]) {
      ink.beginPath()
      ink.moveTo(shift - 2, size + 2)
      ink.lineTo(shift + size + 2, -2)
      ink.stroke()
    }
  }
  return canvas
}
