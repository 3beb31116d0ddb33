// The scripts that shells are given: every command, option and value is in them, and each shell that is here reads them.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { CommandSpec } from '../../src/tools/command-spec.js'
import { SPECS } from '../../src/tools/commands.js'
import { completionsFor } from '../../src/tools/completions.js'
import { SHELLS } from '../../src/tools/completions-spec.js'
import { startCli } from '../support/cli-process.js'

/** Words in which every shell finds something that acts. */
const NASTY: Readonly<Record<string, CommandSpec>> = {
  ...SPECS,
  nasty: {
    doc: `it's "$(echo acted)" \`echo acted\` \\ [a:b] (c) 100%`,
    about: [],
    options: {
      file: { value: 'FILE', short: 'f', doc: `a 'file' of $HOME; \\' [x]:y`, many: true },
      kind: { value: 'KIND', doc: 'k', choices: ['one', 'two'] },
    },
  },
}

const isHere = (shell: string): boolean => spawnSync(shell, ['--version'], { stdio: 'ignore' }).status === 0

const TMP = mkdtempSync(join(tmpdir(), 'respool-completions-test-'))
after(() => rmSync(TMP, { recursive: true, force: true }))

/** As a file, because not all of them read what they only check from stdin. */
function read(shell: string, script: string): void {
  const file = join(TMP, 'script')
  writeFileSync(file, script)
  const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' })
  assert.deepEqual([status, stderr], [0, ''])
}

/** What bash offers for the words, the last of which is being typed. */
function offered(script: string, ...words: string[]): string[] {
  const list = words.map((word) => `'${word}'`).join(' ')
  const asks = `${script}\nCOMP_WORDS=(respool ${list}); COMP_CWORD=${words.length}; _respool; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', asks], { encoding: 'utf8', cwd: '/' })
  assert.equal(stderr, '')
  return stdout.split('\n').filter((line) => line !== '')
}

describe('completions', () => {
  for (const shell of SHELLS) {
    it(`of ${shell} have every command, option and value`, async () => {
      const { code, stdout } = await startCli(['completions', shell]).done
      assert.equal(code, 0)
      assert.equal(stdout, completionsFor(shell, SPECS))
      for (const [name, { options, operand }] of Object.entries(SPECS)) {
        assert.ok(stdout.includes(name), name)
        const values = Object.values(options).flatMap(({ choices = [] }) => choices)
        const dashes = shell === 'fish' ? '-l ' : '--'
        for (const word of [
          ...Object.keys(options).map((option) => dashes + option),
          ...values,
          ...(operand?.choices ?? []),
        ])
          assert.ok(stdout.includes(word), `${name}: ${word}`)
      }
    })

    it(`of ${shell} are read by it, and nothing in them acts`, { skip: isHere(shell) ? false : `no ${shell}` }, () => {
      read(shell, completionsFor(shell, SPECS))
      const script = completionsFor(shell, NASTY)
      read(shell, script)
      const { stdout } = spawnSync(shell, ['-c', shell === 'bash' ? script : `true\n${script}`], { encoding: 'utf8' })
      assert.doesNotMatch(stdout, /acted/)
      assert.throws(() => read(shell, `${script}\nif then 'open`), 'a broken script has to be noticed')
    })
  }

  it('of bash offer what fits where it is typed', { skip: isHere('bash') ? false : 'no bash' }, () => {
    const script = completionsFor('bash', NASTY)
    assert.deepEqual(offered(script, 'do').sort(), ['doctor'])
    assert.deepEqual(offered(script, 'de'), ['demo'])
    assert.deepEqual(offered(script, '--ver'), ['--version'])
    assert.deepEqual(offered(script, 'top', '--so'), ['--sort'])
    assert.deepEqual(offered(script, 'top', '--sort', ''), ['count', 'age', 'idle', 'memory', 'name'])
    assert.deepEqual(offered(script, 'top', '--url', ''), [])
    assert.deepEqual(offered(script, 'doctor', '--token-file', 'us'), ['usr'])
    assert.deepEqual(offered(script, 'completions', 'f'), ['fish'])
    assert.deepEqual(offered(script, 'nasty', '--kind', 't'), ['two'])
    assert.deepEqual(offered(script, 'nasty', '-'), ['--file', '-f', '--kind'])
  })
})
