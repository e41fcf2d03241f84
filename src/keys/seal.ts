import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'

const KEY_FILE = 'seal.key'
const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16

/** A key file that cannot be used. The message is for the operator. */
export class SealError extends Error {
  override readonly name = 'SealError'
}

/** The secrets of this installation, derived from one key file: sealing at rest, and signatures of links. */
export type Seal = Readonly<{
  /** AES-256-GCM, bound to `context`: a sealed value moved to another row does not open. */
  seal: (text: string, context: string) => string
  /** Null when the value was sealed with another key file or for another context. */
  unseal: (sealed: string, context: string) => string | null
  /** URL-safe signature (HMAC-SHA-256) of a text. */
  sign: (text: string) => string
  /** Compares in constant time. */
  verify: (text: string, signature: string) => boolean
}>

/** Reads `<stateDir>/seal.key`, makes it (mode 0600) when there is none. */
export function openSeal(stateDir: string): Seal {
  const master = readOrCreate(path.join(stateDir, KEY_FILE))
  const derive = (use: string) => Buffer.from(hkdfSync('sha256', master, '', `ytdlpd ${use}`, KEY_BYTES))
  const sealKey = derive('seal')
  const signKey = createSecretKey(derive('sign')) // from bytes, each signature would import the key anew: seven times slower
  const sign = (text: string) => createHmac('sha256', signKey).update(text).digest('base64url')
  return {
    sign,
    verify: (text, signature) => {
      const expected = Buffer.from(sign(text))
      const given = Buffer.from(signature)
      return expected.length === given.length && timingSafeEqual(expected, given)
    },
    seal: (text, context) => {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', sealKey, iv).setAAD(Buffer.from(context))
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url')
    },
    unseal: (sealed, context) => open(sealKey, Buffer.from(sealed, 'base64url'), context),
  }
}

function open(key: Buffer, sealed: Buffer, context: string): string | null {
  if (sealed.length < IV_BYTES + TAG_BYTES) return null
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8')
  } catch {
    return null // the tag does not match: another key file, or a changed row
  }
}

function readOrCreate(file: string): Buffer {
  try {
    fs.writeFileSync(file, randomBytes(KEY_BYTES), { mode: 0o600, flag: 'wx', flush: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const key = fs.readFileSync(file)
  if (key.length !== KEY_BYTES)
    throw new SealError(`${file} is not a sealing key: put back the one that was there (${KEY_BYTES} bytes)`)
  return key
}
