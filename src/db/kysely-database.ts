import type { Database, Statement } from 'better-sqlite3'
import type { SqliteDatabase, SqliteStatement } from 'kysely'
import { Refusal } from '../domain/errors.ts'

/** Prepared statements that are kept; ours are a small closed set but for lists of varying length. */
const MAX_STATEMENTS = 200

/** What a full, failing or read-only disk makes of a query: nothing was written, the same call may work later. */
const DISK_FAULTS = /^SQLITE_(FULL|IOERR|READONLY|CORRUPT|NOTADB|CANTOPEN|BUSY|LOCKED)/
const RETRY_AFTER_S = 10

/** What the triggers of credits say to a task that finds none. */
const NO_CREDITS = 'no_credits'

/** The database as Kysely uses it: statements are prepared once, and faults of the disk become a refusal that says so. */
export function forKysely(raw: Database): SqliteDatabase {
  const cache = new Map<string, SqliteStatement>()
  return {
    close: () => void raw.close(),
    prepare: (text) => {
      const known = cache.get(text)
      if (known) return known
      const made = guarded(raw.prepare(text))
      if (cache.size < MAX_STATEMENTS) cache.set(text, made)
      return made
    },
  }
}

function guarded(statement: Statement): SqliteStatement {
  const attempt = <T>(work: () => T): T => {
    try {
      return work()
    } catch (cause) {
      const { code, message } = faultOf(cause)
      if (code === 'SQLITE_CONSTRAINT_TRIGGER' && message === NO_CREDITS)
        throw new Refusal('no_credits', 'This key has not enough credits left', { cause })
      if (!DISK_FAULTS.test(code)) throw cause
      throw new Refusal('unavailable', 'The database cannot be used at the moment', {
        cause,
        retryAfter: RETRY_AFTER_S,
      })
    }
  }
  return {
    reader: statement.reader,
    all: (parameters) => attempt(() => statement.all(parameters)),
    run: (parameters) => attempt(() => statement.run(parameters)),
    iterate: (parameters) => attempt(() => statement.iterate(parameters)),
  }
}

/** By its looks: the addon keeps the class of the first that loaded it in this process, be it another context. */
export function faultOf(cause: unknown): Readonly<{ code: string; message: string }> {
  const { code, message } = (typeof cause === 'object' && cause !== null ? cause : {}) as Readonly<
    Record<string, unknown>
  >
  return { code: typeof code === 'string' ? code : '', message: typeof message === 'string' ? message : '' }
}
