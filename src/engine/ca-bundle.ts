import fs from 'node:fs/promises'
import path from 'node:path'
import tls from 'node:tls'

/**
 * A PEM file that trusts what this machine trusts and the extra authority of `caFile`: yt-dlp and ffmpeg take one file
 * only. Written anew at each start, since both parts may have changed. Throws when `caFile` cannot be read.
 */
export async function writeCaBundle(caFile: string, dir: string): Promise<string> {
  const extra = await fs.readFile(caFile, 'utf8')
  if (!extra.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it holds no PEM certificate')
  const target = path.join(dir, 'ca-bundle.pem')
  await fs.writeFile(`${target}.new`, [...tls.getCACertificates('default'), extra].join('\n'))
  await fs.rename(`${target}.new`, target)
  return target
}
