// Reads declarations as the compiler has written them (dist/**/*.d.ts): members of classes and interfaces with their
// signatures and docstrings. Knows no page. TypeScript 5.4 is here to parse, since 7 has no API for that.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const ts = createRequire(import.meta.url)('typescript-5.4')

/** What a package exports: name → the file that declares it, types too. */
export function exportsOf(index) {
  const found = new Map()
  for (const statement of parse(index).statements) {
    const isExported =
      ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.[0]?.kind === ts.SyntaxKind.ExportKeyword
    if (isExported && statement.name !== undefined) {
      found.set(statement.name.text, { file: index, declared: statement.name.text })
    }
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier === undefined) continue
    const file = join(dirname(index), statement.moduleSpecifier.text.replace(/\.js$/, '.d.ts'))
    for (const { name, propertyName } of statement.exportClause.elements) {
      found.set(name.text, { file, declared: (propertyName ?? name).text })
    }
  }
  return found
}

/** Classes, interfaces and type aliases of that name in a file: a class may have an interface beside it. */
export function declarationsOf(file, name) {
  return parse(file).statements.filter((statement) => statement.name?.text === name)
}

/** Own members that a user may see, each name once, with all its signatures. */
export function membersOf(declaration) {
  const members = declaration.members ?? literalOf(declaration.type)?.members ?? []
  const found = new Map()
  for (const member of members) {
    const name = nameOf(member)
    if (name === undefined || isHidden(member)) continue
    const known = found.get(name) ?? { name, kind: kindOf(member), signatures: [], doc: '', tags: [] }
    known.signatures.push(signatureOf(member))
    const { doc, tags } = docOf(member)
    found.set(name, { ...known, doc: known.doc || doc, tags: known.tags.length > 0 ? known.tags : tags, node: member })
  }
  return [...found.values()]
}

/** Fields of an interface, those of literal types in them included: `connections.total`. */
export function fieldsOf(declaration, prefix = '') {
  const fields = membersOf(declaration).filter(({ kind }) => kind !== 'constructor')
  return fields.flatMap(({ name, kind, signatures, doc, node }) => {
    if (kind === 'method') return [{ name: prefix + name, type: signatures[0].slice(name.length), doc }]
    const inner = literalOf(node.type)
    const own = { name: prefix + name, type: inner === undefined ? typeOf(node) : 'object', doc }
    return inner === undefined ? [own] : [own, ...fieldsOf({ members: inner.members }, `${prefix}${name}.`)]
  })
}

/** What an alias of a type stands for. */
export function aliasOf(declaration) {
  return declaration !== undefined && ts.isTypeAliasDeclaration(declaration)
    ? flat(declaration.type.getText())
    : undefined
}

/** The type of each property, by name. */
export function typesOf(declaration) {
  return new Map(membersOf(declaration).map(({ name, node }) => [name, typeOf(node)]))
}

export function docOf(node) {
  const [jsDoc] = (node.jsDoc ?? []).slice(-1)
  const text = ts.getTextOfJSDocComment(jsDoc?.comment) ?? ''
  const tags = (jsDoc?.tags ?? []).map((tag) => ({
    tag: tag.tagName.text,
    name: tag.name?.getText?.() ?? '',
    text: flat(ts.getTextOfJSDocComment(tag.comment) ?? ''),
  }))
  return { doc: flat(text), tags: tags.map((tag) => withName(tag)) }
}

/** The parents that a class names, without their type arguments. */
export function parentOf(declaration) {
  const [clause] = (declaration.heritageClauses ?? []).filter(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)
  return clause?.types[0].expression.getText()
}

/** What fields of a compiled class begin with, by class: `code` → `'ERR_OPTION'`. */
export function initialValues(file, field) {
  const found = new Map()
  for (const statement of parse(file).statements) {
    if (!ts.isClassDeclaration(statement)) continue
    const member = statement.members.find((each) => nameOf(each) === field && each.initializer !== undefined)
    if (member !== undefined) found.set(statement.name.text, member.initializer.text)
  }
  return found
}

const files = new Map()

function parse(file) {
  const known = files.get(file)
  if (known !== undefined) return known
  const parsed = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)
  files.set(file, parsed)
  return parsed
}

function literalOf(type) {
  return type !== undefined && ts.isTypeLiteralNode(type) ? type : undefined
}

function nameOf(member) {
  if (ts.isConstructorDeclaration(member)) return 'constructor'
  if (member.name === undefined || ts.isPrivateIdentifier(member.name)) return undefined
  return member.name.getText()
}

function isHidden(member) {
  const modifiers = ts.canHaveModifiers(member) ? (ts.getModifiers(member) ?? []) : []
  const isClosed = modifiers.some(
    ({ kind }) => kind === ts.SyntaxKind.PrivateKeyword || kind === ts.SyntaxKind.ProtectedKeyword,
  )
  // The spelling of the server for a method that is there already.
  return isClosed || /^[A-Z]+$/.test(nameOf(member) ?? '')
}

function kindOf(member) {
  if (ts.isConstructorDeclaration(member)) return 'constructor'
  return ts.isMethodDeclaration(member) || ts.isMethodSignature(member) ? 'method' : 'property'
}

function signatureOf(member) {
  if (ts.isGetAccessorDeclaration(member)) return `readonly ${nameOf(member)}: ${typeOf(member)}`
  return flat(member.getText())
    .replace(/^abstract /, '')
    .replace(/;$/, '')
}

function typeOf(member) {
  const type = member.type ?? undefined
  if (type === undefined) return member.initializer?.getText() ?? 'unknown'
  return flat(type.getText()).replace(/ \| undefined$/, '')
}

const withName = ({ tag, name, text }) => ({
  tag,
  text: name === '' ? text : tag === 'param' ? `\`${name}\`: ${text}` : `${name} ${text}`,
})

const flat = (text) => text.replace(/\s+/g, ' ').trim()
