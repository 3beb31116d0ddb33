// Owns the types of as much of Express as the tests use; the package has none of its own.

declare module 'express' {
  import type { RequestListener } from 'node:http'

  interface Application extends RequestListener {
    use(path: string, handler: RequestListener): void
    get(path: string, handler: RequestListener): void
  }
  export default function express(): Application
}
