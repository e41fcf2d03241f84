import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

/** A server certificate of the test authority, and the authority's own file for clients to trust. */
export type Certificate = Readonly<{ caFile: string; key: Buffer; cert: Buffer }>

const run = promisify(execFile)

/** Browsers and TLS libraries refuse server certificates that are valid for longer. */
const LEAF_DAYS = '825'
const CA_DAYS = '3650'

const CA_CONFIG = `[req]
distinguished_name = name
x509_extensions = ca
prompt = no
[name]
CN = Test internet root
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
`

const leafConfig = (names: readonly string[]): string => `[req]
distinguished_name = name
prompt = no
[name]
CN = Test internet server
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = ${names.join(', ')}
`

const openssl = (dir: string, args: readonly string[]) => run('openssl', [...args], { cwd: dir, timeout: 30_000 })

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** Fills `dir` by `build` unless another process was first: whoever renames first wins, the others use that result. */
async function once(dir: string, build: (temporary: string) => Promise<void>): Promise<void> {
  if (existsSync(dir)) return
  const temporary = `${dir}.${process.pid}.${randomUUID()}`
  await mkdir(temporary, { recursive: true })
  try {
    await build(temporary)
    await rename(temporary, dir)
  } catch (error) {
    if (!existsSync(dir)) throw error
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/**
 * The certificate for `names` (`DNS:*.example.com`, `IP:127.0.0.1`) of an authority that all callers with the same
 * `dir` share. Kept per calendar year, so a kept one is never about to expire. Needs the `openssl` program.
 */
export async function getCertificate(dir: string, names: readonly string[]): Promise<Certificate> {
  const year = path.join(dir, String(new Date().getFullYear()))
  const ca = path.join(year, 'ca')
  const digest = createHash('sha256').update(names.join()).digest('hex').slice(0, 16)
  const leaf = path.join(year, `leaf-${digest}`)
  await once(ca, async (temporary) => {
    await writeFile(path.join(temporary, 'ca.cnf'), CA_CONFIG)
    const files = ['-config', 'ca.cnf', '-keyout', 'ca.key', '-out', 'ca.pem']
    await openssl(temporary, ['req', '-x509', ...NEW_KEY, '-days', CA_DAYS, ...files])
  })
  await once(leaf, async (temporary) => {
    await writeFile(path.join(temporary, 'leaf.cnf'), leafConfig(names))
    await openssl(temporary, [
      'req',
      '-new',
      ...NEW_KEY,
      '-config',
      'leaf.cnf',
      '-keyout',
      'leaf.key',
      '-out',
      'leaf.csr',
    ])
    const signer = ['-CA', path.join(ca, 'ca.pem'), '-CAkey', path.join(ca, 'ca.key')]
    const serial = ['-set_serial', `0x${digest}`, '-days', LEAF_DAYS]
    const files = ['-extfile', 'leaf.cnf', '-extensions', 'leaf', '-in', 'leaf.csr', '-out', 'leaf.pem']
    await openssl(temporary, ['x509', '-req', ...signer, ...serial, ...files])
  })
  return {
    caFile: path.join(ca, 'ca.pem'),
    key: await readFile(path.join(leaf, 'leaf.key')),
    cert: await readFile(path.join(leaf, 'leaf.pem')),
  }
}
