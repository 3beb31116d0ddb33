// Holds the tree to its laws (ARCHITECTURE.md), and shows with a small false tree that each law bites.

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import {
  blank,
  checkArchitecturePage,
  checkCircles,
  checkIndex,
  checkLayers,
  checkOpenings,
  checkPackages,
  checkSizes,
  checkWords,
  functionsOf,
  importsOf,
  LAYERS,
  layerOf,
  type Sources,
} from './support/source-laws.js'

const ROOT = findRoot(import.meta.dirname)
const src = readTree('src')
const code = new Map([...src].filter(([path]) => path.endsWith('.ts')))

describe('the source tree', () => {
  it('has files, all of them in a layer', () => {
    assert.ok(code.size > 0, 'there is no file in src')
    const lost = [...src.keys()].filter((path) => !['index', ...LAYERS].some((layer) => layer === layerOf(path)))
    assert.deepEqual(lost, [], `these lie in no layer (${LAYERS.join(', ')})`)
  })

  it('imports downward only, and tools only what users can', () => none(checkLayers(code)))
  it('has no circle of imports', () => none(checkCircles(code)))
  it('imports each package in one file', () => none(checkPackages(code)))
  it('keeps the environment, the console, events and casts where they belong', () => none(checkWords(code)))
  it('keeps files and functions short', () => none(checkSizes(code)))
  it('opens each file with a comment', () => {
    none(checkOpenings(new Map([...code, ...readTree('test', '.ts'), ...readTree('scripts', '.js')])))
  })
  it('has an index that only re-exports', () => {
    const text = code.get('src/index.ts')
    assert.ok(text !== undefined, 'src/index.ts is missing; write the public surface there')
    none(checkIndex(text))
  })
  it('is listed file by file in ARCHITECTURE.md', () => {
    const page = join(ROOT, 'ARCHITECTURE.md')
    none(checkArchitecturePage(existsSync(page) ? readFileSync(page, 'utf8') : undefined, [...src.keys()]))
  })
})

describe('package.json', () => {
  const manifest: unknown = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const table = (name: string): Record<string, string> => {
    const value: unknown = Reflect.get(Object(manifest), name)
    return Object.fromEntries(Object.entries(value ?? {}).map(([key, item]) => [key, String(item)]))
  }

  it('has one dependency', () => assert.deepEqual(Object.keys(table('dependencies')), ['@redis/client']))

  it('pins exactly', () => {
    for (const [name, version] of Object.entries({ ...table('dependencies'), ...table('devDependencies') })) {
      assert.match(version, /^(?:npm:typescript@)?\d+\.\d+\.\d+$/, `${name} is '${version}'; pin one version`)
    }
  })

  it('runs nothing on install', () => {
    const onInstall = ['preinstall', 'install', 'postinstall', 'prepare', 'preprepare', 'postprepare']
    assert.deepEqual(
      Object.keys(table('scripts')).filter((name) => onInstall.includes(name)),
      [],
    )
  })
})

describe('the laws bite:', () => {
  const comment = '// Owns a test.\n'
  const bites = (check: (sources: Sources) => string[], tree: Record<string, string>, ...complaints: RegExp[]) => {
    const found = check(new Map(Object.entries(tree)))
    assert.equal(found.length, complaints.length, `expected ${complaints.length} complaints, got:\n${found.join('\n')}`)
    for (const [i, complaint] of complaints.entries()) assert.match(found[i] ?? '', complaint)
  }

  it('an import that leads up, by type or by call too', () => {
    bites(
      checkLayers,
      {
        'src/base/a.ts': "import type { B } from '../pool/b.js'\nimport 'node:net'",
        'src/pool/b.ts': "export * from '../base/a.js'\nconst late = await import('../client/c.js')",
        'src/client/c.ts': "import {\n  b,\n} from '../pool/b.js'\nimport { x } from '../index.js'",
        'src/index.ts': "export { c } from './client/c.js'\nexport { t } from './tools/t.js'",
        'src/tools/t.ts':
          "import { c } from '../index.js'\nimport { u } from './u.js'\nimport { b } from '../pool/b.js'",
        'src/tools/u.ts': "import { gone } from './gone.js'",
      },
      /^src\/base\/a\.ts imports '\.\.\/pool\/b\.js': base lies below pool/,
      /^src\/pool\/b\.ts imports '\.\.\/client\/c\.js': pool lies below client/,
      /^src\/client\/c\.ts imports '\.\.\/index\.js'; src\/index\.ts is for users/,
      /^src\/index\.ts imports '\.\/tools\/t\.js'; the library knows no tools/,
      /^src\/tools\/t\.ts imports '\.\.\/pool\/b\.js'; a tool may use only what users can/,
      /^src\/tools\/u\.ts imports '\.\/gone\.js', which is no file of src/,
    )
  })

  it('a circle', () => {
    bites(
      checkCircles,
      {
        'src/pool/a.ts': "import { b } from './b.js'",
        'src/pool/b.ts': "import type { c } from './c.js'",
        'src/pool/c.ts': "export type { a } from './a.js'",
        'src/pool/d.ts': "import { a } from './a.js'",
      },
      /^src\/pool\/a\.ts → src\/pool\/b\.ts → src\/pool\/c\.ts → src\/pool\/a\.ts is a circle/,
    )
  })

  it('a package in the wrong file, in disguise too', () => {
    bites(
      checkPackages,
      {
        'src/command/definitions.ts': "import type { X } from '@redis/client/dist/lib/x.js'",
        'src/client/a.ts': "import type { X } from '@redis/client'\nimport lodash from 'lodash'",
        'src/client/b.ts':
          "// '@redis/client/' in a comment is no import\nconst x = require(`@redis/client/§{name}`)".replace('§', '$'),
        'src/client/c.ts': "const path = '@redis/client/' + name",
      },
      /^src\/client\/a\.ts imports '@redis\/client', which is for src\/command\/definitions\.ts alone/,
      /^src\/client\/a\.ts imports 'lodash'; the only packages of src are @redis\/client/,
      /^src\/client\/b\.ts imports '@redis\/client\//,
      /^src\/client\/c\.ts spells '@redis\/client\//,
    )
  })

  it('words out of their place', () => {
    bites(
      checkWords,
      {
        'src/pool/a.ts':
          "// any console, process.env\nconst text = 'console any' + `as never`\nPromise.any([])\nit.any",
        'src/pool/b.ts': 'const env = process.env.X',
        'src/pool/c.ts': 'console.log(process.argv)',
        'src/pool/d.ts': "import { EventEmitter } from 'node:events'",
        'src/pool/e.ts': 'const x: any = 1',
        'src/pool/f.ts': 'const x = y as unknown as Z',
        'src/pool/g.ts': 'f(1)\n// @ts-expect-error: it is wrong',
        'src/pool/pool.ts': 'class Pool extends EventEmitter {}',
        'src/client/from-env.ts': 'const url = process.env.REDIS_URL',
        'src/tools/cli.ts': 'console.log(process.argv, process.env)',
      },
      /^src\/pool\/b\.ts:1 says 'process\.env'; only tools read the environment/,
      /^src\/pool\/c\.ts:1 says 'process\.argv'; only tools have arguments/,
      /^src\/pool\/c\.ts:1 says 'console'; a library prints nothing/,
      /^src\/pool\/d\.ts:1 says 'EventEmitter'; only Redis and ConnectionPool/,
      /^src\/pool\/e\.ts:1 says 'any'; that switches the compiler off/,
      /^src\/pool\/f\.ts:1 says 'as unknown as'; a cast does not make it true/,
      /^src\/pool\/g\.ts:2 says '@ts-expect-error'; fix the type instead/,
      /^src\/pool\/b\.ts and src\/client\/from-env\.ts read the environment/,
    )
  })

  it('long files and long functions', () => {
    const body = '    work()\n'.repeat(49)
    bites(
      checkSizes,
      {
        'src/pool/long.ts': 'work()\n'.repeat(351),
        'src/pool/fits.ts': `class Pool {\n  run() {\n${body.slice(0, -11)}  }\n}\n`,
        'src/pool/method.ts': `class Pool {\n  async *#run<T>(a: T): Promise<{ a: T }> {\n${body}  }\n}\n`,
        'src/pool/header.ts': `export function run(\n  a: string,\n): void {\n${body}}\n`,
        'src/pool/arrow.ts': `const run = (a: string) => {\n${body}}\n`,
        'src/pool/literal.ts': `const table = {\n${'  a: 1,\n'.repeat(60)}}\nif (a) {\n${body}${body}}\n`,
        'src/command/catalog.ts': 'work()\n'.repeat(999),
      },
      /^src\/pool\/long\.ts has 351 lines; split it/,
      /^src\/pool\/method\.ts:2 'async \*#run<T>.*' has 51 lines/,
      /^src\/pool\/header\.ts:1 'export function run\(' has 53 lines/,
      /^src\/pool\/arrow\.ts:1 'const run = .*' has 51 lines/,
    )
  })

  it('a file without an opening, and an index with code', () => {
    bites(checkOpenings, { 'src/a.ts': comment, 'src/b.ts': 'const b = 1' }, /^src\/b\.ts does not open with a comment/)
    assert.deepEqual(checkIndex(`${comment}export { a } from './a.js'\nexport type * from './b.js'\n`), [])
    assert.match(checkIndex(`${comment}export const a = 1\n`).join(), /holds 'export const a = 1'; it only re-exports/)
  })

  it('a page that leaves a file out or names one that is gone', () => {
    const page = 'See [`src/pool/a.ts`](src/pool/a.ts) and `src/pool/gone.ts`.'
    assert.deepEqual(checkArchitecturePage(page, ['src/pool/a.ts', 'src/pool/b.ts']), [
      'src/pool/b.ts has no line in ARCHITECTURE.md; add one that says what it is for.',
      'ARCHITECTURE.md names src/pool/gone.ts, which is no file; take that line out or correct it.',
    ])
    assert.match(checkArchitecturePage(undefined, []).join(), /ARCHITECTURE\.md is missing/)
  })

  it('and text is read as code only where it is code', () => {
    const text = 'a // b\nc /* d\ne */ f(\'g\', "h", `i §{j({ k: `l` })} m`, /n[\'"/]/)'.replace('§', '$')
    assert.equal(blank(text).replace(/ /g, ''), 'a\nc\nf(\'\',"",`§{j({k:``})}`,)'.replace('§', '$'))
    assert.deepEqual(
      importsOf('src/a/b.ts', "const s = `import 'no'`\nexport { x } from './c.js'\n// import 'no'").map(
        ({ target }) => target,
      ),
      ['src/a/c.ts'],
    )
    assert.deepEqual(functionsOf('for (const x of y) {\n  z(() => {\n    1\n  })\n}\n').length, 1)
  })
})

function none(complaints: readonly string[]): void {
  assert.equal(complaints.length, 0, `\n${complaints.join('\n')}`)
}

function readTree(folder: string, suffix = ''): Map<string, string> {
  const root = join(ROOT, folder)
  return new Map(
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(ROOT.length + 1), readFileSync(path, 'utf8')]),
  )
}

/** Up from the compiled test to the folder that holds the sources. */
function findRoot(from: string): string {
  return existsSync(join(from, 'tsconfig.json')) ? from : findRoot(join(from, '..'))
}
