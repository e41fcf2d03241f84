import fs from 'node:fs'
import path from 'node:path'
import { openSeal } from '../../src/keys/seal.ts'
import { tempDir } from '../support/temp-dir.ts'

describe('sealing', () => {
  test('opens again after a restart, for the same context only', async () => {
    await using dir = tempDir()
    const sealed = openSeal(dir.path).seal('secret value', 'key-1')
    const again = openSeal(dir.path)
    expect(again.unseal(sealed, 'key-1')).toBe('secret value')
    expect(again.unseal(sealed, 'key-2')).toBeNull()
    expect(sealed).not.toContain('secret')
  })

  test('never seals the same text alike, and opens nothing that was changed or cut', async () => {
    await using dir = tempDir()
    const seal = openSeal(dir.path)
    const sealed = seal.seal('secret value', 'key-1')
    expect(seal.seal('secret value', 'key-1')).not.toBe(sealed)
    const bytes = Buffer.from(sealed, 'base64url')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(seal.unseal(changed.toString('base64url'), 'key-1')).toBeNull()
      expect(seal.unseal(bytes.subarray(0, at).toString('base64url'), 'key-1')).toBeNull()
    }
  })

  test('does not open what another installation sealed', async () => {
    await using dir = tempDir()
    await using other = tempDir()
    expect(openSeal(other.path).unseal(openSeal(dir.path).seal('secret', 'a'), 'a')).toBeNull()
  })

  test('keeps its key in a file that only its owner can read, and refuses a file that is none', async () => {
    await using dir = tempDir()
    openSeal(dir.path)
    const file = path.join(dir.path, 'seal.key')
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
    fs.writeFileSync(file, 'short')
    expect(() => openSeal(dir.path)).toThrow(/seal\.key is not a sealing key/)
    expect(fs.readFileSync(file, 'utf8')).toBe('short')
  })
})

describe('signatures', () => {
  test('hold after a restart, for the same text only', async () => {
    await using dir = tempDir()
    const signature = openSeal(dir.path).sign('/files/a 1')
    const seal = openSeal(dir.path)
    expect(signature).toMatch(/^[\w-]{43}$/)
    expect(seal.verify('/files/a 1', signature)).toBe(true)
    expect(seal.verify('/files/a 2', signature)).toBe(false)
    for (const other of ['', signature.slice(1), `${signature}=`, signature.toLowerCase(), 'é'.repeat(43)]) {
      expect(seal.verify('/files/a 1', other)).toBe(false)
    }
  })
})
