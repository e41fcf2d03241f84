import { createHash } from 'node:crypto'
import { ALPHABET, LENGTH } from '../../tasks/task-id.ts'

/**
 * Clients of this face know jobs by version 4 UUIDs. The 122 free bits of one hold an id of ours, which has 96, and 26 of
 * its hash, so that hardly any other UUID stands for something.
 */
const CHECK_BITS = 26n

const UUID = /^([\da-f]{8})-([\da-f]{4})-4([\da-f]{3})-([89ab][\da-f]{3})-([\da-f]{12})$/i

/** The UUID of a task or batch. */
export function jobIdOf(id: string): string {
  const free = (numberOf(id) << CHECK_BITS) | checkOf(id)
  const high = (free >> 74n) & ((1n << 48n) - 1n)
  const middle = (free >> 62n) & 0xfffn
  const low = free & ((1n << 62n) - 1n)
  const hex = (high << 80n) | (0x4n << 76n) | (middle << 64n) | (0b10n << 62n) | low
  return hex
    .toString(16)
    .padStart(32, '0')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** The task or batch of a UUID; null for one that `jobIdOf` has not made. */
export function idOfJob(uuid: string): string | null {
  const parts = UUID.exec(uuid)
  if (!parts) return null
  const hex = BigInt(`0x${uuid.replaceAll('-', '')}`)
  const free = ((hex >> 80n) << 74n) | (((hex >> 64n) & 0xfffn) << 62n) | (hex & ((1n << 62n) - 1n))
  const id = textOf(free >> CHECK_BITS, LENGTH)
  return id !== null && jobIdOf(id) === uuid.toLowerCase() ? id : null
}

/** Characters of an id that eight hexadecimal digits can hold. */
const TAGGED = 5

/** What the name of a task's file begins with: eight hexadecimal digits that lead back to the task. */
export const fileTagOf = (taskId: string): string => numberOf(taskId.slice(0, TAGGED)).toString(16).padStart(8, '0')

/** What the id of a file's task begins with; null for a name that no file has. */
export function idPrefixOf(fileName: string): string | null {
  const tag = /^([\da-f]{8})_/.exec(fileName)?.[1]
  return tag === undefined ? null : textOf(BigInt(`0x${tag}`), TAGGED)
}

const BASE = BigInt(ALPHABET.length)

const numberOf = (text: string): bigint =>
  Array.from(text).reduce((value, character) => value * BASE + BigInt(ALPHABET.indexOf(character)), 0n)

/** Null for a number that takes more characters. */
function textOf(value: bigint, length: number): string | null {
  let text = ''
  let rest = value
  for (let place = 0; place < length; place++) {
    text = (ALPHABET[Number(rest % BASE)] ?? '') + text
    rest /= BASE
  }
  return rest === 0n ? text : null
}

const checkOf = (id: string): bigint =>
  BigInt(`0x${createHash('sha256').update(id).digest('hex').slice(0, 8)}`) >> (32n - CHECK_BITS)
