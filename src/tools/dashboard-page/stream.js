// Owns the line to the dashboard: reads the events with fetch, so that the token goes in a header, and connects again
// when the line is lost. Shows nothing.

/** Without a word for so long the line is not live, in ms. */
const SILENCE = 3_500

/** Pauses before it connects again, in ms. */
const FIRST_PAUSE = 500
const LONGEST_PAUSE = 5_000

/** @typedef {'connecting' | 'live' | 'silent' | 'gone' | 'refused' | 'busy' | 'empty' | 'ended'} LineState */

/** @type {Readonly<Record<number, LineState | undefined>>} */
const REFUSALS = { 401: 'refused', 404: 'empty', 410: 'ended', 503: 'busy' }

/**
 * @typedef {object} Listener
 * @property {(state: LineState) => void} line
 * @property {(name: string, message: any) => void} message
 */

export class Line {
  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener
    this.token = ''
    /**
     * The first when undefined.
     * @type {number | undefined}
     */
    this.pool = undefined
    /** @type {AbortController | undefined} */
    this.current = undefined
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined
    this.pause = FIRST_PAUSE
    this.heardAt = 0
    setInterval(() => {
      if (this.current !== undefined && this.heardAt > 0 && performance.now() - this.heardAt > SILENCE)
        this.#tell('silent')
    }, 500)
  }

  /**
   * @param {string} token
   * @param {number | undefined} pool
   */
  open(token, pool) {
    this.token = token
    this.pool = pool
    this.pause = FIRST_PAUSE
    clearTimeout(this.timer)
    this.current?.abort()
    this.#tell('connecting')
    this.#connect()
  }

  /** @param {LineState} state */
  #tell(state) {
    if (this.state === state) return
    /** @type {LineState | undefined} */
    this.state = state
    this.listener.line(state)
  }

  async #connect() {
    const own = new AbortController()
    this.current = own
    this.heardAt = 0
    /** @type {LineState} */
    let why = 'gone'
    try {
      const headers = { Authorization: `Bearer ${this.token}` }
      const query = this.pool === undefined ? '' : `?pool=${this.pool}`
      const response = await fetch(`api/stream${query}`, { headers, signal: own.signal, cache: 'no-store' })
      if (response.ok && response.body !== null) why = await this.#read(response.body)
      else why = REFUSALS[response.status] ?? 'gone'
      // There is none to show yet, or this one is not shown any more.
      if (why === 'empty') this.pool = undefined
    } catch {
      // The line is lost; there is nothing more to know.
    }
    if (this.current !== own) return
    this.current = undefined
    this.#tell(why)
    if (why === 'refused') return
    this.timer = setTimeout(() => this.#connect(), this.pause)
    this.pause = Math.min(LONGEST_PAUSE, this.pause * 2)
  }

  /**
   * @param {ReadableStream<Uint8Array>} body
   * @returns {Promise<LineState>}
   */
  async #read(body) {
    const reader = body.getReader()
    const decoder = new TextDecoder()
    let text = ''
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return 'gone'
      text += decoder.decode(value, { stream: true })
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const [, name = '', data = 'null'] = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end)) ?? []
        text = text.slice(end + 2)
        this.heardAt = performance.now()
        this.pause = FIRST_PAUSE
        if (name === 'end') return 'ended'
        this.#tell('live')
        this.listener.message(name, JSON.parse(data))
      }
    }
  }
}
