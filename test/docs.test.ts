// Keeps the pages true: the option tables of the README are those of the code, its TypeScript compiles against the
// package as published, links lead somewhere, and no page names the place where it was written.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, it } from 'node:test'
import type { AnyOptionTable, OptionRow } from '../src/base/option-table.js'
import {
  clientRules,
  commandRules,
  formerRules,
  poolRules,
  type Rules,
  socketRules,
} from '../src/client/node-redis-rules.js'
import { clientOptionTable, ownOptions } from '../src/client/options.js'
import { connectionOptionTable } from '../src/connection/options.js'
import * as respool from '../src/index.js'
import { clientSideCacheTable } from '../src/pool/cache-options.js'
import { poolOptionTable } from '../src/pool/options.js'
import { exitsOf } from '../src/tools/command-spec.js'
import { SPECS } from '../src/tools/commands.js'

const COMPILES_WITHIN = 60_000

const ROOT = findRoot(import.meta.dirname)
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const PAGES = ['', 'docs', 'docs/decisions', 'bench'].flatMap((folder) => listed(folder, /\.md$/))

describe('the README', () => {
  const tables: Readonly<Record<string, AnyOptionTable>> = {
    pool: poolOptionTable,
    connection: connectionOptionTable,
    client: clientOptionTable,
    cache: clientSideCacheTable,
  }
  for (const [name, table] of Object.entries(tables)) {
    it(`has the options of a ${name} as the code has them`, () => {
      const [, page = ''] = README.split(`<!-- options:${name} -->\n\n`)
      const [rows = ''] = page.split('\n\n')
      assert.equal(rows, tableOf(table))
    })
  }

  it('names every error with its code', () => {
    const rows = new Map([...README.matchAll(/^\| `(\w+)` \| `(ERR_\w+)` \|/gm)].map(([, name, code]) => [name, code]))
    const errors = Object.entries(respool).filter(([name, value]) => isErrorClass(value) && name !== 'RespoolError')
    assert.deepEqual([...rows.keys()].sort(), errors.map(([name]) => name).sort())
    const text = readFileSync(join(ROOT, 'src/base/errors.ts'), 'utf8') + readPool()
    for (const code of rows.values())
      assert.match(text, new RegExp(`code(?:: string)? = '${code}'`), `no error has ${code}`)
  })

  it('has the two commands that set everything up', () => {
    assert.match(README, /^npm ci && npm run demo\b/m)
    assert.match(README, /^npm ci && npm test\b/m)
  })

  it('has the exit codes as the code has them', () => {
    const [, page = ''] = README.split('<!-- exits -->\n\n')
    const [rows = ''] = page.split('\n\n')
    assert.equal(rows, tableOfExits())
  })

  it('leaves room for the figures of the benchmark', () => {
    assert.match(README, /<!-- bench:begin -->\n[\s\S]*<!-- bench:end -->/)
  })

  it('has TypeScript that compiles against the package as it is published', () => {
    assert.ok(existsSync(join(ROOT, 'dist/index.d.ts')), 'there is no dist/; `npm test` and `npm run build` make it')
    const blocks = [...README.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code)
    assert.ok(blocks.length >= 6, `found ${blocks.length} blocks`)
    assert.equal(compile(blocks), '')
    assert.match(compile(["const text: string = await redis.get('a')"]), /TS2322.*'string \| null'/)
  })
})

/** A code, and what it means: everywhere, or as single commands have it. */
function tableOfExits(): string {
  const all = new Map(exitsOf({}))
  const codes = [...new Set(Object.values(SPECS).flatMap((spec) => exitsOf(spec).map(([code]) => code)))]
  const rows = codes
    .sort((a, b) => a - b)
    .map((code) => {
      const own = Object.entries(SPECS).flatMap(([name, spec]) => {
        const meaning = new Map(exitsOf(spec)).get(code)
        return meaning === undefined || meaning === all.get(code) ? [] : [`\`${name}\`: ${meaning}`]
      })
      return `| ${code} | ${[...[all.get(code) ?? []].flat(), ...own].join('<br>')} |`
    })
  return ['| code | meaning |', '| --- | --- |', ...rows].join('\n')
}

describe('the page on migrating', () => {
  const page = readFileSync(join(ROOT, 'docs/migrating.md'), 'utf8')
  const tables: Readonly<Record<string, Rules>> = {
    client: clientRules,
    socket: socketRules,
    command: commandRules,
    pool: poolRules,
    former: formerRules,
  }
  for (const [name, rules] of Object.entries(tables)) {
    it(`has what becomes of the options of node-redis, ${name}, as the code has it`, () => {
      const [, after = ''] = page.split(`<!-- rules:${name} -->\n\n`)
      const [rows = ''] = after.split('\n\n')
      assert.equal(rows, tableOfRules(rules))
    })
  }

  it('names no option that does not exist', () => {
    const own = ownOptions()
    const [, ...others] = page.split(/^## (?=ioredis|redis-py|go-redis)/m)
    assert.equal(others.length, 3)
    for (const part of others) {
      const rows = [...part.matchAll(/^\| .* \| (.*) \| .*\|$/gm)].map(([, cell = '']) => cell).slice(2)
      assert.ok(rows.length > 10)
      for (const cell of rows) {
        const names = [...cell.matchAll(/`(\w+)`/g)].map(([, option = '']) => option)
        assert.ok(cell === '–' || names.length > 0, cell)
        for (const option of names) assert.ok(Object.hasOwn(own, option), `${option} is no option`)
      }
    }
  })
})

describe('the page of the API', () => {
  const script = join(ROOT, 'scripts/generate-api.js')
  const check = (...words: string[]) =>
    spawnSync(process.execPath, [script, ...words], {
      encoding: 'utf8',
      timeout: COMPILES_WITHIN,
      killSignal: 'SIGKILL',
    })

  it('is what the option tables and the declarations give', () => {
    assert.ok(existsSync(join(ROOT, 'dist/index.d.ts')), 'there is no dist/; `npm test` and `npm run build` make it')
    const { status, stderr } = check('--check')
    assert.equal(stderr, '')
    assert.equal(status, 0)
  })

  it('is missed when a line of it is other', () => {
    const folder = mkdtempSync(join(ROOT, 'build', 'api-'))
    try {
      const changed = join(folder, 'api.md')
      writeFileSync(changed, readFileSync(join(ROOT, 'docs/api.md'), 'utf8').replace('| `5000` |', '| `4000` |'))
      const { status, stderr } = check('--check', changed)
      assert.equal(status, 1)
      assert.match(stderr, /run `npm run generate`\. Line \d+ should be:\n\| `acquireTimeout` \|/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('has every option with its default, methods with their signatures, every error with its code', () => {
    const page = readFileSync(join(ROOT, 'docs/api.md'), 'utf8')
    for (const table of [poolOptionTable, connectionOptionTable, clientOptionTable, clientSideCacheTable]) {
      for (const [name, row] of Object.entries(table)) {
        const line = page
          .split('\n')
          .find((each) => each.startsWith(`| \`${name}\` |`) && each.includes(row.doc.slice(0, 20)))
        assert.ok(line?.includes(` ${defaultOf(row)} `), `${name} with ${defaultOf(row)}: ${line}`)
      }
    }
    for (const signature of [
      'stats',
      'resize',
      'retire',
      'lease<T>',
      'multi',
      'watch',
      'release',
      'exec',
      'execAsPipeline',
    ]) {
      assert.ok(page.includes(`\n${signature}(`), signature)
    }
    for (const error of Object.values(respool).filter(isErrorClass).map(String)) {
      const [, name = ''] = /^class (\w+)/.exec(error) ?? []
      if (name !== 'RespoolError') assert.match(page, new RegExp(`^\\| \`${name}\` \\| \`ERR_`, 'm'))
    }
  })
})

describe('the pages', () => {
  it('are there', () => {
    for (const page of ['README', 'ARCHITECTURE', 'CONTRIBUTING', 'SECURITY', 'CHANGELOG']) {
      assert.ok(PAGES.includes(`${page}.md`), `${page}.md is missing`)
    }
  })

  it('link to what exists', () => {
    const broken = PAGES.flatMap((page) =>
      linksOf(page).flatMap((link) => (existsSync(join(ROOT, dirname(page), link)) ? [] : [`${page}: ${link}`])),
    )
    assert.deepEqual(broken, [])
  })

  it('have one decision each in docs/decisions: numbered, with context, decision and consequence', () => {
    const decisions = listed('docs/decisions', /\.md$/)
    assert.ok(decisions.length > 0)
    for (const [index, path] of decisions.entries()) {
      const number = String(index + 1).padStart(4, '0')
      assert.match(path, new RegExp(`/${number}-[a-z0-9-]+\\.md$`), `expected the decision ${number}`)
      const headings = [...readFileSync(join(ROOT, path), 'utf8').matchAll(/^## (.+)$/gm)].map(([, title]) => title)
      assert.deepEqual(headings, ['Context', 'Decision', 'Consequence'], path)
    }
  })

  it('and the code do not say where they were written', () => {
    const code = ['src', 'test', 'examples', 'scripts', 'bench'].flatMap((folder) =>
      everyFile(folder, /\.(?:[cm]?[jt]s|json)$/),
    )
    // Put together here, so that this file does not say them either.
    const told = new RegExp(
      ['/wo+rk/', '\\.\\./sha+red', '\\.\\./\\.lib+rary', 'regis+try\\.\\w+\\.\\w+', 'np+mjs\\.'].map(thin).join('|'),
    )
    const found = [...PAGES, ...code].flatMap((path) => {
      const line = readFileSync(join(ROOT, path), 'utf8')
        .split('\n')
        .find((each) => told.test(each))
      return line === undefined ? [] : [`${path}: ${line.trim()}`]
    })
    assert.deepEqual(found, [])
  })
})

/** What becomes of the options of node-redis, as Markdown. */
function tableOfRules(rules: Rules): string {
  const rows = Object.entries(rules).map(([name, { becomes, doc }]) => {
    const options = becomes.map((option) => `\`${option}\``).join(', ')
    return `| \`${name}\` | ${options === '' ? '–' : options} | ${doc} |`
  })
  return ['| node-redis | respool | |', '| --- | --- | --- |', ...rows].join('\n')
}

/** The table of options as Markdown. */
function tableOf(table: AnyOptionTable): string {
  const rows = Object.entries(table).map(
    ([name, row]) => `| \`${name}\` | ${defaultOf(row)} | ${row.unit ?? ''} | ${row.doc} |`,
  )
  return ['| option | default | unit | what it does |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

function defaultOf({ default: value }: OptionRow): string {
  if (value === undefined) return 'none'
  if (typeof value === 'string') return `\`'${value}'\``
  return typeof value === 'object' ? '`{}`' : `\`${String(value)}\``
}

function isErrorClass(value: unknown): boolean {
  return typeof value === 'function' && value.prototype instanceof Error
}

function readPool(): string {
  return ['src/pool/exhaustion.ts', 'src/client/transaction.ts']
    .map((path) => readFileSync(join(ROOT, path), 'utf8'))
    .join()
}

/** Compiles each block as a module of its own, in this tree, against dist/; gives what the compiler says. */
function compile(blocks: readonly string[]): string {
  mkdirSync(join(ROOT, 'build'), { recursive: true })
  const folder = mkdtempSync(join(ROOT, 'build', 'readme-'))
  try {
    const compilerOptions = { noEmit: true, rootDir: ROOT, paths: {}, skipLibCheck: false, noUnusedLocals: false }
    const config = { extends: join(ROOT, 'tsconfig.json'), compilerOptions, include: ['./*.ts'], exclude: [] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
    for (const [index, block] of blocks.entries()) {
      const head = block.includes('import ') ? '' : "import { Redis } from 'respool'\ndeclare const redis: Redis\n"
      writeFileSync(join(folder, `block-${index + 1}.ts`), `${head}${block}\nexport {}\n`)
    }
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    const { stdout, error } = spawnSync(process.execPath, [tsc, '-p', folder], {
      encoding: 'utf8',
      timeout: COMPILES_WITHIN,
      killSignal: 'SIGKILL',
    })
    return error ? `the compiler did not end: ${error.message}` : stdout
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function linksOf(page: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8').replace(/^```[\s\S]*?^```$/gm, '')
  return [...text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)].flatMap(([, link = '']) =>
    /^[a-z]+:/.test(link) ? [] : [link],
  )
}

/** Files right in a folder, as paths from the root, sorted. */
function listed(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => join(folder, entry.name))
    .sort()
}

function everyFile(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('node_modules') && !path.endsWith('package-lock.json'))
}

function thin(word: string): string {
  return word.replace(/(?<=\w)\+/, '')
}

/** Up from the compiled test to the folder that holds the sources. */
function findRoot(from: string): string {
  return existsSync(join(from, 'tsconfig.json')) ? from : findRoot(join(from, '..'))
}
