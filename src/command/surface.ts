// Puts one method per command on a prototype. It knows the catalog; what a method does is the caller's.

import { CATALOG, type CatalogEntry } from './catalog.js'
import type {
  CommandDefinition,
  CommandSignature,
  Commands,
  RespVersions,
  TransformReply,
  TypeMapping,
} from './definitions.js'

/** The methods of all commands, as node-redis types them. */
export type CommandMethods<RESP extends RespVersions, TYPE_MAPPING extends TypeMapping> = {
  [NAME in keyof Commands]: CommandSignature<Commands[NAME], RESP, TYPE_MAPPING>
}

export type MethodOf<RECEIVER> = (this: RECEIVER, ...args: unknown[]) => unknown

/**
 * Gives a prototype one method per command, under all its names. They stand one step up the chain, so what the class
 * defines itself comes first.
 */
export function defineCommands<RECEIVER extends object>(
  prototype: RECEIVER,
  makeMethod: (entry: CatalogEntry) => MethodOf<RECEIVER>,
): void {
  // Filled while it has no prototype: V8 then keeps it as a dictionary, twenty times faster to fill than a class.
  const layer: object = Object.create(null)
  for (const entry of CATALOG) {
    const descriptor = { value: makeMethod(entry), writable: true, configurable: true, enumerable: false }
    for (const name of entry.methods) Object.defineProperty(layer, name, descriptor)
  }
  Object.setPrototypeOf(layer, Object.getPrototypeOf(prototype))
  Object.setPrototypeOf(prototype, layer)
}

/** What a definition does to a reply of this protocol version; undefined where the reply is the value. */
export function transformReplyOf(definition: CommandDefinition, resp: RespVersions): TransformReply | undefined {
  const { transformReply } = definition
  // Definitions declare a function where at run time there is none, to give the reply its type.
  if (typeof transformReply === 'function') return transformReply
  return transformReply === undefined ? undefined : transformReply[resp]
}
