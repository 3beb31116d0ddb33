// The help of each command: the parts of a manual page, complete, within the screen, and true to the tables.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCommandLine } from '../../src/tools/command-line.js'
import { type CommandSpec, ENVIRONMENT, EXIT, exitsOf, type OptionSpec } from '../../src/tools/command-spec.js'
import { type CommandName, runnerOf, SPECS } from '../../src/tools/commands.js'
import { helpOf } from '../../src/tools/help.js'

const specs: readonly (readonly [string, CommandSpec])[] = Object.entries(SPECS)

const flat = (text: string): string => text.replace(/\s+/g, ' ')

function textOf(name: string, width = 100): string {
  const line = readCommandLine([name, '--help'], width)
  return line.kind === 'help' ? line.text : assert.fail(line.kind)
}

describe('the help of a command', () => {
  for (const [name, spec] of specs) {
    it(`${name} has all the parts of a manual page`, () => {
      const text = textOf(name)
      assert.ok(text.startsWith(`respool ${name}: ${spec.doc}\n\nUsage: respool ${name}`), text)
      for (const about of spec.about) assert.ok(flat(text).includes(flat(about)))
      for (const part of ['Options', 'Environment', 'Examples', 'Exit codes'])
        assert.match(text, new RegExp(`^${part}:$`, 'm'))
      for (const option of Object.keys(spec.options))
        assert.match(text, new RegExp(`^ {2,}(-\\w, )?--${option}\\b`, 'm'))
      for (const variable of Object.keys(ENVIRONMENT)) assert.match(text, new RegExp(`^ {2}${variable}\\b`, 'm'))
      for (const [code, meaning] of exitsOf(spec))
        assert.ok(flat(text).includes(` ${code} ${meaning}`), `${code} ${meaning}`)
      assert.ok((spec.examples ?? []).length > 0, 'it has no example')
    })

    it(`${name} fits any width`, () => {
      for (const width of [20, 30, 40, 60, 80, 100]) {
        for (const line of textOf(name, width).split('\n')) assert.ok(line.length <= width, `${width}: ${line}`)
      }
    })

    it(`${name} has examples that could be typed`, () => {
      for (const { words } of spec.examples ?? []) {
        const typed = (/respool ([^|>)]*)/.exec(words)?.[1] ?? '').trim().split(/\s+/)
        const line = readCommandLine(typed, 80)
        assert.equal(line.kind, 'run', `${words}: ${line.kind === 'wrong' ? line.complaint : ''}`)
      }
    })

    it(`${name} can be run`, async () => {
      assert.equal(typeof (await runnerOf(name as CommandName)), 'function')
    })
  }

  it('says the default, the values and whether an option may come again', () => {
    const options = { sort: { value: 'FIELD', choices: ['a', 'b'], default: 'a', many: true, doc: 'Order' } }
    const text = helpOf('x', { doc: 'X', about: [], options }, 100)
    assert.match(text, /--sort <FIELD> {2}Order \(one of a, b; may be given several times; default a\)/)
  })
})

describe('the options of all commands', () => {
  it('have one meaning under one name, as they are read before the command is known', () => {
    const seen = new Map<string, OptionSpec>()
    const shorts = new Map<string, string>()
    for (const [, { options }] of specs) {
      for (const [name, option] of Object.entries(options)) {
        assert.equal((seen.get(name) ?? option).value === undefined, option.value === undefined, name)
        seen.set(name, option)
        if (option.short === undefined) continue
        assert.equal(shorts.get(option.short) ?? name, name, `-${option.short} is two options`)
        shorts.set(option.short, name)
      }
    }
  })
})

describe('exit codes', () => {
  it('are those of sysexits and of shells, each once', () => {
    assert.equal(new Set(Object.values(EXIT)).size, Object.values(EXIT).length)
    assert.deepEqual(
      [EXIT.usage, EXIT.unavailable, EXIT.internal, EXIT.interrupted, EXIT.terminated],
      [64, 69, 70, 130, 143],
    )
  })

  it('of a command are those of all, with its own meanings', () => {
    const codes = (spec: CommandSpec) => exitsOf(spec).map(([code]) => code)
    assert.deepEqual(codes(SPECS.demo), [0, 1, 64, 69, 70, 130, 143])
    assert.deepEqual(codes(SPECS.doctor), [0, 1, 2, 64, 69, 70, 130, 143])
    assert.deepEqual(codes(SPECS.top), [0, 64, 69, 70, 130, 143])
  })
})
