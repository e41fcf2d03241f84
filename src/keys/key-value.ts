import { hash, randomBytes } from 'node:crypto'

/** 32 random bytes: 43 URL-safe characters. */
const VALUE_BYTES = 32

export const newValue = (): string => randomBytes(VALUE_BYTES).toString('base64url')

/** What a value is looked up by. */
export const hashOf = (value: string): string => hash('sha256', value, 'hex')
