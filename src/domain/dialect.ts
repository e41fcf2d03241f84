/** The APIs of other services that this daemon speaks, by their names in addresses and settings. */
export const DIALECTS = ['picoshot', 'easydown', 'mezdia'] as const
export type Dialect = (typeof DIALECTS)[number]

/** Those whose clients know no keys. */
export const KEYLESS_DIALECTS = ['picoshot', 'mezdia'] as const satisfies readonly Dialect[]
export type KeylessDialect = (typeof KEYLESS_DIALECTS)[number]

/** An address on which one dialect is served alone, without a prefix. */
export type DialectAddress = Readonly<{ dialect: Dialect; host: string; port: number }>

const ENTRY = /^(\w+)=(?:\[([\da-f:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/i

/** Reads `mezdia=127.0.0.1:5001,picoshot=[::1]:5002`. Throws an Error that says which entry is none. */
export function parseDialectAddresses(text: string): readonly DialectAddress[] {
  return listOf(text).map((entry) => {
    const [, name = '', v6, host = v6 ?? '', digits = ''] = ENTRY.exec(entry) ?? []
    const dialect = DIALECTS.find((known) => known === name.toLowerCase())
    const port = Number(digits)
    if (host === '' || port > 65_535) throw new Error(`${JSON.stringify(entry)} is not NAME=ADDRESS:PORT`)
    if (dialect === undefined) throw new Error(`${name} is none of ${DIALECTS.join(', ')}`)
    return { dialect, host, port }
  })
}

/** Reads `picoshot,mezdia`. Throws an Error that says which name is none. */
export function parseKeylessDialects(text: string): readonly KeylessDialect[] {
  const found = listOf(text).map((name) => {
    const dialect = KEYLESS_DIALECTS.find((known) => known === name.toLowerCase())
    if (dialect === undefined) throw new Error(`${name} is none of ${KEYLESS_DIALECTS.join(', ')}`)
    return dialect
  })
  return [...new Set(found)]
}

const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
