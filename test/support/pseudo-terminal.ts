// A command on a terminal of its own, through `script` of util-linux: what it writes, keys typed to it, its size, and
// whether the terminal is as it was before when the command has ended.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/** What a suite passes as `skip`: false, or in words why there is no pseudo terminal. */
export function terminalSkip(): string | false {
  const { status } = spawnSync('script', ['-qec', 'stty size', '/dev/null'], { stdio: ['ignore', 'pipe', 'pipe'] })
  return status === 0 ? false : 'no script of util-linux'
}

const WITHIN = 10_000

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`

export class PseudoTerminal implements AsyncDisposable {
  readonly #child: ChildProcess
  #output = ''
  #wake: () => void = () => {}

  constructor(words: readonly string[], columns: number, rows: number, env: NodeJS.ProcessEnv = {}) {
    // The inner shell becomes the command, so that its pid is the command's; SIGQUIT shall leave no file behind.
    const inner = `ulimit -c 0; echo pid=$$; exec ${words.map(quoted).join(' ')}`
    const script = `tty; stty cols ${columns} rows ${rows}; sh -c ${quoted(inner)}; echo code=$?; stty -a`
    const { NO_COLOR, COLUMNS, REDIS_URL, ...inherited } = process.env
    this.#child = spawn('script', ['-qec', script, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...inherited, TERM: 'xterm', SHELL: '/bin/sh', ...env },
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text
      this.#wake()
    })
  }

  /** Everything so far. */
  get output(): string {
    return this.#output
  }

  /** What was written last, from the last time that all was drawn. */
  get picture(): string[] {
    return (this.#output.split('\u001B[H').at(-1) ?? '').split(/\r*\n/)
  }

  get pid(): number {
    return Number(/^pid=(\d+)/m.exec(this.#output)?.[1])
  }

  /** Whether the command was stopped by a signal, and not yet told to go on. */
  get isStopped(): boolean {
    return execFileSync('ps', ['-o', 'stat=', '-p', String(this.pid)], { encoding: 'utf8' }).startsWith('T')
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys)
  }

  resize(columns: number, rows: number): void {
    const tty = /^\/dev\/\S+/m.exec(this.#output)?.[0] ?? ''
    execFileSync('stty', ['-F', tty, 'cols', String(columns), 'rows', String(rows)])
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name)
  }

  /** Waits until the output so far fulfils it. */
  async until(isTrue: (terminal: this) => boolean, what: string): Promise<void> {
    const end = performance.now() + WITHIN
    while (!isTrue(this)) {
      if (performance.now() > end)
        throw new Error(`it did not come to ${what}: ${JSON.stringify(this.#output.slice(-2_000))}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** Waits for the end; gives the exit code and whether lines and echo of the terminal are on again. */
  async end(): Promise<{ code: number; restored: boolean }> {
    await this.until(({ output }) => /code=\d+[\s\S]*-?echoke/.test(output), 'an end')
    const after = this.#output.slice(this.#output.lastIndexOf('code='))
    return {
      code: Number(/code=(\d+)/.exec(after)?.[1]),
      restored: /(?<!-)\bicanon\b/.test(after) && /(?<=\s)echo\b/.test(after),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'close')
    try {
      this.signal('SIGKILL')
    } catch {
      // It has ended already.
    }
    this.#child.stdin?.end()
    this.#child.kill('SIGKILL')
    await gone
  }
}
