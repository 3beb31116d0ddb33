// Owns the parts of the model of a fleet: a line with its connections, and those who stand in it as numbers in typed
// arrays. Knows no time of its own.

const BEGIN = 32

/** A line of callers, and the connections they wait for. */
export class Station {
  opened = 0
  inUse = 0
  /** When the last reply so far will be due, of what shares a lane. */
  lastReply = 0
  readonly waiting = new Line()
  /** Its place among those of its process. */
  readonly index: number
  /** Connections it may have, and callers that each can take at once. */
  readonly most: number
  readonly slots: number

  constructor(index: number, most: number, slots: number) {
    this.index = index
    this.most = most
    this.slots = slots
  }

  get hasRoom(): boolean {
    return this.inUse < this.opened * this.slots
  }
}

/** First come, first served. */
class Line {
  #jobs = new Int32Array(16)
  #head = 0
  #length = 0

  get first(): number | undefined {
    return this.#length === 0 ? undefined : this.#jobs[this.#head]
  }

  push(job: number): void {
    const size = this.#jobs.length
    if (this.#length === size) {
      const larger = new Int32Array(size * 2)
      larger.set(this.#jobs.subarray(this.#head))
      larger.set(this.#jobs.subarray(0, this.#head), size - this.#head)
      this.#jobs = larger
      this.#head = 0
    }
    this.#jobs[(this.#head + this.#length++) % this.#jobs.length] = job
  }

  shift(): number | undefined {
    const first = this.first
    if (first === undefined) return undefined
    this.#head = (this.#head + 1) % this.#jobs.length
    this.#length--
    return first
  }
}

/** Callers that are there, as rows of columns; a row is used again when its caller has gone. */
export class Jobs {
  #members = new Int32Array(BEGIN)
  #stations = new Int32Array(BEGIN)
  #arrived = new Float64Array(BEGIN)
  #begun = new Float64Array(BEGIN)
  #holds = new Float64Array(BEGIN)
  #left = new Int32Array(BEGIN)
  #served = new Uint8Array(BEGIN)
  #used = 0
  readonly #free: number[] = []

  make(member: number, station: number, arrivedAt: number, hold: number): number {
    const job = this.#free.pop() ?? this.#used++
    if (job === this.#members.length) this.#grow()
    this.#members[job] = member
    this.#stations[job] = station
    this.#arrived[job] = arrivedAt
    this.#holds[job] = hold
    return job
  }

  free(job: number): void {
    this.#free.push(job)
  }

  begin(job: number, now: number, commands: number): void {
    this.#begun[job] = now
    this.#left[job] = commands
    this.#served[job] = 0
  }

  /** Its command has been done by the server; the reply is still to come. */
  serve(job: number): void {
    this.#served[job] = 1
  }

  /** A reply has come; gives how many commands are still to be sent. */
  answered(job: number): number {
    this.#served[job] = 0
    const left = (this.#left[job] ?? 0) - 1
    this.#left[job] = left
    return left
  }

  isServed(job: number): boolean {
    return this.#served[job] === 1
  }

  member(job: number): number {
    return this.#members[job] ?? 0
  }

  station(job: number): number {
    return this.#stations[job] ?? 0
  }

  arrivedAt(job: number): number {
    return this.#arrived[job] ?? 0
  }

  begunAt(job: number): number {
    return this.#begun[job] ?? 0
  }

  hold(job: number): number {
    return this.#holds[job] ?? 0
  }

  #grow(): void {
    const size = this.#members.length * 2
    const ints = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const larger = new Int32Array(size)
      larger.set(old)
      return larger
    }
    const floats = (old: Float64Array): Float64Array<ArrayBuffer> => {
      const larger = new Float64Array(size)
      larger.set(old)
      return larger
    }
    this.#members = ints(this.#members)
    this.#stations = ints(this.#stations)
    this.#left = ints(this.#left)
    this.#arrived = floats(this.#arrived)
    this.#begun = floats(this.#begun)
    this.#holds = floats(this.#holds)
    const served = new Uint8Array(size)
    served.set(this.#served)
    this.#served = served
  }
}
